"""The limiter with a real Redis, models and processes."""

import asyncio
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

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

from redis import Redis
from redis.exceptions import ResponseError

from langchain_segmind.rate_limiters import SegmindRateLimiter
from langchain_segmind.rate_limiters import limiter as limiter_module
from langchain_segmind.rate_limiters import window as window_module

WINDOW = 0.3
"""Length of a short window, in seconds."""

WINDOW_COMMANDS = {
    f"cmdstat_{name}"
    for name in ("pttl", "lindex", "lpush", "ltrim", "pexpire", "config|resetstat")
}
"""What the script of the window does within Redis."""

WORKER = Path(__file__).parent.parent / "support" / "pacing_worker.py"


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    """Run a Redis for all tests that do not kill it."""
    if not is_redis_installed():
        pytest.skip("redis-server is not installed")
    with RedisServer() as server:
        yield server


@pytest.fixture
def client(shared_redis: RedisServer) -> Iterator[Redis]:
    """Connect to the Redis and empty it."""
    with Redis.from_url(shared_redis.url) as client:
        client.flushall()
        client.config_resetstat()
        yield client


@pytest.fixture
def url(shared_redis: RedisServer, client: Redis) -> str:
    """Return the address of an empty Redis."""
    return shared_redis.url


@pytest.fixture(params=["memory", "redis"])
def storage(request: pytest.FixtureRequest) -> str:
    """Run a test with each storage."""
    return "memory://" if request.param == "memory" else request.getfixturevalue("url")


@pytest.fixture
def mortal_redis() -> Iterator[RedisServer]:
    """Run a Redis that the test can kill."""
    if not is_redis_installed():
        pytest.skip("redis-server is not installed")
    with RedisServer() as server:
        yield server


@pytest.fixture
def short_window(monkeypatch) -> None:
    """Make the window of a period of one second `WINDOW` long."""
    monkeypatch.setattr(window_module, "MARGIN_SECONDS", WINDOW - 1)


# --- The window in Redis ---


def test_a_wait_is_never_shorter_than_redis_says(url, monkeypatch) -> None:
    """A jitter is added, which keeps waiters apart."""
    window = window_module.open_window(url, 1, 60, "default")
    waits = []
    for jitter in (0.0, 10.0):
        monkeypatch.setattr(window_module.random, "uniform", lambda *_, jitter=jitter: jitter)
        waits += [window.enter(0), window.enter(0)]
    taken, first, _, later = waits
    assert taken == 0
    assert 55 < first <= 60 < later <= first + 10


def test_as_many_requests_pass_as_the_limit_says(caller, url) -> None:
    """A call that does not wait returns whether it may go."""
    limiter = SegmindRateLimiter(3, url)
    assert [caller.acquire(limiter, blocking=False) for _ in range(5)] == [True] * 3 + [False] * 2


@pytest.mark.usefixtures("short_window")
def test_a_caller_waits_until_a_slot_is_free(caller, url) -> None:
    """Redis counts the time."""
    limiter = SegmindRateLimiter(2, url, period=1)
    assert caller.acquire(limiter)
    start = time.monotonic()
    assert all(caller.acquire(limiter) for _ in range(3))
    assert time.monotonic() - start >= WINDOW / 2


@pytest.mark.usefixtures("short_window")
async def test_many_waiting_tasks_ask_redis_rarely(client, url) -> None:
    """They sleep until their own slot is due; Redis stores the times of one window."""
    limiter = SegmindRateLimiter(20, url, period=1)
    await asyncio.gather(*(limiter.aacquire() for _ in range(60)))
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] < 4 * 60
    assert [client.llen(key) for key in client.scan_iter()] == [20]


def test_a_slot_costs_one_round_trip(caller, client, url) -> None:
    """With a slow Redis, the round trips of a process are its limit."""
    limiter = SegmindRateLimiter(100, url)
    caller.acquire(limiter)  # the first one sends the script too
    client.config_resetstat()
    for _ in range(10):
        caller.acquire(limiter)
    commands = client.info("commandstats")
    assert commands["cmdstat_evalsha"]["calls"] == 10
    assert commands.keys() <= {"cmdstat_evalsha", "cmdstat_time", *WINDOW_COMMANDS}


def test_accounts_in_one_redis_have_windows_of_their_own(url) -> None:
    """Limiters of the same account share theirs."""
    limiters = [SegmindRateLimiter(1, url, account=account) for account in ("one", "two", "one")]
    assert [limiter.acquire(blocking=False) for limiter in limiters] == [True, True, False]


def test_limiters_with_different_limits_share_the_window(url) -> None:
    """While a new limit is rolled out, the higher one bounds them together."""
    limiters = [SegmindRateLimiter(limit, url) for limit in (3, 4)]
    passed = [limiter.acquire(blocking=False) for limiter in limiters * 5]
    assert sum(passed) == 4


def test_a_pickled_limiter_shares_the_window(url) -> None:
    """It connects to the same Redis."""
    limiter = SegmindRateLimiter(1, url, account="a")
    assert limiter.acquire(blocking=False)
    assert not pickle.loads(pickle.dumps(limiter)).acquire(blocking=False)


@pytest.mark.usefixtures("short_window")
async def test_threads_of_the_loop_that_wait_block_no_task(url, monkeypatch) -> None:
    """A task needs a thread to ask Redis: not one of the loop's own, which can all be waiting."""
    monkeypatch.setattr(limiter_module, "TURN_TIMEOUT_SECONDS", 60)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    limiter = SegmindRateLimiter(1, url, period=1)
    limiter.acquire()
    first = asyncio.create_task(limiter.aacquire())
    await asyncio.sleep(0)
    threads = [asyncio.to_thread(limiter.acquire) for _ in range(2)]
    assert await asyncio.wait_for(asyncio.gather(first, *threads), 10)


@pytest.mark.usefixtures("short_window")
async def test_the_event_loop_runs_while_a_task_waits(url) -> None:
    """Other tasks are not blocked."""
    limiter = SegmindRateLimiter(1, url, period=1)
    await limiter.aacquire()
    waiting = asyncio.create_task(limiter.aacquire())
    turns = 0
    while not waiting.done():
        turns += 1
        await asyncio.sleep(0.01)
    assert turns > 5


@pytest.mark.usefixtures("short_window")
async def test_cancelled_callers_block_nobody(url) -> None:
    """Those ahead of the last one gave up."""
    limiter = SegmindRateLimiter(1, url, period=1)
    await limiter.aacquire()
    waiting = [asyncio.create_task(limiter.aacquire()) for _ in range(3)]
    await asyncio.sleep(0)
    for task in waiting[:2]:
        task.cancel()
    assert await asyncio.wait_for(waiting[2], 30)
    assert all(task.cancelled() for task in waiting[:2])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("short_window")
def test_a_forked_process_does_not_wait_for_threads_of_its_parent(url, monkeypatch) -> None:
    """A thread that waits at the fork does not exist in the child."""
    monkeypatch.setattr(limiter_module, "TURN_TIMEOUT_SECONDS", 60)
    limiter = SegmindRateLimiter(1, url, period=1)
    limiter.acquire()
    limiter.hold(0.2)
    is_waiting = threading.Event()

    def wait() -> None:
        is_waiting.set()
        limiter.acquire()

    thread = threading.Thread(target=wait)
    thread.start()
    assert is_waiting.wait(10)
    child = os.fork()
    if not child:
        signal.alarm(20)
        os._exit(0 if limiter.acquire() and not limiter.acquire(blocking=False) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    thread.join(20)
    assert not thread.is_alive()


# --- Holds ---


def test_a_429_holds_all_who_share_the_limit(caller, create_model, gateway, storage) -> None:
    """They wait as long as the server says, to a tenth of a second."""
    limiter = SegmindRateLimiter(100, storage)
    other = limiter if storage == "memory://" else pickle.loads(pickle.dumps(limiter))
    headers = {"retry-after-ms": "300"}
    gateway.script([{"status": 429, "headers": headers, "body": "Slow down."}, "Hi."])
    model = create_model(rate_limiter=limiter, max_retries=0)
    with pytest.raises(SegmindRateLimitError):
        caller.invoke(model, "Hi")
    start = time.monotonic()
    assert not other.acquire(blocking=False)
    assert other.acquire()
    assert 0.2 <= time.monotonic() - start <= 10
    assert caller.invoke(model, "Hi").text == "Hi."


def test_a_hold_in_redis_is_exact(caller, client, url) -> None:
    """A `retry-after-ms` of 1,234 is not rounded, and a caller waits as long."""
    limiter = SegmindRateLimiter(100, url)
    start = time.monotonic()
    caller.hold(limiter, 1.234)
    assert client.get("segmind:{default}:hold") == b"1234"
    caller.acquire(limiter)
    assert time.monotonic() - start >= 1.2


def test_a_hold_in_redis_is_bounded(caller, client, url) -> None:
    """A reset time that is wrong or forged does not block everybody for hours."""
    caller.hold(SegmindRateLimiter(100, url), 1e9)
    assert 200_000 < max(map(client.pttl, client.keys())) <= 300_000


def test_a_shorter_hold_never_ends_a_longer_one(url) -> None:
    """Not even where two processes hold at the same moment."""
    accounts = [f"account {number}" for number in range(20)]
    holds = [
        (SegmindRateLimiter(100, url, account=account), seconds)
        for account in accounts
        for seconds in (0.01, 60, 0.02)
    ]
    with ThreadPoolExecutor(6) as threads:
        for hold in [threads.submit(limiter.hold, seconds) for limiter, seconds in holds]:
            hold.result()
    time.sleep(0.05)  # the short ones are over
    limiters = [SegmindRateLimiter(100, url, account=account) for account in accounts]
    assert not any(limiter.acquire(blocking=False) for limiter in limiters)


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_hold_that_is_over_blocks_nobody(caller, storage, seconds) -> None:
    """A server's clock can be behind."""
    limiter = SegmindRateLimiter(100, storage)
    caller.hold(limiter, seconds)
    assert caller.acquire(limiter, blocking=False)


# --- A clock of Redis that is set back ---


HOUR_MS = 3_600_000


def test_a_clock_that_was_set_back_costs_one_window_at_most(caller, client, url) -> None:
    """Redis keeps times of the future then: nobody waits for the clock to reach them."""
    limiter = SegmindRateLimiter(2, url, period=1)
    requests, hold = "segmind:{default}:requests", "segmind:{default}:hold"
    seconds, _ = client.time()
    client.lpush(requests, *[seconds * 1000 + HOUR_MS] * 2)
    client.pexpire(requests, HOUR_MS)
    start = time.monotonic()
    assert not caller.acquire(limiter, blocking=False)
    assert client.pttl(hold) <= 2000
    assert caller.acquire(limiter)
    assert time.monotonic() - start < 10
    assert client.llen(requests) == 1


def test_a_clock_that_was_set_back_a_little_costs_nothing(caller, client, url) -> None:
    """As after the failover to a replica."""
    limiter = SegmindRateLimiter(2, url)
    seconds, microseconds = client.time()
    client.lpush("segmind:{default}:requests", seconds * 1000 + microseconds // 1000 + 500)
    passed = [caller.acquire(limiter, blocking=False) for _ in range(2)]
    assert passed == [True, False]


def test_a_hold_that_is_not_a_number_ends_all_the_same(caller, client, url) -> None:
    """Whoever wrote it."""
    client.set("segmind:{default}:hold", "soon", px=50)
    limiter = SegmindRateLimiter(2, url)
    assert not caller.acquire(limiter, blocking=False)
    caller.hold(limiter, 0.01)
    assert caller.acquire(limiter)


@pytest.mark.parametrize("action", ["acquire", "hold"])
def test_a_hold_is_not_lengthened_by_a_clock_that_was_set_back(client, url, action) -> None:
    """It ends after the time that it was set for."""
    limiter = SegmindRateLimiter(2, url)
    limiter.hold(10)
    client.pexpire("segmind:{default}:hold", HOUR_MS)
    if action == "hold":
        limiter.hold(20)
    assert not limiter.acquire(blocking=False)
    assert client.pttl("segmind:{default}:hold") <= (20_000 if action == "hold" else 10_000)


# --- Models and processes ---


def test_every_attempt_takes_a_slot(caller, create_model, gateway) -> None:
    """A retry is a request."""
    limiter = SegmindRateLimiter(3)
    gateway.script([{"status": 503, "body": "", "headers": {"retry-after": "0"}}, "Hi.", "Hi."])
    model = create_model(rate_limiter=limiter)
    caller.invoke(model, "Hi")
    caller.invoke(model, "Hi")
    assert not limiter.acquire(blocking=False)


@pytest.mark.usefixtures("short_window")
async def test_bursts_stay_within_the_limit(storage) -> None:
    """The third ten of 26 simultaneous calls waits for two windows to end."""
    with Gateway(api_key=SECRET, credits=10) as gateway:
        limiter = SegmindRateLimiter(10, storage, period=1)
        twin = limiter if storage == "memory://" else pickle.loads(pickle.dumps(limiter))
        models = [
            ChatSegmindGPT4Turbo(
                base_url=gateway.base_url, api_key=SECRET, rate_limiter=each, max_retries=0
            )
            for each in (limiter, twin)
        ]
        start = time.monotonic()
        await asyncio.gather(*(model.abatch(["Hi"] * 13) for model in models))
        # No upper bound: a busy machine is slow, but never early.
        assert time.monotonic() - start > 2 * WINDOW - 0.01
        assert len(gateway.requests) == 26


def test_processes_share_one_limit(url) -> None:
    """Another process gets the slots that this one has left."""
    limiter = SegmindRateLimiter(10, url)
    assert all(limiter.acquire() for _ in range(7))
    command = [sys.executable, str(WORKER), url, "10"]
    worker = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert worker.stdout == "3\n"
    assert not limiter.acquire(blocking=False)


@pytest.mark.parametrize(
    ("option", "outcomes"),
    [
        pytest.param("local", {str}, id="local share"),
        pytest.param("raise", {str, SegmindRateLimiterStorageError}, id="error"),
    ],
)
@pytest.mark.usefixtures("short_window")
def test_every_call_ends_when_redis_is_killed(mortal_redis, option, outcomes) -> None:
    """Calls that wait do not hang, and none is lost."""
    with Gateway(api_key=SECRET, credits=10) as gateway:
        limiter = SegmindRateLimiter(
            10, mortal_redis.url, period=1, on_storage_error=option, workers=2
        )
        model = ChatSegmindGPT4Turbo(
            base_url=gateway.base_url, api_key=SECRET, rate_limiter=limiter, max_retries=0
        )
        seen = []
        for _, reply in model.batch_as_completed(["Hi"] * 30, return_exceptions=True):
            if not seen:
                mortal_redis.kill()
            seen.append(type(reply) if isinstance(reply, Exception) else str)
    assert len(seen) == 30
    assert set(seen) == outcomes


# --- Outages ---


def test_without_redis_a_process_keeps_to_its_share(caller, mortal_redis, caplog, monkeypatch):
    """One warning is logged, and one line when Redis is back and counts again."""
    monkeypatch.setattr(limiter_module, "STORAGE_RETRY_SECONDS", 0)
    limiter = SegmindRateLimiter(10, mortal_redis.url, workers=5)
    mortal_redis.kill()
    with caplog.at_level(logging.INFO, logger="langchain_segmind"):
        passed = [caller.acquire(limiter, blocking=False) for _ in range(3)]
        assert passed == [True, True, False]
        mortal_redis.start()
        assert sum(caller.acquire(limiter, blocking=False) for _ in range(11)) == 10
    assert caplog.text.count("cannot be used") == 1
    assert (
        f"The rate limit's storage at {mortal_redis.url} cannot be used (ConnectionError). Until "
        "it is back, this process keeps to its share of the limit: 1/5 (workers) of 10 requests "
        "in 60 s."
    ) in caplog.text
    assert caplog.text.count("storage is back") == 1


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        pytest.param({"min-replicas-to-write": 1}, "ResponseError NOREPLICAS", id="no replicas"),
        pytest.param({"maxmemory": 1}, "OutOfMemoryError", id="no memory"),
    ],
)
def test_a_redis_that_cannot_write_is_an_outage(
    caller, client, url, caplog, setting, reason
) -> None:
    """Each process keeps to its share until Redis writes again."""
    limiter = SegmindRateLimiter(10, url, workers=5)
    try:
        client.config_set(*next(iter(setting.items())))
        assert [caller.acquire(limiter, blocking=False) for _ in range(3)] == [True, True, False]
    finally:
        client.config_set(next(iter(setting)), 0)
    assert f"cannot be used ({reason})" in caplog.text


def test_a_redis_that_is_busy_with_a_script_is_an_outage(caller, client, url) -> None:
    """It answers BUSY, as it answers MISCONF when its disk is full."""
    client.config_set("busy-reply-threshold", 1)
    limiter = SegmindRateLimiter(10, url, workers=5)
    with ThreadPoolExecutor(1) as thread:
        endless = thread.submit(client.eval, "while true do end", 0)
        try:
            while is_answering(client):
                pass
            passed = [caller.acquire(limiter, blocking=False) for _ in range(3)]
        finally:
            client.script_kill()
        assert "killed" in str(endless.exception())
    assert passed == [True, True, False]


def test_a_redis_that_does_not_answer_is_an_outage(caller, monkeypatch) -> None:
    """After two attempts, whose time is bounded."""
    monkeypatch.setattr(window_module, "STORAGE_TIMEOUT_SECONDS", 0.2)
    with ThreadPoolExecutor(1) as thread, socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        limiter = SegmindRateLimiter(10, address, workers=5)
        passed = thread.submit(lambda: [caller.acquire(limiter, blocking=False) for _ in range(3)])
        assert passed.result(20) == [True, True, False]
        listener.settimeout(0)
        attempts = 0
        with suppress(BlockingIOError):
            while True:
                listener.accept()[0].close()
                attempts += 1
    assert attempts == 2


def is_answering(client: Redis) -> bool:
    """Whether Redis does anything but refuse."""
    try:
        return bool(client.ping())
    except ResponseError:
        return False


@pytest.mark.usefixtures("short_window")
def test_an_outage_that_starts_while_many_wait_blocks_nobody(mortal_redis) -> None:
    """More callers can wait for the window in Redis than the local share has slots."""
    limiter = SegmindRateLimiter(10, mortal_redis.url, workers=5, period=1)
    limiter.hold(0.3)
    with ThreadPoolExecutor(6) as threads:
        waiting = [threads.submit(limiter.acquire) for _ in range(6)]
        mortal_redis.kill()
        assert all(each.result(20) for each in waiting)


@pytest.mark.parametrize(
    "login", ["user:fake-password@", "?password=fake-password"], ids=["userinfo", "query"]
)
def test_a_refused_password_is_an_error_not_an_outage(caller, shared_redis, login) -> None:
    """Otherwise each process would silently use its own window."""
    host = f"127.0.0.1:{shared_redis.port}"
    address = f"redis://{host}/0{login}" if login[0] == "?" else f"redis://{login}{host}/0"
    limiter = SegmindRateLimiter(10, address)
    for _ in range(2):
        with pytest.raises(SegmindRateLimiterStorageError, match="AuthenticationError") as caught:
            caller.acquire(limiter)
        assert f"redis://{host}/0 cannot be used" in str(caught.value)
        assert "fake-password" not in f"{caught.value!r}{caught.value.__context__!r}"


def test_redis_is_not_asked_again_soon_after_it_failed(caller, mortal_redis) -> None:
    """Calls that cannot succeed fail at once, without a timeout each."""
    limiter = SegmindRateLimiter(10, mortal_redis.url, on_storage_error="raise")
    mortal_redis.kill()
    with pytest.raises(SegmindRateLimiterStorageError):
        caller.acquire(limiter)
    mortal_redis.start()
    with pytest.raises(SegmindRateLimiterStorageError):
        caller.acquire(limiter)


def test_a_call_without_its_storage_is_not_sent(caller, mortal_redis, create_model, gateway):
    """The error says what to do and which address was tried; a hold raises nothing."""
    limiter = SegmindRateLimiter(10, mortal_redis.url, on_storage_error="raise")
    mortal_redis.kill()
    with pytest.raises(SegmindRateLimiterStorageError, match='on_storage_error="local"') as caught:
        caller.invoke(create_model(rate_limiter=limiter), "Hi")
    assert gateway.requests == []
    assert mortal_redis.url in str(caught.value)
    caller.hold(limiter, 1)
