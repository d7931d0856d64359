"""LangChain's standard integration tests for each format, and for embeddings, over HTTP.

A strict gateway answers.
"""

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from langchain_tests.integration_tests import (
    ChatModelIntegrationTests,
    EmbeddingsIntegrationTests,
)

from langchain_segmind import ChatSegmind, ChatSegmindGPT4Turbo, SegmindEmbeddings
from langchain_segmind.data._profiles import find_model
from langchain_segmind.gateway import Gateway, Request
from tests.conftest import LIVE, SECRET
from tests.support.images import PNG

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
        prompt = request.messages[0]["content"]
        if prompt.startswith("Always answer with one JSON"):
            return json.dumps(JOKE)
        [name] = SIGNATURE.findall(prompt)
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


@pytest.fixture(autouse=True)
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the image that the suite downloads."""
    if not LIVE:
        monkeypatch.setattr(httpx, "get", lambda url, **_: httpx.Response(200, content=PNG))


class Suite(ChatModelIntegrationTests):
    """The whole suite, nothing overridden. `LIVE=1` and a key run it against Segmind."""

    slug = "gpt-4-turbo"
    other_slug = "gpt-4o"

    @property
    def chat_model_class(self) -> type[ChatSegmind]:
        """The class under test."""
        return ChatSegmind

    @property
    def chat_model_params(self) -> dict:
        """Name the model, and point it at the gateway."""
        address = {} if LIVE else {"base_url": GATEWAY.base_url, "api_key": SECRET}
        return {"model": self.slug, **address}

    @property
    def supports_json_mode(self) -> bool:
        """The prompt asks for JSON."""
        return True

    @property
    def supports_image_inputs(self) -> bool:
        """Whether the model takes images."""
        return find_model(self.slug).profile["image_inputs"]

    @property
    def supports_image_urls(self) -> bool:
        """Gemini's format has no place for a URL."""
        return self.supports_image_inputs and find_model(self.slug).api_format != "gemini"

    @property
    def supports_image_tool_message(self) -> bool:
        """An image follows the text of its result."""
        return self.supports_image_inputs

    @property
    def supports_anthropic_inputs(self) -> bool:
        """Histories of Anthropic's models are sent to any model."""
        return self.supports_image_inputs

    @property
    def model_override_value(self) -> str:
        """A model for one call only."""
        return self.other_slug


class TestGPT4Turbo(Suite):
    """The class that names its model."""

    @property
    def chat_model_class(self) -> type[ChatSegmindGPT4Turbo]:
        """The class under test."""
        return ChatSegmindGPT4Turbo


class TestOpenAI(Suite):
    """OpenAI's format, with images; one call has Anthropic's."""

    slug, other_slug = "gpt-5.4-mini", "claude-4.5-sonnet"


class TestAnthropic(Suite):
    """Anthropic's format; one call has Gemini's."""

    slug, other_slug = "claude-4.5-sonnet", "gemini-3-flash"


@pytest.mark.filterwarnings("ignore:Not sent to")
class TestGemini(Suite):
    """Gemini's format, which has no place for the suite's temperature; one call has OpenAI's."""

    slug, other_slug = "gemini-3-flash", "gpt-5.4-mini"


class EmbeddingsSuite(EmbeddingsIntegrationTests):
    """The whole suite, nothing overridden. `LIVE=1` and a key run it against Segmind."""

    slug = "text-embedding-3-small"

    @property
    def embeddings_class(self) -> type[SegmindEmbeddings]:
        """The class under test."""
        return SegmindEmbeddings

    @property
    def embedding_model_params(self) -> dict:
        """Name the model, and point it at the gateway."""
        address = {} if LIVE else {"base_url": GATEWAY.base_url, "api_key": SECRET}
        return {"model": self.slug, **address}


class TestOpenAIEmbeddings(EmbeddingsSuite):
    """Requests with `prompt`."""


class TestGeminiEmbeddings(EmbeddingsSuite):
    """Requests with `input` and a task."""

    slug = "gemini-embedding-001"
