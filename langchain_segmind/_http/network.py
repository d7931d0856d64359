"""A synchronous transport that keeps a deadline.

httpx bounds each read (https://www.python-httpx.org/advanced/timeouts/): a server that sends one
byte a second is never timed out. Asynchronous calls are ended by their event loop instead.
"""

import socket
from collections.abc import Iterable
from ssl import SSLContext
from typing import Any

import httpcore
import httpx

from langchain_segmind._http.deadline import Deadline

MAX_WRITE_BYTES = 65_536
"""Bytes written between two looks at the clock."""

MAX_ADDRESS_SECONDS = 5.0
"""Time for one address of a host that has others."""


class DeadlineTransport(httpx.HTTPTransport):
    """Carries one request at a time and ends it at its deadline.

    A subclass of httpx's own transport, so that tools that patch it see synchronous calls too.

    Args:
        options: As for `httpx.HTTPTransport`.

    Attributes:
        deadline: The deadline of the current request; unset if its phases have timeouts.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.deadline = Deadline()
        # httpx has no argument for it.
        self._pool._network_backend = DeadlineBackend(self)  # noqa: SLF001 - see above


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
        if not (deadline := self._transport.deadline).is_set:
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
        return get_remaining(deadline, error_class) if deadline.is_set else timeout


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
