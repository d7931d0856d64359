"""Counts what a function does instead of timing it: the same on every machine."""

import os
import sys
from collections.abc import Callable
from typing import Any

# Mutation testing calls each function through others (`make mutate`).
MAX_STEPS = 5_000_000 * int(os.environ.get("STEPS_PER_CALL", "1"))
"""What bounded work may take, about one to two seconds."""


def count_steps(work: Callable[[], Any]) -> int:
    """Return how many calls, of Python's and C's functions, some work takes."""
    steps = 0

    def count(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal steps
        steps += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return steps
