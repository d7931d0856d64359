"""An HTTP server that records its connections and is fast enough for thousands of calls."""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

MAX_WAIT_SECONDS = 30.0
"""How long a failing test waits for something that does not happen."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request.

    Attributes:
        port: The client's port.
        target: The requested path, or the URL where this server is a proxy.
        text: The last message's text.
    """

    port: int
    target: str
    text: str


class EchoServer:
    """Answers each request with its last message; runs in a thread while its block does.

    Args:
        latency: Seconds before each answer; None for no answer at all.
        min_in_flight: Answers are held back until so many requests are in flight at once.
        context: The server's TLS certificate; None for plain HTTP.

    Attributes:
        requests: The requests, oldest first.
        open_ports: The client's ports of the open connections.
        total_connections: How many connections were opened so far.
        in_flight: How many requests are not answered yet.
        max_in_flight: The highest `in_flight` so far.
    """

    def __init__(
        self,
        latency: float | None = 0,
        *,
        min_in_flight: int = 1,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.latency = latency
        self.min_in_flight = min_in_flight
        self.requests: list[RecordedRequest] = []
        self.open_ports: set[int] = set()
        self.total_connections = self.in_flight = self.max_in_flight = 0
        self.changed = threading.Condition()
        self.connections: set[Connection] = set()
        self.held: list[Callable[[], None]] = []
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._thread = threading.Thread(target=self._run, name="echo-server")
        self._port = self._listener.getsockname()[1]

    @property
    def base_url(self) -> str:
        """The base URL for models."""
        return f"http{'s' if self._context else ''}://127.0.0.1:{self._port}/v1"

    def wait_for_requests(self, count: int = 1) -> None:
        """Wait until so many requests have arrived in total."""
        self._wait_for(lambda: len(self.requests) >= count)

    def wait_for_open_connections(self, count: int = 0) -> None:
        """Wait until exactly so many connections are open."""
        self._wait_for(lambda: len(self.open_ports) == count)

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            if not self.changed.wait_for(condition, MAX_WAIT_SECONDS):
                raise TimeoutError(f"{len(self.requests)} requests, {self.open_ports=}")

    def _run(self) -> None:
        self._server = self._loop.run_until_complete(
            self._loop.create_server(
                lambda: Connection(self), sock=self._listener, ssl=self._context
            )
        )
        self._loop.run_forever()
        self._loop.run_until_complete(self._close())
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for connection in list(self.connections):
            connection.transport.abort()
        while self.connections:  # noqa: ASYNC110 - they close within one iteration of the loop
            await asyncio.sleep(0)

    def __enter__(self) -> Self:
        """Start the server."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server and abort its connections."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class Connection(asyncio.Protocol):
    """One connection of an `EchoServer`."""

    def __init__(self, server: EchoServer) -> None:
        self.server = server
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.port = transport.get_extra_info("peername")[1]
        server = self.server
        with server.changed:
            server.connections.add(self)
            server.open_ports.add(self.port)
            server.total_connections += 1
            server.changed.notify_all()

    def connection_lost(self, error: Exception | None) -> None:
        """Unregister the connection."""
        server = self.server
        with server.changed:
            server.connections.discard(self)
            server.open_ports.discard(self.port)
            server.changed.notify_all()

    def data_received(self, data: bytes) -> None:
        """Answer the request once it is complete."""
        self.received += data
        head, blank, body = self.received.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        if not blank or len(body) < int(fields.get(b"content-length", 0)):
            return
        self.received = b""
        text = json.loads(body)["messages"][-1]["content"]
        request = RecordedRequest(self.port, head.split(b" ", 2)[1].decode(), text)
        server = self.server
        with server.changed:
            server.requests.append(request)
            server.in_flight += 1
            server.max_in_flight = max(server.max_in_flight, server.in_flight)
            server.changed.notify_all()
        if server.latency is None:
            return
        server.held.append(lambda: self.answer(text))
        if server.max_in_flight < server.min_in_flight:
            return
        held, server.held = server.held, []
        for answer in held:
            if server.latency:
                asyncio.get_running_loop().call_later(server.latency, answer)
            else:
                answer()

    def answer(self, text: str) -> None:
        """Send the text back."""
        with self.server.changed:
            self.server.in_flight -= 1
        message = {"role": "assistant", "content": text}
        body = json.dumps({"choices": [{"message": message}]}).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head.encode() + body)
