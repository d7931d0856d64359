"""A network for httpcore whose timeouts may be moments, so that many short waits make no long one.

httpx bounds the wait for each chunk (https://www.python-httpx.org/advanced/timeouts/): a server
that sends a byte a second is waited for without end. Asynchronous calls are ended by their event
loop instead.
"""

from collections.abc import Iterable
from ssl import SSLContext
from time import monotonic
from typing import Any

import httpcore
import httpx

from langchain_segmind._deadline import Moment

LARGEST_WRITE = 65_536
"""Bytes that are written at most before the clock is looked at."""


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
        seconds = get_seconds(timeout, httpcore.ConnectTimeout)
        stream = super().connect_tcp(host, port, seconds, local_address, socket_options)
        return PunctualStream(stream)


class PunctualStream(httpcore.NetworkStream):
    """A connection whose timeouts may be moments."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, or wait for it."""
        return self._stream.read(max_bytes, get_seconds(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of a buffer."""
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
        return PunctualStream(self._stream.start_tls(ssl_context, server_hostname, seconds))

    def get_extra_info(self, info: str) -> Any:
        """Tell what the connection below tells."""
        return self._stream.get_extra_info(info)


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
