"""A small HTTP server that knows its connections, and is fast enough for thousands of calls."""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request.

    Attributes:
        port: The client's.
        target: What was asked for: a path, or a URL where this server is a proxy.
        text: What was said last.
    """

    port: int
    target: str
    text: str


class EchoServer:
    """Answers each request with what was said last; runs in a thread while its block does.

    Args:
        latency: Seconds before each answer; None for no answer at all.
        context: The certificate to speak TLS with; None for plain HTTP.

    Attributes:
        arrivals: The requests, oldest first.
        connections: The ports of the clients whose connections are open.
        opened: How many connections there have been.
        under_way: How many requests have no answer yet.
        most_under_way: How many that were at the most.
    """

    def __init__(self, latency: float | None = 0, *, context: ssl.SSLContext | None = None) -> None:
        self.latency = latency
        self.arrivals: list[Arrival] = []
        self.connections: set[int] = set()
        self.opened = self.under_way = self.most_under_way = 0
        self.changed = threading.Condition()
        self.talks: set[Talk] = set()
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._thread = threading.Thread(target=self._run, name="echo-server")
        self._port = self._listener.getsockname()[1]

    @property
    def base_url(self) -> str:
        """The URL to give to models."""
        return f"http{'s' if self._context else ''}://127.0.0.1:{self._port}/v1"

    def wait_until(self, is_true: Callable[["EchoServer"], object], seconds: float = 30) -> bool:
        """Wait until something is true of this server; False if it was not in that time."""
        with self.changed:
            return bool(self.changed.wait_for(lambda: is_true(self), seconds))

    async def await_until(
        self, is_true: Callable[["EchoServer"], object], seconds: float = 30
    ) -> bool:
        """Wait as `wait_until` does, and let the event loop work."""
        return await asyncio.to_thread(self.wait_until, is_true, seconds)

    def _run(self) -> None:
        self._server = self._loop.run_until_complete(
            self._loop.create_server(lambda: Talk(self), sock=self._listener, ssl=self._context)
        )
        self._loop.run_forever()
        self._loop.run_until_complete(self._finish())
        self._loop.close()

    async def _finish(self) -> None:
        self._server.close()
        for talk in list(self.talks):
            talk.transport.abort()
        while self.talks:  # noqa: ASYNC110 - gone within a turn of the loop
            await asyncio.sleep(0)

    def __enter__(self) -> Self:
        """Start to answer."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Break off all connections."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class Talk(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: EchoServer) -> None:
        self.server = server
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember it."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.port = transport.get_extra_info("peername")[1]
        server = self.server
        with server.changed:
            server.talks.add(self)
            server.connections.add(self.port)
            server.opened += 1
            server.changed.notify_all()

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        server = self.server
        with server.changed:
            server.talks.discard(self)
            server.connections.discard(self.port)
            server.changed.notify_all()

    def data_received(self, data: bytes) -> None:
        """Read on, to the end of a request."""
        self.received += data
        head, blank, body = self.received.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        if not blank or len(body) < int(fields.get(b"content-length", 0)):
            return
        self.received = b""
        text = json.loads(body)["messages"][-1]["content"]
        arrival = Arrival(self.port, head.split(b" ", 2)[1].decode(), text)
        server = self.server
        with server.changed:
            server.arrivals.append(arrival)
            server.under_way += 1
            server.most_under_way = max(server.most_under_way, server.under_way)
            server.changed.notify_all()
        if server.latency == 0:
            self.answer(text)
        elif server.latency:
            asyncio.get_running_loop().call_later(server.latency, self.answer, text)

    def answer(self, text: str) -> None:
        """Say it back."""
        with self.server.changed:
            self.server.under_way -= 1
        message = {"role": "assistant", "content": text}
        body = json.dumps({"choices": [{"message": message}]}).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head.encode() + body)
