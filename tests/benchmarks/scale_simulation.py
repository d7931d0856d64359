"""What more workers bring under an account's limit, computed: `make scale_table`.

A model of `examples/batch_on_ray.py`: workers with a few calls at once, who take a batch when the
one before is done, and wait in one queue for a place in the moving window of the limiter.
"""

import heapq
import math
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
BEGIN = "<!-- begin: written by `make scale_table` -->"
END = "<!-- end -->"

WINDOW = 61
"""Seconds of the limiter's window: a minute, and one second for clocks that differ."""
WINDOWS = 20
"""Windows that are counted, after as many in which the workers get going."""
SPREAD = 0.5
"""How much calls differ: the standard deviation of the logarithm of their seconds."""
SEED = 1

LIMITS = (5, 50, 300, 1_000)
"""Requests per minute; Segmind publishes 5 to 1,000, by plan."""
SECONDS = (2, 10, 30)
"""Of a call, on average."""
WORKERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
TABLE_SECONDS = 10
"""Of a call on average, in the table of workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is run.

    Attributes:
        workers: How many there are.
        limit: Requests that fit into the window.
        seconds: How long a call takes on average.
        calls_at_once: Calls that a worker has under way.
        batch_rows: Rows of a batch.
    """

    workers: int
    limit: int
    seconds: float
    calls_at_once: int = 8
    batch_rows: int = 32


def count_calls_under_way(limit: int, seconds: float) -> float:
    """Compute how many calls are under way where a limit is used up: Little's law."""
    return limit / WINDOW * seconds


def count_workers(limit: int, seconds: float, calls_at_once: int = 1) -> int:
    """Compute how many workers, always busy, use a limit up."""
    return math.ceil(count_calls_under_way(limit, seconds) / calls_at_once)


def estimate_rate(plan: Plan) -> float:
    """Compute the most requests per minute that limit and workers allow."""
    return min(plan.limit / WINDOW, plan.workers * plan.calls_at_once / plan.seconds) * 60


def measure_rate(plan: Plan, seed: int = SEED) -> float:
    """Simulate, and count the requests per minute."""
    begins = simulate(plan, 2 * WINDOWS * WINDOW, seed)
    counted = sum(begin >= WINDOWS * WINDOW for begin in begins)
    return counted / (WINDOWS * WINDOW) * 60


@dataclass(slots=True)
class Worker:
    """A worker, in the middle of a batch."""

    left: int = 0
    under_way: int = 0


@dataclass(slots=True)
class Run:
    """A simulation under way: calls end in the order of the clock, and others begin."""

    plan: Plan
    random: Random
    begins: list[float] = field(default_factory=list)
    ends: list[tuple[float, int]] = field(default_factory=list)
    window: deque[float] = field(default_factory=deque)

    def begin_call(self, number: int, now: float) -> None:
        """Begin a worker's next call, when there is a place in the window."""
        if len(self.window) == self.plan.limit:
            now = max(now, self.window.popleft() + WINDOW)
        self.window.append(now)
        self.begins.append(now)
        # Of a lognormal distribution whose mean is the call's seconds.
        factor = self.random.lognormvariate(-(SPREAD**2) / 2, SPREAD)
        heapq.heappush(self.ends, (now + self.plan.seconds * factor, number))


def simulate(plan: Plan, duration: float, seed: int = SEED) -> list[float]:
    """Simulate, and get the moments at which requests are sent, in order."""
    run = Run(plan, Random(seed))  # noqa: S311 - chance, not secrecy
    workers = [Worker() for _ in range(plan.workers)]
    for number in range(plan.workers):
        heapq.heappush(run.ends, (0.0, number))
    while run.ends and run.ends[0][0] < duration:
        now, number = heapq.heappop(run.ends)
        worker = workers[number]
        worker.under_way = max(worker.under_way - 1, 0)
        if not worker.left and not worker.under_way:
            worker.left = plan.batch_rows
        free = plan.calls_at_once - worker.under_way if worker.left else 0
        for _ in range(min(free, worker.left)):
            worker.left -= 1
            worker.under_way += 1
            run.begin_call(number, now)
    return [begin for begin in run.begins if begin < duration]


def render_rows(rows: Sequence[Sequence[str]]) -> str:
    """Write a table; the first row is its head."""
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, f"|{' ---: |' * len(rows[0])}", *body])


def render_section() -> str:
    """Write what stands between the marks."""
    limits = [f"{limit:,} a minute" for limit in LIMITS]
    needed = [
        ["seconds per call", *limits],
        *(
            [
                str(seconds),
                *(
                    f"{count_calls_under_way(limit, seconds):,.1f}: "
                    f"{count_workers(limit, seconds):,} / {count_workers(limit, seconds, 8):,}"
                    for limit in LIMITS
                ),
            ]
            for seconds in SECONDS
        ),
    ]
    rates = [
        ["workers", *limits],
        *(
            [f"{workers:,}", *(show_rate(workers, limit) for limit in LIMITS)]
            for workers in WORKERS
        ),
    ]
    return f"""\
Calls under way that use the limit up, then the workers for them: with one call at a time / with
eight.

{render_rows(needed)}

Requests per minute of the example, simulated, and how much that is of what the limiter allows.
Calls of {TABLE_SECONDS} s on average (lognormal, sigma {SPREAD:g}), eight at once, batches of 32
rows; {WINDOWS} windows are counted.

{render_rows(rates)}
"""


def show_rate(workers: int, limit: int) -> str:
    """Show what so many workers bring."""
    rate = measure_rate(Plan(workers=workers, limit=limit, seconds=TABLE_SECONDS))
    return f"{rate:,.0f} ({rate / (limit / WINDOW * 60):.0%})"


def replace_section(page: str, section: str) -> str:
    """Put the section between the marks of a page.

    Raises:
        ValueError: The page does not hold both marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} needs the lines {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n\n{section}\n{END}{after}"


def main() -> None:
    """Compute, show and write."""
    section = render_section()
    PAGE.write_text(replace_section(PAGE.read_text(encoding="utf-8"), section), encoding="utf-8")
    sys.stdout.write(f"{section}\nWritten to {PAGE.relative_to(PAGE.parents[1])}.\n")


if __name__ == "__main__":
    main()
