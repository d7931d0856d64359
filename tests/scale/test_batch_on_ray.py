"""The example of Ray: no row is lost, and none is paid for twice, whoever dies."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
import ray

from examples import batch_on_ray
from examples.batch_on_ray import (
    CALLS_AT_ONCE,
    SCHEMA,
    Answerer,
    Book,
    ask,
    begin_run,
    find_missing,
    name_part,
    read_prompts,
    read_tries,
    run,
)
from langchain_segmind import (
    SegmindAuthenticationError,
    SegmindBudgetExceededError,
    SegmindInsufficientCreditsError,
)
from langchain_segmind.gateway import Gateway, Request
from langchain_segmind.rate_limiters import SegmindRateLimiter
from tests.conftest import SECRET
from tests.support.redis_server import RedisServer, is_redis_installed

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray warns of what itself does

CREDITS = 1_000
PATIENCE = 120
"""Seconds after which a test gives up waiting for another process."""
PERIOD = 4
"""Seconds of the limit's window in these tests."""


# --- What the tests run on ---


@pytest.fixture(scope="module")
def account() -> Iterator[Gateway]:
    """Run a gateway whose account has a limit of 200 requests in a few seconds."""
    with Gateway(api_key=SECRET, credits=CREDITS, rpm=200, rate_window=PERIOD) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def cluster(account: Gateway) -> Iterator[str]:
    """Run a cluster of Ray on this machine alone, with room for two workers; give its address."""
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder,
    ):
        patch.setenv("SEGMIND_API_BASE", account.base_url)
        patch.setenv("SEGMIND_API_KEY", SECRET)
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=200 * 2**20,
            log_to_driver=False,
            _temp_dir=folder,
        )
        try:
            yield ray.get_runtime_context().gcs_address
        finally:
            ray.shutdown()


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """Run a Redis."""
    if not is_redis_installed():
        pytest.skip("redis-server is not installed")
    with RedisServer() as server:
        yield server


@pytest.fixture
def limiter(redis: RedisServer, tmp_path: Path) -> SegmindRateLimiter:
    """Give a limit that all workers share, within what the gateway allows."""
    return SegmindRateLimiter(
        200, redis.url, account=tmp_path.name, period=PERIOD, workers=2, on_storage_error="raise"
    )


class Script:
    """What the model says: an answer, a passing 503 to some rows, and a 400 to others.

    Attributes:
        asked: How often each row was asked.
        answered: How often each row was answered, which is paid.
        held: The ports of the connections of the calls that are held back.
        cut_off: The rows of the calls that were held back until their client was gone.
        gave_way: The rows that got their 503.
        ended: How many calls ended for good.
    """

    def __init__(self, gateway: Gateway, *, hold_at: int | None = None) -> None:
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.held: set[int] = set()
        self.cut_off: list[str] = []
        self.gave_way: set[str] = set()
        self.ended = 0
        self._hold_at = hold_at
        self._open = asyncio.Event()
        self._open.set()
        gateway.reset()
        gateway.script(self.reply)

    @property
    def is_holding(self) -> bool:
        """Whether calls are held back: from the one with the number `hold_at` on."""
        return not self._open.is_set()

    def release(self) -> None:
        """Hold no call back any more."""
        self._loop.call_soon_threadsafe(self._open.set)

    async def reply(self, request: Request) -> Any:
        """Answer a prompt, which is the row's id."""
        self._loop = asyncio.get_running_loop()
        row, port = request.last_message, request.client[1]
        self.asked[row] += 1
        if self.asked.total() == self._hold_at:
            self._open.clear()
        self.held.add(port)
        try:
            await self._open.wait()
        except asyncio.CancelledError:
            self.cut_off.append(row)
            raise
        finally:
            self.held.discard(port)
        if is_busy_once(row) and row not in self.gave_way:
            self.gave_way.add(row)
            return {"status": 503, "headers": {"retry-after": "0"}, "body": "Busy."}
        self.ended += 1
        if is_refused(row):
            return {"status": 400, "body": "No."}
        self.answered[row] += 1
        return f"It is {row}."


def is_busy_once(row: str) -> bool:
    """Whether the row gets a 503 first: 3 in 100."""
    return int(row) % 100 in {3, 33, 63}


def is_refused(row: str) -> bool:
    """Whether the row gets a 400: 2 in 100."""
    return int(row) % 100 in {7, 57}


def write_prompts(folder: Path, count: int) -> Path:
    """Write prompts that all cost the same."""
    path = folder / "prompts.jsonl"
    rows = [f"{number:04}" for number in range(count)]
    path.write_text("".join(f'{{"id": "{row}", "prompt": "{row}"}}\n' for row in rows))
    return path


def get_spent(gateway: Gateway) -> Decimal:
    """Get what the gateway charged."""
    return CREDITS - gateway.credits()


def get_costs(folder: Path) -> Decimal:
    """Get the sum of what the results say, exactly."""
    costs = [row["cost"] for row in read_tries(folder)]
    return sum((Decimal(str(cost)) for cost in costs), Decimal(0))


def find_callers(gateway: Gateway) -> dict[psutil.Process, set[int]]:
    """Find this process's descendants that are connected to the gateway, and by which ports."""
    callers: dict[psutil.Process, set[int]] = {}
    for process in psutil.Process().children(recursive=True):
        try:
            connections = process.net_connections("tcp4")
        except psutil.Error:  # it has just ended
            continue
        ports = {each.laddr.port for each in connections if each.raddr[1:] == (gateway.port,)}
        if ports:
            callers[process] = ports
    return callers


def wait_for(find: Callable[[], Any]) -> Any:
    """Wait for what other processes do, of which nothing tells; give what is found."""
    end = time.monotonic() + PATIENCE
    while not (found := find()):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)
    return found


def kill(process: psutil.Process) -> None:
    """Kill a process where it stands, and see it end."""
    process.kill()
    assert psutil.wait_procs([process], timeout=PATIENCE)[1] == []


def find_busy_callers(gateway: Gateway, script: Script) -> dict[psutil.Process, set[int]] | None:
    """Find both workers, once each has calls that are held back."""
    callers = find_callers(gateway)
    is_busy = len(callers) == 2 and all(ports & script.held for ports in callers.values())
    return callers if is_busy else None


# --- The pipeline ---


def test_a_killed_worker_loses_nothing_and_nothing_is_paid_twice(
    account, cluster, limiter, tmp_path
) -> None:
    """Where the server charges no call that was cut off, the sums are equal to the last digit."""
    prompts, results = write_prompts(tmp_path, 1_000), tmp_path / "results"
    script = Script(account, hold_at=400)

    def kill_worker() -> None:
        """Kill a worker while all calls are held back, and every result is written."""
        wait_for(lambda: script.is_holding)
        try:
            wait_for(lambda: len(read_tries(results)) == script.ended)
            (worker, _) = wait_for(lambda: find_busy_callers(account, script)).popitem()
            kill(worker)
            wait_for(lambda: script.held <= {*chain(*find_callers(account).values())})
        finally:
            script.release()

    with ThreadPoolExecutor() as threads:
        killing = threads.submit(kill_worker)
        counts = run(prompts, results, limiter, workers=2)
        killing.result()

    rows = [f"{number:04}" for number in range(1_000)]
    failed = {row for row in rows if is_refused(row)}
    tries = {row["id"]: row for row in read_tries(results)}
    assert counts == (1_000, 20)
    assert len(read_tries(results)) == len(tries) == 1_000
    assert {row for row, result in tries.items() if result["error"] is not None} == failed
    assert all(tries[row]["error"].startswith("SegmindInvalidRequestError: ") for row in failed)
    assert all(tries[row]["answer"] == f"It is {row}." for row in rows if row not in failed)
    assert script.answered == Counter({*rows} - failed)
    assert get_costs(results) == get_spent(account) > 0
    assert not any(row["is_cost_estimated"] for row in tries.values())
    # Requests: one for each row, one more where a 503 passed, and those that were cut off. None
    # was refused for the rate.
    assert 1 <= len(script.cut_off) <= CALLS_AT_ONCE
    expected = Counter([*rows, *filter(is_busy_once, rows), *script.cut_off])
    assert script.asked == expected
    assert len(account.requests) == expected.total()


def test_what_is_paid_twice_was_under_way_in_the_killed_worker(
    account, cluster, limiter, tmp_path
) -> None:
    """Where a worker dies while answers come in, only these are asked for again."""
    prompts, results = write_prompts(tmp_path, 200), tmp_path / "results"
    script = Script(account)
    account.faults("latency:0.2@1")

    def kill_worker() -> None:
        wait_for(lambda: script.ended >= 60)
        kill(wait_for(lambda: find_callers(account)).popitem()[0])

    with ThreadPoolExecutor() as threads:
        killing = threads.submit(kill_worker)
        assert run(prompts, results, limiter, workers=2) == (200, 4)
        killing.result()

    tries = read_tries(results)
    assert len({row["id"] for row in tries}) == len(tries) == 200
    assert script.answered.keys() == {row["id"] for row in tries if row["error"] is None}
    twice = [row for row, count in script.answered.items() if count > 1]
    assert len(twice) <= CALLS_AT_ONCE
    assert max(script.answered.values()) <= 2
    price = get_costs(results) / len(script.answered)
    assert get_spent(account) == get_costs(results) + len(twice) * price


def test_a_restart_does_only_what_is_missing(
    account, cluster, redis, tmp_path, root, capsys
) -> None:
    """The command is killed as it stands; the next one asks what has no answer, once."""
    prompts, results = write_prompts(tmp_path, 150), tmp_path / "results"
    words = [str(prompts), str(results), "--requests-per-minute=600", f"--storage={redis.url}"]
    script = Script(account, hold_at=100)
    command = subprocess.Popen(
        [sys.executable, str(root / "examples" / "batch_on_ray.py"), *words],
        env={**os.environ, "RAY_ADDRESS": cluster},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: script.is_holding)
        wait_for(lambda: len(read_tries(results)) == script.ended)
        workers = wait_for(lambda: find_busy_callers(account, script))
    finally:
        command.kill()
        command.wait()
    assert psutil.wait_procs(workers, timeout=PATIENCE)[1] == []
    wait_for(lambda: not script.held)
    script.release()

    first = read_tries(results)
    answered = {row["id"] for row in first if row["error"] is None}
    failed = {row["id"] for row in first} - answered
    assert len(answered) > 50
    assert failed
    again = Script(account)
    missing = {f"{number:04}" for number in range(150)} - answered
    spent = get_costs(results)
    batch_on_ray.main(words)

    assert again.asked.keys() == missing
    assert again.answered == Counter(row for row in missing if not is_refused(row))
    assert len(account.requests) == len(missing) + len(again.gave_way)
    assert f"{len(missing)} rows asked, 3 of them failed" in capsys.readouterr().out
    assert get_costs(results) == spent + get_spent(account)
    tries = read_tries(results)
    assert len(tries) == 150 + len(failed)
    assert {row["run"] for row in tries} == {1, 2}
    assert {row["id"] for row in find_missing(read_prompts(prompts), tries)} == {
        "0007",
        "0057",
        "0107",
    }


# --- Its parts ---


def create_result(row: str, *, error: str | None = None, **values: Any) -> dict[str, Any]:
    """Create a row's result."""
    answer = None if error else "Yes."
    return {**dict.fromkeys(SCHEMA.names), "id": row, "answer": answer, "error": error, **values}


def test_prompts_are_read_with_ids_as_texts(tmp_path) -> None:
    """Blank lines and other keys are passed over."""
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"id": 1, "prompt": "One?", "more": 1}\n\n{"id": "b", "prompt": "Two?"}\n')
    assert read_prompts(path) == [{"id": "1", "prompt": "One?"}, {"id": "b", "prompt": "Two?"}]


def test_a_prompt_may_hold_what_other_tools_take_for_the_end_of_a_line(tmp_path) -> None:
    """JSON allows it within a text."""
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"id": "a", "prompt": "One\u2028two\u0085?"}\n', encoding="utf-8")
    assert read_prompts(path) == [{"id": "a", "prompt": "One\u2028two\u0085?"}]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("{", id="no JSON"),
        pytest.param("[1]", id="no object"),
        pytest.param('{"prompt": "One?"}', id="no id"),
        pytest.param('{"id": 2}', id="no prompt"),
        pytest.param('{"id": 2, "prompt": 3}', id="a prompt that is no text"),
        pytest.param('{"id": "1", "prompt": "Two?"}', id="an id again"),
    ],
)
def test_a_line_that_is_no_row_is_refused(tmp_path, line) -> None:
    """Before anything is paid for, and with its number."""
    path = tmp_path / "prompts.jsonl"
    path.write_text(f'{{"id": 1, "prompt": "One?"}}\n{line}\n')
    with pytest.raises(ValueError, match="line 2"):
        read_prompts(path)


def test_rows_that_failed_are_missing_and_answered_ones_are_not() -> None:
    """An answer counts, whatever came before or after it."""
    rows = [{"id": row, "prompt": "?"} for row in "abcd"]
    tries = [
        create_result("a"),
        create_result("b", error="No."),
        create_result("c", error="No."),
        create_result("c"),
    ]
    assert [row["id"] for row in find_missing(rows, tries)] == ["b", "d"]


def test_each_run_has_a_folder_of_its_own(tmp_path) -> None:
    """Nothing of an earlier one is written over."""
    assert [begin_run(tmp_path / "results").name for _ in range(3)] == ["run=1", "run=2", "run=3"]


def test_a_batch_has_one_name() -> None:
    """The same rows find the same file, and others another."""
    names = {name_part(rows) for rows in (["a", "b"], ["a", "b"], ["ab"], ["b", "a"])}
    assert len(names) == 3


def test_a_book_is_on_disk_after_each_result(tmp_path) -> None:
    """Whoever opens it next finds all of them; a draft is no result."""
    folder = begin_run(tmp_path)
    path = folder / "part-1.parquet"
    for number, row in enumerate("abc", start=1):
        Book(path).write(create_result(row, cost=0.25))
        assert Book(path).results.keys() == {*"abc"[:number]}
    (folder / ".part-1.parquet-1").write_text("half a file")
    assert read_tries(tmp_path) == [create_result(row, cost=0.25, run=1) for row in "abc"]
    assert read_tries(tmp_path / "nothing") == []


def test_a_result_has_the_rows_credits(create_model, gateway) -> None:
    """Those of the row alone."""
    gateway.script(lambda request: f"It is {request.last_message}.")
    model = create_model()
    results = [ask(model, {"id": row, "prompt": row}) for row in ("0001", "0002")]
    assert [result["answer"] for result in results] == ["It is 0001.", "It is 0002."]
    costs = [Decimal(str(result["cost"])) for result in results]
    assert sum(costs) == 1_000 - gateway.credits()
    assert results[-1]["remaining_credits"] == float(gateway.credits())
    assert results[0]["input_tokens"] > 0 < results[0]["output_tokens"]
    assert json.loads(json.dumps(results)) == results


def test_a_row_that_fails_has_its_error(create_model, gateway) -> None:
    """And what it is known to have cost: nothing."""
    gateway.faults("400")
    result = ask(create_model(), {"id": "a", "prompt": "?"})
    assert result["answer"] is None
    assert result["error"].startswith("SegmindInvalidRequestError: ")
    assert (result["cost"], result["is_cost_estimated"]) == (0, False)


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [(401, SegmindAuthenticationError), (406, SegmindInsufficientCreditsError)],
    ids=str,
)
def test_what_every_row_would_fail_by_ends_the_run(
    create_model, gateway, fault, error_class
) -> None:
    """A row that is not asked is missing, and asked by the next run."""
    gateway.faults(str(fault))
    with pytest.raises(error_class):
        ask(create_model(), {"id": "a", "prompt": "?"})


def test_a_worker_stops_where_too_few_credits_remain(gateway, tmp_path, monkeypatch) -> None:
    """What was answered before is on disk."""
    monkeypatch.setenv("SEGMIND_API_BASE", gateway.base_url)
    monkeypatch.setenv("SEGMIND_API_KEY", SECRET)
    monkeypatch.setattr(batch_on_ray, "CALLS_AT_ONCE", 1)
    gateway.script(["One."])
    answerer = Answerer(tmp_path, SegmindRateLimiter(100), min_remaining=2 * CREDITS)
    rows = [{"id": row, "prompt": "?"} for row in ("a", "b")]
    with pytest.raises(SegmindBudgetExceededError):
        answerer(pa.Table.from_pylist(rows))
    (path,) = tmp_path.glob("*.parquet")
    assert list(Book(path).results) == ["a"]


def test_a_row_that_fails_may_have_cost_something(create_model, gateway) -> None:
    """The connection breaks in the middle of a reply, whose head tells the price."""
    gateway.faults("cut")
    result = ask(create_model(), {"id": "a", "prompt": "?"})
    assert result["error"].startswith("SegmindConnectionError: ")
    assert Decimal(str(result["cost"])) == CREDITS - gateway.credits() > 0
    assert not result["is_cost_estimated"]


def test_a_price_that_nobody_told_is_marked(create_model, gateway) -> None:
    """The connection breaks before a reply, and the request is sent again."""
    gateway.faults("drop")
    result = ask(create_model(), {"id": "a", "prompt": "?"})
    assert result["answer"] == "?"
    assert result["is_cost_estimated"]
