"""A server that answers each request with a script of raw bytes, valid HTTP or not.

A script is a sequence of steps: bytes to send, or one of the functions below. The first request
gets the first script, the second the second, and so on; the last script repeats. A connection
stays open after a script, and its next request is read, unless a step has closed it.
"""

import contextlib
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

ANSWER = b'{"choices": [{"message": {"role": "assistant", "content": "pong"}}]}'
"""The body of a valid answer."""

MAX_WAIT_SECONDS = 20.0
"""How long a failing test waits for something that does not happen."""


class EndOfConnectionError(Exception):
    """The client, or a step, ended the connection."""


@dataclass(frozen=True)
class RecordedRequest:
    """A request and the number of its connection, from 1."""

    head: bytes
    body: bytes
    connection: int


class Connection:
    """An accepted connection."""

    def __init__(self, server: "RawServer", sock: socket.socket, number: int) -> None:
        self.server = server
        self.sock = sock
        self.number = number
        self._received = b""

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(data)

    def read_request(self) -> RecordedRequest:
        """Wait for the next request."""
        head, _, self._received = self._read_until(lambda data: b"\r\n\r\n" in data).partition(
            b"\r\n\r\n"
        )
        stated = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        length = int(stated[1]) if stated else 0
        data = self._read_until(lambda data: len(data) >= length)
        body, self._received = data[:length], data[length:]
        return RecordedRequest(head, body, self.number)

    def _read_until(self, is_complete: Callable[[bytes], bool]) -> bytes:
        data = self._received
        while not is_complete(data):
            part = self.sock.recv(1 << 20)
            if not part:
                raise EndOfConnectionError
            data += part
        return data


Step = bytes | Callable[[Connection], None]
Script = Sequence[Step]


class RawServer:
    """A server on loopback with one thread per connection.

    Args:
        scripts: The script for each request.
        greeting: The script for each new connection, before its first request is read.
        context: The server's TLS certificate; None for plain HTTP.

    Attributes:
        requests: The requests, oldest first.
        stopped: Set once the server stops.
    """

    def __init__(
        self, *scripts: Script, greeting: Script = (), context: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[RecordedRequest] = []
        self.stopped = threading.Event()
        self._scripts = scripts
        self._greeting = greeting
        self._context = context
        self._lock = threading.Lock()
        self._accepted = threading.Condition()
        self._client_ports: list[int] = []
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def get_url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        """Return the base URL for models."""
        return f"{scheme}://{host}:{self.port}/v1"

    def count_connections(self) -> int:
        """Return how many connections were opened, even if they are not accepted yet.

        Connections are accepted in order: once this method's own is, all before it are.
        """
        with socket.create_connection(("127.0.0.1", self.port)) as probe, self._accepted:
            port = probe.getsockname()[1]
            assert self._accepted.wait_for(lambda: port in self._client_ports, MAX_WAIT_SECONDS)
            position = self._client_ports.index(port)
            self._client_ports.remove(port)
            return position

    def __enter__(self) -> Self:
        """Start the server."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server and shut down its connections."""
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                sock, address = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(MAX_WAIT_SECONDS)
            with self._accepted:
                self._client_ports.append(address[1])
                number = len(self._client_ports)
                self._accepted.notify_all()
            thread = threading.Thread(target=self._serve, args=(sock, number))
            with self._lock:
                self._open.add(sock)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        if self._context:
            with self._lock:  # wrapping makes the socket unusable
                self._open.discard(sock)
                sock = self._context.wrap_socket(
                    sock, server_side=True, do_handshake_on_connect=False
                )
                self._open.add(sock)
        connection = Connection(self, sock, number)
        with contextlib.suppress(OSError, EndOfConnectionError):
            self._play(connection, self._greeting)
            while not self.stopped.is_set():
                request = connection.read_request()
                with self._lock:
                    self.requests.append(request)
                    number = min(len(self.requests), len(self._scripts)) - 1
                self._play(connection, self._scripts[number])
        with self._lock:
            self._open.discard(sock)
            sock.close()

    @staticmethod
    def _play(connection: Connection, script: Script) -> None:
        for step in script:
            if isinstance(step, bytes):
                connection.send(step)
            else:
                step(connection)


# --- Steps ---


def close(connection: Connection) -> None:
    """Close the connection."""
    raise EndOfConnectionError


def reset(connection: Connection) -> None:
    """Reset the connection, as the system of a crashed server does."""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise EndOfConnectionError


def notify_close(connection: Connection) -> None:
    """Announce the end of TLS, and leave the connection open until the server stops."""
    connection.sock.settimeout(0)
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.sock.unwrap()
    ignore(connection)


def silence(connection: Connection) -> None:
    """Read, but send nothing, until the client closes the connection."""
    while connection.sock.recv(1 << 20):
        pass
    raise EndOfConnectionError


def ignore(connection: Connection) -> None:
    """Neither read nor send until the server stops."""
    connection.server.stopped.wait(MAX_WAIT_SECONDS)
    raise EndOfConnectionError


def pause(seconds: float) -> Step:
    """Wait before the next step."""

    def step(connection: Connection) -> None:
        if connection.server.stopped.wait(seconds):
            raise EndOfConnectionError

    return step


def await_event(event: threading.Event) -> Step:
    """Wait for an event before the next step."""

    def step(connection: Connection) -> None:
        event.wait(MAX_WAIT_SECONDS)

    return step


def send_together(*parts: bytes) -> Step:
    """Send parts as TLS records of their own, in one packet where the system can hold them back."""

    def step(connection: Connection) -> None:
        cork = getattr(socket, "TCP_CORK", None)  # Linux
        for is_held, data in [*((1, part) for part in parts), (0, b"")]:
            if cork:
                connection.sock.setsockopt(socket.IPPROTO_TCP, cork, is_held)
            connection.send(data)

    return step


def close_when_idle(seconds: float) -> Step:
    """Close the connection if it is idle for so long, as servers do."""

    def step(connection: Connection) -> None:
        if not select.select([connection.sock], [], [], seconds)[0]:
            raise EndOfConnectionError

    return step


def trickle(*parts: bytes, every: float = 0.02) -> Step:
    """Send the parts over and over, with a pause after each."""

    def step(connection: Connection) -> None:
        end = time.monotonic() + MAX_WAIT_SECONDS
        while time.monotonic() < end:
            for part in parts:
                connection.send(part)
                pause(every)(connection)
        raise EndOfConnectionError

    return step


def answer(
    body: bytes = ANSWER,
    *headers: str,
    status: str = "200 OK",
    version: str = "1.1",
    length: int | None = None,
) -> bytes:
    """Return an HTTP response.

    Args:
        body: The body.
        headers: Additional headers, as lines.
        status: The status code and reason.
        version: The HTTP version.
        length: The content-length; by default the body's.
    """
    lines = [
        f"HTTP/{version} {status}",
        f"content-length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
