"""What all tests share: a gateway on loopback, models that talk to it, and both ways to call."""

import asyncio
import contextvars
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from langchain_segmind import ChatSegmindGPT4Turbo
from langchain_segmind.gateway import Gateway

SECRET = "fake-key-for-tests"
"""The key of every test; it must turn up nowhere but in the request's header."""

LIVE = os.environ.get("LIVE") == "1"
"""Whether to run LangChain's standard tests against Segmind itself (`make test_live`)."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings, and any real key, out of the tests."""
    for name in () if LIVE else ("SEGMIND_API_KEY", "SEGMIND_API_BASE", "LC_OUTPUT_VERSION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def running_gateway() -> Iterator[Gateway]:
    """Run one strict gateway for all tests: it refuses whatever is off contract."""
    body_keys = ["presence_penalty", "frequency_penalty"]
    with Gateway(
        api_key=SECRET,
        credits=1_000,
        strict=True,
        extra_body_keys=body_keys,
        keep_alive=600,  # a connection that ends as it is used is for the tests of that alone
    ) as gateway:
        yield gateway


@pytest.fixture
def gateway(running_gateway: Gateway) -> Gateway:
    """Give a gateway with a full balance, an empty script and no memory."""
    running_gateway.reset()
    return running_gateway


@pytest.fixture
def create_model(gateway: Gateway) -> Callable[..., ChatSegmindGPT4Turbo]:
    """Create models that talk to the gateway."""

    def create(**fields: Any) -> ChatSegmindGPT4Turbo:
        return ChatSegmindGPT4Turbo(**{"base_url": gateway.base_url, "api_key": SECRET, **fields})

    return create


@dataclass
class Caller:
    """Calls a model's synchronous methods, or their asynchronous twins on one event loop."""

    runner: asyncio.Runner | None

    def connect(self, base_url: str, **fields: Any) -> ChatSegmindGPT4Turbo:
        """Create a model for a server of the test's own."""
        return ChatSegmindGPT4Turbo(**{"base_url": base_url, "api_key": SECRET, **fields})

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Find the way to call a method by its synchronous name."""

        def call(target: Any, *args: Any, **kwargs: Any) -> Any:
            if self.runner is None:
                result = getattr(target, name)(*args, **kwargs)
                return list(result) if hasattr(result, "__next__") else result
            twin = name.replace("get_", "aget_") if name.startswith("get_") else f"a{name}"
            result = getattr(target, twin)(*args, **kwargs)
            return self.runner.run(_finish(result), context=contextvars.copy_context())

        return call


async def _finish(result: Any) -> Any:
    if hasattr(result, "__aiter__"):
        return [item async for item in result]
    return await result


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    """Run a test twice from one definition: synchronously and asynchronously."""
    if request.param == "sync":
        yield Caller(None)
        return
    with asyncio.Runner() as runner:
        yield Caller(runner)


@pytest.fixture(scope="session")
def root() -> Path:
    """Give the project's folder."""
    return Path(__file__).parent.parent
