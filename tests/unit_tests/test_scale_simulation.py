"""The laws that the simulation of docs/scale.md keeps."""

from itertools import pairwise

import pytest

from tests.benchmarks.scale_simulation import (
    BEGIN,
    END,
    PAGE,
    WINDOW,
    Plan,
    count_calls_under_way,
    count_workers,
    estimate_rate,
    measure_rate,
    render_section,
    replace_section,
    simulate,
)

PLANS = [
    pytest.param(Plan(workers=1, limit=5, seconds=10), id="the limit is small"),
    pytest.param(Plan(workers=3, limit=300, seconds=10), id="the workers are few"),
    pytest.param(Plan(workers=25, limit=1_000, seconds=10), id="both matter"),
    pytest.param(Plan(workers=100, limit=50, seconds=2), id="far too many workers"),
    pytest.param(Plan(workers=7, limit=50, seconds=30, calls_at_once=1), id="one call at a time"),
]


@pytest.mark.parametrize("plan", PLANS)
def test_no_window_holds_more_than_the_limit(plan) -> None:
    """Wherever it begins."""
    begins = simulate(plan, 10 * WINDOW)
    assert begins == sorted(begins)
    later = begins[plan.limit :]
    assert all(end >= begin + WINDOW for begin, end in zip(begins, later, strict=False))


@pytest.mark.parametrize("plan", PLANS)
def test_the_rate_is_below_what_limit_and_workers_allow(plan) -> None:
    """Calls differ by chance: a few in a hundred are left for it."""
    assert 0 < measure_rate(plan) <= 1.05 * estimate_rate(plan)


@pytest.mark.parametrize("limit", [5, 50, 300])
def test_more_workers_never_bring_less(limit) -> None:
    """Until the limit is used up, they bring more."""
    rates = [
        measure_rate(Plan(workers=workers, limit=limit, seconds=10))
        for workers in (1, 2, 4, 8, 16, 32)
    ]
    assert all(more >= 0.99 * fewer for fewer, more in pairwise(rates))
    assert rates[-1] == pytest.approx(limit / WINDOW * 60, rel=0.01)


def test_a_worker_that_is_always_busy_keeps_littles_law() -> None:
    """With one call at a time no batch has an end that waits."""
    plan = Plan(workers=20, limit=1_000, seconds=10, calls_at_once=1)
    assert measure_rate(plan) == pytest.approx(estimate_rate(plan), rel=0.05)
    assert estimate_rate(plan) == pytest.approx(120)


@pytest.mark.parametrize("limit", [50, 300])
def test_the_counted_workers_use_the_limit_up(limit) -> None:
    """A fifth more for chance; half as many do not."""
    needed = count_workers(limit, 10)

    def measure(workers: int) -> float:
        plan = Plan(workers=workers, limit=limit, seconds=10, calls_at_once=1)
        return measure_rate(plan) / (limit / WINDOW * 60)

    assert measure(round(1.2 * needed)) >= 0.97
    assert measure(needed // 2) <= 0.55


def test_calls_under_way_are_rate_times_seconds() -> None:
    """Workers are that many calls, in whole ones."""
    assert count_calls_under_way(61, 10) == pytest.approx(10)
    assert (count_workers(61, 10), count_workers(61, 10, 8), count_workers(5, 2, 8)) == (10, 2, 1)


def test_a_seed_gives_the_same_again() -> None:
    """And another one something else."""
    plan = Plan(workers=3, limit=50, seconds=10)
    assert simulate(plan, 600, 7) == simulate(plan, 600, 7) != simulate(plan, 600, 8)


def test_the_page_shows_what_is_computed() -> None:
    """`make scale_table` would change nothing."""
    page = PAGE.read_text(encoding="utf-8")
    assert replace_section(page, render_section()) == page


@pytest.mark.parametrize(
    "page", ["", BEGIN, END, f"{END}{BEGIN}"], ids=["neither", "no end", "no begin", "swapped"]
)
def test_a_page_without_the_marks_is_refused(page) -> None:
    """Nothing is written over."""
    with pytest.raises(ValueError, match="needs the lines"):
        replace_section(page, "")
