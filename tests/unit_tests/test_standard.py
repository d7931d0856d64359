"""LangChain's standard unit tests."""

import pytest
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_segmind import ChatSegmindGPT4Turbo


class TestStandard(ChatModelUnitTests):
    """All of them, none overridden."""

    @property
    def chat_model_class(self) -> type[ChatSegmindGPT4Turbo]:
        """The class under test."""
        return ChatSegmindGPT4Turbo

    @property
    def init_from_env_params(self) -> tuple[dict, dict, dict]:
        """The variables, the arguments, and the fields that they make."""
        return (
            {"SEGMIND_API_KEY": "fake-key", "SEGMIND_API_BASE": "https://host/v1"},
            {},
            {"segmind_api_key": "fake-key", "segmind_api_base": "https://host/v1"},
        )

    @pytest.mark.xfail(
        strict=True,
        raises=ValueError,
        reason="core's `load` admits only classes of its own table; our own dump and load test "
        "is test_chat_models.py::TestLangChainHooks::test_a_model_survives_dump_and_load",
    )
    def test_serdes(self, model, snapshot) -> None:
        """Core's table knows no package outside LangChain's own repository."""
        super().test_serdes(model, snapshot)
