"""The time by which a call must be over."""

from contextlib import suppress

import pytest

from langchain_segmind._http import deadline as module
from langchain_segmind._http.deadline import Deadline


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock that a test sets."""
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def test_the_remaining_time_decreases(clock) -> None:
    """It is negative once the deadline has passed."""
    deadline = Deadline(5)
    clock[0] += 3
    assert (deadline.is_set, deadline.remaining) == (True, 2)
    clock[0] += 3
    assert deadline.remaining == -1


def test_paused_time_does_not_count(clock) -> None:
    """Even if the block raises."""
    deadline = Deadline(5)
    with suppress(KeyError), deadline.paused():
        clock[0] += 60
        raise KeyError
    assert deadline.remaining == 5


def test_a_deadline_of_none_never_passes(clock) -> None:
    """Its remaining time is infinite."""
    deadline = Deadline(None)
    with deadline.paused():
        clock[0] += 1e9
    assert (deadline.is_set, deadline.remaining > 1e9) == (False, True)
