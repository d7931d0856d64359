"""Count what calls cost, and refuse further ones at a limit.

The model reports each request to the handlers directly: LangChain's `on_retry` does not fire in
streams, no event carries the cost of a failed call, and `on_chat_model_start` fires before the
cache is read. A handler joins its call in `on_chat_model_start`, which fires in every kind of call.
"""

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from threading import Lock
from time import monotonic
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from langchain_segmind._api.endpoint import PROVIDER
from langchain_segmind.callbacks.tracking import UsageTracker, add_handler
from langchain_segmind.callbacks.usage import (
    Balance,
    OnUnknownCost,
    Receipt,
    SegmindUsage,
    Spending,
    check_credits,
    check_on_unknown_cost,
    describe_unknown_cost,
)
from langchain_segmind.exceptions import SegmindBudgetExceededError

__all__ = ["SegmindCreditsCallbackHandler", "get_segmind_credits_callback"]

logger = logging.getLogger(__name__)

JOBS_CACHE_SIZE = 100_000
"""How many jobs a handler knows as counted: more than an account runs in the hour in which their
results can be fetched again."""

OnLowCredits = Callable[["SegmindCreditsCallbackHandler", float], object]
"""Called with the handler and the remaining credits."""


class SegmindCreditsCallbackHandler(BaseCallbackHandler):
    """Counts what Segmind calls use and cost, and can refuse further calls.

    Pass it in `callbacks` wherever LangChain takes them. One handler can serve any number of
    calls, threads and event loops of a process. Calls to other providers are not counted.

    Args:
        budget: Credits (1 credit = 1 US dollar) that may be spent. Once they are spent, calls
            are refused before a request is sent. Calls in progress finish, so the total can
            exceed the budget by their cost. Defaults to None, no limit.
        min_remaining: Credits that must remain on the account. Calls are refused once a reply
            reports fewer. Defaults to None, no limit.
        low_credits: Threshold for `on_low_credits`, in credits. Defaults to None.
        on_low_credits: Called with the handler and the remaining credits each time they fall
            below `low_credits`. It runs where the reply is read, possibly on the event loop, so
            it must not block. Its exceptions are logged. Defaults to None.
        on_unknown_cost: What happens if `budget` or `min_remaining` cannot be kept, because replies
            report neither a price nor a balance (for `min_remaining`, no balance). `"warn"` logs
            one warning; `"refuse"` refuses the next call. Defaults to `"warn"`.

    Raises:
        ValueError: If an amount is not a valid number of credits, if only one of `low_credits`
            and `on_low_credits` is passed, if `on_low_credits` is asynchronous, or if
            `on_unknown_cost` is another value.

    Source: https://www.segmind.com/models/gpt-4-turbo/api (`x-remaining-credits`)

    Example:
        ```python
        from langchain_segmind import ChatSegmind, SegmindCreditsCallbackHandler

        credits = SegmindCreditsCallbackHandler(budget=0.50)
        model = ChatSegmind(model="gpt-5.4-mini")
        model.batch(["Say one.", "Say two."], config={"callbacks": [credits]})
        print(credits.total.calls, credits.total.cost, credits.remaining_credits)
        ```
    """

    run_inline = True  # in the context of the call, not in a thread with a copy of it

    def __init__(
        self,
        *,
        budget: float | None = None,
        min_remaining: float | None = None,
        low_credits: float | None = None,
        on_low_credits: OnLowCredits | None = None,
        on_unknown_cost: OnUnknownCost = "warn",
    ) -> None:
        super().__init__()
        check_credits("budget", budget)
        check_credits("min_remaining", min_remaining, is_negative_allowed=True)
        check_credits("low_credits", low_credits, is_negative_allowed=True)
        check_on_unknown_cost(on_unknown_cost)
        if (low_credits is None) != (on_low_credits is None):
            raise ValueError("low_credits and on_low_credits must be passed together.")
        call = getattr(on_low_credits, "__call__", None)  # noqa: B004 - an object's can be async
        if inspect.iscoroutinefunction(on_low_credits) or inspect.iscoroutinefunction(call):
            raise ValueError("on_low_credits must not be async: its result is not awaited.")
        self.budget = budget
        self.min_remaining = min_remaining
        self.low_credits = low_credits
        self.on_low_credits = on_low_credits
        self.on_unknown_cost = on_unknown_cost
        self._lock = Lock()
        self._spending = Spending({})
        self._jobs: dict[str, None] = {}

    @property
    def by_model(self) -> Mapping[str, SegmindUsage]:
        """Usage of each model, by its slug."""
        return self._spending.by_model

    @property
    def total(self) -> SegmindUsage:
        """Usage of all models together."""
        return self._spending.total

    @property
    def remaining_credits(self) -> float | None:
        """The account's remaining credits in the most recent reply, or None before the first.

        Of concurrent requests, the one that reports the lowest balance counts as most recent.
        """
        balance = self._spending.balance
        return None if balance is None else balance.credits

    @property
    def lowest_remaining_credits(self) -> float | None:
        """The lowest remaining credits that a reply reported, or None before the first."""
        return self._spending.lowest

    @property
    def has_unknown_cost(self) -> bool:
        """Whether the cost of a request is unknown, so that `total` lacks it."""
        return self._spending.has_unknown_cost

    @property
    def has_unknown_balance(self) -> bool:
        """Whether there were replies, but none that reported the balance."""
        return self._spending.has_unknown_balance

    def reset(self) -> None:
        """Set all counts to zero and forget the balance. The limits stay."""
        with self._lock:
            self._spending = Spending({})

    def check(self) -> None:
        """Raise an error if a limit is reached. Models call this before each call.

        Raises:
            SegmindBudgetExceededError: If the budget is used up, or too few credits remain, or if
                that is not known and `on_unknown_cost` is `"refuse"`.
        """
        spent, remaining, floor = self.total.cost, self.remaining_credits, self.min_remaining
        if self.budget is not None and spent >= self.budget:
            problem = f"the budget of {self.budget:g} credits is used up ({spent:g} spent)"
        elif floor is not None and remaining is not None and remaining < floor:
            problem = f"{remaining:g} credits remain, below min_remaining={floor:g}"
        elif self.on_unknown_cost == "refuse" and (unknown := self._describe_unknown_cost()):
            problem = unknown
        else:
            return
        raise SegmindBudgetExceededError(
            f"The call was not sent: {problem}. {SegmindBudgetExceededError.advice}",
            spent=spent,
            budget=self.budget,
            min_remaining=floor,
            remaining_credits=remaining,
        )

    def add_usage(self, model: str, usage: SegmindUsage) -> None:
        """Add usage. Models call this when they send a request.

        Args:
            model: The model's slug.
            usage: The usage to add.
        """
        self._update(lambda spending: spending.add(model, usage))

    def add_receipt(self, receipt: Receipt) -> None:
        """Add what a response reports. Models call this for each response.

        The result of a job that is fetched again costs nothing.

        Args:
            receipt: The response's figures.
        """
        if receipt.job_id is not None:
            with self._lock:
                is_known = receipt.job_id in self._jobs
                self._jobs[receipt.job_id] = None
                if len(self._jobs) > JOBS_CACHE_SIZE:
                    del self._jobs[next(iter(self._jobs))]
            if is_known:
                return
        self._update(lambda spending: spending.add_receipt(receipt))

    def record_no_response(self, model: str) -> None:
        """Record that a request got no response. Models call this after a timeout, for example.

        Args:
            model: The model's slug.
        """
        self._update(lambda spending: spending.record_no_response(model))

    def update_balance(self, remaining: float) -> None:
        """Set the account's remaining credits, for example after a top-up.

        A handler that refuses calls gets no replies, so it cannot learn of a top-up otherwise.

        Args:
            remaining: The account's credits.

        Raises:
            ValueError: It is not a number of credits.

        Example:
            ```python
            from langchain_segmind import ChatSegmind, SegmindCreditsCallbackHandler

            handler = SegmindCreditsCallbackHandler(min_remaining=1.0)
            handler.update_balance(ChatSegmind(model="gpt-5.4-mini").get_credits().total)
            print(handler.remaining_credits)
            ```
        """
        check_credits("remaining", remaining, is_negative_allowed=True)
        now = monotonic()
        self._update(lambda spending: spending.add_balance(Balance(remaining, now), now))

    def _update(self, change: Callable[[Spending], Spending]) -> None:
        """Apply a change, and call `on_low_credits` if the balance fell below `low_credits`."""
        with self._lock:
            before, was_known = self.remaining_credits, self._describe_unknown_cost() is None
            self._spending = change(self._spending)
            after, unknown = self.remaining_credits, self._describe_unknown_cost()
        if unknown and was_known and self.on_unknown_cost == "warn":
            logger.warning("From a reply of Segmind: %s.", unknown)
        if self.low_credits is None or self.on_low_credits is None or after is None:
            return
        if after < self.low_credits and (before is None or before >= self.low_credits):
            try:
                self.on_low_credits(self, after)
            except Exception:
                logger.exception("on_low_credits failed")

    def _describe_unknown_cost(self) -> str | None:
        return describe_unknown_cost(
            has_budget=self.budget is not None,
            has_unknown_cost=self.has_unknown_cost,
            has_floor=self.min_remaining is not None,
            has_unknown_balance=self.has_unknown_balance,
        )

    def on_chat_model_start(
        self, *_: Any, run_id: UUID, metadata: Mapping[str, Any] | None = None, **__: Any
    ) -> None:
        """Attach this handler to the run; runs of other providers are ignored.

        Args:
            run_id: The run's id.
            metadata: The run's metadata; `ls_provider` names its provider.
        """
        if (metadata or {}).get("ls_provider") == PROVIDER:
            add_handler(run_id, self)

    def __repr__(self) -> str:
        """Return the total and the remaining credits as text."""
        return (
            f"{type(self).__name__}(total={self.total}, remaining_credits={self.remaining_credits})"
        )

    def __getstate__(self) -> dict[str, object]:
        """Return the state without the lock, which cannot be pickled or copied."""
        return {**self.__dict__, "_lock": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Restore the state. The copy counts independently of the original."""
        self.__dict__.update(state, _lock=Lock())


class _HandlerGroup(BaseCallbackHandler):
    """The handlers of all enclosing `get_segmind_credits_callback` blocks, outermost first."""

    run_inline = True

    def __init__(self, handlers: tuple[SegmindCreditsCallbackHandler, ...]) -> None:
        self.handlers = handlers

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        """Forward the event to all handlers."""
        for handler in self.handlers:
            handler.on_chat_model_start(*args, **kwargs)


_active_handlers: ContextVar[_HandlerGroup | None] = ContextVar("segmind_credits", default=None)


@cache
def _register_active_handlers() -> None:
    """Register the hook that adds the handlers of the enclosing blocks to every run."""
    from langchain_core.tracers.context import (  # noqa: PLC0415 - it imports LangSmith
        register_configure_hook,
    )

    register_configure_hook(_active_handlers, inheritable=True)


def get_active_handlers() -> tuple[SegmindCreditsCallbackHandler, ...]:
    """Return the handlers of the enclosing `get_segmind_credits_callback` blocks."""
    group = _active_handlers.get()
    return group.handlers if group else ()


def track_without_run(model: str) -> UsageTracker:
    """Return a tracker with the handlers of the enclosing blocks, for what is no LangChain run.

    Args:
        model: The slug.

    Raises:
        SegmindBudgetExceededError: A handler refuses the call.
    """
    handlers = get_active_handlers()
    for handler in handlers:
        handler.check()
    return UsageTracker(model, handlers)


@contextmanager
def get_segmind_credits_callback(
    *,
    budget: float | None = None,
    min_remaining: float | None = None,
    low_credits: float | None = None,
    on_low_credits: OnLowCredits | None = None,
    on_unknown_cost: OnUnknownCost = "warn",
) -> Iterator[SegmindCreditsCallbackHandler]:
    """Count all Segmind calls in a `with` block, and optionally limit them.

    Includes calls made by chains, agents, `batch` and asynchronous code. Blocks can be nested;
    each counts. Threads that you start yourself do not inherit the block (it is a context
    variable): pass them the handler in `callbacks`, or start them with
    `contextvars.copy_context().run`.

    Args:
        budget: Credits that may be spent in the block; see `SegmindCreditsCallbackHandler`.
        min_remaining: Credits that must remain on the account.
        low_credits: Threshold for `on_low_credits`, in credits.
        on_low_credits: Called with the handler and the remaining credits when they fall below
            `low_credits`.
        on_unknown_cost: `"warn"` or `"refuse"`: what happens if replies do not report what a limit
            needs.

    Yields:
        The handler that counts. It can be read at any time.

    Raises:
        ValueError: If an argument is invalid.
        SegmindBudgetExceededError: From a call in the block, if a limit is reached.

    Example:
        ```python
        from langchain_segmind import ChatSegmind, get_segmind_credits_callback

        with get_segmind_credits_callback(budget=0.50) as credits:
            ChatSegmind(model="gpt-5.4-mini").invoke("Say hello.")
        print(credits.total.cost, credits.remaining_credits)
        ```
    """
    handler = SegmindCreditsCallbackHandler(
        budget=budget,
        min_remaining=min_remaining,
        low_credits=low_credits,
        on_low_credits=on_low_credits,
        on_unknown_cost=on_unknown_cost,
    )
    _register_active_handlers()
    outer = _active_handlers.get()
    group = _HandlerGroup((*(outer.handlers if outer else ()), handler))
    token = _active_handlers.set(group)
    try:
        yield handler
    finally:
        # A generator may be closed in a context other than the one it began in.
        with suppress(ValueError):
            _active_handlers.reset(token)
