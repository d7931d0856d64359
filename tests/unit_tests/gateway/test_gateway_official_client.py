"""Segmind's own client works against the gateway as it does against the service.

`accounts.current()` is not tested, because the client hardcodes another host for it
(https://cloud.segmind.com). The credits are read with the client's `_request` instead.
"""

import pytest

segmind = pytest.importorskip("segmind", reason="Segmind's own client is not installed")

MESSAGES = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def connect():
    """Create clients of Segmind's that are closed after the test."""
    clients = []

    def connect(gateway, api_key="SG_local"):
        clients.append(segmind.SegmindClient(api_key=api_key, base_url=gateway.base_url))
        return clients[-1]

    yield connect
    for client in clients:
        client._client.close()


def test_client_reads_a_completion(serve, connect):
    """The client finds the text, usage and finish reason."""
    client = connect(serve(replies=[{"content": "Hi!", "finish_reason": "length"}, '{"a": 1}']))
    response = client.chat_sync("gpt-4-turbo", messages=MESSAGES, temperature=0)

    assert response.text == "Hi!"
    assert response.finish_reason == "length"
    assert response.usage == {"prompt_tokens": 6, "completion_tokens": 1, "total_tokens": 7}
    assert response.tool_calls == []
    assert client.chat_sync("gpt-4-turbo", messages=MESSAGES).json() == {"a": 1}


def test_prompt_shorthand_is_answered(gateway, connect):
    """The client can send `prompt` instead of messages."""
    assert connect(gateway).chat_sync("gpt-4-turbo", prompt="Polly").text == "Polly"


def test_client_reads_the_credits(gateway, connect):
    """The balance is at the path that Segmind documents."""
    response = connect(gateway)._request("GET", "/get-user-credits")
    assert response.json() == {"credits": 1.0, "free-credits": 0.0}


@pytest.mark.parametrize(
    ("status", "options", "call", "detail"),
    [
        pytest.param(400, {}, {"messages": []}, "at least one message", id="400"),
        pytest.param(401, {"api_key": "other"}, {}, "API key is invalid", id="401"),
        pytest.param(404, {"fault": "404"}, {}, "Model not found", id="404"),
        pytest.param(405, {}, {"slug": "get-user-credits"}, None, id="405"),
        pytest.param(406, {"credits": 0}, {}, "Insufficient credits", id="406"),
        pytest.param(429, {"fault": "429"}, {}, "Rate limit exceeded", id="429"),
        pytest.param(500, {"replies": []}, {}, "script has run out", id="500"),
        pytest.param(503, {"fault": "503"}, {}, None, id="503"),
    ],
)
def test_client_reads_errors(serve, connect, *, status, options, call, detail):
    """The client raises its own error, with the status and the text."""
    client = connect(serve(**options))
    with pytest.raises(segmind.SegmindError) as caught:
        client.chat_sync(call.pop("slug", "gpt-4-turbo"), **{"messages": MESSAGES, **call})

    assert caught.value.status == status
    assert (caught.value.detail is None) == (detail is None)
    assert (detail or "") in (caught.value.detail or "")


def test_missing_key_names_the_headers(gateway, connect, monkeypatch):
    """Without a key, the client's error says which headers are missing."""
    monkeypatch.delenv("SEGMIND_API_KEY", raising=False)
    with pytest.raises(segmind.SegmindError) as caught:
        connect(gateway, api_key=None).chat_sync("gpt-4-turbo", messages=MESSAGES)
    assert caught.value.detail == "Missing Authorization or x-api-key in header"


def test_wrong_content_type_is_406(gateway, connect):
    """A request that is not marked as JSON is refused."""
    with pytest.raises(segmind.SegmindError) as caught:
        connect(gateway)._request("POST", "/gpt-4-turbo", content=b"{}")
    assert (caught.value.status, caught.value.detail) == (406, "Invalid content type")
