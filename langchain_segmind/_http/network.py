"""A network for httpcore whose timeouts may be moments, so that many short waits make no long one.

httpx bounds the wait for each chunk (https://www.python-httpx.org/advanced/timeouts/): a server
that sends a byte a second is waited for without end. Asynchronous calls are ended by their event
loop instead.
"""

import socket
from collections.abc import Iterable
from ssl import SSLContext
from time import monotonic
from typing import Any

import httpcore
import httpx

from langchain_segmind._http.deadline import Moment

LARGEST_WRITE = 65_536
"""Bytes that are written at most before the clock is looked at."""


LONGEST_SHARE = 5.0
"""Seconds for an address that is not the last one of its host."""


class PunctualTransport(httpx.HTTPTransport):
    """A transport to which a timeout may be a `Moment`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # httpx offers no place for a network of one's own.
        self._pool._network_backend = PunctualNetwork()  # noqa: SLF001 - as above


class PunctualNetwork(httpcore.SyncBackend):
    """Opens connections whose timeouts may be moments."""

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
        if not isinstance(timeout, Moment):
            return PunctualStream(super().connect_tcp(host, port, timeout, *options))
        addresses = find_addresses(host, port)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for number, address in enumerate(addresses, start=1):
            # The system would give each address all of the time.
            seconds = get_seconds(timeout, httpcore.ConnectTimeout) or 0.0
            if others := len(addresses) - number:
                seconds = min(seconds / (1 + others), LONGEST_SHARE)
            try:
                stream = super().connect_tcp(*address, seconds, *options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return PunctualStream(stream, timeout)
        raise failure


class PunctualStream(httpcore.NetworkStream):
    """A connection whose timeouts may be moments.

    Args:
        stream: The connection below.
        opened_by: By when it must be of use.
    """

    def __init__(self, stream: httpcore.NetworkStream, opened_by: Moment | None = None) -> None:
        self._stream = stream
        self._opened_by = opened_by

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, or wait for it."""
        timeout = self._get_timeout(timeout)
        return self._stream.read(max_bytes, get_seconds(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of a buffer."""
        timeout = self._get_timeout(timeout)
        for start in range(0, len(buffer), LARGEST_WRITE):
            seconds = get_seconds(timeout, httpcore.WriteTimeout)
            self._stream.write(buffer[start : start + LARGEST_WRITE], seconds)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Agree with the server on encryption."""
        seconds = get_seconds(timeout, httpcore.ConnectTimeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, seconds)
        return PunctualStream(stream, self._opened_by)

    def _get_timeout(self, timeout: float | None) -> float | None:
        # httpcore names none where it talks to a SOCKS proxy, before the request.
        if timeout is None:
            return self._opened_by
        self._opened_by = None
        return timeout

    def get_extra_info(self, info: str) -> Any:
        """Tell what the connection below tells."""
        return self._stream.get_extra_info(info)


def find_addresses(host: str, port: int) -> list[tuple[str, int]]:
    """Look a host up, which takes as long as the operating system lets it.

    Raises:
        httpcore.ConnectError: If it has no address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from None
    return list(dict.fromkeys((str(address[0]), int(address[1])) for *_, address in found))


def get_seconds(timeout: float | None, error_class: type[Exception]) -> float | None:
    """Get the seconds that are left of a timeout.

    Raises:
        Exception: Of the class that is given, if there are none.
    """
    if not isinstance(timeout, Moment):
        return timeout
    seconds = timeout - monotonic()
    if seconds <= 0:
        raise error_class("the call's time is up")
    return seconds
