"""Calls a local gateway, a tenth of whose answers are faults, for a while, and shows what leaks.

    make soak SECONDS=60

One process makes synchronous calls in threads and asynchronous ones by each library. It ends by
itself; its exit code is 1 if a call was lost, or raised what is no `SegmindError`, or if open
descriptors grew.
"""

import argparse
import asyncio
import gc
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from langchain_core.callbacks import BaseCallbackHandler

from langchain_segmind import ChatSegmindGPT4Turbo, SegmindError
from langchain_segmind.gateway import Gateway, Request

FAULTS = ["503@0.03", "429@0.01", "drop@0.02", "cut@0.01", "html@0.01", "empty@0.01", "404@0.01"]
"""Together a tenth of all answers."""

WORKERS = 4
"""Calls under way at a time on each of the ways."""

LONGEST_TIMEOUT = 20.0
"""Seconds that one call may take, and that the whole may take longer than asked for."""

WARM_UP = 2.0
"""Seconds before memory and descriptors are counted for the first time."""

SPARE_DESCRIPTORS = 3 * WORKERS
"""By how many open descriptors may grow: connections come and go with the faults."""


class Tally(BaseCallbackHandler):
    """Counts what calls do; shared by threads and event loops."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.retries = 0
        self._lock = threading.Lock()

    def on_retry(self, retry_state: object, **_: object) -> None:
        """Count a further attempt."""
        with self._lock:
            self.retries += 1

    @contextmanager
    def counting(self, way: str) -> Iterator[None]:
        """Count a call and its outcome; what is no error of ours is counted as a crash."""
        outcome = "answers"
        try:
            yield
        except SegmindError as error:
            outcome = type(error).__name__
        except AssertionError:
            outcome = "LOST: another call's answer"
        except Exception as error:  # noqa: BLE001 - a soak goes on, and tells
            outcome = f"CRASH: {type(error).__name__}"
        with self._lock:
            self.calls[way] += 1
            self.outcomes[outcome] += 1


def answer(request: Request) -> str:
    """Say again what was asked, so that an answer to another call is seen."""
    return request.last_message


def call_until(end: float, model: ChatSegmindGPT4Turbo, tally: Tally, name: str) -> None:
    """Call a model, one call after the other."""
    number = 0
    while time.monotonic() < end:
        number += 1
        text = f"{name} {number}"
        with tally.counting("sync"):
            assert model.invoke(text, {"callbacks": [tally]}).text == text


async def acall_until(end: float, model: ChatSegmindGPT4Turbo, tally: Tally, name: str) -> None:
    """Call a model, one call after the other, on an event loop."""
    number = 0
    while time.monotonic() < end:
        number += 1
        text = f"{name} {number}"
        with tally.counting(model.async_transport):
            assert (await model.ainvoke(text, {"callbacks": [tally]})).text == text


async def arun(end: float, models: list[ChatSegmindGPT4Turbo], tally: Tally) -> None:
    """Make all asynchronous calls on one event loop."""
    async with asyncio.TaskGroup() as group:
        for model in models:
            for worker in range(WORKERS):
                name = f"{model.async_transport} {worker}"
                group.create_task(acall_until(end, model, tally, name))


def measure(gateway: Gateway) -> tuple[float, int]:
    """Get the process's memory in MB, and how many descriptors it has open; 0 where unknown."""
    gateway.reset()  # it remembers thousands of requests
    gc.collect()
    pages = Path("/proc/self/statm")
    memory = (
        int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        if pages.exists()
        else 0.0
    )
    folder = next(
        (path for path in (Path("/proc/self/fd"), Path("/dev/fd")) if path.exists()), None
    )
    return memory, len(list(folder.iterdir())) if folder else 0


def run(end: float, base_url: str, api_key: str, tally: Tally) -> None:
    """Make calls on all ways until the end."""

    def create(library: str) -> ChatSegmindGPT4Turbo:
        return ChatSegmindGPT4Turbo(
            base_url=base_url, api_key=api_key, async_transport=library, timeout=LONGEST_TIMEOUT
        )

    libraries = ["httpx", *(["aiohttp"] if find_spec("httpx_aiohttp") else [])]
    model = create("auto")
    threads = [
        threading.Thread(target=call_until, args=(end, model, tally, f"sync {worker}"))
        for worker in range(WORKERS)
    ]
    for thread in threads:
        thread.start()
    asyncio.run(arun(end, [create(library) for library in libraries], tally))
    for thread in threads:
        thread.join()


def show(rows: list[tuple[str, object]]) -> None:
    """Print a table."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value:>12}")  # noqa: T201 - a script prints


def main() -> int:
    """Run, show, and give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, prog="soak")
    parser.add_argument("--seconds", type=float, default=600.0)
    seconds = parser.parse_args().seconds
    tally = Tally()
    with Gateway(replies=answer, credits=1_000_000, fault=FAULTS, fault_seed=7) as gateway:
        # A bound for the case that calls hang: the gateway keeps its last requests.
        watch = threading.Timer(seconds + 2 * LONGEST_TIMEOUT, os._exit, [2])
        watch.daemon = True
        watch.start()
        run(time.monotonic() + min(WARM_UP, seconds / 2), gateway.base_url, gateway.api_key, tally)
        before = measure(gateway)
        began = time.monotonic()
        run(began + seconds - WARM_UP, gateway.base_url, gateway.api_key, tally)
        took = time.monotonic() - began
        after = measure(gateway)
        watch.cancel()
    show(
        [
            *((f"calls, {way}", count) for way, count in sorted(tally.calls.items())),
            ("calls a second", f"{tally.calls.total() / (took + WARM_UP):.0f}"),
            ("retries", tally.retries),
            *tally.outcomes.most_common(),
            ("MB at the start", f"{before[0]:.1f}"),
            ("MB at the end", f"{after[0]:.1f}"),
            ("descriptors at the start", before[1]),
            ("descriptors at the end", after[1]),
        ]
    )
    is_wrong = any(name.startswith(("LOST", "CRASH")) for name in tally.outcomes)
    return int(is_wrong or after[1] > before[1] + SPARE_DESCRIPTORS)


if __name__ == "__main__":
    sys.exit(main())
