"""Whether to try again, and when; the only room that knows tenacity.

A POST that got any part of an answer, or no answer in time, may have been run and billed:
it is never sent again. Segmind knows no idempotency key.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

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
"""Seconds that are waited at most where there is no timeout."""

REQUEST_TIMEOUT_STATUS = 408


def create_retrying(
    max_retries: int,
    longest_wait: float | None,
    on_retry: Callable[[RetryCallState], Any] | None = None,
    acquire: Callable[[], Any] | None = None,
) -> Retrying:
    """Create the patience of one call.

    Args:
        max_retries: How often to try again after the first attempt.
        longest_wait: Seconds; a server that asks for more is not waited for. None: any wait.
        on_retry: Told of each further attempt, before the wait.
        acquire: Asks a rate limiter for each further attempt, after the wait; LangChain has
            asked it for the first one.
    """

    def before(state: RetryCallState) -> None:
        if acquire and state.attempt_number > 1:
            acquire()

    def before_sleep(state: RetryCallState) -> None:
        _log(state, max_retries)
        if on_retry:
            on_retry(state)

    policy = _get_policy(max_retries, longest_wait)
    return Retrying(**policy, before=before, before_sleep=before_sleep)


def create_async_retrying(
    max_retries: int,
    longest_wait: float | None,
    on_retry: Callable[[RetryCallState], Awaitable[None]] | None = None,
    acquire: Callable[[], Awaitable[Any]] | None = None,
) -> AsyncRetrying:
    """Create the patience of one asynchronous call; see `create_retrying`."""

    async def before(state: RetryCallState) -> None:
        if acquire and state.attempt_number > 1:
            await acquire()

    async def before_sleep(state: RetryCallState) -> None:
        _log(state, max_retries)
        if on_retry:
            await on_retry(state)

    policy = _get_policy(max_retries, longest_wait)
    return AsyncRetrying(**policy, before=before, before_sleep=before_sleep)


def should_retry(error: BaseException, longest_wait: float | None = None) -> bool:
    """Tell whether the request may be sent again."""
    if not isinstance(error, SegmindError) or not error.is_retryable:
        return False
    if (error.retry_after or 0) > (LONGEST_WAIT if longest_wait is None else longest_wait):
        return False
    if isinstance(error, SegmindTimeoutError):
        return error.phase == "connect" or error.status_code == REQUEST_TIMEOUT_STATUS
    if isinstance(error, SegmindConnectionError):
        return error.phase != "read"
    return True


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


def _get_policy(max_retries: int, longest_wait: float | None) -> dict[str, Any]:
    return {
        "stop": stop_after_attempt(1 + max_retries),
        "wait": get_wait,
        "retry": retry_if_exception(partial(should_retry, longest_wait=longest_wait)),
        "reraise": True,
    }
