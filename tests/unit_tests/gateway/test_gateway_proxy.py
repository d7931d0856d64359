"""The proxy backend in front of an OpenAI-compatible server on loopback."""

import json
import socket

import pytest

from langchain_segmind.gateway.__main__ import main
from tests.support.raw_server import RawServer, answer

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "llama3.2",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "length"}
    ],
    "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
}


@pytest.fixture
def upstream():
    """A server that gives all requests a completion."""
    with RawServer([answer(json.dumps(COMPLETION).encode())]) as server:
        yield server


def test_requests_are_forwarded(serve, ask, upstream):
    """The model sees the parameters but no tools; its usage is charged."""
    gateway = serve(upstream=f"{upstream.get_url()}/", extra_body_keys=["top_k"])
    response = ask(gateway, "Hey", temperature=0, tools=[{}], stream=True, top_k=3)
    body = response.json()

    (request,) = upstream.requests
    assert request.head.startswith(b"POST /v1/chat/completions ")
    assert b"authorization" not in request.head.lower()
    sent = {"model": "gpt-4-turbo", "temperature": 0, "top_k": 3}
    sent["messages"] = [{"role": "user", "content": "Hey"}]
    assert json.loads(request.body) == sent
    assert body["choices"] == COMPLETION["choices"]
    assert (body["model"], body["usage"]) == ("llama3.2", COMPLETION["usage"])
    assert response.headers["x-cost"] == "0.000260"


def test_upstream_model_and_key_are_sent(monkeypatch, ask, upstream):
    """The key can come from the environment; the upstream's URL selects the proxy."""
    monkeypatch.setenv("UPSTREAM_API_KEY", "fake-key\n")
    assert main(["--upstream", upstream.get_url(), "--upstream-model", "m"], until=ask) == 0

    (request,) = upstream.requests
    assert b"\r\nauthorization: bearer fake-key\r\n" in request.head.lower()
    assert json.loads(request.body)["model"] == "m"


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        pytest.param("404", b"no model", "upstream server answered 404: no model", id="status"),
        pytest.param("401", b"wrong key fake-key", "wrong key ***", id="echoed-key"),
        pytest.param("503", b"x" * 999, "x" * 100, id="long"),
        pytest.param("200", b"hm", "sent no chat completion", id="not-json"),
        pytest.param("200", b"[]", "sent no chat completion", id="array"),
        pytest.param("200", b'{"choices": []}', "sent no chat completion", id="no-choices"),
        pytest.param("200", b'{"choices": [{"message": 3}]}', "no chat completion", id="message"),
    ],
)
def test_upstream_failures_are_500(serve, ask, caplog, *, status, body, text):
    """The error gives the reason without the key, and nothing is charged."""
    with RawServer([answer(body, status=f"{status} -")]) as upstream:
        gateway = serve(upstream=upstream.get_url(), upstream_api_key="fake-key")
        response = ask(gateway)

    assert response.status_code == 500
    assert text in response.json()["error"]
    assert len(response.json()["error"]) <= 200
    assert "fake-key" not in response.text + caplog.text
    assert gateway.credits() == 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{closed}/v1", "https://127.0.0.1:{closed}", "http://["]
)
def test_unreachable_upstream_is_500(serve, ask, url):
    """The error says that the upstream server failed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    response = ask(serve(backend="proxy", upstream=url.format(closed=closed)))

    assert response.status_code == 500
    assert "The upstream server failed" in response.json()["error"]
