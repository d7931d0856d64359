"""What tests of many calls at once share."""

import gc
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.support.servers import EchoServer


@pytest.fixture
def nothing_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Fail a test that leaves an open socket, or an error that nobody saw, behind."""
    unseen: list[str] = []
    gc.collect()  # what earlier tests left is not this one's
    gc.freeze()  # what is there stays, and need not be looked at again and again
    for module, hook in ((sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, hook, lambda args: unseen.append(repr(args.exc_value)))
    yield
    gc.collect()
    assert unseen == []
    records = [r for when in ("setup", "call") for r in caplog.get_records(when)]
    assert [r.getMessage() for r in records if r.levelno >= logging.WARNING] == []


@pytest.fixture
def echo_server() -> Iterator[EchoServer]:
    """Run a server that knows its connections."""
    with EchoServer() as server:
        yield server
