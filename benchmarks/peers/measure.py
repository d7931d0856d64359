"""What one contender takes, measured in a process of its own: prints JSON.

`rounds.py` starts it, and imports the contender's package first, by the clock.
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
ASYNC_CALLS = {1: 100, 64: 256, 512: 1024, 2000: 2000}
"""For each number of calls in flight, how many are made."""
PATIENCE = 2
"""Seconds after which a slow contender's calls are enough, by the pace of its warm-up."""


def main(import_s: float) -> None:
    """Measure what the command line names: a contender, a server, and numbers of calls in flight.

    Args:
        import_s: How long it took to import the contender's package, in seconds.
    """
    name, origin, *levels = sys.argv[1:]
    figures = measure(name, Server("", origin), [int(level) for level in levels])
    sys.stdout.write(json.dumps({"import_s": import_s, **figures}))


def measure(name: str, server: Server, levels: Sequence[int]) -> dict[str, float]:
    """Measure construction, calls one by one, calls in flight, and memory."""
    contender = CONTENDERS[name]
    model_class = contender.load_class()
    arguments = contender.create_arguments(server.base_url)
    figures = {"construct_us": measure_construction(lambda: model_class(**arguments))}
    model = model_class(**arguments)
    figures |= measure_sync(model.invoke)
    with asyncio.Runner() as runner:  # one loop, since clients keep to the loop they began in
        for in_flight in levels:
            figures |= runner.run(measure_async(model.ainvoke, in_flight))
        figures["connections"] = float(server.count_connections())
    # Linux counts in KiB, macOS in bytes.
    unit = 1024**2 if sys.platform == "darwin" else 1024
    figures["memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return figures


def measure_construction(create: Callable[[], Any]) -> float:
    """Measure how long it takes to make a model once its package is warm, in microseconds."""
    create()
    times = []
    for _ in range(CONSTRUCTIONS):
        start = time.perf_counter()
        create()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def measure_sync(invoke: Callable[[str], Any]) -> dict[str, float]:
    """Measure calls one by one: the median, and the processor's time."""
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
    """Measure calls in flight: calls per second, and the processor's time for each.

    Opening the connections is part of it, as it is of every burst of calls.
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


def limit_calls(most: int, calls: int, seconds: float) -> int:
    """Limit the number of calls to what fits into the patience, at the pace of some calls."""
    return min(most, max(calls, int(PATIENCE * calls / seconds)))


async def call_many(ainvoke: Callable[[str], Any], in_flight: int, calls: int) -> None:
    """Make calls, so many at a time."""
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await ainvoke(QUESTION)

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(work())


def check(reply: Any) -> None:
    """Check that what came back is the reply, as a message or as JSON."""
    text = reply["choices"][0]["message"]["content"] if isinstance(reply, dict) else reply.content
    if text != TEXT:
        raise ValueError(f"The server's reply was expected, not {text!r}.")
