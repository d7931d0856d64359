"""The Ray example: when a worker dies, no row is lost, and no job with a written ID is repeated."""

import asyncio
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.dataset
import pytest
import ray

from examples import batch_on_ray
from examples.batch_on_ray import (
    BATCH_ROWS,
    MAX_JOBS,
    SCHEMA,
    Answerer,
    ResultsFile,
    create_file_name,
    create_run_folder,
    find_missing,
    read_prompts,
    read_results,
    run,
)
from langchain_segmind import (
    ChatSegmindGPT4Turbo,
    SegmindAuthenticationError,
    SegmindBudgetExceededError,
    SegmindInsufficientCreditsError,
    SegmindModelNotFoundError,
)
from langchain_segmind.gateway import Completion, Gateway, Request
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
    """The gateway's replies: an answer, a 503 once for some submissions, and some jobs that fail.

    Args:
        gateway: The gateway.
        hold_at: The number of the submission from which on jobs run until `release`.
        seconds: How long a job takes.

    Attributes:
        asked: Submissions per row.
        answered: Answers per row; these are charged.
        held: Rows whose jobs are held back.
        busy: Rows that got their 503.
        ended: Jobs that ended.
    """

    def __init__(self, gateway: Gateway, *, hold_at: int | None = None, seconds: float = 0) -> None:
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.held: set[str] = set()
        self.busy: set[str] = set()
        self.ended = 0
        self._hold_at = hold_at
        self._seconds = seconds
        self._open = asyncio.Event()
        self._open.set()
        gateway.reset()
        gateway.script(self.reply)

    def release(self) -> None:
        """End the jobs that are held back, and all later ones."""
        self._hold_at = None
        self._loop.call_soon_threadsafe(self._open.set)

    async def reply(self, request: Request) -> Any:
        """Answer a prompt, which is the row's id."""
        self._loop = asyncio.get_running_loop()
        row = request.last_message
        self.asked[row] += 1
        if self.asked.total() == self._hold_at:
            self._open.clear()
        if is_busy_once(row) and row not in self.busy:
            self.busy.add(row)
            return {"status": 503, "headers": {"retry-after": "0"}, "body": "Busy."}
        if not self._open.is_set():
            self.held.add(row)
            await self._open.wait()
            self.held.discard(row)
        await asyncio.sleep(self._seconds)
        self.ended += 1
        if fails(row):
            return {"status": 400, "body": "Invalid prompt."}
        self.answered[row] += 1
        return f"It is {row}."


def is_busy_once(row: str) -> bool:
    """Whether the row gets a 503 first: 3 in 100."""
    return int(row) % 100 in {3, 33, 63}


def fails(row: str) -> bool:
    """Whether the row's job fails: 2 in 100."""
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
    costs = [row["cost"] or 0 for row in read_results(folder)]
    return sum((Decimal(str(cost)) for cost in costs), Decimal(0))


def get_jobs(results: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the request ID of each row that has one."""
    return {row["id"]: row["request_id"] for row in results if row["request_id"] is not None}


def find_running(results: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the request IDs of jobs that were not done when the results were written."""
    return get_jobs(row for row in results if row["answer"] is row["error"] is None)


def find_workers(gateway: Gateway) -> list[psutil.Process]:
    """Return the child processes that are connected to the gateway."""
    workers = []
    for process in psutil.Process().children(recursive=True):
        try:
            connections = process.net_connections("tcp4")
        except psutil.Error:  # it has just ended
            continue
        if any(each.raddr[1:] == (gateway.port,) for each in connections):
            workers.append(process)
    return workers


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


def are_all_jobs_written(folder: Path, script: Script, batch_rows: int) -> bool:
    """Whether both workers only wait for jobs that are held back, and wrote their request IDs."""
    batches = [ResultsFile(path).results for path in folder.glob("run=*/part-*")]
    busy = [batch for batch in batches if find_running(batch.values())]
    running = [find_running(batch.values()) for batch in busy]
    return (
        len(busy) == 2
        and {row for jobs in running for row in jobs} == set(script.held)
        and all(
            len(jobs) == MAX_JOBS or len(batch) == batch_rows
            for batch, jobs in zip(busy, running, strict=True)
        )
    )


# --- The pipeline ---


def test_a_killed_worker_loses_no_row_and_pays_nothing_twice(
    account, cluster, limiter, tmp_path, monkeypatch
) -> None:
    """The costs in the files are exactly what the gateway charged."""
    monkeypatch.setattr(batch_on_ray, "BATCH_ROWS", 40)  # 25 batches of the same size
    prompts, results = write_prompts(tmp_path, 1_000), tmp_path / "results"
    script = Script(account, hold_at=400)
    account.faults("poll:503@0.02", "poll:drop@0.02")

    def kill_worker() -> dict[str, str]:
        """Kill a worker while jobs run, and return their request IDs."""
        try:
            wait_for(lambda: are_all_jobs_written(results, script, 40))
            running = find_running(read_results(results))
            workers = wait_for(lambda: (found := find_workers(account))[1:] and found)
            kill(workers[0])
        finally:
            script.release()
        return running

    with ThreadPoolExecutor() as threads:
        killing = threads.submit(kill_worker)
        count, errors = run(prompts, results, workers=2, limiter=limiter)
        running = killing.result()

    rows = [f"{number:04}" for number in range(1_000)]
    failed = {row for row in rows if fails(row)}
    tries = {row["id"]: row for row in read_results(results)}
    assert (count, errors.total()) == (1_000, 20)
    assert len(read_results(results)) == len(tries) == 1_000
    assert {row for row, result in tries.items() if result["error"] is not None} == failed
    assert all(tries[row]["error"].startswith("SegmindInvalidRequestError: ") for row in failed)
    assert all(tries[row]["answer"] == f"It is {row}." for row in rows if row not in failed)
    assert script.answered == Counter({*rows} - failed)
    assert get_costs(results) == get_spent(account) > 0
    # One submission per row, and one more after a 503. None was refused with a 429.
    assert script.asked == Counter([*rows, *filter(is_busy_once, rows)])
    assert len(account.requests) == script.asked.total()
    # The jobs that ran when the worker died were fetched.
    jobs = get_jobs(tries.values())
    assert jobs.keys() == {*rows} - failed
    assert len(running) > MAX_JOBS
    assert {row: job for row, job in running.items() if row not in failed}.items() <= jobs.items()
    assert {*jobs.values()} <= {poll.job_id for poll in account.polls}


def test_only_jobs_without_a_written_id_are_paid_twice(account, cluster, limiter, tmp_path) -> None:
    """Workers die while they submit jobs."""
    prompts, results = write_prompts(tmp_path, 200), tmp_path / "results"
    script = Script(account, seconds=0.15)  # the queue accepts a job, and answers after this time
    kills = 3
    written: dict[str, str] = {}

    def kill_workers() -> None:
        for number in range(kills):
            wait_for(lambda number=number: script.ended >= 30 + 50 * number)
            kill(wait_for(lambda: find_workers(account))[0])
            for row, job in get_jobs(read_results(results)).items():
                assert written.setdefault(row, job) == job

    with ThreadPoolExecutor() as threads:
        killing = threads.submit(kill_workers)
        count, errors = run(prompts, results, workers=2, limiter=limiter)
        killing.result()

    assert (count, errors.total()) == (200, 4)
    tries = read_results(results)
    assert len({row["id"] for row in tries}) == len(tries) == 200
    answered = {row["id"] for row in tries if row["error"] is None}
    assert script.answered.keys() == answered
    assert {row: job for row, job in written.items() if row in answered}.items() <= (
        get_jobs(tries).items()
    )
    repeated = script.answered - Counter(answered)
    assert repeated.total() <= kills * MAX_JOBS
    price = get_costs(results) / len(answered)
    assert get_spent(account) == get_costs(results) + repeated.total() * price


def test_a_restart_fetches_submitted_jobs_and_submits_only_the_others(
    account, cluster, redis, tmp_path, root, capsys
) -> None:
    """The command is killed while jobs run; they end before the next command."""
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
        wait_for(lambda: are_all_jobs_written(results, script, 150 // math.ceil(150 / BATCH_ROWS)))
        workers = wait_for(lambda: (found := find_workers(account))[1:] and found)
    finally:
        command.kill()
        command.wait()
    assert psutil.wait_procs(workers, timeout=TIMEOUT_SECONDS)[1] == []
    script.release()

    first = read_results(results)
    running = find_running(first)
    answered = {row["id"] for row in first if row["answer"] is not None}
    failed = {row["id"] for row in first if row["error"] is not None}
    assert len(answered) > 50
    assert len(running) > MAX_JOBS
    assert failed
    wait_for(lambda: script.ended == len(first))
    with pytest.raises(SystemExit, match="3 of 3 failed rows.*SegmindInvalidRequestError"):
        batch_on_ray.main(words)

    rows = {f"{number:04}" for number in range(150)}
    # Jobs that failed were free. One that failed meanwhile, unseen, is only fetched.
    assert script.asked == Counter([*rows, *failed, *filter(is_busy_once, rows)])
    assert script.answered == Counter(row for row in rows if not fails(row))
    assert len(account.requests) == script.asked.total()
    assert f"{150 - len(answered)} rows run, 3 of them failed" in capsys.readouterr().out
    assert get_costs(results) == get_spent(account)
    tries = read_results(results)
    assert len(tries) == 150 + len(running) + len(failed)
    assert {row["run"] for row in tries} == {1, 2}
    fetched = get_jobs(row for row in tries if row["run"] == 2).items()
    assert {row: job for row, job in running.items() if not fails(row)}.items() <= fetched
    missing = find_missing(read_prompts(prompts), tries)
    assert {row["id"]: row["request_id"] for row in missing} == dict.fromkeys(
        ["0007", "0057", "0107"]
    )


# --- Parts ---


def create_result(row: str, *, error: str | None = None, **values: Any) -> dict[str, Any]:
    """Return a row's result of the first run."""
    answer = None if error else "Yes."
    result = {**dict.fromkeys(SCHEMA.names), "id": row, "answer": answer, "error": error, "run": 1}
    return {**result, **values}


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


def test_rows_without_an_answer_are_missing() -> None:
    """One answer is enough, even if the row failed in another run."""
    rows = [{"id": row, "prompt": "?"} for row in "abcde"]
    tries = [
        create_result("a"),
        create_result("b", error="No."),
        create_result("c", error="No."),
        create_result("c", run=2),
        create_result("d", answer=None, request_id="job-1"),
    ]
    assert [row["id"] for row in find_missing(rows, tries)] == ["d", "b", "e"]


def test_a_missing_row_has_the_job_of_the_latest_run() -> None:
    """Rows with a job come first: results are kept for an hour."""
    rows = [{"id": row, "prompt": "?"} for row in "abc"]
    tries = [
        create_result("c", error="Late.", run=10, request_id="job-2"),
        create_result("c", error="Late.", run=2, request_id="job-1"),
        create_result("b", error="No.", run=3),
        create_result("b", error="Late.", run=1, request_id="job-3"),
    ]
    assert find_missing(rows, tries) == [
        {"id": "c", "prompt": "?", "request_id": "job-2"},
        {"id": "a", "prompt": "?", "request_id": None},
        {"id": "b", "prompt": "?", "request_id": None},
    ]


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
        ResultsFile(path).write(create_result(row, cost=0.25))
        assert ResultsFile(path).results.keys() == {*"abc"[:number]}
    (folder / ".part-1.parquet-1").write_text("half a file")
    results = [create_result(row, cost=0.25) for row in "abc"]
    assert read_results(tmp_path) == results
    dataset = pyarrow.dataset.dataset(tmp_path, partitioning="hive")
    assert dataset.to_table().to_pylist() == results
    assert read_results(tmp_path / "nothing") == []


@pytest.fixture
def create_answerer(gateway, tmp_path, monkeypatch) -> Callable[..., Answerer]:
    """Return a function that creates the worker of a new run, which asks the gateway."""
    monkeypatch.setenv("SEGMIND_API_BASE", gateway.base_url)
    monkeypatch.setenv("SEGMIND_API_KEY", SECRET)

    def create(**settings: Any) -> Answerer:
        return Answerer(create_run_folder(tmp_path), SegmindRateLimiter(100), **settings)

    return create


def answer(answerer: Answerer, *rows: str, job: str | None = None) -> list[dict[str, Any]]:
    """Return the results of a batch of rows."""
    batch = [{"id": row, "prompt": row, "request_id": job} for row in rows]
    errors = answerer(pa.Table.from_pylist(batch)).to_pylist()
    results = read_batch(answerer)
    assert errors == [{"id": row["id"], "error": row["error"]} for row in results]
    return results


def read_batch(answerer: Answerer) -> list[dict[str, Any]]:
    """Return the results of the worker's only batch."""
    (path,) = answerer.folder.glob("*.parquet")
    return list(ResultsFile(path).results.values())


def test_a_result_has_the_cost_of_its_row(create_answerer, gateway, monkeypatch) -> None:
    """Other rows are not included."""
    monkeypatch.setattr(batch_on_ray, "MAX_JOBS", 1)
    gateway.script(lambda request: f"It is {request.last_message}.")
    results = answer(create_answerer(), "0001", "0002")
    assert [result["answer"] for result in results] == ["It is 0001.", "It is 0002."]
    costs = [Decimal(str(result["cost"])) for result in results]
    assert sum(costs) == 1_000 - gateway.credits()
    assert results[-1]["remaining_credits"] == float(gateway.credits())
    assert results[0]["input_tokens"] > 0 < results[0]["output_tokens"]
    assert [result["request_id"] for result in results] == [
        poll.job_id for poll in gateway.polls if poll.path.endswith("/status")
    ]


def test_a_failed_row_has_an_error_and_no_answer(create_answerer, gateway) -> None:
    """A refused submission costs nothing."""
    gateway.faults("400")
    (result,) = answer(create_answerer(), "a")
    assert result["error"].startswith("SegmindInvalidRequestError: ")
    assert {name for name, value in result.items() if value is not None} == {"id", "error"}


@pytest.mark.parametrize("fault", ["drop", "late-drop", "cut"])
def test_a_submission_with_unknown_outcome_is_not_repeated(create_answerer, gateway, fault) -> None:
    """Its error says that it may be billed. The next run submits it again."""
    gateway.faults(fault)
    (result,) = answer(create_answerer(), "a")
    assert "unknown whether the queue accepted the job" in result["error"]
    assert result["request_id"] is None
    assert len(gateway.requests) == 1


def test_a_job_that_is_not_done_in_time_is_fetched_by_the_next_run(
    create_answerer, gateway, tmp_path
) -> None:
    """It keeps its request ID, and is not submitted again."""
    is_done = threading.Event()
    gateway.script(lambda _request: is_done.wait(TIMEOUT_SECONDS) and "Done.")
    answerer = create_answerer()
    answerer.model.timeout = 1
    (late,) = answer(answerer, "a")
    assert late["error"].startswith("SegmindTimeoutError: ")
    is_done.set()
    (row,) = find_missing([{"id": "a", "prompt": "a"}], read_results(tmp_path))
    (result,) = answer(create_answerer(), "a", job=row["request_id"])
    assert (result["answer"], result["error"]) == ("Done.", None)
    assert result["request_id"] == late["request_id"] is not None
    assert len(gateway.requests) == 1


def test_a_worker_that_takes_over_a_batch_fetches_its_jobs(create_answerer, gateway) -> None:
    """Rows that are answered or failed stay as they are; the others are submitted."""
    job = ChatSegmindGPT4Turbo(base_url=gateway.base_url, api_key=SECRET).submit("b")
    answerer = create_answerer()
    file = ResultsFile(answerer.folder / create_file_name("abcd"))
    file.write(create_result("a"))
    file.write(create_result("b", answer=None, request_id=job.request_id))
    file.write(create_result("c", error="No."))
    results = answer(answerer, *"abcd")
    assert [(row["answer"], row["error"]) for row in results] == [
        ("Yes.", None),
        ("b", None),
        (None, "No."),
        ("d", None),
    ]
    assert results[1]["request_id"] == job.request_id
    assert [request.last_message for request in gateway.requests] == ["b", "d"]


def test_a_job_with_an_unusable_result_is_not_submitted_again(
    create_answerer, gateway, tmp_path
) -> None:
    """It was billed. The next run fetches the result again."""
    gateway.script([Completion("Yes.", result={"output": None})])
    (result,) = answer(create_answerer(), "a")
    assert result["error"].startswith("SegmindResponseError: ")
    (row,) = find_missing([{"id": "a", "prompt": "a"}], read_results(tmp_path))
    assert row["request_id"] == gateway.polls[0].job_id
    answer(create_answerer(), "a", job=row["request_id"])
    assert len(gateway.requests) == 1


def test_a_job_that_segmind_does_not_know_yet_is_waited_for(create_answerer, gateway) -> None:
    """Without its request ID, the next run would pay for the row again."""
    gateway.faults("poll:404,ok")
    (result,) = answer(create_answerer(), "a")
    assert (result["answer"], result["request_id"]) == ("a", gateway.polls[0].job_id)


@pytest.mark.parametrize("job", [None, "forgotten"], ids=["failed", "forgotten"])
def test_a_job_without_a_result_is_replaced_by_the_next_run(
    create_answerer, gateway, tmp_path, job
) -> None:
    """The row loses its request ID."""
    failure = {"status": 500, "body": "The worker crashed."}
    gateway.script([failure, "Yes."] if job is None else ["Yes."])
    (result,) = answer(create_answerer(), "a", job=job)
    assert result["error"]
    (row,) = find_missing([{"id": "a", "prompt": "a"}], read_results(tmp_path))
    assert row["request_id"] is None
    (result,) = answer(create_answerer(), "a")
    assert result["answer"] == "Yes."


def test_a_failed_job_that_stops_the_run_is_replaced_too(create_answerer, gateway) -> None:
    """Otherwise it would stop every later run."""
    gateway.script([{"status": 422, "body": "Insufficient credits."}])
    answerer = create_answerer()
    with pytest.raises(SegmindInsufficientCreditsError):
        answer(answerer, "a")
    assert [row["request_id"] for row in read_batch(answerer)] == [None]


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
    create_answerer, gateway, fault, error_class
) -> None:
    """The row has no answer, so the next run submits it."""
    gateway.faults(str(fault))
    answerer = create_answerer()
    with pytest.raises(error_class):
        answer(answerer, "a")
    (result,) = read_batch(answerer)
    assert result["error"].startswith(f"{error_class.__name__}: ")
    assert result["request_id"] is result["answer"] is None


def test_a_worker_stops_at_min_remaining(create_answerer, gateway, monkeypatch) -> None:
    """Earlier answers are on disk, and jobs that were submitted are still fetched."""
    monkeypatch.setattr(batch_on_ray, "MAX_JOBS", 1)
    gateway.script(["One."])
    answerer = create_answerer(min_remaining=2 * CREDITS, model="claude-9")
    with pytest.raises(SegmindBudgetExceededError):
        answer(answerer, "a", "b")
    assert [row["answer"] for row in read_batch(answerer)] == ["One.", None]
    assert [request.path for request in gateway.requests] == ["/v2/claude-9"]
    job = read_batch(answerer)[0]["request_id"]
    answerer.folder = create_run_folder(answerer.folder.parent)
    assert [row["answer"] for row in answer(answerer, "a", job=job)] == ["One."]
