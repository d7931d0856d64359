"""A rate limiter is asked once for each request that goes out, and for nothing else."""

import asyncio

import pytest
from langchain_core.caches import InMemoryCache

from langchain_segmind import SegmindAPIError
from tests.support.limiters import CountingLimiter

BUSY = {"status": 503, "headers": {"retry-after-ms": "1"}, "body": "busy"}


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def assert_asked(limiter: CountingLimiter, caller, times: int) -> None:
    """Check how often it was asked, and that it was by the caller's own path."""
    expected = (times, 0) if caller.runner is None else (0, times)
    assert (limiter.sync_calls, limiter.async_calls) == expected


def test_retries_and_repairs_are_asked_for(caller, create_model, gateway) -> None:
    """One call of two questions, each of which fails once, is four requests."""
    gateway.script([BUSY, "I would rather talk.", BUSY, "[add(a=1, b=2)]"])
    limiter = CountingLimiter()
    model = create_model(rate_limiter=limiter).bind_tools([add], tool_choice="any")
    assert caller.invoke(model, "hi").tool_calls
    assert len(gateway.requests) == 4
    assert_asked(limiter, caller, 4)


def test_failed_calls_are_asked_for(caller, create_model, gateway) -> None:
    """Each attempt counts against the account, whatever comes of it."""
    gateway.script(lambda request: BUSY)
    limiter = CountingLimiter()
    with pytest.raises(SegmindAPIError):
        caller.invoke(create_model(rate_limiter=limiter, max_retries=3), "hi")
    assert len(gateway.requests) == 4
    assert_asked(limiter, caller, 4)


def test_a_cache_hit_is_not_asked_for(caller, create_model, gateway) -> None:
    """Nothing goes out."""
    limiter = CountingLimiter()
    model = create_model(rate_limiter=limiter, cache=InMemoryCache())
    for _ in range(3):
        assert caller.invoke(model, "hi").text == "hi"
    assert len(gateway.requests) == 1
    assert_asked(limiter, caller, 1)


@pytest.mark.parametrize("fields", [{}, {"streaming": True}], ids=["whole", "streaming"])
@pytest.mark.parametrize("method", ["invoke", "stream", "batch"])
def test_every_way_to_call_asks_once_a_request(
    caller, create_model, gateway, method, fields
) -> None:
    """The first attempt is LangChain's to ask for, the second one ours."""
    gateway.script([BUSY, "ok", "ok", "ok"])
    limiter = CountingLimiter()
    model = create_model(rate_limiter=limiter, **fields)
    getattr(caller, method)(model, ["a", "b", "c"] if method == "batch" else "a")
    assert len(gateway.requests) == (4 if method == "batch" else 2)
    assert_asked(limiter, caller, len(gateway.requests))


def test_the_libraries_behind_ask_alike(create_model, gateway) -> None:
    """Each with retries."""
    gateway.script([BUSY, BUSY, "ok"])
    limiter = CountingLimiter()
    model = create_model(rate_limiter=limiter)
    asyncio.run(model.ainvoke("hi"))
    assert (limiter.sync_calls, limiter.async_calls) == (0, len(gateway.requests)) == (0, 3)
