"""Calls a local gateway through a proxy that damages its answers, and counts what callers get.

    make strain

Each condition has its own proxy, and a fixed number of calls by threads and by tasks of an event
loop. The exit code is 1 if a call got the answer to another one, raised anything but a
`SegmindError`, took longer than its timeout allows, or was sent twice with `max_retries=0`, or if
descriptors or threads stayed behind.
"""

import asyncio
import gc
import os
import random
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from langchain_segmind import ChatSegmindGPT4Turbo, SegmindError
from langchain_segmind.gateway import Gateway, Request

CALLS = 400
"""Calls of each condition: half of them synchronous, and half of them with retries."""

WORKERS = 16
"""Calls in flight at a time, both synchronous and asynchronous."""

CALL_SECONDS = 2.0
"""The timeout of one call."""

SPARE_SECONDS = 1.0
"""How much longer a call may take on a busy machine."""

MAX_SECONDS = 900.0
"""The process ends after this time, should calls hang."""

IDLE_SECONDS = 0.03
"""The pause of a lone caller after each call, where connections are to be idle."""

SHARE = 0.25
"""The share of the answers that is damaged."""

STRANGER = b'{"choices": [{"message": {"role": "assistant", "content": "to a stranger"}}]}'
GLUED = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(STRANGER), STRANGER)
"""An answer that belongs to no call."""

Damage = Callable[[bytes, asyncio.StreamWriter, random.Random], Awaitable[None]]
"""Sends an answer, damaged."""


async def cut(answer: bytes, writer: asyncio.StreamWriter, rng: random.Random) -> None:
    """End the connection within the answer."""
    writer.write(answer[: rng.randrange(len(answer))])
    writer.close()


async def reset(answer: bytes, writer: asyncio.StreamWriter, rng: random.Random) -> None:
    """Reset the connection within the answer."""
    writer.write(answer[: rng.randrange(len(answer))])
    writer.transport.abort()


async def stall(answer: bytes, writer: asyncio.StreamWriter, rng: random.Random) -> None:
    """Stop within the answer, and leave the connection open."""
    writer.write(answer[: rng.randrange(len(answer))])
    await asyncio.Event().wait()


async def trickle(answer: bytes, writer: asyncio.StreamWriter, rng: random.Random) -> None:
    """Send the answer in pieces of a few bytes, most of them in time."""
    position = 0
    while position < len(answer):
        end = position + rng.randint(1, 9)
        writer.write(answer[position:end])
        position = end
        await asyncio.sleep(rng.uniform(0, 0.04))


async def glue(answer: bytes, writer: asyncio.StreamWriter, rng: random.Random) -> None:
    """Send another answer right behind."""
    writer.write(answer + GLUED * rng.randint(1, 3))


async def follow(answer: bytes, writer: asyncio.StreamWriter, rng: random.Random) -> None:
    """Send another answer, or half of one, while the connection is idle."""
    writer.write(answer)
    await asyncio.sleep(rng.uniform(0, IDLE_SECONDS / 5))
    writer.write(GLUED[: rng.choice([1, 20, None])])


async def delay(answer: bytes, writer: asyncio.StreamWriter, rng: random.Random) -> None:
    """Send the answer up to half a second later."""
    await asyncio.sleep(rng.uniform(0, 0.5))
    writer.write(answer)


async def forget(answer: bytes, writer: asyncio.StreamWriter, rng: random.Random) -> None:
    """Send the answer, and nothing afterwards: a router has forgotten the connection."""
    writer.write(answer)
    await asyncio.Event().wait()


CONDITIONS: dict[str, Damage | None] = {
    "undisturbed": None,
    "answers cut off": cut,
    "connections reset": reset,
    "answers that stop": stall,
    "connections forgotten": forget,
    "answers in small pieces": trickle,
    "second answers glued on": glue,
    "second answers while idle": follow,
    "second answers glued on, TLS": glue,
    "second answers while idle, TLS": follow,
    "slow answers, and cancelled calls": delay,
    "server restarts": None,
}
"""What happens to a part of the answers."""


class Proxy:
    """Passes bytes to a server and back while its block runs, and damages a part of the answers.

    Args:
        port: The server's port on loopback.
        damage: What happens to a part of the answers.
        restarts: Whether it closes all connections every 0.3 s and refuses new ones for 0.1 s.
        context: Its TLS certificate; None for plain HTTP.

    Attributes:
        port: Its own port.
        damaged: How many answers were damaged, or how often it restarted.
        connections: How many connections are open.
    """

    def __init__(
        self,
        port: int,
        damage: Damage | None,
        *,
        restarts: bool,
        context: ssl.SSLContext | None,
    ) -> None:
        self.port = 0
        self.damaged = self.connections = 0
        self._target = port
        self._damage = damage
        self._restarts = restarts
        self._context = context
        self._rng = random.Random(7)  # noqa: S311 - not a secret
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        """Start it."""
        self._thread.start()
        self._is_ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._is_ready.set()
        while self._restarts:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), 0.3)
                break
            server.close()
            self.damaged += 1
            for task in self._tasks:
                task.cancel()
            await asyncio.sleep(0.1)
            server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        await self._end.wait()
        server.close()
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.connections += 1
        upstream = None
        try:
            source, upstream = await asyncio.open_connection("127.0.0.1", self._target)
            answering = asyncio.create_task(self._answer(source, writer))
            try:
                while data := await reader.read(1 << 16):
                    upstream.write(data)
            finally:
                answering.cancel()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.connections -= 1
            self._tasks.discard(task)
            for each in filter(None, [upstream, writer]):
                each.transport.abort() if self._restarts else each.close()

    async def _answer(self, source: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await source.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                answer = head + await source.readexactly(length)
                if self._damage and self._rng.random() < SHARE:
                    self.damaged += 1
                    await self._damage(answer, writer, self._rng)
                else:
                    writer.write(answer)
        writer.close()


@dataclass
class Tally:
    """What the calls of a condition got."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: str, start: float) -> None:
        """Count a call that began at `start`, in seconds of `time.monotonic`."""
        took = time.monotonic() - start
        with self.lock:
            self.outcomes[outcome] += 1
            self.slowest = max(self.slowest, took)

    def add_error(self, error: BaseException, start: float) -> None:
        """Count a call that failed."""
        name = type(error).__name__
        self.add(name if isinstance(error, SegmindError) else f"CRASH {name}", start)


async def repeat(request: Request) -> str:
    """Repeat the question, so that the answer to another call is detected."""
    return request.last_message


def judge(text: str, answer: str) -> str:
    """Return the outcome of a call that got an answer."""
    return "answer" if answer == text else "ANOTHER CALL'S ANSWER"


@dataclass
class Caller:
    """Makes all calls of a condition.

    Args:
        condition: Its name.
        models: A model without retries, and one with.
        tally: Counts what the calls get.
    """

    condition: str
    models: list[ChatSegmindGPT4Turbo]
    tally: Tally

    def run(self) -> None:
        """Make the calls: half of them in threads, and half of them on an event loop."""
        self.pause = IDLE_SECONDS if "idle" in self.condition else 0.0
        self.is_cancelling = "cancelled" in self.condition
        self.workers = 1 if self.pause else WORKERS
        self.rng = random.Random(3)  # noqa: S311 - not a secret
        with ThreadPoolExecutor(self.workers) as threads:
            for number in range(CALLS // 2):
                threads.submit(self.call, number)
            asyncio.run(self.acall_all())
        self.models[0].close()

    def call(self, number: int) -> None:
        """Make a synchronous call."""
        start, text = time.monotonic(), self.write(number)
        try:
            self.tally.add(judge(text, self.models[number % 2].invoke(text).text), start)
        except Exception as error:  # noqa: BLE001 - counted, and the run goes on
            self.tally.add_error(error, start)
        time.sleep(self.pause)

    async def acall_all(self) -> None:
        """Make all asynchronous calls."""
        self.slots = asyncio.Semaphore(self.workers)
        await asyncio.gather(*(self.acall(number) for number in range(CALLS // 2, CALLS)))
        await self.models[0].aclose()

    async def acall(self, number: int) -> None:
        """Make an asynchronous call, and cancel it after a while."""
        async with self.slots:
            start, text = time.monotonic(), self.write(number)
            patience = self.rng.uniform(0, 0.25) if self.is_cancelling else None
            try:
                async with asyncio.timeout(patience):
                    reply = await self.models[number % 2].ainvoke(text)
                self.tally.add(judge(text, reply.text), start)
            except TimeoutError:
                self.tally.add("cancelled", start)
            except Exception as error:  # noqa: BLE001 - counted, and the run goes on
                self.tally.add_error(error, start)
            await asyncio.sleep(self.pause)

    def write(self, number: int) -> str:
        """Return the text of a call, which no other call has."""
        return f"{self.condition} {number}"


def count_resources() -> tuple[int, int]:
    """Return how many descriptors are open (0 where unknown), and how many threads run."""
    gc.collect()
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0, threading.active_count()


def wait_for_resources(wanted: tuple[int, int]) -> tuple[int, int]:
    """Count again until no more are in use than `wanted`; a server closes a little later."""
    end = time.monotonic() + CALL_SECONDS
    while is_more(counts := count_resources(), wanted) and time.monotonic() < end:
        time.sleep(0.01)
    return counts


def is_more(counts: tuple[int, int], others: tuple[int, int]) -> bool:
    """Whether any of the counts is higher."""
    return any(count > other for count, other in zip(counts, others, strict=True))


def create_certificate(folder: Path) -> ssl.SSLContext | None:
    """Return a new certificate, which models trust; None without openssl."""
    if (openssl := shutil.which("openssl")) is None:
        return None
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = (
        f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 1 -keyout {key} -out {certificate} "
        "-subj /CN=strain -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    os.environ["SSL_CERT_FILE"] = str(certificate)
    return context


def measure(
    condition: str, damage: Damage | None, gateway: Gateway, context: ssl.SSLContext | None
) -> list[str]:
    """Run a condition, print its row, and return what was wrong."""
    gateway.reset()
    tally, before = Tally(), count_resources()
    scheme = "https" if context else "http"
    restarts = "restarts" in condition
    with Proxy(gateway.port, damage, restarts=restarts, context=context) as proxy:
        models = [
            ChatSegmindGPT4Turbo(
                base_url=f"{scheme}://127.0.0.1:{proxy.port}/v1",
                api_key=gateway.api_key,
                timeout=CALL_SECONDS,
                max_retries=max_retries,
            )
            for max_retries in (0, 2)
        ]
        Caller(condition, models, tally).run()
    after = wait_for_resources(before)
    sent = Counter(request.last_message for request in gateway.requests)
    twice = sum(count > 1 for text, count in sent.items() if int(text.split()[-1]) % 2 == 0)
    outcomes = tally.outcomes
    problems = [name for name in outcomes if name.isupper() or name.startswith("CRASH")]
    if outcomes.total() != CALLS:
        problems.append(f"{CALLS - outcomes.total()} calls lost")
    if twice:
        problems.append(f"{twice} sent twice with max_retries=0")
    if tally.slowest > CALL_SECONDS + SPARE_SECONDS:
        problems.append("a call exceeded its timeout")
    if is_more(after, before):
        problems.append(f"descriptors and threads: {before} before, {after} after")
    errors = ", ".join(
        f"{count} {name.removeprefix('Segmind').removesuffix('Error')}"
        for name, count in sorted(outcomes.items())
        if name not in {"answer", "cancelled"}
    )
    print(
        f"| {condition} | {proxy.damaged} | {outcomes['answer']} | {outcomes['cancelled']} | "
        f"{errors or 'none'} | {sent.total()} | {tally.slowest:.1f} |",
        flush=True,
    )
    return [f"{condition}: {problem}" for problem in problems]


def main() -> int:
    """Run all conditions, print a table, and return the exit code."""
    watchdog = threading.Timer(MAX_SECONDS, os._exit, [2])
    watchdog.daemon = True
    watchdog.start()
    print("| condition | disturbances | answers | cancelled | errors | requests | slowest, s |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    problems = []
    with TemporaryDirectory() as folder, Gateway(replies=repeat, credits=1_000_000) as gateway:
        certificate = create_certificate(Path(folder))
        for condition, damage in CONDITIONS.items():
            context = certificate if "TLS" in condition else None
            if context or "TLS" not in condition:
                problems += measure(condition, damage, gateway, context)
    watchdog.cancel()
    print(f"\n{CALLS} calls each.", *(problems or ["Every promise was kept."]), sep="\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
