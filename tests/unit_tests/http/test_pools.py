"""Which transports a pool keeps, and which must be closed."""

import threading
from importlib import import_module
from itertools import count
from types import ModuleType

import pytest

from langchain_segmind._http import pools
from langchain_segmind._http.pools import KEEP_ALIVE_SECONDS, PerRequestPool, Route


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


def release(pool: PerRequestPool, transport: int, outcome: str = "completed") -> list[int]:
    """Release a transport that was acquired now."""
    return pool.release(transport, acquired_at=pools.monotonic(), outcome=outcome)


def test_the_transport_that_was_used_last_is_reused_first(pool) -> None:
    """A new one is opened only where none is idle."""
    assert [pool.acquire(), pool.acquire()] == [1, 2]
    assert release(pool, 2) == []
    assert release(pool, 1) == []
    assert [pool.acquire(), pool.acquire(), pool.acquire()] == [1, 2, 3]


def test_the_transport_of_a_failed_request_must_be_closed(pool) -> None:
    """The others are still used."""
    first, second = pool.acquire(), pool.acquire()
    assert release(pool, first) == []
    assert release(pool, second, "failed") == [second]
    assert pool.acquire() == first


def test_after_a_timeout_older_transports_must_be_closed(pool, clock) -> None:
    """A router may have forgotten their connections; one that answered later is used."""
    older, timed_out, later = pool.acquire(), pool.acquire(), pool.acquire()
    assert release(pool, older) == []
    clock[0] += 1
    acquired_at = clock[0]
    clock[0] += 1
    assert release(pool, later) == []
    assert pool.release(timed_out, acquired_at=acquired_at, outcome="timed out") == [
        timed_out,
        older,
    ]
    assert pool.acquire() == later


def test_transports_that_were_idle_too_long_must_be_closed(pool, clock) -> None:
    """When another one is released."""
    first, second = pool.acquire(), pool.acquire()
    assert release(pool, first) == []
    clock[0] += KEEP_ALIVE_SECONDS + 1
    assert release(pool, second) == [first]
    assert pool.acquire() == second


def test_a_closed_pool_keeps_no_transport(pool) -> None:
    """Neither an idle one nor one that is released later."""
    idle, in_use = pool.acquire(), pool.acquire()
    release(pool, idle)
    assert pool.close() == [idle]
    assert release(pool, in_use) == [in_use]


def test_a_module_that_another_thread_imports_is_not_loaded_yet(monkeypatch) -> None:
    """An event loop that took it would wait for the thread; two first calls can be that close."""
    started, go_on = threading.Event(), threading.Event()

    def import_slowly(name: str) -> ModuleType:
        started.set()
        go_on.wait(20)
        return import_module(name)

    route = Route(is_encrypted=False, proxy=None)
    pools.load_async_network.cache_clear()
    import_module("langchain_segmind._http.async_network")
    monkeypatch.setattr(pools, "import_module", import_slowly)
    thread = threading.Thread(target=pools.preload, args=(route,))
    thread.start()
    assert started.wait(20)
    assert not pools.is_preloaded(route)
    go_on.set()
    thread.join()
    assert pools.is_preloaded(route)
