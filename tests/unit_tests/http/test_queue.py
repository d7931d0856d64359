"""A job of the queue is submitted once, and asked for until it is done."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from langchain_segmind import (
    SegmindAPIError,
    SegmindAuthenticationError,
    SegmindConnectionError,
    SegmindContextOverflowError,
    SegmindError,
    SegmindInsufficientCreditsError,
    SegmindInvalidRequestError,
    SegmindRateLimitError,
    SegmindResponseError,
    SegmindTimeoutError,
)
from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.queue import (
    get_queue_base,
    read_answer,
    read_request_id,
    read_status,
)
from langchain_segmind._http import polling
from langchain_segmind._http.attempt import APIRequest
from langchain_segmind._http.deadline import Deadline
from langchain_segmind._http.polling import FIRST_WAIT_SECONDS, JobRequest, Polling, poll

JOB = JobRequest("job-1", "https://host/v2", {"x-tenant": "a"})

NEW_JOB = JobRequest("job-1", "https://host/v2", {"x-tenant": "a"}, submitted_at=0.0)
"""Submitted when the test's clock starts."""


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock of polls and deadlines, and their jitter."""
    clock = Clock()
    monkeypatch.setattr(polling, "monotonic", clock)
    monkeypatch.setattr(polling, "time", clock)
    monkeypatch.setattr("langchain_segmind._http.deadline.monotonic", clock)
    monkeypatch.setattr(polling.random, "uniform", lambda low, high: high)
    return clock


def answer(status: str = "COMPLETED", code: int = 200, **fields: Any) -> APIResponse:
    """Return an answer of the queue."""
    body = {"status": status, "request_id": "job-1", **fields}
    return APIResponse(code, {}, json.dumps(body).encode())


def run(polling_: Polling, clock: Clock, answers: Iterator[Any]) -> tuple[list[float], list[str]]:
    """Answer all polls, and return the pauses and the paths of the polls."""
    pauses: list[float] = []
    paths: list[str] = []
    given: Any = None
    try:
        while True:
            step = polling_.send(given)
            given = None
            if isinstance(step, float):
                clock.seconds += step
                pauses.append(step)
            else:
                assert isinstance(step, APIRequest)
                assert (step.method, step.headers) == ("GET", {"x-tenant": "a"})
                paths.append(str(step.url))
                given = next(answers)
    except StopIteration:
        return pauses, paths


STATUS, RESULT = "https://host/v2/requests/job-1/status", "https://host/v2/requests/job-1"


def test_the_result_is_asked_for_once_the_job_is_done(clock) -> None:
    """At URLs of our own, whatever an answer names: the key is sent to no other host."""
    elsewhere = {"status_url": "https://evil/1", "response_url": "https://evil/2"}
    answers = [answer("QUEUED", **elsewhere), answer("PROCESSING"), answer(**elsewhere), answer()]
    _, paths = run(poll(JOB, Deadline(), pause=1.0), clock, iter(answers))
    assert paths == [STATUS, STATUS, STATUS, RESULT]


def test_pauses_grow(clock) -> None:
    """From 1 s to 5 s, and to 10 s after a minute."""
    answers = iter([*[answer("PROCESSING")] * 20, answer(), answer()])
    pauses, _ = run(poll(JOB, Deadline(), pause=FIRST_WAIT_SECONDS), clock, answers)
    assert pauses[:6] == [1.0, 1.5, 2.25, 3.375, 5.0, 5.0]
    late = pauses[len([p for p in pauses if p <= 5]) :]
    assert sum(pauses) > 60
    assert late[:3] == [7.5, 10.0, 10.0]


def test_pauses_vary_by_a_tenth(clock, monkeypatch) -> None:
    """Jobs that were submitted together are soon polled at different times."""
    monkeypatch.setattr(polling.random, "uniform", lambda low, high: low)
    answers = iter([*[answer("PROCESSING")] * 4, answer(), answer()])
    pauses, _ = run(poll(JOB, Deadline(), pause=FIRST_WAIT_SECONDS), clock, answers)
    assert pauses == pytest.approx([1.0, 1.35, 1.8225, 2.460375, 3.32150625])


def test_another_jobs_answer_is_not_used(clock) -> None:
    """It is asked for again, whatever its status is; one without an id is read."""
    others = [answer(request_id="job-2"), answer("FAILED", 422, request_id="job-2")]
    own = answer(request_id=None)
    answers = iter([*others, own, others[0], own, answer()])
    _, paths = run(poll(JOB, Deadline(60)), clock, answers)
    assert paths == [STATUS] * 3 + [RESULT, STATUS, RESULT]
    with pytest.raises(SegmindResponseError, match="answered for another one.*get_job") as caught:
        run(poll(JOB, Deadline(600)), clock, iter([others[0]] * 100))
    assert caught.value.request_id == "job-1"
    with pytest.raises(SegmindResponseError, match="answered for another one"):
        read_answer(answer(output="hi", request_id="job-2"), "job-1")


FAILED_POLLS: list[Any] = [
    SegmindConnectionError("reset", phase="wait"),
    SegmindTimeoutError("slow", phase="read"),
    SegmindAPIError("502", status_code=502),
    APIResponse(200, {}, b"<html>"),
    APIResponse(200, {}, b'{"status": "NEW"}'),
    APIResponse(200, {}, b"[]"),
    APIResponse(503, {}, b"Busy"),
]


@pytest.mark.parametrize("failure", FAILED_POLLS, ids=lambda failure: str(failure)[:20])
def test_a_failed_poll_is_made_again(clock, caplog, failure) -> None:
    """As often as the time allows; also one for the result. Each is logged."""
    caplog.set_level("DEBUG", logger="langchain_segmind")
    answers = iter([failure, answer(), failure, answer(), answer()])
    _, paths = run(poll(JOB, Deadline(60)), clock, answers)
    assert paths == [STATUS, STATUS, RESULT, STATUS, RESULT]
    if isinstance(failure, SegmindError):
        assert [r.getMessage() for r in caplog.records] == [
            f"A poll of the job job-1 failed. {failure}"
        ] * 2


def test_a_poll_waits_as_long_as_the_server_asks(clock) -> None:
    """After a 429, up to five minutes."""
    slow = [SegmindRateLimitError("", retry_after=seconds) for seconds in (30, 1e6)]
    pauses, _ = run(poll(JOB, Deadline()), clock, iter([*slow, answer(), answer()]))
    assert pauses == [30.0, 300.0]


@pytest.mark.parametrize("left", [0.4, 3.0, 30.0])
def test_a_job_that_is_not_done_in_time_is_not_lost(clock, left) -> None:
    """The error has its id and says how to go on; the last poll is made just before."""
    answers = iter([answer("PROCESSING")] * 100)
    with pytest.raises(SegmindTimeoutError, match=r"get_job\('job-1'\)\.result\(\)") as caught:
        run(poll(JOB, Deadline(left), pause=1.0), clock, answers)
    assert (caught.value.request_id, caught.value.phase) == ("job-1", "wait")
    assert clock.seconds == pytest.approx(max(left - 0.5, left / 2))


def test_the_error_of_a_job_that_is_late_has_the_failure_of_the_last_poll(clock) -> None:
    """It may be the reason."""
    failures = iter([SegmindConnectionError("no route")] * 100)
    with pytest.raises(SegmindTimeoutError, match="The last poll failed: no route"):
        run(poll(JOB, Deadline(5)), clock, failures)


def test_the_time_in_a_timeouts_message_includes_the_last_poll(clock) -> None:
    """It is what the caller waited."""

    def answers() -> Iterator[APIResponse]:
        clock.seconds += 7.5
        yield answer("PROCESSING")

    with pytest.raises(SegmindTimeoutError, match=r"is not done after 7\.5 s\."):
        run(poll(JOB, Deadline(7)), clock, answers())


def test_a_refused_key_ends_the_polling(clock) -> None:
    """The job still runs: the error has its id."""
    refused = SegmindAuthenticationError("refused", status_code=401)
    with pytest.raises(SegmindAuthenticationError, match="refused The job is not lost") as caught:
        run(poll(JOB, Deadline(60)), clock, iter([refused]))
    assert caught.value.request_id == "job-1"


def test_a_job_that_was_just_submitted_may_be_unknown_for_a_while(clock) -> None:
    """Not every server of the queue knows it at once."""
    unknown = SegmindError("?", status_code=404)
    answers = iter([unknown, unknown, answer(), answer()])
    _, paths = run(poll(NEW_JOB, Deadline(60)), clock, answers)
    assert paths == [STATUS] * 3 + [RESULT]
    clock.seconds = 0
    with pytest.raises(SegmindInvalidRequestError):
        run(poll(NEW_JOB, Deadline(600), pause=1.0), clock, iter([unknown] * 100))
    assert 30 <= clock.seconds < 40


@pytest.mark.parametrize(
    ("submitted_at", "is_new"),
    [(None, False), (-31, False), (-29, True), (29, True), (31, False), (10**400, False)],
)
def test_a_job_is_new_for_half_a_minute(clock, submitted_at, is_new) -> None:
    """Also by the clock of another machine, which can be ahead."""
    assert JobRequest("job-1", "https://host/v2", {}, submitted_at).is_new == is_new


def test_too_many_unreadable_answers_in_a_row_end_the_polling(clock) -> None:
    """A result that is too long, for example, is not fetched again for ten minutes."""
    page = APIResponse(200, {}, b"<html>")
    with pytest.raises(SegmindResponseError, match="not lost"):
        run(poll(JOB, Deadline(600)), clock, iter([page] * 100))
    assert clock.seconds < 60
    with pytest.raises(SegmindResponseError, match="not lost"):
        run(poll(JOB, Deadline(600)), clock, iter([answer(), page] * 100))
    answers = iter([*[page, answer("PROCESSING")] * 9, answer(), answer()])
    assert len(run(poll(JOB, Deadline(600)), clock, answers)[1]) == 20


@pytest.mark.parametrize("status", [300, 302, 399])
def test_a_redirect_ends_the_polling(clock, status) -> None:
    """It does not pass."""
    moved = SegmindResponseError(f"Moved. {SegmindResponseError.advice}", status_code=status)
    with pytest.raises(SegmindResponseError) as caught:
        run(poll(JOB, Deadline(600)), clock, iter([moved]))
    assert str(caught.value) == (
        "Moved. The job is not lost: model.get_job('job-1').result() fetches its result, for about "
        "an hour, without paying again."
    )


@pytest.mark.parametrize("status", [None, 200, 299, 400])
def test_another_answer_that_cannot_be_read_is_asked_for_again(clock, status) -> None:
    """It can be that of a proxy."""
    page = SegmindResponseError("no JSON", status_code=status)
    assert len(run(poll(JOB, Deadline(600)), clock, iter([page, answer(), answer()]))[1]) == 3


def test_errors_of_a_job_that_runs_on_are_not_retryable(clock) -> None:
    """Another call would be another job."""
    with pytest.raises(SegmindTimeoutError) as caught:
        run(poll(JOB, Deadline(1)), clock, iter([answer("QUEUED")] * 9))
    assert not caught.value.is_retryable


def test_a_job_that_is_not_known_may_be_too_old(clock) -> None:
    """The error says how long results are kept, and not that the model is missing."""
    unknown = SegmindError("?", status_code=404, body="not found")
    with pytest.raises(SegmindInvalidRequestError, match="kept for about an hour") as caught:
        run(poll(JOB, Deadline(60)), clock, iter([unknown]))
    assert (caught.value.request_id, caught.value.status_code) == ("job-1", 404)
    assert (caught.value.job_failed, caught.value.body) == (False, "not found")
    unknown = SegmindError("?", status_code=404)
    with pytest.raises(
        SegmindInvalidRequestError, match=r"does not know the job job-1\. "
    ) as caught:
        run(poll(JOB, Deadline(60)), clock, iter([unknown]))


@pytest.mark.parametrize(
    ("code", "error_class"),
    [
        (401, SegmindAuthenticationError),
        (429, SegmindRateLimitError),
        (500, SegmindAPIError),
    ],
)
def test_an_error_that_does_not_name_the_job_is_no_failed_job(code, error_class) -> None:
    """It is a proxy's, say: a batch that takes the job for failed would submit another one."""
    body = b'{"status": "failed", "message": "no"}'
    with pytest.raises(error_class, match="no") as caught:
        read_status(APIResponse(code, {}, body), "job-1")
    assert not caught.value.job_failed
    for failed in (200, 422):
        assert read_status(APIResponse(failed, {}, body), "job-1") == "failed"


@pytest.mark.parametrize("code", [200, 400, 404, 422, 500, 503])
@pytest.mark.parametrize(
    ("words", "error_class"),
    [
        ("maximum context length is 8192 tokens", SegmindContextOverflowError),
        ("Insufficient credits", SegmindInsufficientCreditsError),
        ("Invalid parameter: 'temperature'", SegmindInvalidRequestError),
        ("Validation error in Processor: sleep must be a number", SegmindInvalidRequestError),
        ("response_format is not supported", SegmindInvalidRequestError),
        ("Rate limit exceeded", SegmindRateLimitError),
        ("worker crashed", SegmindAPIError),
        ("crashed after spending 3 s on a balanced tree", SegmindAPIError),
    ],
)
def test_a_failed_job_has_the_error_of_its_words(clock, code, words, error_class) -> None:
    """Whatever the HTTP status is."""
    failed = answer("FAILED", code, error=words, metrics={"remaining_credits": 9})
    assert run(poll(JOB, Deadline(60)), clock, iter([failed]))[1] == [STATUS]
    with pytest.raises(error_class, match="The job failed, which is not billed") as caught:
        read_answer(failed, "job-1")
    error = caught.value
    assert type(error) is error_class
    assert (error.request_id, error.remaining_credits, error.status_code) == ("job-1", 9, 422)
    assert error.job_failed
    assert words in str(error)


def test_only_the_beginning_of_a_failed_jobs_words_is_searched() -> None:
    """All of 16 MB would block an event loop for seconds."""
    failed = answer("FAILED", 422, error=[" " * 100_000, "maximum context length"])
    with pytest.raises(SegmindAPIError) as caught:
        read_answer(failed, "job-1")
    assert not isinstance(caught.value, SegmindContextOverflowError)


@pytest.mark.parametrize(
    ("seconds", "is_logged"), [(8.0, False), (30.0, True)], ids=["short job", "long job"]
)
def test_a_long_wait_is_logged_once(clock, caplog, seconds, is_logged) -> None:
    """With the id of the job."""
    caplog.set_level("INFO", logger="langchain_segmind")

    def answers() -> Iterator[APIResponse]:
        while clock.seconds < seconds:
            yield answer("PROCESSING")
        yield from [answer()] * 2

    run(poll(JOB, Deadline(), pause=1.0), clock, answers())
    assert [("job-1" in r.getMessage()) for r in caplog.records] == [True] * is_logged


# --- What the queue answers ---


COMPLETION = {"choices": [{"message": {"content": "hi"}}]}


@pytest.mark.parametrize(
    ("output", "text"),
    [
        pytest.param(json.dumps(COMPLETION), "hi", id="JSON string"),
        pytest.param(COMPLETION, "hi", id="object"),
        pytest.param("Plain text.", "Plain text.", id="text"),
        pytest.param("42", "42", id="number in a string"),
        pytest.param(42, "42", id="number"),
        pytest.param(True, "true", id="flag"),
        pytest.param('{"name": "Oslo"}', '{"name": "Oslo"}', id="JSON of the model"),
        pytest.param({"name": "Oslo"}, '{"name": "Oslo"}', id="object of the model"),
        pytest.param('{"choices": [', '{"choices": [', id="JSON that is cut off"),
        pytest.param("", "", id="empty text"),
        pytest.param(
            {"content": "a haiku"}, '{"content": "a haiku"}', id="object with a provider's key"
        ),
    ],
)
def test_an_output_is_read_in_every_form(output, text) -> None:
    """As the body that v1 would have sent."""
    response = read_answer(answer(output=output), "job-1")
    assert json.loads(response.body)["choices"][0]["message"]["content"] == text


@pytest.mark.parametrize("fields", [{}, {"output": None}, {"output": None, "error": "boom"}])
def test_a_job_without_an_output_is_an_error(fields) -> None:
    """Not a reply that says null."""
    with pytest.raises(SegmindResponseError, match="has no output") as caught:
        read_answer(answer(**fields), "job-1")
    assert caught.value.request_id == "job-1"


@pytest.mark.parametrize("is_text", [True, False])
def test_a_providers_error_is_no_reply(is_text) -> None:
    """The formats refuse it, as they do for v1."""
    error = {"error": {"message": "The model is overloaded"}}
    response = read_answer(answer(output=json.dumps(error) if is_text else error), "job-1")
    assert json.loads(response.body) == error


def test_a_number_in_an_output_is_never_lost() -> None:
    """One with too many digits for Python makes the output unusable."""
    body = json.dumps({"status": "COMPLETED", "output": {"a": 1}}).replace("1", "9" * 5000)
    with pytest.raises(SegmindResponseError, match="too many digits"):
        read_answer(APIResponse(200, {}, body.encode()), "job-1")


def test_metrics_are_the_headers_of_v1() -> None:
    """What is missing, or not a number, is not there."""
    metrics = {"cost": 0.5, "remaining_credits": 9, "inference_time": 2.5, "queue_time": None}
    response = read_answer(answer(output="hi", metrics=metrics), "job-1")
    assert response.headers == {
        "x-cost": "0.5",
        "x-remaining-credits": "9",
        "x-generation-time": "2.5",
        "x-request-id": "job-1",
    }


def test_the_reasoning_beside_a_text_is_kept() -> None:
    """It is not a part of the text."""
    response = read_answer(answer(output="hi", reasoning="hm"), "job-1")
    assert json.loads(response.body)["choices"][0]["message"]["reasoning"] == "hm"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"request_id": 5}', b'{"request_id": "../v1/x"}', b"<html>"]
)
def test_an_answer_without_an_id_may_have_submitted_a_job(body) -> None:
    """An id that would lead to another URL is none."""
    with pytest.raises(SegmindResponseError, match="without a request_id") as caught:
        read_request_id(APIResponse(200, {}, body))
    assert caught.value.phase == "submit"


@pytest.mark.parametrize("word", ["QUEUED", "PROCESSING", "COMPLETED", "FAILED"])
def test_a_status_is_read(word) -> None:
    """In lower case."""
    assert read_status(answer(word), "job-1") == word.lower()


@pytest.mark.parametrize(
    ("base", "queue_base"),
    [
        ("http://v1", "http://v1/v2"),
        ("https://v1/v1", "https://v1/v2"),
        ("https://v2:8080/", "https://v2:8080/v2"),
        ("https://user:a@host/v1beta", "https://user:a@host/v1beta/v2"),
        ("https://api.segmind.com/v1", "https://api.segmind.com/v2"),
        ("https://api.segmind.com/v1/", "https://api.segmind.com/v2"),
        ("https://host/segmind/v1", "https://host/segmind/v2"),
        ("https://host/segmind", "https://host/segmind/v2"),
    ],
)
def test_the_queue_is_beside_v1(base, queue_base) -> None:
    """Also behind a proxy that adds a path."""
    assert get_queue_base(base) == queue_base
