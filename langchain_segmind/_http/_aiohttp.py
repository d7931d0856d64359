"""Asynchronous requests by aiohttp; the only room that knows it. Needs the extra `aiohttp`."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from ssl import SSLContext
from typing import Any, cast

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

FAILURES = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientConnectionError, httpx.ReadError),
    (aiohttp.ClientError, httpx.RemoteProtocolError),
)
"""What aiohttp raises, the narrower first, and what httpx's own transport raises for the same."""

LONGEST_HEADER = 65_536
"""Bytes of a header that are read, about as many as httpcore reads."""

FIRST_FINAL_STATUS = 200
"""Statuses below announce an answer, and are none."""

NO_RESPONSE = "Server disconnected without sending a response."
"""In the words of httpcore."""


def open_transport(context: SSLContext, proxy: str | None, keep_alive: float) -> "Transport":
    """Open a transport; it belongs to the running event loop."""

    def open_session() -> aiohttp.ClientSession:
        connector = Connector(limit=0, ssl=context, keepalive_timeout=keep_alive)
        return aiohttp.ClientSession(
            connector=connector,
            # No cookies: they would carry state from one key, model and user to the next.
            cookie_jar=aiohttp.DummyCookieJar(),
            response_class=Response,
            max_field_size=LONGEST_HEADER,
        )

    return Transport(
        verify=context, proxy=httpx.Proxy(proxy) if proxy else None, client=open_session
    )


class Connector(aiohttp.TCPConnector):
    """Closes connections in no process but its own.

    A forked process shares with its parent what the parent's event loop waits for: closed there,
    a connection would be deaf here.
    """

    def __init__(self, **options: Any) -> None:
        self._process = os.getpid()
        super().__init__(**options)

    @property
    def closed(self) -> bool:
        """Whether there is nothing to close."""
        return self._process != os.getpid() or super().closed

    def __del__(self, *arguments: Any) -> None:
        """Close what was not closed, with a warning."""
        if not self.closed:
            super().__del__(*arguments)


class Response(aiohttp.ClientResponse):
    """An answer as httpx-aiohttp can take it, whose body ends in any case."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """Read the head."""
        await super().start(connection)
        if self.status < FIRST_FINAL_STATUS:
            raise aiohttp.ClientPayloadError(f"{self.status} is no status of an answer")
        self.reason = None  # httpx-aiohttp fails on one that is no UTF-8, and nobody reads it
        # aiohttp tells nobody of a body that turns out to be malformed after its first part, and
        # its own timeouts end there: who waits for the rest would wait for ever.
        closed = getattr(connection.protocol, "closed", None)
        if closed is not None:
            closed.remove_done_callback(forget_failure)  # once for a connection
            closed.add_done_callback(forget_failure)
            closed.add_done_callback(self._end_body)
            self.content.on_eof(lambda: closed.remove_done_callback(self._end_body))
        return self

    def _end_body(self, _: object) -> None:
        if not self.content.is_eof() and self.content.exception() is None:
            self.content.set_exception(aiohttp.ClientPayloadError("The body is malformed"))


class Transport(AiohttpTransport):
    """Raises for each failure what httpx's own transport raises for it."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the head of its answer."""
        with converting_failures():
            response = await super().handle_async_request(request)
        response.stream = Stream(cast("httpx.AsyncByteStream", response.stream))
        return response


class Stream(httpx.AsyncByteStream):
    """The body of an answer."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Read it, part by part."""
        with converting_failures():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()


def forget_failure(closed: asyncio.Future[None]) -> None:
    """Let asyncio not complain that nobody asked how a connection ended."""
    if not closed.cancelled():
        closed.exception()


@contextmanager
def converting_failures() -> Iterator[None]:
    """Tell failures apart by their cause: httpx-aiohttp takes most for a connect timeout."""
    try:
        yield
    except (httpx.HTTPError, aiohttp.ClientError) as error:
        cause = error.__cause__ if isinstance(error, httpx.HTTPError) else error
        for aiohttp_class, httpx_class in FAILURES:
            if isinstance(cause, aiohttp_class):
                is_dropped = isinstance(cause, aiohttp.ServerDisconnectedError)
                raise httpx_class(NO_RESPONSE if is_dropped else str(cause)) from None
        raise
