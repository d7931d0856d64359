"""Many prompts on many machines: a pipeline of Ray Data whose workers share one rate limit.

python examples/batch_on_ray.py prompts.jsonl results/ --workers 2 \
    --requests-per-minute 60 --storage redis://localhost:6379

Each line of prompts.jsonl is an object with an `id` and a `prompt`. Every machine needs
SEGMIND_API_KEY in its environment (SEGMIND_API_BASE for another address), and sees results/.
Run it again to do what is missing; docs/scale.md says what can be paid for twice.
"""

import argparse
import hashlib
import json
import math
import os
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import ray

from langchain_segmind import (
    ChatSegmindGPT4Turbo,
    SegmindAuthenticationError,
    SegmindBudgetExceededError,
    SegmindCreditsCallbackHandler,
    SegmindInsufficientCreditsError,
    SegmindPermissionDeniedError,
    SegmindRateLimiterStorageError,
)
from langchain_segmind.rate_limiters import SegmindRateLimiter

Row = dict[str, Any]

BATCH_ROWS = 32
"""Rows that Ray hands to a worker at a time, at most; they share a file of results."""

CALLS_AT_ONCE = 8
"""Calls that a worker has under way: what a worker that dies may leave paid and unwritten."""

CPUS = 0.25
"""Of a core for each worker: it waits for most of the time."""

HOPELESS = (
    SegmindAuthenticationError,
    SegmindBudgetExceededError,
    SegmindInsufficientCreditsError,
    SegmindPermissionDeniedError,
    SegmindRateLimiterStorageError,
)
"""Errors that end the run."""

SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "answer": pa.string(),  # null where the row failed
        "error": pa.string(),  # null where it was answered
        "cost": pa.float64(),  # of all of the row's requests
        "is_cost_estimated": pa.bool_(),  # a price was not told, so that it may have cost more
        "remaining_credits": pa.float64(),
        "input_tokens": pa.int64(),
        "output_tokens": pa.int64(),
    }
)


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line, and answer what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("prompts", type=Path, help="a JSONL file of rows with an id and a prompt")
    parser.add_argument("results", type=Path, help="a folder that all machines see")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--requests-per-minute", type=int, default=50, help="the account's limit")
    parser.add_argument("--account", default="default", help="tells accounts of one storage apart")
    parser.add_argument("--min-remaining", type=float, help="credits at which to stop")
    parser.add_argument("--storage", required=True, help="redis://host:6379, for the shared limit")
    options = parser.parse_args(words)
    limiter = SegmindRateLimiter(
        options.requests_per_minute,
        options.storage,
        account=options.account,
        workers=options.workers,
    )
    asked, failed = run(
        options.prompts, options.results, limiter, options.workers, options.min_remaining
    )
    spent = sum(row["cost"] for row in read_tries(options.results))
    print(f"{asked} rows asked, {failed} of them failed; {spent:.6f} credits spent so far.")


def run(
    prompts: Path,
    folder: Path,
    limiter: SegmindRateLimiter,
    workers: int,
    min_remaining: float | None = None,
) -> tuple[int, int]:
    """Answer the rows that have no answer yet; give how many were asked, and how many failed."""
    missing = find_missing(read_prompts(prompts), read_tries(folder))
    if not missing:
        return 0, 0
    options = {
        "folder": begin_run(folder),
        "limiter": limiter,
        "min_remaining": min_remaining,
    }
    batches = max(math.ceil(len(missing) / BATCH_ROWS), min(workers, len(missing)))
    results = ray.data.from_items(missing, override_num_blocks=batches).map_batches(
        Answerer,
        fn_constructor_kwargs=options,
        batch_size=None,  # a block as it is, so that a block that is tried again is the same batch
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=CPUS,
    )
    failures = [row["is_failed"] for row in results.iter_rows()]
    return len(failures), sum(failures)


class Answerer:
    """Answers batches of rows. Each worker of Ray holds one of these, with one model.

    Args:
        folder: Where the results go.
        limiter: The limit that all workers share.
        min_remaining: Credits of the account at which to stop; None goes on to the last.
    """

    def __init__(
        self, folder: Path, limiter: SegmindRateLimiter, min_remaining: float | None = None
    ) -> None:
        self.folder = folder
        guard = SegmindCreditsCallbackHandler(min_remaining=min_remaining)
        self.model = ChatSegmindGPT4Turbo(rate_limiter=limiter, callbacks=[guard])

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Answer what a worker that died has not; each answer is on disk before the next call."""
        rows = batch.to_pylist()
        book = Book(self.folder / name_part(row["id"] for row in rows))
        missing = [row for row in rows if row["id"] not in book.results]
        with ThreadPoolExecutor(CALLS_AT_ONCE) as threads:
            for _ in threads.map(lambda row: book.write(ask(self.model, row)), missing):
                pass
        failures = [book.results[row["id"]]["error"] is not None for row in rows]
        return pa.table({"id": [row["id"] for row in rows], "is_failed": failures})


def ask(model: ChatSegmindGPT4Turbo, row: Row) -> Row:
    """Ask the model; what fails is a result too."""
    credits_ = SegmindCreditsCallbackHandler()
    answer = error = None
    try:
        answer = str(model.invoke(row["prompt"], config={"callbacks": [credits_]}).text)
    except HOPELESS:
        raise  # every other row would fail the same way: start again once it is mended
    except Exception as failure:  # noqa: BLE001 - one row must not end the others
        error = f"{type(failure).__name__}: {failure}"
    usage = credits_.total
    return {
        "id": row["id"],
        "answer": answer,
        "error": error,
        "cost": usage.cost,
        "is_cost_estimated": usage.is_cost_estimated,
        "remaining_credits": credits_.remaining_credits,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
    }


class Book:
    """The results of a batch, on disk as soon as they are there.

    The file is replaced as a whole: it is there with all results so far, or not at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.Lock()
        known = pyarrow.parquet.read_table(path, partitioning=None) if path.exists() else None
        self.results: dict[str, Row] = (
            {row["id"]: row for row in known.to_pylist()} if known else {}
        )

    def write(self, result: Row) -> None:
        """Add a result. One whole file takes the other's place."""
        with self.lock:
            self.results[result["id"]] = result
            draft = self.path.with_name(f".{self.path.name}-{uuid4().hex}")  # no reader sees it
            table = pa.Table.from_pylist(list(self.results.values()), SCHEMA)
            pyarrow.parquet.write_table(table, draft)
            sync(draft)
            draft.replace(self.path)
            sync(self.path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of files, would outlast a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_prompts(path: Path) -> list[Row]:
    """Read the rows; ids become texts.

    Raises:
        ValueError: A line is no such row, or its id was there before.
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
            raise ValueError(f"{path}, line {number}: no object with an id and a prompt.")
        if str(row["id"]) in rows:
            raise ValueError(f"{path}, line {number}: the id {row['id']!r} was there before.")
        rows[str(row["id"])] = {"id": str(row["id"]), "prompt": row["prompt"]}
    return list(rows.values())


def find_missing(rows: Iterable[Row], tries: Iterable[Row]) -> list[Row]:
    """Find the rows that were never answered: those that failed are tried again."""
    answered = {result["id"] for result in tries if result["error"] is None}
    return [row for row in rows if row["id"] not in answered]


def read_tries(folder: Path) -> list[Row]:
    """Read all results, with the number of their `run`; a row that failed before may be in two."""
    if not any(folder.glob("run=*/*.parquet")):
        return []
    return pyarrow.dataset.dataset(folder, partitioning="hive").to_table().to_pylist()


def begin_run(folder: Path) -> Path:
    """Make the next run's folder; what earlier runs wrote stays as it is."""
    runs = [int(path.name.removeprefix("run=")) for path in folder.glob("run=*")]
    path = folder.resolve() / f"run={max(runs, default=0) + 1}"
    path.mkdir(parents=True)
    return path


def name_part(ids: Iterable[str]) -> str:
    """Name a batch's file by its rows, so that whoever gets the batch again finds it."""
    return f"part-{hashlib.sha256(json.dumps(list(ids)).encode()).hexdigest()[:16]}.parquet"


if __name__ == "__main__":
    main()
