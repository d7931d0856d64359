"""`timeout` bounds a whole call, whatever the server does, sync and async."""

import asyncio
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest
from langchain_core.rate_limiters import BaseRateLimiter

from langchain_segmind import (
    ChatSegmindGPT4Turbo,
    SegmindAPIError,
    SegmindConnectionError,
    SegmindRateLimitError,
    SegmindTimeoutError,
)
from langchain_segmind._http import addresses, pools
from langchain_segmind._http.deadline import Deadline
from langchain_segmind._http.network import DeadlineBackend, DeadlineTransport
from tests.conftest import Caller, own_client
from tests.support.raw_server import (
    ANSWER,
    RawServer,
    Script,
    answer,
    await_event,
    close,
    ignore,
    pause,
    silence,
    trickle,
)

TIMEOUT = 0.3
HEAD = b"HTTP/1.1 200 OK\r\n"
SLOW_BODY = [answer(b"", length=9999), trickle(b" ")]
SLOW_CHUNKS = [HEAD + b"transfer-encoding: chunked\r\n\r\n", trickle(b"1\r\n \r\n")]
BIG = "x" * 8_000_000
"""More than the socket buffers of both ends hold."""


@contextmanager
def takes(min_seconds: float, max_seconds: float = 3.0) -> Iterator[None]:
    """Assert how long a block takes; the maximum leaves time for a loaded machine."""
    start = time.monotonic()
    yield
    assert min_seconds <= time.monotonic() - start <= max_seconds


STALLS = [
    pytest.param("https", [silence], [], "connect", id="TLS handshake"),
    pytest.param("http", [ignore], [], "send", id="unread request"),
    pytest.param("http", [], [silence], "wait", id="silent server"),
    pytest.param("http", [], [pause(0.1), HEAD, silence], "wait", id="truncated header"),
    pytest.param("http", [], [HEAD, b"x: ", trickle(b"x")], "wait", id="slow header"),
    pytest.param("http", [], [trickle(b"HTTP/1.1 102 Wait\r\n\r\n")], "wait", id="endless 1xx"),
    pytest.param(
        "http", [], [pause(0.1), answer(b"{", length=99), silence], "read", id="half body"
    ),
    pytest.param("http", [], SLOW_BODY, "read", id="slow body"),
    pytest.param("http", [], SLOW_CHUNKS, "read", id="slow chunks"),
]


@pytest.mark.parametrize(("scheme", "greeting", "script", "phase"), STALLS)
def test_the_timeout_ends_a_stalled_call(
    caller: Caller, scheme: str, greeting: Script, script: Script, phase: str
) -> None:
    """After one attempt, in whichever phase the server stalls."""
    with RawServer(script, greeting=greeting) as server:
        model = caller.connect(server.get_url(scheme), timeout=TIMEOUT, check_context=False)
        with takes(TIMEOUT), pytest.raises(SegmindTimeoutError, match="0.3") as caught:
            caller.invoke(model, BIG if phase == "send" else "hi")
        assert server.count_connections() == 1
    assert caught.value.phase == phase
    assert caught.value.is_retryable
    assert caught.value.__context__ is None


def test_a_write_timeout_ends_a_request_that_is_not_read(caller: Caller) -> None:
    """A body of less than a mebibyte, in small packets to a small buffer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        model = caller.connect(
            url, timeout=httpx.Timeout(TIMEOUT), check_context=False, max_retries=0
        )
        with pytest.raises(SegmindTimeoutError) as caught:
            caller.invoke(model, "x" * 1_000_000)
    assert caught.value.phase == "send"


@pytest.fixture
def unresponsive_addresses() -> Iterator[list[tuple[str, int]]]:
    """Return addresses that complete no handshake: their queues of connections are full."""
    if sys.platform != "linux":
        pytest.skip("other systems refuse a connection where the queue is full")
    with ExitStack() as stack:
        listeners = [socket.create_server(("127.0.0.1", 0), backlog=0) for _ in range(10)]
        for listener in listeners:
            stack.enter_context(listener)
            for filler in (socket.socket() for _ in range(3)):
                stack.enter_context(filler).settimeout(0)
                with suppress(BlockingIOError):
                    filler.connect(listener.getsockname())
        yield [listener.getsockname() for listener in listeners]


def test_the_timeout_ends_a_connection_attempt(caller: Caller, unresponsive_addresses) -> None:
    """To a host that does not answer."""
    _, port = unresponsive_addresses[0]
    model = caller.connect(f"http://127.0.0.1:{port}/v1", timeout=TIMEOUT)
    with takes(TIMEOUT), pytest.raises(SegmindTimeoutError, match="Check the network") as caught:
        caller.invoke(model, "hi")
    assert caught.value.phase == "connect"


def set_addresses(
    monkeypatch: pytest.MonkeyPatch,
    *addresses: tuple[str, int],
    look_up: Callable[[], object] = lambda: None,
) -> None:
    """Set the addresses of several.test, and what happens when they are looked up."""
    look_up_others = socket.getaddrinfo

    def look_up_test_host(host: Any, *args: Any, **options: Any) -> Any:
        if host in {"several.test", b"several.test"}:
            look_up()
            kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
            return [(*kind, address) for address in addresses]
        return look_up_others(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_test_host)


@pytest.fixture(autouse=True)
def no_answering_address() -> None:
    """Forget which addresses answered."""
    addresses._answering.clear()


def test_the_timeout_bounds_all_addresses_of_a_host(
    caller: Caller, unresponsive_addresses, monkeypatch
) -> None:
    """Otherwise each of the ten would take as long as the timeout."""
    set_addresses(monkeypatch, *unresponsive_addresses)
    model = caller.connect("http://several.test/v1", timeout=TIMEOUT)
    with takes(TIMEOUT), pytest.raises(SegmindTimeoutError) as caught:
        caller.invoke(model, "hi")
    assert caught.value.phase == "connect"


@pytest.mark.parametrize(
    ("timeout", "max_address_seconds"),
    [pytest.param(1, 5, id="short timeout"), pytest.param(20, 0.2, id="long timeout")],
)
def test_an_unresponsive_address_leaves_time_for_the_next(
    caller: Caller, unresponsive_addresses, monkeypatch, timeout, max_address_seconds
) -> None:
    """It gets its share of the timeout, and MAX_ADDRESS_SECONDS at most."""
    monkeypatch.setattr(addresses, "MAX_ADDRESS_SECONDS", max_address_seconds)
    with RawServer([answer()]) as server:
        set_addresses(monkeypatch, unresponsive_addresses[0], ("127.0.0.1", server.port))
        model = caller.connect("http://several.test/v1", timeout=timeout)
        with takes(0.2):
            assert caller.invoke(model, "hi").text == "pong"


def test_the_address_that_answered_is_tried_first(
    caller: Caller, unresponsive_addresses, monkeypatch
) -> None:
    """A new connection does not wait for a dead one again."""
    monkeypatch.setattr(addresses, "MAX_ADDRESS_SECONDS", 0.2)
    with RawServer([answer(), close], [answer()]) as server:
        set_addresses(monkeypatch, unresponsive_addresses[0], ("127.0.0.1", server.port))
        model = caller.connect("http://several.test/v1", timeout=20)
        assert caller.invoke(model, "hi").text == "pong"
        monkeypatch.setattr(addresses, "MAX_ADDRESS_SECONDS", 19)
        assert caller.invoke(model, "hi").text == "pong"
        assert [request.connection for request in server.requests] == [1, 2]


def test_calls_that_wait_for_a_look_up_share_it(monkeypatch) -> None:
    """One thread asks for all; the threads of the event loop itself stay free."""
    is_asked, may_answer, look_ups = threading.Event(), threading.Event(), []

    def look_up() -> None:
        look_ups.append(1)
        is_asked.set()
        may_answer.wait(20)

    async def call_and_work(model: ChatSegmindGPT4Turbo) -> list[str]:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        calls = [asyncio.create_task(model.ainvoke("hi")) for _ in range(40)]
        assert await loop.run_in_executor(None, is_asked.wait, 20)
        may_answer.set()
        return [reply.text for reply in await asyncio.gather(*calls)]

    with RawServer([answer()]) as server:
        set_addresses(monkeypatch, ("127.0.0.1", server.port), look_up=look_up)
        model = ChatSegmindGPT4Turbo(api_key="SG_x", base_url="http://several.test/v1", timeout=20)
        assert asyncio.run(call_and_work(model)) == ["pong"] * 40
    assert len(look_ups) == 1


def test_the_timeout_bounds_a_look_up(monkeypatch) -> None:
    """Of an asynchronous call; a later call asks again."""
    may_answer = threading.Event()
    set_addresses(monkeypatch, look_up=lambda: may_answer.wait(20))
    caller = Caller(asyncio.Runner())
    with caller.runner:
        model = caller.connect("http://several.test/v1", timeout=TIMEOUT, max_retries=0)
        with takes(TIMEOUT), pytest.raises(SegmindTimeoutError) as caught:
            caller.invoke(model, "hi")
        may_answer.set()
        assert caught.value.phase == "connect"
        with pytest.raises(SegmindConnectionError, match="has no address"):
            caller.invoke(model, "hi")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_answer_that_arrived_while_the_process_was_stopped_is_read(
    scheme: str,
    certificates: Path,
    server_context: ssl.SSLContext,
    fresh_environment: pytest.MonkeyPatch,
) -> None:
    """The timeout is noticed at the same moment."""
    fresh_environment.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    is_asked, is_stopped, is_sent = threading.Event(), threading.Event(), threading.Event()
    whole = answer()
    script = [
        lambda _: is_asked.set(),
        lambda _: is_stopped.wait(20),
        *[whole[:20], pause(0.05), whole[20:]],
        lambda _: is_sent.set(),
    ]

    def stop() -> None:
        """Stop the event loop until its answer is there, and its time is over."""
        is_stopped.set()
        is_sent.wait(20)
        time.sleep(TIMEOUT)

    context = server_context if scheme == "https" else None
    with RawServer([answer()], script, context=context) as server:
        model = Caller(None).connect(server.get_url(scheme), max_retries=0, timeout=20)
        await model.ainvoke("hi")  # connecting takes a part of the time
        model.timeout = TIMEOUT
        call = asyncio.create_task(model.ainvoke("hi"))
        await asyncio.to_thread(is_asked.wait, 20)
        asyncio.get_running_loop().call_soon(stop)
        assert (await call).text == "pong"
        await model.aclose()


def test_a_timeout_on_a_kept_connection_ends_the_other_ones(caller: Caller) -> None:
    """A router may have forgotten all of them: the next call opens a new one."""
    answers = [[pause(0.05), answer()]] * 5
    with RawServer(*answers, [silence], [answer()]) as server:
        model = caller.connect(server.get_url(), timeout=20, max_retries=0)
        caller.batch(model, ["hi"] * 5)
        kept = {request.connection for request in server.requests}
        with pytest.raises(SegmindTimeoutError):
            caller.invoke(model.model_copy(update={"timeout": TIMEOUT}), "hi")
        assert server.requests[-1].connection in kept
        assert caller.invoke(model, "hi").text == "pong"
        assert server.requests[-1].connection not in kept


def test_a_host_without_an_address_is_a_connection_error(caller: Caller, monkeypatch) -> None:
    """The look-up succeeds, but returns no address."""
    set_addresses(monkeypatch)
    with pytest.raises(SegmindConnectionError, match="has no address") as caught:
        caller.invoke(caller.connect("http://several.test/v1", max_retries=0), "hi")
    assert caught.value.phase == "connect"


def test_a_stream_without_a_timeout_keeps_the_deadline() -> None:
    """The handshake with a SOCKS proxy passes none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        transport = DeadlineTransport()
        stream = DeadlineBackend(transport).connect_tcp(*listener.getsockname())
        with takes(TIMEOUT):
            transport.deadline = Deadline(TIMEOUT)
            with pytest.raises(httpcore.ReadTimeout):
                stream.read(1)
        with pytest.raises(httpcore.WriteTimeout):
            stream.write(b"too late")
        transport.deadline = Deadline()
        stream.write(b"in time", 5.0)
        stream.close()
        transport.close()


async def test_the_timeout_bounds_an_async_api_key_callable() -> None:
    """It may ask a service that does not answer."""

    async def fetch_key() -> str:
        await asyncio.Event().wait()
        return "never"

    model = ChatSegmindGPT4Turbo(api_key=fetch_key, timeout=TIMEOUT, base_url="http://127.0.0.1:9")
    with takes(TIMEOUT), pytest.raises(SegmindTimeoutError, match="returned no key") as caught:
        await model.ainvoke("hi")
    assert caught.value.phase == "connect"


async def test_a_timeout_error_of_the_api_key_callable_is_raised() -> None:
    """It is not a timeout of the call."""

    async def fetch_key() -> str:
        raise TimeoutError("the key service")

    model = ChatSegmindGPT4Turbo(api_key=fetch_key, base_url="http://127.0.0.1:9")
    with pytest.raises(TimeoutError, match="the key service"):
        await model.ainvoke("hi")


BUSY_20_MS = [answer(b"no", "retry-after-ms: 20", status="503 Busy")]
BUSY_SLOW = [pause(0.1), answer(b"no", "retry-after-ms: 0", status="503 Busy")]
LATE = (SegmindAPIError, SegmindTimeoutError)


@pytest.mark.parametrize(
    ("script", "error_class", "min_requests", "max_requests"),
    [
        pytest.param([answer(b"no", status="503 Busy")], SegmindAPIError, 1, 1, id="back-off"),
        pytest.param([close], SegmindConnectionError, 1, 1, id="closed connection"),
        pytest.param(BUSY_20_MS, LATE, 2, 20, id="retry-after"),
        pytest.param(BUSY_SLOW, LATE, 2, 4, id="slow answers"),
    ],
)
def test_the_timeout_ends_retries(
    caller: Caller, script: Script, error_class: Any, min_requests: int, max_requests: int
) -> None:
    """The last error is raised where the next attempt would begin after the deadline."""
    with RawServer(script) as server:
        model = caller.connect(server.get_url(), timeout=TIMEOUT, max_retries=50)
        with takes(0), pytest.raises(error_class):
            caller.invoke(model, "hi")
        assert min_requests <= len(server.requests) <= max_requests


def test_a_retry_after_beyond_the_timeout_is_an_error_at_once(caller: Caller) -> None:
    """The error says how long the server asks to wait."""
    busy = answer(b"no", "Retry-After: 4", status="429 Busy")
    with RawServer([busy]) as server:
        model = caller.connect(server.get_url(), timeout=1, max_retries=50)
        with takes(0), pytest.raises(SegmindRateLimitError) as caught:
            caller.invoke(model, "hi")
        assert len(server.requests) == 1
    assert caught.value.retry_after == 4


@pytest.mark.parametrize(
    ("method", "arguments"), [pytest.param("get_credits", []), pytest.param("stream", ["hi"])]
)
def test_the_timeout_bounds_get_credits_and_stream(
    caller: Caller, method: str, arguments: list[str]
) -> None:
    """As it bounds `invoke`."""
    with RawServer(SLOW_BODY) as server:
        model = caller.connect(server.get_url(), timeout=TIMEOUT)
        with takes(TIMEOUT), pytest.raises(SegmindTimeoutError):
            getattr(caller, method)(model, *arguments)
        assert len(server.requests) == 1


def test_a_late_answer_is_not_the_answer_to_the_next_call(caller: Caller) -> None:
    """The call after a timeout opens a new connection."""
    late = threading.Event()
    scripts = [await_event(late), answer(ANSWER.replace(b"pong", b"late"))], [answer()]
    with RawServer(*scripts) as server:
        model = caller.connect(server.get_url(), timeout=TIMEOUT)
        with pytest.raises(SegmindTimeoutError):
            caller.invoke(model, "hi")
        late.set()
        assert caller.invoke(model, "hi").text == "pong"
        assert server.count_connections() == 2


# --- The user's own clients ---


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([silence], id="silent"),
        pytest.param(SLOW_BODY, id="slow body"),
        pytest.param([HEAD, b"x: ", trickle(b"x")], id="slow header"),
    ],
)
def test_the_timeout_bounds_calls_on_the_users_own_client(caller: Caller, script: Script) -> None:
    """Whose longer timeout does not apply."""
    if caller.runner is None and script[0] is HEAD:  # the call would never end
        pytest.xfail("httpcore bounds each read of a head, and a thread cannot be stopped")
    with RawServer(script) as server, own_client(caller, timeout=60) as fields:
        model = caller.connect(server.get_url(), timeout=TIMEOUT, **fields)
        with takes(TIMEOUT), pytest.raises(SegmindTimeoutError):
            caller.invoke(model, "hi")
        assert len(server.requests) == 1


# --- Waits that do not count ---


class SlowLimiter(BaseRateLimiter):
    """Blocks longer than the call's timeout."""

    def acquire(self, *, blocking: bool = True) -> bool:
        time.sleep(0.4)
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        await asyncio.sleep(0.4)
        return True


def test_waiting_for_the_rate_limiter_does_not_count(caller: Caller) -> None:
    """Neither before the first attempt nor before the second."""
    busy = answer(b"no", "retry-after-ms: 1", status="503 Busy")
    with RawServer([busy], [answer()]) as server:
        model = caller.connect(server.get_url(), timeout=0.3, rate_limiter=SlowLimiter())
        assert caller.invoke(model, "hi").text == "pong"
        assert len(server.requests) == 2


async def test_waiting_for_a_slot_does_not_count(monkeypatch) -> None:
    """Calls beyond MAX_REQUESTS_IN_FLIGHT wait longer than their timeout, and succeed."""
    monkeypatch.setattr(pools, "MAX_REQUESTS_IN_FLIGHT", 1)
    with RawServer([pause(0.3), answer()]) as server:
        model = Caller(None).connect(server.get_url(), timeout=0.6)
        replies = await model.abatch(["hi"] * 3)
        assert [reply.text for reply in replies] == ["pong"] * 3


@pytest.mark.xfail(strict=True, reason="the wait within the user's own client counts")
def test_waiting_for_a_connection_of_the_users_own_client_does_not_count(caller: Caller) -> None:
    """Calls beyond its `max_connections` wait longer than their timeout, and succeed."""
    limits = httpx.Limits(max_connections=1)
    with RawServer([pause(0.3), answer()]) as server, own_client(caller, limits=limits) as fields:
        model = caller.connect(server.get_url(), timeout=0.5, max_retries=0, **fields)
        # With the errors, so that no call is left when the client closes.
        replies = caller.batch(model, ["hi"] * 3, return_exceptions=True)
        assert [getattr(reply, "text", reply) for reply in replies] == ["pong"] * 3


# --- httpx.Timeout ---


@pytest.mark.parametrize(
    ("fields", "attempts"),
    [
        pytest.param({}, 1, id="default"),
        pytest.param({"retry_read_timeouts": True}, 3, id="retry_read_timeouts"),
        pytest.param({"retry_read_timeouts": True, "max_retries": 0}, 1, id="no retries"),
    ],
)
def test_a_read_timeout_is_retried_only_with_retry_read_timeouts(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, fields: dict, attempts: int
) -> None:
    """An `httpx.Timeout` bounds the phases of each attempt."""
    monkeypatch.setattr("langchain_segmind._http.retries.back_off", lambda state: 0.01)
    timeout = httpx.Timeout(0.2)
    with RawServer([silence]) as server:
        model = caller.connect(server.get_url(), timeout=timeout, **fields)
        with pytest.raises(SegmindTimeoutError) as caught:
            caller.invoke(model, "hi")
        assert len(server.requests) == attempts
    assert caught.value.phase == "wait"


def test_an_httpx_timeout_does_not_bound_the_whole_call(caller: Caller) -> None:
    """An answer in small pieces takes longer than `httpx.Timeout`, and arrives."""
    steps = [step for byte in ANSWER[-8:] for step in (pause(0.1), bytes([byte]))]
    with RawServer([answer(ANSWER[:-8], length=len(ANSWER)), *steps]) as server:
        model = caller.connect(server.get_url(), timeout=httpx.Timeout(0.7))
        assert caller.invoke(model, "hi").text == "pong"
        assert len(server.requests) == 1


def test_a_read_timeout_within_the_body_is_not_retried(caller: Caller) -> None:
    """An answer began, so the call may have been billed."""
    with RawServer([answer(b"{", "x-remaining-credits: 5", length=99), silence]) as server:
        model = caller.connect(server.get_url(), timeout=httpx.Timeout(0.2))
        with pytest.raises(SegmindTimeoutError) as caught:
            caller.invoke(model, "hi")
        assert len(server.requests) == 1
    assert (caught.value.phase, caught.value.remaining_credits) == ("read", 5)


# --- The server's retry-after ---


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(lambda: "Retry-After: 0.3", id="retry-after"),
        pytest.param(lambda: "retry-after-ms: 300", id="retry-after-ms"),
        pytest.param(lambda: f"x-rate-limit-reset-at-utc: {time.time() + 1.5}", id="reset time"),
    ],
)
def test_the_next_attempt_waits_as_long_as_the_server_asks(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, header: Callable[[], str]
) -> None:
    """Not as long as the back-off, which is longer here. All formats: unit tests."""
    monkeypatch.setattr("langchain_segmind._http.retries.back_off", lambda state: 9.0)
    with RawServer([answer(b"no", header(), status="429 Busy")], [answer()]) as server:
        model = caller.connect(server.get_url(), timeout=15)
        with takes(0.2):
            assert caller.invoke(model, "hi").text == "pong"
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("x-a: b", id="absent"),
        pytest.param("Retry-After: -7", id="negative"),
        pytest.param("x-rate-limit-reset-at-utc: \xe9\xff", id="non-ASCII"),
    ],
)
def test_the_back_off_applies_without_a_usable_retry_after(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    """Before each of the two retries."""
    waits: list[int] = []

    def back_off(state: Any) -> float:
        waits.append(state.attempt_number)
        return 0.001

    monkeypatch.setattr("langchain_segmind._http.retries.back_off", back_off)
    with RawServer([answer(b"no", header, status="429 Busy")]) as server:
        model = caller.connect(server.get_url(), timeout=8)
        with pytest.raises(SegmindRateLimitError) as caught:
            caller.invoke(model, "hi")
        assert len(server.requests) == 3
    assert caught.value.retry_after is None
    assert waits[:2] == [1, 2]
