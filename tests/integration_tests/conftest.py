"""Fixtures of tests that make real HTTP calls."""

import gc
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from langchain_segmind import ChatSegmindGPT4Turbo
from tests.conftest import SECRET
from tests.support.servers import EchoServer


@pytest.fixture
def no_leaks(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test that leaves an open socket, an unhandled error or a logged warning."""
    unhandled: list[str] = []
    gc.collect()  # what earlier tests left behind is not this test's
    gc.freeze()  # so that the collection below is short
    for module, hook in ((sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, hook, lambda args: unhandled.append(repr(args.exc_value)))
    yield
    gc.collect()
    assert unhandled == []
    records = [r for when in ("setup", "call") for r in caplog.get_records(when)]
    assert [r.getMessage() for r in records if r.levelno >= logging.WARNING] == []


@pytest.fixture
def no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry after a millisecond where the server does not say when."""
    monkeypatch.setattr("langchain_segmind._http.retries.back_off", lambda state: 0.001)


@pytest.fixture
def echo_server() -> Iterator[EchoServer]:
    """Run a server that records its connections."""
    with EchoServer() as server:
        yield server


@pytest.fixture
def run_script(root: Path) -> Callable[..., None]:
    """Return a function that runs Python code in a new process, which calls `base_url`."""

    def run(code: str, base_url: str, **variables: str) -> None:
        environment = {
            "SEGMIND_API_BASE": base_url,
            "SEGMIND_API_KEY": SECRET,
            "PYTHONPATH": str(root),
        }
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **environment, **variables},
            check=True,
            timeout=60,
        )

    return run


@pytest.fixture
def model(create_model: Callable[..., ChatSegmindGPT4Turbo]) -> ChatSegmindGPT4Turbo:
    """Create a model without retries, so that a refused request fails at once."""
    return create_model(max_retries=0)
