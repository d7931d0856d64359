"""Tells the handlers that watch a call of each of its requests."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from time import monotonic
from types import TracebackType
from typing import Self

from langchain_core.callbacks.manager import BaseRunManager

from langchain_segmind._api.endpoint import COST_HEADER, REMAINING_CREDITS_HEADER, APIResponse
from langchain_segmind._api.headers import parse_number
from langchain_segmind._api.usage import read_usage
from langchain_segmind.callbacks.handler import (
    Run,
    SegmindCreditsCallbackHandler,
    current_run,
    select_handlers,
    watching,
)
from langchain_segmind.callbacks.usage import Receipt, SegmindUsage
from langchain_segmind.exceptions import SegmindError

GAVE_UP_WAITING = frozenset({408, 504, 524})
"""Statuses that say that somebody did not wait for the model, which may have been run."""


class Watch:
    """Tells handlers of one call.

    Args:
        model: The slug.
        handlers: The handlers; none where nobody watches.
    """

    def __init__(self, model: str, handlers: Iterable[SegmindCreditsCallbackHandler] = ()) -> None:
        self.model = model
        self.handlers = list(dict.fromkeys(handlers))
        self.requests = 0

    def attempt(self) -> "Attempt":
        """Watch one request."""
        return Attempt(self)


@contextmanager
def keep_handlers(run_manager: BaseRunManager | None) -> Iterator[None]:
    """Keep a run's handlers for `_stream`, which LangChain hands no run manager.

    Args:
        run_manager: The run's.
    """
    if run_manager is None:
        yield
        return
    token = current_run.set(Run(run_manager.run_id, run_manager.handlers))
    try:
        yield
    finally:
        current_run.reset(token)


def forget_handlers() -> None:
    """Forget those of a run that LangChain began and never gave to the model."""
    current_run.set(None)


def begin_watch(run_manager: BaseRunManager | None, model: str) -> Watch:
    """Let those who watch, by a block or as handlers that were passed, watch a call.

    Args:
        run_manager: LangChain's, which knows the handlers that were passed.
        model: The slug.

    Raises:
        SegmindBudgetExceededError: If one of them refuses the call.
    """
    if run_manager:
        handlers = select_handlers(run_manager.handlers)
    else:
        run = current_run.get()
        handlers = run.take_handlers() if run else []
    watch = Watch(model, [*watching.get(), *handlers])
    for handler in watch.handlers:
        handler.check()
    return watch


class Attempt:
    """One request of a call, from its start to its answer.

    Attributes:
        reply: The answer; None until it is there, and where it is an error.
    """

    def __init__(self, watch: Watch) -> None:
        self.reply: APIResponse | None = None
        self._watch = watch

    def __enter__(self) -> Self:
        """Begin the request."""
        if self._watch.handlers:
            self._asked_at = monotonic()
            is_first = not self._watch.requests
            usage = SegmindUsage(calls=int(is_first), retried_requests=int(not is_first))
            for handler in self._watch.handlers:
                handler.add_usage(self._watch.model, usage)
        self._watch.requests += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Tell what the answer says, or that there is none."""
        if not self._watch.handlers:
            return
        reply = error if isinstance(error, SegmindError) else self.reply
        if reply is None or reply.status_code is None:
            was_sent = getattr(error, "phase", "wait") != "connect"
            if was_sent and not isinstance(error, ValueError):
                for handler in self._watch.handlers:
                    handler.add_unanswered(self._watch.model)
            return
        cost = parse_number(reply.headers.get(COST_HEADER))
        if cost is None and reply.status_code in GAVE_UP_WAITING:
            for handler in self._watch.handlers:
                handler.add_unanswered(self._watch.model)
        receipt = Receipt(
            model=self._watch.model,
            asked_at=self._asked_at,
            answered_at=monotonic(),
            is_success=reply.status_code < HTTPStatus.MULTIPLE_CHOICES,
            tokens=read_usage(self.reply) if self.reply is not None else None,
            cost=None if cost is None or cost < 0 else cost,
            balance=parse_number(reply.headers.get(REMAINING_CREDITS_HEADER)),
        )
        for handler in self._watch.handlers:
            handler.add_receipt(receipt)
