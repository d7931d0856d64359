"""A server that misbehaves as the path of a request says, as in `/trickle/v1/chat/completions`."""

import asyncio
import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator

from benchmarks.peers.server import REPLY

SEEN_PATH = "/seen"
"""The path of its record of requests."""
WARM_UP = "warm-up"
"""A request with this word in its body gets a good answer at once and is not counted."""

TRICKLE_PIECES = 12
TRICKLE_PAUSE = 0.4
"""Seconds before each piece, so that the body takes 4.8 s."""
LATENCY = 0.8
JSON_TYPE = "application/json"
ANSWERS = {
    "unavailable": ("503 Service Unavailable", JSON_TYPE, '{"error": {"message": "Busy."}}'),
    "html": ("200 OK", "text/html", "<!doctype html><html><body>Welcome.</body></html>"),
    "no-choices": (
        "200 OK",
        JSON_TYPE,
        json.dumps({**json.loads(REPLY), "choices": []}),
    ),
    "error": (
        "200 OK",
        JSON_TYPE,
        '{"error": {"message": "No.", "type": "server_error", "code": 500}}',
    ),
}
"""Immediate answers: status, content type and body."""
GOOD = ("200 OK", JSON_TYPE, REPLY)
LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


class ScriptServer:
    """Answers requests and records them.

    Attributes:
        origin: Its URL without a path.
        requests: The number of requests, without those for warm-up.
        connections: The number of accepted connections.
        closed: When clients closed connections that got no answer, by `time.monotonic`.
    """

    def __init__(self) -> None:
        self.origin = ""
        self.reset()

    def reset(self) -> None:
        """Clear the record."""
        self.requests = 0
        self.connections = 0
        self.closed: list[float] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection and keep it open."""
        self.connections += 1
        gone = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*gone):
            while True:
                await self.answer(reader, writer)
        writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a request and answer it."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        path = head.split(b" ", 2)[1].decode()
        if path == SEEN_PATH:
            seen = {"requests": self.requests, "closed": self.closed}
            writer.write(render(("200 OK", JSON_TYPE, json.dumps(seen))))
        elif WARM_UP.encode() in body:
            writer.write(render(GOOD))
        else:
            self.requests += 1
            await self.play(path.split("/")[1], reader, writer)
        await writer.drain()

    async def play(
        self, part: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer in the way that the path names."""
        if part == "silent":
            with contextlib.suppress(ConnectionError):
                await reader.read()
            self.closed.append(time.monotonic())
            raise ConnectionResetError
        if part == "trickle":
            whole = render(GOOD)
            start = whole.index(b"\r\n\r\n") + 4
            writer.write(whole[:start])
            size = -(-(len(whole) - start) // TRICKLE_PIECES)
            for at in range(start, len(whole), size):
                await asyncio.sleep(TRICKLE_PAUSE)
                writer.write(whole[at : at + size])
                await writer.drain()
            return
        if part == "late":
            await asyncio.sleep(LATENCY)
        writer.write(render(ANSWERS.get(part, GOOD)))


def render(answer: tuple[str, str, str]) -> bytes:
    """Return one HTTP response."""
    status, content_type, body = answer
    lines = [
        f"HTTP/1.1 {status}",
        f"content-type: {content_type}",
        f"content-length: {len(body.encode())}",
    ]
    return "\r\n".join([*lines, "", body]).encode()


@contextlib.contextmanager
def serve_script() -> Iterator[ScriptServer]:
    """Run the server in a thread of this process."""
    script = ScriptServer()
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        server = await asyncio.start_server(script.handle, "127.0.0.1", 0, backlog=1024)
        script.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await stop.wait()
        server.close()
        handlers = asyncio.all_tasks() - {asyncio.current_task()}
        for one in handlers:
            one.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)

    def work() -> None:
        with contextlib.closing(loop):
            loop.run_until_complete(run())

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    try:
        yield script
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
