"""Proxies and certificates of the environment, and what the first call of a process needs."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from langchain_segmind import ChatSegmindGPT4Turbo, SegmindConnectionError, SegmindTimeoutError
from langchain_segmind._http import close, environment
from tests.conftest import SECRET, Caller


@pytest.fixture(autouse=True)
def _fresh_environment() -> Iterator[None]:
    """Read the environment again in each test."""
    close()
    yield
    close()


def test_certificates_that_cannot_be_read_do_not_matter_for_http(
    caller: Caller, gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain HTTP needs none."""
    monkeypatch.setenv("SSL_CERT_FILE", "/does-not-exist")
    model = caller.connect(gateway.base_url)
    assert caller.invoke(model, "hi").text == "hi"


def test_certificates_that_cannot_be_read_are_named(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable."""
    monkeypatch.setenv("SSL_CERT_FILE", "/does-not-exist")
    with pytest.raises(ValueError, match="SSL_CERT_FILE cannot be read"):
        caller.invoke(caller.connect("https://127.0.0.1:9/v1"), "hi")


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        pytest.param("HTTP_PROXY", "http://:80", "is not a usable proxy URL", id="no host"),
        pytest.param("ALL_PROXY", "ftp://host", "its scheme is 'ftp'", id="scheme"),
        pytest.param(
            "all_proxy", "socks://u:fake-password@host", "socks5://host needs", id="SOCKS"
        ),
        *(
            pytest.param("http_proxy", url, "is not a usable proxy URL .it is not shown", id=id_)
            for url, id_ in {
                "user:fake-password@http://host": "scheme after the login",
                "http:/u:fake-password@host": "one slash",
                "http//u:fake-password@host": "no colon",
                "http://u:/fake-password@host": "slash in the password",
                "http://u:?fake-password@host": "question mark in the password",
            }.items()
        ),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    """The error names the variable, and shows no password."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(environment, "find_spec", lambda _: None)  # as without socksio
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=words) as caught:
        caller.invoke(caller.connect("http://models.test/v1"), "hi")
    assert str(caught.value).startswith(variable)
    assert "fake-password" not in str(caught.value)


@pytest.mark.parametrize("value", ["socks://host:1080", "SOCKS5://host:1080"])
def test_socks_is_read_as_socks5(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """GNOME and others write `socks://`."""
    monkeypatch.setattr(environment, "find_spec", lambda _: object())
    assert environment.normalize_proxy_url(value, "ALL_PROXY") == "socks5://host:1080"


def test_a_proxy_without_a_scheme_speaks_http() -> None:
    """As for curl."""
    assert environment.normalize_proxy_url("u:p@host:80", "all_proxy") == "http://u:p@host:80"


@pytest.mark.parametrize("password", ["fake-password", "fake password"])
def test_an_error_names_the_proxy(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """Without its password."""
    for name in ("HTTP_PROXY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://u:{password}@127.0.0.1:9")
    model = caller.connect("http://models.test/v1", max_retries=0)
    with pytest.raises(SegmindConnectionError) as caught:
        caller.invoke(model, "hi")
    assert "http://models.test:80 via proxy http://**********@127.0.0.1:9" in str(caught.value)
    assert password not in str(caught.value)


async def test_the_first_call_needs_no_thread_of_the_event_loop() -> None:
    """Certificates are read while all threads of the loop's executor are busy."""
    loop, release = asyncio.get_running_loop(), threading.Event()
    busy = [loop.run_in_executor(None, release.wait) for _ in range(64)]
    model = ChatSegmindGPT4Turbo(
        base_url="https://127.0.0.1:9/v1", api_key=SECRET, max_retries=0, timeout=20
    )
    try:
        with pytest.raises(SegmindConnectionError):
            await model.ainvoke("hi")
    finally:
        release.set()
        await asyncio.gather(*busy)


async def test_reading_certificates_counts_towards_the_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file system that does not answer ends the call like a server that does not."""
    release = threading.Event()
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: release.wait(30))
    model = ChatSegmindGPT4Turbo(base_url="https://127.0.0.1:9/v1", api_key=SECRET, timeout=0.2)
    with pytest.raises(SegmindTimeoutError) as caught:
        await model.ainvoke("hi")
    release.set()
    assert caught.value.phase == "connect"


def test_an_event_loop_that_has_ended_is_not_kept(gateway: Any) -> None:
    """A process that runs many loops keeps none of them in memory."""
    model = ChatSegmindGPT4Turbo(base_url=gateway.base_url, api_key=SECRET)
    loops = []

    async def call() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await model.ainvoke("hi")

    asyncio.run(call())
    gc.collect()
    assert loops[0]() is None
