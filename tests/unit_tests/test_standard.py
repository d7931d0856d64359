"""LangChain's standard unit tests."""

import pytest
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_segmind import ChatSegmindGPT4Turbo


class TestStandard(ChatModelUnitTests):
    """The whole suite, nothing overridden but one expected failure."""

    @property
    def chat_model_class(self) -> type[ChatSegmindGPT4Turbo]:
        """The class under test."""
        return ChatSegmindGPT4Turbo

    @property
    def init_from_env_params(self) -> tuple[dict, dict, dict]:
        """Environment variables, arguments, and the fields they set."""
        return (
            {"SEGMIND_API_KEY": "fake-key", "SEGMIND_API_BASE": "https://host/v1"},
            {},
            {"segmind_api_key": "fake-key", "segmind_api_base": "https://host/v1"},
        )

    @pytest.mark.xfail(
        strict=True,
        raises=ValueError,
        reason="core's `load` accepts only classes in its own table; the dump and load test of "
        "this package is in test_chat_models.py",
    )
    def test_serdes(self, model, snapshot) -> None:
        """Core's table lists only packages of LangChain's own repository."""
        super().test_serdes(model, snapshot)
