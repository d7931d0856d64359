"""Whether to try again, and when."""

import pytest
from tenacity import Future, RetryCallState, Retrying

from langchain_segmind._http.deadline import Deadline
from langchain_segmind._http.retries import MAX_WAIT_SECONDS, RetryPolicy
from langchain_segmind.exceptions import (
    SegmindAPIError,
    SegmindAuthenticationError,
    SegmindConnectionError,
    SegmindContextOverflowError,
    SegmindInsufficientCreditsError,
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
        pytest.param(SegmindTimeoutError(phase="connect"), True, id="not connected in time"),
        pytest.param(SegmindTimeoutError(phase="send"), False, id="not sent in time"),
        pytest.param(SegmindTimeoutError(phase="wait"), False, id="no answer in time"),
        pytest.param(SegmindTimeoutError(phase="read"), False, id="half an answer in time"),
        pytest.param(SegmindConnectionError(phase="connect"), True, id="refused"),
        pytest.param(SegmindConnectionError(phase="send"), True, id="broken while sending"),
        pytest.param(SegmindConnectionError(phase="wait"), True, id="dropped before an answer"),
        pytest.param(SegmindConnectionError(phase="read"), False, id="dropped inside the answer"),
        pytest.param(SegmindResponseError(), False, id="no answer"),
        pytest.param(SegmindAuthenticationError(), False, id="401"),
        pytest.param(SegmindInsufficientCreditsError(), False, id="406"),
        pytest.param(SegmindContextOverflowError(), False, id="overflow"),
        pytest.param(ValueError(), False, id="the caller's own"),
        pytest.param(KeyboardInterrupt(), False, id="an interrupt"),
    ],
)
def test_only_what_cannot_have_been_billed_is_sent_again(error, expected) -> None:
    """Segmind knows no idempotency key, so that a second POST is a second bill."""
    assert RetryPolicy(Deadline()).should_retry(error) is expected


@pytest.mark.parametrize("phase", ["send", "wait", "read"])
def test_a_timeout_that_may_have_been_billed_is_sent_again_where_that_is_asked_for(phase) -> None:
    """The user knows what a second bill costs, and what a lost answer does."""
    policy = RetryPolicy(Deadline(), retry_read_timeouts=True)
    assert policy.should_retry(SegmindTimeoutError(phase=phase))
    assert not policy.should_retry(SegmindConnectionError(phase="read"))


@pytest.mark.parametrize(
    ("upcoming", "seconds", "expected"),
    [
        pytest.param(59, 60, False, id="shorter than what is left"),
        pytest.param(61, 60, True, id="longer"),
        pytest.param(3600, None, False, id="no deadline"),
        pytest.param(MAX_WAIT_SECONDS + 1, None, True, id="more than a day"),
    ],
)
def test_a_wait_that_is_too_long_is_not_waited_for(upcoming, seconds, expected) -> None:
    """The error comes at once and says how long to wait."""
    state = RetryCallState(Retrying(), None, (), {})
    state.upcoming_sleep = upcoming
    assert RetryPolicy(Deadline(seconds), max_retries=5).should_stop(state) is expected


def test_the_attempts_are_counted() -> None:
    """One, and as many again as is asked for."""
    state = RetryCallState(Retrying(), None, (), {})
    stops = []
    for state.attempt_number in (1, 2, 3):
        stops.append(RetryPolicy(Deadline(), max_retries=2).should_stop(state))
    assert stops == [False, False, True]


def wait_after(attempt: int, error: Exception) -> float:
    """Get the wait after an attempt that failed."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    state.outcome = Future.construct(attempt, error, has_exception=True)
    return RetryPolicy(Deadline()).get_wait(state)


@pytest.mark.parametrize(
    ("attempt", "least"),
    [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 8), (50, 8)],
    ids=str,
)
def test_the_back_off_doubles_up_to_eight_seconds(attempt, least) -> None:
    """Half a second of chance keeps many workers from coming back together."""
    waits = {wait_after(attempt, SegmindAPIError()) for _ in range(20)}
    assert min(waits) >= least
    assert max(waits) <= least + 0.5
    assert len(waits) > 1


def test_the_servers_word_goes_before_the_back_off() -> None:
    """Also where it says not to wait at all."""
    assert wait_after(3, SegmindRateLimitError(retry_after=0.0)) == 0
    assert wait_after(1, SegmindRateLimitError(retry_after=30)) == 30
