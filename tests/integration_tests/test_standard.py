"""LangChain's standard integration tests, over HTTP against a strict gateway."""

from collections.abc import Iterator

import pytest
from langchain_tests.integration_tests import ChatModelIntegrationTests

from langchain_segmind import ChatSegmindGPT4Turbo
from langchain_segmind.gateway import Gateway
from tests.conftest import LIVE, SECRET

GATEWAY = Gateway(api_key=SECRET, credits=1_000, strict=True)
"""Made at import, since the suite's properties cannot take fixtures."""


@pytest.fixture(scope="module", autouse=True)
def running() -> Iterator[None]:
    """Run the gateway while the suite does."""
    with GATEWAY:
        yield


class TestStandard(ChatModelIntegrationTests):
    """All of them, none overridden. With `LIVE=1` and a key they run against Segmind."""

    @property
    def chat_model_class(self) -> type[ChatSegmindGPT4Turbo]:
        """The class under test."""
        return ChatSegmindGPT4Turbo

    @property
    def chat_model_params(self) -> dict:
        """Where the model is."""
        return {} if LIVE else {"base_url": GATEWAY.base_url, "api_key": SECRET}

    @property
    def model_override_value(self) -> str:
        """Another model, for one call."""
        return "gpt-4o"
