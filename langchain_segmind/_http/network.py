"""A synchronous transport that keeps a deadline.

httpx bounds each read (https://www.python-httpx.org/advanced/timeouts/): a server that sends one
byte a second is never timed out. Asynchronous calls are ended by their event loop instead.
"""

from collections.abc import Iterable
from math import inf
from ssl import SSLContext
from typing import Any

import httpcore
import httpx

from langchain_segmind._http.addresses import find_addresses, remember_answer, share_time
from langchain_segmind._http.deadline import Deadline

MAX_WRITE_BYTES = 65_536
"""Bytes written between two looks at the clock."""


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
        deadline = self._transport.deadline
        if not deadline.is_set:
            deadline = Deadline(timeout)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        try:
            addresses = find_addresses((host, port))
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(error) from None
        for number, address in enumerate(addresses):
            left = get_remaining(deadline, httpcore.ConnectTimeout)
            seconds = share_time(left, addresses[number:])
            try:
                stream = super().connect_tcp(
                    *address, None if seconds == inf else seconds, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                remember_answer((host, port), address)
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
        if info == "is_readable":
            # httpcore does not look at what its TLS within a proxy's TLS has read ahead.
            incoming = getattr(self._stream, "_incoming", None)
            if incoming is not None and incoming.pending:
                return True
        return self._stream.get_extra_info(info)

    def _get_timeout(self, timeout: float | None, error_class: type[Exception]) -> float | None:
        # httpcore passes no timeout while it talks to a SOCKS proxy.
        deadline = self._transport.deadline
        return get_remaining(deadline, error_class) if deadline.is_set else timeout


def get_remaining(deadline: Deadline, error_class: type[Exception]) -> float:
    """Return the seconds that are left.

    Raises:
        Exception: Of `error_class`, if the deadline has passed.
    """
    seconds = deadline.remaining
    if seconds <= 0:
        raise error_class("the deadline has passed")
    return seconds
