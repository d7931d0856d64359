"""Fixtures of all tests: a gateway on loopback, models that call it, sync and async callers."""

import asyncio
import contextvars
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from langchain_segmind import ChatSegmind, ChatSegmindGPT4Turbo
from langchain_segmind.data._profiles import APIFormat, find_model
from langchain_segmind.gateway import Gateway

GPT_4_TURBO = "gpt-4-turbo"

SECRET = "fake-key-for-tests"
"""The API key of all tests; it may appear in the request's header only."""

LIVE = os.environ.get("LIVE") == "1"
"""Whether to run LangChain's standard tests against Segmind itself (`make test_live`)."""


def pytest_configure() -> None:
    """Take Ctrl+C where the shell ignores it, as after `nohup make test &`: tests send it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the developer's settings and any real key from the tests."""
    for name in () if LIVE else ("SEGMIND_API_KEY", "SEGMIND_API_BASE", "LC_OUTPUT_VERSION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def running_gateway() -> Iterator[Gateway]:
    """Run one strict gateway for all tests: it rejects any request that breaks the contract."""
    body_keys = ["min_p", "top_k"]
    with Gateway(
        api_key=SECRET,
        credits=1_000,
        strict=True,
        extra_body_keys=body_keys,
        keep_alive=600,  # tests of closed connections have servers of their own
    ) as gateway:
        yield gateway


@pytest.fixture
def gateway(running_gateway: Gateway) -> Gateway:
    """Return the gateway with a full balance, an empty script and no recorded requests."""
    running_gateway.reset()
    return running_gateway


@pytest.fixture
def slug() -> str:
    """Return the model's slug; tests marked `every_format` replace it by one of each format."""
    return GPT_4_TURBO


@pytest.fixture
def api_format(slug: str) -> APIFormat:
    """Return the JSON format of the model."""
    return find_model(slug).api_format


@pytest.fixture
def create_model(gateway: Gateway, slug: str) -> Callable[..., ChatSegmind]:
    """Return a function that creates models for the gateway."""

    def create(**fields: Any) -> ChatSegmind:
        fields = {"base_url": gateway.base_url, "api_key": SECRET, **fields}
        if slug == GPT_4_TURBO:
            return ChatSegmindGPT4Turbo(**fields)
        return ChatSegmind(**{"model": slug, **fields})

    return create


@dataclass
class Caller:
    """Calls a model's synchronous methods, or their asynchronous versions on one event loop."""

    runner: asyncio.Runner | None

    def connect(self, base_url: str, **fields: Any) -> ChatSegmindGPT4Turbo:
        """Create a model for another server than the gateway."""
        return ChatSegmindGPT4Turbo(**{"base_url": base_url, "api_key": SECRET, **fields})

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a function that calls the method of this synchronous name."""

        def call(target: Any, *args: Any, **kwargs: Any) -> Any:
            if self.runner is None:
                result = getattr(target, name)(*args, **kwargs)
                return list(result) if hasattr(result, "__next__") else result
            method = name.replace("get_", "aget_") if name.startswith("get_") else f"a{name}"
            result = getattr(target, method)(*args, **kwargs)
            return self.runner.run(_finish(result), context=contextvars.copy_context())

        return call


@contextmanager
def own_client(caller: Caller, **options: Any) -> Iterator[dict[str, Any]]:
    """Yield a model's field with a client of the user's own."""
    if caller.runner is None:
        with httpx.Client(**options) as client:
            yield {"http_client": client}
        return
    async_client = httpx.AsyncClient(**options)
    try:
        yield {"http_async_client": async_client}
    finally:
        caller.runner.run(async_client.aclose())


async def _finish(result: Any) -> Any:
    if hasattr(result, "__aiter__"):
        return [item async for item in result]
    return await result


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    """Run a test twice: synchronously and asynchronously."""
    if request.param == "sync":
        yield Caller(None)
        return
    with asyncio.Runner() as runner:
        yield Caller(runner)


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project's folder."""
    return Path(__file__).parent.parent
