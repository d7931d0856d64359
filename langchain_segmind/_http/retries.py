"""Whether to try again, and when; the only room that knows tenacity.

A POST that got any part of an answer may have been run and billed: it is never sent again. So
may one that got no answer in time: `retry_read_timeouts` says whether it is. Segmind knows no
idempotency key.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception,
    wait_exponential,
    wait_random,
)

from langchain_segmind._http.deadline import Deadline
from langchain_segmind.exceptions import (
    SegmindConnectionError,
    SegmindError,
    SegmindTimeoutError,
)

logger = logging.getLogger(__name__)

back_off = wait_exponential(multiplier=0.5, max=8) + wait_random(0, 0.5)
"""Seconds to wait where the server does not say: 0.5, 1, 2, 4, 8, 8, ... plus up to 0.5."""

LONG_WAIT = 5.0
"""Seconds of a wait that users should see in their logs unasked."""

LONGEST_WAIT = 86_400.0
"""Seconds that are waited at most where there is no deadline."""

REQUEST_TIMEOUT_STATUS = 408


@dataclass(frozen=True, slots=True)
class Patience:
    """What a call does about failures.

    Attributes:
        deadline: By when the call must be over, waits included.
        max_retries: How often to try again after the first attempt.
        retry_read_timeouts: Whether to try again where no answer came in time.
    """

    deadline: Deadline
    max_retries: int = 0
    retry_read_timeouts: bool = False

    @property
    def policy(self) -> dict[str, Any]:
        """The same as tenacity's arguments."""
        return {
            "stop": self.should_stop,
            "wait": get_wait,
            "retry": retry_if_exception(self.should_retry),
            "reraise": True,
        }

    def should_retry(self, error: BaseException) -> bool:
        """Tell whether the request may be sent again."""
        if not isinstance(error, SegmindError) or not error.is_retryable:
            return False
        if isinstance(error, SegmindTimeoutError) and error.status_code != REQUEST_TIMEOUT_STATUS:
            return error.phase == "connect" or self.retry_read_timeouts
        return not (isinstance(error, SegmindConnectionError) and error.phase == "read")

    def should_stop(self, state: RetryCallState) -> bool:
        """Tell whether the attempts are used up, or the next one would begin too late."""
        is_too_late = state.upcoming_sleep >= min(self.deadline.remaining, LONGEST_WAIT)
        return is_too_late or state.attempt_number > self.max_retries


def create_retrying(
    patience: Patience,
    on_retry: Callable[[RetryCallState], Any] | None = None,
    acquire: Callable[[], Any] | None = None,
) -> Retrying:
    """Create what tries a call again.

    Args:
        patience: Whether, when and how often.
        on_retry: Told of each further attempt, before the wait.
        acquire: Asks a rate limiter for each further attempt, after the wait; LangChain has
            asked it for the first one.
    """

    def before(state: RetryCallState) -> None:
        if acquire and state.attempt_number > 1:
            with patience.deadline.paused():
                acquire()

    def before_sleep(state: RetryCallState) -> None:
        _log(state, patience.max_retries)
        if on_retry:
            on_retry(state)

    return Retrying(**patience.policy, before=before, before_sleep=before_sleep)


def create_async_retrying(
    patience: Patience,
    on_retry: Callable[[RetryCallState], Awaitable[None]] | None = None,
    acquire: Callable[[], Awaitable[Any]] | None = None,
) -> AsyncRetrying:
    """Create what tries an asynchronous call again; see `create_retrying`."""

    async def before(state: RetryCallState) -> None:
        if acquire and state.attempt_number > 1:
            with patience.deadline.paused():
                await acquire()

    async def before_sleep(state: RetryCallState) -> None:
        _log(state, patience.max_retries)
        if on_retry:
            await on_retry(state)

    return AsyncRetrying(**patience.policy, before=before, before_sleep=before_sleep)


def get_wait(state: RetryCallState) -> float:
    """Get the seconds to wait: what the server asks for, else exponential back-off."""
    error = state.outcome.exception() if state.outcome else None
    told = error.retry_after if isinstance(error, SegmindError) else None
    return back_off(state) if told is None else told


def _log(state: RetryCallState, max_retries: int) -> None:
    wait = state.upcoming_sleep
    logger.log(
        logging.WARNING if wait >= LONG_WAIT else logging.INFO,
        "Attempt %d of %d failed; the next one in %.1f s. %s",
        state.attempt_number,
        1 + max_retries,
        wait,
        state.outcome and state.outcome.exception(),
    )
