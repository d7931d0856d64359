"""Answer many prompts on many machines with Ray Data; the workers share one rate limit.

python examples/batch_on_ray.py prompts.jsonl results/ --workers 2 \
    --requests-per-minute 60 --storage redis://localhost:6379

Each line of prompts.jsonl is an object with an `id` and a `prompt`. Every machine needs
SEGMIND_API_KEY in its environment (and SEGMIND_API_BASE for another server) and must see results/.
--model, or else SEGMIND_MODEL where the command runs, names the model.
Run the command again to answer the rows that are missing or failed; jobs that were submitted are
fetched. The exit code is 1 if a row failed. docs/scale.md says what can be paid for twice.
"""

import argparse
import hashlib
import json
import math
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet
import ray

from langchain_segmind import (
    ChatSegmind,
    SegmindAuthenticationError,
    SegmindBudgetExceededError,
    SegmindCreditsCallbackHandler,
    SegmindError,
    SegmindInsufficientCreditsError,
    SegmindModelNotFoundError,
    SegmindPermissionDeniedError,
    SegmindRateLimiterStorageError,
)
from langchain_segmind.rate_limiters import SegmindRateLimiter

Row = dict[str, Any]

BATCH_ROWS = 32
"""Maximum number of rows that a worker gets at a time. They share a results file."""

MAX_JOBS = 8
"""Concurrent jobs of a worker. If it dies while it submits them, these can be paid for twice."""

MODEL = os.environ.get("SEGMIND_MODEL") or "gpt-5.4-mini"
"""The slug of the model."""

FATAL_ERRORS = (
    SegmindAuthenticationError,
    SegmindBudgetExceededError,
    SegmindInsufficientCreditsError,
    SegmindModelNotFoundError,
    SegmindPermissionDeniedError,
    SegmindRateLimiterStorageError,
)
"""Errors that stop the run, since every other row would fail the same way."""

SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "request_id": pa.string(),  # of the row's job; null if there is none to fetch
        "answer": pa.string(),  # null if the row failed, or its job was not done
        "error": pa.string(),  # null unless the row failed
        "cost": pa.float64(),  # credits for the answer
        "remaining_credits": pa.float64(),
        "input_tokens": pa.int64(),
        "output_tokens": pa.int64(),
    }
)


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line; exit with 1 if a row failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("prompts", type=Path, help="JSONL file of rows with an id and a prompt")
    parser.add_argument("results", type=Path, help="folder that all machines see")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--requests-per-minute", type=int, default=50, help="the account's limit")
    parser.add_argument("--account", default="default", help="name of the account in the storage")
    parser.add_argument("--min-remaining", type=float, help="stop at this many credits")
    parser.add_argument("--storage", required=True, help="redis://host:6379, for the shared limit")
    parser.add_argument("--model", default=MODEL, help="slug of the model")
    options = parser.parse_args(words)
    limiter = SegmindRateLimiter(
        options.requests_per_minute,
        options.storage,
        account=options.account,
        workers=options.workers,
    )
    settings = {"limiter": limiter, "min_remaining": options.min_remaining, "model": options.model}
    count, errors = run(options.prompts, options.results, options.workers, **settings)
    failed, spent = errors.total(), sum(row["cost"] or 0 for row in read_results(options.results))
    print(f"{count} rows run, {failed} of them failed; {spent:.6f} credits spent so far.")
    for error, frequency in errors.most_common(1):
        sys.exit(f"Most common error ({frequency} of {failed} failed rows): {error}")


def run(prompts: Path, folder: Path, workers: int, **settings: Any) -> tuple[int, Counter[str]]:
    """Answer the rows that have no answer yet, with workers that have these settings.

    Returns:
        The number of these rows, and the errors of those that failed.
    """
    missing = find_missing(read_prompts(prompts), read_results(folder))
    if not missing:
        return 0, Counter()
    batches = max(math.ceil(len(missing) / BATCH_ROWS), min(workers, len(missing)))
    results = ray.data.from_items(missing, override_num_blocks=batches).map_batches(
        Answerer,
        fn_constructor_kwargs={"folder": create_run_folder(folder), **settings},
        batch_size=None,  # a block is a batch, so that a block that Ray retries is the same batch
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=0.25,  # a worker mostly waits
    )
    errors = [row["error"] for row in results.iter_rows()]
    return len(errors), Counter(error for error in errors if error is not None)


class Answerer:
    """Answers batches of rows. Each worker of Ray has one, with one model.

    Args:
        folder: Where the results are written.
        limiter: The limit that all workers share.
        min_remaining: Stop when the account has fewer credits; None never stops.
        model: The slug of the model.
    """

    def __init__(
        self,
        folder: Path,
        limiter: SegmindRateLimiter,
        min_remaining: float | None = None,
        model: str = MODEL,
    ) -> None:
        self.folder = folder
        self.credits = SegmindCreditsCallbackHandler(min_remaining=min_remaining)
        self.model = ChatSegmind(model=model, rate_limiter=limiter)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Answer the rows, or what a worker that died has left of them."""
        rows = batch.to_pylist()
        file = ResultsFile(self.folder / create_file_name(row["id"] for row in rows))
        with ThreadPoolExecutor(MAX_JOBS) as threads:
            for _ in threads.map(lambda row: self.answer(row, file), rows):
                pass
        results = [file.results[row["id"]] for row in rows]
        return pa.Table.from_pylist(results, SCHEMA).select(["id", "error"])

    def answer(self, row: Row, file: "ResultsFile") -> None:
        """Answer a row. The request ID of its job is on disk before its answer is waited for."""
        known = file.results.get(row["id"], {})
        if known.get("answer") is not None or known.get("error") is not None:
            return
        result = {"id": row["id"], "request_id": known.get("request_id") or row["request_id"]}
        try:
            if result["request_id"] is None:
                self.credits.check()
                job = self.model.submit(row["prompt"])
                result["request_id"] = job.request_id
                file.write(result)
            else:
                job = self.model.get_job(result["request_id"])
            reply = job.result()
        except Exception as error:  # one row must not end the others
            is_failed = isinstance(error, SegmindError) and error.job_failed
            if is_failed or getattr(error, "status_code", None) == HTTPStatus.NOT_FOUND:
                result["request_id"] = None  # nothing to fetch: the next run submits another job
            file.write({**result, "error": f"{type(error).__name__}: {error}"})
            if isinstance(error, FATAL_ERRORS):
                raise
            return
        facts = {**reply.response_metadata, **(reply.usage_metadata or {})}
        if facts["remaining_credits"] is not None:
            self.credits.update_balance(facts["remaining_credits"])
        file.write({**facts, **result, "answer": str(reply.text)})


class ResultsFile:
    """The results of a batch, in a file that is replaced as a whole with each new result."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.Lock()
        known = read_file(path) if path.exists() else []
        self.results = {row["id"]: row for row in known}

    def write(self, result: Row) -> None:
        """Set the result of its row, and replace the file."""
        with self.lock:
            self.results[result["id"]] = result
            draft = self.path.with_name(f".{self.path.name}-{uuid4().hex}")  # readers skip it
            table = pa.Table.from_pylist(list(self.results.values()), SCHEMA)
            pyarrow.parquet.write_table(table, draft)
            sync_to_disk(draft)
            draft.replace(self.path)
            sync_to_disk(self.path.parent)


def sync_to_disk(path: Path) -> None:
    """Wait until a file, or a folder's list of files, would survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_prompts(path: Path) -> list[Row]:
    """Return the rows, with ids as strings.

    Raises:
        ValueError: A line is not a row with an id and a prompt, or repeats an id.
    """
    rows: dict[str, Row] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        if not (isinstance(row, dict) and "id" in row and isinstance(row.get("prompt"), str)):
            raise ValueError(f"{path}, line {number}: not an object with an id and a prompt.")
        if str(row["id"]) in rows:
            raise ValueError(f"{path}, line {number}: the id {row['id']!r} is used above.")
        rows[str(row["id"])] = {"id": str(row["id"]), "prompt": row["prompt"]}
    return list(rows.values())


def find_missing(rows: Iterable[Row], results: Iterable[Row]) -> list[Row]:
    """Return the rows that have no answer, each with the request ID of its latest job.

    Rows with a job come first, since Segmind keeps its result for an hour.
    """
    results = sorted(results, key=lambda result: result["run"])
    answered = {result["id"] for result in results if result["answer"] is not None}
    jobs = {result["id"]: result["request_id"] for result in results}
    missing = [
        {**row, "request_id": jobs.get(row["id"])} for row in rows if row["id"] not in answered
    ]
    return sorted(missing, key=lambda row: row["request_id"] is None)


def read_file(path: Path) -> list[Row]:
    """Return the rows of a results file, which can be replaced meanwhile: it is opened once."""
    return pyarrow.parquet.ParquetFile(path).read().to_pylist()


def read_results(folder: Path) -> list[Row]:
    """Return the results of all runs, with the number of their `run`; a row can have several."""
    return [
        {**row, "run": int(path.parent.name.removeprefix("run="))}
        for path in folder.glob("run=*/*.parquet")
        for row in read_file(path)
    ]


def create_run_folder(folder: Path) -> Path:
    """Create the folder of the next run and return its path."""
    runs = [int(path.name.removeprefix("run=")) for path in folder.glob("run=*")]
    path = folder.resolve() / f"run={max(runs, default=0) + 1}"
    path.mkdir(parents=True)
    return path


def create_file_name(ids: Iterable[str]) -> str:
    """Return a name made from the batch's rows: a worker that retries the batch finds the file."""
    return f"part-{hashlib.sha256(json.dumps(list(ids)).encode()).hexdigest()[:16]}.parquet"


if __name__ == "__main__":
    main()
