"""An HTTP server for embeddings whose replies a function writes, and that counts what is open."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Reply = Callable[[dict[str, Any]], Any]
"""Returns the JSON of the response to a body. An int is the status of an error, and a dict of
"status" and "headers" an error with headers."""

MAX_WAIT_SECONDS = 20.0
"""How long a failing test waits for something that does not happen."""


class EmbeddingServer:
    """Answers each request with what a function returns; runs in threads while its block does.

    Args:
        reply: Writes the responses; called in a thread for each connection.
        in_flight: Requests are held back until so many are in flight at once.

    Attributes:
        bodies: The bodies of the requests, oldest first.
        max_in_flight: The most requests that were in flight at once.
    """

    def __init__(self, reply: Reply, *, in_flight: int = 1) -> None:
        self.reply = reply
        self.bodies: list[dict[str, Any]] = []
        self.max_in_flight = self._in_flight = 0
        self._wanted = in_flight
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._create_handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def base_url(self) -> str:
        """The base URL for models."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def _answer(self, body: dict[str, Any]) -> Any:
        with self._changed:
            self.bodies.append(body)
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.max_in_flight >= self._wanted, MAX_WAIT_SECONDS)
        try:
            return self.reply(body)
        finally:
            with self._changed:
                self._in_flight -= 1

    def _create_handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            """One connection."""

            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """Answer a request."""
                size = int(self.headers["content-length"])
                sent = self.rfile.read(size)
                if len(sent) < size:
                    return  # the client gave up before it sent the body
                reply = answer(json.loads(sent))
                if isinstance(reply, int):
                    reply = {"status": reply, "headers": {}}
                status, headers, content = 200, {}, reply
                if isinstance(reply, dict) and "status" in reply:
                    status, headers, content = reply["status"], reply["headers"], b"{}"
                if not isinstance(content, bytes):
                    content = json.dumps(content).encode()
                headers = {**headers, "content-length": len(content)}
                lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                head = f"HTTP/1.1 {status} x\r\n{lines}\r\n"
                self.wfile.write(head.encode() + content)

            def log_message(self, *args: Any) -> None:
                """Write nothing to stderr."""

        return Handler

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
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def write_vector(body: dict[str, Any]) -> dict[str, Any]:
    """Return a vector of four numbers that shows the text."""
    text = body.get("prompt") or body["input"]
    return {"embedding": [len(text), hash(text) % 9973, sum(map(ord, text)), 0.5]}
