"""The Ray example: when a worker dies, no row is lost and no answered row is paid for twice."""

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
    CALLS_IN_FLIGHT,
    SCHEMA,
    Answerer,
    ResultsFile,
    ask,
    create_file_name,
    create_run_folder,
    find_missing,
    read_prompts,
    read_results,
    run,
)
from langchain_segmind import (
    SegmindAuthenticationError,
    SegmindBudgetExceededError,
    SegmindInsufficientCreditsError,
    SegmindModelNotFoundError,
)
from langchain_segmind.gateway import Gateway, Request
from langchain_segmind.rate_limiters import SegmindRateLimiter
from tests.conftest import SECRET
from tests.support.redis_server import RedisServer, is_redis_installed

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray raises warnings about its own code

CREDITS = 1_000
TIMEOUT_SECONDS = 120
"""How long a test waits for another process."""
PERIOD = 4
"""Period of the rate limit in these tests, in seconds."""


# --- Servers and helpers ---


@pytest.fixture(scope="module")
def account() -> Iterator[Gateway]:
    """Run a gateway with a limit of 200 requests per `PERIOD`."""
    with Gateway(api_key=SECRET, credits=CREDITS, rpm=200, rate_window=PERIOD) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def cluster(account: Gateway) -> Iterator[str]:
    """Run a local Ray cluster for two workers and return its address."""
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
    """Return a limiter for the gateway's limit."""
    return SegmindRateLimiter(
        200, redis.url, account=tmp_path.name, period=PERIOD, workers=2, on_storage_error="raise"
    )


class Script:
    """The gateway's replies: an answer, a 503 once for some rows, and a 400 for others.

    Attributes:
        asked: Requests per row.
        answered: Answers per row; these are charged.
        held: Client ports of the calls that are held back.
        cut_off: Rows of held calls whose client disconnected.
        busy: Rows that got their 503.
        ended: Calls that ended without a retry.
    """

    def __init__(self, gateway: Gateway, *, hold_at: int | None = None) -> None:
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.held: set[int] = set()
        self.cut_off: list[str] = []
        self.busy: set[str] = set()
        self.ended = 0
        self._hold_at = hold_at
        self._open = asyncio.Event()
        self._open.set()
        gateway.reset()
        gateway.script(self.reply)

    @property
    def is_holding(self) -> bool:
        """Whether calls are held back: from call number `hold_at` until `release`."""
        return not self._open.is_set()

    def release(self) -> None:
        """Answer the calls that are held back, and all later ones."""
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
        if is_busy_once(row) and row not in self.busy:
            self.busy.add(row)
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
    """Write prompts that all cost the same, and return the file's path."""
    path = folder / "prompts.jsonl"
    rows = [f"{number:04}" for number in range(count)]
    path.write_text("".join(f'{{"id": "{row}", "prompt": "{row}"}}\n' for row in rows))
    return path


def get_spent(gateway: Gateway) -> Decimal:
    """Return the credits that the gateway charged."""
    return CREDITS - gateway.credits()


def get_costs(folder: Path) -> Decimal:
    """Return the exact sum of the costs in the results."""
    costs = [row["cost"] for row in read_results(folder)]
    return sum((Decimal(str(cost)) for cost in costs), Decimal(0))


def find_callers(gateway: Gateway) -> dict[psutil.Process, set[int]]:
    """Return the child processes that are connected to the gateway, with their ports."""
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
    """Call `find` until it returns something, and return that."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while not (found := find()):
        assert time.monotonic() < end, "timeout"
        time.sleep(0.05)
    return found


def kill(process: psutil.Process) -> None:
    """Kill a process (`kill -9`) and wait for its end."""
    process.kill()
    assert psutil.wait_procs([process], timeout=TIMEOUT_SECONDS)[1] == []


def find_busy_callers(gateway: Gateway, script: Script) -> dict[psutil.Process, set[int]] | None:
    """Return both workers if each has calls that are held back."""
    callers = find_callers(gateway)
    is_busy = len(callers) == 2 and all(ports & script.held for ports in callers.values())
    return callers if is_busy else None


# --- The pipeline ---


def test_a_killed_worker_loses_no_row_and_pays_nothing_twice(
    account, cluster, limiter, tmp_path
) -> None:
    """The costs in the files are exactly what the gateway charged; it charges no call cut off."""
    prompts, results = write_prompts(tmp_path, 1_000), tmp_path / "results"
    script = Script(account, hold_at=400)

    def kill_worker() -> None:
        """Kill a worker while all calls are held back and every result is written."""
        wait_for(lambda: script.is_holding)
        try:
            wait_for(lambda: len(read_results(results)) == script.ended)
            (worker, _) = wait_for(lambda: find_busy_callers(account, script)).popitem()
            kill(worker)
            wait_for(lambda: script.held <= {*chain(*find_callers(account).values())})
        finally:
            script.release()

    with ThreadPoolExecutor() as threads:
        killing = threads.submit(kill_worker)
        sent, errors = run(prompts, results, limiter, workers=2)
        killing.result()

    rows = [f"{number:04}" for number in range(1_000)]
    failed = {row for row in rows if is_refused(row)}
    tries = {row["id"]: row for row in read_results(results)}
    assert (sent, errors.total()) == (1_000, 20)
    assert len(read_results(results)) == len(tries) == 1_000
    assert {row for row, result in tries.items() if result["error"] is not None} == failed
    assert all(tries[row]["error"].startswith("SegmindInvalidRequestError: ") for row in failed)
    assert all(tries[row]["answer"] == f"It is {row}." for row in rows if row not in failed)
    assert script.answered == Counter({*rows} - failed)
    assert get_costs(results) == get_spent(account) > 0
    assert not any(row["is_cost_estimated"] for row in tries.values())
    # One request per row, one more after a 503, and those cut off. None was refused with a 429.
    assert 1 <= len(script.cut_off) <= CALLS_IN_FLIGHT
    expected = Counter([*rows, *filter(is_busy_once, rows), *script.cut_off])
    assert script.asked == expected
    assert len(account.requests) == expected.total()


def test_only_calls_in_flight_in_a_killed_worker_are_paid_twice(
    account, cluster, limiter, tmp_path
) -> None:
    """A worker dies while it receives answers."""
    prompts, results = write_prompts(tmp_path, 200), tmp_path / "results"
    script = Script(account)
    account.faults("latency:0.2@1")

    def kill_worker() -> None:
        wait_for(lambda: script.ended >= 60)
        kill(wait_for(lambda: find_callers(account)).popitem()[0])

    with ThreadPoolExecutor() as threads:
        killing = threads.submit(kill_worker)
        sent, errors = run(prompts, results, limiter, workers=2)
        killing.result()

    assert (sent, errors.total()) == (200, 4)
    tries = read_results(results)
    assert len({row["id"] for row in tries}) == len(tries) == 200
    assert script.answered.keys() == {row["id"] for row in tries if row["error"] is None}
    twice = [row for row, count in script.answered.items() if count > 1]
    assert len(twice) <= CALLS_IN_FLIGHT
    assert max(script.answered.values()) <= 2
    price = get_costs(results) / len(script.answered)
    assert get_spent(account) == get_costs(results) + len(twice) * price


def test_a_restart_sends_only_rows_without_an_answer(
    account, cluster, redis, tmp_path, root, capsys
) -> None:
    """The command is killed; the next one sends each missing or failed row once."""
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
        wait_for(lambda: len(read_results(results)) == script.ended)
        workers = wait_for(lambda: find_callers(account))
    finally:
        command.kill()
        command.wait()
    assert psutil.wait_procs(workers, timeout=TIMEOUT_SECONDS)[1] == []
    wait_for(lambda: not script.held)
    script.release()

    first = read_results(results)
    answered = {row["id"] for row in first if row["error"] is None}
    failed = {row["id"] for row in first} - answered
    assert len(answered) > 50
    assert failed
    again = Script(account)
    missing = {f"{number:04}" for number in range(150)} - answered
    spent = get_costs(results)
    with pytest.raises(SystemExit, match="3 of 3 failed rows.*SegmindInvalidRequestError"):
        batch_on_ray.main(words)

    assert again.asked.keys() == missing
    assert again.answered == Counter(row for row in missing if not is_refused(row))
    assert len(account.requests) == len(missing) + len(again.busy)
    assert f"{len(missing)} rows sent, 3 of them failed" in capsys.readouterr().out
    assert get_costs(results) == spent + get_spent(account)
    tries = read_results(results)
    assert len(tries) == 150 + len(failed)
    assert {row["run"] for row in tries} == {1, 2}
    assert {row["id"] for row in find_missing(read_prompts(prompts), tries)} == {
        "0007",
        "0057",
        "0107",
    }


# --- Parts ---


def create_result(row: str, *, error: str | None = None, **values: Any) -> dict[str, Any]:
    """Return a row's result."""
    answer = None if error else "Yes."
    return {**dict.fromkeys(SCHEMA.names), "id": row, "answer": answer, "error": error, **values}


def test_ids_of_prompts_are_read_as_strings(tmp_path) -> None:
    """Blank lines and other keys are ignored."""
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"id": 1, "prompt": "One?", "more": 1}\n\n{"id": "b", "prompt": "Two?"}\n')
    assert read_prompts(path) == [{"id": "1", "prompt": "One?"}, {"id": "b", "prompt": "Two?"}]


def test_unicode_line_separators_do_not_split_a_row(tmp_path) -> None:
    """JSON strings can contain them."""
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"id": "a", "prompt": "One\u2028two\u0085?"}\n', encoding="utf-8")
    assert read_prompts(path) == [{"id": "a", "prompt": "One\u2028two\u0085?"}]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("{", id="invalid JSON"),
        pytest.param("[1]", id="list"),
        pytest.param('{"prompt": "One?"}', id="missing id"),
        pytest.param('{"id": 2}', id="missing prompt"),
        pytest.param('{"id": 2, "prompt": 3}', id="number as prompt"),
        pytest.param('{"id": "1", "prompt": "Two?"}', id="repeated id"),
    ],
)
def test_an_invalid_line_is_refused(tmp_path, line) -> None:
    """The error names the line; no request has been sent."""
    path = tmp_path / "prompts.jsonl"
    path.write_text(f'{{"id": 1, "prompt": "One?"}}\n{line}\n')
    with pytest.raises(ValueError, match="line 2"):
        read_prompts(path)


def test_failed_rows_are_missing_and_answered_rows_are_not() -> None:
    """One answer is enough, even if the row failed in another run."""
    rows = [{"id": row, "prompt": "?"} for row in "abcd"]
    tries = [
        create_result("a"),
        create_result("b", error="No."),
        create_result("c", error="No."),
        create_result("c"),
    ]
    assert [row["id"] for row in find_missing(rows, tries)] == ["b", "d"]


def test_each_run_has_a_new_folder(tmp_path) -> None:
    """Results of earlier runs are not overwritten."""
    assert [create_run_folder(tmp_path / "results").name for _ in range(3)] == [
        "run=1",
        "run=2",
        "run=3",
    ]


def test_a_file_name_depends_on_the_rows_and_their_order() -> None:
    """The same batch finds the same file."""
    names = {create_file_name(rows) for rows in (["a", "b"], ["a", "b"], ["ab"], ["b", "a"])}
    assert len(names) == 3


def test_each_result_is_on_disk_at_once(tmp_path) -> None:
    """Drafts that a crash left are ignored."""
    folder = create_run_folder(tmp_path)
    path = folder / "part-1.parquet"
    for number, row in enumerate("abc", start=1):
        ResultsFile(path).add(create_result(row, cost=0.25))
        assert ResultsFile(path).results.keys() == {*"abc"[:number]}
    (folder / ".part-1.parquet-1").write_text("half a file")
    assert read_results(tmp_path) == [create_result(row, cost=0.25, run=1) for row in "abc"]
    assert read_results(tmp_path / "nothing") == []


def test_a_result_has_the_cost_of_its_row(create_model, gateway) -> None:
    """Other rows are not included."""
    gateway.script(lambda request: f"It is {request.last_message}.")
    model = create_model()
    results = [ask(model, {"id": row, "prompt": row}) for row in ("0001", "0002")]
    assert [result["answer"] for result in results] == ["It is 0001.", "It is 0002."]
    costs = [Decimal(str(result["cost"])) for result in results]
    assert sum(costs) == 1_000 - gateway.credits()
    assert results[-1]["remaining_credits"] == float(gateway.credits())
    assert results[0]["input_tokens"] > 0 < results[0]["output_tokens"]
    assert json.loads(json.dumps(results)) == results


def test_a_failed_row_has_an_error_and_no_answer(create_model, gateway) -> None:
    """A refused call costs nothing."""
    gateway.faults("400")
    result = ask(create_model(), {"id": "a", "prompt": "?"})
    assert result["answer"] is None
    assert result["error"].startswith("SegmindInvalidRequestError: ")
    assert (result["cost"], result["is_cost_estimated"]) == (0, False)


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        (401, SegmindAuthenticationError),
        (406, SegmindInsufficientCreditsError),
        (410, SegmindModelNotFoundError),
    ],
    ids=str,
)
def test_errors_that_every_row_would_raise_stop_the_run(
    create_model, gateway, fault, error_class
) -> None:
    """The row gets no result, so the next run sends it again."""
    gateway.faults(str(fault))
    with pytest.raises(error_class):
        ask(create_model(), {"id": "a", "prompt": "?"})


def test_a_worker_stops_at_min_remaining(gateway, tmp_path, monkeypatch) -> None:
    """Earlier answers are on disk."""
    monkeypatch.setenv("SEGMIND_API_BASE", gateway.base_url)
    monkeypatch.setenv("SEGMIND_API_KEY", SECRET)
    monkeypatch.setattr(batch_on_ray, "CALLS_IN_FLIGHT", 1)
    gateway.script(["One."])
    limiter = SegmindRateLimiter(100)
    answerer = Answerer(tmp_path, limiter, min_remaining=2 * CREDITS, model="claude-9")
    rows = [{"id": row, "prompt": "?"} for row in ("a", "b")]
    with pytest.raises(SegmindBudgetExceededError):
        answerer(pa.Table.from_pylist(rows))
    (path,) = tmp_path.glob("*.parquet")
    assert list(ResultsFile(path).results) == ["a"]
    assert {request.path for request in gateway.requests} == {"/v1/claude-9"}


def test_a_failed_row_can_have_a_cost(create_model, gateway) -> None:
    """The connection breaks after the headers, which state the price."""
    gateway.faults("cut")
    result = ask(create_model(), {"id": "a", "prompt": "?"})
    assert result["error"].startswith("SegmindConnectionError: ")
    assert Decimal(str(result["cost"])) == CREDITS - gateway.credits() > 0
    assert not result["is_cost_estimated"]


def test_an_unknown_price_marks_the_cost_as_estimated(create_model, gateway) -> None:
    """The connection breaks before a reply, and the retry succeeds."""
    gateway.faults("drop")
    result = ask(create_model(), {"id": "a", "prompt": "?"})
    assert result["answer"] == "?"
    assert result["is_cost_estimated"]
