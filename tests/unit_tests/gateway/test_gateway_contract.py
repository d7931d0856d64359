"""The HTTP contract, over real connections."""

import json

import pytest

from langchain_segmind.gateway import Completion
from langchain_segmind.gateway.rate_limit import RateLimiter

KEY = {"x-api-key": "SG_local"}
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


def test_success_has_the_shape_of_a_chat_completion(gateway, ask):
    """A 200 carries OpenAI's chat.completion."""
    reply = ask(gateway, "Hello there").json()

    assert reply.pop("id").startswith("chatcmpl-")
    assert isinstance(reply.pop("created"), int)
    assert reply == {
        "object": "chat.completion",
        "model": "gpt-4-turbo",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello there"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }


def test_success_reports_credits_in_its_headers(gateway, ask):
    """A 200 tells its cost, the balance after it, its id and how long it took."""
    response = ask(gateway, "Hello there")

    assert response.headers["x-cost"] == "0.000160"
    assert response.headers["x-remaining-credits"] == "0.999840"
    assert float(response.headers["x-generation-time"]) >= 0
    assert len(response.headers["x-request-id"]) == 32


def test_credits_are_reported_without_a_charge(gateway, client, ask):
    """GET get-user-credits reports the balance as numbers and costs nothing."""
    ask(gateway, "Hello there")

    replies = [client.get(f"{gateway.base_url}/get-user-credits", headers=KEY) for _ in "ab"]

    assert [reply.json() for reply in replies] == [{"credits": 0.99984, "free-credits": 0.0}] * 2


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        pytest.param({}, "Missing Authorization or x-api-key in header", id="no-header"),
        pytest.param({"x-api-key": ""}, "Missing Authorization", id="empty"),
        pytest.param({"x-api-key": "wrong"}, "API key is invalid", id="unknown"),
        pytest.param({"authorization": "Bearer SG_local"}, "API key is invalid", id="bearer"),
    ],
)
def test_wrong_keys_are_refused(gateway, client, headers, text):
    """Only a known key in `x-api-key` opens the door."""
    for response in (
        client.post(f"{gateway.base_url}/gpt-4-turbo", json=HELLO, headers=headers),
        client.get(f"{gateway.base_url}/get-user-credits", headers=headers),
    ):
        assert response.status_code == 401
        assert text in response.json()["error"]


@pytest.mark.parametrize(
    "path",
    ["/v1/gpt-unknown", "/v1", "/", "/v2/gpt-4-turbo", "/v1/a/b", "/v1/-a", "/v1/gpt-4-turbo/"],
)
def test_unknown_models_and_paths_are_404_in_json(gateway, client, path):
    """What does not exist is told in JSON."""
    url = gateway.base_url.removesuffix("/v1") + path
    response = client.post(url, json=HELLO, headers=KEY)

    assert response.status_code == 404
    assert response.json().keys() == {"error"}


@pytest.mark.parametrize("slug", ["gpt-4-turbo", "gpt-5.5", "qwen3.5-plus", "my-model"])
def test_known_slugs_answer(serve, ask, slug):
    """The models in OpenAI's shape are known, and the option `slug` adds more."""
    assert ask(serve(slug="my-model"), slug=slug).json()["model"] == slug


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        pytest.param("GET", "gpt-4-turbo", "POST", id="get-a-model"),
        pytest.param("PUT", "gpt-4-turbo", "POST", id="put-a-model"),
        pytest.param("POST", "get-user-credits", "GET", id="post-credits"),
    ],
)
def test_wrong_verbs_get_an_html_page(gateway, client, method, path, allowed):
    """A 405 is the one error that is no JSON."""
    response = client.request(method, f"{gateway.base_url}/{path}", headers=KEY)

    assert response.status_code == 405
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["allow"] == allowed
    assert "405 Method Not Allowed" in response.text


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/jsonp"])
def test_other_content_types_are_406(gateway, client, content_type):
    """A body that does not claim to be JSON is refused before it is read."""
    headers = {**KEY, **({"content-type": content_type} if content_type else {})}
    response = client.post(
        f"{gateway.base_url}/gpt-4-turbo", content=json.dumps(HELLO), headers=headers
    )

    assert response.status_code == 406
    assert response.json() == {"error": "Invalid content type"}


def test_content_type_may_have_parameters(gateway, client):
    """`application/json; charset=utf-8` is JSON."""
    response = client.post(
        f"{gateway.base_url}/gpt-4-turbo",
        content=json.dumps(HELLO),
        headers={**KEY, "content-type": "Application/JSON; charset=utf-8"},
    )

    assert response.status_code == 200


def user(content):
    """A body of one user message."""
    return {"messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b"{", "not valid JSON", id="cut"),
        pytest.param(b"\xff", "not valid JSON", id="not-utf-8"),
        pytest.param(b"[" * 100_000, "not valid JSON", id="too-deep"),
        pytest.param(b'{"messages": NaN}', "not valid JSON", id="nan"),
        pytest.param([], "must be a JSON object", id="array"),
        pytest.param({}, "at least one message", id="nothing"),
        pytest.param({"messages": []}, "at least one message", id="no-messages"),
        pytest.param({"messages": "hi"}, "at least one message", id="messages-a-text"),
        pytest.param({"messages": ["hi"]}, "messages[0] must be an object", id="message-a-text"),
        pytest.param(
            {"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", id="role"
        ),
        pytest.param({"messages": [{"content": "x"}]}, "messages[0].role", id="no-role"),
        pytest.param(user(None), "a string or a list", id="content-null"),
        pytest.param(user(3), "a string or a list", id="content-a-number"),
        pytest.param(user([]), "content parts", id="no-parts"),
        pytest.param(user(["x"]), "content parts", id="parts-of-text"),
        pytest.param({"prompt": 3}, "prompt must be a string", id="prompt"),
        pytest.param({**HELLO, "max_tokens": 0}, "max_tokens must be", id="max-tokens"),
        pytest.param({**HELLO, "max_tokens": True}, "max_tokens must be", id="max-tokens-bool"),
        pytest.param({**HELLO, "temperature": "hot"}, "temperature must be", id="temperature"),
        pytest.param({**HELLO, "stop": ["a", 1]}, "stop must be", id="stop"),
        pytest.param({"prompt": "x", "seed": 1.5}, "seed must be", id="seed"),
    ],
)
def test_bad_bodies_are_400(gateway, client, body, text):
    """A body that is no chat request is refused, in words that say what is wrong."""
    content = body if isinstance(body, bytes) else json.dumps(body)
    headers = {**KEY, "content-type": "application/json"}
    response = client.post(f"{gateway.base_url}/gpt-4-turbo", content=content, headers=headers)

    assert response.status_code == 400
    assert text in response.json()["error"]
    assert "x-request-id" in response.headers
    assert "x-cost" not in response.headers


@pytest.mark.parametrize(
    ("body", "content"),
    [
        pytest.param(user([{"type": "text", "text": "a"}, {"text": "b"}]), "ab", id="parts"),
        pytest.param(user([{"type": "image_url", "image_url": {}}]), "", id="image"),
        pytest.param({"prompt": "Hi"}, "Hi", id="prompt"),
        pytest.param({**user("Hi"), "tools": [], "stream": True, "n": 3}, "Hi", id="extra-keys"),
        pytest.param(
            {**user("Hi"), "temperature": 0, "top_p": 0.5, "seed": 1, "stop": "x"}, "Hi", id="all"
        ),
        pytest.param({**user("Hi"), "temperature": None, "max_tokens": None}, "Hi", id="nulls"),
        pytest.param(user("\ud800 é 漢"), "\ud800 é 漢", id="any-text"),
    ],
)
def test_what_the_real_service_takes_is_taken(gateway, client, body, content):
    """Parts, the prompt shorthand and extra keys are all answered."""
    headers = {**KEY, "content-type": "application/json"}
    response = client.post(
        f"{gateway.base_url}/gpt-4-turbo", content=json.dumps(body), headers=headers
    )

    assert response.json()["choices"][0]["message"]["content"] == content


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param({**HELLO, "tools": []}, "unknown keys tools", id="key"),
        pytest.param({"prompt": "Hi"}, "unknown keys prompt", id="prompt"),
        pytest.param(user([{"type": "text", "text": "a"}]), "must be a string", id="parts"),
        pytest.param(
            {"messages": [{"role": "user", "content": "a", "name": "b"}]},
            "exactly role and content",
            id="name",
        ),
    ],
)
def test_strict_refuses_what_our_client_never_sends(serve, client, body, text):
    """With `strict`, a request off the client's contract is a 400."""
    gateway = serve(strict=True)
    response = client.post(f"{gateway.base_url}/gpt-4-turbo", json=body, headers=KEY)

    assert response.status_code == 400
    assert text in response.json()["error"]


def test_strict_takes_what_our_client_sends(serve, ask):
    """With `strict`, the client's own parameters and the keys named beside them pass."""
    gateway = serve(strict=True, extra_body_keys=["response_format"])
    response = ask(gateway, temperature=0, max_tokens=5, top_p=1, seed=1, stop=["x"])

    assert response.status_code == 200
    assert ask(gateway, response_format={"type": "json_object"}).status_code == 200


def test_too_small_a_balance_is_406(serve, ask):
    """A call that the balance does not cover is refused, naming the balance and the need."""
    gateway = serve(credits="0.003")
    response = ask(gateway, max_tokens=1000)

    assert response.status_code == 406
    assert response.json()["error"] == (
        "Insufficient credits. Your balance is 0.003000 and this request needs 0.030060."
    )
    assert gateway.credits() == gateway.credits("SG_local")
    assert ask(gateway, max_tokens=10).status_code == 200


def test_rate_limit_tells_when_it_resets(serve, ask):
    """Beyond `rpm` requests a minute, a key gets 429 with the reset time and no Retry-After."""
    gateway = serve(rpm=2, api_key=["one", "two"])
    statuses = [ask(gateway, key=key).status_code for key in ["one", "one", "two"]]
    refused = ask(gateway, key="one")

    assert statuses == [200, 200, 200]
    assert refused.status_code == 429
    assert refused.json() == {"error": "Rate limit exceeded"}
    assert refused.headers["x-rate-limit-reset-at-utc"].isdigit()
    assert "retry-after" not in refused.headers


def test_rate_limit_moves_with_time():
    """A request counts for sixty seconds, and one that was refused does not count."""
    now = 1000.5
    limiter = RateLimiter(2, lambda: now)
    assert [limiter.hit("a"), limiter.hit("a")] == [None, None]

    now = 1030.0
    assert limiter.hit("a") == 1061
    assert limiter.hit("b") is None
    now = 1060.5
    assert limiter.hit("a") is None


def test_rate_limit_counts_in_a_window_of_its_own():
    """A test need not wait a minute."""
    now = 1000.0
    limiter = RateLimiter(1, lambda: now, window=2.5)
    assert [limiter.hit("a"), limiter.hit("a")] == [None, 1003]
    now = 1002.5
    assert limiter.hit("a") is None


def test_failing_gateway_is_a_500(serve, ask, caplog):
    """A fault of the gateway's own is a 500 in JSON, and the log has the traceback."""
    gateway = serve(replies=[Completion(object())])
    response = ask(gateway)

    assert response.status_code == 500
    assert response.json() == {"error": "Internal server error"}
    assert "The gateway failed" in caplog.text
    assert gateway.credits() == 1
