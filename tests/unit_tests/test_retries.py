"""Whether to try again, and when."""

import pytest
from tenacity import Future, RetryCallState, Retrying

from langchain_segmind._retries import LONGEST_WAIT, get_wait, should_retry
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
    assert should_retry(error) is expected


@pytest.mark.parametrize(
    ("asked", "longest", "expected"),
    [
        pytest.param(60, 60, True, id="as long as the timeout"),
        pytest.param(61, 60, False, id="longer"),
        pytest.param(3600, None, True, id="no timeout"),
        pytest.param(LONGEST_WAIT + 1, None, False, id="more than a day"),
    ],
)
def test_a_wait_that_is_too_long_is_not_waited_for(asked, longest, expected) -> None:
    """The error comes at once and says how long to wait."""
    assert should_retry(SegmindRateLimitError(retry_after=asked), longest) is expected


def wait_after(attempt: int, error: Exception) -> float:
    """Get the wait after an attempt that failed."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    state.outcome = Future.construct(attempt, error, has_exception=True)
    return get_wait(state)


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
