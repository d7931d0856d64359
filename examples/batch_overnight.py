"""Answer a file of prompts with a slow model, and go on where the last run ended.

    python examples/batch_overnight.py prompts.jsonl results.jsonl

Each line of prompts.jsonl is an object with an `id` and a `prompt`; an edited prompt is a new row.
A SQLite file, results.jsonl.db, has the state of each row:

    waiting    not submitted
    submitted  has a request ID, which fetches the answer for about an hour
    answered   has an answer and its cost
    failed     refused, or the job failed: not billed, and the next run submits it again
    unknown    the submission broke off: it may be billed, and only --again submits it again

The request ID is on disk before the answer is waited for, so a crash, kill -9 or Ctrl-C loses no
paid answer. A row is paid for twice only with --again, or if the run ends after Segmind accepts a
job and before its request ID is written: one row per worker at most.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import sys
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from langchain_segmind import ChatSegmind, SegmindError, exceptions

FATAL_ERRORS = (  # every other row would get them too
    exceptions.SegmindAuthenticationError,
    exceptions.SegmindInsufficientCreditsError,
    exceptions.SegmindModelNotFoundError,
)
COLUMNS = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), "{task.description}")
CREATE = """CREATE TABLE IF NOT EXISTS rows (id, prompt, model, state DEFAULT 'waiting', request_id,
    answer, error, cost, PRIMARY KEY (id, prompt, model))"""
INSERT = "INSERT OR IGNORE INTO rows (id, prompt, model) VALUES (?, ?, ?)"
SAVE = """REPLACE INTO rows
    VALUES (:id, :prompt, :model, :state, :request_id, :answer, :error, :cost)"""


def main() -> None:
    """Run the command line; exit with 1 if a row has no answer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("prompts", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--model", default=os.environ.get("SEGMIND_MODEL") or "gpt-5")
    parser.add_argument("--workers", type=int, default=8, help="jobs at a time")
    parser.add_argument("--again", action="store_true", help="submit rows that may be billed twice")
    options = parser.parse_args()
    try:
        prompts = read_prompts(options.prompts)
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"{options.prompts} cannot be read: {error}")
    batch = Batch(options, prompts)
    try:
        asyncio.run(batch.run())
    except (KeyboardInterrupt, *FATAL_ERRORS) as error:
        print(str(error) or "Interrupted.", file=sys.stderr)
    options.results.write_text("".join(f"{json.dumps(row)}\n" for row in batch.rows))
    if missing := sum(row["state"] != "answered" for row in batch.rows):
        sys.exit(f"{missing} rows have no answer: see {options.results}. Run the command again.")


def read_prompts(path: Path) -> dict[str, str]:
    """Return the prompts by the ids of their rows."""
    prompts: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
                row_id, prompt = str(row["id"]), row["prompt"]
                (row_id + prompt).encode()  # half of a character (a lone surrogate) cannot be sent
            except (ValueError, KeyError, TypeError) as error:
                sys.exit(f"{path}, line {number}: not a row with an id and a prompt ({error!r}).")
            if row_id in prompts:
                sys.exit(f"{path}, line {number}: the id {row_id!r} is used above.")
            prompts[row_id] = prompt
    return prompts


class Batch:
    """The rows, in memory and in a SQLite file."""

    def __init__(self, options: argparse.Namespace, prompts: dict[str, str]) -> None:
        self.options, self.model = options, ChatSegmind(model=options.model)
        path = f"{options.results}.db"
        try:  # no other process can use the file until this one ends
            self.db = sqlite3.connect(path, timeout=0, isolation_level=None)
            self.db.executescript(f"PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; {CREATE};")
        except sqlite3.OperationalError as error:
            sys.exit(f"{path} cannot be opened, or another run is writing it: {error}.")
        self.db.row_factory = sqlite3.Row
        self.db.executemany(INSERT, [(*row, options.model) for row in prompts.items()])
        self.db.execute("COMMIT")
        stored = self.db.execute("SELECT * FROM rows WHERE model = ?", [options.model])
        rows = {(row["id"], row["prompt"]): dict(row) for row in stored}
        self.rows = [rows[row] for row in prompts.items()]
        self.spent, self.left = sum(row["cost"] or 0 for row in self.rows), "?"

    async def run(self) -> None:
        """Answer the rows that have no answer, and show the progress."""
        states = {"waiting", "failed", "unknown"} if self.options.again else {"waiting", "failed"}
        todo = [row for row in self.rows if row["state"] == "submitted"]  # answers expire
        todo += [row for row in self.rows if row["state"] in states]
        queue, total = iter(todo), len(self.rows)
        with Progress(*COLUMNS) as progress:
            bar = progress.add_task("", total=total, completed=total - len(todo))

            async def work() -> None:
                for row in queue:
                    await self.answer(row)
                    text = f"{self.spent:.4f} credits spent, {self.left} left"
                    progress.update(bar, advance=1, description=text)

            await asyncio.gather(*(work() for _ in range(self.options.workers)))

    async def answer(self, row: dict) -> None:
        """Submit a row, unless it was submitted before, and wait for its answer."""
        try:
            if row["state"] != "submitted":
                job = await self.model.asubmit(row["prompt"])
                self.save(row, state="submitted", request_id=job.request_id)
            else:
                job = self.model.get_job(row["request_id"])
            reply = await job.aresult()
        except ValueError as error:  # the model takes no such prompt
            self.save(row, error=str(error))
        except SegmindError as error:
            if row["state"] != "submitted":
                row["state"] = "unknown" if error.phase == "submit" else "failed"
            elif error.job_failed or (error.status_code == 404 and self.options.again):  # noqa: PLR2004
                row |= {"state": "failed", "request_id": None}
            self.save(row, error=str(error))
            if isinstance(error, FATAL_ERRORS) and not error.job_failed:
                raise
        else:
            facts = reply.response_metadata
            self.save(row, state="answered", answer=reply.text, error=None, cost=facts.get("cost"))
            self.spent += row["cost"] or 0
            self.left = facts["remaining_credits"]

    def save(self, row: dict, **changes: object) -> None:
        """Change a row in memory and on disk."""
        row |= changes
        self.db.execute(SAVE, row)


if __name__ == "__main__":
    main()
