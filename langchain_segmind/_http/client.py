"""The only I/O: one request, one reply; synchronous and asynchronous alike."""

import asyncio
import atexit
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import httpx

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._http.attempt import TRANSPORT_ERRORS, Exchange, Request
from langchain_segmind._http.deadline import Deadline
from langchain_segmind._http.pools import AsyncConnections, Connections, find_proxy

CONNECTIONS = Connections()
"""One set for the process: models come and go, connections stay."""
ASYNC_CONNECTIONS = AsyncConnections()
"""One set for each event loop."""

atexit.register(CONNECTIONS.close)
if hasattr(os, "register_at_fork"):
    # A connection that two processes read gives each the other's answers.
    os.register_at_fork(after_in_child=CONNECTIONS.forget)
    os.register_at_fork(after_in_child=ASYNC_CONNECTIONS.forget)

Sender = Callable[[httpx.Request], httpx.Response]
AsyncSender = Callable[[httpx.Request], Awaitable[httpx.Response]]


def send(
    request: Request, api_key: str, deadline: Deadline, client: httpx.Client | None = None
) -> APIResponse:
    """Send a request and read its answer.

    Args:
        request: The request.
        api_key: The key.
        deadline: By when the call must be over.
        client: The user's own; None for the process's connections.

    Raises:
        SegmindError: If there is no answer, or it is not a success.
        ValueError: If the client is closed, or the environment's settings cannot be used.
    """
    exchange = Exchange(request, api_key, deadline, client)
    try:
        with _borrow_sender(exchange, client) as send_it:
            exchange.response = response = send_it(exchange.outgoing)
            try:
                for part in response.iter_raw() if exchange.is_raw else response.iter_bytes():
                    exchange.add(part)
            finally:
                response.close()
    except TRANSPORT_ERRORS as error:
        exchange.failure = error
    return exchange.conclude()


async def asend(
    request: Request,
    api_key: str,
    deadline: Deadline,
    client: httpx.AsyncClient | None = None,
) -> APIResponse:
    """Send a request and read its answer; see `send`.

    Args:
        request: The request.
        api_key: The key.
        deadline: By when the call must be over.
        client: The user's own; None for the event loop's connections.
    """
    exchange = Exchange(request, api_key, deadline, client)
    try:
        async with (
            _borrow_async_sender(exchange, deadline, client) as send_it,
            asyncio.timeout(exchange.seconds),
        ):
            exchange.response = response = await send_it(exchange.outgoing)
            is_raw = exchange.is_raw
            try:
                async for part in response.aiter_raw() if is_raw else response.aiter_bytes():
                    exchange.add(part)
            finally:
                await response.aclose()
    except TRANSPORT_ERRORS as error:
        exchange.failure = error
    return exchange.conclude()


@contextmanager
def _borrow_sender(exchange: Exchange, client: httpx.Client | None) -> Iterator[Sender]:
    if client is not None:
        exchange.set_timeouts()
        yield partial(client.send, **exchange.client_options)
        return
    exchange.proxy = find_proxy(exchange.outgoing.url)
    with CONNECTIONS.borrow(exchange.proxy) as transport:
        exchange.set_timeouts(as_moments=True)
        yield transport.handle_request


@asynccontextmanager
async def _borrow_async_sender(
    exchange: Exchange,
    deadline: Deadline,
    client: httpx.AsyncClient | None,
) -> AsyncIterator[AsyncSender]:
    if client is not None:
        exchange.set_timeouts()
        yield partial(client.send, **exchange.client_options)
        return
    exchange.proxy = find_proxy(exchange.outgoing.url)
    connections = await ASYNC_CONNECTIONS.get()
    async with connections.borrow(exchange.proxy, deadline) as transport:
        exchange.set_timeouts()
        yield transport.handle_async_request


def close() -> None:
    """Close the process's connections for synchronous calls; those in use, once they are free."""
    CONNECTIONS.close()


async def aclose() -> None:
    """Close the running event loop's connections; those in use, once they are free."""
    await ASYNC_CONNECTIONS.close()
