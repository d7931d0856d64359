"""Connections open on demand, close on request, and follow the environment's settings."""

import asyncio
import gc
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, field_validator

from langchain_segmind import SegmindConnectionError, SegmindOutputError, SegmindTimeoutError
from langchain_segmind._http import pools
from langchain_segmind._http.attempt import Attempt
from langchain_segmind._http.pools import PerRequestPool
from tests.support.raw_server import RawServer, answer, close, trickle
from tests.support.servers import EchoServer

# --- Memory ---

KINDS = (Attempt, httpx.Request, httpx.Response)


def test_a_call_frees_its_request_and_response_as_it_returns(caller, gateway) -> None:
    """No reference cycle keeps them until the garbage collector runs, which slows all calls."""
    model = caller.connect(gateway.base_url)
    gc.collect()
    gc.disable()
    try:
        others = find_objects()  # of a thread that another test left behind
        caller.invoke(model, "hi")
        kept = [type(kept) for kept in find_objects() if all(kept is not each for each in others)]
    finally:
        gc.enable()
    assert kept == []


class OddNumber(BaseModel):
    """An odd number."""

    number: int

    @field_validator("number")
    @classmethod
    def check(cls, value: int) -> int:
        """Refuse an even one."""
        if value % 2 == 0:
            raise ValueError("It is even.")
        return value


@pytest.mark.parametrize("include_raw", [True, False], ids=["with raw", "error"])
def test_a_reply_that_a_validator_refuses_is_freed(caller, gateway, include_raw) -> None:
    """Pydantic hides the validator's error, and with it all frames, from the garbage collector."""
    gateway.script(['{"number": 2}'] * 2)
    model = caller.connect(gateway.base_url, output_retries=0)
    structured = model.with_structured_output(OddNumber, include_raw=include_raw)
    gc.collect()
    others = find_objects()
    with suppress(SegmindOutputError):
        caller.invoke(structured, "hi")
    gc.collect()
    assert [type(kept) for kept in find_objects() if all(kept is not each for each in others)] == []
    assert len(gateway.requests) == 1


def find_objects() -> list[Any]:
    """Return what belongs to calls."""
    return [each for each in gc.get_objects() if isinstance(each, KINDS)]


# --- Closing ---


@pytest.mark.usefixtures("no_leaks")
async def test_a_closed_model_can_call_again(create_model, echo_server) -> None:
    """Each way to close closes all connections, and the next call opens new ones."""
    model = create_model(base_url=echo_server.base_url)
    model.close()
    await model.aclose()
    for _ in range(2):
        with model as same:
            assert same is model
            assert model.invoke("hi").text == "hi"
        await asyncio.to_thread(echo_server.wait_for_open_connections, 0)
        model.close()
        async with model as same:
            assert same is model
            assert (await model.ainvoke("hi")).text == "hi"
        await asyncio.to_thread(echo_server.wait_for_open_connections, 0)
        await model.aclose()
    assert echo_server.total_connections == 4


@pytest.mark.usefixtures("no_leaks")
def test_closing_loses_no_call_of_another_thread(create_model, echo_server) -> None:
    """A connection in use is closed once it is free."""
    model = create_model(base_url=echo_server.base_url, max_retries=0)
    texts = [f"{thread}, {call}" for thread in range(8) for call in range(25)]
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(model.invoke, text) for text in texts]
        while not all(call.done() for call in calls):
            model.close()
            time.sleep(0.001)  # leave time for the calls
        assert [call.result().text for call in calls] == texts
    model.close()
    assert Counter(request.text for request in echo_server.requests) == Counter(texts)
    echo_server.wait_for_open_connections(0)


@pytest.mark.usefixtures("no_leaks")
async def test_closing_loses_no_other_call_of_an_event_loop(create_model, echo_server) -> None:
    """A connection in use is closed once it is free."""
    model = create_model(base_url=echo_server.base_url, max_retries=0)
    texts = [str(number) for number in range(200)]
    calls = asyncio.gather(*(model.ainvoke(text) for text in texts))
    for count in range(1, 200, 20):
        await asyncio.to_thread(echo_server.wait_for_requests, count)
        await model.aclose()
    assert [reply.text for reply in await calls] == texts
    await model.aclose()
    await asyncio.to_thread(echo_server.wait_for_open_connections, 0)


@pytest.mark.usefixtures("no_leaks")
def test_a_call_that_begins_while_another_thread_closes_is_closed_too(
    create_model, echo_server, monkeypatch
) -> None:
    """All connections are closed just before the call opens its own."""
    model = create_model(base_url=echo_server.base_url, max_retries=0)
    model.close()
    acquire = PerRequestPool.acquire

    def close_and_acquire(pool: PerRequestPool) -> Any:
        monkeypatch.setattr(PerRequestPool, "acquire", acquire)
        thread = threading.Thread(target=model.close)
        thread.start()
        thread.join()
        return acquire(pool)

    monkeypatch.setattr(PerRequestPool, "acquire", close_and_acquire)
    assert model.invoke("hi").text == "hi"
    echo_server.wait_for_open_connections(0)


# --- Reuse ---


@pytest.mark.usefixtures("no_leaks")
def test_a_connection_is_not_reused_after_keep_alive_seconds(
    caller, create_model, echo_server, monkeypatch
) -> None:
    """Nor is one that idles beside it kept open."""
    monkeypatch.setattr(pools, "KEEP_ALIVE_SECONDS", 0.05)
    model = create_model(base_url=echo_server.base_url, max_retries=0)
    model.close()  # pools of earlier tests have another keep-alive time
    echo_server.min_in_flight = 2
    caller.batch(model, ["a", "b"])
    assert echo_server.total_connections == 2
    time.sleep(0.1)  # longer than the keep-alive time: nothing happens then that could be awaited
    caller.invoke(model, "c")
    assert echo_server.total_connections == 3
    echo_server.wait_for_open_connections(1)
    model.close()
    caller.close(model)


def test_the_transport_of_a_failed_request_is_not_reused(caller, monkeypatch) -> None:
    """Its connection can be one that httpcore lost track of."""
    name = "open_async_transport" if caller.runner else "open_transport"
    open_transport = getattr(pools, name)
    opened: list[object] = []

    def record(*arguments: object) -> Any:
        opened.append(open_transport(*arguments))
        return opened[-1]

    monkeypatch.setattr(pools, name, record)
    with RawServer([answer()], [answer(b"{", length=99), close], [answer()]) as server:
        model = caller.connect(server.get_url(), max_retries=0)
        model.close()  # the pool of earlier tests opens its transports unrecorded
        caller.invoke(model, "hi")
        with pytest.raises(SegmindConnectionError):
            caller.invoke(model, "hi")
        assert len(opened) == 1
        caller.invoke(model, "hi")
        assert len(opened) == 2
        model.close()


# --- The user's own clients ---


@pytest.mark.usefixtures("no_leaks")
async def test_the_users_own_clients_are_used_and_stay_open(create_model, gateway) -> None:
    """Even where the model is closed or deleted."""
    with httpx.Client(headers={"x-mine": "fake-sync"}) as client:
        async with httpx.AsyncClient(headers={"x-mine": "fake-async"}) as async_client:
            for _ in range(3):
                model = create_model(http_client=client, http_async_client=async_client)
                with model:
                    model.invoke("hi")
                async with model:
                    await model.ainvoke("hi")
                model.close()
                await model.aclose()
                del model
                gc.collect()
            assert not client.is_closed
            assert not async_client.is_closed
    assert [r.headers["x-mine"] for r in gateway.requests] == ["fake-sync", "fake-async"] * 3
    assert len({request.client for request in gateway.requests}) == 2


# --- Proxies ---


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_requests_go_through_the_environments_proxy(
    create_model, echo_server, fresh_environment, name
) -> None:
    """To a host that only the proxy can resolve."""
    fresh_environment.setenv(name, echo_server.base_url.removesuffix("/v1"))
    model = create_model(base_url="http://models.invalid/v1")
    assert model.invoke("sync").text == "sync"
    assert (await model.ainvoke("async")).text == "async"
    targets = [request.target for request in echo_server.requests]
    assert targets == ["http://models.invalid/v1/gpt-4-turbo"] * 2
    model.close()
    await model.aclose()


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("hosts", ["127.0.0.1", "example.com,127.0.0.1", "*"])
async def test_no_proxy_excludes_hosts(
    create_model, gateway, echo_server, fresh_environment, hosts
) -> None:
    """By name, in a list, or all of them."""
    fresh_environment.setenv("HTTP_PROXY", echo_server.base_url.removesuffix("/v1"))
    fresh_environment.setenv("NO_PROXY", hosts)
    model = create_model()
    model.invoke("sync")
    await model.ainvoke("async")
    assert len(gateway.requests) == 2
    assert echo_server.requests == []


# --- Certificates ---


@pytest.fixture
def tls_server(server_context: ssl.SSLContext) -> Iterator[EchoServer]:
    """Run a server with TLS."""
    with EchoServer(context=server_context) as server:
        yield server


@pytest.mark.usefixtures("no_leaks")
async def test_ssl_cert_file_is_trusted(
    create_model, certificates, tls_server, fresh_environment
) -> None:
    """It names the certificate of a private authority."""
    fresh_environment.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    model = create_model(base_url=tls_server.base_url)
    for _ in range(2):
        assert model.invoke("sync").text == "sync"
        assert (await model.ainvoke("async")).text == "async"
    assert tls_server.total_connections == 2
    model.close()
    await model.aclose()
    await asyncio.to_thread(tls_server.wait_for_open_connections, 0)


@pytest.mark.usefixtures("no_leaks", "fresh_environment")
def test_an_unknown_certificate_authority_is_refused(caller, create_model, tls_server) -> None:
    """Nothing is sent, and the error names the cause and the variable to set."""
    model = create_model(base_url=tls_server.base_url, max_retries=0)
    with pytest.raises(SegmindConnectionError, match="certificate.*SSL_CERT_FILE") as caught:
        caller.invoke(model, "hi")
    assert caught.value.phase == "connect"
    assert tls_server.requests == []
    caller.close(model)


def test_long_texts_pass_tls_unchanged(
    caller, create_model, certificates, tls_server, fresh_environment
) -> None:
    """In both directions; TLS divides them into records of 16 KiB."""
    fresh_environment.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    model = create_model(base_url=tls_server.base_url, check_context=False)
    text = "".join(map(str, range(300_000)))
    assert caller.invoke(model, text).text == text
    caller.close(model)


def test_the_timeout_bounds_a_slow_answer_over_tls(
    caller, certificates, server_context, fresh_environment
) -> None:
    """Each read is short, but all of them together take too long."""
    fresh_environment.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    slow = [b"HTTP/1.1 200 OK\r\nx: ", trickle(b"x")]
    with RawServer([answer()], slow, context=server_context) as server:
        model = caller.connect(server.get_url("https"), timeout=5)
        assert caller.invoke(model, "hi").text == "pong"
        start = time.monotonic()
        with pytest.raises(SegmindTimeoutError):
            caller.invoke(model.model_copy(update={"timeout": 0.3}), "hi")
        assert time.monotonic() - start < 3
        caller.close(model)


async def test_certificates_are_read_in_another_thread(
    create_model, tls_server, fresh_environment, certificates, monkeypatch
) -> None:
    """So that the event loop does not block."""
    fresh_environment.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    threads: list[threading.Thread] = []
    preload = pools.preload

    def record_thread(route: pools.Route) -> None:
        threads.append(threading.current_thread())
        preload(route)

    monkeypatch.setattr(pools, "preload", record_thread)
    model = create_model(base_url=tls_server.base_url)
    assert (await model.ainvoke("hi")).text == "hi"
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()
    await model.aclose()
