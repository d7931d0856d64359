"""A synchronous transport that keeps a deadline.

httpx bounds each read (https://www.python-httpx.org/advanced/timeouts/): a server that sends one
byte a second is never timed out. Asynchronous calls are ended by their event loop instead.
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ssl import SSLContext
from typing import Any

import httpcore
import httpx

from langchain_segmind._http.deadline import Deadline

MAX_WRITE_BYTES = 65_536
"""Bytes written between two looks at the clock."""

MAX_ADDRESS_SECONDS = 5.0
"""Time for one address of a host that has others."""


class DeadlineTransport(httpx.BaseTransport):
    """Carries one request at a time and ends it at its deadline.

    Args:
        ssl_context: The certificates that servers are checked against.
        keep_alive: Seconds after which an idle connection is not used again.
        proxy: The proxy's URL; None for none.

    Attributes:
        deadline: The deadline of the current request; None if its phases have timeouts.
    """

    def __init__(self, ssl_context: SSLContext, keep_alive: float, proxy: str | None) -> None:
        self.deadline: Deadline | None = None
        options: dict[str, Any] = {
            "ssl_context": ssl_context,
            "keepalive_expiry": keep_alive,
            "network_backend": DeadlineBackend(self),
        }
        self._pool = _create_pool(proxy, options)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the head of its response."""
        outgoing = httpcore.Request(
            method=request.method,
            url=_convert_url(request.url),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with map_transport_errors():
            response = self._pool.handle_request(outgoing)
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=ResponseBody(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()


class ResponseBody(httpx.SyncByteStream):
    """The body of a response."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        """Read the body in chunks."""
        with map_transport_errors():
            yield from self._response.iter_stream()

    def close(self) -> None:
        """End the response."""
        self._response.close()


def _create_pool(proxy: str | None, options: dict[str, Any]) -> httpcore.ConnectionPool:
    if proxy is None:
        return httpcore.ConnectionPool(**options)
    settings = httpx.Proxy(proxy)
    url = _convert_url(settings.url)
    if settings.url.scheme.startswith("socks"):
        return httpcore.SOCKSProxy(proxy_url=url, proxy_auth=settings.raw_auth, **options)
    return httpcore.HTTPProxy(
        proxy_url=url,
        proxy_auth=settings.raw_auth,
        proxy_headers=settings.headers.raw,
        **options,
    )


def _convert_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )


@contextmanager
def map_transport_errors() -> Iterator[None]:
    """Raise httpx's error for httpcore's of the same name."""
    try:
        yield
    except (
        httpcore.NetworkError,
        httpcore.TimeoutException,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.UnsupportedProtocol,
    ) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error


class DeadlineBackend(httpcore.SyncBackend):
    """Opens connections that keep the deadline of their transport."""

    def __init__(self, transport: DeadlineTransport) -> None:
        self._transport = transport

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of a host's addresses that answers."""
        options = (local_address, socket_options)
        if (deadline := self._transport.deadline) is None or not deadline.is_set:
            stream = super().connect_tcp(host, port, timeout, *options)
            return DeadlineStream(stream, self._transport)
        addresses = find_addresses(host, port)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for number, address in enumerate(addresses, start=1):
            # The operating system would give each address all of the time.
            seconds = get_remaining(deadline, httpcore.ConnectTimeout)
            if others := len(addresses) - number:
                seconds = min(seconds / (1 + others), MAX_ADDRESS_SECONDS)
            try:
                stream = super().connect_tcp(*address, seconds, *options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return DeadlineStream(stream, self._transport)
        raise failure


class DeadlineStream(httpcore.NetworkStream):
    """A connection that keeps the deadline of its transport.

    Args:
        stream: The connection.
        transport: The transport that it belongs to.
    """

    def __init__(self, stream: httpcore.NetworkStream, transport: DeadlineTransport) -> None:
        self._stream = stream
        self._transport = transport

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has arrived, or wait for it."""
        return self._stream.read(max_bytes, self._get_timeout(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of a buffer."""
        for start in range(0, len(buffer), MAX_WRITE_BYTES):
            seconds = self._get_timeout(timeout, httpcore.WriteTimeout)
            self._stream.write(buffer[start : start + MAX_WRITE_BYTES], seconds)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Encrypt the connection."""
        seconds = self._get_timeout(timeout, httpcore.ConnectTimeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, seconds)
        return DeadlineStream(stream, self._transport)

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection knows about itself."""
        return self._stream.get_extra_info(info)

    def _get_timeout(self, timeout: float | None, error_class: type[Exception]) -> float | None:
        # httpcore passes no timeout while it talks to a SOCKS proxy.
        deadline = self._transport.deadline
        if deadline is None or not deadline.is_set:
            return timeout
        return get_remaining(deadline, error_class)


def find_addresses(host: str, port: int) -> list[tuple[str, int]]:
    """Return the addresses of a host; the operating system decides how long that takes.

    Raises:
        httpcore.ConnectError: It has no address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from None
    return list(dict.fromkeys((str(address[0]), int(address[1])) for *_, address in found))


def get_remaining(deadline: Deadline, error_class: type[Exception]) -> float:
    """Return the seconds that are left.

    Raises:
        Exception: Of `error_class`, if the deadline has passed.
    """
    seconds = deadline.remaining
    if seconds <= 0:
        raise error_class("the deadline has passed")
    return seconds
