"""Watch what calls cost, and stop them at a limit.

The model itself tells who watches of each request: LangChain's own events know neither retries
nor what a failed call cost, and would refuse a cached reply, which is free.
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
from langchain_segmind.callbacks.tracking import add_handler
from langchain_segmind.callbacks.usage import (
    Balance,
    Receipt,
    SegmindUsage,
    Spending,
    check_credits,
)
from langchain_segmind.exceptions import SegmindBudgetExceededError

__all__ = ["SegmindCreditsCallbackHandler", "get_segmind_credits_callback"]

logger = logging.getLogger(__name__)

OnLowCredits = Callable[["SegmindCreditsCallbackHandler", float], object]
"""Takes the handler and the credits that remain."""


class SegmindCreditsCallbackHandler(BaseCallbackHandler):
    """Adds up what the calls of Segmind's models take and cost, and can refuse further ones.

    Pass it in `callbacks` wherever LangChain takes them; one handler may serve any number of
    calls, threads and event loops, on one account. Models of other providers are not counted.

    Args:
        budget: Credits (1 credit = 1 US dollar) that may be spent. A call that begins once they
            are spent is refused before any request; calls under way finish, so that the sum may
            pass the budget by what these cost. None for no limit.
        min_remaining: Credits that must remain. A call is refused once a reply told of fewer.
        low_credits: What counts as low.
        on_low_credits: Called with the handler and the remaining credits once each time that
            they fall below `low_credits`. It is called where the reply is read, on the event
            loop too, so that it should be quick; what it raises is logged.

    Raises:
        ValueError: If an amount is no number of credits, or one of `low_credits` and
            `on_low_credits` is missing, or `on_low_credits` is asynchronous.

    Source: https://www.segmind.com/models/gpt-4-turbo/api (`x-remaining-credits`)

    Example:
        ```python
        from langchain_segmind import ChatSegmindGPT4Turbo, SegmindCreditsCallbackHandler

        credits = SegmindCreditsCallbackHandler(budget=0.50)
        model = ChatSegmindGPT4Turbo()
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
    ) -> None:
        super().__init__()
        check_credits("budget", budget)
        check_credits("min_remaining", min_remaining, is_negative_allowed=True)
        check_credits("low_credits", low_credits, is_negative_allowed=True)
        if (low_credits is None) != (on_low_credits is None):
            raise ValueError("low_credits and on_low_credits go together; pass both.")
        call = getattr(on_low_credits, "__call__", None)  # noqa: B004 - an object's may be async
        if inspect.iscoroutinefunction(on_low_credits) or inspect.iscoroutinefunction(call):
            raise ValueError("on_low_credits must be a plain function: nobody would await it.")
        self.budget = budget
        self.min_remaining = min_remaining
        self.low_credits = low_credits
        self.on_low_credits = on_low_credits
        self._lock = Lock()
        self._spending = Spending({})

    @property
    def by_model(self) -> Mapping[str, SegmindUsage]:
        """What each model took and cost, by its slug."""
        return dict(self._spending.by_model)

    @property
    def total(self) -> SegmindUsage:
        """What all models took and cost."""
        return self._spending.total

    @property
    def remaining_credits(self) -> float | None:
        """The account's credits as the latest reply told them; None before the first.

        Of replies to requests that were under way together, the lowest is the latest.
        """
        balance = self._spending.balance
        return None if balance is None else balance.credits

    @property
    def lowest_remaining_credits(self) -> float | None:
        """The fewest credits that a reply told of; None before the first."""
        return self._spending.lowest

    def reset(self) -> None:
        """Begin again from nothing; the limits stay."""
        with self._lock:
            self._spending = Spending({})

    def check(self) -> None:
        """Refuse what would go past a limit. The models ask before each call.

        Raises:
            SegmindBudgetExceededError: If the budget is spent, or too few credits remain.
        """
        total, remaining, least = self.total, self.remaining_credits, self.min_remaining
        if self.budget is not None and total.cost >= self.budget:
            problem = f"{total.cost:g} of the budget of {self.budget:g} credits are spent"
        elif least is not None and remaining is not None and remaining < least:
            problem = f"{remaining:g} credits remain, and min_remaining is {least:g}"
        else:
            return
        raise SegmindBudgetExceededError(
            f"The call was not sent: {problem}. {SegmindBudgetExceededError.advice}",
            spent=total.cost,
            budget=self.budget,
            min_remaining=self.min_remaining,
            remaining_credits=remaining,
        )

    def add_usage(self, model: str, usage: SegmindUsage) -> None:
        """Count a part of a call; the models do.

        Args:
            model: The model's slug.
            usage: What is to be added.
        """
        with self._lock:
            self._spending = self._spending.add(model, usage)

    def add_receipt(self, receipt: Receipt) -> None:
        """Count what an answer tells; the models do.

        Args:
            receipt: What it tells.
        """
        with self._lock:
            before = self.remaining_credits
            self._spending = self._spending.add_receipt(receipt)
            after = self.remaining_credits
        self._tell_of_low_credits(before, after)

    def add_unanswered(self, model: str) -> None:
        """Count a request without an answer; the models do.

        Args:
            model: The model's slug.
        """
        with self._lock:
            self._spending = self._spending.add_unanswered(model)

    def update_balance(self, remaining: float) -> None:
        """Tell the account's credits as they are now, such as after a top-up.

        A guard knows no more than the replies say, and refuses calls until it hears of it.

        Args:
            remaining: Credits.

        Example:
            ```python
            from langchain_segmind import ChatSegmindGPT4Turbo, SegmindCreditsCallbackHandler

            handler = SegmindCreditsCallbackHandler(min_remaining=1.0)
            handler.update_balance(ChatSegmindGPT4Turbo().get_credits().total)
            print(handler.remaining_credits)
            ```
        """
        now = monotonic()
        with self._lock:
            before = self.remaining_credits
            self._spending = self._spending.add_balance(Balance(remaining, now), now)
            after = self.remaining_credits
        self._tell_of_low_credits(before, after)

    def _tell_of_low_credits(self, before: float | None, after: float | None) -> None:
        if self.low_credits is None or self.on_low_credits is None or after is None:
            return
        if after < self.low_credits and (before is None or before >= self.low_credits):
            try:
                self.on_low_credits(self, after)
            except Exception:
                logger.exception("on_low_credits failed")

    def on_chat_model_start(
        self, *_: Any, run_id: UUID, metadata: Mapping[str, Any] | None = None, **__: Any
    ) -> None:
        """Take part in a call that begins; runs of other providers are ignored.

        Args:
            run_id: The run's id.
            metadata: What LangChain traces about the run.
        """
        if (metadata or {}).get("ls_provider") == PROVIDER:
            add_handler(run_id, self)

    def __repr__(self) -> str:
        """Show what was spent."""
        return (
            f"{type(self).__name__}(total={self.total}, remaining_credits={self.remaining_credits})"
        )

    def __getstate__(self) -> dict[str, object]:
        """Leave out what belongs to this process, so that it can be pickled and copied."""
        return {**self.__dict__, "_lock": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Take what was pickled; from here on it counts by itself."""
        self.__dict__.update(state, _lock=Lock())


class _HandlerGroup(BaseCallbackHandler):
    """The handlers of the open blocks, outermost first, as one handler."""

    run_inline = True

    def __init__(self, handlers: tuple[SegmindCreditsCallbackHandler, ...]) -> None:
        self.handlers = handlers

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        """Let all handlers take part in a call that begins."""
        for handler in self.handlers:
            handler.on_chat_model_start(*args, **kwargs)


_open_blocks: ContextVar[_HandlerGroup | None] = ContextVar("segmind_credits", default=None)


@cache
def _register_open_blocks() -> None:
    """Have LangChain add the handlers of the open blocks to every run."""
    # Imported here since it imports LangSmith.
    from langchain_core.tracers.context import register_configure_hook  # noqa: PLC0415

    register_configure_hook(_open_blocks, inheritable=True)


@contextmanager
def get_segmind_credits_callback(
    *,
    budget: float | None = None,
    min_remaining: float | None = None,
    low_credits: float | None = None,
    on_low_credits: OnLowCredits | None = None,
) -> Iterator[SegmindCreditsCallbackHandler]:
    """Watch all calls of Segmind's models in a `with` block, whoever makes them.

    Works around chains, agents, `batch`, and asynchronous code. Where blocks are nested, all of
    them count. Threads that you start yourself know nothing of the block, as always with context
    variables: pass them the handler in `callbacks`, or start them with
    `contextvars.copy_context().run`.

    Args:
        budget: As for `SegmindCreditsCallbackHandler`, and so are the others.
        min_remaining: As there.
        low_credits: As there.
        on_low_credits: As there.

    Yields:
        The handler, which counts; it can be read at any time.

    Raises:
        ValueError: As there.
        SegmindBudgetExceededError: From a call in the block, if it would go past a limit.

    Example:
        ```python
        from langchain_segmind import ChatSegmindGPT4Turbo, get_segmind_credits_callback

        with get_segmind_credits_callback(budget=0.50) as credits:
            ChatSegmindGPT4Turbo().invoke("Say hello.")
        print(credits.total.cost, credits.remaining_credits)
        ```
    """
    handler = SegmindCreditsCallbackHandler(
        budget=budget,
        min_remaining=min_remaining,
        low_credits=low_credits,
        on_low_credits=on_low_credits,
    )
    _register_open_blocks()
    outer = _open_blocks.get()
    group = _HandlerGroup((*(outer.handlers if outer else ()), handler))
    token = _open_blocks.set(group)
    try:
        yield handler
    finally:
        # A generator may be closed in a context other than the one it began in.
        with suppress(ValueError):
            _open_blocks.reset(token)
