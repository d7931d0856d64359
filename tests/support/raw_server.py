"""A server of raw bytes: it does to each request what a script says, right or wrong.

A script is a sequence of steps: bytes that are sent, or one of the functions below. The first
request meets the first script, the second the second, and so on; the last one repeats. A
connection stays open after a script, and its next request is read, unless a step has closed it.
"""

import contextlib
import re
import select
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

ANSWER = b'{"choices": [{"message": {"role": "assistant", "content": "pong"}}]}'
"""The body of a right answer."""

LONGEST_WAIT = 30.0
"""Seconds after which a test that went wrong is let go."""


class EndOfConnectionError(Exception):
    """A connection is over."""


@dataclass(frozen=True)
class Received:
    """A request, and the connection that it came by."""

    head: bytes
    body: bytes
    connection: int


class Connection:
    """A connection that was accepted."""

    def __init__(self, server: "RawServer", wire: socket.socket, number: int) -> None:
        self.server = server
        self.wire = wire
        self.number = number
        self._received = b""

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.wire.sendall(data)

    def read_request(self) -> Received:
        """Wait for the next request, and read it."""
        head, _, self._received = self._read_until(lambda data: b"\r\n\r\n" in data).partition(
            b"\r\n\r\n"
        )
        announced = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        length = int(announced[1]) if announced else 0
        data = self._read_until(lambda data: len(data) >= length)
        body, self._received = data[:length], data[length:]
        return Received(head, body, self.number)

    def _read_until(self, is_enough: Callable[[bytes], bool]) -> bytes:
        data = self._received
        while not is_enough(data):
            part = self.wire.recv(1 << 20)
            if not part:
                raise EndOfConnectionError
            data += part
        return data


Step = bytes | Callable[[Connection], None]
Script = Sequence[Step]


class RawServer:
    """A server on loopback, with a thread for each connection.

    Args:
        scripts: What to do with each request.
        greeting: What to do with each connection before its first request is read.

    Attributes:
        requests: What was read.
        connections: How many connections were accepted.
        stopped: Set once the server stops.
    """

    def __init__(self, *scripts: Script, greeting: Script = ()) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.stopped = threading.Event()
        self._scripts = scripts
        self._greeting = greeting
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def get_url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        """Get the base URL of its models."""
        return f"{scheme}://{host}:{self.port}/v1"

    def __enter__(self) -> Self:
        """Start it."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Break off all connections."""
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        with self._lock:
            for wire in self._open:
                with contextlib.suppress(OSError):
                    wire.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(wire, self.connections))
            with self._lock:
                self._open.add(wire)
            self._threads.append(thread)
            thread.start()

    def _serve(self, wire: socket.socket, number: int) -> None:
        connection = Connection(self, wire, number)
        with contextlib.suppress(OSError, EndOfConnectionError):
            self._play(connection, self._greeting)
            while not self.stopped.is_set():
                request = connection.read_request()
                with self._lock:
                    self.requests.append(request)
                    turn = min(len(self.requests), len(self._scripts)) - 1
                self._play(connection, self._scripts[turn])
        with self._lock:
            self._open.discard(wire)
            wire.close()

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
    """Break the connection off, as a crashed server's system does."""
    connection.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise EndOfConnectionError


def silence(connection: Connection) -> None:
    """Read and say nothing until the client gives up."""
    while connection.wire.recv(1 << 20):
        pass
    raise EndOfConnectionError


def ignore(connection: Connection) -> None:
    """Read nothing until the server stops."""
    connection.server.stopped.wait(LONGEST_WAIT)
    raise EndOfConnectionError


def pause(seconds: float) -> Step:
    """Do nothing for a while."""

    def step(connection: Connection) -> None:
        if connection.server.stopped.wait(seconds):
            raise EndOfConnectionError

    return step


def await_event(event: threading.Event) -> Step:
    """Do nothing until an event."""

    def step(connection: Connection) -> None:
        event.wait(LONGEST_WAIT)

    return step


def close_when_idle(seconds: float) -> Step:
    """Close the connection if no further request comes for a while, as servers do."""

    def step(connection: Connection) -> None:
        if not select.select([connection.wire], [], [], seconds)[0]:
            raise EndOfConnectionError

    return step


def trickle(*parts: bytes, every: float = 0.02) -> Step:
    """Send part by part, over and over, with a pause after each."""

    def step(connection: Connection) -> None:
        while True:
            for part in parts:
                connection.send(part)
                pause(every)(connection)

    return step


def answer(
    body: bytes = ANSWER,
    *headers: str,
    status: str = "200 OK",
    version: str = "1.1",
    length: int | None = None,
) -> bytes:
    """Write an answer.

    Args:
        body: Its body.
        headers: Further headers, as lines.
        status: Its status.
        version: Of HTTP.
        length: What the content-length says, if that is not true.
    """
    lines = [
        f"HTTP/{version} {status}",
        f"content-length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
