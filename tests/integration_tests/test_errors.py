"""Every failure over HTTP is a typed error, and is retried only if that cannot cost twice."""

import socket

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from pydantic import SecretStr

from langchain_segmind import (
    SegmindAPIError,
    SegmindAuthenticationError,
    SegmindConnectionError,
    SegmindContextOverflowError,
    SegmindError,
    SegmindInsufficientCreditsError,
    SegmindInvalidRequestError,
    SegmindModelNotFoundError,
    SegmindPermissionDeniedError,
    SegmindRateLimitError,
    SegmindResponseError,
    SegmindTimeoutError,
)
from langchain_segmind._api.errors import SLOW_MODEL_ADVICE
from langchain_segmind.gateway import Gateway
from tests.conftest import SECRET, Caller
from tests.support.limiters import CountingLimiter
from tests.support.raw_server import RawServer, answer, close

pytestmark = [pytest.mark.every_format, pytest.mark.usefixtures("no_back_off")]

OVERFLOW = "This model's maximum context length is 128000 tokens. However, you sent 130000."


def fail(status: int, text: str = "no") -> dict:
    """Return a response with an error."""
    return {"status": status, "body": {"error": text}}


STATUSES = [
    (400, "no", SegmindInvalidRequestError, 1),
    (400, OVERFLOW, SegmindContextOverflowError, 1),
    (401, "no", SegmindAuthenticationError, 1),
    (402, "no", SegmindInsufficientCreditsError, 1),
    (403, "no", SegmindPermissionDeniedError, 1),
    (404, "no", SegmindModelNotFoundError, 1),
    (405, "no", SegmindInvalidRequestError, 1),
    (406, "no", SegmindInsufficientCreditsError, 1),
    (406, "Insufficient credits", SegmindInsufficientCreditsError, 1),
    (406, "Team spend limit", SegmindInsufficientCreditsError, 1),
    (406, "Insufficient credits for these parameters", SegmindInsufficientCreditsError, 1),
    (406, "Invalid content type", SegmindInvalidRequestError, 1),
    (406, "bad parameter value", SegmindInvalidRequestError, 1),
    (408, "no", SegmindTimeoutError, 3),
    (409, "no", SegmindInvalidRequestError, 1),
    (410, "no", SegmindModelNotFoundError, 1),
    (413, "no", SegmindInvalidRequestError, 1),
    (422, "no", SegmindInvalidRequestError, 1),
    (429, "no", SegmindRateLimitError, 3),
    (500, "no", SegmindAPIError, 3),
    (502, "no", SegmindAPIError, 3),
    (503, "no", SegmindAPIError, 3),
    (504, "no", SegmindAPIError, 3),
    (529, "no", SegmindAPIError, 3),
]


@pytest.mark.parametrize(("status", "text", "error_class", "attempts"), STATUSES)
def test_each_status_has_its_error_class_and_number_of_attempts(
    caller, create_model, gateway, status, text, error_class, attempts
) -> None:
    """Transient failures are sent 1 + max_retries times, all others once."""
    gateway.script(lambda request: fail(status, text))
    with pytest.raises(SegmindError) as caught:
        caller.invoke(create_model(), "hi")
    error = caught.value
    assert type(error) is error_class
    assert error.status_code == status
    assert text in str(error)
    assert (SLOW_MODEL_ADVICE if status in {408, 504} else error_class.advice) in str(error)
    assert len(gateway.requests) == attempts
    assert error.__cause__ is None
    assert error.__context__ is None


def test_an_error_quotes_the_server(caller, create_model, gateway) -> None:
    """Where the message is in each kind of body: unit tests."""
    gateway.script([{"status": 502, "body": "<!doctype html><p>Bad gateway</p>"}])
    with pytest.raises(SegmindAPIError, match="Bad gateway"):
        caller.invoke(create_model(max_retries=0), "hi")


def test_the_gateways_errors_say_what_to_do(caller, create_model, gateway) -> None:
    """For a wrong key, an unknown model and an empty balance."""
    with pytest.raises(SegmindAuthenticationError, match="SEGMIND_API_KEY"):
        caller.invoke(create_model(api_key="another-fake-key"), "hi")
    gateway.faults("404")
    with pytest.raises(SegmindModelNotFoundError, match="slug"):
        caller.invoke(create_model(model="gpt-99"), "hi")
    with Gateway(api_key=SECRET, credits="0.0001") as poor:
        model = create_model(base_url=poor.base_url)
        with pytest.raises(SegmindInsufficientCreditsError, match="segmind.com") as caught:
            caller.invoke(model, "a long prompt " * 100)
    assert caught.value.status_code == 406


def test_transient_failures_are_retried(caller, create_model, gateway) -> None:
    """Two failures, then an answer."""
    gateway.script([fail(503), fail(429), "there you are"])
    assert caller.invoke(create_model(), "hi").text == "there you are"
    assert len(gateway.requests) == 3


def test_max_retries_0_means_one_attempt(caller, create_model, gateway) -> None:
    """Retrying is left to LangChain's own tools."""
    gateway.script([fail(503), "never"])
    with pytest.raises(SegmindAPIError):
        caller.invoke(create_model(max_retries=0), "hi")
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("wrap", [str, SecretStr])
def test_the_key_is_read_for_each_attempt(caller: Caller, wrap: type) -> None:
    """A retry sends a key that was rotated since the attempt before."""
    keys = iter(["fake-key-1", "fake-key-2"])
    with RawServer([answer(b"no", status="503 Busy")], [answer()]) as server:
        caller.invoke(caller.connect(server.get_url(), api_key=lambda: wrap(next(keys))), "hi")
        first, second = (request.head for request in server.requests)
    assert b"x-api-key: fake-key-1" in first
    assert b"x-api-key: fake-key-2" in second


def test_a_retry_is_logged(caller, create_model, gateway, caplog) -> None:
    """With the attempt's number, the wait and the error."""
    gateway.script([fail(503, "busy"), "ok"])
    caplog.set_level("INFO", logger="langchain_segmind")
    caller.invoke(create_model(), "hi")
    (record,) = (r for r in caplog.records if r.name == "langchain_segmind._http.retries")
    assert "Attempt 1 of 3 failed; the next one in" in record.getMessage()
    assert "busy" in record.getMessage()


class Recorder(BaseCallbackHandler):
    """Counts the callbacks of a call."""

    def __init__(self) -> None:
        self.retries: list[int] = []
        self.starts = self.errors = 0

    def on_chat_model_start(self, *args, **kwargs) -> None:
        self.starts += 1

    def on_retry(self, retry_state, **kwargs) -> None:
        self.retries.append(retry_state.attempt_number)

    def on_llm_error(self, error, **kwargs) -> None:
        self.errors += 1


def test_on_retry_fires_before_each_retry(caller, create_model, gateway) -> None:
    """A call with retries still has one start and one error."""
    gateway.script(lambda request: fail(503))
    recorder = Recorder()
    with pytest.raises(SegmindAPIError):
        caller.invoke(create_model(), "hi", config={"callbacks": [recorder]})
    assert (recorder.retries, recorder.starts, recorder.errors) == ([1, 2], 1, 1)


def test_the_rate_limiter_is_acquired_once_per_attempt(caller, create_model, gateway) -> None:
    """For retries too, and without blocking the event loop."""
    gateway.script([fail(503), fail(503), "ok"])
    limiter = CountingLimiter()
    caller.invoke(create_model(rate_limiter=limiter), "hi")
    counts = (limiter.sync_calls, limiter.async_calls)
    assert counts == ((3, 0) if caller.runner is None else (0, 3))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param("<html><p>busy</p></html>", "<html><p>busy", id="HTML page"),
        pytest.param({"error": {"message": "overloaded"}}, "overloaded", id="error"),
        pytest.param({"choices": []}, "no choices", id="empty choices"),
    ],
)
def test_a_200_without_a_completion_is_not_retried(
    caller, create_model, gateway, body, words
) -> None:
    """It was billed. Which bodies are completions is a unit test."""
    response = {"status": 200, "headers": {"x-remaining-credits": "3"}, "body": body}
    gateway.script([response, "never"])
    with pytest.raises(SegmindResponseError, match=words) as caught:
        caller.invoke(create_model(), "hi")
    assert caught.value.is_retryable is False
    assert caught.value.remaining_credits == 3
    assert len(gateway.requests) == 1
    assert caught.value.__context__ is None


@pytest.mark.parametrize("location", ["mailto:x", "http://xn--/", "http://x:abc/"])
def test_a_redirect_to_an_invalid_url_is_typed(caller, create_model, gateway, location) -> None:
    """Httpx parses a redirect's URL even where it does not follow."""
    gateway.script([{"status": 302, "headers": {"location": location}}, "never"])
    with pytest.raises(SegmindError) as caught:
        caller.invoke(create_model(), "hi")
    assert len(gateway.requests) == 1
    assert caught.value.__context__ is None


def test_an_event_hook_that_raises_for_the_status_is_converted(
    caller, create_model, gateway
) -> None:
    """The user's own client raises httpx's error first."""
    gateway.script(lambda request: fail(406))

    async def araise_for_status(response: httpx.Response) -> None:
        response.raise_for_status()

    model = create_model(
        http_client=httpx.Client(event_hooks={"response": [httpx.Response.raise_for_status]}),
        http_async_client=httpx.AsyncClient(event_hooks={"response": [araise_for_status]}),
    )
    with pytest.raises(SegmindInsufficientCreditsError):
        caller.invoke(model, "hi")
    assert len(gateway.requests) == 1
    model.http_client.close()
    if caller.runner:
        caller.runner.run(model.http_async_client.aclose())


def test_a_refused_connection_is_retried(caller: Caller) -> None:
    """Nothing was sent, and the error says so."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    recorder = Recorder()
    model = caller.connect(f"http://127.0.0.1:{port}/v1", max_retries=1)
    with pytest.raises(SegmindConnectionError, match="refused|(attempts|call) failed") as caught:
        caller.invoke(model, "hi", config={"callbacks": [recorder]})
    assert caught.value.phase == "connect"
    assert recorder.retries == [1]


def test_get_credits_fails_as_calls_do(caller, create_model) -> None:
    """With the same errors after the same retries."""
    with pytest.raises(SegmindAuthenticationError):
        caller.get_credits(create_model(api_key="another-fake-key"))
    with RawServer([close]) as server:
        model = create_model(base_url=server.get_url(), max_retries=1)
        with pytest.raises(SegmindConnectionError):
            caller.get_credits(model)
        assert len(server.requests) == 2
