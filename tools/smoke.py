"""Calls an installed package as a stranger would: with its own dependencies only, and offline.

`make release_check` runs it outside the project, where only the installed package can be imported.
"""

import asyncio
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

from langchain_core.tools import tool
from pydantic import BaseModel

import langchain_segmind
from langchain_segmind import ChatSegmindGPT4Turbo, SegmindEmbeddings, SegmindRateLimitError

REPLIES = {
    "Hi": "Hello.",
    "2 + 3?": "[add(a=2, b=3)]",
    "A joke": '{"setup": "Why?", "punchline": "Because."}',
}


def refuse_other_hosts(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise an error if a connection to another machine is tried."""
    if event == "socket.connect" and arguments[1][0] not in {"127.0.0.1", "::1"}:
        raise RuntimeError(f"A connection to {arguments[1]!r} was tried.")


class Handler(BaseHTTPRequestHandler):
    """Answers as Segmind does."""

    def do_POST(self) -> None:
        """Answer a prompt, or a text to embed."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, reply = 200, {"embedding": [0.6, 0.8]}
        if "messages" in body:
            question = body["messages"][-1]["content"]
            status = 200 if question in REPLIES else 429
            message = {"role": "assistant", "content": REPLIES.get(question)}
            reply = {"choices": [{"message": message, "finish_reason": "stop"}]}
        content = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.send_header("x-remaining-credits", "9.5")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


def check(base_url: str) -> None:
    """Call the models, and assert what they return."""
    model = ChatSegmindGPT4Turbo(base_url=base_url, api_key="not-a-real-key", max_retries=0)
    reply = model.invoke("Hi")
    assert reply.text == "Hello."
    assert reply.response_metadata["remaining_credits"] == 9.5
    assert asyncio.run(model.ainvoke("Hi")).text == "Hello."
    calls = model.bind_tools([add]).invoke("2 + 3?").tool_calls
    assert [call["args"] for call in calls] == [{"a": 2, "b": 3}]
    assert model.with_structured_output(Joke, method="json_mode").invoke("A joke").setup == "Why?"
    try:
        model.invoke("Something else")
    except SegmindRateLimitError:
        pass
    else:
        raise AssertionError("A 429 raised nothing.")
    embeddings = SegmindEmbeddings(base_url=base_url, api_key="not-a-real-key")
    assert embeddings.embed_query("Hi") == [0.6, 0.8]


def main() -> None:
    """Run the checks against a server of this process."""
    sys.addaudithook(refuse_other_hosts)
    folder = Path(langchain_segmind.__file__).parent
    assert "site-packages" in folder.parts, folder
    assert (folder / "py.typed").exists()
    assert langchain_segmind.__version__ == version("langchain-segmind")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    check(f"http://127.0.0.1:{server.server_port}/v1")
    server.shutdown()


if __name__ == "__main__":
    main()
