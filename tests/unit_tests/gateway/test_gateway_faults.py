"""Faults: their grammar, their schedules, and what they look like on the wire."""

from random import Random

import httpx
import pytest

from langchain_segmind.gateway.fault_replies import fault_reply
from langchain_segmind.gateway.faults import (
    FAULT_HEADER,
    Action,
    FaultBook,
    FaultError,
    Schedule,
    parse_fault,
)


def status(code):
    """The action that answers with a status."""
    return Action("status", code)


@pytest.mark.parametrize(
    ("spec", "schedule"),
    [
        pytest.param("503", Schedule((status(503),)), id="status"),
        pytest.param(
            " 503, 429 ,ok ", Schedule((status(503), status(429), Action("ok"))), id="schedule"
        ),
        pytest.param("503@0.1", Schedule((status(503),), 0.1), id="rate"),
        pytest.param("drop @ 1", Schedule((Action("drop"),), 1.0), id="always"),
        pytest.param("latency:0.25", Schedule((Action("latency", 0.25),)), id="latency"),
        pytest.param("no-choices#7,8", Schedule((Action("no-choices"),)), id="comment"),
    ],
)
def test_grammar(spec, schedule):
    """A fault is a schedule of actions, or one action with a rate."""
    assert parse_fault(spec) == schedule


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "#",
        "boom",
        "status",
        "latency",
        "latency:soon",
        "latency:-1",
        "200",
        "600",
        "٤٠٤",
        "503,",
        "503@2",
        "503@1.5",
        "503@",
        "503@nan",
        "503,502@0.5",
    ],
)
def test_malformed_faults_are_refused(spec):
    """What is not in the grammar is a clear error."""
    with pytest.raises(FaultError, match="fault "):
        parse_fault(spec)


def test_schedule_plays_once_then_nothing():
    """A schedule is played over successive requests."""
    schedule = parse_fault("503,ok,drop")
    played = [schedule.next(Random(0)).name for _ in range(5)]  # noqa: S311 - not secret
    assert played == ["status", "ok", "drop", "ok", "ok"]


def test_rates_repeat_with_a_seed():
    """The same seed plays the same faults, about as often as the rate says."""
    runs = []
    for _ in range(2):
        book = FaultBook(["503@0.25"], seed=7)
        runs.append([bool(book.next(None)) for _ in range(400)])

    assert runs[0] == runs[1]
    assert 70 < sum(runs[0]) < 130


def test_header_values_have_positions_of_their_own():
    """Each distinct value of the header is a schedule of its own, and overrides the option."""
    book = FaultBook(["500@1"])
    played = [book.next(value) for value in ("503#a", "503#b", "503#a", None)]
    assert played == [[status(503)], [status(503)], [], [status(500)]]

    book.reset()
    assert book.next("503#a") == [status(503)]


def test_oldest_header_value_is_forgotten():
    """The memory of header values is bounded."""
    book = FaultBook()
    for number in range(10_001):
        book.next(f"503#{number}")
    assert [book.next("503#10000"), book.next("503#0")] == [[], [status(503)]]


@pytest.mark.parametrize("code", [302, 400, 401, 403, 404, 406, 410, 418, 422, 429, 500, 599])
def test_status_faults_are_errors_in_json(gateway, ask, code):
    """A status brings the body that the service sends with it."""
    response = ask(gateway, headers={FAULT_HEADER: str(code)})

    assert response.status_code == code
    assert response.json().keys() == {"error"}
    assert "x-request-id" in response.headers
    assert "x-cost" not in response.headers
    assert ("x-rate-limit-reset-at-utc" in response.headers) == (code == 429)
    assert gateway.credits() == 1


@pytest.mark.parametrize("code", [405, 502, 503, 504])
def test_some_status_faults_are_pages(gateway, ask, code):
    """A wrong verb, and whatever fails in front of the service, brings an HTML page."""
    response = ask(gateway, headers={FAULT_HEADER: str(code)})

    assert response.status_code == code
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("fault", "body"),
    [
        pytest.param("html", "<html><body>Welcome</body></html>\n", id="html"),
        pytest.param("not-json", '{"choices": [{"index": 0, ', id="not-json"),
        pytest.param("no-choices", '{"choices":[]}', id="no-choices"),
        pytest.param(
            "error-body",
            '{"error":{"message":"The model failed","type":"server_error"}}',
            id="error-body",
        ),
        pytest.param("empty", "", id="empty"),
    ],
)
def test_broken_replies(gateway, ask, fault, body):
    """A 200 may still hold nothing of use; it costs nothing."""
    response = ask(gateway, headers={FAULT_HEADER: fault})

    assert (response.status_code, response.text) == (200, body)
    assert gateway.credits() == 1


def test_drop_sends_no_byte(gateway, ask):
    """A dropped connection closes before any answer, and costs nothing."""
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        ask(gateway, headers={FAULT_HEADER: "drop"})

    assert gateway.credits() == 1
    assert ask(gateway).status_code == 200


def test_cut_promises_more_than_it_sends(gateway, ask):
    """A body cut short is shorter than its Content-Length; the run was charged."""
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        ask(gateway, headers={FAULT_HEADER: "cut"})

    assert gateway.credits() < 1


def test_latency_delays_a_normal_reply(gateway, ask):
    """A slow reply is otherwise as any other."""
    response = ask(gateway, headers={FAULT_HEADER: "latency:0.05"})

    assert response.status_code == 200
    assert response.elapsed.total_seconds() >= 0.05


def test_option_plays_on_chat_alone(serve, ask, client):
    """The faults of the option leave the credits request alone; the header does not."""
    gateway = serve(fault="503,ok,500")
    url, key = f"{gateway.base_url}/get-user-credits", {"x-api-key": "SG_local"}

    assert client.get(url, headers=key).status_code == 200
    assert [ask(gateway).status_code for _ in range(4)] == [503, 200, 500, 200]
    assert client.get(url, headers={**key, FAULT_HEADER: "500"}).status_code == 500


def test_options_add_up(serve, ask):
    """With several faults, delays add up and the first of the rest is played."""
    gateway = serve(fault=["latency:0.02@1", "latency:0.03@1", "503", "500@1"])
    first, second = ask(gateway), ask(gateway)

    assert first.elapsed.total_seconds() >= 0.05
    assert [first.status_code, second.status_code] == [503, 500]


def test_faults_can_change_while_it_runs(gateway, ask):
    """A test may set faults between requests, and a reset takes them back."""
    gateway.faults("503@1")
    assert ask(gateway).status_code == 503
    gateway.faults()
    assert ask(gateway).status_code == 200
    gateway.faults("500@1")
    gateway.reset()
    assert ask(gateway).status_code == 200


def test_malformed_header_is_400(gateway, ask):
    """A malformed header is told of in the answer."""
    response = ask(gateway, headers={FAULT_HEADER: "boom"})

    assert response.status_code == 400
    assert "fault 'boom'" in response.json()["error"]


def test_normal_actions_send_nothing_of_their_own():
    """Latency, drop and cut have no answer of theirs."""
    assert [fault_reply(Action(name), 0) for name in ("latency", "drop", "cut")] == [None] * 3
