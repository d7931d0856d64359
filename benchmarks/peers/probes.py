"""Probes one contender with event loops, threads, copies and bad servers; prints JSON.

`probe_peers.py` starts it for each probe and contender, in its own process.
"""

import asyncio
import copy
import json
import os
import pickle
import sys
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core import exceptions

from benchmarks.peers.contenders import CONTENDERS, Contender
from benchmarks.peers.script_server import SEEN_PATH, WARM_UP
from benchmarks.peers.server import TEXT

Rows = dict[str, str]

QUESTION = "Why is the sky blue? One sentence."
MODEL_ERROR = getattr(exceptions, "ModelError", ())
MARK = " †"
"""Marks an exception that is core's ModelError too."""

LOOPS = 4
THREADS = 6
LOOPS_EACH = 5
THREADS_SECONDS = 15
BATCH = 300
CANCEL_SECONDS = 0.1
CLOSE_SECONDS = 5
TRICKLE_TIMEOUT = 1
BATCH_TIMEOUT = 1.5

TIMEOUTS = {
    "langchain-mistralai": lambda seconds: {"timeout": -int(-seconds // 1)},
    "langchain-openrouter": lambda seconds: {"timeout": int(seconds * 1000)},
    "langchain-litellm": lambda seconds: {"request_timeout": seconds},
}
"""How to set a timeout, where it is not `timeout` in seconds."""

NO_RETRIES = {
    "langchain-openrouter": {"model_kwargs": {"retries": None}},
    "langchain-litellm": {"model_kwargs": {"max_retries": 0}},
}
"""What turns retries off where `max_retries=0` does not."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A contender and the server that it calls.

    Attributes:
        contender: The package under test.
        origin: The server's URL without a path.
    """

    contender: Contender
    origin: str

    def create(
        self,
        part: str = "good",
        *,
        retries: int | Literal["off"] | None = "off",
        timeout: float | None = None,
        **fields: Any,
    ) -> Any:
        """Create a model.

        Args:
            part: How the server answers.
            retries: The constructor's `max_retries`; None for the package's default, "off" for
                no retries in the package's own way.
            timeout: The constructor's timeout in seconds; None for the package's default.
            **fields: Further arguments of the constructor.
        """
        arguments = self.contender.create_arguments(f"{self.origin}/{part}/v1") | fields
        del arguments["max_retries"]
        if retries is not None:
            arguments["max_retries"] = 0 if retries == "off" else retries
        if retries == "off":
            arguments |= NO_RETRIES.get(self.contender.distribution, {})
        if timeout is not None:
            spell = TIMEOUTS.get(self.contender.distribution, lambda s: {"timeout": s})
            arguments |= spell(timeout)
        return self.contender.load_class()(**arguments)

    def ask_server(self) -> dict[str, Any]:
        """Return what the server has recorded."""
        with urllib.request.urlopen(self.origin + SEEN_PATH, timeout=5) as response:  # noqa: S310
            return json.load(response)

    def name(self, error: BaseException) -> str:
        """Return an exception's class; with its package, unless built in or this contender's."""
        kind = type(error)
        package = kind.__module__.partition(".")[0]
        prefix = "" if package in {"builtins", self.contender.module} else f"{package}."
        return f"`{prefix}{kind.__name__}`{MARK if isinstance(error, MODEL_ERROR) else ''}"

    def observe(self, call: Callable[[], Any]) -> str:
        """Make a call and describe how it ended."""
        try:
            reply = call()
        except Exception as error:  # noqa: BLE001 - any error is a result
            return self.name(error)
        return describe(reply.text)


def describe(text: str) -> str:
    """Describe what a call returned."""
    if text == TEXT:
        return "the reply"
    return f"returned `{text[:12]!r}`" if text else "returned an empty text"


def show_seconds(seconds: float) -> str:
    """Write a duration."""
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds:.2f} s"


def catch(call: Callable[[], Any]) -> Exception | None:
    """Make a call and return its error, or None."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - any error is a result
        return error
    return None


def run_loops(model: Any, times: int) -> list[Exception | None]:
    """Call a model from several event loops in turn and return the errors."""
    return [catch(lambda: asyncio.run(model.ainvoke(QUESTION))) for _ in range(times)]


def count_errors(errors: Iterable[Exception | None]) -> int:
    """Count the calls that failed."""
    return sum(error is not None for error in errors)


def probe_two_loops(subject: Subject) -> Rows:
    """Call one model from two event loops, without retries."""
    errors = run_loops(subject.create(), 2)
    failed = next((error for error in errors if error), None)
    return {"two loops": subject.name(failed) if failed else "ok"}


def probe_sent_twice(subject: Subject) -> Rows:
    """Count the requests of calls from several event loops, with the default retries."""
    failed = count_errors(run_loops(subject.create(retries=None), LOOPS))
    requests = str(subject.ask_server()["requests"])
    return {"requests": f"{requests}; {failed} calls failed" if failed else requests}


def probe_threads(subject: Subject) -> Rows:
    """Call one model from event loops in several threads."""
    model = subject.create()
    ended: list[Exception | None] = []

    def work() -> None:
        for _ in range(LOOPS_EACH):
            ended.extend(run_loops(model, 1))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(THREADS)]
    deadline = time.monotonic() + THREADS_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    errors = list(ended)
    absent = THREADS * LOOPS_EACH - len(errors)
    text = str(count_errors(errors))
    return {"threads": f"{text}; {absent} not over in {THREADS_SECONDS} s" if absent else text}


def probe_copies(subject: Subject) -> Rows:
    """Copy a model that has been used, and call the copies."""
    model = subject.create()
    model.invoke(QUESTION)
    ways = {
        "pickle": lambda: pickle.loads(pickle.dumps(model)),
        "deepcopy": lambda: copy.deepcopy(model),
    }
    errors = {name: catch(lambda way=way: way().invoke(QUESTION)) for name, way in ways.items()}
    return {name: subject.name(error) if error else "ok" for name, error in errors.items()}


def probe_trickle(subject: Subject) -> Rows:
    """Call with a timeout that a trickled body outlasts."""
    model = subject.create("trickle", timeout=TRICKLE_TIMEOUT)
    model.invoke(WARM_UP)
    start = time.monotonic()
    ended = subject.observe(lambda: model.invoke(QUESTION))
    rows = {"trickle": f"{show_seconds(time.monotonic() - start)}: {ended}"}
    model = subject.create("trickle", timeout=TRICKLE_TIMEOUT)
    with asyncio.Runner() as runner:
        runner.run(model.ainvoke(WARM_UP))
        start = time.monotonic()
        ended = subject.observe(lambda: runner.run(model.ainvoke(QUESTION)))
        rows["trickle async"] = f"{show_seconds(time.monotonic() - start)}: {ended}"
    return rows


def probe_unavailable(subject: Subject, row: str = "unavailable", retries: int = 2) -> Rows:
    """Call a server that always answers 503."""
    model = subject.create("unavailable", retries=retries)
    model.invoke(WARM_UP)
    start = time.monotonic()
    ended = subject.observe(lambda: model.invoke(QUESTION))
    seconds = show_seconds(time.monotonic() - start)
    return {row: f"{subject.ask_server()['requests']} in {seconds}: {ended}"}


def probe_no_retries(subject: Subject) -> Rows:
    """Call the same server with `max_retries=0`."""
    return probe_unavailable(subject, "no retries", 0)


def probe_wrong_answers(subject: Subject) -> Rows:
    """Call servers that answer 200 without a completion."""
    parts = ("html", "no-choices", "error")
    models = {part: subject.create(part) for part in parts}
    return {
        part: subject.observe(lambda model=model: model.invoke(QUESTION))
        for part, model in models.items()
    }


def probe_batch(subject: Subject) -> Rows:
    """Make many calls at once, each of which waits for the server."""
    model = subject.create("late", timeout=BATCH_TIMEOUT)

    async def run() -> str:
        await model.ainvoke(WARM_UP)
        start = time.monotonic()
        replies = await model.abatch([QUESTION] * BATCH, return_exceptions=True)
        seconds = show_seconds(time.monotonic() - start)
        errors = [one for one in replies if isinstance(one, Exception)]
        kinds = f": {subject.name(errors[0])}" if errors else ""
        return f"{len(errors)} in {seconds}{kinds}"

    return {"batch": asyncio.run(run())}


def probe_misspelt(subject: Subject) -> Rows:
    """Misspell an argument of the constructor."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        error = catch(lambda: subject.create(temprature=0))
    about = [one for one in warned if "temprature" in str(one.message)]
    if error:
        return {"misspelt": f"refused: {subject.name(error)}"}
    return {"misspelt": "accepted, with a warning" if about else "accepted"}


def probe_cancelled(subject: Subject) -> Rows:
    """Cancel a call that gets no answer, and wait until the server sees the connection close."""
    model = subject.create("silent")

    async def run() -> str:
        await model.ainvoke(WARM_UP)
        ended = await observe_cancelled(subject, model.ainvoke(QUESTION))
        start = time.monotonic()
        while time.monotonic() < start + CLOSE_SECONDS:
            seen = await asyncio.to_thread(subject.ask_server)
            if seen["closed"]:
                return f"{ended}; closed after {show_seconds(max(0, seen['closed'][0] - start))}"
            await asyncio.sleep(0.05)
        sent = "not closed" if seen["requests"] else "nothing was sent"
        return f"{ended}; {sent} in {CLOSE_SECONDS} s"

    return {"cancelled": asyncio.run(run())}


async def observe_cancelled(subject: Subject, call: Coroutine[Any, Any, Any]) -> str:
    """Wait briefly for a call and describe how it ended."""
    try:
        await asyncio.wait_for(call, CANCEL_SECONDS)
    except Exception as error:  # noqa: BLE001 - any error is a result
        return subject.name(error)
    return "returned"


PROBES = {
    "two_loops": probe_two_loops,
    "sent_twice": probe_sent_twice,
    "threads": probe_threads,
    "copies": probe_copies,
    "trickle": probe_trickle,
    "unavailable": probe_unavailable,
    "no_retries": probe_no_retries,
    "wrong_answers": probe_wrong_answers,
    "batch": probe_batch,
    "misspelt": probe_misspelt,
    "cancelled": probe_cancelled,
}


def main() -> None:
    """Run the probe of the command line: probe, contender, server."""
    probe, name, origin = sys.argv[1:]
    printed, sys.stdout = sys.stdout, sys.stderr  # some packages print advice
    rows = PROBES[probe](Subject(CONTENDERS[name], origin))
    printed.write(json.dumps(rows))
    printed.flush()
    os._exit(0)  # threads that still hang must not delay the exit


if __name__ == "__main__":
    main()
