"""Fixtures of the gateway's tests: running gateways, and a client that sends them requests."""

import pytest

pytest.importorskip("starlette", reason="the extra `gateway` is not installed")
pytest.importorskip("uvicorn", reason="the extra `gateway` is not installed")

from contextlib import ExitStack

import httpx

from langchain_segmind.gateway import Gateway


@pytest.fixture
def serve():
    """Start gateways with the test's options; they stop after the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Gateway(**options))


@pytest.fixture
def gateway(serve):
    """A gateway that echoes the last message."""
    return serve()


@pytest.fixture
def client():
    """A plain HTTP client."""
    with httpx.Client(verify=False, trust_env=False, timeout=10) as client:  # noqa: S501 - no TLS here
        yield client


@pytest.fixture
def ask(client):
    """Send one user message; other keywords go into the body."""

    def ask(gateway, text="Hello", *, key="SG_local", slug="gpt-4-turbo", headers=None, **body):
        return client.post(
            f"{gateway.base_url}/{slug}",
            json={"messages": [{"role": "user", "content": text}], **body},
            headers={"x-api-key": key, **(headers or {})},
        )

    return ask
