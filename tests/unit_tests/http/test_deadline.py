"""By when a call must be over."""

from contextlib import suppress

import pytest

from langchain_segmind._http import deadline as _deadline
from langchain_segmind._http.deadline import Deadline


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give a clock whose hands the test moves."""
    hands = [100.0]
    monkeypatch.setattr(_deadline, "monotonic", lambda: hands[0])
    return hands


def test_a_deadline_comes_nearer(clock) -> None:
    """And is past after its seconds."""
    deadline = Deadline(5)
    clock[0] += 3
    assert (deadline.is_set, deadline.remaining) == (True, 2)
    clock[0] += 3
    assert deadline.remaining == -1


def test_a_pause_takes_nothing_of_the_time(clock) -> None:
    """Also one that ends in an error."""
    deadline = Deadline(5)
    with suppress(KeyError), deadline.paused():
        clock[0] += 60
        raise KeyError
    assert deadline.remaining == 5


def test_without_seconds_there_is_no_deadline(clock) -> None:
    """It never comes."""
    deadline = Deadline(None)
    with deadline.paused():
        clock[0] += 1e9
    assert (deadline.is_set, deadline.remaining > 1e9) == (False, True)
