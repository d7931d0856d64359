"""Whether a failed request is sent again, and when."""

import pytest
from tenacity import Future, RetryCallState, Retrying

from langchain_segmind._http.deadline import Deadline
from langchain_segmind._http.retries import RetryPolicy, log_retry, may_be_accepted
from langchain_segmind.exceptions import (
    SegmindAPIError,
    SegmindAuthenticationError,
    SegmindConnectionError,
    SegmindContextOverflowError,
    SegmindInsufficientCreditsError,
    SegmindInvalidRequestError,
    SegmindRateLimitError,
    SegmindResponseError,
    SegmindTimeoutError,
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(SegmindAPIError(), True, id="5xx"),
        pytest.param(SegmindRateLimitError(), True, id="429"),
        pytest.param(SegmindTimeoutError(status_code=408), True, id="408"),
        pytest.param(SegmindTimeoutError(phase="connect"), True, id="timeout while connecting"),
        pytest.param(SegmindTimeoutError(phase="send"), False, id="timeout while sending"),
        pytest.param(SegmindTimeoutError(phase="wait"), False, id="timeout while waiting"),
        pytest.param(SegmindTimeoutError(phase="read"), False, id="timeout while reading"),
        pytest.param(SegmindConnectionError(phase="connect"), True, id="refused"),
        pytest.param(SegmindConnectionError(phase="send"), True, id="broken while sending"),
        pytest.param(SegmindConnectionError(phase="wait"), True, id="dropped before an answer"),
        pytest.param(SegmindConnectionError(phase="read"), False, id="dropped within the answer"),
        pytest.param(SegmindResponseError(), False, id="unusable answer"),
        pytest.param(SegmindAuthenticationError(), False, id="401"),
        pytest.param(SegmindInsufficientCreditsError(), False, id="406"),
        pytest.param(SegmindContextOverflowError(), False, id="overflow"),
        pytest.param(ValueError(), False, id="ValueError"),
        pytest.param(KeyboardInterrupt(), False, id="interrupt"),
    ],
)
def test_only_requests_that_were_not_billed_are_retried(error, expected) -> None:
    """Segmind has no idempotency keys, so a second POST can be a second bill."""
    assert RetryPolicy(Deadline()).should_retry(error) is expected


@pytest.mark.parametrize("phase", ["send", "wait", "read"])
def test_retry_read_timeouts_retries_timeouts_only(phase) -> None:
    """The user accepts a second bill for a lost answer."""
    policy = RetryPolicy(Deadline(), retry_read_timeouts=True)
    assert policy.should_retry(SegmindTimeoutError(phase=phase))
    assert not policy.should_retry(SegmindConnectionError(phase="read"))


@pytest.mark.parametrize(
    ("upcoming", "seconds", "expected"),
    [
        pytest.param(59, 60, False, id="before the deadline"),
        pytest.param(61, 60, True, id="after the deadline"),
        pytest.param(300, None, False, id="no deadline"),
        pytest.param(301, None, True, id="more than five minutes"),
        pytest.param(301, 600, True, id="more than five minutes, before the deadline"),
    ],
)
def test_no_attempt_begins_after_the_deadline(upcoming, seconds, expected) -> None:
    """Nor after more than five minutes: the caller can decide to wait for so long."""
    state = RetryCallState(Retrying(), None, (), {})
    state.upcoming_sleep = upcoming
    assert RetryPolicy(Deadline(seconds), max_retries=5).should_stop(state) is expected


def test_max_retries_limits_the_attempts() -> None:
    """To one, and so many more."""
    state = RetryCallState(Retrying(), None, (), {})
    stops = []
    for state.attempt_number in (1, 2, 3):
        stops.append(RetryPolicy(Deadline(), max_retries=2).should_stop(state))
    assert stops == [False, False, True]


def wait_after(attempt: int, error: Exception) -> float:
    """Return the wait after a failed attempt."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    state.outcome = Future.construct(attempt, error, has_exception=True)
    return RetryPolicy(Deadline()).get_wait(state)


@pytest.mark.parametrize(
    ("attempt", "min_wait"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 8), (50, 8)], ids=str
)
def test_the_back_off_doubles_up_to_8_seconds(attempt, min_wait) -> None:
    """Up to 0.5 s of jitter keep many workers apart."""
    waits = {wait_after(attempt, SegmindAPIError()) for _ in range(20)}
    assert min(waits) >= min_wait
    assert max(waits) <= min_wait + 0.5
    assert len(waits) > 1


def test_retry_after_replaces_the_back_off() -> None:
    """Even if it is 0."""
    assert wait_after(3, SegmindRateLimitError(retry_after=0.0)) == 0
    assert wait_after(1, SegmindRateLimitError(retry_after=30)) == 30


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SegmindConnectionError(), False),
        (SegmindConnectionError(phase="connect"), False),
        (SegmindConnectionError(phase="send"), True),
        (SegmindConnectionError(phase="wait"), True),
        (SegmindConnectionError(phase="read"), True),
        (SegmindConnectionError(phase="read", status_code=200), True),
        (SegmindConnectionError(phase="read", status_code=503), True),
        (SegmindTimeoutError(phase="connect"), False),
        (SegmindTimeoutError(phase="wait"), True),
        (SegmindTimeoutError(phase="read"), True),
        (SegmindTimeoutError(status_code=408), True),
        (SegmindResponseError(status_code=200), True),
        (SegmindResponseError(status_code=299), True),
        (SegmindResponseError(status_code=300), False),
        (SegmindInvalidRequestError(status_code=400), False),
        (SegmindAuthenticationError(), False),
        (SegmindRateLimitError(status_code=429), False),
        (SegmindAPIError(status_code=500), False),
        (SegmindAPIError(status_code=502), True),
        (SegmindAPIError(status_code=503), False),
        (SegmindAPIError(status_code=504), True),
        (SegmindAPIError(status_code=520), True),
        (SegmindAPIError(status_code=524), True),
    ],
    ids=lambda value: (
        f"{type(value).__name__} {getattr(value, 'phase', '')}{getattr(value, 'status_code', '')}"
    ),
)
def test_a_job_is_submitted_again_only_where_it_cannot_have_been_accepted(error, expected) -> None:
    """Else it would run, and be billed, twice; a 502 or 504 can be a proxy's."""
    assert may_be_accepted(error) is expected
    policy = RetryPolicy(Deadline(), 2, retry_read_timeouts=True, is_submission=True)
    assert policy.should_retry(error) is (error.is_retryable and not expected)


@pytest.mark.parametrize(
    ("upcoming", "retry_after", "seconds", "level"),
    [
        pytest.param(0.5, None, "0.5", "INFO", id="back-off"),
        pytest.param(5.0, None, "5.0", "WARNING", id="long back-off"),
        pytest.param(0.0, 4.9, "4.9", "INFO", id="rate limiter waits"),
        pytest.param(0.0, 30.0, "30.0", "WARNING", id="rate limiter waits long"),
    ],
)
def test_a_retry_is_logged_and_a_long_wait_is_a_warning(
    caplog, upcoming, retry_after, seconds, level
) -> None:
    """With the error, the attempts and the wait, whoever does the waiting."""
    caplog.set_level("INFO", logger="langchain_segmind")
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number, state.upcoming_sleep = 2, upcoming
    error = SegmindRateLimitError("Slow down.", retry_after=retry_after)
    state.outcome = Future.construct(2, error, has_exception=True)
    log_retry(state, 3)
    message = f"Attempt 2 of 4 failed; the next one in {seconds} s. Slow down."
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [(level, message)]
