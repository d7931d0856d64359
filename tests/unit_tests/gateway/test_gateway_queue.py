"""The queue of `/v2`, over real connections."""

import asyncio
import json
import logging
import socket
import threading
import time
from decimal import Decimal

import httpx
import pytest

from langchain_segmind.gateway import Backend, Completion, Gateway, Options, create_app, queue
from langchain_segmind.gateway.__main__ import main
from tests.support.raw_server import RawServer, answer

TIMEOUT_SECONDS = 5
RUNNING = {"QUEUED", "PROCESSING"}
MESSAGES = [{"role": "user", "content": "Hello"}]


class Held:
    """A script's function that echoes the last message once the test releases it."""

    def __init__(self):
        self.entered, self.left = threading.Event(), threading.Event()
        self.is_released = False
        self._waiting = []

    async def __call__(self, request):
        """Wait for the release."""
        released = asyncio.Event()
        self._waiting.append((asyncio.get_running_loop(), released))
        self.entered.set()
        try:
            if not self.is_released:
                await released.wait()
        finally:
            self.left.set()
        return request.last_message

    def release(self):
        """Let all replies go, from now on too."""
        self.is_released = True
        for loop, released in self._waiting:
            loop.call_soon_threadsafe(released.set)


@pytest.fixture
def submit(post):
    """Submit one user message to the queue, or a body."""

    def submit(gateway, text="Hello", *, body=None, slug="gpt-4-turbo", **headers):
        body = {"messages": [{"role": "user", "content": text}]} if body is None else body
        return post(gateway, body, slug=f"../v2/{slug}", **headers)

    return submit


@pytest.fixture
def poll(client):
    """Poll for a job, given the response to its submit, until it has ended; return a response."""

    def poll(submitted, url="response_url", *, key="SG_local"):
        headers = {"x-api-key": key}
        deadline = time.monotonic() + TIMEOUT_SECONDS
        urls = submitted.json()
        while client.get(urls["status_url"], headers=headers).json()["status"] in RUNNING:
            assert time.monotonic() < deadline
        return client.get(urls[url], headers=headers)

    return poll


@pytest.fixture
def wait_until():
    """Wait for a condition that no event announces."""

    def wait_until(condition):
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.005)

    return wait_until


def test_submit_returns_the_id_and_its_urls(gateway, submit):
    """The URLs have the address that the client used."""
    response = submit(gateway)
    body = response.json()

    request_id = body["request_id"]
    root = gateway.base_url.removesuffix("/v1")
    assert response.status_code == 200
    assert body == {
        "request_id": request_id,
        "status": "QUEUED",
        "poll_url": f"{root}/v1/requests/{request_id}",
        "status_url": f"{root}/v2/requests/{request_id}/status",
        "response_url": f"{root}/v2/requests/{request_id}",
    }
    assert "x-cost" not in response.headers


def test_scripted_job_is_complete_at_the_first_poll(gateway, client, submit):
    """Without a delay; the status is light, and the result holds the v1 response as a string."""
    submitted = submit(gateway, "Hello there").json()
    status = client.get(submitted["status_url"])
    result = client.get(submitted["response_url"])
    head = {"status": "COMPLETED", "request_id": submitted["request_id"]}

    assert (status.status_code, result.status_code) == (200, 200)
    assert status.json().pop("metrics").keys() == {"inference_time"}
    assert status.json().items() >= head.items()
    body = result.json()
    output, metrics = json.loads(body.pop("output")), body.pop("metrics")
    assert body == {**head, "error": None}
    assert output["choices"][0]["message"]["content"] == "Hello there"
    assert output["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    assert (metrics["cost"], metrics["remaining_credits"]) == (0.00016, 0.99984)
    assert metrics["queue_time"] == 0
    assert 0 <= metrics["inference_time"] == metrics["total_time"]


def test_delay_shows_every_state(serve, client, submit):
    """A job is queued for the first half of the delay, and processed for the second."""
    gateway = serve(queue_delay=0.3)
    began = time.monotonic()
    urls = submit(gateway).json()
    states, results = [], []
    while states[-1:] != ["COMPLETED"]:
        states.append(client.get(urls["status_url"]).json()["status"])
        results.append(client.get(urls["response_url"]).json())
        assert time.monotonic() - began < TIMEOUT_SECONDS

    assert time.monotonic() - began >= 0.3
    assert list(dict.fromkeys(states)) == ["QUEUED", "PROCESSING", "COMPLETED"]
    assert results[0] == {
        "status": "QUEUED",
        "request_id": urls["request_id"],
        "metrics": {},
        "error": None,
        "output": None,
    }
    metrics = results[-1]["metrics"]
    assert metrics["queue_time"] == 0.15
    assert metrics["total_time"] == pytest.approx(0.15 + metrics["inference_time"], abs=0.002)


def test_slow_reply_is_processing(serve, client, submit, poll):
    """A submit does not wait for the reply, and nothing is charged before it."""
    reply = Held()
    gateway = serve(replies=reply)
    submitted = submit(gateway)
    assert reply.entered.wait(TIMEOUT_SECONDS)
    assert client.get(submitted.json()["status_url"]).json()["status"] == "PROCESSING"
    assert (gateway.credits(), gateway.ledger.reserved("SG_local") > 0) == (1, True)

    reply.release()
    assert poll(submitted).json()["status"] == "COMPLETED"
    assert gateway.credits() < 1
    assert gateway.ledger.reserved("SG_local") == 0


def test_client_that_leaves_during_its_submit_is_charged(serve, wait_until):
    """As with the service, its job runs though nobody knows the id."""
    reply = Held()
    gateway = serve(replies=reply)
    with socket.create_connection((gateway.host, gateway.port)) as connection:
        connection.sendall(
            b"POST /v2/gpt-4-turbo HTTP/1.1\r\nhost: localhost\r\nx-api-key: SG_local\r\n"
            b'content-type: application/json\r\ncontent-length: 15\r\n\r\n{"prompt": "a"}'
        )
        assert reply.entered.wait(TIMEOUT_SECONDS)

    reply.release()
    wait_until(lambda: gateway.credits() < 1)


@pytest.mark.parametrize(
    "result",
    [
        pytest.param({"output": {"choices": [{"message": {"content": "Hi"}}]}}, id="object"),
        pytest.param({"output": "Hi"}, id="text"),
        pytest.param({"output": "42"}, id="scalar-in-string"),
        pytest.param({"output": 42}, id="scalar"),
        pytest.param({"output": None}, id="null"),
        pytest.param({"reasoning": "Hm.", "partial": False}, id="more-keys"),
        pytest.param({"metrics": {}}, id="no-metrics"),
    ],
)
def test_script_can_change_the_result(serve, ask, submit, poll, result):
    """The key `result` extends a job's result; a synchronous call ignores it."""
    gateway = serve(replies=[{"content": "Hi", "result": result}] * 2)
    body = poll(submit(gateway)).json()

    assert {key: body[key] for key in result} == result
    assert (body["status"], gateway.credits() < 1) == ("COMPLETED", True)
    assert ask(gateway).json()["choices"][0]["message"]["content"] == "Hi"


@pytest.mark.parametrize("result", [["output"], {"output": {1, 2}}], ids=["list", "set"])
def test_malformed_results_are_refused(result):
    """The script's error comes at the start, not in a poll."""
    with pytest.raises(ValueError, match="result must be an object of JSON"):
        Completion("Hi", result=result)


def test_raw_success_is_the_output(serve, submit, poll):
    """A raw response with status 200 completes the job, and costs nothing."""
    gateway = serve(replies=[{"status": 200, "body": "Busy."}])
    body = poll(submit(gateway)).json()

    assert (body["status"], body["output"], body["metrics"]["cost"]) == ("COMPLETED", "Busy.", 0)
    assert gateway.credits() == 1


@pytest.mark.parametrize("url", ["status_url", "response_url"])
@pytest.mark.parametrize(
    ("entry", "error"),
    [
        pytest.param({"status": 400, "body": {"error": "Bad image"}}, "Bad image", id="400"),
        pytest.param({"status": 422, "body": "Wrong"}, "Wrong", id="422"),
        pytest.param({"status": 500}, "Internal Server Error", id="500"),
        pytest.param({"status": 500, "body": [1]}, "[1]", id="no-object"),
        pytest.param(
            {"status": 500, "body": {"error": {"message": "No"}}}, {"message": "No"}, id="object"
        ),
    ],
)
def test_failed_job_is_a_422_without_a_bill(serve, submit, poll, *, url, entry, error):
    """Both GETs answer with the error of the script's raw response; nothing is charged."""
    gateway = serve(replies=[entry])
    submitted = submit(gateway)
    response = poll(submitted, url)
    body = response.json()

    assert (submitted.status_code, response.status_code) == (200, 422)
    assert body.pop("metrics").keys() == {"inference_time", "queue_time", "total_time"}
    request_id = submitted.json()["request_id"]
    assert body == {"status": "FAILED", "error": error, "request_id": request_id}
    assert (gateway.credits(), gateway.ledger.reserved("SG_local")) == (1, 0)


@pytest.mark.parametrize("status", [302, 401, 403, 404, 406, 410, 429, 502, 503, 504])
def test_other_scripted_errors_refuse_the_submit(serve, submit, status):
    """Their response is the submit's own; there is no job, and the next submit is a new one."""
    entry = {"status": status, "headers": {"retry-after": "0"}, "body": {"error": "No"}}
    gateway = serve(replies=[entry, "Hi"])
    refused = submit(gateway)

    assert (refused.status_code, refused.json()) == (status, {"error": "No"})
    assert refused.headers["retry-after"] == "0"
    assert not gateway._service.queue._jobs
    assert (gateway.credits(), submit(gateway).status_code) == (1, 200)


def test_late_scripted_error_fails_the_job(serve, submit, poll):
    """A submit that was accepted cannot be refused any more."""

    async def reply(_request):
        await asyncio.sleep(0.3)
        return {"status": 429, "body": {"error": "Too many"}}

    response = poll(submit(serve(replies=reply)))
    assert (response.status_code, response.json()["error"]) == (422, "Too many")


def test_script_that_runs_out_fails_the_job(serve, submit, poll):
    """As it is a 500 of a synchronous call; each submit takes the next reply."""
    gateway = serve(replies=["one", "two"])
    bodies = [poll(submitted).json() for submitted in [submit(gateway) for _ in range(3)]]

    texts = [json.loads(body["output"])["choices"][0]["message"]["content"] for body in bodies[:2]]
    assert texts == ["one", "two"]
    assert bodies[2]["error"] == "The script has run out after 2 replies"


def test_backend_that_raises_fails_the_job(serve, submit, poll, caplog):
    """The client sees no internals; the log has the traceback."""

    class Broken(Backend):
        async def reply(self, request):
            raise LookupError("internals")

    response = poll(submit(serve(backend=Broken())))
    assert (response.status_code, response.json()["error"]) == (422, "Internal server error")
    assert "LookupError: internals" in caplog.text


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param({"temperature": "hot"}, "temperature must be a number", id="type"),
        pytest.param({"max_tokens": -(10**9)}, "max_tokens must be a whole number", id="negative"),
        pytest.param(
            {"response_format": {"type": "json_object"}}, "must contain the word 'json'", id="json"
        ),
        pytest.param({"tools": []}, "strict: unknown keys tools", id="strict"),
    ],
)
def test_wrong_parameters_fail_the_job(serve, submit, poll, change, error):
    """The submit is accepted, as with the service."""
    gateway = serve(strict=True, credits="0.01")
    response = poll(submit(gateway, body={"messages": MESSAGES, **change}))
    assert (response.status_code, gateway.credits()) == (422, Decimal("0.01"))
    assert error in response.json()["error"]


@pytest.mark.parametrize(
    ("options", "body", "headers", "status"),
    [
        pytest.param({}, {"messages": []}, {}, 400, id="messages"),
        pytest.param({}, b"{", {}, 400, id="not-json"),
        pytest.param({}, None, {"content_type": "text/plain"}, 406, id="content-type"),
        pytest.param({}, None, {"x_api_key": "wrong"}, 401, id="key"),
        pytest.param({"credits": "0.000001"}, None, {}, 406, id="credits"),
    ],
)
def test_submits_are_refused_like_calls(serve, submit, *, options, body, headers, status):
    """A wrong body or key, and an empty balance, never become a job."""
    gateway = serve(**options)
    assert submit(gateway, body=body, **headers).status_code == status
    assert not gateway._service.queue._jobs


def test_rate_limit_counts_submits_but_not_polls(serve, ask, submit, poll):
    """Submits and synchronous calls share the limit."""
    gateway = serve(rpm=2)
    submitted = submit(gateway)
    for _ in range(5):
        assert poll(submitted).status_code == 200
    assert [ask(gateway).status_code, submit(gateway).status_code] == [200, 429]


def test_reserved_credits_refuse_the_next_submit(serve, submit):
    """A running job keeps its reservation, so the balance cannot be promised twice."""
    reply = Held()
    gateway = serve(replies=reply, credits="0.005")
    assert [submit(gateway).status_code for _ in range(2)] == [200, 406]
    reply.release()


def test_job_is_charged_once_when_it_completes(serve, client, submit, poll, wait_until):
    """Not at its submit nor by polls, and also if nobody polls."""
    gateway = serve(queue_delay=0.3)
    submitted = submit(gateway, "Hello there")
    assert client.get(submitted.json()["response_url"]).json()["status"] == "QUEUED"
    assert gateway.credits() == 1
    for _ in range(3):
        poll(submitted)
    assert gateway.credits() == Decimal("0.999840")

    submit(gateway, "Hello there")
    wait_until(lambda: gateway.credits() == Decimal("0.999680"))


def test_other_keys_cannot_poll(serve, client, submit, poll):
    """For them the job does not exist; each key pays for its own."""
    gateway = serve(api_key=["one", "two"])
    submitted = submit(gateway, x_api_key="one")
    urls = submitted.json()

    assert poll(submitted, key="one").json()["status"] == "COMPLETED"
    for url in (urls["status_url"], urls["response_url"]):
        for key, status in (("two", 404), ("three", 401), ("", 401)):
            assert client.get(url, headers={"x-api-key": key}).status_code == status
    assert (gateway.credits("one") < 1, gateway.credits("two")) == (True, 1)


@pytest.mark.parametrize("suffix", ["", "/status"])
def test_unknown_job_is_a_404(gateway, client, suffix):
    """The error names the id."""
    response = client.get(f"{gateway.base_url}/../v2/requests/abc-1{suffix}")
    assert (response.status_code, response.json()) == (404, {"error": "Request abc-1 not found"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("POST", "v2/requests/abc", 405, id="post-a-job"),
        pytest.param("DELETE", "v2/requests/abc/status", 405, id="no-cancel"),
        pytest.param("GET", "v2/gpt-4-turbo", 405, id="get-a-model"),
        pytest.param("GET", "v1/requests/abc", 404, id="v1-poll"),
        pytest.param("GET", "v2/requests/abc/output", 404, id="other-path"),
        pytest.param("GET", "v2/requests/a%20b", 404, id="malformed-id"),
    ],
)
def test_other_requests_to_the_queue_are_refused(gateway, client, method, path, status):
    """The queue has three requests."""
    assert client.request(method, f"{gateway.base_url}/../{path}").status_code == status


def test_job_is_forgotten_after_the_retention(serve, client, submit, wait_until):
    """Its id is a 404 then, and its answer stays paid; newer jobs are still there."""
    gateway = serve(queue_retention=0.3)
    url = submit(gateway).json()["response_url"]
    assert client.get(url).status_code == 200
    paid = gateway.credits()
    wait_until(lambda: client.get(url).status_code == 404)

    assert gateway.credits() == paid < 1
    assert client.get(submit(gateway).json()["response_url"]).status_code == 200
    queue_ = gateway._service.queue
    assert (len(queue_._jobs), queue_._bytes > 0) == (1, True)


def test_jobs_are_kept_for_an_hour(gateway, client, submit, monkeypatch):
    """By default, counted from the submit."""
    url = submit(gateway).json()["response_url"]
    now = time.monotonic()
    monkeypatch.setattr(queue.time, "monotonic", lambda: now + 3590)
    assert client.get(url).status_code == 200
    monkeypatch.setattr(queue.time, "monotonic", lambda: now + 3600)
    assert client.get(url).status_code == 404


def test_oldest_jobs_are_dropped_beyond_the_limits(gateway, client, submit, monkeypatch):
    """Beyond their number, and beyond the bytes of their results."""
    urls = [submit(gateway).json()["response_url"] for _ in range(4)]
    sizes = [len(client.get(url).content) for url in urls]
    queue_ = gateway._service.queue
    assert queue_._bytes == sum(sizes)

    monkeypatch.setattr(queue, "MAX_JOBS", 3)
    assert [client.get(url).status_code for url in urls] == [404, 200, 200, 200]
    monkeypatch.setattr(queue, "MAX_JOB_BYTES", sizes[3] + 1)
    assert [client.get(url).status_code for url in urls] == [404, 404, 404, 200]
    assert queue_._bytes == sizes[3]


def test_dropped_job_that_runs_is_cancelled(serve, submit, monkeypatch, wait_until):
    """So the work of the queue is bounded too; it is not charged."""
    reply = Held()
    gateway = serve(replies=reply)
    submit(gateway)
    monkeypatch.setattr(queue, "MAX_JOBS", 0)
    submit(gateway)

    assert reply.left.wait(TIMEOUT_SECONDS)
    wait_until(lambda: gateway.ledger.reserved("SG_local") == 0)
    assert (gateway.credits(), gateway._service.queue._bytes) == (1, 0)


def test_stop_ends_jobs(client, submit):
    """After a restart they have failed, and nothing is charged; complete ones are still there."""
    reply = Held()
    reply.is_released = True
    gateway = Gateway(replies=reply).start()
    try:
        complete = submit(gateway).json()["response_url"]
        reply.is_released = False
        reply.left.clear()
        url = submit(gateway).json()["response_url"]
        paid = gateway.credits()
        gateway.stop()
        assert reply.left.is_set()
        assert (gateway.credits(), gateway.ledger.reserved("SG_local")) == (paid, 0)

        gateway.start()
        assert client.get(complete).json()["status"] == "COMPLETED"
        response = client.get(url)
        assert (response.status_code, response.json()["error"]) == (422, "The server stopped")
    finally:
        gateway.stop()


async def test_end_of_the_lifespan_ends_jobs():
    """An ASGI server that shuts down leaves no job behind."""
    reply = Held()
    app = create_app(Options(replies=reply))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="https://gateway:81") as client,
    ):
        headers = {"x-api-key": "SG_local"}
        submitted = await client.post("/v2/gpt-4", json={"prompt": "Hi"}, headers=headers)
        assert submitted.json()["status_url"].startswith("https://gateway:81/v2/requests/")
        assert not reply.left.is_set()
    assert reply.left.is_set()


def test_reset_forgets_jobs_and_polls(gateway, client, submit):
    """As it forgets requests."""
    url = submit(gateway).json()["response_url"]
    assert client.get(url).status_code == 200
    gateway.reset()
    assert (gateway.requests, gateway.polls) == ([], [])
    assert client.get(url).status_code == 404


def test_submits_and_polls_are_recorded_apart(gateway, ask, client, submit):
    """Requests are calls and submits; polls have a list of their own, without bodies."""
    ask(gateway)
    urls = submit(gateway, "Hello there").json()
    client.get(urls["status_url"])
    client.request("GET", urls["response_url"], json={"a": 1})

    call, submitted = gateway.requests
    assert (call.is_queued, submitted.is_queued) == (False, True)
    assert (submitted.path, submitted.slug) == ("/v2/gpt-4-turbo", "gpt-4-turbo")
    assert submitted.last_message == "Hello there"
    status, result = gateway.polls
    assert [poll.job_id for poll in (status, result)] == [urls["request_id"]] * 2
    assert [poll.path.endswith("/status") for poll in (status, result)] == [True, False]
    assert (result.headers["x-api-key"], result.body, result.json) == ("SG_local", b"", None)


def test_submit_faults_leave_no_job(gateway, submit):
    """They apply to submits as to calls: nothing is accepted or charged."""
    gateway.faults("503,429,drop,html,not-json,error-body,empty")
    statuses = [submit(gateway).status_code for _ in range(2)]
    with pytest.raises(httpx.RemoteProtocolError):
        submit(gateway)
    statuses += [submit(gateway).status_code for _ in range(4)]

    assert statuses == [503, 429, 200, 200, 200, 200]
    assert not gateway._service.queue._jobs
    assert gateway.credits() == 1


@pytest.mark.parametrize("fault", ["late-drop", "cut"])
def test_accepted_submit_can_lose_its_response(gateway, submit, fault, wait_until):
    """The client does not learn the id, but the job runs and is charged."""
    gateway.faults(fault)
    with pytest.raises(httpx.RemoteProtocolError):
        submit(gateway)
    wait_until(lambda: gateway.credits() < 1)


def test_late_drop_charges_a_call(gateway, ask):
    """The model ran, and its reply is lost before its first byte."""
    gateway.faults("late-drop")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        ask(gateway)
    assert gateway.credits() < 1


def test_poll_faults_apply_to_polls_only(serve, client, submit):
    """Each meets one GET, of the status or of the result; the next one works."""
    gateway = serve(fault="poll:503,404,drop,cut,not-json,ok,500")
    submitted = submit(gateway)
    urls = submitted.json()
    seen = []
    for url in [urls["status_url"], urls["response_url"]] * 4:
        try:
            response = client.get(url)
            response.json()
            seen.append(response.status_code)
        except (httpx.RemoteProtocolError, ValueError) as error:
            seen.append(type(error).__name__)

    broken = ["RemoteProtocolError", "RemoteProtocolError", "JSONDecodeError"]
    assert seen == ["JSONDecodeError", 404, *broken, 200, 500, 200]
    assert len(gateway.polls) == 8
    assert submit(gateway).status_code == 200


def test_poll_faults_can_be_slow_or_have_a_rate(gateway, client, submit):
    """They combine like the faults of requests."""
    gateway.faults("poll:latency:0.05@1", " poll:502@1", "400")
    assert submit(gateway).status_code == 400
    response = client.get(submit(gateway).json()["status_url"])
    assert response.status_code == 502
    assert response.elapsed.total_seconds() >= 0.05


@pytest.mark.parametrize("spec", ["poll:", "poll:boom", "poll:503@2", "poll:poll:503", "polls:503"])
def test_malformed_poll_faults_are_refused(gateway, spec):
    """The error quotes the fault."""
    with pytest.raises(ValueError, match=f"fault '{spec}'"):
        gateway.faults(spec)


def test_proxy_works_behind_the_queue(serve, submit, poll):
    """A job's output is the upstream's reply, and an upstream's failure fails the job."""
    message = {"role": "assistant", "content": "Hi"}
    usage = {"prompt_tokens": 20, "completion_tokens": 2}
    completion = {"choices": [{"message": message}], "usage": usage}
    success, failure = answer(json.dumps(completion).encode()), answer(b"busy", status="503 Busy")
    with RawServer([success], [failure]) as upstream:
        gateway = serve(upstream=upstream.get_url())
        body = poll(submit(gateway)).json()
        assert json.loads(body["output"])["choices"][0]["message"] == message
        assert body["metrics"]["cost"] == 0.00026
        failed = poll(submit(gateway)).json()
    assert "The upstream server answered 503: busy" in failed["error"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param({"queue_delay": -1}, "queue_delay must be", id="delay"),
        pytest.param({"queue_delay": float("nan")}, "queue_delay must be", id="nan"),
        pytest.param({"queue_retention": 0}, "queue_retention must be", id="retention"),
    ],
)
def test_malformed_queue_options_are_refused(options, text):
    """They are reported before anything starts."""
    with pytest.raises(ValueError, match=text):
        Gateway(**options)


def test_queue_has_options_of_the_command_line(client, submit):
    """The delay and the retention are settable."""

    def until(gateway):
        urls = submit(gateway).json()
        assert client.get(urls["status_url"]).json()["status"] == "QUEUED"

    assert main(["--queue-delay", "60", "--queue-retention", "90"], until=until) == 0


def test_log_of_polls_has_no_keys(serve, submit, poll, caplog):
    """One line for each request, polls too."""
    with caplog.at_level(logging.INFO, logger="langchain_segmind.gateway"):
        gateway = serve(api_key="fake-key")
        submitted = submit(gateway, x_api_key="fake-key")
        poll(submitted, key="fake-key")
        gateway.stop()
    assert "POST /v2/gpt-4-turbo 200" in caplog.text
    assert f"GET /v2/requests/{submitted.json()['request_id']}/status 200" in caplog.text
    assert "fake-key" not in caplog.text
