"""A connection on which something follows a reply is not used again.

A second answer would be taken for the answer to the next request, perhaps one of another account.
"""

import asyncio
import ssl
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from langchain_segmind import ChatSegmindGPT4Turbo
from tests.conftest import Caller
from tests.support.raw_server import (
    ANSWER,
    Connection,
    RawServer,
    Script,
    answer,
    notify_close,
    pause,
    send_together,
)
from tests.support.tunnel import TunnelProxy

SECRET = answer(ANSWER.replace(b"pong", b"the answer to the first account"))
"""What the server sends once too often."""

IDLE_SECONDS = 0.05
"""How long a connection is idle: the second answer arrives meanwhile."""

ENCRYPTED = ["TLS", "TLS through a proxy", "TLS through a proxy with TLS"]


@pytest.fixture(params=["plain", *ENCRYPTED])
def context(
    request: pytest.FixtureRequest, fresh_environment: pytest.MonkeyPatch
) -> Iterator[ssl.SSLContext | None]:
    """Set how models reach a server, and return its certificate."""
    if request.param == "plain":
        yield None
        return
    certificates = request.getfixturevalue("certificates")
    context: ssl.SSLContext = request.getfixturevalue("server_context")
    fresh_environment.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    if "proxy" not in request.param:
        yield context
        return
    with TunnelProxy(context if "proxy with TLS" in request.param else None) as proxy:
        fresh_environment.setenv("HTTPS_PROXY", proxy.url)
        yield context


@contextmanager
def serve(
    caller: Caller, context: ssl.SSLContext | None, *scripts: Script
) -> Iterator[tuple[RawServer, ChatSegmindGPT4Turbo, ChatSegmindGPT4Turbo]]:
    """Yield a server and the models of two accounts that call it."""
    with RawServer(*scripts, context=context) as server:
        url = server.get_url("https" if context else "http")
        first, second = (
            caller.connect(url, api_key=f"fake-key-{number}", max_retries=0, timeout=8)
            for number in (1, 2)
        )
        yield server, first, second
        caller.close(first)


def idle(caller: Caller) -> None:
    """Wait, with a running event loop, which could read ahead; no event says that it does not."""
    if caller.runner:
        caller.runner.run(asyncio.sleep(IDLE_SECONDS))
    else:
        time.sleep(IDLE_SECONDS)


BUSY = answer(b"busy", "retry-after-ms: 50", status="503 Busy")


def send_later(data: bytes) -> Script:
    """Send bytes once the client has read the answer before them."""
    return [pause(0.01), data]


SECOND_ANSWERS = [
    pytest.param([SECRET, SECRET], id="right behind"),
    pytest.param([SECRET + SECRET], id="in the same record"),
    pytest.param([SECRET + SECRET[:30]], id="half, in the same record"),
    pytest.param([send_together(SECRET, SECRET)], id="in the same packet"),
    pytest.param([send_together(SECRET, SECRET[:30])], id="half, in the same packet"),
    pytest.param([send_together(SECRET, SECRET[:1])], id="one byte, in the same packet"),
    pytest.param([SECRET, *send_later(SECRET)], id="idle"),
    pytest.param([SECRET, *send_later(SECRET[:-9])], id="half, idle"),
    pytest.param([SECRET, *send_later(SECRET[:1])], id="one byte, idle"),
]


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("script", SECOND_ANSWERS)
def test_a_second_answer_is_not_another_accounts(
    caller: Caller, context: ssl.SSLContext | None, script: Script
) -> None:
    """The call of the other account gets its own answer, on a connection of its own."""
    sent = threading.Event()
    script = [*script, lambda _: sent.set()]
    with serve(caller, context, script, [answer()]) as (server, first, second):
        assert caller.invoke(first, "hi").text == "the answer to the first account"
        sent.wait()
        idle(caller)
        assert caller.invoke(second, "hi").text == "pong"
        assert [request.connection for request in server.requests] == [1, 2]
        assert b"fake-key-2" in server.requests[1].head


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([BUSY, SECRET], id="right behind"),
        pytest.param([send_together(BUSY, SECRET)], id="in the same packet"),
        pytest.param([BUSY, *send_later(SECRET)], id="idle"),
    ],
)
def test_a_second_answer_is_not_the_answer_to_a_retry(
    caller: Caller, context: ssl.SSLContext | None, script: Script
) -> None:
    """It follows a 503, and has arrived when the request is sent again."""
    with serve(caller, context, script, [answer()]) as (server, model, _):
        model.max_retries = 1
        assert caller.invoke(model, "hi").text == "pong"
        assert [request.connection for request in server.requests] == [1, 2]


@pytest.mark.parametrize("context", ENCRYPTED, indirect=True)
def test_a_connection_whose_tls_has_ended_is_not_used(
    caller: Caller, context: ssl.SSLContext
) -> None:
    """The server announces the end while the connection is idle, and closes it much later."""
    sent = threading.Event()
    script = [answer(), pause(0.01), lambda _: sent.set(), notify_close]
    with serve(caller, context, script, [answer()]) as (server, model, _):
        for _ in range(2):
            assert caller.invoke(model, "hi").text == "pong"
            sent.wait()
            idle(caller)
        assert [request.connection for request in server.requests] == [1, 2]


def test_a_flood_while_idle_does_not_fill_the_memory(
    caller: Caller, context: ssl.SSLContext | None
) -> None:
    """The server has to wait, and the next call leaves the connection."""
    over = threading.Event()
    block = bytes(1_000_000)

    def flood(connection: Connection) -> None:
        connection.sock.settimeout(0.2)  # how long it waits for the client
        try:
            for _ in range(200):
                connection.send(block)
        finally:
            over.set()

    with serve(caller, context, [answer(), pause(0.01), flood], [answer()]) as (server, model, _):
        assert caller.invoke(model, "hi").text == "pong"
        tracemalloc.start()
        try:
            while not over.is_set():
                idle(caller)
            assert tracemalloc.get_traced_memory()[1] < 8_000_000
        finally:
            tracemalloc.stop()
        assert caller.invoke(model, "hi").text == "pong"
        assert [request.connection for request in server.requests] == [1, 2]


@pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"]
)
@pytest.mark.parametrize("context", ENCRYPTED, indirect=True)
def test_a_connection_with_tls_is_used_again(
    caller: Caller, context: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    """Session tickets, which TLS 1.3 sends after the handshake, are no second answer."""
    context.maximum_version = version
    with serve(caller, context, [answer()]) as (server, model, _):
        for _ in range(5):
            assert caller.invoke(model, "hi").text == "pong"
            idle(caller)
        assert {request.connection for request in server.requests} == {1}
