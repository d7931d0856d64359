"""`timeout` is the total of one call, whatever the server does, on each of the three ways."""

import asyncio
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import httpcore
import httpx
import pytest
from langchain_core.rate_limiters import BaseRateLimiter

from langchain_segmind import (
    ChatSegmindGPT4Turbo,
    SegmindAPIError,
    SegmindConnectionError,
    SegmindError,
    SegmindRateLimitError,
    SegmindTimeoutError,
)
from langchain_segmind._http import pools
from langchain_segmind._http.deadline import Deadline
from langchain_segmind._http.network import DeadlineBackend, DeadlineTransport
from tests.conftest import Caller
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

TIMEOUT = 0.5
TOLERANCE = 0.5
"""Seconds by which a call may be late."""
HEAD = b"HTTP/1.1 200 OK\r\n"
BIG = "x" * 8_000_000
"""More than what the systems of both ends take unread."""


@contextmanager
def stopwatch(least: float = 0.0) -> Iterator[None]:
    """Hold that a block ends by the timeout, and not before the seconds that are given."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert least <= took <= TIMEOUT + TOLERANCE


STALLS = [
    pytest.param([silence], "wait", id="silent server"),
    pytest.param([pause(0.3), HEAD, silence], "wait", id="half a header"),
    pytest.param([HEAD, b"x: ", trickle(b"x")], "wait", id="slow header"),
    pytest.param([trickle(b"HTTP/1.1 102 Wait\r\n\r\n")], "wait", id="1xx without end"),
    pytest.param([pause(0.3), answer(b"{", length=99), silence], "read", id="half a body"),
    pytest.param([answer(b"", length=9999), trickle(b" ")], "read", id="slow body"),
    pytest.param(
        [HEAD, b"transfer-encoding: chunked\r\n\r\n", trickle(b"1\r\n \r\n")],
        "read",
        id="slow chunks",
    ),
]


@pytest.mark.parametrize(("script", "phase"), STALLS)
def test_the_timeout_ends_a_call(caller: Caller, script: Script, phase: str | None) -> None:
    """However the server holds it up, and after a single attempt."""
    with RawServer(script) as server:
        model = caller.connect(server.get_url(), timeout=TIMEOUT)
        with stopwatch(TIMEOUT), pytest.raises(SegmindTimeoutError, match="0.5") as caught:
            caller.invoke(model, "hi")
        assert server.connections <= 1  # it may not be accepted yet
    assert caught.value.phase == phase
    assert caught.value.is_retryable
    assert caught.value.__context__ is None


def test_the_timeout_ends_a_request_that_nobody_reads(caller: Caller) -> None:
    """A body larger than all buffers, and a server that never reads."""
    with RawServer(greeting=[ignore]) as server:
        model = caller.connect(server.get_url(), timeout=TIMEOUT, check_context=False)
        with stopwatch(TIMEOUT), pytest.raises(SegmindTimeoutError) as caught:
            caller.invoke(model, BIG)
        assert server.connections <= 1  # it may not be accepted yet
    assert caught.value.phase == "send"


def test_a_phases_own_timeout_ends_a_request_that_nobody_reads(caller: Caller) -> None:
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
def mute_address() -> Iterator[tuple[str, int]]:
    """Give an address that does not answer at all: its queue of connections is full."""
    if sys.platform != "linux":
        pytest.skip("how a full queue refuses is Linux's own")
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.settimeout(0)
            with suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        yield listener.getsockname()
        for filler in fillers:
            filler.close()


def test_the_timeout_ends_the_opening_of_a_connection(
    caller: Caller, mute_address: tuple[str, int]
) -> None:
    """A host that does not answer."""
    model = caller.connect(f"http://127.0.0.1:{mute_address[1]}/v1", timeout=TIMEOUT)
    with stopwatch(TIMEOUT), pytest.raises(SegmindTimeoutError) as caught:
        caller.invoke(model, "hi")
    assert caught.value.phase == "connect"


def give_addresses(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Let a host of the tests have these addresses."""
    look_up = socket.getaddrinfo

    def answer_look_up(host: Any, *args: Any, **options: Any) -> Any:
        if host in {"several.test", b"several.test"}:
            kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
            return [(*kind, address) for address in addresses]
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer_look_up)


def test_all_addresses_of_a_host_share_the_time(mute_address, monkeypatch) -> None:
    """Each of them would take all of it, one after the other."""
    give_addresses(monkeypatch, mute_address, ("127.0.0.1", mute_address[1]), mute_address)
    caller = Caller(None)
    model = caller.connect("http://several.test/v1", timeout=TIMEOUT)
    with stopwatch(TIMEOUT), pytest.raises(SegmindTimeoutError) as caught:
        caller.invoke(model, "hi")
    assert caught.value.phase == "connect"


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    mute_address, monkeypatch
) -> None:
    """One dead record of a name does not make every call fail."""
    caller = Caller(None)
    with RawServer([answer()]) as server:
        give_addresses(monkeypatch, mute_address, ("127.0.0.1", server.port))
        model = caller.connect("http://several.test/v1", timeout=2)
        assert caller.invoke(model, "hi").text == "pong"


def test_a_host_without_an_address_is_an_error_of_the_connection(monkeypatch) -> None:
    """Whatever the look-up says."""
    give_addresses(monkeypatch)
    caller = Caller(None)
    with pytest.raises(SegmindConnectionError, match="has no address") as caught:
        caller.invoke(caller.connect("http://several.test/v1", max_retries=0), "hi")
    assert caught.value.phase == "connect"


def test_a_connection_keeps_the_deadline_where_no_timeout_is_passed() -> None:
    """Httpcore passes none while it talks to a SOCKS proxy."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        transport = DeadlineTransport(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), 5.0, None)
        transport.deadline = Deadline(TIMEOUT)
        stream = DeadlineBackend(transport).connect_tcp(*listener.getsockname())
        with stopwatch(TIMEOUT), pytest.raises(httpcore.ReadTimeout):
            stream.read(1)
        with pytest.raises(httpcore.WriteTimeout):
            stream.write(b"too late")
        transport.deadline = None
        stream.write(b"in time", 5.0)
        stream.close()
        transport.close()


async def test_the_timeout_ends_the_wait_for_a_key() -> None:
    """An asynchronous source may ask a vault that does not answer."""

    async def ask_vault() -> str:
        await asyncio.Event().wait()
        return "never"

    model = ChatSegmindGPT4Turbo(api_key=ask_vault, timeout=TIMEOUT, base_url="http://127.0.0.1:9")
    with stopwatch(TIMEOUT), pytest.raises(SegmindTimeoutError, match="returned no key") as caught:
        await model.ainvoke("hi")
    assert caught.value.phase == "connect"


async def test_a_timeout_of_the_keys_own_source_is_handed_on() -> None:
    """It is no timeout of the call."""

    async def ask_vault() -> str:
        raise TimeoutError("the vault")

    model = ChatSegmindGPT4Turbo(api_key=ask_vault, base_url="http://127.0.0.1:9")
    with pytest.raises(TimeoutError, match="the vault"):
        await model.ainvoke("hi")


def test_the_timeout_ends_a_handshake(caller: Caller) -> None:
    """A server that takes the connection and never answers the ClientHello."""
    with RawServer(greeting=[silence]) as server:
        model = caller.connect(server.get_url("https"), timeout=TIMEOUT)
        with stopwatch(TIMEOUT), pytest.raises(SegmindTimeoutError) as caught:
            caller.invoke(model, "hi")
        assert server.connections <= 1  # it may not be accepted yet
    assert caught.value.phase == "connect"


@pytest.mark.parametrize(
    ("script", "error_class", "most"),
    [
        pytest.param([answer(b"no", status="503 Busy")], SegmindAPIError, 1, id="back-off"),
        pytest.param(
            [answer(b"no", "retry-after-ms: 20", status="503 Busy")],
            (SegmindAPIError, SegmindTimeoutError),
            26,
            id="told",
        ),
        pytest.param(
            [pause(0.1), answer(b"no", "retry-after-ms: 0", status="503 Busy")],
            (SegmindAPIError, SegmindTimeoutError),
            5,
            id="slow and told",
        ),
        pytest.param([close], SegmindConnectionError, 1, id="dropped"),
    ],
)
def test_the_timeout_ends_a_loop_of_retries(
    caller: Caller, script: Script, error_class: type[SegmindError], most: int
) -> None:
    """The last error is raised once a further attempt would begin too late, or runs out of time."""
    with RawServer(script) as server:
        model = caller.connect(server.get_url(), timeout=TIMEOUT, max_retries=50)
        with stopwatch(), pytest.raises(error_class):
            caller.invoke(model, "hi")
        assert 1 <= len(server.requests) <= most


def test_a_wait_beyond_the_timeout_is_not_waited_for(caller: Caller) -> None:
    """The error comes at once, with what the server asked for."""
    busy = answer(b"no", "Retry-After: 3600", status="429 Busy")
    with RawServer([busy]) as server:
        model = caller.connect(server.get_url(), timeout=TIMEOUT, max_retries=50)
        began = time.monotonic()
        with pytest.raises(SegmindRateLimitError) as caught:
            caller.invoke(model, "hi")
        assert time.monotonic() - began < TIMEOUT
        assert len(server.requests) == 1
    assert caught.value.retry_after == 3600


SLOW_BODY = [answer(b"", length=9999), trickle(b" ")]


@pytest.mark.parametrize(
    ("call", "script"),
    [
        pytest.param(lambda caller, model: caller.get_credits(model), [silence], id="get_credits"),
        pytest.param(
            lambda caller, model: caller.stream(model, "hi"), SLOW_BODY, id="stream, slow"
        ),
    ],
)
def test_the_timeout_ends_every_kind_of_call(
    caller: Caller, call: Callable[[Caller, Any], Any], script: Script
) -> None:
    """The balance and what is streamed as well."""
    with RawServer(script) as server:
        model = caller.connect(server.get_url(), timeout=TIMEOUT)
        with stopwatch(TIMEOUT), pytest.raises(SegmindTimeoutError):
            call(caller, model)
        assert len(server.requests) == 1


def test_the_next_call_is_unharmed(caller: Caller) -> None:
    """A late answer is never given to the call after it."""
    late = threading.Event()
    scripts = [await_event(late), answer(ANSWER.replace(b"pong", b"late"))], [answer()]
    with RawServer(*scripts) as server:
        model = caller.connect(server.get_url(), timeout=TIMEOUT)
        with pytest.raises(SegmindTimeoutError):
            caller.invoke(model, "hi")
        late.set()
        assert caller.invoke(model, "hi").text == "pong"
        assert server.connections == 2


# --- Clients of the user's own ---


@contextmanager
def own_client(caller: Caller, **options: Any) -> Iterator[dict[str, Any]]:
    """Give a client of the user's own as the field of a model."""
    if caller.runner is None:
        with httpx.Client(**options) as client:
            yield {"http_client": client}
        return
    # Made in the loop that it is used in.
    client = caller.runner.run(_create_async_client(options))
    yield {"http_async_client": client}
    caller.runner.run(client.aclose())


async def _create_async_client(options: dict[str, Any]) -> httpx.AsyncClient:
    return httpx.AsyncClient(**options)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([silence], id="silent"),
        pytest.param([answer(b"", length=9999), trickle(b" ")], id="slow body"),
        pytest.param([HEAD, b"x: ", trickle(b"x")], id="slow header"),
    ],
)
def test_the_timeout_holds_on_a_client_of_the_users_own(caller: Caller, script: Script) -> None:
    """Its own timeout is longer, but the model's counts."""
    if caller.runner is None and script[0] is HEAD:  # left at once: the call would not end
        pytest.xfail("httpcore bounds each read of a head by itself, and no thread can be stopped")
    with RawServer(script) as server, own_client(caller, timeout=60) as fields:
        model = caller.connect(server.get_url(), timeout=TIMEOUT, **fields)
        with stopwatch(TIMEOUT), pytest.raises(SegmindTimeoutError):
            caller.invoke(model, "hi")
        assert len(server.requests) == 1


# --- What does not count ---


class SlowLimiter(BaseRateLimiter):
    """Lets a call wait longer than its timeout."""

    def acquire(self, *, blocking: bool = True) -> bool:
        time.sleep(0.4)
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        await asyncio.sleep(0.4)
        return True


def test_waiting_for_a_rate_limiter_does_not_count(caller: Caller) -> None:
    """Neither before the first attempt nor before the second, each longer than the timeout."""
    busy = answer(b"no", "retry-after-ms: 1", status="503 Busy")
    with RawServer([busy], [answer()]) as server:
        model = caller.connect(server.get_url(), timeout=0.3, rate_limiter=SlowLimiter())
        assert caller.invoke(model, "hi").text == "pong"
        assert len(server.requests) == 2


def call_together(caller: Caller, model: Any, count: int) -> list[Any]:
    """Call a model so many times at once; an error takes the place of its answer."""

    async def acall() -> list[Any]:
        calls = (model.ainvoke("hi") for _ in range(count))
        return await asyncio.gather(*calls, return_exceptions=True)

    def call(_: int) -> Any:
        try:
            return model.invoke("hi")
        except SegmindError as error:
            return error

    if caller.runner:
        return caller.runner.run(acall())
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def test_waiting_for_a_turn_does_not_count(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls beyond what one event loop may have under way at a time come later, and in time."""
    monkeypatch.setattr(pools, "MAX_REQUESTS_IN_FLIGHT", 1)
    with RawServer([pause(0.3), answer()]) as server:
        model = caller.connect(server.get_url(), timeout=TIMEOUT)
        results = call_together(caller, model, 3)
        assert [getattr(result, "text", result) for result in results] == ["pong"] * 3


@pytest.mark.xfail(
    strict=True, reason="what a client of the user's own makes a call wait counts as its time"
)
def test_waiting_for_a_connection_of_the_users_own_client_does_not_count(caller: Caller) -> None:
    """A client that is held to one connection makes calls wait, and loses none."""
    limits = httpx.Limits(max_connections=1)
    with RawServer([pause(0.3), answer()]) as server, own_client(caller, limits=limits) as fields:
        model = caller.connect(server.get_url(), timeout=TIMEOUT, **fields)
        results = call_together(caller, model, 3)
        assert [getattr(result, "text", result) for result in results] == ["pong"] * 3


# --- httpx.Timeout ---


@pytest.mark.parametrize(
    ("fields", "attempts"),
    [
        pytest.param({}, 1, id="by default"),
        pytest.param({"retry_read_timeouts": True}, 3, id="retry_read_timeouts"),
        pytest.param({"retry_read_timeouts": True, "max_retries": 0}, 1, id="no retries"),
    ],
)
def test_a_read_timeout_is_tried_again_on_demand_only(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, fields: dict, attempts: int
) -> None:
    """`httpx.Timeout` bounds the waits of each attempt."""
    monkeypatch.setattr("langchain_segmind._http.retries.back_off", lambda state: 0.01)
    timeout = httpx.Timeout(0.2)
    with RawServer([silence]) as server:
        model = caller.connect(server.get_url(), timeout=timeout, **fields)
        with pytest.raises(SegmindTimeoutError) as caught:
            caller.invoke(model, "hi")
        assert len(server.requests) == attempts
    assert caught.value.phase == "wait"


def test_phases_do_not_bound_the_whole(caller: Caller) -> None:
    """A slow answer takes longer than `httpx.Timeout`, and arrives."""
    steps = [step for byte in ANSWER[-8:] for step in (pause(0.05), bytes([byte]))]
    with RawServer([answer(ANSWER[:-8], length=len(ANSWER)), *steps]) as server:
        model = caller.connect(server.get_url(), timeout=httpx.Timeout(0.3))
        assert caller.invoke(model, "hi").text == "pong"
        assert len(server.requests) == 1


def test_a_body_that_stops_is_never_tried_again(caller: Caller) -> None:
    """An answer began, so that the call may have been billed."""
    with RawServer([answer(b"{", "x-remaining-credits: 5", length=99), silence]) as server:
        model = caller.connect(server.get_url(), timeout=httpx.Timeout(0.2))
        with pytest.raises(SegmindTimeoutError) as caught:
            caller.invoke(model, "hi")
        assert len(server.requests) == 1
    assert (caught.value.phase, caught.value.remaining_credits) == ("read", 5)


# --- What the server asks for ---


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        pytest.param(
            lambda: f"x-rate-limit-reset-at-utc: {time.time() + 0.3}", 0.2, 0.45, id="epoch seconds"
        ),
        pytest.param(
            lambda: f"x-rate-limit-reset-at-utc: {1000 * time.time() + 300:.0f}",
            0.2,
            0.45,
            id="epoch milliseconds",
        ),
        pytest.param(lambda: f"x-rate-limit-reset-at-utc: {in_iso(1)}", 0.01, 1.2, id="ISO 8601"),
    ],
)
def test_the_wait_is_what_the_server_says(
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
    header: Callable[[], str],
    least: float,
    most: float,
) -> None:
    """In each form that is read; back-off would take far longer here."""
    monkeypatch.setattr("langchain_segmind._http.retries.back_off", lambda state: 9.0)
    slack = 0.5
    with RawServer([answer(b"no", header(), status="429 Busy")], [answer()]) as server:
        model = caller.connect(server.get_url(), timeout=8)
        began = time.monotonic()
        assert caller.invoke(model, "hi").text == "pong"
        assert least <= time.monotonic() - began <= most + slack
        assert len(server.requests) == 2


def in_iso(seconds: float) -> str:
    """Write a moment as ISO 8601 does, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("x-a: b", id="absent"),
        pytest.param("Retry-After: soon", id="garbage"),
        pytest.param("Retry-After: -7", id="negative"),
        pytest.param("Retry-After: nan", id="no number"),
        pytest.param("Retry-After: 1e999", id="infinite"),
        pytest.param("Retry-After: Fri, 15 Jan 2021 08:00:30 GMT", id="a date gone by"),
        pytest.param("retry-after-ms: -1", id="negative milliseconds"),
        pytest.param("x-rate-limit-reset-at-utc: 17", id="a time gone by"),
        pytest.param("x-rate-limit-reset-at-utc: \xe9\xff", id="not even ASCII"),
    ],
)
def test_what_says_no_wait_means_back_off(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    """Three attempts, with our own waits between them."""
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
