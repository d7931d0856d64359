"""Answer a file of prompts with a slow model, and go on where an earlier run has stopped.

    python examples/batch_overnight.py prompts.jsonl results.jsonl

Each line of prompts.jsonl is an object with an `id` and a `prompt`. What was submitted and answered
is kept in results.jsonl.db, a SQLite file. Run the same command again after a crash, a kill or
Ctrl-C: answers are kept, and jobs that were submitted are fetched, not submitted again. A job can
be paid for twice only if the run ends between Segmind's acceptance of it and our note (one per
worker at most), or if more than an hour passes, after which results are gone. Where it is unknown
whether a job was accepted, the row is left alone, unless --again is passed. SEGMIND_MODEL=<slug>,
or --model, names the model.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from langchain_segmind import (
    ChatSegmind,
    SegmindAuthenticationError,
    SegmindError,
    SegmindInsufficientCreditsError,
    SegmindModelNotFoundError,
)

FATAL_ERRORS = (
    SegmindAuthenticationError,
    SegmindInsufficientCreditsError,
    SegmindModelNotFoundError,
)
"""Errors that end the run, since every other row would fail in the same way."""

RETENTION_SECONDS = 3_600
"""How long Segmind keeps a result."""

UNKNOWN = "unknown"
"""In place of the id of a job that may have been accepted."""

TABLE = """
CREATE TABLE IF NOT EXISTS rows (
    id TEXT PRIMARY KEY, prompt TEXT NOT NULL, request_id TEXT, submitted REAL,
    answer TEXT, error TEXT, cost REAL
)
"""
LIST = """
SELECT id, prompt, request_id FROM rows WHERE answer IS NULL AND request_id IS NOT 'unknown'
ORDER BY request_id IS NULL, rowid
"""
"""Jobs that were submitted come first: their results are not kept for long."""

COUNT = "SELECT count(answer), count(error), total(cost), count(*) FROM rows"
EXPORT = "SELECT id, answer, error, request_id, cost FROM rows ORDER BY rowid"


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line; exit with 1 if a row failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("prompts", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--model", default=os.environ.get("SEGMIND_MODEL") or "gpt-5")
    parser.add_argument("--workers", type=int, default=8, help="jobs at a time")
    parser.add_argument("--again", action="store_true", help="submit rows that may be paid again")
    options = parser.parse_args(words)
    prompts = read_prompts(options.prompts)
    path = options.results.with_name(f"{options.results.name}.db")
    lock = sqlite3.connect(f"{path}.lock", timeout=0, isolation_level=None)
    with closing(lock), closing(sqlite3.connect(path, isolation_level=None)) as rows:
        try:
            lock.execute("BEGIN EXCLUSIVE")  # until this process ends
        except sqlite3.OperationalError:
            sys.exit(f"Another run is writing {options.results}.")
        rows.execute(TABLE)
        with rows:
            rows.execute("BEGIN")
            rows.executemany("INSERT OR IGNORE INTO rows (id, prompt) VALUES (?, ?)", prompts)
            rows.execute("UPDATE rows SET error = NULL WHERE request_id IS NOT ?", (UNKNOWN,))
            if options.again:
                again = "UPDATE rows SET request_id = NULL, error = NULL WHERE request_id = ?"
                rows.execute(again, (UNKNOWN,))
        try:
            asyncio.run(answer_all(rows, ChatSegmind(model=options.model), options.workers))
        except* (KeyboardInterrupt, *FATAL_ERRORS) as group:
            reason = str(group.exceptions[0]) or "Interrupted."
            sys.exit(f"{reason} Nothing is lost: run the command again to go on.")
        with options.results.open("w", encoding="utf-8") as file:
            names = ("id", "answer", "error", "request_id", "cost")
            for row in rows.execute(EXPORT):
                print(json.dumps(dict(zip(names, row, strict=True))), file=file)
        _, failed, *_ = rows.execute(COUNT).fetchone()
    if failed:
        sys.exit(f"{failed} rows failed: see {options.results}. Run the command again to retry.")


def read_prompts(path: Path) -> list[tuple[str, str]]:
    """Return the rows' ids, as strings, and prompts."""
    lines = filter(str.strip, path.read_text(encoding="utf-8").split("\n"))
    rows = [(str(row["id"]), row["prompt"]) for row in map(json.loads, lines)]
    if len(dict(rows)) < len(rows) or not all(isinstance(prompt, str) for _, prompt in rows):
        sys.exit(f"{path}: each row needs an id of its own, and a prompt that is a string.")
    return rows


async def answer_all(rows: sqlite3.Connection, model: ChatSegmind, workers: int) -> None:
    """Answer the rows that have no answer yet, and show how far they are."""
    missing = iter(rows.execute(LIST).fetchall())
    note = TextColumn("{task.fields[note]}")
    with Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), note) as progress:
        answered, *_, total = rows.execute(COUNT).fetchone()
        bar = progress.add_task("", total=total, completed=answered, note="")

        async def work() -> None:
            for row_id, prompt, request_id in missing:
                left = await answer(rows, model, row_id, prompt, request_id)
                answered, failed, cost, _ = rows.execute(COUNT).fetchone()
                text = f"{failed} failed, {cost:.4f} credits spent, {left} left"
                progress.update(bar, completed=answered + failed, note=text)

        async with asyncio.TaskGroup() as group:
            for _ in range(max(workers, 1)):
                group.create_task(work())


async def answer(
    rows: sqlite3.Connection, model: ChatSegmind, row_id: str, prompt: str, request_id: str | None
) -> float | None:
    """Answer one row, and return the remaining credits if they are known."""
    note = "UPDATE rows SET request_id = ?, submitted = ? WHERE id = ?"
    try:
        if request_id is None:
            job = await model.asubmit(prompt)
            rows.execute(note, (job.request_id, time.time(), row_id))
        else:
            job = model.get_job(request_id)
        reply = await job.aresult()
    except SegmindError as error:
        rows.execute("UPDATE rows SET error = ? WHERE id = ?", (str(error), row_id))
        if error.phase == "submit":
            rows.execute(note, (UNKNOWN, time.time(), row_id))
        elif "The job failed" in str(error):  # the next run submits another one
            rows.execute(note, (None, None, row_id))
        elif error.status_code == 404:  # noqa: PLR2004 - the result is gone, if it is that old
            old = (row_id, time.time() - RETENTION_SECONDS)
            rows.execute("UPDATE rows SET request_id = NULL WHERE id = ? AND submitted < ?", old)
        if isinstance(error, FATAL_ERRORS) and "The job failed" not in str(error):
            raise
        return error.remaining_credits
    facts = reply.response_metadata
    done = (reply.text, facts.get("cost"), row_id)
    rows.execute("UPDATE rows SET answer = ?, cost = ? WHERE id = ?", done)
    return facts["remaining_credits"]


if __name__ == "__main__":
    main()
