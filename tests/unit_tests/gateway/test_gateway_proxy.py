"""The proxy backend in front of an OpenAI-compatible server on loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "llama3.2",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "length"}
    ],
    "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
}


class Upstream:
    """A server that records requests and gives all of them the same response."""

    def __init__(self):
        self.status, self.body, self.seen = 200, json.dumps(COMPLETION), []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
                upstream.seen.append((self.path, self.headers.get("authorization"), sent))
                self.send_response(upstream.status)
                self.end_headers()
                self.wfile.write(upstream.body.encode())

            def log_message(self, *_args):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture
def upstream(monkeypatch):
    """A running upstream server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    upstream = Upstream()
    thread = threading.Thread(target=upstream.server.serve_forever, args=(0.01,))
    thread.start()
    yield upstream
    upstream.server.shutdown()
    thread.join()
    upstream.server.server_close()


def test_requests_are_forwarded(serve, ask, upstream):
    """The model sees the parameters but no tools; its usage is charged."""
    gateway = serve(upstream=f"{upstream.url}/", extra_body_keys=["response_format"])
    response = ask(gateway, "Hey", temperature=0, tools=[{}], stream=True, response_format={})
    body = response.json()

    assert upstream.seen == [
        (
            "/v1/chat/completions",
            None,
            {
                "model": "gpt-4-turbo",
                "messages": [{"role": "user", "content": "Hey"}],
                "temperature": 0,
                "response_format": {},
            },
        )
    ]
    assert body["choices"][0]["message"]["content"] == "Hi"
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["model"] == "llama3.2"
    assert body["usage"] == COMPLETION["usage"]
    assert response.headers["x-cost"] == "0.000260"


def test_upstream_model_and_key_are_sent(serve, ask, upstream):
    """The model replaces the slug, and the key is a bearer token."""
    gateway = serve(upstream=upstream.url, upstream_model="llama3.2", upstream_api_key="fake-key")
    ask(gateway)

    path, authorization, sent = upstream.seen[0]
    assert (path, authorization) == ("/v1/chat/completions", "Bearer fake-key")
    assert sent["model"] == "llama3.2"


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        pytest.param(404, "no model", "upstream server answered 404: no model", id="status"),
        pytest.param(401, "wrong key fake-key", "wrong key ***", id="echoed-key"),
        pytest.param(503, "x" * 999, "x" * 100, id="long"),
        pytest.param(200, "hm", "sent no chat completion", id="not-json"),
        pytest.param(200, "[]", "sent no chat completion", id="array"),
        pytest.param(200, '{"choices": []}', "sent no chat completion", id="no-choices"),
        pytest.param(200, '{"choices": [{"message": 3}]}', "no chat completion", id="message"),
    ],
)
def test_upstream_failures_are_500(serve, ask, upstream, caplog, *, status, body, text):
    """The error gives the reason without the key, and nothing is charged."""
    upstream.status, upstream.body = status, body
    gateway = serve(upstream=upstream.url, upstream_api_key="fake-key")
    response = ask(gateway)

    assert response.status_code == 500
    assert text in response.json()["error"]
    assert len(response.json()["error"]) <= 200
    assert "fake-key" not in response.text + caplog.text
    assert gateway.credits() == 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{closed}/v1", "https://127.0.0.1:{closed}", "http://["]
)
def test_unreachable_upstream_is_500(serve, ask, upstream, url):
    """The error says that the upstream server failed."""
    closed = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    closed.server_close()
    gateway = serve(backend="proxy", upstream=url.format(closed=closed.server_port))
    response = ask(gateway)

    assert response.status_code == 500
    assert "The upstream server failed" in response.json()["error"]
