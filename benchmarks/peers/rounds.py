"""Rounds of measurements: each contender in turn, so that a busy moment hits all alike."""

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
"""Those of the last round: so many calls in flight take most contenders many seconds."""
MOST = "2000"
"""Calls in flight that only this package is asked for: many times its connections."""
ONE_BY_ONE = ("sync_us", "sync_cpu_us")
"""The figures of calls one by one."""
IMPORT_AFTER = """\
import {before}, time
start = time.perf_counter()
import {module}
seconds = time.perf_counter() - start
print('{{"import_added_s":', seconds, '}}')
"""
"""What one package's import adds to another's: the difference of two would be mostly noise."""
TURNS = 12
"""How often imports and single calls are measured once more, where their ratio matters."""
FILES = 4096
"""Open files that 512 calls in flight, and the server, may need."""

IMPORT = """\
import time
start = time.perf_counter()
import {module}
seconds = time.perf_counter() - start
"""
"""The package is imported before anything else, as if by a user's first line."""
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


def measure_turns(contenders: Mapping[str, Contender], server: Server) -> dict[str, list[Figures]]:
    """Measure imports and calls one by one again, in short turns."""
    measured: dict[str, list[Figures]] = {name: [] for name in contenders}
    for number in range(TURNS):
        for name in order(list(contenders), number):
            figures = measure(contenders[name], name, server)
            measured[name].append({key: figures[key] for key in ("import_s", *ONE_BY_ONE)})
    return measured


def measure_added_import(module: str, before: str) -> list[Figures]:
    """Measure how much longer the import of a module takes than that of another beneath it."""
    script = IMPORT_AFTER.format(module=module, before=before)
    return [run_python("-c", script) for _ in range(TURNS)]


def measure_most(contenders: Mapping[str, Contender], server: Server) -> dict[str, list[Figures]]:
    """Measure as many calls in flight as an event loop may ever be given, and their memory."""
    measured = {name: measure(one, name, server, MOST) for name, one in contenders.items()}
    return {
        name: [{f"async_{MOST}": one[f"async_{MOST}"], "memory_most_mib": one["memory_mib"]}]
        for name, one in measured.items()
    }


def measure(contender: Contender, name: str, server: Server, *levels: str) -> Figures:
    """Measure a contender in a process of its own, with so many calls in flight one after other."""
    before = server.count_connections()
    script = IMPORT.format(module=contender.module) + MEASURE
    figures: Figures = run_python("-c", script, name, server.origin, *levels)
    figures["connections"] -= before + 1  # one of them asked for the number
    return figures


def order(names: Sequence[str], number: int) -> Iterator[str]:
    """Order the contenders of a round: there and back."""
    return reversed(names) if number % 2 else iter(names)


def run_python(*arguments: str, **options: Any) -> Any:
    """Run Python in a clean environment, without proxies and tracing, and read what it prints.

    Args:
        *arguments: What stands on the command line.
        **options: What else `subprocess.run` gets.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    # LiteLLM fetches its table of models from the net unless it is told not to.
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
    """Let this process and those that it starts open enough files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
