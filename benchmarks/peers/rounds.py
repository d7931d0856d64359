"""Rounds of measurements: contenders alternate, so that a busy moment affects all of them."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.peers.contenders import Contender
from benchmarks.peers.server import Server

Figures = dict[str, float]

ROUNDS = 3
LEVELS = ("1", "64")
"""The numbers of calls in flight in every round."""
LAST_LEVELS = (*LEVELS, "512")
"""Those of the last round: most contenders need many seconds for 512."""
SINGLE_CALL_RUNS = 12
"""How often single calls are measured again, where their ratio is a target."""
IMPORT_RUNS = 12
"""How often the import is measured."""
IMPORT_AFTER = """\
import {before}, time
start = time.perf_counter()
import {module}
seconds = time.perf_counter() - start
print('{{"import_added_s":', seconds, '}}')
"""
"""What an import adds to another one: the difference of two imports would be mostly noise."""
MAX_OPEN_FILES = 4096
"""What 512 calls in flight and the server need."""

IMPORT = """\
import time
start = time.perf_counter()
import {module}
seconds = time.perf_counter() - start
"""
"""The package is imported first, as by the first line of a user's program."""
MEASURE = "from benchmarks.peers.measure import main\nmain(seconds)\n"


def measure_rounds(contenders: Mapping[str, Contender], server: Server) -> dict[str, list[Figures]]:
    """Measure each contender once a round; 512 in flight, and memory, in the last one only."""
    measured: dict[str, list[Figures]] = {name: [] for name in contenders}
    for number in range(ROUNDS):
        last = number == ROUNDS - 1
        for name in order(list(contenders), number):
            sys.stderr.write(f"Round {number + 1} of {ROUNDS}: {name}\n")
            levels = LAST_LEVELS if last else LEVELS
            figures = measure(contenders[name], name, server, *levels)
            if not last:
                del figures["connections"], figures["memory_mib"]
            measured[name].append(figures)
    return measured


def measure_single_calls(
    contenders: Mapping[str, Contender], server: Server
) -> dict[str, list[Figures]]:
    """Measure sequential calls again, in short runs."""
    measured: dict[str, list[Figures]] = {name: [] for name in contenders}
    for number in range(SINGLE_CALL_RUNS):
        for name in order(list(contenders), number):
            figures = measure(contenders[name], name, server)
            measured[name].append({key: figures[key] for key in ("sync_us", "sync_cpu_us")})
    return measured


def measure_added_import(module: str, before: str) -> list[Figures]:
    """Measure how long the import of a module takes once another one is imported."""
    script = IMPORT_AFTER.format(module=module, before=before)
    return [run_python("-c", script) for _ in range(IMPORT_RUNS)]


def measure(contender: Contender, name: str, server: Server, *levels: str) -> Figures:
    """Measure a contender in its own process, at each number of calls in flight."""
    before = server.count_connections()
    script = IMPORT.format(module=contender.module) + MEASURE
    figures: Figures = run_python("-c", script, name, server.origin, *levels)
    figures["connections"] -= before + 1  # one of them is the query itself
    return figures


def order(names: Sequence[str], number: int) -> Iterator[str]:
    """Return the contenders in the order of a round, which alternates."""
    return reversed(names) if number % 2 else iter(names)


def run_python(*arguments: str, **options: Any) -> Any:
    """Run Python without the environment's proxies and tracing, and return the JSON it prints.

    Args:
        *arguments: The command line.
        **options: Further arguments of `subprocess.run`.
    """
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "LANG", "PYTHONPATH")
        if name in os.environ
    }
    # LiteLLM downloads its table of models otherwise.
    environment = {**kept, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    run = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        **options,
    )
    return json.loads(run.stdout)


def allow_open_files() -> None:
    """Allow this process and its children enough open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < MAX_OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, hard))
