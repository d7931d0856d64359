"""Packages that mock HTTP in tests catch every call, with the package's own connections."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import respx
import vcr
from vcr.errors import CannotOverwriteExistingCassetteException

from langchain_segmind import (
    ChatSegmindGPT4Turbo,
    SegmindConnectionError,
    SegmindRateLimitError,
    SegmindTimeoutError,
)
from langchain_segmind.gateway import Completion
from langchain_segmind.gateway.formats import FORMATS
from tests.conftest import SECRET, own_client

BASE_URL = "https://segmind.invalid/v1"
"""No server has this address: a call that is not caught fails."""
CHAT_URL = f"{BASE_URL}/gpt-4-turbo"
CREDITS_URL = f"{BASE_URL}/get-user-credits"
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
REPLY = FORMATS["openai"].render(Completion("Caught.", usage=USAGE))
HEADERS = {"x-remaining-credits": "7.5"}
CREDITS = {"credits": 7, "free-credits": 0.5}


@pytest.fixture
def connect(caller) -> Callable[..., ChatSegmindGPT4Turbo]:
    """Return a function that creates models for a server that does not exist."""
    return lambda **fields: caller.connect(BASE_URL, max_retries=0, **fields)


def check_sent(request: httpx.Request) -> None:
    """Check a caught request: the user's words and the key are in it."""
    assert json.loads(request.content)["messages"] == [{"role": "user", "content": "Hi"}]
    assert request.headers["x-api-key"] == SECRET


# --- respx ---


def check_respx_catches_calls(router: respx.MockRouter, caller, model) -> None:
    """Check a reply, an error, and a connection that fails."""
    route = router.post(CHAT_URL)
    route.side_effect = [
        httpx.Response(200, json=REPLY, headers=HEADERS),
        httpx.Response(429, json={"error": "slow down"}),
        httpx.ConnectError("unplugged"),
    ]
    message = caller.invoke(model, "Hi")
    assert message.text == "Caught."
    assert message.response_metadata["remaining_credits"] == 7.5
    with pytest.raises(SegmindRateLimitError, match="slow down"):
        caller.invoke(model, "Hi")
    with pytest.raises(SegmindConnectionError, match="unplugged"):
        caller.invoke(model, "Hi")
    assert route.call_count == 3
    check_sent(route.calls[0].request)


def test_respx_catches_calls(caller, connect) -> None:
    """By default respx replaces what sends requests."""
    with respx.mock as router:
        check_respx_catches_calls(router, caller, connect())


def test_respx_in_a_client_catches_calls(caller, connect) -> None:
    """With `using="httpx"` respx replaces the transports of httpx's clients only."""
    with respx.mock(using="httpx") as router, own_client(caller) as client:
        check_respx_catches_calls(router, caller, connect(**client))


def test_respx_catches_a_balance(caller, connect) -> None:
    """Requests other than chats are caught too."""
    with respx.mock:
        respx.get(CREDITS_URL).respond(json=CREDITS)
        assert caller.get_credits(connect()).total == 7.5


def test_respx_refuses_what_the_test_did_not_expect(caller, connect) -> None:
    """A request without a route is respx's error, not a call over the network."""
    with respx.mock, pytest.raises(AssertionError, match="not mocked"):
        caller.invoke(connect(), "Hi")


# --- pytest-httpx ---


def test_pytest_httpx_catches_calls(caller, connect, httpx_mock) -> None:
    """A reply, an error, and a connection that fails."""
    httpx_mock.add_response(url=CHAT_URL, json=REPLY, headers=HEADERS)
    httpx_mock.add_response(url=CHAT_URL, status_code=429, json={"error": "slow down"})
    httpx_mock.add_exception(httpx.ConnectError("unplugged"), url=CHAT_URL)
    httpx_mock.add_response(url=CREDITS_URL, json=CREDITS)
    message = caller.invoke(connect(), "Hi")
    assert message.text == "Caught."
    assert message.response_metadata["remaining_credits"] == 7.5
    with pytest.raises(SegmindRateLimitError, match="slow down"):
        caller.invoke(connect(), "Hi")
    with pytest.raises(SegmindConnectionError, match="unplugged"):
        caller.invoke(connect(), "Hi")
    assert caller.get_credits(connect()).total == 7.5
    for request in httpx_mock.get_requests(url=CHAT_URL):
        check_sent(request)


def test_pytest_httpx_refuses_what_the_test_did_not_expect(caller, connect, httpx_mock) -> None:
    """Its words are in the error, which is a timeout as in httpx."""
    with pytest.raises(SegmindTimeoutError, match="No response can be found for POST request"):
        caller.invoke(connect(), "Hi")
    httpx_mock.reset()


# --- vcrpy ---


def test_vcrpy_records_and_replays_calls(caller, gateway, tmp_path: Path) -> None:
    """What was recorded once is replayed without a server; other calls are vcrpy's error."""
    gateway.script([{"content": "Recorded.", "usage": USAGE}])
    recorder = vcr.VCR(filter_headers=["x-api-key"], match_on=["method", "uri", "body"])
    cassette = str(tmp_path / "calls.yaml")
    model = caller.connect(gateway.base_url, max_retries=0)
    with recorder.use_cassette(cassette):
        recorded = caller.invoke(model, "Hi")
    assert recorded.text == "Recorded."
    assert SECRET not in Path(cassette).read_text(encoding="utf-8")
    with recorder.use_cassette(cassette, record_mode="none") as tape:
        replayed = caller.invoke(model, "Hi")
        assert tape.play_count == 1
        with pytest.raises(CannotOverwriteExistingCassetteException):
            caller.invoke(model, "Bye")
    assert replayed.text == "Recorded."
    assert replayed.usage_metadata == recorded.usage_metadata
    assert replayed.response_metadata == recorded.response_metadata
    assert len(gateway.requests) == 1


# --- httpx ---


def test_a_mock_transport_in_a_client_catches_calls(caller) -> None:
    """Without any other package: a client of the test's own."""
    sent = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json=REPLY, headers=HEADERS)

    with own_client(caller, transport=httpx.MockTransport(answer)) as client:
        message = caller.invoke(caller.connect(BASE_URL, **client), "Hi")
    assert message.text == "Caught."
    (request,) = sent
    check_sent(request)
