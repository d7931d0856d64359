"""Windows in memory, shares of a limit, and storage addresses."""

import re
import sys

import pytest

from langchain_segmind.rate_limiters import window as window_module
from langchain_segmind.rate_limiters.window import MemoryWindow, get_share, open_window


class Clock:
    """A clock that the test sets."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """Set the time of windows in memory."""
    clock = Clock()
    monkeypatch.setattr(window_module, "time", clock)
    return clock


def test_a_slot_is_free_again_when_its_request_leaves_the_window(clock) -> None:
    """The window moves: it does not start again at full minutes."""
    window = MemoryWindow(2, 10)
    assert window.enter(0) == 0
    clock.now += 4
    assert window.enter(0) == 0
    assert window.enter(0) == 6
    clock.now += 6
    assert window.enter(0) == 0
    assert window.enter(0) == 4


def test_a_slot_is_reserved_for_each_caller_ahead(clock) -> None:
    """The wait lasts until more slots are free than callers are ahead."""
    window = MemoryWindow(3, 10)
    assert window.enter(2) == 0
    clock.now += 1
    assert window.enter(2) == 9
    assert window.enter(1) == 0
    clock.now += 1
    assert window.enter(1) == 8
    assert window.enter(2) == 9


def test_with_as_many_callers_ahead_as_slots_the_wait_is_a_whole_window() -> None:
    """The callers ahead take all slots until then."""
    window = MemoryWindow(2, 10)
    assert window.enter(0) == 0
    assert [window.enter(2), window.enter(7)] == [10, 10]


def test_a_shorter_hold_does_not_end_a_longer_one(clock) -> None:
    """It ends on time, and all slots are free then."""
    window = MemoryWindow(2, 10)
    window.hold(5)
    window.hold(0.5)
    assert window.enter(0) == 5
    clock.now += 5
    assert [window.enter(0), window.enter(0), window.enter(0)] == [0, 0, 10]


@pytest.mark.parametrize(
    ("limit", "workers", "share"),
    [
        pytest.param(50, 1, (50, 61), id="whole"),
        pytest.param(50, 8, (6, 61), id="part"),
        pytest.param(5, 10, (1, 121), id="less than one"),
    ],
)
def test_the_shares_of_all_workers_are_within_the_limit(limit, workers, share) -> None:
    """A share of less than one request is one request in a longer window."""
    assert get_share(limit, 60, workers) == share


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        pytest.param("carrier-pigeon://", "valkey://, not carrier-pigeon://", id="unknown"),
        pytest.param("redis+pigeon://", "valkey://, not redis+pigeon://", id="unknown Redis"),
        pytest.param("async+redis://host", "valkey://, not async+redis://", id="asynchronous"),
        pytest.param("memcached://host:1", "valkey://, not memcached://", id="memcached"),
        pytest.param("mongodb://host:1", "valkey://, not mongodb://", id="mongodb"),
        pytest.param("localhost:6379", "not an address without a scheme", id="no scheme"),
        pytest.param("fa:ke@host", "not an address without a scheme", id="only a password"),
        pytest.param(
            ":fa@ke://host", "not an address without a scheme", id="no scheme at the start"
        ),
        pytest.param(None, "not an address without a scheme", id="None"),
        pytest.param("redis://:fa/ke@host:1", "cannot be opened", id="slash in password"),
        pytest.param("redis://:fa[ke@host:1", "cannot be opened", id="bracket in password"),
        pytest.param("redis+sentinel://:x@fa@ke", "cannot be opened", id="at sign in password"),
        pytest.param("redis://:/fa/ke@host:1", "cannot be opened", id="slash before password"),
        pytest.param("redis://host:1/fa/ke@host:1", "cannot be opened", id="password after slash"),
        pytest.param("redis://:#fa/ke@host:1", "cannot be opened", id="number sign in password"),
        pytest.param("redis://host:1#fa/ke", "cannot be opened", id="fragment"),
        pytest.param("redis://u:fa/ke?x@host:1", "cannot be opened", id="question mark"),
        pytest.param("redis://host:1?socket_timeout=fa/ke", "cannot be opened", id="query"),
        pytest.param("redis+cluster://:fa/ke@host:1,host:z", "cannot be opened", id="cluster"),
    ],
)
def test_an_unusable_address_is_refused(uri, message) -> None:
    """The error does not show the address, which can hold a password."""
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        open_window(uri, 1, 1, "default")
    assert not re.search(r"fa.ke", str(caught.value))
    assert caught.value.__context__ is None  # an error that quotes the address


def test_a_missing_client_is_named() -> None:
    """Only the storage's own package is missing."""
    with pytest.raises(ImportError, match="needs the package `valkey`"):
        open_window("valkey://127.0.0.1:1", 1, 1, "default")


def test_only_redis_needs_the_extra(monkeypatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "limits.storage", None)
    assert open_window("memory://", 1, 1, "default").enter(0) == 0
    with pytest.raises(ImportError, match=r"pip install 'langchain-segmind\[limits\]'"):
        open_window("redis://127.0.0.1:1", 1, 1, "default")
