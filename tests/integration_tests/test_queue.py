"""Calls and jobs of Segmind's queue, over HTTP: nothing is lost, and nothing paid twice."""

import asyncio
import json
import logging
import pickle
import threading
import time
from typing import Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_segmind import (
    ChatSegmind,
    SegmindAPIError,
    SegmindAuthenticationError,
    SegmindBudgetExceededError,
    SegmindConnectionError,
    SegmindContextOverflowError,
    SegmindError,
    SegmindInsufficientCreditsError,
    SegmindInvalidRequestError,
    SegmindJob,
    SegmindModelNotFoundError,
    SegmindOutputError,
    SegmindRateLimitError,
    SegmindResponseError,
    SegmindTimeoutError,
    get_segmind_credits_callback,
)
from langchain_segmind._chat import refusals
from langchain_segmind._http import Sender, polling, queue
from langchain_segmind._http.attempt import MAX_BODY_BYTES
from langchain_segmind.callbacks import handler
from langchain_segmind.gateway import Completion, Gateway
from tests.conftest import SECRET, Caller, own_client
from tests.support.limiters import CountingLimiter
from tests.support.raw_server import RawServer, answer, close, silence
from tests.support.scripts import add, write_object

pytestmark = [pytest.mark.every_format, pytest.mark.usefixtures("no_back_off", "quick_polls")]


@pytest.fixture
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll every few milliseconds."""
    for name in ("FIRST_WAIT_SECONDS", "MAX_WAIT_SECONDS", "MIN_POLL_SECONDS"):
        monkeypatch.setattr(polling, name, 0.005)


@pytest.fixture
def model(create_model) -> ChatSegmind:
    """Return a model that uses the queue."""
    return create_model(use_queue=True)


def get_facts(message: Any) -> dict[str, Any]:
    """Return what is the same whichever endpoint a reply comes from."""
    own = {"id", "request_id", "generation_time", "queue_time", "total_time", "remaining_credits"}
    metadata = message.response_metadata
    return {
        "content": message.content,
        "usage": message.usage_metadata,
        "calls": [(call["name"], call["args"]) for call in message.tool_calls],
        "metadata": {name: value for name, value in metadata.items() if name not in own},
    }


# --- Calls ---


def test_a_queued_call_returns_what_v1_returns(caller, create_model, gateway, model, slug) -> None:
    """The same message, with the times of the job."""
    gateway.script(["Hello.", "Hello."])
    plain, queued = caller.invoke(create_model(), "hi"), caller.invoke(model, "hi")
    assert get_facts(queued) == get_facts(plain)
    assert [request.path for request in gateway.requests] == [f"/v1/{slug}", f"/v2/{slug}"]
    assert gateway.requests[0].json == gateway.requests[1].json
    times = {"generation_time", "queue_time", "total_time"}
    assert times <= queued.response_metadata.keys()
    assert {poll.job_id for poll in gateway.polls} == {queued.response_metadata["request_id"]}


def test_a_new_job_is_not_asked_for_at_once(caller, model, monkeypatch) -> None:
    """No model is so quick, and each poll is a request."""
    monkeypatch.setattr(polling, "FIRST_WAIT_SECONDS", 0.3)
    start = time.monotonic()
    caller.invoke(model, "hi")
    assert time.monotonic() - start >= 0.3


def test_every_method_uses_the_queue(caller, gateway, model) -> None:
    """Streams too, and tools."""
    gateway.script(["One.", "Two.", "Three.", "[add(a=1, b=2)]"])
    assert "".join(chunk.text for chunk in caller.stream(model, "hi")) == "One."
    assert sorted(reply.text for reply in caller.batch(model, ["hi", "hi"])) == ["Three.", "Two."]
    assert caller.invoke(model.bind_tools([add]), "hi").tool_calls[0]["args"] == {"a": 1, "b": 2}
    assert all(request.is_queued for request in gateway.requests)


class Town(BaseModel):
    """A town."""

    mayor: str


def test_an_unusable_reply_is_asked_for_again_as_another_job(caller, gateway, model) -> None:
    """Each is billed."""
    gateway.script(["I do not know.", write_object(model, "Town", mayor="Ann")])
    structured = model.with_structured_output(Town, include_raw=True)
    reply = caller.invoke(structured, "hi")
    assert reply["parsed"] == Town(mayor="Ann")
    assert [request.is_queued for request in gateway.requests] == [True] * 2
    assert len({poll.job_id for poll in gateway.polls}) == 2


@pytest.mark.parametrize(
    ("name", "path"), [("gpt-5", "/v2/gpt-5"), ("gpt-5.4-mini", "/v1/gpt-5.4-mini")]
)
@pytest.mark.openai_only("the models are named")
def test_slow_models_use_the_queue_by_default(caller, create_model, gateway, name, path) -> None:
    """Those that take more than half a minute on average."""
    model = create_model(model=name)
    caller.invoke(model, "hi")
    caller.invoke(model, "hi", use_queue=False)
    assert [request.path for request in gateway.requests] == [path, f"/v1/{name}"]


def test_the_default_timeout_of_a_queued_call_is_longer(create_model) -> None:
    """One that is set is not changed."""

    def get_timeout(*, arguments: dict[str, Any] | None = None, **fields: Any) -> Any:
        return create_model(**fields)._get_settings(None, arguments).timeout

    assert get_timeout() == 120
    assert get_timeout(use_queue=True) == 600
    assert get_timeout(arguments={"use_queue": True}) == 600
    assert get_timeout(use_queue=True, timeout=120) == 120
    assert get_timeout(use_queue=True, arguments={"timeout": 7}) == 7
    assigned = create_model(use_queue=True)
    assigned.timeout = 5
    assert assigned._get_settings().timeout == 5


def test_a_cached_reply_submits_nothing(caller, create_model, gateway) -> None:
    """The endpoint does not change the reply."""
    cache = InMemoryCache()
    caller.invoke(create_model(cache=cache), "hi")
    caller.invoke(create_model(cache=cache, use_queue=True), "hi")
    assert len(gateway.requests) == 1


def test_only_submissions_take_a_slot(caller, create_model, gateway) -> None:
    """Polls are no requests of the account's limit; a submission that is refused is sent again."""
    limiter = CountingLimiter()
    gateway.faults("429,ok")
    model = create_model(use_queue=True, rate_limiter=limiter)
    caller.invoke(model, "hi")
    assert limiter.asked == 2
    assert len(gateway.polls) >= 2


def test_credits_are_counted_once(caller, gateway, model) -> None:
    """With the job's price, tokens and balance."""
    with get_segmind_credits_callback() as credits_:
        reply = caller.invoke(model, "hi")
    assert credits_.total.calls == 1
    assert credits_.total.cost == reply.response_metadata["cost"] > 0
    assert credits_.total.total_tokens == reply.usage_metadata["total_tokens"]
    assert credits_.remaining_credits == reply.response_metadata["remaining_credits"]


def test_a_call_beyond_a_budget_is_not_submitted(caller, gateway, model) -> None:
    """As with v1, and for jobs too."""
    with get_segmind_credits_callback(budget=0):
        for method in ("invoke", "submit"):
            with pytest.raises(SegmindBudgetExceededError):
                getattr(caller, method)(model, "hi")
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("output", "text"),
    [
        pytest.param({"choices": [{"message": {"content": "Hi."}}]}, "Hi.", id="object"),
        pytest.param("Plain text.", "Plain text.", id="text"),
        pytest.param("42", "42", id="number in a string"),
        pytest.param(42, "42", id="number"),
        pytest.param(False, "false", id="flag"),
    ],
)
@pytest.mark.openai_only("the queue's answers have no format")
def test_an_output_is_read_whatever_json_it_is(caller, gateway, model, output, text) -> None:
    """A provider's JSON need not be a string, and a text need not be a provider's JSON."""
    gateway.script([Completion("Hi.", result={"output": output})])
    assert caller.invoke(model, "hi").text == text


class Events(BaseCallbackHandler):
    """Records the events of runs."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        """Record it."""
        self.names.append("start")

    def on_retry(self, *_: Any, **__: Any) -> None:
        """Record it."""
        self.names.append("retry")

    def on_llm_end(self, *_: Any, **__: Any) -> None:
        """Record it."""
        self.names.append("end")


def test_callbacks_see_one_call(caller, gateway, model) -> None:
    """With a submission that is refused, and polls that fail."""
    gateway.faults("503,ok", "poll:503,drop,ok")
    events = Events()
    caller.invoke(model, "hi", config={"callbacks": [events]})
    assert events.names == ["start", "retry", "end"]


@pytest.mark.openai_only("the queue's answers have no format")
def test_the_key_is_sent_to_no_host_that_an_answer_names(caller) -> None:
    """Polls go to the server that the job was submitted to."""
    done = answer_queue("COMPLETED", request_id="job-1", output="Hi.")
    with RawServer([done]) as other:
        urls = {name: other.get_url() for name in ("poll_url", "status_url", "response_url")}
        submitted = answer_queue("QUEUED", request_id="job-1", **urls)
        with RawServer([submitted], [done]) as server:
            model = caller.connect(server.get_url(), use_queue=True)
            assert caller.invoke(model, "hi").text == "Hi."
            assert (len(server.requests), other.requests) == (3, [])


# --- Failures ---


def test_a_refused_submission_is_sent_again(caller, gateway, model) -> None:
    """A 503 has accepted nothing."""
    gateway.faults("503,503,ok")
    assert caller.invoke(model, "hi").text == "hi"
    assert len({poll.job_id for poll in gateway.polls}) == 1


def test_a_submission_that_does_not_connect_is_sent_again(caller, slug) -> None:
    """Nothing was accepted, so the error is that of v1."""
    with RawServer([close]) as server:
        url = server.get_url()
    model = caller.connect(url, model=slug, use_queue=True, max_retries=1)
    with pytest.raises(SegmindConnectionError, match=r"Check the network.*2 attempts") as caught:
        caller.invoke(model, "hi")
    assert (caught.value.phase, caught.value.is_retryable) == ("connect", True)


@pytest.mark.parametrize("fault", ["late-drop", "cut"])
def test_a_submission_that_breaks_off_is_never_repeated(caller, gateway, model, fault) -> None:
    """The job runs and is billed: the error says that this is not known."""
    gateway.faults(fault)
    with pytest.raises(
        SegmindConnectionError, match="unknown whether the queue accepted"
    ) as caught:
        caller.invoke(model, "hi")
    assert caught.value.phase == "submit"
    assert len(gateway.requests) == 1
    assert gateway.polls == []


def test_a_submission_without_an_answer_in_time_is_never_repeated(caller, slug) -> None:
    """A server that gave up, or our own timeout."""
    scripts = [[answer(b"gateway timeout", status="504 Gateway Timeout")], [close]]
    with RawServer(*scripts) as server:
        model = caller.connect(server.get_url(), model=slug, use_queue=True, timeout=5)
        for expected in (SegmindAPIError, SegmindConnectionError):
            with pytest.raises(expected) as caught:
                caller.invoke(model, "hi")
            assert caught.value.phase == "submit"
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(answer(b"?", "content-encoding: gzip"), id="encoded"),
        pytest.param(answer(b" " * (MAX_BODY_BYTES + 1)), id="too long"),
    ],
)
@pytest.mark.openai_only("errors are the same in every format")
def test_a_submission_whose_success_cannot_be_read_may_be_accepted(caller, response) -> None:
    """A batch that takes it for refused would submit the row again."""
    with RawServer([response]) as server:
        model = caller.connect(server.get_url(), use_queue=True)
        for act in (caller.invoke, caller.submit):
            with pytest.raises(SegmindResponseError, match="may run and be billed") as caught:
                act(model, "hi")
            assert caught.value.phase == "submit"
        assert len(server.requests) == 2


def test_a_server_without_a_queue_is_named(caller, slug) -> None:
    """A proxy may know v1 only."""
    with RawServer([answer(b"Not found", status="404 Not Found")]) as server:
        model = caller.connect(server.get_url(), model=slug, use_queue=True)
        with pytest.raises(SegmindModelNotFoundError, match="use_queue=False"):
            caller.invoke(model, "hi")


def test_failed_polls_are_made_again(caller, gateway, model) -> None:
    """As long as the time allows, whatever breaks."""
    gateway.faults("poll:503,drop,cut,html,not-json,429,ok")
    assert caller.invoke(model, "hi").text == "hi"
    assert len(gateway.requests) == 1
    assert len(gateway.polls) >= 8


@pytest.mark.parametrize(
    ("status", "words", "error_class"),
    [
        (400, "maximum context length exceeded", SegmindContextOverflowError),
        (422, "Validation error: temperature must be a number", SegmindInvalidRequestError),
        (500, "The worker crashed", SegmindAPIError),
    ],
)
def test_a_failed_job_is_an_error_with_the_servers_words(
    caller, gateway, model, status, words, error_class
) -> None:
    """It costs nothing, and is not repeated."""
    gateway.script([{"status": status, "body": {"error": words}}])
    balance = caller.get_credits(model).total
    with get_segmind_credits_callback() as credits_, pytest.raises(error_class) as caught:
        caller.invoke(model, "hi")
    assert words in str(caught.value)
    assert caught.value.request_id == gateway.polls[-1].job_id
    assert credits_.total.cost == 0
    assert caller.get_credits(model).total == balance
    assert sum(request.is_queued for request in gateway.requests) == 1


def test_used_up_credits_refuse_the_submission(caller, slug) -> None:
    """Before a job exists."""
    with Gateway(api_key=SECRET, credits=0) as gateway:
        model = caller.connect(gateway.base_url, model=slug, use_queue=True)
        with pytest.raises(SegmindInsufficientCreditsError):
            caller.invoke(model, "hi")
        assert gateway.polls == []


def test_a_call_that_is_late_can_be_fetched_without_paying_again(caller, slug, monkeypatch) -> None:
    """The error has the id of the job."""
    is_done = threading.Event()

    async def wait(request: Any) -> str:
        await asyncio.to_thread(is_done.wait, 20)
        return "Here it is."

    with Gateway(api_key=SECRET, credits=10, replies=wait) as gateway:
        model = caller.connect(gateway.base_url, model=slug, use_queue=True, timeout=60)
        with monkeypatch.context() as patch, get_segmind_credits_callback() as credits_:
            patch.setattr(polling, "MIN_POLL_SECONDS", 1e9)  # no time for a second poll
            with pytest.raises(SegmindTimeoutError, match="get_job") as caught:
                caller.invoke(model, "hi")
        assert credits_.total.is_cost_estimated
        job = model.get_job(caught.value.request_id)
        assert caller.status(job) in {"queued", "processing"}
        with pytest.raises(SegmindTimeoutError):
            caller.result(job, timeout=0.1)
        is_done.set()
        assert caller.result(job, timeout=20).text == "Here it is."
        assert sum(request.is_queued for request in gateway.requests) == 1
        assert 10 - caller.get_credits(model).total == pytest.approx(
            caller.result(job).response_metadata["cost"]
        )


async def test_a_cancelled_call_stops_polling(slug, monkeypatch) -> None:
    """Segmind has no cancel: the job runs on, and is estimated as unanswered."""
    is_done, has_polled = threading.Event(), threading.Event()
    ask = Sender.asend

    async def report(sender: Sender, request: Any) -> Any:
        response = await ask(sender, request)
        if request.method == "GET":
            has_polled.set()
        return response

    monkeypatch.setattr(Sender, "asend", report)

    async def wait(request: Any) -> str:
        await asyncio.to_thread(is_done.wait, 20)
        return "Late."

    with Gateway(api_key=SECRET, credits=10, replies=wait) as gateway:
        model = Caller(None).connect(gateway.base_url, model=slug, use_queue=True)
        with get_segmind_credits_callback() as credits_:
            call = asyncio.create_task(model.ainvoke("hi"))
            await asyncio.to_thread(has_polled.wait, 20)
            call.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await call
        assert gateway.polls[0].job_id in "".join(caught.value.__notes__)
        polls = len(gateway.polls)
        assert credits_.total.is_cost_estimated
        is_done.set()
        job = model.get_job(gateway.polls[0].job_id)
        assert (await job.aresult(timeout=20)).text == "Late."
        assert len(gateway.polls) >= polls + 2
        await model.aclose()


def test_an_interrupted_call_names_the_job(gateway, create_model) -> None:
    """Ctrl+C, for example: the job runs on, and is estimated as unanswered."""
    keys = iter([SECRET])

    def get_key() -> str:
        if key := next(keys, None):
            return key
        raise KeyboardInterrupt

    model = create_model(use_queue=True, api_key=get_key)
    with get_segmind_credits_callback() as credits_, pytest.raises(KeyboardInterrupt) as caught:
        model.invoke("hi")
    assert "get_job(" in "".join(caught.value.__notes__)
    assert credits_.total.is_cost_estimated
    assert len(gateway.requests) == 1


V1_ADVICE = (
    "a 500 that persists",
    "model's slug",
    "Raise timeout",
    "rate_limiter",
    "choose another",
)
"""What is said of a failed call of v1, and helps with no poll and no failed job."""


@pytest.mark.parametrize(
    "fault", ["400", "401", "402", "403", "408", "422", "429", "500", "drop", "cut"]
)
@pytest.mark.openai_only("errors are the same in every format")
def test_errors_of_polls_say_how_to_fetch_the_result(
    caller, gateway, model, monkeypatch, fault
) -> None:
    """Whatever fails after the submission: the job runs, and was paid for."""
    monkeypatch.setattr(polling, "MIN_POLL_SECONDS", 1e9)  # the first poll is the last
    gateway.faults(f"poll:{fault},{fault},{fault}")
    with pytest.raises(SegmindError) as caught:
        caller.invoke(model, "hi")
    request_id = caught.value.request_id
    assert request_id
    for act in (caller.status, caller.result):
        with pytest.raises(SegmindError) as again:
            act(model.get_job(request_id))
        for error in (caught.value, again.value):
            assert error.request_id == request_id
            assert f"model.get_job({request_id!r}).result() fetches its result" in str(error)
            assert not any(advice in str(error) for advice in V1_ADVICE)
            assert "billed" not in str(error)
            assert pickle.loads(pickle.dumps(error)).request_id == request_id
            assert not error.is_retryable
    assert caller.result(model.get_job(request_id)).text == "hi"


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.openai_only("errors are the same in every format")
def test_a_job_that_is_gone_is_no_missing_model(caller, gateway, model, status) -> None:
    """The error names the job, not a slug to look up."""
    job = model.get_job(caller.submit(model, "hi").request_id)
    gateway.faults(f"poll:{status},{status}")
    for act in (caller.status, caller.result):
        with pytest.raises(SegmindInvalidRequestError, match="kept for about an hour") as caught:
            act(job)
        assert job.request_id in str(caught.value)
        assert "slug" not in str(caught.value)


@pytest.mark.parametrize("status", [408, 502, 504, 524])
@pytest.mark.openai_only("errors are the same in every format")
def test_a_lost_submission_has_no_advice_to_try_again(caller, gateway, model, status) -> None:
    """It may be billed."""
    gateway.faults(str(status))
    with pytest.raises(SegmindError, match="may run and be billed") as caught:
        caller.invoke(model, "hi")
    assert not any(advice in str(caught.value) for advice in (*V1_ADVICE, "Try again"))


def test_an_error_of_a_failed_job_has_advice_for_jobs(caller, gateway, model) -> None:
    """Not that of a 500 of v1."""
    gateway.script([{"status": 500, "body": {"error": "The worker crashed"}}])
    with pytest.raises(SegmindAPIError, match="Submit it again") as caught:
        caller.invoke(model, "hi")
    assert not any(advice in str(caught.value) for advice in V1_ADVICE)


def test_a_failed_job_is_known_as_such_behind_a_clients_hook(caller, gateway, create_model) -> None:
    """Which reads the body and raises the 422: there is no result to fetch."""

    def check(response: httpx.Response) -> None:
        response.read()
        response.raise_for_status()

    async def acheck(response: httpx.Response) -> None:
        await response.aread()
        response.raise_for_status()

    hook = check if caller.runner is None else acheck
    gateway.script([{"status": 500, "body": {"error": "The worker crashed"}}])
    with (
        own_client(caller, event_hooks={"response": [hook]}) as client,
        pytest.raises(SegmindAPIError, match="The worker crashed") as caught,
    ):
        caller.invoke(create_model(use_queue=True, **client), "hi")
    assert caught.value.job_failed


def test_a_job_is_submitted_and_fetched_with_the_users_own_client(
    caller, gateway, create_model
) -> None:
    """Which may be the only one that reaches the server."""
    paths: list[str] = []

    def record(request: httpx.Request) -> None:
        paths.append(request.url.path.rpartition("/")[2])

    async def arecord(request: httpx.Request) -> None:
        record(request)

    hook = record if caller.runner is None else arecord
    gateway.script(["Hello"])
    with own_client(caller, event_hooks={"request": [hook]}) as client:
        model = create_model(use_queue=True, **client)
        job = caller.submit(model, "hi")
        assert caller.result(job).text == "Hello"
    slug, *polls, result = paths
    assert (slug, set(polls), result) == (model.model, {"status"}, job.request_id)


OUTPUTS = [
    pytest.param({"output": None}, "has no output", id="none"),
    pytest.param({"output": '{"error": {"message": "overloaded"}}'}, "overloaded", id="error"),
    pytest.param({"output": '{"choices": []}'}, "no choices", id="no choices"),
]


@pytest.mark.parametrize(("result", "words"), OUTPUTS)
@pytest.mark.openai_only("errors are the same in every format")
def test_a_job_without_a_reply_is_counted_with_its_price(
    caller, gateway, model, result, words
) -> None:
    """It was billed; the error says so, and that the id is what Segmind's support needs."""
    gateway.script([Completion("hi", result=result)])
    with (
        get_segmind_credits_callback() as credits_,
        pytest.raises(SegmindResponseError, match=words) as caught,
    ):
        caller.invoke(model, "hi")
    assert "The job was billed" in str(caught.value)
    assert caught.value.request_id == gateway.polls[-1].job_id
    assert credits_.total.cost > 0
    assert not credits_.total.is_cost_estimated


def answer_queue(status: str, code: str = "200 OK", **fields: Any) -> bytes:
    """Return an answer of the queue as raw bytes."""
    return answer(json.dumps({"status": status, **fields}).encode(), status=code)


@pytest.mark.openai_only("the queue's answers have no format")
def test_a_failed_job_with_a_success_as_its_status_costs_nothing(caller) -> None:
    """A FAILED job is not billed, whether the server answers 422 or 200."""
    submitted = answer_queue("QUEUED", request_id="job-1")
    failed = answer_queue("FAILED", error="crashed", metrics={"remaining_credits": 5})
    with RawServer([submitted], [failed]) as server:
        model = caller.connect(server.get_url(), use_queue=True)
        with get_segmind_credits_callback() as credits_:
            credits_.update_balance(9)
            with pytest.raises(SegmindAPIError, match="crashed"):
                caller.invoke(model, "hi")
    assert (credits_.total.cost, credits_.total.is_cost_estimated) == (0, False)
    assert credits_.remaining_credits == 5


@pytest.mark.openai_only("the queue's answers have no format")
def test_an_answer_for_another_job_is_refused(caller) -> None:
    """A server or proxy that mixes up answers would give the reply to somebody else's prompt."""
    submitted = answer_queue("QUEUED", request_id="job-1")
    other = answer_queue("COMPLETED", request_id="job-2", output="Another's reply.")
    with RawServer([submitted], [other]) as server:
        model = caller.connect(server.get_url(), use_queue=True)
        job = model.get_job("job-1")
        for act in (lambda: caller.invoke(model, "hi"), lambda: caller.result(job)):
            with pytest.raises(SegmindResponseError, match="answered for another one") as caught:
                act()
            assert caught.value.request_id == "job-1"
            assert "get_job('job-1')" in str(caught.value)
        with pytest.raises(SegmindResponseError, match="answered for another one"):
            caller.status(job)


@pytest.mark.openai_only("the queue's answers have no format")
def test_a_result_of_another_job_is_asked_for_again(caller) -> None:
    """The status was that of the right one."""
    own = answer_queue("COMPLETED", request_id="job-1", output="Mine.")
    other = answer_queue("COMPLETED", request_id="job-2", output="Another's reply.")
    with RawServer([own], [other], [own]) as server:
        model = caller.connect(server.get_url(), use_queue=True)
        assert caller.result(model.get_job("job-1")).text == "Mine."
        assert len(server.requests) == 4


@pytest.mark.openai_only("the message is the same in every format")
def test_a_failed_job_with_an_images_url_says_what_to_pass(caller, gateway, model) -> None:
    """As v1 does for a 400."""
    gateway.script([{"status": 400, "body": {"error": "Invalid image"}}])
    image = {"type": "image_url", "image_url": {"url": "https://host/cat.png"}}
    message = {"role": "user", "content": [image]}
    with pytest.raises(SegmindInvalidRequestError, match="pass the image as Base64"):
        caller.invoke(model, [message], model="gpt-4o")


def test_a_long_job_is_logged_once(caller, gateway, model, monkeypatch, caplog) -> None:
    """With its id, so that it can be found again."""
    monkeypatch.setattr(polling, "LONG_JOB_SECONDS", 0.0)
    gateway.faults("poll:503,503,ok")
    with caplog.at_level(logging.INFO, logger="langchain_segmind._http.polling"):
        caller.invoke(model, "hi")
    (record,) = caplog.records
    assert gateway.polls[0].job_id in record.getMessage()


@pytest.mark.openai_only("the queue's answers have no format")
def test_a_result_that_does_not_arrive_is_asked_for_again(caller, monkeypatch) -> None:
    """Whatever the time that is left: the connection may be dead."""
    monkeypatch.setattr(queue, "RESULT_SECONDS", 0.3)
    done = answer_queue("COMPLETED", request_id="job-1", output="Hi.")
    with RawServer([done], [silence], [done]) as server:
        model = caller.connect(server.get_url())
        assert caller.result(model.get_job("job-1"), timeout=10).text == "Hi."
        assert len(server.requests) == 4


# --- Jobs ---


@pytest.mark.openai_only("the queue's answers have no format")
def test_a_job_that_was_just_submitted_may_be_unknown(caller, model, gateway) -> None:
    """Here, and in a process that gets it as JSON or as a pickle."""
    job = caller.submit(model, "hi")
    stored = json.loads(json.dumps(job.to_dict()))
    for each in (job, SegmindJob.from_dict(stored, model), pickle.loads(pickle.dumps(job))):
        gateway.faults("poll:404,404,ok")
        assert caller.status(each) == "queued"
        assert caller.result(each).text == "hi"
    gateway.faults("poll:404,404,ok")
    old = SegmindJob.from_dict({**stored, "submitted_at": stored["submitted_at"] - 60}, model)
    for act in (caller.status, caller.result):
        with pytest.raises(SegmindInvalidRequestError, match="kept for about an hour"):
            act(old)


def test_a_job_is_submitted_here_and_fetched_elsewhere(caller, gateway, model) -> None:
    """As a pickle, and as JSON; its tools are read as they were bound."""
    gateway.script(["[add(a=1, b=2)]"])
    job = caller.submit(model.bind_tools([add]), "1 + 2?")
    assert caller.status(job) == "completed"
    jobs = [
        job,
        pickle.loads(pickle.dumps(job)),
        SegmindJob.from_dict(json.loads(json.dumps(job.to_dict())), model),
        model.bind_tools([add]).get_job(job.request_id),
    ]
    replies = [caller.result(each) for each in jobs]
    assert [reply.tool_calls[0]["args"] for reply in replies] == [{"a": 1, "b": 2}] * 4
    assert len(gateway.requests) == 1


def test_a_job_with_a_schema_is_submitted_as_a_tool(caller, gateway, model) -> None:
    """`with_structured_output` has no `submit`."""
    gateway.script(['[Town(mayor="Ann")]'])
    bound = model.bind_tools([Town], tool_choice="Town")
    job = caller.submit(bound, "Who governs Oslo?")
    stored = json.loads(json.dumps(job.to_dict()))
    for each in (job, SegmindJob.from_dict(stored, model), bound.get_job(job.request_id)):
        reply = caller.result(each)
        assert Town(**reply.tool_calls[0]["args"]) == Town(mayor="Ann")
    assert not hasattr(model.with_structured_output(Town), "submit")


def test_a_job_with_a_response_format_returns_json(caller, gateway, model) -> None:
    """The schema is stored with it, so the reply is checked wherever it is fetched."""
    gateway.script(['It is {"mayor": "Ann"}.', "I do not know."])
    schema = {"name": "Town", "schema": Town.model_json_schema()}
    wanted = {"type": "json_schema", "json_schema": schema}
    good, bad = (caller.submit(model, "Who?", response_format=wanted) for _ in range(2))
    good, bad = (
        SegmindJob.from_dict(json.loads(json.dumps(job.to_dict())), model) for job in (good, bad)
    )
    assert Town.model_validate_json(caller.result(good).text) == Town(mayor="Ann")
    with pytest.raises(SegmindOutputError, match="submit it again") as caught:
        caller.result(bad)
    assert caught.value.request_id == bad.request_id
    assert "output_retries" not in str(caught.value)


@tool
def look_up(town: str) -> str:
    """Look up a town."""
    return town


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param({"timeout": httpx.Timeout(30)}, set(), id="httpx.Timeout"),
        pytest.param({"timeout": 30.0, "temperature": 1, "seed": 1}, set(), id="other settings"),
        pytest.param({"tools": [add]}, {"tools"}, id="function"),
        pytest.param({"tools": [Town]}, {"tools"}, id="pydantic class"),
        pytest.param({"tools": [look_up], "strict": True}, {"tools", "strict"}, id="BaseTool"),
        pytest.param({"stop": ["x"]}, {"stop"}, id="stop"),
        pytest.param({"model_name": "gpt-4o"}, {"model"}, id="model_name"),
        pytest.param(
            {"functions": [{"name": "look_up", "parameters": {}}]},
            {"functions"},
            id="functions",
        ),
    ],
)
@pytest.mark.openai_only("what a job stores has no format")
def test_a_job_stores_as_json_what_decides_how_its_reply_is_read(
    caller, model, arguments, names
) -> None:
    """And nothing else: it survives a database, whatever the call was passed."""
    job = caller.submit(model, "hi", **arguments)
    stored = json.loads(json.dumps(job.to_dict()))
    assert stored["arguments"].keys() == names
    assert SegmindJob.from_dict(stored, model) == job
    assert caller.result(SegmindJob.from_dict(stored, model)).text == "hi"


class Unwritable:
    """Not JSON."""


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(
            {
                "tools": [
                    {
                        "title": "A",
                        "description": "A.",
                        "type": "object",
                        "properties": {"a": {"type": "string", "enum": [Unwritable()]}},
                    }
                ]
            },
            id="tools",
        ),
        pytest.param(
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "A", "schema": {"x": Unwritable()}},
                }
            },
            id="response_format",
        ),
        pytest.param({"response_format": Town}, id="class"),
        pytest.param({"tags": ["a"]}, id="tags"),
        pytest.param({"callbacks": [Unwritable()]}, id="callbacks"),
        pytest.param({"http_client": httpx.Client()}, id="client"),
        pytest.param({"config": {"tags": ["a"]}}, id="config"),
        pytest.param({"tools": iter([add])}, id="iterator"),
    ],
)
@pytest.mark.openai_only("what a job stores has no format")
def test_a_job_that_cannot_be_stored_is_refused_before_it_is_paid(
    caller, gateway, model, arguments
) -> None:
    """Its JSON would be missed only after the submission."""
    with pytest.raises((TypeError, ValueError)):
        caller.submit(model, "hi", **arguments)
    assert gateway.requests == []


def test_a_job_is_read_by_its_own_model_only(caller, create_model) -> None:
    """Another one would read the reply by other rules, and report another name."""
    model = create_model(model="gpt-5")
    claude = create_model(model="claude-4.5-sonnet")
    plain, overridden = caller.submit(model, "hi"), caller.submit(claude, "hi", model="gpt-5")
    for job in (plain, overridden):
        stored = job.to_dict()
        assert stored["model"] == "gpt-5"
        assert caller.result(SegmindJob.from_dict(stored, model)).text == "hi"
    with pytest.raises(ValueError, match=r"'gpt-5'.*Pass ChatSegmind\(model='gpt-5'\)"):
        SegmindJob.from_dict(plain.to_dict(), claude)
    assert SegmindJob.from_dict(overridden.to_dict(), claude).arguments == {"model": "gpt-5"}


def test_a_jobs_reply_is_returned_without_its_name(caller, gateway, model) -> None:
    """As that of a call, where several models speak."""
    replies = [AIMessage("One.", name="Ann"), AIMessage("Two.", name="Bob")]
    gateway.script(["<name>Ann</name><content>Three.</content>"] * 2)
    history = [HumanMessage("Count."), *replies, HumanMessage("Go on.")]
    job = caller.submit(model, history)
    stored = json.loads(json.dumps(job.to_dict()))
    jobs = [job, SegmindJob.from_dict(stored, model)]
    texts = [caller.invoke(model, history).text, *(caller.result(each).text for each in jobs)]
    assert texts == ["Three."] * 3


@pytest.mark.openai_only("a format that the server refuses")
def test_a_job_is_submitted_without_a_format_that_was_refused(
    caller, gateway, model, monkeypatch
) -> None:
    """A call has learned it from the job that failed."""
    monkeypatch.setattr(refusals, "REFUSALS", refusals.Refusals())
    refusal = {"status": 400, "body": {"error": "response_format is not supported"}}
    gateway.script([refusal, "{}", "{}"])
    arguments = {"response_format": {"type": "json_object"}, "native_response_format": True}
    caller.invoke(model, "JSON", **arguments)
    job = caller.submit(model, "JSON", **arguments)
    assert caller.result(job).text == "{}"
    formats = ["response_format" in request.json for request in gateway.requests]
    assert formats == [True, False, False]


def test_a_job_as_json_has_no_secret(create_model) -> None:
    """Its model's key, headers and password are left out."""
    model = create_model(
        base_url="https://user:fake-password@host/v1", default_headers={"x-token": "fake-token"}
    )
    stored = json.dumps(model.get_job("job-1").to_dict())
    assert not any(secret in stored for secret in (SECRET, "fake-password", "fake-token"))
    assert SECRET not in repr(model.get_job("job-1"))


def test_a_job_is_fetched_from_its_own_server_only(create_model) -> None:
    """The key is not sent to a server that stored text names."""
    stored = create_model(base_url="https://elsewhere/v1").get_job("job-1").to_dict()
    with pytest.raises(ValueError, match="submitted to 'https://elsewhere/v1'"):
        SegmindJob.from_dict(stored, create_model())
    with pytest.raises(ValueError, match="This is not a job"):
        SegmindJob.from_dict({"request_id": "job-1"}, create_model())
    stored = create_model().get_job("job-1").to_dict()
    for changed in (
        *[{"arguments": value} for value in (None, 5, [], "x")],
        *[{"speakers": value} for value in (None, 5, "Ann", [["Ann"]])],
        *[{"submitted_at": value} for value in ("now", [])],
    ):
        with pytest.raises(ValueError, match="This is not a job"):
            SegmindJob.from_dict({**stored, **changed}, create_model())
    with pytest.raises(TypeError, match="temprature"):
        SegmindJob.from_dict({**stored, "arguments": {"temprature": 1}}, create_model())


@pytest.mark.parametrize("request_id", ["", "../v1/x", "a/b", "a b", 5, None, "x" * 200])
def test_an_id_that_leads_elsewhere_is_refused(create_model, request_id) -> None:
    """It becomes a part of the URL that the key is sent to."""
    with pytest.raises(ValueError, match="not a request ID"):
        create_model().get_job(request_id)


def test_the_cost_of_a_job_is_counted_where_it_is_fetched(caller, gateway, model) -> None:
    """Once, and the call where it is submitted."""
    with get_segmind_credits_callback() as submitting:
        job = caller.submit(model, "hi")
    with get_segmind_credits_callback() as fetching:
        reply, _ = caller.result(job), caller.result(job)
    assert (submitting.total.calls, submitting.total.cost) == (1, 0)
    assert (fetching.total.calls, fetching.total.cost) == (0, reply.response_metadata["cost"])


def test_a_job_that_is_paid_is_fetched_beyond_a_budget(caller, model) -> None:
    """Its result costs nothing more."""
    with get_segmind_credits_callback(budget=0.000001):
        job = caller.submit(model, "hi")
        for _ in range(2):
            assert caller.result(job).text == "hi"
        with pytest.raises(SegmindBudgetExceededError):
            caller.submit(model, "hi")


def test_a_result_that_was_returned_is_counted_once(caller, model) -> None:
    """Also where it is fetched again."""
    with get_segmind_credits_callback() as credits_:
        reply = caller.invoke(model, "hi")
        caller.result(model.get_job(reply.response_metadata["request_id"]))
    assert credits_.total.cost == reply.response_metadata["cost"]


@pytest.mark.openai_only("credits have no format")
def test_the_oldest_jobs_of_a_handler_are_forgotten_first(caller, model, monkeypatch) -> None:
    """A server's handler does not grow with each call."""
    monkeypatch.setattr(handler, "JOBS_CACHE_SIZE", 2)
    with get_segmind_credits_callback() as credits_:
        jobs = [caller.submit(model, "hi") for _ in range(3)]
        prices = [caller.result(job).response_metadata["cost"] for job in jobs]
        for job in jobs[1:]:
            caller.result(job)
        assert credits_.total.cost == pytest.approx(sum(prices))
        assert list(credits_._jobs) == [job.request_id for job in jobs[1:]]


def test_a_fetch_that_is_not_done_costs_nothing(caller, slug) -> None:
    """The job is counted where it was submitted."""
    with Gateway(api_key=SECRET, credits=10, queue_delay=20) as gateway:
        model = caller.connect(gateway.base_url, model=slug)
        job = caller.submit(model, "hi")
        with get_segmind_credits_callback(budget=1, on_unknown_cost="refuse") as credits_:
            with pytest.raises(SegmindTimeoutError):
                caller.result(job, timeout=0.05)
            caller.submit(model, "hi")
        assert not credits_.total.is_cost_estimated


def test_a_job_that_runs_on_is_estimated(caller, gateway, model) -> None:
    """Whatever ends the polling: it is billed."""
    gateway.faults("poll:401")
    with get_segmind_credits_callback() as credits_, pytest.raises(SegmindAuthenticationError):
        caller.invoke(model, "hi")
    assert credits_.total.is_cost_estimated


def test_an_error_of_ones_own_names_the_job(caller, gateway, create_model) -> None:
    """For example of the function that returns the key."""
    keys = iter([SECRET])

    def get_key() -> str:
        return next(keys, None) or fail()

    def fail() -> str:
        raise StopIteration("no key")

    with pytest.raises((RuntimeError, StopIteration)) as caught:
        caller.invoke(create_model(use_queue=True, api_key=get_key), "hi")
    assert any("get_job(" in note for note in getattr(caught.value, "__notes__", ()))
    assert len(gateway.requests) == 1


def test_a_submission_without_a_key_is_not_sent(caller, gateway, create_model) -> None:
    """And is not said to be billed, perhaps."""
    with pytest.raises(SegmindAuthenticationError) as caught:
        caller.submit(create_model(api_key=lambda: ""), "hi")
    assert (caught.value.phase, gateway.requests) == (None, [])


def test_a_job_can_be_a_key(create_model) -> None:
    """Of a dict of rows."""
    job = create_model().get_job("job-1")
    assert {job: 1}[pickle.loads(pickle.dumps(job))] == 1


def test_a_job_takes_a_slot(caller, create_model) -> None:
    """LangChain takes it for `invoke` only."""
    limiter = CountingLimiter()
    caller.submit(create_model(rate_limiter=limiter), "hi")
    assert limiter.asked == 1


def test_a_reply_that_cannot_be_used_costs_no_second_job(caller, gateway, model) -> None:
    """The error is that of a call that may not ask again."""
    gateway.script(["No."])
    job = caller.submit(model.bind_tools([add], tool_choice="any"), "hi")
    with pytest.raises(SegmindOutputError):
        caller.result(job)
    assert len(gateway.requests) == 1


def test_a_wrong_argument_of_a_job_is_refused_before_it_is_submitted(
    caller, gateway, model
) -> None:
    """Also one that only matters when it is fetched."""
    with pytest.raises(TypeError, match="temprature"):
        caller.submit(model, "hi", temprature=1)
    with pytest.raises(ValueError, match="no messages"):
        caller.submit(model, [])
    assert gateway.requests == []


def test_a_job_that_is_too_old_says_how_long_results_are_kept(caller, slug) -> None:
    """Another key's job looks the same."""
    with Gateway(credits=10, queue_retention=1e-9) as gateway:
        model = caller.connect(gateway.base_url, model=slug, api_key=gateway.api_key)
        job = model.get_job(caller.submit(model, "hi").request_id)
        for act in (caller.status, caller.result):
            with pytest.raises(SegmindInvalidRequestError, match="about an hour") as caught:
                act(job)
            assert caught.value.request_id == job.request_id


def test_a_refused_key_is_no_lost_job(caller, gateway, model) -> None:
    """The job can be fetched with the right one."""
    job = caller.submit(model, "hi")
    other = model.model_copy(update={"segmind_api_key": "fake-key-that-is-wrong"})
    with pytest.raises(SegmindAuthenticationError, match="not lost") as caught:
        caller.result(other.get_job(job.request_id))
    assert caught.value.request_id == job.request_id
    assert caller.result(job).text == "hi"


def test_errors_of_a_submission_are_those_of_v1(caller, create_model, gateway) -> None:
    """For example a rate limit."""
    gateway.faults("429")
    with pytest.raises(SegmindRateLimitError) as caught:
        caller.submit(create_model(max_retries=0), "hi")
    assert isinstance(caught.value, SegmindError)
    assert caught.value.phase is None
