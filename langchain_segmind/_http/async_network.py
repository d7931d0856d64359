"""An asynchronous transport on the event loop's own connections.

It knows at once what arrives on a connection that no request uses, and what is left of a reply.
"""

import asyncio
import select
import socket
from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from ssl import MemoryBIO, SSLContext, SSLEOFError, SSLWantReadError
from typing import Any, TypeVar, cast

import httpcore
import httpx

from langchain_segmind._http.addresses import LookUps, remember_answer, share_time
from langchain_segmind._http.deadline import Deadline

T = TypeVar("T")

MAX_READ_BYTES = 65_536
"""Encrypted bytes that are read at once."""


class LoopTransport(httpx.AsyncHTTPTransport):
    """Carries one request at a time.

    A subclass of httpx's own transport, so that tools that patch it see all calls.

    Args:
        look_ups: The event loop's.
        options: As for `httpx.AsyncHTTPTransport`.
    """

    def __init__(self, look_ups: LookUps, **options: Any) -> None:
        super().__init__(**options)
        # httpx has no argument for it.
        self._pool._network_backend = LoopBackend(look_ups)  # noqa: SLF001 - see above


class LoopBackend(httpcore.AsyncNetworkBackend):
    """Opens connections of the running event loop.

    Args:
        look_ups: The event loop's.
    """

    def __init__(self, look_ups: LookUps) -> None:
        self._look_ups = look_ups

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,  # noqa: ARG002 - as above, and never set
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - likewise
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of a host's addresses that answers."""
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        loop = asyncio.get_running_loop()
        end = inf if timeout is None else loop.time() + timeout
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._look_ups.find((host, port))
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"finding the address of {host} took too long") from None
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(error) from None
        for number, address in enumerate(addresses):
            seconds = share_time(end - loop.time(), addresses[number:])
            try:
                async with asyncio.timeout(None if seconds == inf else seconds):
                    transport, receiver = await loop.create_connection(Receiver, *address)
            except TimeoutError as error:
                failure = httpcore.ConnectTimeout(str(error))
            except OSError as error:
                failure = httpcore.ConnectError(error)
            else:
                remember_answer((host, port), address)
                return LoopStream(transport, receiver)
        raise failure


class Receiver(asyncio.Protocol):
    """Receives the bytes of a connection, while they are awaited.

    At other times the event loop does not watch the connection: a forked process shares what the
    loop watches.

    Attributes:
        received: What has not been read yet.
        is_over: Whether nothing more will arrive.
        failure: Why the connection broke off; None if it did not.
    """

    def __init__(self) -> None:
        self.received = bytearray()
        self.is_over = False
        self.failure: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: each write waits until the operating system has taken all of it."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(1)
        self._transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """Store what arrives."""
        self.received += data
        self._transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> None:
        """The server sends nothing more; the connection closes."""
        self.is_over = True
        self._wake_reader()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is closed."""
        self.is_over, self.failure = True, error
        self._wake_reader()
        self._writable.set()

    def pause_writing(self) -> None:
        """The operating system has not taken all yet."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has."""
        self._writable.set()

    async def read(self, max_bytes: int) -> bytes:
        """Return what has arrived, or wait for it; nothing at the end.

        Raises:
            OSError: The connection broke off.
        """
        if not self.received and not self.is_over:
            self._reader = asyncio.get_running_loop().create_future()
            self._transport.resume_reading()
            await self._reader
        return self.take(max_bytes)

    def take(self, max_bytes: int) -> bytes:
        """Return what has arrived; nothing at the end.

        Raises:
            OSError: The connection broke off.
        """
        if self.failure and not self.received:
            raise self.failure
        data = bytes(self.received[:max_bytes])
        del self.received[:max_bytes]
        return data

    async def wait_until_written(self) -> None:
        """Wait until the operating system has taken all that was written.

        Raises:
            OSError: The connection broke off.
        """
        await self._writable.wait()
        if self.failure:
            raise self.failure

    def _wake_reader(self) -> None:
        if self._reader and not self._reader.done():
            self._reader.set_result(None)


class LoopStream(httpcore.AsyncNetworkStream):
    """A connection of an event loop.

    Args:
        transport: Sends bytes.
        receiver: Receives bytes.
    """

    def __init__(self, transport: asyncio.Transport, receiver: Receiver) -> None:
        self._transport = transport
        self._receiver = receiver

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's interface
        """Return what has arrived, or wait for it; nothing at the end."""
        try:
            async with asyncio.timeout(timeout):
                return await self._receiver.read(max_bytes)
        except TimeoutError as error:
            # A process that was stopped finds the answer and the timeout at the same moment.
            if self._receiver.received:
                return self._receiver.take(max_bytes)
            raise httpcore.ReadTimeout(str(error)) from None
        except OSError as error:
            raise httpcore.ReadError(str(error)) from None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's interface
        """Write all of a buffer."""
        if not buffer:
            return
        try:
            async with asyncio.timeout(timeout):
                self._transport.write(buffer)
                await self._receiver.wait_until_written()
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from None
        except OSError as error:
            raise httpcore.WriteError(str(error)) from None

    async def aclose(self) -> None:
        """Close the connection at once."""
        self._transport.abort()
        await asyncio.sleep(0)  # the event loop closes the socket

    async def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
    ) -> httpcore.AsyncNetworkStream:
        """Encrypt the connection."""
        try:
            stream = TLSStream(self._transport, self._receiver, self, ssl_context, server_hostname)
            await stream.shake_hands(timeout)
        except BaseException as error:
            self._transport.abort()
            if isinstance(error, httpcore.TimeoutException):
                raise httpcore.ConnectTimeout(str(error)) from None
            if isinstance(error, httpcore.NetworkError | OSError):
                raise httpcore.ConnectError(str(error)) from None
            raise
        return stream

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection knows about itself."""
        if info == "is_readable":
            is_known = bool(self._receiver.received) or self._receiver.is_over
            return is_known or is_readable(self._transport.get_extra_info("socket"))
        names = {"client_addr": "sockname", "server_addr": "peername"}
        return self._transport.get_extra_info(names.get(info, info))


class TLSStream(LoopStream):
    """An encrypted connection of an event loop.

    asyncio's own TLS reads ahead, also while no request uses the connection, and hides what has
    arrived. This class reads what is awaited only: anything else stays where `is_readable` finds
    it, and the operating system makes the server wait.

    Args:
        transport: Sends bytes.
        receiver: Receives bytes.
        encrypted: Carries the encrypted bytes: a connection, or one to a proxy with TLS itself.
        context: Checks the server's certificate.
        server_hostname: The name that the certificate must have.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        receiver: Receiver,
        encrypted: LoopStream,
        context: SSLContext,
        server_hostname: str | None,
    ) -> None:
        super().__init__(transport, receiver)
        self._encrypted = encrypted
        self._incoming, self._outgoing = MemoryBIO(), MemoryBIO()
        self._ssl = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_hostname
        )

    async def shake_hands(self, timeout: float | None) -> None:  # noqa: ASYNC109 - as above
        """Agree on keys, and check the server's certificate.

        Raises:
            OSError: TLS failed.
            httpcore.NetworkError: The connection broke off.
            httpcore.TimeoutException: It took too long.
        """
        await self._run(self._ssl.do_handshake, timeout)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as above
        """Return what has arrived, or wait for it; nothing at the end."""
        try:
            # One record at a time: OpenSSL would hide the beginning of a further one.
            return await self._run(partial(self._ssl.read, max_bytes), timeout)
        except SSLEOFError:
            return b""
        except OSError as error:
            raise httpcore.ReadError(str(error)) from None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        """Write all of a buffer."""
        deadline = Deadline(timeout)
        while buffer:
            try:
                written = await self._run(partial(self._ssl.write, buffer), get_seconds(deadline))
            except OSError as error:
                raise httpcore.WriteError(str(error)) from None
            buffer = buffer[written:]

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection knows about itself."""
        if info == "ssl_object":
            return self._ssl
        if info == "is_readable" and (self._incoming.pending or self._ssl.pending()):
            return True
        return self._encrypted.get_extra_info(info)

    async def _run(self, step: Callable[[], T], timeout: float | None) -> T:  # noqa: ASYNC109 - as above
        """Return the result of a step of TLS, which can have to receive and send for it."""
        deadline = Deadline(timeout)
        while True:
            try:
                result = step()
            except SSLWantReadError:
                await self._send(deadline)
            else:
                await self._send(deadline)
                return result
            if data := await self._encrypted.read(MAX_READ_BYTES, get_seconds(deadline)):
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    async def _send(self, deadline: Deadline) -> None:
        await self._encrypted.write(self._outgoing.read(), get_seconds(deadline))


def get_seconds(deadline: Deadline) -> float | None:
    """Return the seconds that are left; None without a deadline."""
    return deadline.remaining if deadline.is_set else None


def is_readable(sock: socket.socket) -> bool:
    """Whether something has arrived on a connection, or its end."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
