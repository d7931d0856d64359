"""The HTTP API of the gateway, over real connections."""

import pytest

from langchain_segmind.gateway import Completion
from langchain_segmind.gateway.rate_limit import RateLimiter

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


def test_success_has_the_form_of_the_service(gateway, ask):
    """A 200 is OpenAI's chat.completion; its headers hold the cost, balance, id and time."""
    response = ask(gateway, "Hello there")
    body = response.json()

    assert body.pop("id").startswith("chatcmpl-")
    assert isinstance(body.pop("created"), int)
    message = {"role": "assistant", "content": "Hello there"}
    assert body == {
        "object": "chat.completion",
        "model": "gpt-4-turbo",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }
    assert response.headers["x-cost"] == "0.000160"
    assert response.headers["x-remaining-credits"] == "0.999840"
    assert float(response.headers["x-generation-time"]) >= 0
    assert len(response.headers["x-request-id"]) == 32


def test_credits_request_costs_nothing(gateway, client, ask):
    """GET get-user-credits returns the balance as numbers, and does not change it."""
    ask(gateway, "Hello there")
    responses = [client.get(f"{gateway.base_url}/get-user-credits") for _ in "ab"]
    assert [each.json() for each in responses] == [{"credits": 0.99984, "free-credits": 0.0}] * 2


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
    """Only a known key in `x-api-key` is accepted."""
    del client.headers["x-api-key"]
    for method, path in (("POST", "gpt-4-turbo"), ("GET", "get-user-credits")):
        response = client.request(method, f"{gateway.base_url}/{path}", json=HELLO, headers=headers)
        assert response.status_code == 401
        assert text in response.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/",
        "/v3/gpt-4-turbo",
        "/v2/get-user-credits",
        "/v1/a/b",
        "/v1/-a",
        "/v1/a%20b",
        "/v1/gpt-4-turbo/",
    ],
)
def test_unknown_paths_are_404_in_json(gateway, client, path):
    """Only `/v1/` and a well-formed slug exist; the error names the path."""
    response = client.post(gateway.base_url.removesuffix("/v1") + path, json=HELLO)

    error = f"No such path: {path.replace('%20', ' ')}"
    assert (response.status_code, response.json()) == (404, {"error": error})


@pytest.mark.parametrize("slug", ["gpt-4-turbo", "gpt-5.5", "my_model", "a"])
def test_any_well_formed_slug_is_a_model(gateway, ask, slug):
    """The response names the requested model."""
    assert ask(gateway, slug=slug).json()["model"] == slug


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        pytest.param("GET", "gpt-4-turbo", "POST", id="get-a-model"),
        pytest.param("PUT", "gpt-4-turbo", "POST", id="put-a-model"),
        pytest.param("POST", "get-user-credits", "GET", id="post-credits"),
    ],
)
def test_wrong_methods_get_an_html_page(gateway, client, method, path, allowed):
    """A 405 is a page and names the allowed method."""
    response = client.request(method, f"{gateway.base_url}/{path}")

    assert response.status_code == 405
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["allow"] == allowed
    assert "405 Method Not Allowed" in response.text


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        pytest.param("Application/JSON; charset=utf-8", HELLO, 200, id="parameters"),
        pytest.param("", b"{", 406, id="none"),
        pytest.param("text/plain", b"{", 406, id="text"),
        pytest.param("application/jsonp", b"{", 406, id="jsonp"),
    ],
)
def test_content_type_must_be_json(gateway, post, content_type, body, status):
    """Another content type is refused before the body is checked."""
    response = post(gateway, body, content_type=content_type)

    assert response.status_code == status
    assert ("Invalid content type" in response.text) == (status == 406)


def user(content):
    """Return a body with one user message."""
    return {"messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b"{", "not valid JSON", id="cut"),
        pytest.param(b"\xff", "not valid JSON", id="not-utf-8"),
        pytest.param(b"[" * 100_000, "not valid JSON", id="too-deep"),
        pytest.param(b'{"messages": NaN}', "not valid JSON", id="nan"),
        pytest.param([], "must be a JSON object", id="array"),
        pytest.param({}, "at least one message", id="empty"),
        pytest.param({"messages": []}, "at least one message", id="no-messages"),
        pytest.param({"messages": "hi"}, "at least one message", id="messages-string"),
        pytest.param({"messages": ["hi"]}, "messages[0] must be an object", id="message-string"),
        pytest.param(
            {"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", id="role"
        ),
        pytest.param({"messages": [{"content": "x"}]}, "messages[0].role", id="no-role"),
        pytest.param(user(None), "a string or a list", id="content-null"),
        pytest.param(user(3), "a string or a list", id="content-number"),
        pytest.param(user([]), "content parts", id="no-parts"),
        pytest.param(user(["x"]), "content parts", id="string-parts"),
        pytest.param({"prompt": 3}, "prompt must be a string", id="prompt"),
        pytest.param({**HELLO, "max_tokens": 0}, "max_tokens must be", id="max-tokens"),
        pytest.param({**HELLO, "max_tokens": True}, "max_tokens must be", id="max-tokens-bool"),
        pytest.param({**HELLO, "temperature": "hot"}, "temperature must be", id="temperature"),
        pytest.param({**HELLO, "top_p": True}, "top_p must be", id="top-p-bool"),
        pytest.param({**HELLO, "stop": ["a", 1]}, "stop must be", id="stop"),
        pytest.param({"prompt": "x", "seed": 1.5}, "seed must be", id="seed"),
    ],
)
def test_bad_bodies_are_400(gateway, post, body, text):
    """The error says what is wrong with the body."""
    response = post(gateway, body)

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
def test_documented_bodies_are_accepted(gateway, post, body, content):
    """Content parts, the `prompt` shorthand and extra keys are accepted."""
    response = post(gateway, body)
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
def test_strict_refuses_what_this_client_never_sends(serve, post, body, text):
    """With `strict`, unknown keys and content other than a string are a 400."""
    response = post(serve(strict=True), body)

    assert response.status_code == 400
    assert text in response.json()["error"]


@pytest.mark.parametrize("keys", ["web_search", ["web_search", "x"]], ids=["one", "two"])
def test_strict_accepts_what_this_client_sends(serve, ask, keys):
    """With `strict`, the client's parameters and the keys of `extra_body_keys` pass."""
    gateway = serve(strict=True, extra_body_keys=keys)
    response = ask(gateway, temperature=0, max_tokens=5, top_p=1, seed=1, stop=["x"])

    assert response.status_code == 200
    assert ask(gateway, web_search=True).status_code == 200


def test_insufficient_balance_is_406(serve, ask):
    """The error states the balance and the estimate."""
    gateway = serve(credits="0.003")
    response = ask(gateway, max_tokens=1000)

    assert response.status_code == 406
    assert response.json()["error"] == (
        "Insufficient credits. Your balance is 0.003000 and this request needs 0.030060."
    )
    assert gateway.credits() == gateway.credits("SG_local")
    assert ask(gateway, max_tokens=10).status_code == 200


def test_rate_limit_reports_its_reset_time(serve, ask):
    """Beyond `rpm` requests per minute, a key gets 429 with the reset time and no Retry-After."""
    gateway = serve(rpm=2, api_key=["one", "two"])
    statuses = [ask(gateway, key=key).status_code for key in ["one", "one", "two"]]
    refused = ask(gateway, key="one")

    assert statuses == [200, 200, 200]
    assert refused.status_code == 429
    assert refused.json() == {"error": "Rate limit exceeded"}
    assert refused.headers["x-rate-limit-reset-at-utc"].isdigit()
    assert "retry-after" not in refused.headers


def test_rate_limit_window_slides():
    """A request counts for the length of the window; a refused one does not count."""
    limiter = RateLimiter(2, window=59.5)
    assert [limiter.hit("a", now=1000.5), limiter.hit("a", now=1000.5)] == [None, None]
    assert limiter.hit("a", now=1030) == 1060
    assert limiter.hit("b", now=1030) is None
    assert limiter.hit("a", now=1060) is None


def test_internal_error_is_a_500(serve, ask, caplog):
    """A bug in the gateway is a 500 in JSON that costs nothing; the log has the traceback."""
    gateway = serve(replies=[Completion(object())])
    response = ask(gateway)

    assert response.status_code == 500
    assert response.json() == {"error": "Internal server error"}
    assert "The gateway failed" in caplog.text
    assert gateway.credits() == 1
