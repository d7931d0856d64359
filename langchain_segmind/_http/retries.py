"""Whether to send a request again, and when.

A POST whose response began may have run and been billed: once the headers have arrived, it is
never sent again. Nor is one that timed out, unless `retry_read_timeouts` is set. Segmind has no
idempotency keys.
"""

import logging
from dataclasses import dataclass
from typing import Any

from tenacity import RetryCallState, retry_if_exception, wait_exponential, wait_random

from langchain_segmind._http.deadline import Deadline
from langchain_segmind.exceptions import (
    SegmindConnectionError,
    SegmindError,
    SegmindRateLimitError,
    SegmindTimeoutError,
)

logger = logging.getLogger(__name__)

back_off = wait_exponential(multiplier=0.5, max=8) + wait_random(0, 0.5)
"""Seconds to wait where the server does not say: 0.5, 1, 2, 4, 8, 8, ... plus up to 0.5."""

LONG_WAIT_SECONDS = 5.0
"""Waits from here on are logged as warnings."""

MAX_WAIT_SECONDS = 86_400.0
"""The longest wait without a deadline."""

MAX_LIMITER_WAIT_SECONDS = 300.0
"""The longest `retry-after` that is left to the rate limiter: limits are per minute."""

REQUEST_TIMEOUT_STATUS = 408


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed request is sent again.

    Attributes:
        deadline: The call's deadline; waits between attempts count.
        max_retries: How many attempts may follow the first one.
        retry_read_timeouts: Whether a request that timed out is sent again.
        has_holding_limiter: Whether a rate limiter makes all callers wait after a 429.
    """

    deadline: Deadline
    max_retries: int = 0
    retry_read_timeouts: bool = False
    has_holding_limiter: bool = False

    @property
    def tenacity_options(self) -> dict[str, Any]:
        """The policy as tenacity's arguments."""
        return {
            "stop": self.should_stop,
            "wait": self.get_wait,
            "retry": retry_if_exception(self.should_retry),
            "reraise": True,
        }

    def should_retry(self, error: BaseException) -> bool:
        """Whether the request may be sent again after an error."""
        if not isinstance(error, SegmindError) or not error.is_retryable:
            return False
        if isinstance(error, SegmindTimeoutError) and error.status_code != REQUEST_TIMEOUT_STATUS:
            return error.phase == "connect" or self.retry_read_timeouts
        return not (isinstance(error, SegmindConnectionError) and error.phase == "read")

    def should_stop(self, state: RetryCallState) -> bool:
        """Whether no attempt is left, or the next one would begin after the deadline."""
        is_too_late = state.upcoming_sleep >= min(self.deadline.remaining, MAX_WAIT_SECONDS)
        return is_too_late or state.attempt_number > self.max_retries

    def get_wait(self, state: RetryCallState) -> float:
        """Return the seconds to wait: the server's `retry-after`, else exponential back-off.

        After a 429, a rate limiter that holds all callers does the waiting, which does not count
        towards the deadline.
        """
        error = state.outcome.exception() if state.outcome else None
        wait = error.retry_after if isinstance(error, SegmindError) else None
        if wait is None:
            return back_off(state)
        is_held = self.has_holding_limiter and isinstance(error, SegmindRateLimitError)
        return 0.0 if is_held and wait <= MAX_LIMITER_WAIT_SECONDS else wait


def log_retry(state: RetryCallState, max_retries: int) -> None:
    """Log that an attempt failed and when the next one follows."""
    wait = state.upcoming_sleep
    logger.log(
        logging.WARNING if wait >= LONG_WAIT_SECONDS else logging.INFO,
        "Attempt %d of %d failed; the next one in %.1f s. %s",
        state.attempt_number,
        1 + max_retries,
        wait,
        state.outcome and state.outcome.exception(),
    )
