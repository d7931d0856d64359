"""Fixtures of tests with other packages; `make test_clients` runs them."""

import gzip
import json
import os
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from langchain_segmind import ChatSegmind

# Read on import: no package reports its use to its makers.
os.environ.update(
    {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_MODEL_CATALOG_URI": "",  # no prices over the network
        "RAGAS_DO_NOT_TRACK": "true",
    }
)


def pytest_configure(config: pytest.Config) -> None:
    """Let other packages raise warnings, also on import; ours are errors."""
    config.addinivalue_line("filterwarnings", "ignore")
    config.addinivalue_line("filterwarnings", r"error:::langchain_segmind(\..*)?")


@pytest.fixture
def model(create_model: Callable[..., ChatSegmind]) -> ChatSegmind:
    """Create a model without retries, so that a refused request fails at once."""
    return create_model(max_retries=0)


class Collector(ThreadingHTTPServer):
    """Receives traces, as LangSmith's and Langfuse's APIs do.

    Attributes:
        bodies: What was posted.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), CollectorHandler)
        self.bodies: list[bytes] = []

    @property
    def url(self) -> str:
        """The server's URL."""
        return f"http://127.0.0.1:{self.server_port}"


class CollectorHandler(BaseHTTPRequestHandler):
    """Answers requests of a `Collector`."""

    server: Collector

    def do_GET(self) -> None:
        """Answer as LangSmith does to a client that asks how to send runs."""
        batches = {
            "use_multipart_endpoint": False,
            "scale_up_qsize_trigger": 1_000,
            "scale_up_nthreads_limit": 1,
            "scale_down_nempty_trigger": 4,
            "size_limit": 100,
            "size_limit_bytes": 20_000_000,
        }
        self._answer({"batch_ingest_config": batches})

    def do_POST(self) -> None:
        """Store a body."""
        body = self.rfile.read(int(self.headers["content-length"]))
        is_compressed = self.headers.get("content-encoding") == "gzip"
        self.server.bodies.append(gzip.decompress(body) if is_compressed else body)
        self._answer({})

    def _answer(self, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Run a server that collects traces."""
    with Collector() as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
