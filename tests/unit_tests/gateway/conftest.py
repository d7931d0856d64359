"""Fixtures of the gateway's tests: running gateways, and a client that sends them requests."""

import pytest

pytest.importorskip("starlette", reason="the extra `gateway` is not installed")
pytest.importorskip("uvicorn", reason="the extra `gateway` is not installed")

import json
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
    """A plain HTTP client with the gateway's key."""
    headers = {"x-api-key": "SG_local", "content-type": "application/json"}
    with httpx.Client(verify=False, trust_env=False, timeout=10, headers=headers) as client:  # noqa: S501 - no TLS here
        yield client


@pytest.fixture
def post(client):
    """Send a body: bytes, or a value that becomes JSON."""

    def post(gateway, body, *, slug="gpt-4-turbo", **headers):
        content = body if isinstance(body, bytes) else json.dumps(body)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(f"{gateway.base_url}/{slug}", content=content, headers=headers)

    return post


@pytest.fixture
def ask(post):
    """Send one user message; other keywords go into the body."""

    def ask(gateway, text="Hello", *, key="SG_local", slug="gpt-4-turbo", **body):
        body = {"messages": [{"role": "user", "content": text}], **body}
        return post(gateway, body, slug=slug, x_api_key=key)

    return ask
