"""Fixtures of tests that make real HTTP calls."""

import gc
import logging
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from langchain_segmind import ChatSegmind
from langchain_segmind.data._profiles import APIFormat
from tests.conftest import GPT_4_TURBO, SECRET
from tests.support import scripts
from tests.support.certificates import create_certificates
from tests.support.replies import SLUGS
from tests.support.servers import EchoServer


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that are marked `every_format` with a model of each JSON format."""
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if "every_format" in marks and "openai_only" not in marks and "slug" in metafunc.fixturenames:
        slugs = {**SLUGS, "openai": GPT_4_TURBO}
        metafunc.parametrize("slug", slugs.values(), ids=slugs.keys())


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
    of_plain_text = "langchain_segmind._api.url"  # tests call hosts that do not exist
    warnings = [r for r in records if r.levelno >= logging.WARNING and r.name != of_plain_text]
    assert [r.getMessage() for r in warnings] == []


@pytest.fixture
def no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry after a millisecond where the server does not say when."""
    monkeypatch.setattr("langchain_segmind._http.retries.back_off", lambda state: 0.001)


@pytest.fixture
def write_answer(api_format: APIFormat) -> Callable[..., dict[str, Any]]:
    """Return a function that writes a response with a usage and headers, for gateway scripts."""
    return partial(scripts.write_answer, api_format)


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
def fresh_environment(create_model: Callable[..., ChatSegmind]) -> Iterator[pytest.MonkeyPatch]:
    """Unset proxies and certificates, and read the environment again before and after the test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        create_model().close()
        yield patch
    create_model().close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create an authority (`ca.pem`) and its certificate for 127.0.0.1 (`server.pem`)."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")
    create_certificates(openssl, folder)
    return folder


@pytest.fixture
def server_context(certificates: Path) -> ssl.SSLContext:
    """Return the certificate of a server."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    return context


@pytest.fixture
def model(create_model: Callable[..., ChatSegmind]) -> ChatSegmind:
    """Create a model without retries, so that a refused request fails at once."""
    return create_model(max_retries=0)
