"""A rate limiter is called once for each request that is sent, and for nothing else."""

import pytest
from langchain_core.caches import InMemoryCache

from langchain_segmind import SegmindAPIError
from tests.support.limiters import CountingLimiter

BUSY = {"status": 503, "headers": {"retry-after-ms": "1"}, "body": "busy"}


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def assert_called(limiter: CountingLimiter, caller, times: int) -> None:
    """Check how often the limiter was called, and that a sync caller used its sync method."""
    expected = (times, 0) if caller.runner is None else (0, times)
    assert (limiter.sync_calls, limiter.async_calls) == expected


def test_retries_and_reasks_call_the_limiter(caller, create_model, gateway) -> None:
    """A call that asks the model twice, each time with one retry, sends four requests."""
    gateway.script([BUSY, "I would rather talk.", BUSY, "[add(a=1, b=2)]"])
    limiter = CountingLimiter()
    model = create_model(rate_limiter=limiter).bind_tools([add], tool_choice="any")
    assert caller.invoke(model, "hi").tool_calls
    assert len(gateway.requests) == 4
    assert_called(limiter, caller, 4)


def test_failed_attempts_call_the_limiter(caller, create_model, gateway) -> None:
    """Each attempt counts against the account's limit."""
    gateway.script(lambda request: BUSY)
    limiter = CountingLimiter()
    with pytest.raises(SegmindAPIError):
        caller.invoke(create_model(rate_limiter=limiter, max_retries=3), "hi")
    assert len(gateway.requests) == 4
    assert_called(limiter, caller, 4)


def test_a_cache_hit_does_not_call_the_limiter(caller, create_model, gateway) -> None:
    """No request is sent."""
    limiter = CountingLimiter()
    model = create_model(rate_limiter=limiter, cache=InMemoryCache())
    for _ in range(3):
        assert caller.invoke(model, "hi").text == "hi"
    assert len(gateway.requests) == 1
    assert_called(limiter, caller, 1)


@pytest.mark.parametrize("fields", [{}, {"streaming": True}], ids=["whole", "streaming"])
@pytest.mark.parametrize("method", ["invoke", "stream", "batch"])
def test_every_method_calls_the_limiter_once_per_request(
    caller, create_model, gateway, method, fields
) -> None:
    """LangChain calls it before the first attempt, the model before a retry."""
    gateway.script([BUSY, "ok", "ok", "ok"])
    limiter = CountingLimiter()
    model = create_model(rate_limiter=limiter, **fields)
    getattr(caller, method)(model, ["a", "b", "c"] if method == "batch" else "a")
    assert len(gateway.requests) == (4 if method == "batch" else 2)
    assert_called(limiter, caller, len(gateway.requests))
