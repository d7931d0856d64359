"""Whoever shares an account's limit stays within it, and nobody is lost where the storage is."""

import asyncio
import copy
import logging
import os
import pickle
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from langchain_segmind import (
    ChatSegmindGPT4Turbo,
    SegmindRateLimitError,
    SegmindRateLimiterStorageError,
)
from langchain_segmind.gateway import Gateway
from tests.conftest import SECRET
from tests.support.redis_server import RedisServer, is_redis_installed

pytest.importorskip("limits", reason="the extra limits is not installed")

from langchain_segmind.rate_limiters import SegmindRateLimiter
from langchain_segmind.rate_limiters import queue as _rate_queue
from langchain_segmind.rate_limiters import window as _rate_window
from langchain_segmind.rate_limiters.queue import Queue

WINDOW = 1
"""Seconds of the gateway's window in these tests; the limiter's is one longer."""


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """Run a Redis."""
    if not is_redis_installed():
        pytest.skip("redis-server is not installed")
    with RedisServer() as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def storage(request: pytest.FixtureRequest) -> str:
    """Run a test with each place to keep the window in."""
    if request.param == "memory":
        return "memory://"
    server: RedisServer = request.getfixturevalue("redis")
    return server.url


@pytest.fixture
def exact_window(monkeypatch) -> None:
    """Let a window be as long as it says: no server counts the requests of the test."""
    monkeypatch.setattr(_rate_window, "MARGIN", 0)


# --- Places ---


def test_the_limit_lets_so_many_pass_and_then_none(caller, storage) -> None:
    """Who does not want to wait is told."""
    limiter = SegmindRateLimiter(3, storage)
    assert [caller.acquire(limiter, blocking=False) for _ in range(5)] == [True] * 3 + [False] * 2


@pytest.mark.usefixtures("exact_window")
def test_who_waits_gets_the_place_that_is_left(caller, storage) -> None:
    """It is asked for when the oldest request leaves the window, not again and again."""
    limiter = SegmindRateLimiter(2, storage, period=WINDOW)
    start = time.monotonic()
    for _ in range(3):
        assert caller.acquire(limiter)
    assert time.monotonic() - start >= WINDOW


@pytest.mark.usefixtures("exact_window")
def test_a_full_limiter_is_asked_a_few_times_only(monkeypatch) -> None:
    """Waiting is sleeping."""
    limiter = SegmindRateLimiter(1, period=WINDOW)
    asked = 0
    original = limiter._window.enter

    def count() -> float:
        nonlocal asked
        asked += 1
        return original()

    monkeypatch.setattr(limiter._window, "enter", count)
    limiter.acquire()
    limiter.acquire()
    assert asked <= 4


def test_accounts_in_one_storage_have_limits_of_their_own(storage) -> None:
    """Two limiters of one account share theirs."""
    limiters = [
        SegmindRateLimiter(1, storage, account=account) for account in ("one", "two", "one")
    ]
    passed = [limiter.acquire(blocking=False) for limiter in limiters]
    assert passed == [True, True, storage == "memory://"]


def join(queue: Queue) -> Future[None]:
    """Join a queue."""
    place: Future[None] = Future()
    queue.join(place)
    return place


def test_the_first_who_waits_is_the_first_who_goes() -> None:
    """Threads and tasks stand in the same queue."""
    queue, order = Queue(), []
    first = join(queue)

    async def wait_in_loop() -> None:
        place = join(queue)
        joined.set()
        await asyncio.wrap_future(place)
        order.append("task")
        queue.leave(place)

    def wait_in_thread(name: str) -> None:
        place = join(queue)
        joined.set()
        place.result()
        order.append(name)
        queue.leave(place)

    threads = []
    for work in (
        lambda: wait_in_thread("thread 1"),
        lambda: asyncio.run(wait_in_loop()),
        lambda: wait_in_thread("thread 2"),
    ):
        joined = threading.Event()
        threads.append(threading.Thread(target=work))
        threads[-1].start()
        assert joined.wait(10)
    queue.leave(first)
    for thread in threads:
        thread.join(10)
    assert order == ["thread 1", "task", "thread 2"]
    assert queue.is_empty


@pytest.mark.usefixtures("exact_window")
async def test_who_gives_up_waiting_holds_nobody_up(storage) -> None:
    """A cancelled task leaves the queue, wherever it stands."""
    limiter = SegmindRateLimiter(1, storage, period=WINDOW)
    await limiter.aacquire()
    waiting = [asyncio.create_task(limiter.aacquire()) for _ in range(3)]
    await asyncio.sleep(0)
    for task in waiting[:2]:
        task.cancel()
    assert await asyncio.wait_for(waiting[2], 30)
    assert all(task.cancelled() for task in waiting[:2])
    assert limiter._queue.is_empty


@pytest.mark.usefixtures("exact_window")
async def test_the_event_loop_goes_on_while_a_task_waits(storage) -> None:
    """Others are not held up by it."""
    limiter = SegmindRateLimiter(1, storage, period=WINDOW)
    await limiter.aacquire()
    waiting = asyncio.create_task(limiter.aacquire())
    turns = 0
    while not waiting.done():
        turns += 1
        await asyncio.sleep(0.01)
    assert turns > 20


# --- Copies ---


def test_copies_share_the_window() -> None:
    """A model's copies are on the same account."""
    limiter = SegmindRateLimiter(1)
    model = ChatSegmindGPT4Turbo(api_key=SECRET, rate_limiter=limiter)
    assert model.model_copy(deep=True).rate_limiter is limiter
    assert copy.copy(limiter) is limiter


def test_a_pickled_limiter_finds_its_storage(redis) -> None:
    """Another process shares the window, and not its password."""
    limiter = SegmindRateLimiter(1, redis.url, account="a", workers=3, on_storage_error="raise")
    assert limiter.acquire(blocking=False)
    twin = pickle.loads(pickle.dumps(limiter))
    assert not twin.acquire(blocking=False)
    assert (twin.account, twin.workers, twin.on_storage_error) == ("a", 3, "raise")


# --- Nobody stands still ---


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Look for a place out of turn soon."""
    monkeypatch.setattr(_rate_queue, "LONGEST_STANDSTILL", 0.05)


@pytest.mark.usefixtures("exact_window")
async def test_who_waits_in_threads_of_the_loop_leaves_one_to_the_first(redis) -> None:
    """All threads of the event loop's pool may wait for a place that a task is the next to get."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    limiter = SegmindRateLimiter(1, redis.url, period=WINDOW)
    limiter.acquire()
    first = asyncio.create_task(limiter.aacquire())
    await asyncio.sleep(0)
    others = [asyncio.to_thread(limiter.acquire, blocking=True) for _ in range(2)]
    assert await asyncio.wait_for(asyncio.gather(first, *others), 60)


@pytest.mark.usefixtures("impatient")
@pytest.mark.usefixtures("exact_window")
async def test_those_behind_the_first_do_not_ask_while_it_sleeps(monkeypatch) -> None:
    """A thousand of them would keep a storage busy."""
    limiter = SegmindRateLimiter(1, period=WINDOW)
    await limiter.aacquire()
    asked = 0
    enter = limiter._window.enter

    def count() -> float:
        nonlocal asked
        asked += 1
        return enter()

    monkeypatch.setattr(limiter._window, "enter", count)
    waiting = [asyncio.create_task(limiter.aacquire()) for _ in range(50)]
    await waiting[0]
    for task in waiting[1:]:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert asked < 10


@pytest.mark.usefixtures("impatient")
@pytest.mark.usefixtures("exact_window")
async def test_a_synchronous_call_passes_a_task_that_it_keeps_from_running() -> None:
    """It stands on the event loop that the first one needs."""
    limiter = SegmindRateLimiter(1, period=WINDOW)
    limiter.acquire()
    first = asyncio.create_task(limiter.aacquire())
    await asyncio.sleep(0)
    assert limiter.acquire()
    assert await asyncio.wait_for(first, 60)
    assert limiter._queue.is_empty


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "standing"])
@pytest.mark.usefixtures("exact_window")
def test_an_event_loop_that_does_not_run_holds_nobody_up(is_closed) -> None:
    """One of its tasks was the first."""
    limiter = SegmindRateLimiter(1, period=WINDOW)
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
    assert limiter._queue.is_empty


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("exact_window")
def test_a_forked_process_waits_for_nobody_of_the_other(redis) -> None:
    """Who stood in the queue at the fork is not there."""
    limiter = SegmindRateLimiter(1, redis.url, period=WINDOW)
    place = join(limiter._queue)
    child = os.fork()
    if not child:
        os._exit(0 if limiter.acquire() and not limiter.acquire(blocking=False) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    limiter._queue.leave(place)
    assert not limiter.acquire(blocking=False)


def test_repr_shows_no_password() -> None:
    """A storage's address may hold one."""
    shown = repr(SegmindRateLimiter(7, "redis://:fake-password@127.0.0.1:1/0"))
    assert "fake-password" not in shown
    assert "requests_per_minute=7" in shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param({"requests_per_minute": 0}, "requests_per_minute must be", id="none"),
        pytest.param({"requests_per_minute": 2.5}, "requests_per_minute must be", id="a half"),
        pytest.param({"workers": 0}, "workers must be", id="no workers"),
        pytest.param({"period": True}, "period must be", id="no period"),
        pytest.param({"on_storage_error": "ignore"}, '"raise" or "local"', id="no choice"),
        pytest.param({"storage": "carrier-pigeon://"}, "storage must be", id="no storage"),
        pytest.param({"storage": "async+memory://"}, "storage must be", id="asynchronous"),
        pytest.param({"storage": "memcached://host:1"}, "storage must be|missing", id="no windows"),
        pytest.param({"storage": "redis://:fa/ke@host:1"}, "cannot be opened", id="a slash"),
        pytest.param({"storage": "redis://:fa[ke@host:1"}, "cannot be opened", id="a bracket"),
        pytest.param({"storage": None}, "cannot be opened", id="no address"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused(arguments, told) -> None:
    """It is refused where it is written, and a password in it is not shown."""
    with pytest.raises((ValueError, ImportError), match=told) as caught:
        SegmindRateLimiter(**arguments)
    assert not re.search(r"fa.ke", str(caught.value))


def test_a_missing_library_is_named() -> None:
    """The storage is known, and its library is not there."""
    with pytest.raises(ImportError, match="library is missing.*valkey"):
        SegmindRateLimiter(storage="valkey://127.0.0.1:1")


# --- Models ---


def test_every_attempt_takes_a_place(caller, create_model, gateway) -> None:
    """A request that is sent again is a request."""
    limiter = SegmindRateLimiter(3)
    gateway.script([{"status": 503, "body": "", "headers": {"retry-after": "0"}}, "Hi.", "Hi."])
    model = create_model(rate_limiter=limiter)
    caller.invoke(model, "Hi")
    caller.invoke(model, "Hi")
    assert not limiter.acquire(blocking=False)


def test_a_429_holds_all_who_share_the_limit(caller, create_model, gateway, storage) -> None:
    """The one who was refused tells the others until when."""
    limiter = SegmindRateLimiter(100, storage)
    other = pickle.loads(pickle.dumps(limiter)) if storage != "memory://" else limiter
    gateway.script([{"status": 429, "headers": {"retry-after": "1"}, "body": "Slow down."}, "Hi."])
    model = create_model(rate_limiter=limiter, max_retries=0)
    with pytest.raises(SegmindRateLimitError):
        caller.invoke(model, "Hi")
    start = time.monotonic()
    assert not other.acquire(blocking=False)
    assert other.acquire()
    assert 1 <= time.monotonic() - start <= 30
    assert caller.invoke(model, "Hi").text == "Hi."


def test_a_later_end_of_the_hold_counts(storage) -> None:
    """An earlier one shortens nothing."""
    limiter = SegmindRateLimiter(100, storage)
    limiter.hold(1)
    limiter.hold(60)
    limiter.hold(2)
    assert limiter._try() > 30


def test_one_answer_cannot_hold_everybody_for_hours(storage) -> None:
    """A reset time that is misread, or forged, is over in minutes."""
    limiter = SegmindRateLimiter(100, storage)
    limiter.hold(1e9)
    assert 200 < limiter._try() <= 301


def test_many_tasks_stay_within_the_limit(storage) -> None:
    """A burst is spread out: the gateway refuses nobody."""
    with Gateway(api_key=SECRET, credits=10, rpm=10, rate_window=WINDOW) as gateway:
        limiter = SegmindRateLimiter(10, storage, period=WINDOW)
        model = ChatSegmindGPT4Turbo(
            base_url=gateway.base_url, api_key=SECRET, rate_limiter=limiter, max_retries=0
        )

        async def run() -> list[Any]:
            return await model.abatch(["Hi"] * 25)

        assert len(asyncio.run(run())) == len(gateway.requests) == 25


# --- Several processes ---

WORKER = Path(__file__).parent.parent / "support" / "pacing_worker.py"


def start_workers(
    count: int, calls: int, gateway: Gateway, storage: str, **options: Any
) -> list[subprocess.Popen[str]]:
    """Start processes that call the gateway, and tell each call's outcome in a line."""
    words = [f"{name}={value}" for name, value in options.items()]
    return [
        subprocess.Popen(
            [sys.executable, str(WORKER), gateway.base_url, SECRET, storage, str(calls), *words],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]


def read_outcomes(workers: list[subprocess.Popen[str]]) -> list[str]:
    """Wait for the processes, and get what else they tell."""
    outcomes = []
    for worker in workers:
        with worker:
            assert worker.stdout is not None
            outcomes += worker.stdout.read().split()
    return outcomes


def test_processes_share_one_limit(redis) -> None:
    """Four of them make 100 calls where 60 fit into a window, and none is refused."""
    with Gateway(api_key=SECRET, credits=10, rpm=60, rate_window=3) as gateway:
        workers = start_workers(4, 25, gateway, redis.url, rpm=60, period=3)
        outcomes = read_outcomes(workers)
        assert outcomes == ["ok"] * 100
        assert len(gateway.requests) == 100


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        pytest.param("local", {"ok"}, id="each keeps to its share"),
        pytest.param("raise", {"ok", "SegmindRateLimiterStorageError"}, id="calls fail"),
    ],
)
def test_all_calls_end_where_the_storage_is_killed(redis, option, expected) -> None:
    """Nothing hangs, and nothing is lost."""
    with Gateway(api_key=SECRET, credits=10) as gateway:
        workers = start_workers(
            2, 20, gateway, redis.url, rpm=20, period=1, on_storage_error=option, workers=2
        )
        assert workers[0].stdout is not None
        first = workers[0].stdout.readline()
        redis.kill()
        outcomes = [first.strip(), *read_outcomes(workers)]
    assert len(outcomes) == 40
    assert set(outcomes) == expected


# --- The storage is down ---


def test_without_its_storage_a_process_keeps_to_its_share(redis, caplog) -> None:
    """One warning tells for how long, and one line that it is over."""
    limiter = SegmindRateLimiter(10, redis.url, workers=5)
    redis.kill()
    with caplog.at_level(logging.INFO, logger="langchain_segmind"):
        assert [limiter.acquire(blocking=False) for _ in range(3)] == [True, True, False]
        assert caplog.text.count("cannot be used") == 1
        redis.start()
        limiter._down_until = 0.0
        assert [limiter.acquire(blocking=False) for _ in range(11)] == [True] * 10 + [False]
    assert caplog.text.count("storage is back") == 1


def test_a_failure_that_waiting_does_not_mend_is_no_outage(redis) -> None:
    """A wrong password would let each process quietly keep to itself."""
    limiter = SegmindRateLimiter(10, redis.url.replace("://", "://user:fake-password@"))
    for _ in range(2):
        with pytest.raises(SegmindRateLimiterStorageError, match="AuthenticationError") as caught:
            limiter.acquire()
        assert "fake-password" not in str(caught.value)


def test_an_outage_is_asked_about_once_in_a_while(redis, monkeypatch) -> None:
    """Calls that are to fail do so at once, not each after a wait of its own."""
    limiter = SegmindRateLimiter(10, redis.url, on_storage_error="raise")
    redis.kill()
    with pytest.raises(SegmindRateLimiterStorageError):
        limiter.acquire()
    monkeypatch.setattr(limiter._window, "enter", pytest.fail)
    with pytest.raises(SegmindRateLimiterStorageError):
        limiter.acquire()


def test_limiters_that_were_told_different_limits_share_the_window(redis) -> None:
    """While a new limit is rolled out, the higher one bounds them together."""
    limiters = [SegmindRateLimiter(limit, redis.url) for limit in (3, 4)]
    passed = [limiter.acquire(blocking=False) for limiter in limiters * 5]
    assert sum(passed) <= 4


def test_an_error_says_what_to_do(redis, create_model, gateway) -> None:
    """It is one of ours, with the address that was tried, and no request is sent."""
    limiter = SegmindRateLimiter(10, redis.url, on_storage_error="raise")
    redis.kill()
    with pytest.raises(SegmindRateLimiterStorageError, match='on_storage_error="local"') as caught:
        create_model(rate_limiter=limiter).invoke("Hi")
    assert gateway.requests == []
    assert f"redis://127.0.0.1:{redis.port}/0" in str(caught.value)
    limiter.hold(1)  # the 429 that it tells of is raised, not this
