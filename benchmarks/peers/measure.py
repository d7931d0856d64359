"""Measures one contender in its own process and prints JSON.

`rounds.py` starts it, after it has imported the contender's package and measured that.
"""

import asyncio
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.peers.contenders import CONTENDERS
from benchmarks.peers.server import TEXT, Server

QUESTION = "Why is the sky blue? One sentence."
CONSTRUCTIONS = 15
WARM_UP = 20
SYNC_CALLS = 200
ASYNC_CALLS = {1: 100, 64: 1024, 512: 1024}
"""For each number of calls in flight, how many are made."""
MAX_SECONDS = 2
"""How long calls are made at most, by the pace of the warm-up, with a slow contender."""


def main(import_s: float) -> None:
    """Measure the contender of the command line: name, server, numbers of calls in flight.

    Args:
        import_s: Seconds that the import of the contender's package took.
    """
    name, origin, *levels = sys.argv[1:]
    figures = measure(name, Server("", origin), [int(level) for level in levels])
    sys.stdout.write(json.dumps({"import_s": import_s, **figures}))


def measure(name: str, server: Server, levels: Sequence[int]) -> dict[str, float]:
    """Measure the constructor, sequential calls, calls in flight, and memory."""
    contender = CONTENDERS[name]
    model_class = contender.load_class()
    arguments = contender.create_arguments(server.base_url)
    figures = {"construct_us": measure_construction(lambda: model_class(**arguments))}
    model = model_class(**arguments)
    figures |= measure_sync(model.invoke)
    with asyncio.Runner() as runner:  # clients belong to the loop of their first call
        for in_flight in levels:
            figures |= runner.run(measure_async(model.ainvoke, in_flight))
        figures["connections"] = float(server.count_connections())
    # Linux counts in KiB, macOS in bytes.
    unit = 1024**2 if sys.platform == "darwin" else 1024
    figures["memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return figures


def measure_construction(create: Callable[[], Any]) -> float:
    """Return the median time of a constructor in microseconds, without the first one."""
    create()
    times = []
    for _ in range(CONSTRUCTIONS):
        start = time.perf_counter()
        create()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def measure_sync(invoke: Callable[[str], Any]) -> dict[str, float]:
    """Measure sequential calls: the median, and the CPU time."""
    start = time.perf_counter()
    for _ in range(WARM_UP):
        check(invoke(QUESTION))
    calls = limit_calls(SYNC_CALLS, WARM_UP, time.perf_counter() - start)
    times = []
    cpu = time.process_time()
    for _ in range(calls):
        start = time.perf_counter()
        invoke(QUESTION)
        times.append(time.perf_counter() - start)
    cpu = time.process_time() - cpu
    return {"sync_us": statistics.median(times) * 1e6, "sync_cpu_us": cpu / calls * 1e6}


async def measure_async(ainvoke: Callable[[str], Any], in_flight: int) -> dict[str, float]:
    """Measure calls in flight: calls per second, and the CPU time of each.

    Opening the connections is part of it, as in every burst of calls.
    """
    start = time.perf_counter()
    for _ in range(WARM_UP):
        check(await ainvoke(QUESTION))
    fit = limit_calls(ASYNC_CALLS[in_flight], WARM_UP, time.perf_counter() - start)
    calls = max(fit, in_flight)
    cpu, start = time.process_time(), time.perf_counter()
    await call_many(ainvoke, in_flight, calls)
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - start
    return {
        f"async_{in_flight}": calls / seconds,
        f"async_{in_flight}_cpu_us": cpu / calls * 1e6,
    }


def limit_calls(wanted: int, done: int, seconds: float) -> int:
    """Return how many calls to make: as many as wanted, or as fit into `MAX_SECONDS`.

    Args:
        wanted: The number of calls.
        done: How many calls were made in the warm-up; the least that is returned.
        seconds: How long the warm-up took.
    """
    return min(wanted, max(done, int(MAX_SECONDS * done / seconds)))


async def call_many(ainvoke: Callable[[str], Any], in_flight: int, calls: int) -> None:
    """Make calls, `in_flight` at a time."""
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await ainvoke(QUESTION)

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(work())


def check(reply: Any) -> None:
    """Raise unless this is the server's reply, as a message or as JSON."""
    text = reply["choices"][0]["message"]["content"] if isinstance(reply, dict) else reply.content
    if text != TEXT:
        raise ValueError(f"The server's reply was expected, not {text!r}.")
