"""LangChain's standard integration tests, over HTTP against a strict gateway."""

import re
from collections.abc import Iterator

import pytest
from langchain_tests.integration_tests import ChatModelIntegrationTests

from langchain_segmind import ChatSegmindGPT4Turbo
from langchain_segmind.gateway import Gateway, Request
from tests.conftest import LIVE, SECRET

JOKE = {"setup": "Why do cats purr?", "punchline": "They cannot hum."}
CALLS = {
    "magic_function(3)": "[magic_function(input=3)]",
    "magic_function_no_args()": "[magic_function_no_args()]",
    "Hello!": "[magic_function(input=3)]",
    "Pirate greeting": "[greeting_generator(answer_style='pirate')]",
    "3 + 4": "[my_adder_tool(a=3, b=4)]",
    "San Francisco": "[get_weather(location='San Francisco, CA')]",
    "你好啊集团": "[unicode_customer(customer_name='你好啊集团', description='technology')]",
    "こんにちは株式会社": "[unicode_customer(customer_name='こんにちは株式会社', description='x')]",
    "Return nothing other than JSON": '{"setup": "Why?", "punchline": "Because."}',
}
SIGNATURE = re.compile(r"^(\w+)\($", re.MULTILINE)
"""The first line of a function's signature in the prompt."""


def answer(request: Request) -> str:
    """Answer the suite's requests as a model would."""
    if called := next((call for text, call in CALLS.items() if text in request.last_message), ""):
        return called
    if "joke about cats" in request.last_message:
        [name] = SIGNATURE.findall(request.messages[0]["content"])
        return f"[{name}(setup={JOKE['setup']!r}, punchline={JOKE['punchline']!r})]"
    if any("1 + 2" in message["content"] for message in request.messages):
        return "[my_adder_tool(a=1, b=2)]"
    return "Hello to you."


GATEWAY = Gateway(replies=answer, api_key=SECRET, credits=1_000, strict=True)
"""Created at import, since the suite's properties cannot use fixtures."""


@pytest.fixture(scope="module", autouse=True)
def running_suite_gateway() -> Iterator[None]:
    """Run the gateway during the suite."""
    with GATEWAY:
        yield


class TestStandard(ChatModelIntegrationTests):
    """The whole suite, nothing overridden. `LIVE=1` and a key run it against Segmind."""

    @property
    def chat_model_class(self) -> type[ChatSegmindGPT4Turbo]:
        """The class under test."""
        return ChatSegmindGPT4Turbo

    @property
    def chat_model_params(self) -> dict:
        """Point the model at the gateway."""
        return {} if LIVE else {"base_url": GATEWAY.base_url, "api_key": SECRET}

    @property
    def supports_json_mode(self) -> bool:
        """The prompt asks for JSON."""
        return True

    @property
    def model_override_value(self) -> str:
        """A model for one call only."""
        return "gpt-4o"
