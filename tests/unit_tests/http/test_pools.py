"""Which transports a pool keeps, and which must be closed."""

from itertools import count

import pytest

from langchain_segmind._http import pools
from langchain_segmind._http.pools import KEEP_ALIVE_SECONDS, PerRequestPool


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock that a test sets."""
    now = [100.0]
    monkeypatch.setattr(pools, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def pool() -> PerRequestPool:
    """Return a pool of transports that are named by their number."""
    return PerRequestPool(count(1).__next__)


def test_the_transport_that_was_used_last_is_reused_first(pool) -> None:
    """A new one is opened only where none is idle."""
    assert [pool.acquire(), pool.acquire()] == [1, 2]
    assert pool.release(2, reusable=True) == []
    assert pool.release(1, reusable=True) == []
    assert [pool.acquire(), pool.acquire(), pool.acquire()] == [1, 2, 3]


def test_a_transport_that_is_not_reusable_must_be_closed(pool) -> None:
    """Its request was not completed."""
    assert pool.release(pool.acquire(), reusable=False) == [1]
    assert pool.acquire() == 2


def test_transports_that_were_idle_too_long_must_be_closed(pool, clock) -> None:
    """When another one is released."""
    first, second = pool.acquire(), pool.acquire()
    assert pool.release(first, reusable=True) == []
    clock[0] += KEEP_ALIVE_SECONDS + 1
    assert pool.release(second, reusable=True) == [first]
    assert pool.acquire() == second


def test_a_closed_pool_keeps_no_transport(pool) -> None:
    """Neither an idle one nor one that is released later."""
    idle, in_use = pool.acquire(), pool.acquire()
    pool.release(idle, reusable=True)
    assert pool.close() == [idle]
    assert pool.release(in_use, reusable=True) == [in_use]
