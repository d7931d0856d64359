"""Every failure, over real HTTP, is one of our errors, tried as often as it should be."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler

from langchain_segmind import (
    ChatSegmindGPT4Turbo,
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
from langchain_segmind.gateway import Gateway
from tests.conftest import SECRET
from tests.support.limiters import CountingLimiter

SOON = {"retry-after-ms": "1"}
"""Sent with failures that are retried, so that no test waits for the back-off."""

OVERFLOW = "This model's maximum context length is 128000 tokens. However, you sent 130000."


def fail(status: int, text: str = "no") -> dict:
    """Script one failure."""
    return {"status": status, "headers": SOON, "body": {"error": text}}


ROWS = [
    pytest.param(400, "no", SegmindInvalidRequestError, 1, id="400"),
    pytest.param(401, "no", SegmindAuthenticationError, 1, id="401"),
    pytest.param(402, "no", SegmindInsufficientCreditsError, 1, id="402"),
    pytest.param(403, "no", SegmindPermissionDeniedError, 1, id="403"),
    pytest.param(404, "no", SegmindModelNotFoundError, 1, id="404"),
    pytest.param(405, "no", SegmindInvalidRequestError, 1, id="405"),
    pytest.param(406, "no", SegmindInsufficientCreditsError, 1, id="406"),
    pytest.param(406, "Insufficient credits", SegmindInsufficientCreditsError, 1, id="406 credits"),
    pytest.param(406, "Team spend limit", SegmindInsufficientCreditsError, 1, id="406 limit"),
    pytest.param(406, "Invalid content type", SegmindInvalidRequestError, 1, id="406 type"),
    pytest.param(406, "bad parameter value", SegmindInvalidRequestError, 1, id="406 parameter"),
    pytest.param(
        406,
        "Insufficient credits for these parameters",
        SegmindInsufficientCreditsError,
        1,
        id="406 both",
    ),
    pytest.param(408, "no", SegmindTimeoutError, 3, id="408"),
    pytest.param(409, "no", SegmindInvalidRequestError, 1, id="409"),
    pytest.param(410, "no", SegmindModelNotFoundError, 1, id="410"),
    pytest.param(413, "no", SegmindInvalidRequestError, 1, id="413"),
    pytest.param(422, "no", SegmindInvalidRequestError, 1, id="422"),
    pytest.param(429, "no", SegmindRateLimitError, 3, id="429"),
    pytest.param(500, "no", SegmindAPIError, 3, id="500"),
    pytest.param(502, "no", SegmindAPIError, 3, id="502"),
    pytest.param(503, "no", SegmindAPIError, 3, id="503"),
    pytest.param(504, "no", SegmindAPIError, 3, id="504"),
    pytest.param(529, "no", SegmindAPIError, 3, id="529"),
    pytest.param(400, OVERFLOW, SegmindContextOverflowError, 1, id="400 overflow"),
    pytest.param(406, OVERFLOW, SegmindContextOverflowError, 1, id="406 overflow"),
    pytest.param(413, OVERFLOW, SegmindContextOverflowError, 1, id="413 overflow"),
    pytest.param(500, OVERFLOW, SegmindContextOverflowError, 1, id="500 overflow"),
    pytest.param(302, "no", SegmindResponseError, 1, id="302"),
]


@pytest.mark.parametrize(("status", "text", "error_class", "attempts"), ROWS)
def test_a_status_is_its_class_and_tried_as_often_as_it_should_be(
    caller, create_model, gateway, status, text, error_class, attempts
) -> None:
    """What cannot succeed is tried once; what may, 1 + max_retries times."""
    gateway.script(lambda request: fail(status, text))
    with pytest.raises(SegmindError) as caught:
        caller.invoke(create_model(), "hi")
    error = caught.value
    assert type(error) is error_class
    assert error.status_code == status
    assert text in str(error)
    assert error_class.advice in str(error)
    assert len(gateway.requests) == attempts
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<!doctype html><p>Bad gateway</p>", id="a page"),
        pytest.param("Bad gateway", id="plain text"),
        pytest.param({"html-message": "Bad gateway"}, id="html-message"),
        pytest.param({"error": {"message": "Bad gateway"}}, id="OpenAI's envelope"),
    ],
)
def test_the_servers_words_reach_the_user(caller, create_model, gateway, body) -> None:
    """Whatever envelope they come in."""
    gateway.script([{"status": 502, "body": body}])
    with pytest.raises(SegmindAPIError, match="Bad gateway"):
        caller.invoke(create_model(max_retries=0), "hi")


def test_the_gateways_own_refusals_read_well(caller, create_model, gateway) -> None:
    """A wrong key, an unknown model and a spent balance say what to do."""
    with pytest.raises(SegmindAuthenticationError, match="SEGMIND_API_KEY"):
        caller.invoke(create_model(api_key="another-fake-key"), "hi")
    gateway.faults("404")
    with pytest.raises(SegmindModelNotFoundError, match="slug"):
        caller.invoke(create_model(model="gpt-99"), "hi")


def test_a_failure_that_passes_is_not_seen(caller, create_model, gateway) -> None:
    """Two failures and an answer are an answer."""
    gateway.script([fail(503), fail(429), "there you are"])
    assert caller.invoke(create_model(), "hi").text == "there you are"
    assert len(gateway.requests) == 3


def test_each_attempt_reads_the_key(caller, create_model, gateway) -> None:
    """A key that is rotated between two attempts is the one that is sent."""
    gateway.script([fail(503), "ok"])
    keys = iter([SECRET, SECRET])
    caller.invoke(create_model(api_key=lambda: next(keys)), "hi")
    assert next(keys, None) is None


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(lambda: {"retry-after": "1"}, id="seconds"),
        pytest.param(lambda: {"retry-after": formatdate(time.time() + 2, usegmt=True)}, id="date"),
        pytest.param(lambda: {"retry-after-ms": "1000"}, id="milliseconds"),
        pytest.param(lambda: {"x-rate-limit-reset-at-utc": str(time.time() + 1)}, id="reset"),
    ],
)
def test_the_servers_wait_is_waited_for(caller, create_model, gateway, headers) -> None:
    """The next attempt comes when the server says, not before."""
    gateway.script([{"status": 429, "headers": headers(), "body": {}}, "ok"])
    began = time.monotonic()
    caller.invoke(create_model(), "hi")
    assert 0.9 < time.monotonic() - began < 10


def test_a_long_wait_is_logged(caller, create_model, gateway, caplog) -> None:
    """Who waits should see why."""
    gateway.script([{"status": 503, "body": "busy"}, "ok"])
    caplog.set_level("INFO", logger="langchain_segmind")
    caller.invoke(create_model(), "hi")
    (record,) = (r for r in caplog.records if r.name == "langchain_segmind._http.retries")
    assert "Attempt 1 of 3 failed; the next one in" in record.getMessage()
    assert "busy" in record.getMessage()


def test_no_retries_means_one_attempt(caller, create_model, gateway) -> None:
    """`max_retries=0` leaves retrying to LangChain's own tools."""
    gateway.script([fail(503), "never"])
    with pytest.raises(SegmindAPIError):
        caller.invoke(create_model(max_retries=0), "hi")
    assert len(gateway.requests) == 1


def test_a_wait_longer_than_the_timeout_is_not_waited_for(caller, create_model, gateway) -> None:
    """The error comes at once and says how long to wait."""
    gateway.script([{"status": 429, "headers": {"retry-after": "3600"}}, "never"])
    with pytest.raises(SegmindRateLimitError) as caught:
        caller.invoke(create_model(timeout=60), "hi")
    assert caught.value.retry_after == 3600
    assert len(gateway.requests) == 1


class Recorder(BaseCallbackHandler):
    """Counts what LangChain tells."""

    def __init__(self) -> None:
        self.retries: list[int] = []
        self.starts = self.errors = 0

    def on_chat_model_start(self, *args, **kwargs) -> None:
        self.starts += 1

    def on_retry(self, retry_state, **kwargs) -> None:
        self.retries.append(retry_state.attempt_number)

    def on_llm_error(self, error, **kwargs) -> None:
        self.errors += 1


def test_every_retry_is_told(caller, create_model, gateway) -> None:
    """`on_retry` fires before each further attempt; a call has one start and one error."""
    gateway.script(lambda request: fail(503))
    recorder = Recorder()
    with pytest.raises(SegmindAPIError):
        caller.invoke(create_model(), "hi", config={"callbacks": [recorder]})
    assert (recorder.retries, recorder.starts, recorder.errors) == ([1, 2], 1, 1)


def test_the_rate_limiter_is_asked_for_each_attempt(caller, create_model, gateway) -> None:
    """Retries count against the account as well, and the async path never blocks."""
    gateway.script([fail(503), fail(503), "ok"])
    limiter = CountingLimiter()
    caller.invoke(create_model(rate_limiter=limiter), "hi")
    counts = (limiter.sync_calls, limiter.async_calls)
    assert counts == ((3, 0) if caller.runner is None else (0, 3))


ODD_REPLIES = [
    pytest.param({"body": "<html><p>busy</p></html>"}, "<html><p>busy", id="a page"),
    pytest.param({"body": ""}, "not JSON", id="nothing"),
    pytest.param({"body": {"error": {"message": "overloaded"}}}, "overloaded", id="an error"),
    pytest.param({"body": {"error": "quota"}}, "quota", id="an error text"),
    pytest.param({"body": {"choices": []}}, "no choices", id="no choices"),
    pytest.param({"body": {"choices": [{}]}}, "content", id="no message"),
    pytest.param({"body": [1, 2]}, "not a JSON object", id="a list"),
    pytest.param({"body": {"content": [{"type": "text", "text": "x"}]}}, "Anthropic", id="Claude"),
    pytest.param({"body": '{"choices": [{"mess'}, "not JSON", id="half of the JSON"),
]


@pytest.mark.parametrize(("reply", "words"), ODD_REPLIES)
def test_a_200_that_is_no_answer_is_typed_and_tried_once(
    caller, create_model, gateway, reply, words
) -> None:
    """It was billed, so it is not asked for again, neither by us nor by LangChain."""
    gateway.script([{"status": 200, "headers": {"x-remaining-credits": "3"}, **reply}, "never"])
    with pytest.raises(SegmindResponseError, match=words) as caught:
        caller.invoke(create_model(), "hi")
    assert caught.value.is_retryable is False
    assert caught.value.remaining_credits == 3
    assert len(gateway.requests) == 1
    assert caught.value.__context__ is None


@contextmanager
def listen(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Serve each connection one raw answer, then close it; the last answer repeats."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    received = b""
                    while not received.endswith((b"}", b"\r\n\r\n")):
                        received += connection.recv(65536)
                    requests.append(received)
                    connection.sendall(answers[min(len(requests), len(answers)) - 1])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/v1", requests
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_connection_dropped_before_any_answer_is_tried_again(caller, create_model) -> None:
    """Nothing of an answer arrived, so that there may still be one."""
    with listen(b"") as (base_url, requests), pytest.raises(SegmindConnectionError) as caught:
        caller.invoke(create_model(base_url=base_url, max_retries=1), "hi")
    assert caught.value.phase == "wait"
    assert len(requests) == 2


def test_a_body_cut_short_is_never_tried_again(caller, create_model) -> None:
    """An answer began, so the call may have been billed."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\nx-remaining-credits: 7\r\n\r\n{"
    with listen(answer) as (base_url, requests), pytest.raises(SegmindConnectionError) as caught:
        caller.invoke(create_model(base_url=base_url), "hi")
    assert (caught.value.phase, caught.value.status_code) == ("read", 200)
    assert caught.value.remaining_credits == 7
    assert len(requests) == 1


def test_an_error_cut_short_is_still_that_error(caller, create_model) -> None:
    """The status says enough."""
    answer = b"HTTP/1.1 401 No\r\ncontent-length: 500\r\n\r\n{"
    with (
        listen(answer) as (base_url, _),
        pytest.raises(SegmindAuthenticationError),
    ):
        caller.invoke(create_model(base_url=base_url), "hi")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"220 mail ready\r\n\r\n", id="mail"),
        pytest.param(b"HTTP/1.1 200 OK\r\na: \x00\r\n\r\n", id="a NUL in a header"),
        pytest.param(b"HTTP/1.1 200 OK\r\na: " + b"x" * 200_000, id="a header without end"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\n", id="two lengths"),
    ],
)
def test_an_answer_that_is_no_http_is_never_tried_again(caller, create_model, answer) -> None:
    """Something answered, so the call may have been billed."""
    with listen(answer) as (base_url, requests), pytest.raises(SegmindConnectionError) as caught:
        caller.invoke(create_model(base_url=base_url), "hi")
    assert caught.value.phase == "read"
    assert len(requests) == 1


@pytest.mark.parametrize("location", ["mailto:x", "http://xn--/", "http://x:abc/"])
def test_a_redirect_that_is_no_url_is_typed(caller, create_model, gateway, location) -> None:
    """Httpx reads where a redirect points to even if it does not follow."""
    gateway.script([{"status": 302, "headers": {"location": location}}, "never"])
    with pytest.raises(SegmindError) as caught:
        caller.invoke(create_model(), "hi")
    assert len(gateway.requests) == 1
    assert caught.value.__context__ is None


def test_a_hook_that_raises_for_the_status_is_understood(caller, create_model, gateway) -> None:
    """The caller's own client may raise httpx's error first."""
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


FORK = """
import os, sys
from langchain_segmind import ChatSegmindGPT4Turbo

model = ChatSegmindGPT4Turbo()
model.invoke("warm up")
child = os.fork()
name = "parent" if child else "child"
assert all(model.invoke(name).text == name for _ in range(20)), name
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_opens_connections_of_its_own(gateway) -> None:
    """Parent and child each get their own answers."""
    environment = {"SEGMIND_API_BASE": gateway.base_url, "SEGMIND_API_KEY": SECRET}
    subprocess.run(
        [sys.executable, "-c", FORK], env={**os.environ, **environment}, check=True, timeout=60
    )
    clients = {request.client for request in gateway.requests}
    assert len(clients) == 2


def test_a_refused_connection_is_tried_again(caller, create_model) -> None:
    """Nobody listens: an error that says so, after the retries."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    recorder = Recorder()
    with pytest.raises(SegmindConnectionError, match="refused|(attempts|call) failed") as caught:
        caller.invoke(
            create_model(base_url=f"http://127.0.0.1:{port}/v1", max_retries=1),
            "hi",
            config={"callbacks": [recorder]},
        )
    assert caught.value.phase == "connect"
    assert recorder.retries == [1]


def test_no_answer_in_time_is_a_timeout_and_tried_once(caller, create_model, gateway) -> None:
    """It may have been billed, so it is not asked for again."""
    gateway.faults("latency:5")
    with pytest.raises(SegmindTimeoutError, match="0.2") as caught:
        caller.invoke(create_model(timeout=0.2), "hi")
    assert caught.value.phase == "wait"
    assert len(gateway.requests) == 1


def test_asking_for_the_balance_fails_as_calls_do(caller, create_model, gateway) -> None:
    """`get_credits` raises the same errors after the same retries."""
    with pytest.raises(SegmindAuthenticationError):
        caller.get_credits(create_model(api_key="another-fake-key"))
    with listen(b"") as (base_url, requests), pytest.raises(SegmindConnectionError):
        caller.get_credits(create_model(base_url=base_url, max_retries=1))
    assert len(requests) == 2


def test_a_run_out_of_credits_says_where_to_buy(caller) -> None:
    """The balance and the need stand in the server's words."""
    with Gateway(api_key=SECRET, credits="0.0001") as gateway:
        model = ChatSegmindGPT4Turbo(base_url=gateway.base_url, api_key=SECRET)
        with pytest.raises(SegmindInsufficientCreditsError, match="segmind.com") as caught:
            caller.invoke(model, "a long prompt " * 100)
    assert caught.value.status_code == 406


async def test_cancelling_a_call_ends_it(create_model, gateway) -> None:
    """`asyncio.timeout` ends the call with its own error."""
    gateway.faults("latency:5")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(create_model().ainvoke("hi"), 0.2)
