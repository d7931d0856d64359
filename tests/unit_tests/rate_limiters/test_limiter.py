"""The limiter with its window in memory: slots, order, waits and holds."""

import asyncio
import copy
import logging
import pickle
import threading
import time

import pytest

from langchain_segmind import ChatSegmindGPT4Turbo
from langchain_segmind.exceptions import SegmindRateLimiterStorageError
from langchain_segmind.rate_limiters import SegmindRateLimiter
from langchain_segmind.rate_limiters import limiter as limiter_module
from langchain_segmind.rate_limiters import window as window_module
from langchain_segmind.rate_limiters.window import StorageError
from tests.conftest import SECRET

WINDOW = 0.2
"""Length of a short window, in seconds."""


@pytest.fixture
def short_window(monkeypatch) -> None:
    """Make the window of a period of one second `WINDOW` long."""
    monkeypatch.setattr(window_module, "MARGIN_SECONDS", WINDOW - 1)


@pytest.fixture
def short_turn_timeout(monkeypatch) -> None:
    """Skip a waiter soon after its sleep should have ended."""
    monkeypatch.setattr(limiter_module, "TURN_TIMEOUT_SECONDS", 0.05)


def test_the_limit_bounds_the_requests_that_pass(caller) -> None:
    """A call that does not wait returns whether it took a slot."""
    limiter = SegmindRateLimiter(3)
    assert [caller.acquire(limiter, blocking=False) for _ in range(5)] == [True] * 3 + [False] * 2


@pytest.mark.usefixtures("short_window")
def test_a_caller_waits_until_a_slot_is_free(caller) -> None:
    """The slots of a burst are free at the same time."""
    limiter = SegmindRateLimiter(2, period=1)
    start = time.monotonic()
    assert [caller.acquire(limiter) for _ in range(4)] == [True] * 4
    assert time.monotonic() - start >= WINDOW


@pytest.mark.usefixtures("short_window")
async def test_threads_and_tasks_get_slots_in_fifo_order(monkeypatch) -> None:
    """They wait in one queue."""
    is_asleep, sleep = threading.Semaphore(0), time.sleep

    def sleep_and_notify(seconds: float) -> None:
        is_asleep.release()
        sleep(seconds)

    monkeypatch.setattr(limiter_module.time, "sleep", sleep_and_notify)
    limiter = SegmindRateLimiter(1, period=1)
    order = []

    def wait_in_thread(name: str) -> None:
        limiter.acquire()
        order.append(name)

    async def wait_in_task(name: str) -> None:
        await limiter.aacquire()
        order.append(name)

    limiter.acquire()
    waiting = []
    for name in ("thread 1", "task 1", "thread 2", "task 2"):
        if name.startswith("thread"):
            waiting.append(asyncio.create_task(asyncio.to_thread(wait_in_thread, name)))
            assert await asyncio.to_thread(is_asleep.acquire, timeout=10)
        else:
            waiting.append(asyncio.create_task(wait_in_task(name)))
            await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.gather(*waiting), 30)
    assert order == ["thread 1", "task 1", "thread 2", "task 2"]


async def test_a_call_that_does_not_wait_cannot_take_a_waiters_slot() -> None:
    """Even if the slot is free before the waiter wakes."""
    limiter = SegmindRateLimiter(1)
    limiter.hold(0.05)
    waiting = asyncio.create_task(limiter.aacquire())
    await asyncio.sleep(0)
    time.sleep(0.06)  # noqa: ASYNC251 - the task must not run
    assert not limiter.acquire(blocking=False)
    assert await asyncio.wait_for(waiting, 10)


async def test_the_slot_of_a_cancelled_caller_goes_to_the_next(monkeypatch) -> None:
    """The next caller does not wait for a later slot."""
    monkeypatch.setattr(window_module, "MARGIN_SECONDS", 1)
    monkeypatch.setattr(limiter_module, "MAX_SLEEP_SECONDS", 0.05)
    limiter = SegmindRateLimiter(2, period=1)
    assert limiter.acquire()
    await asyncio.sleep(1.5)
    start = time.monotonic()
    assert limiter.acquire()
    first, second = (asyncio.create_task(limiter.aacquire()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.wait_for(second, 10)
    assert first.cancelled()
    assert time.monotonic() - start < 2  # the later slot


@pytest.mark.usefixtures("short_window")
async def test_the_event_loop_runs_while_a_task_waits() -> None:
    """Other tasks are not blocked."""
    limiter = SegmindRateLimiter(1, period=1)
    await limiter.aacquire()
    waiting = asyncio.create_task(limiter.aacquire())
    turns = 0
    while not waiting.done():
        turns += 1
        await asyncio.sleep(0.01)
    assert turns > 5


@pytest.mark.usefixtures("short_window", "short_turn_timeout")
async def test_a_task_on_a_blocked_event_loop_is_skipped() -> None:
    """A sync call blocks the event loop that the task needs."""
    limiter = SegmindRateLimiter(1, period=1)
    limiter.acquire()
    blocked = asyncio.create_task(limiter.aacquire())
    await asyncio.sleep(0)
    assert limiter.acquire()
    assert not blocked.done()
    assert await asyncio.wait_for(blocked, 10)


@pytest.mark.usefixtures("short_window", "short_turn_timeout")
@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "stopped"])
def test_a_task_on_an_ended_event_loop_is_skipped(is_closed) -> None:
    """The task is the first waiter."""
    limiter = SegmindRateLimiter(1, period=1)
    limiter.acquire()
    loop = asyncio.new_event_loop()
    task = loop.create_task(limiter.aacquire())
    loop.run_until_complete(asyncio.sleep(0))
    if is_closed:
        loop.close()
    assert limiter.acquire()
    assert limiter.acquire()
    if not is_closed:
        assert loop.run_until_complete(task)
        loop.close()


# --- Holds ---


def test_a_hold_is_exact(caller) -> None:
    """A `retry-after-ms` of 100 takes a tenth of a second."""
    waits = []
    for _ in range(3):
        limiter = SegmindRateLimiter(100)
        caller.hold(limiter, 0.1)
        start = time.monotonic()
        caller.acquire(limiter)
        waits.append(time.monotonic() - start)
    assert 0.1 <= min(waits) < 0.2


def test_a_hold_is_bounded(caller, monkeypatch) -> None:
    """A wrong or forged reset time cannot block all callers for hours."""
    assert limiter_module.MAX_HOLD_SECONDS == 300
    monkeypatch.setattr(limiter_module, "MAX_HOLD_SECONDS", 0.05)
    limiter = SegmindRateLimiter(100)
    caller.hold(limiter, 1e9)
    assert not caller.acquire(limiter, blocking=False)
    assert caller.acquire(limiter)


# --- Log, copies, arguments ---


async def test_a_long_wait_is_logged_once(caplog) -> None:
    """Not once for each caller."""
    limiter = SegmindRateLimiter(1)
    await limiter.aacquire()
    with caplog.at_level(logging.INFO, logger="langchain_segmind"):
        waiting = [asyncio.create_task(limiter.aacquire()) for _ in range(5)]
        await asyncio.sleep(0)
        assert not limiter.acquire(blocking=False)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    logged = [each.message for each in caplog.records if each.name == limiter_module.__name__]
    assert logged == ["The next request waits 61 s for the limit of 1 requests in 60 s."]


def test_the_defaults_are_50_requests_a_minute_and_10_workers() -> None:
    """A process keeps to 5 of them while Redis cannot be used."""
    limiter = SegmindRateLimiter()
    assert (limiter.requests_per_minute, limiter.period, limiter.workers) == (50, 60, 10)


def test_copies_share_the_window() -> None:
    """Copies of a model use the same account."""
    limiter = SegmindRateLimiter(1)
    model = ChatSegmindGPT4Turbo(api_key=SECRET, rate_limiter=limiter)
    assert model.model_copy(deep=True).rate_limiter is limiter
    assert copy.copy(limiter) is limiter


def test_a_pickled_limiter_keeps_its_settings_and_opens_a_new_window() -> None:
    """A window in memory is not pickled."""
    limiter = SegmindRateLimiter(1, account="a", workers=3, on_storage_error="raise", period=30)
    assert limiter.acquire(blocking=False)
    twin = pickle.loads(pickle.dumps(limiter))
    assert [twin.acquire(blocking=False) for _ in range(2)] == [True, False]
    assert (twin.account, twin.workers, twin.on_storage_error, twin.period) == ("a", 3, "raise", 30)


@pytest.mark.parametrize(
    "storage",
    [
        "redis://:fake-password@127.0.0.1:1/0",
        "redis://127.0.0.1:1/0?password=fake-password",
        "rediss://127.0.0.1:1/0?username=me&password=fake-password",
        "redis://127.0.0.1:1/0?username=me&password=x@fake-password",
    ],
)
def test_repr_shows_no_password(storage) -> None:
    """The rest of the address is shown."""
    pytest.importorskip("limits", reason="the extra limits is not installed")
    shown = repr(SegmindRateLimiter(7, storage))
    assert "fake-password" not in shown
    assert "127.0.0.1:1/0'" in shown
    assert "requests_per_minute=7" in shown


def test_the_error_for_a_storage_that_is_down_follows_none_of_its_library() -> None:
    """Those can quote what was sent."""
    pytest.importorskip("limits", reason="the extra limits is not installed")
    limiter = SegmindRateLimiter(1, "redis://127.0.0.1:1/0", on_storage_error="raise")
    with pytest.raises(SegmindRateLimiterStorageError) as caught:
        limiter.acquire()
    assert isinstance(caught.value.__context__, StorageError)
    assert caught.value.__context__.__context__ is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"requests_per_minute": 0}, "requests_per_minute must be", id="zero limit"),
        pytest.param({"requests_per_minute": 2.5}, "requests_per_minute must be", id="fraction"),
        pytest.param({"workers": 0}, "workers must be", id="zero workers"),
        pytest.param({"period": True}, "period must be", id="bool"),
        pytest.param({"on_storage_error": "ignore"}, '"raise" or "local"', id="unknown choice"),
        pytest.param({"storage": "carrier-pigeon://"}, "storage must start", id="unknown storage"),
    ],
)
def test_an_invalid_argument_is_refused(arguments, message) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match=message):
        SegmindRateLimiter(**arguments)
