"""Report each request of a call to its credits handlers.

LangChain passes handlers to a run, but does not give the run to `_stream`. So each handler adds
itself to the current call in `on_chat_model_start`, which LangChain fires in every kind of call.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING
from uuid import UUID

from langchain_segmind._api.endpoint import (
    COST_HEADER,
    REMAINING_CREDITS_HEADER,
    REQUEST_ID_HEADER,
    TIMEOUT_STATUSES,
    APIResponse,
)
from langchain_segmind._api.headers import parse_amount, parse_number
from langchain_segmind._api.usage import read_usage
from langchain_segmind.callbacks.usage import Receipt, SegmindUsage
from langchain_segmind.exceptions import SegmindError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_segmind.callbacks.handler import SegmindCreditsCallbackHandler

MAX_NESTED_CALLS = 8
"""Calls within the callbacks of calls; further ones forget the outermost."""


@dataclass(slots=True)
class _Call:
    """A call that has begun and not yet sent its first request.

    Attributes:
        handlers: Its handlers by run: `generate` starts several runs.
        outer: The call whose callbacks made this one.
        depth: How many outer calls there are.
    """

    handlers: "dict[UUID, list[SegmindCreditsCallbackHandler]]"
    outer: "_Call | None" = None
    depth: int = 0


_current_call: ContextVar[_Call | None] = ContextVar("segmind_call", default=None)


def begin_call() -> None:
    """Begin a call without handlers."""
    outer = _current_call.get()
    if outer is None or outer.depth == MAX_NESTED_CALLS:
        _current_call.set(_Call({}))
    else:
        _current_call.set(_Call({}, outer, outer.depth + 1))


@contextmanager
def ending_run(run_id: UUID | None) -> Iterator[None]:
    """End a run of the current call with the block, if it sends no request.

    Otherwise a cached reply in the callbacks of a call would leave a call that seems to enclose the
    next one.
    """
    call = _current_call.get()
    try:
        yield
    finally:
        if call and _current_call.get() is call:
            if run_id:
                call.handlers.pop(run_id, None)
            if not call.handlers:
                _current_call.set(call.outer)


def add_handler(run_id: UUID, handler: "SegmindCreditsCallbackHandler") -> None:
    """Add a handler to a run of the current call."""
    call = _current_call.get()
    if call and handler not in (handlers := call.handlers.setdefault(run_id, [])):
        handlers.append(handler)


def start_tracking(run_id: UUID | None, model: str) -> "UsageTracker":
    """Return the tracker of a run that is about to send its first request.

    Args:
        run_id: The run; None for the first one of the current call that has not started yet.
        model: The slug.

    Raises:
        SegmindBudgetExceededError: One of its handlers refuses the call.
    """
    tracker = UsageTracker(model, _take_handlers(run_id))
    for handler in tracker.handlers:
        handler.check()
    return tracker


def _take_handlers(run_id: UUID | None) -> "Sequence[SegmindCreditsCallbackHandler]":
    call = current = _current_call.get()
    if current is None:
        return ()
    if run_id is None:
        run_id = next(iter(current.handlers), None)
    while call and run_id not in call.handlers:
        call = call.outer
    handlers = call.handlers.pop(run_id) if call and run_id else ()
    if not current.handlers:
        _current_call.set(current.outer)
    return handlers


class UsageTracker:
    """Reports to handlers what the requests of one call cost.

    Args:
        model: The slug.
        handlers: The handlers.
    """

    def __init__(
        self, model: str, handlers: "Sequence[SegmindCreditsCallbackHandler]" = ()
    ) -> None:
        self.model = model
        self._is_job = False
        self.handlers = handlers
        self._has_sent = False
        self._sent_at: float | None = None

    def on_request_sent(self) -> None:
        """Count the request."""
        self._sent_at = monotonic()
        usage = SegmindUsage(calls=int(not self._has_sent), retried_requests=int(self._has_sent))
        self._has_sent = True
        for handler in self.handlers:
            handler.add_usage(self.model, usage)

    def on_wait(self) -> None:
        """Expect the response to a request that was sent, maybe by another process."""
        self._is_job = True
        if self._sent_at is None:
            self._sent_at = monotonic()

    def on_response(self, response: APIResponse) -> None:
        """Count what a response reports."""
        if self.handlers and self._sent_at is not None:
            self._add_receipt(response, response.status_code, self._sent_at)
        self._sent_at = None

    def on_failure(self, error: BaseException) -> None:
        """Count what an error response reports, or that there was none."""
        if self._sent_at is None:
            return
        if isinstance(error, SegmindError) and error.status_code is not None:
            self._add_receipt(error, error.status_code, self._sent_at)
        else:
            self._record_no_response()
        self._sent_at = None

    def _add_receipt(
        self, response: APIResponse | SegmindError, status_code: int, sent_at: float
    ) -> None:
        cost = parse_amount(response.headers.get(COST_HEADER))
        if cost is None and status_code in TIMEOUT_STATUSES:
            self._record_no_response()
        receipt = Receipt(
            model=self.model,
            sent_at=sent_at,
            received_at=monotonic(),
            is_success=status_code < HTTPStatus.MULTIPLE_CHOICES,
            tokens=read_usage(response) if isinstance(response, APIResponse) else None,
            cost=cost,
            balance=parse_number(response.headers.get(REMAINING_CREDITS_HEADER)),
            job_id=response.headers.get(REQUEST_ID_HEADER) if self._is_job else None,
        )
        for handler in self.handlers:
            handler.add_receipt(receipt)

    def _record_no_response(self) -> None:
        for handler in self.handlers:
            handler.record_no_response(self.model)
