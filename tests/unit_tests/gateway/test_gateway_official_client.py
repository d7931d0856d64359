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


def test_client_reads_responses(serve, connect):
    """The client finds the text, usage and finish reason, and the credits."""
    client = connect(serve(replies=[{"content": "Hi!", "finish_reason": "length"}, '{"a": 1}']))
    credits_ = client._request("GET", "/get-user-credits")
    response = client.chat_sync("gpt-4-turbo", messages=MESSAGES, temperature=0)

    assert credits_.json() == {"credits": 1.0, "free-credits": 0.0}
    assert response.text == "Hi!"
    assert response.finish_reason == "length"
    assert response.usage == {"prompt_tokens": 6, "completion_tokens": 1, "total_tokens": 7}
    assert response.tool_calls == []
    assert client.chat_sync("gpt-4-turbo", prompt="Polly").json() == {"a": 1}


CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


@pytest.mark.parametrize(
    ("slug", "messages", "finish_reason", "usage"),
    [
        pytest.param(
            "gpt-5.5",
            MESSAGES,
            "length",
            {"prompt_tokens": 6, "completion_tokens": 1, "total_tokens": 7},
            id="openai",
        ),
        pytest.param(
            "claude-4.5-sonnet",
            MESSAGES,
            "max_tokens",
            {"input_tokens": 6, "output_tokens": 1},
            id="anthropic",
        ),
        pytest.param(
            "gemini-3-flash",
            CONTENTS,
            "MAX_TOKENS",
            {"promptTokenCount": 6, "candidatesTokenCount": 1, "totalTokenCount": 7},
            id="gemini",
        ),
    ],
)
def test_client_reads_every_format(serve, connect, *, slug, messages, finish_reason, usage):
    """The client finds the text, usage and finish reason of a model of each format."""
    script = [{"content": "Hi!", "finish_reason": "length"}, {"content": "{}"}]
    client = connect(serve(replies=script, strict=True))
    response = client.chat_sync(slug, messages=messages)

    assert response.text == "Hi!"
    assert response.finish_reason == finish_reason
    assert response.usage == usage
    schema = {"name": "answer", "schema": {"type": "object"}}
    response_format = {"type": "json_schema", "json_schema": schema}
    held = client.chat_sync(slug, messages=messages, response_format=response_format)
    assert held.json() == {}


@pytest.mark.parametrize(
    ("slug", "messages"),
    [
        pytest.param("gpt-5", MESSAGES, id="openai"),
        pytest.param("claude-4.5-sonnet", MESSAGES, id="anthropic"),
        pytest.param("gemini-3-flash", CONTENTS, id="gemini"),
    ],
)
def test_client_uses_the_queue(serve, connect, slug, messages):
    """`chat` and `submit_chat` submit, poll and read the result of each format."""
    gateway = serve(strict=True)
    client = connect(gateway)
    response = client.chat(slug, messages=messages)
    assert response.text == "Hello"
    assert response.raw == {**client.chat_sync(slug, messages=messages).raw, **_changing(response)}
    paid = 1 - gateway.credits()

    job = client.submit_chat(slug, messages=messages)
    assert job.job.submit_response["status"] == "QUEUED"
    assert job.wait(interval=0.01).text == job.result().text == "Hello"
    assert job.status()["status"] == "COMPLETED"
    assert 1 - gateway.credits() == paid * 3 / 2
    assert [request.is_queued for request in gateway.requests] == [True, False, True]


def _changing(response):
    """Return the keys of a reply that differ between two calls."""
    return {
        key: response.raw[key] for key in ("id", "created", "responseId") if key in response.raw
    }


def test_client_waits_for_a_slow_job(serve, connect):
    """It polls until the job is complete, or until its own deadline."""
    gateway = serve(queue_delay=2)
    job = connect(gateway).submit_chat("gpt-5", messages=MESSAGES)
    with pytest.raises(segmind.InferenceTimeout, match="did not complete"):
        job.wait(timeout=0.01, interval=0.02)
    assert job.status()["status"] in {"QUEUED", "PROCESSING"}
    assert job.wait(interval=0.02).text == "Hello"


@pytest.mark.parametrize(
    ("output", "text"),
    [
        pytest.param({"choices": [{"message": {"content": "Hi"}}]}, "Hi", id="object"),
        pytest.param("Hi", "Hi", id="text"),
    ],
)
def test_client_reads_other_outputs(serve, connect, output, text):
    """An output that is an object or plain text is read too."""
    gateway = serve(replies=[{"content": "Hi", "result": {"output": output}}])
    assert connect(gateway).chat("gpt-5", messages=MESSAGES).text == text


def test_client_reads_failed_jobs(serve, connect):
    """The error of a failed job is the client's own, and nothing is charged."""
    gateway = serve(replies=[{"status": 500, "body": {"error": "The model failed"}}])
    with pytest.raises(segmind.InferenceFailed, match="The model failed") as caught:
        connect(gateway).chat("gpt-5", messages=MESSAGES)
    assert caught.value.status_body["status"] == "FAILED"
    assert gateway.credits() == 1


def test_client_reads_expired_jobs(serve, connect):
    """A poll for a job that is forgotten is a 404."""
    gateway = serve()
    job = connect(gateway).submit_chat("gpt-5", messages=MESSAGES)
    gateway.reset()
    with pytest.raises(segmind.SegmindError, match="not found") as caught:
        job.wait()
    assert caught.value.status == 404


@pytest.mark.parametrize("slug", ["gpt-5.5", "claude-4.5-sonnet"])
def test_client_skips_thoughts(serve, connect, slug):
    """Thoughts are not part of the text; in Gemini's format the client would mix them in."""
    client = connect(serve(replies=[{"content": "Hi!", "reasoning": "Hm."}]))
    assert client.chat_sync(slug, messages=MESSAGES).text == "Hi!"


def test_client_sends_images(serve, connect):
    """Its own helper writes an image that the strict gateway accepts."""
    gateway = serve(strict=True)
    image = segmind.image_url("data:image/png;base64,iVBORw0KGgo=")
    content = [{"type": "text", "text": "What is it?"}, image]
    messages = [{"role": "user", "content": content}]

    assert connect(gateway).chat_sync("gpt-4o", messages=messages).text == "What is it?"
    assert gateway.requests[-1].messages == messages


@pytest.mark.parametrize("slug", ["gpt-4-turbo", "claude-4-sonnet", "gemini-3-pro"])
def test_client_reads_retirements(serve, connect, slug):
    """A 410 is the same for models of every format."""
    messages = CONTENTS if slug.startswith("gemini-") else MESSAGES
    with pytest.raises(segmind.SegmindError, match="retired") as caught:
        connect(serve(fault="410")).chat_sync(slug, messages=messages)
    assert caught.value.status == 410


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
    arguments = {"slug": "gpt-4-turbo", "messages": MESSAGES, **call}
    with pytest.raises(segmind.SegmindError) as caught:
        client.chat_sync(arguments.pop("slug"), **arguments)

    assert caught.value.status == status
    assert (caught.value.detail is None) == (detail is None)
    assert (detail or "") in (caught.value.detail or "")
