"""Calls a local gateway, a tenth of whose answers are faults, and reports what leaks.

    make soak SECONDS=60

One process makes synchronous calls in threads and asynchronous calls on an event loop. The exit
code is 1 if a call got the answer to another one, raised anything but a `SegmindError`, or if the
number of open descriptors grew.
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
from pathlib import Path

from langchain_core.callbacks import BaseCallbackHandler

from langchain_segmind import ChatSegmindGPT4Turbo, SegmindError
from langchain_segmind.gateway import Gateway, Request

FAULTS = ["503@0.03", "429@0.01", "drop@0.02", "cut@0.01", "html@0.01", "empty@0.01", "404@0.01"]
"""Together a tenth of all answers."""

WORKERS = 4
"""Calls in flight at a time, both synchronous and asynchronous."""

CALL_SECONDS = 20.0
"""The timeout of one call."""

WARM_UP_SECONDS = 2.0
"""Before memory and descriptors are counted for the first time."""

MAX_NEW_DESCRIPTORS = 2 * WORKERS
"""By how much open descriptors can grow: faults close connections, and calls open new ones."""


class Tally(BaseCallbackHandler):
    """Counts calls, outcomes and retries; shared by all threads and the event loop."""

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
    def counting(self, kind: str) -> Iterator[None]:
        """Count a call and its outcome; an error that is not a `SegmindError` is a crash."""
        outcome = "answers"
        try:
            yield
        except SegmindError as error:
            outcome = type(error).__name__
        except AssertionError:
            outcome = "LOST: another call's answer"
        except Exception as error:  # noqa: BLE001 - counted, and the run goes on
            outcome = f"CRASH: {type(error).__name__}"
        with self._lock:
            self.calls[kind] += 1
            self.outcomes[outcome] += 1


def answer(request: Request) -> str:
    """Repeat the question, so that the answer to another call is detected."""
    return request.last_message


def call_until(end: float, model: ChatSegmindGPT4Turbo, tally: Tally, name: str) -> None:
    """Call a model in a loop."""
    number = 0
    while time.monotonic() < end:
        number += 1
        text = f"{name} {number}"
        with tally.counting("sync"):
            assert model.invoke(text, {"callbacks": [tally]}).text == text


async def acall_until(end: float, model: ChatSegmindGPT4Turbo, tally: Tally, name: str) -> None:
    """Call a model in a loop, asynchronously."""
    number = 0
    while time.monotonic() < end:
        number += 1
        text = f"{name} {number}"
        with tally.counting("async"):
            assert (await model.ainvoke(text, {"callbacks": [tally]})).text == text


async def arun(end: float, model: ChatSegmindGPT4Turbo, tally: Tally) -> None:
    """Make all asynchronous calls on one event loop."""
    async with asyncio.TaskGroup() as group:
        for worker in range(WORKERS):
            group.create_task(acall_until(end, model, tally, f"async {worker}"))


def measure(gateway: Gateway) -> tuple[float, int]:
    """Return the process's memory in MB and its open descriptors; 0 where unknown."""
    gateway.reset()  # or its record of requests would count
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
    """Make synchronous and asynchronous calls until the end."""
    model = ChatSegmindGPT4Turbo(base_url=base_url, api_key=api_key, timeout=CALL_SECONDS)
    threads = [
        threading.Thread(target=call_until, args=(end, model, tally, f"sync {worker}"))
        for worker in range(WORKERS)
    ]
    for thread in threads:
        thread.start()
    asyncio.run(arun(end, model, tally))
    for thread in threads:
        thread.join()


def show(rows: list[tuple[str, object]]) -> None:
    """Print a table."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value:>12}")


def main() -> int:
    """Run, print the counts, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, prog="soak")
    parser.add_argument("--seconds", type=float, default=600.0)
    seconds = parser.parse_args().seconds
    tally = Tally()
    with Gateway(replies=answer, credits=1_000_000, fault=FAULTS, fault_seed=7) as gateway:
        # Ends the process should calls hang.
        watchdog = threading.Timer(seconds + 2 * CALL_SECONDS, os._exit, [2])
        watchdog.daemon = True
        watchdog.start()
        start = time.monotonic()
        warm_up = min(WARM_UP_SECONDS, seconds / 2)
        run(start + warm_up, gateway.base_url, gateway.api_key, tally)
        before = measure(gateway)
        run(start + seconds, gateway.base_url, gateway.api_key, tally)
        took = time.monotonic() - start
        after = measure(gateway)
        watchdog.cancel()
    show(
        [
            *((f"calls, {kind}", count) for kind, count in sorted(tally.calls.items())),
            ("calls a second", f"{tally.calls.total() / took:.0f}"),
            ("retries", tally.retries),
            *tally.outcomes.most_common(),
            ("MB at the start", f"{before[0]:.1f}"),
            ("MB at the end", f"{after[0]:.1f}"),
            ("descriptors at the start", before[1]),
            ("descriptors at the end", after[1]),
        ]
    )
    is_wrong = any(name.startswith(("LOST", "CRASH")) for name in tally.outcomes)
    return int(is_wrong or after[1] > before[1] + MAX_NEW_DESCRIPTORS)


if __name__ == "__main__":
    sys.exit(main())
