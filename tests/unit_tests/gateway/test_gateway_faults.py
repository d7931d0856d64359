"""Injected faults: syntax, schedules and HTTP responses."""

import httpx
import pytest

from langchain_segmind.gateway.faults import Faults, parse_fault


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        pytest.param("503", (["503"], None), id="status"),
        pytest.param(" 503, 429 ,ok ", (["503", "429", "ok"], None), id="schedule"),
        pytest.param("503@0.1", (["503"], 0.1), id="rate"),
        pytest.param("drop @ 1", (["drop"], 1.0), id="always"),
        pytest.param("html@.5", (["html"], 0.5), id="bare-fraction"),
        pytest.param("latency:0.25", (["latency:0.25"], None), id="latency"),
    ],
)
def test_fault_is_a_schedule_or_a_rate(spec, fault):
    """A fault lists actions, or gives one action a rate."""
    assert parse_fault(spec) == fault


MALFORMED = ["", "#", "boom", "status", "latency", "latency:soon", "latency:-1", "200", "600"]
MALFORMED += ["٤٠٤", "503,", "503@2", "503@1.5", "503@", "503@nan", "503@-0.1", "503,502@0.5"]


@pytest.mark.parametrize("spec", MALFORMED)
def test_malformed_faults_are_refused(gateway, ask, spec):
    """The error quotes the fault, and the faults set before stay."""
    gateway.faults("503@1")
    with pytest.raises(ValueError, match=f"fault '{spec}'"):
        gateway.faults(spec)
    assert ask(gateway).status_code == 503


def test_seed_repeats_rates():
    """A seed always gives the same faults, about as often as the rate says."""
    runs = []
    for _ in range(2):
        faults = Faults(["503@0.25"], seed=7)
        runs.append([faults.next() == (0, "503") for _ in range(400)])

    assert runs[0] == runs[1]
    assert 70 < sum(runs[0]) < 130


@pytest.mark.parametrize("code", [302, 400, 401, 403, 404, 406, 410, 418, 422, 429, 500, 599])
def test_status_faults_are_json_errors(gateway, ask, code):
    """A status comes with the body that the service sends with it, and costs nothing."""
    gateway.faults(str(code))
    response = ask(gateway)

    assert response.status_code == code
    assert response.json().keys() == {"error"}
    assert "x-request-id" in response.headers
    assert "x-cost" not in response.headers
    assert ("x-rate-limit-reset-at-utc" in response.headers) == (code == 429)
    assert gateway.credits() == 1


@pytest.mark.parametrize("code", [405, 502, 503, 504])
def test_some_status_faults_are_html_pages(gateway, ask, code):
    """Proxies in front of a service answer with a page."""
    gateway.faults(str(code))
    response = ask(gateway)

    assert response.status_code == code
    assert response.headers["content-type"].startswith("text/html")


UNUSABLE = {
    "html": "<html><body>Welcome</body></html>\n",
    "not-json": '{"choices": [{"index": 0, ',
    "no-choices": '{"choices":[]}',
    "error-body": '{"error":{"message":"The model failed","type":"server_error"}}',
    "empty": "",
}


@pytest.mark.parametrize(("fault", "body"), UNUSABLE.items(), ids=list(UNUSABLE))
def test_unusable_success_is_a_200_that_costs_nothing(gateway, ask, fault, body):
    """The status is 200, but the body is not a completion."""
    gateway.faults(fault)
    response = ask(gateway)

    assert (response.status_code, response.text) == (200, body)
    assert gateway.credits() == 1


def test_drop_sends_no_byte(gateway, ask):
    """The connection closes before any response; nothing is charged."""
    gateway.faults("drop")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        ask(gateway)

    assert gateway.credits() == 1
    assert ask(gateway).status_code == 200


def test_cut_body_is_shorter_than_its_content_length(gateway, ask):
    """The call is charged, because the model ran."""
    gateway.faults("cut")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        ask(gateway)

    assert gateway.credits() < 1


def test_faults_apply_to_chat_requests_only(serve, ask, client):
    """The credits request neither fails nor uses up a fault; each fault meets one request."""
    gateway = serve(fault="503,ok,500")
    assert client.get(f"{gateway.base_url}/get-user-credits").status_code == 200
    assert [ask(gateway).status_code for _ in range(5)] == [503, 200, 500, 200, 200]


def test_several_faults_combine(serve, ask):
    """Delays add up, and the first of the other actions is played."""
    gateway = serve(fault=["latency:0.02@1", "latency:0.03@1", "503", "500,500"])
    responses = [ask(gateway) for _ in range(3)]

    assert [response.status_code for response in responses] == [503, 500, 200]
    assert min(response.elapsed.total_seconds() for response in responses) >= 0.05


def test_faults_can_change_at_run_time(serve, ask):
    """`faults` replaces the faults, and `reset` restores those of the option."""
    gateway = serve(fault="429")
    gateway.faults("503@1")
    assert ask(gateway).status_code == 503
    gateway.faults()
    assert ask(gateway).status_code == 200
    gateway.faults("500@1")
    gateway.reset()
    assert [ask(gateway).status_code for _ in range(2)] == [429, 200]
