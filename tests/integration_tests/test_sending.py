"""What counts as a request, and who waits after a 429."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest

from langchain_segmind import (
    ChatSegmindGPT4Turbo,
    SegmindConnectionError,
    SegmindCreditsCallbackHandler,
    SegmindRateLimitError,
    SegmindTimeoutError,
)
from langchain_segmind._http import pools
from langchain_segmind.rate_limiters import SegmindRateLimiter
from tests.conftest import SECRET, Caller
from tests.support.servers import EchoServer

TOO_MANY = {"status": 429, "body": "slow down"}


@pytest.fixture
def handler() -> SegmindCreditsCallbackHandler:
    """Return a handler to count with."""
    return SegmindCreditsCallbackHandler()


async def test_a_call_cancelled_before_its_request_is_sent_does_not_count(
    handler: SegmindCreditsCallbackHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100 cancelled calls, 2 reached the server: 2 count, and their cost is unknown."""
    monkeypatch.setattr(pools, "MAX_REQUESTS_IN_FLIGHT", 2)
    with EchoServer(latency=None) as server:
        model = ChatSegmindGPT4Turbo(base_url=server.base_url, api_key=SECRET, max_retries=0)
        config = {"callbacks": [handler]}
        tasks = [asyncio.ensure_future(model.ainvoke(str(n), config)) for n in range(100)]
        await asyncio.to_thread(server.wait_for_requests, 2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await model.aclose()
    assert handler.total.calls == 2
    assert handler.total.is_cost_estimated


def test_a_refused_connection_does_not_count(
    caller: Caller, handler: SegmindCreditsCallbackHandler
) -> None:
    """Nothing was sent, by none of the attempts."""
    model = caller.connect("http://127.0.0.1:9/v1", max_retries=1)
    with pytest.raises(SegmindConnectionError, match=r"http://127\.0\.0\.1:9 .*\(2 attempts in"):
        caller.invoke(model, "hi", {"callbacks": [handler]})
    assert (handler.total.calls, handler.total.retried_requests) == (0, 0)
    assert not handler.total.is_cost_estimated


def test_each_request_of_a_call_counts_once(
    caller: Caller, create_model: Any, gateway: Any, handler: SegmindCreditsCallbackHandler
) -> None:
    """A retry is a request, but no call."""
    gateway.script([{"status": 503, "body": "", "headers": {"retry-after": "0"}}, "ok"])
    caller.invoke(create_model(), "hi", {"callbacks": [handler]})
    assert (handler.total.calls, handler.total.retried_requests) == (1, 1)


def test_a_call_through_a_mocked_transport_counts(
    caller: Caller, handler: SegmindCreditsCallbackHandler
) -> None:
    """A mock that does not read the body counts by its response."""
    body = {"choices": [{"message": {"content": "ok"}}]}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    model = caller.connect(
        "http://models.test/v1",
        http_client=httpx.Client(transport=transport),
        http_async_client=httpx.AsyncClient(transport=transport),
    )
    assert caller.invoke(model, "hi", {"callbacks": [handler]}).text == "ok"
    assert handler.total.calls == 1


def test_a_limiter_waits_after_a_429_outside_the_timeout(
    caller: Caller, create_model: Any, gateway: Any
) -> None:
    """The wait is longer than the timeout, and the call succeeds."""
    gateway.script([{**TOO_MANY, "headers": {"retry-after-ms": "600"}}, "ok"])
    model = create_model(timeout=0.5, rate_limiter=SegmindRateLimiter(100))
    assert caller.invoke(model, "hi").text == "ok"


def test_without_a_limiter_a_429_beyond_the_timeout_fails_at_once(
    caller: Caller, create_model: Any, gateway: Any
) -> None:
    """The error says how long to wait."""
    gateway.script([{**TOO_MANY, "headers": {"retry-after": "30"}}, "never"])
    with pytest.raises(SegmindRateLimitError) as caught:
        caller.invoke(create_model(timeout=10), "hi")
    assert caught.value.retry_after == 30
    assert len(gateway.requests) == 1


def test_a_429_that_asks_for_more_than_five_minutes_fails_at_once(
    caller: Caller, create_model: Any, gateway: Any
) -> None:
    """A limiter holds callers for minutes, not for a day."""
    gateway.script([{**TOO_MANY, "headers": {"retry-after": "86000"}}, "never"])
    model = create_model(timeout=10, rate_limiter=SegmindRateLimiter(100))
    with pytest.raises(SegmindRateLimitError):
        caller.invoke(model, "hi")
    assert len(gateway.requests) == 1


def test_a_call_whose_deadline_has_passed_is_not_sent(gateway: Any) -> None:
    """Also where something blocked the event loop meanwhile, such as a slow key source."""

    def read_slowly() -> str:
        time.sleep(0.3)
        return SECRET

    model = ChatSegmindGPT4Turbo(
        base_url=gateway.base_url, api_key=read_slowly, timeout=0.1, max_retries=0
    )
    with pytest.raises(SegmindTimeoutError) as sync:
        model.invoke("hi")
    with pytest.raises(SegmindTimeoutError) as async_:
        asyncio.run(model.ainvoke("hi"))
    assert (sync.value.phase, async_.value.phase) == ("connect", "connect")
    assert gateway.requests == []


def test_tools_that_patch_httpx_see_every_call(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pytest-httpx and OpenTelemetry do: no request leaves unseen."""
    body = {"choices": [{"message": {"content": "mocked"}}]}

    def answer(_: httpx.HTTPTransport, __: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(body).encode()))

    async def aanswer(_: httpx.AsyncHTTPTransport, __: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(body).encode()))

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", answer)
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", aanswer)
    model = caller.connect("http://127.0.0.1:9/v1", max_retries=0)
    assert caller.invoke(model, "hi").text == "mocked"
