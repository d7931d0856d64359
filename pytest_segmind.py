"""Pytest's fixture `segmind_gateway`, from the package langchain-segmind.

pytest always imports its plugins, so this module imports the package only inside the fixture.
"""

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_segmind.testing import SegmindTestGateway


@pytest.fixture
def segmind_gateway(monkeypatch: pytest.MonkeyPatch) -> "Iterator[SegmindTestGateway]":
    """Run a local gateway that answers as the test says.

    `SEGMIND_API_BASE` and `SEGMIND_API_KEY` point to it during the test, so that
    `ChatSegmindGPT4Turbo()` calls it. Needs the extra `gateway` of langchain-segmind.
    """
    from langchain_segmind.gateway import Gateway  # noqa: PLC0415 - only where it is used
    from langchain_segmind.testing import SegmindTestGateway  # noqa: PLC0415 - likewise

    with Gateway() as gateway:
        monkeypatch.setenv("SEGMIND_API_BASE", gateway.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", gateway.api_key)
        no_proxy = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "*" if no_proxy == "*" else f"{no_proxy},{gateway.host}")
        test_gateway = SegmindTestGateway(gateway)
        yield test_gateway
        test_gateway.check_pending()
