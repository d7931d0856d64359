"""Throughput of `SegmindEmbeddings` by `max_concurrency`, and its memory by the number of texts.

Needs Linux, which counts the memory.

    python -m benchmarks.embeddings

A server in another process answers each request after `LATENCY_SECONDS`, with a vector that differs
from all others. Writes the section of benchmarks/README.md.
"""

import asyncio
import multiprocessing
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

from langchain_segmind import SegmindEmbeddings

LATENCY_SECONDS = 0.05
"""How long the server takes; Segmind takes 0.9 s."""

CONCURRENCIES = (1, 2, 4, 8, 16, 32, 64)
MAX_TEXTS = 1_000
"""Texts of one measurement of the throughput."""

CORPORA = (10_000, 50_000, 100_000)
SHORT_LENGTH = 64
"""Numbers of a vector where memory is measured: 100,000 of the real ones would take 4.9 GB."""

LENGTH = 1_536
README = Path(__file__).parent / "README.md"
START, END = "<!-- begin: written by `make benchmark_embeddings` -->\n", "<!-- end -->\n"


class Server(asyncio.Protocol):
    """One connection, which answers requests with vectors."""

    numbers = count()

    def __init__(self, latency: float, length: int) -> None:
        self._latency = latency
        self._rest = ",0.0123456789" * (length - 1)
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer a request once it is complete."""
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        if not blank or len(body) < int(fields[b"content-length"]):
            return
        self._received = b""
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        body = f'{{"embedding":[{next(self.numbers)}{self._rest}]}}'.encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


def serve(started: Connection, latency: float, length: int) -> None:
    """Run the server until the process ends."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Server(latency, length), "127.0.0.1", 0)
        started.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def running_server(latency: float, length: int) -> Iterator[str]:
    """Yield the base URL of a server in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe()
    process = context.Process(target=serve, args=(sender, latency, length), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}/v1"
    finally:
        process.terminate()
        process.join()


def create(base_url: str, max_concurrency: int) -> SegmindEmbeddings:
    """Return embeddings for the server."""
    return SegmindEmbeddings(
        base_url=base_url, api_key="fake", max_concurrency=max_concurrency, max_retries=0
    )


def measure_throughput(base_url: str, max_concurrency: int, *, is_async: bool) -> float:
    """Return texts per second."""
    texts = [f"text {number}" for number in range(min(MAX_TEXTS, 50 * max_concurrency))]
    embeddings = create(base_url, max_concurrency)

    async def embed() -> float:
        await embeddings.aembed_documents(texts[:max_concurrency])  # opens the connections
        start = time.perf_counter()
        await embeddings.aembed_documents(texts)
        return time.perf_counter() - start

    if is_async:
        return len(texts) / asyncio.run(embed())
    embeddings.embed_documents(texts[:max_concurrency])
    start = time.perf_counter()
    embeddings.embed_documents(texts)
    return len(texts) / (time.perf_counter() - start)


def measure_memory(sender: Connection, base_url: str, texts: int) -> None:
    """Send the bytes that a call with so many texts adds to the peak of its process."""
    embeddings = create(base_url, 32)
    asyncio.run(embeddings.aembed_documents(f"warm {number}" for number in range(100)))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = get_bytes("VmRSS")
    start = time.perf_counter()
    vectors = asyncio.run(embeddings.aembed_documents(f"text {number}" for number in range(texts)))
    seconds = time.perf_counter() - start
    assert len(vectors) == texts
    sender.send((get_bytes("VmHWM") - before, seconds))


def get_bytes(name: str) -> int:
    """Return a figure of Linux about this process, such as `VmHWM`, its peak of memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


def measure() -> Iterator[str]:
    """Yield the lines of the report."""
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    yield f"Measured on {date.today()}: {machine}; vectors of {LENGTH:,} numbers, each"  # noqa: DTZ011 - a day
    yield f"{LATENCY_SECONDS * 1000:g} ms after its request.\n"
    yield "| `max_concurrency` | `embed_documents` texts/s | `aembed_documents` texts/s | at most |"
    yield "| ---: | ---: | ---: | ---: |"
    with running_server(LATENCY_SECONDS, LENGTH) as base_url:
        for concurrency in CONCURRENCIES:
            figures = [measure_throughput(base_url, concurrency, is_async=way) for way in (0, 1)]
            limit = concurrency / LATENCY_SECONDS
            yield f"| {concurrency} | {figures[0]:,.0f} | {figures[1]:,.0f} | {limit:,.0f} |"
    yield f"\nMemory, with vectors of {SHORT_LENGTH} numbers and texts from a generator:\n"
    yield "| texts | MB | bytes for a text | seconds |"
    yield "| ---: | ---: | ---: | ---: |"
    context = multiprocessing.get_context("spawn")
    with running_server(0, SHORT_LENGTH) as base_url:
        for texts in CORPORA:
            receiver, sender = context.Pipe()
            process = context.Process(target=measure_memory, args=(sender, base_url, texts))
            process.start()
            used, seconds = receiver.recv()
            process.join()
            yield f"| {texts:,} | {used / 1e6:,.0f} | {used / texts:,.0f} | {seconds:,.0f} |"


def main() -> None:
    """Measure, print, and write the section."""
    lines = []
    for line in measure():
        print(line, flush=True)  # noqa: T201 - a script
        lines.append(line)
    before, _, rest = README.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    report = "\n".join(lines)
    README.write_text(f"{before}{START}\n{report}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
