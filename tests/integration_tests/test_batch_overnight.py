"""The overnight batch loses no paid answer, whenever it is killed."""

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from langchain_segmind.gateway import Gateway
from tests.support.raw_server import RawServer, answer

ROWS = 150

FEW_ROWS = 20

KILLS = 50

WORKERS = 8
"""The example's default."""

FEW_WORKERS = 4
"""Few enough that rows are left for the last kills."""

Row = dict[str, Any]


def write_prompts(folder: Path, count: int, **changed: str) -> Path:
    """Write a file of prompts: `row 0`, `row 1` and so on, but those that are given by id."""
    path = folder / "prompts.jsonl"
    prompts = {str(number): f"row {number}" for number in range(count)} | changed
    lines = (json.dumps({"id": row, "prompt": prompt}) for row, prompt in prompts.items())
    path.write_text("\n".join(lines))
    return path


class Batch:
    """Runs the example on some prompts.

    Args:
        root: The project's folder.
        gateway: Answers the prompts.
        prompts: The file of prompts.
    """

    def __init__(self, root: Path, gateway: Gateway, prompts: Path) -> None:
        self.results = prompts.with_name("results.jsonl")
        self._words = [sys.executable, str(root / "examples/batch_overnight.py"), str(prompts)]
        self._environment = {
            **os.environ,
            "SEGMIND_API_BASE": gateway.base_url,
            "SEGMIND_API_KEY": gateway.api_key,
            "PYTHONPATH": str(root),
        }

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start it with these words behind the file names."""
        return subprocess.Popen(
            [*self._words, str(self.results), *words],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str]:
        """Run it to its end, and return its exit code and output."""
        with self.start(*words) as process:
            output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def read_rows(self) -> list[Row]:
        """Return the rows of its database between two runs; it may not exist yet."""
        path = self.results.with_name("results.jsonl.db")
        if not path.exists():
            return []
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            tables = connection.execute("SELECT * FROM sqlite_master").fetchall()
            if not tables:  # killed before the table was created
                return []
            return [dict(row) for row in connection.execute("SELECT * FROM rows")]

    def read_results(self) -> list[Row]:
        """Return the results that it wrote."""
        return [json.loads(line) for line in self.results.read_text().splitlines()]


def wait_for_jobs(gateway: Gateway, count: int) -> None:
    """Wait until this many jobs are polled for: their request IDs are on disk by then."""
    end = time.monotonic() + 60
    while len({poll.job_id for poll in gateway.polls}) < count:
        assert time.monotonic() < end, "no poll"
        time.sleep(0.02)


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill a run (`kill -9`), and wait for its end."""
    process.kill()
    process.communicate(timeout=60)


def test_fifty_kills_lose_no_answer_and_pay_none_twice(root, tmp_path) -> None:
    """Except one submission per worker and kill, accepted just before its ID was written."""
    rng = random.Random(5)  # noqa: S311 - not a secret
    written: dict[str, str] = {}
    with Gateway(credits=1_000, queue_delay=0.2) as gateway:
        batch = Batch(root, gateway, write_prompts(tmp_path, ROWS))
        busy_kills = 0
        for kills in range(1, KILLS + 1):
            process = batch.start(f"--workers={FEW_WORKERS}")
            if kills % 2:  # the others may come before its first request
                wait_until_active(gateway, process)
            time.sleep(rng.uniform(0, 0.5))
            process.send_signal(rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT]))
            process.communicate(timeout=60)
            rows = batch.read_rows()
            for row in rows:
                if row["request_id"]:
                    assert written.setdefault(row["id"], row["request_id"]) == row["request_id"]
            assert {poll.job_id for poll in gateway.polls} <= {*written.values()}
            assert len(gateway.requests) - len(written) <= FEW_WORKERS * kills
            busy_kills += any(row["state"] == "submitted" for row in rows)
        assert busy_kills > KILLS / 5
        code, output = batch.run()
        assert code == 0, output
        results = batch.read_results()
        assert [row["answer"] for row in results] == [f"row {row['id']}" for row in results]
        assert len(results) == ROWS
        assert {row["id"]: row["request_id"] for row in results}.items() >= written.items()
        submitted = Counter(request.last_message for request in gateway.requests)
        assert len(submitted) == ROWS
        # Each job is charged. Few were accepted without their IDs being written.
        unwritten = submitted.total() - ROWS
        prices = [Decimal(str(row["cost"])) for row in results]
        surplus = 1_000 - gateway.credits() - sum(prices)
        assert unwritten * min(prices) <= surplus <= unwritten * max(prices)
        assert unwritten <= KILLS


def wait_until_active(gateway: Gateway, process: "subprocess.Popen[str]") -> None:
    """Wait until a run sends something, or ends because nothing is left."""
    seen = len(gateway.requests), len(gateway.polls)
    end = time.monotonic() + 60
    while (len(gateway.requests), len(gateway.polls)) == seen and process.poll() is None:
        assert time.monotonic() < end, "no request"
        time.sleep(0.02)


def test_a_failed_row_is_sent_again_by_the_next_run(root, tmp_path) -> None:
    """Its error is in the results, and the exit code says so."""
    failure = {"status": 500, "body": {"error": "The worker crashed"}}
    replies = [failure, *[f"Answer {number}" for number in range(FEW_ROWS)]]
    with Gateway(credits=1_000, replies=replies) as gateway:
        batch = Batch(root, gateway, write_prompts(tmp_path, FEW_ROWS))
        code, output = batch.run()
        assert code == 1
        assert "1 rows have no answer" in output
        (failed,) = [row for row in batch.read_results() if row["error"]]
        assert "The worker crashed" in failed["error"]
        assert failed["answer"] is failed["request_id"] is None
        assert failed["state"] == "failed"
        code, output = batch.run()
        assert (code, len(gateway.requests)) == (0, FEW_ROWS + 1), output
        assert not any(row["error"] for row in batch.read_results())


def test_a_refused_key_ends_the_batch(root, tmp_path) -> None:
    """At once: every other row would fail in the same way. Nothing is lost."""
    with Gateway(api_key="fake-key-one", credits=1_000) as gateway:
        batch = Batch(root, gateway, write_prompts(tmp_path, FEW_ROWS))
        batch._environment["SEGMIND_API_KEY"] = "fake-key-two"
        code, output = batch.run()
        assert code == 1
        assert "Set a valid key" in output
        assert "Run the command again" in output
        assert len(gateway.requests) <= WORKERS
        batch._environment["SEGMIND_API_KEY"] = "fake-key-one"
        assert batch.run()[0] == 0


def test_a_second_run_does_not_start(root, tmp_path) -> None:
    """It would pay for every row again."""
    with Gateway(credits=1_000, queue_delay=1) as gateway:
        batch = Batch(root, gateway, write_prompts(tmp_path, FEW_ROWS))
        first = batch.start()
        wait_for_jobs(gateway, 1)
        code, output = batch.run()
        assert (code, "another run is writing it" in output) == (1, True)
        first.communicate(timeout=120)
        assert first.returncode == 0
        assert len(gateway.requests) == FEW_ROWS


def test_no_other_program_can_lock_the_database_of_a_run(root, tmp_path) -> None:
    """A run that cannot write down a request ID would lose what it paid for."""
    with Gateway(credits=1_000, queue_delay=1) as gateway:
        batch = Batch(root, gateway, write_prompts(tmp_path, FEW_ROWS))
        database = batch.results.with_name("results.jsonl.db")
        with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            code, output = batch.run()
            assert (code, "database is locked" in output) == (1, True)
            assert gateway.requests == []
            other.execute("COMMIT")
            run = batch.start()
            wait_for_jobs(gateway, 1)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
            run.communicate(timeout=120)
            assert run.returncode == 0


def test_an_edited_prompt_is_a_new_row(root, tmp_path) -> None:
    """Only that one is paid for, and the answer to the old prompt is kept."""
    with Gateway(credits=1_000) as gateway:
        batch = Batch(root, gateway, write_prompts(tmp_path, FEW_ROWS))
        assert batch.run()[0] == 0
        write_prompts(tmp_path, FEW_ROWS, **{"3": "another row 3"})
        assert batch.run()[0] == 0
        assert [request.last_message for request in gateway.requests[FEW_ROWS:]] == [
            "another row 3"
        ]
        answers = [row["answer"] for row in batch.read_results()]
        assert answers[:5] == ["row 0", "row 1", "row 2", "another row 3", "row 4"]
        assert len(answers) == FEW_ROWS
        write_prompts(tmp_path, FEW_ROWS)
        assert batch.run()[0] == 0
        assert batch.read_results()[3]["answer"] == "row 3"
        assert len(gateway.requests) == FEW_ROWS + 1


def test_another_model_answers_all_rows(root, tmp_path) -> None:
    """Its answers are not mixed with those of the first one."""
    with Gateway(credits=1_000) as gateway:
        batch = Batch(root, gateway, write_prompts(tmp_path, 2))
        assert batch.run("--model=gpt-5")[0] == batch.run("--model=claude-opus-4.7")[0] == 0
        assert [row["model"] for row in batch.read_results()] == ["claude-opus-4.7"] * 2
        assert len(gateway.requests) == 4


def test_an_interrupted_run_writes_the_answers_that_it_has(root, tmp_path) -> None:
    """The results have all rows, with their states."""
    with Gateway(credits=1_000, queue_delay=0.5) as gateway:
        batch = Batch(root, gateway, write_prompts(tmp_path, FEW_ROWS))
        run = batch.start("--workers=2")
        wait_for_jobs(gateway, 3)
        run.send_signal(signal.SIGINT)
        output, _ = run.communicate(timeout=60)
        assert (run.returncode, "Interrupted." in output) == (1, True)
        states = Counter(row["state"] for row in batch.read_results())
        assert states.keys() == {"answered", "submitted", "waiting"}
        assert states.total() == FEW_ROWS


def test_a_job_that_segmind_no_longer_knows_is_submitted_again_only_if_asked(
    root, tmp_path
) -> None:
    """It was paid for, if it was answered."""
    with Gateway(credits=1_000, queue_delay=1) as gateway:
        batch = Batch(root, gateway, write_prompts(tmp_path, 4))
        process = batch.start("--workers=4")
        wait_for_jobs(gateway, 4)
        kill(process)
        gateway.reset()  # it forgets the jobs
        assert batch.run()[0] == 1
        assert {row["state"] for row in batch.read_results()} == {"submitted"}
        assert all("kept for about an hour" in row["error"] for row in batch.read_results())
        assert batch.run("--again")[0] == 1
        assert {row["state"] for row in batch.read_results()} == {"failed"}
        assert gateway.requests == []
        assert batch.run()[0] == 0
        assert len(gateway.requests) == 4


def test_a_job_that_segmind_does_not_know_yet_is_waited_for(root, tmp_path) -> None:
    """A row is answered although the first polls after its submission are 404s."""
    with Gateway(credits=1_000) as gateway:
        gateway.faults("poll:404,404,ok")
        batch = Batch(root, gateway, write_prompts(tmp_path, 1))
        code, output = batch.run()
        assert (code, len(gateway.requests)) == (0, 1), output


def test_a_row_whose_accepted_submission_cannot_be_read_is_not_submitted_again(
    root, tmp_path
) -> None:
    """A proxy has compressed the answer: the job may be billed."""
    with RawServer([answer(b"?", "content-encoding: gzip")]) as server:
        with Gateway() as gateway:
            batch = Batch(root, gateway, write_prompts(tmp_path, 1))
        batch._environment["SEGMIND_API_BASE"] = server.get_url()
        assert [batch.run()[0], batch.run()[0]] == [1, 1]
        assert [row["state"] for row in batch.read_results()] == ["unknown"]
        assert len(server.requests) == 1


def test_half_a_character_does_not_end_a_run(root, tmp_path) -> None:
    """In a prompt, it is found before anything is submitted; in a reply, it is replaced."""
    with Gateway(credits=1_000, replies=["half \ud83d"]) as gateway:
        batch = Batch(root, gateway, write_prompts(tmp_path, 2, **{"1": "half \ud83d"}))
        code, output = batch.run()
        assert (code, "prompts.jsonl, line 2: " in output) == (1, True)
        assert gateway.requests == []
        write_prompts(tmp_path, 1)
        assert batch.run()[0] == 0
        assert [row["answer"] for row in batch.read_results()] == ["half \ufffd"]


def test_a_prompt_that_the_model_does_not_take_does_not_end_a_run(root, tmp_path) -> None:
    """Claude takes no empty one."""
    with Gateway(credits=1_000) as gateway:
        batch = Batch(root, gateway, write_prompts(tmp_path, 5, **{"0": " "}))
        assert batch.run("--model=claude-opus-4.7")[0] == 1
        first, *others = batch.read_results()
        assert "No message" in first["error"]
        assert {row["state"] for row in others} == {"answered"}


def test_a_failed_job_ends_no_run(root, tmp_path) -> None:
    """Not even with words that would end it in the answer to a submission."""
    failure = {"status": 422, "body": "Insufficient credits."}
    with Gateway(credits=1_000, replies=[failure, *["Yes."] * 4]) as gateway:
        batch = Batch(root, gateway, write_prompts(tmp_path, 5))
        assert batch.run("--workers=1")[0] == 1
        states = [row["state"] for row in batch.read_results()]
        assert states == ["failed", *["answered"] * 4]


def test_a_row_that_may_be_paid_is_not_submitted_again_unasked(root, tmp_path) -> None:
    """Its submission broke off: the queue may have accepted it."""
    with Gateway(credits=1_000) as gateway:
        gateway.faults("late-drop,late-drop,ok")
        batch = Batch(root, gateway, write_prompts(tmp_path, FEW_ROWS))
        assert batch.run()[0] == 1
        assert batch.run()[0] == 1
        assert len(gateway.requests) == FEW_ROWS
        code, output = batch.run("--again")
        assert (code, len(gateway.requests)) == (0, FEW_ROWS + 2), output


def test_a_run_with_another_account_forgets_no_job(root, tmp_path) -> None:
    """Its 404 says nothing of jobs that are younger than an hour."""
    with Gateway(credits=1_000, queue_delay=3) as gateway:
        batch = Batch(root, gateway, write_prompts(tmp_path, FEW_ROWS))
        process = batch.start("--workers=4")
        wait_for_jobs(gateway, 4)
        kill(process)
        written = {row["id"]: row["request_id"] for row in batch.read_rows() if row["request_id"]}
        own, batch._environment["SEGMIND_API_KEY"] = gateway.api_key, "fake-key-of-another"
        batch.run()
        batch._environment["SEGMIND_API_KEY"] = own
        rows = {row["id"]: row["request_id"] for row in batch.read_rows()}
        assert rows.items() >= written.items()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('{"id": "0", "prompt": "b"}', id="repeated id"),
        pytest.param('{"id": 1, "prompt": null}', id="null as prompt"),
        pytest.param('{"id": 1}', id="missing prompt"),
        pytest.param('[1, "b"]', id="list"),
        pytest.param("{", id="invalid JSON"),
    ],
)
def test_an_invalid_line_is_refused(root, tmp_path, line) -> None:
    """Before anything is submitted; the error names the line."""
    with Gateway(credits=1_000) as gateway:
        path = tmp_path / "prompts.jsonl"
        path.write_text(f'{{"id": 0, "prompt": "a"}}\n\n{line}\n')
        code, output = Batch(root, gateway, path).run()
        assert (code, "prompts.jsonl, line 3: " in output) == (1, True)
        assert gateway.requests == []


@pytest.mark.parametrize(
    ("content", "results", "message"),
    [
        (None, "results.jsonl", "prompts.jsonl cannot be read: "),
        (b"\xff", "results.jsonl", "prompts.jsonl cannot be read: "),
        (b"", "missing/results.jsonl", "results.jsonl.db cannot be opened"),
    ],
    ids=["missing prompts", "prompts that are not UTF-8", "missing folder of the results"],
)
def test_files_that_cannot_be_used_are_named(root, tmp_path, content, results, message) -> None:
    """Without a traceback."""
    path = tmp_path / "prompts.jsonl"
    if content is not None:
        path.write_bytes(content)
    with Gateway() as gateway:
        batch = Batch(root, gateway, path)
        batch.results = tmp_path / results
        code, output = batch.run()
        assert (code > 0, message in output, "Traceback" in output) == (True, True, False)


def test_the_interrupted_batch_loses_nothing(root) -> None:
    """As `make examples` shows it."""
    script = str(root / "examples/interrupted_batch.py")
    environment = {**os.environ, "PYTHONPATH": str(root)}
    run = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=True
    )
    words = " ".join(run.stdout.split())
    assert "Killed after" in words
    assert re.search("24 rows answered, [0-4] of them paid for twice", words)
