"""Whether to send a request again, and when.

A POST whose response breaks off in its body may have run and been billed: it is never sent again.
One that times out after it was sent, in its body or before, is sent again only with
`retry_read_timeouts`. Segmind has no idempotency keys.

tenacity is imported at the first failure: most calls need no retry.
"""

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any

from langchain_segmind._api.endpoint import MAX_HOLD_SECONDS, APIResponse
from langchain_segmind._http.deadline import Deadline
from langchain_segmind.exceptions import (
    SegmindConnectionError,
    SegmindError,
    SegmindRateLimitError,
    SegmindTimeoutError,
)

if TYPE_CHECKING:
    from tenacity import RetryCallState

logger = logging.getLogger(__name__)

MAX_BACK_OFF_SECONDS = 8.0

LONG_WAIT_SECONDS = 5.0
"""Waits from here on are logged as warnings."""

REQUEST_TIMEOUT_STATUS = 408


def may_be_accepted(error: SegmindError) -> bool:
    """Whether a server may have accepted the request that failed with this error.

    A 500 or 503 is its own answer; another 5xx can be that of a proxy which lost it. A success is
    an error only if its body cannot be read.
    """
    if error.phase is not None:
        return error.phase != "connect"
    status = error.status_code
    if status is None:
        return False
    is_success = status < HTTPStatus.MULTIPLE_CHOICES
    is_lost = status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.BAD_GATEWAY}
    return is_success or is_lost or status > HTTPStatus.SERVICE_UNAVAILABLE


def back_off(state: "RetryCallState") -> float:
    """Return the seconds to wait by default: 0.5, 1, 2, 4, 8, 8, ... plus up to 0.5."""
    seconds: float = min(0.5 * 2 ** min(state.attempt_number - 1, 10), MAX_BACK_OFF_SECONDS)
    return seconds + random.uniform(0, 0.5)  # noqa: S311 - not a secret


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed request is sent again.

    Attributes:
        deadline: The call's deadline; waits between attempts count.
        max_retries: How many attempts may follow the first one.
        retry_read_timeouts: Whether a request that timed out is sent again.
        has_holding_limiter: Whether a rate limiter makes all callers wait after a 429.
        is_submission: Whether the request submits a job, which is sent again only where it cannot
            have been accepted.
    """

    deadline: Deadline
    max_retries: int = 0
    retry_read_timeouts: bool = False
    has_holding_limiter: bool = False
    is_submission: bool = False

    @property
    def tenacity_options(self) -> dict[str, Any]:
        """The policy as tenacity's arguments."""
        return {
            "stop": self.should_stop,
            "wait": self.get_wait,
            "retry": self._should_retry_attempt,
            "reraise": True,
        }

    def _should_retry_attempt(self, state: "RetryCallState") -> bool:
        error = state.outcome.exception() if state.outcome else None
        return error is not None and self.should_retry(error)

    def should_retry(self, error: BaseException) -> bool:
        """Whether the request may be sent again after an error."""
        if not isinstance(error, SegmindError) or not error.is_retryable:
            return False
        if self.is_submission:
            return not may_be_accepted(error)
        if isinstance(error, SegmindTimeoutError) and error.status_code != REQUEST_TIMEOUT_STATUS:
            return error.phase == "connect" or self.retry_read_timeouts
        return not (isinstance(error, SegmindConnectionError) and error.phase == "read")

    def should_stop(self, state: "RetryCallState") -> bool:
        """Whether no attempt is left, or the next one would begin too late."""
        wait = state.upcoming_sleep
        is_too_late = wait >= self.deadline.remaining or wait > MAX_HOLD_SECONDS
        return is_too_late or state.attempt_number > self.max_retries

    def get_wait(self, state: "RetryCallState") -> float:
        """Return the seconds to wait: the server's `retry-after`, else exponential back-off.

        After a 429, a rate limiter that holds all callers does the waiting, which does not count
        towards the deadline.
        """
        error = state.outcome.exception() if state.outcome else None
        wait = error.retry_after if isinstance(error, SegmindError) else None
        if wait is None:
            return back_off(state)
        is_held = self.has_holding_limiter and isinstance(error, SegmindRateLimitError)
        return 0.0 if is_held and wait <= MAX_HOLD_SECONDS else wait


def log_retry(state: "RetryCallState", max_retries: int) -> None:
    """Log that an attempt failed and when the next one follows."""
    error = state.outcome.exception() if state.outcome else None
    # Where the rate limiter waits, tenacity does not.
    wait = max(state.upcoming_sleep, getattr(error, "retry_after", None) or 0.0)
    logger.log(
        logging.WARNING if wait >= LONG_WAIT_SECONDS else logging.INFO,
        "Attempt %d of %d failed; the next one in %.1f s. %s",
        state.attempt_number,
        1 + max_retries,
        wait,
        error,
    )


def retry(
    attempt: Callable[[], APIResponse],
    failure: SegmindError,
    start: float,
    policy: RetryPolicy,
    before_sleep: Callable[["RetryCallState"], None],
    *,
    sleep: Callable[[float], None],
) -> APIResponse:
    """Make further attempts after the first one failed, as far as the policy allows.

    Args:
        attempt: Makes an attempt.
        failure: The error of the first attempt.
        start: When that began, in seconds of `time.monotonic`.
        policy: When to retry.
        before_sleep: Called before each wait.
        sleep: Waits for a number of seconds; an exception that it raises ends the call.

    Raises:
        SegmindError: The error of the last attempt.
    """
    from tenacity import Retrying  # noqa: PLC0415 - see above

    failures = [failure]

    def replay() -> APIResponse:
        if failures:
            raise failures.pop()
        return attempt()

    retrying = Retrying(**policy.tenacity_options, before_sleep=before_sleep, sleep=sleep)
    try:
        return retrying(replay)
    except SegmindError as error:
        describe_attempts(error, retrying.statistics, monotonic() - start)
        raise


async def aretry(
    attempt: Callable[[], Awaitable[APIResponse]],
    failure: SegmindError,
    start: float,
    policy: RetryPolicy,
    before_sleep: Callable[["RetryCallState"], Awaitable[None]],
    *,
    sleep: Callable[[float], Awaitable[None]],
) -> APIResponse:
    """Make further attempts after the first one failed; see `retry`."""
    from tenacity import AsyncRetrying  # noqa: PLC0415 - see above

    failures = [failure]

    async def replay() -> APIResponse:
        if failures:
            raise failures.pop()
        return await attempt()

    retrying = AsyncRetrying(**policy.tenacity_options, before_sleep=before_sleep, sleep=sleep)
    try:
        return await retrying(replay)
    except SegmindError as error:
        describe_attempts(error, retrying.statistics, monotonic() - start)
        raise


def describe_attempts(error: SegmindError, statistics: dict[str, Any], seconds: float) -> None:
    """Add to an error how many attempts were made, if there were several."""
    attempts = statistics.get("attempt_number", 1)
    if attempts > 1 and error.args:
        error.args = (f"{error} ({attempts} attempts in {seconds:.1f} s.)",)
