"""`python -m langchain_segmind.gateway`."""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
from contextlib import ExitStack

import httpx
import pytest

from langchain_segmind.gateway.__main__ import main


def test_output_is_the_url_and_the_variables_to_set(capsys, ask):
    """The first line is the bare URL; the others can be pasted into a shell."""

    def until(gateway):
        assert capsys.readouterr().out == (
            f"{gateway.base_url}\n"
            f"export SEGMIND_API_BASE={gateway.base_url}\n"
            "export SEGMIND_API_KEY='a key'\n"
        )
        assert ask(gateway, key="a key").status_code == 200

    assert main(["--api-key", "a key"], until=until) == 0


def test_options_reach_the_gateway(tmp_path, ask):
    """Every option of the command line changes the gateway."""
    replies = tmp_path / "replies.json"
    replies.write_text(json.dumps(["Hi", "Ho"]), encoding="utf-8")
    argv = ["--host", "127.0.0.1", "--port", "0", "--backend", "scripted", "--strict"]
    argv += ["--replies", str(replies), "--api-key", "one", "--api-key", "two", "--credits", "2.5"]
    argv += ["--rpm", "3", "--rate-window", "600", "--keep-alive", "9"]
    argv += ["--fault", "503", "--fault-seed", "1", "--extra-body-keys", "a", "b"]

    def until(gateway):
        assert gateway.ledger.api_keys == ["one", "two"]
        assert gateway.credits("two") == 2.5
        assert ask(gateway, key="one").status_code == 503
        assert ask(gateway, key="one", a=1, b=2).status_code == 200
        assert ask(gateway, key="one", c=3).status_code == 400
        assert ask(gateway, key="one").status_code == 429

    assert main(argv, until=until) == 0


def test_upstream_key_comes_from_the_environment(monkeypatch):
    """The upstream's key need not be on the command line; its URL selects the proxy."""
    monkeypatch.setenv("UPSTREAM_API_KEY", "fake-key")
    argv = ["--upstream", "http://127.0.0.1:1/v1", "--upstream-model", "m"]

    def until(gateway):
        backend = gateway._service.backend
        assert (backend._model, backend._api_key) == ("m", "fake-key")

    assert main(argv, until=until) == 0


def test_verbose_logs_each_request_without_keys(capsys, ask, client):
    """Each line has the method, path, status, credits and time."""

    def until(gateway):
        ask(gateway, "Hello there", key="fake-key")
        ask(gateway, key="fake-key")
        ask(gateway, key="fake-key")
        ask(gateway, key="wrong-key", slug="fake-key%0a")
        with pytest.raises(httpx.RemoteProtocolError):
            ask(gateway, key="fake-key")
        with pytest.raises(httpx.RemoteProtocolError):
            ask(gateway, key="fake-key")

    assert (
        main(["--verbose", "--api-key", "fake-key", "--fault", "ok,503,429,drop,cut"], until=until)
        == 0
    )
    written = capsys.readouterr().err
    assert "-key" not in written
    lines = [re.sub(r"^\S+ \S+ |\d+\.\d{3} s$", "", line) for line in written.splitlines()]
    assert lines == [
        "POST /v1/gpt-4-turbo 200, 0.000160 credits, ",
        "POST /v1/gpt-4-turbo 503, 0 credits, ",
        "POST /v1/gpt-4-turbo 429, 0 credits, ",
        "POST /v1/**********%0A 404, 0 credits, ",
        "POST /v1/gpt-4-turbo dropped, 0 credits, ",
        "POST /v1/gpt-4-turbo 200 cut, 0.000120 credits, ",
    ]


def test_requests_are_not_logged_by_default(capsys, ask):
    """Without `--verbose`, stderr stays empty."""
    assert main([], until=ask) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        pytest.param(["--fault", "boom"], "fault 'boom'", id="fault"),
        pytest.param(["--replies", "/no/such/file"], "/no/such/file", id="replies"),
        pytest.param(["--backend", "proxy"], "needs upstream", id="proxy"),
        pytest.param(["--credits", "lots"], "finite number", id="credits"),
        pytest.param(["--port", "99999"], "port", id="port"),
        pytest.param(["--port", "{taken}"], "port {taken}: Address already in use", id="taken"),
    ],
)
def test_mistakes_are_reported_in_one_line(capsys, gateway, argv, text):
    """The exit code is 2, and stdout stays empty."""
    argv = [argument.format(taken=gateway.port) for argument in argv]
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert text.format(taken=gateway.port) in captured.err
    assert captured.err.startswith("python -m langchain_segmind.gateway: error: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this platform has no timers")
def test_interrupt_ends_the_gateway(capsys):
    """Ctrl+C stops the gateway with exit code 0 and no traceback."""
    before = signal.getsignal(signal.SIGTERM)
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert main([]) == 0
    finally:
        signal.signal(signal.SIGALRM, handler)

    assert capsys.readouterr().err == ""
    assert signal.getsignal(signal.SIGTERM) == before


def test_module_runs(monkeypatch, capsys):
    """`python -m` works, and `--help` explains the options."""
    monkeypatch.setattr(sys, "argv", ["gateway", "--help"])
    monkeypatch.delitem(sys.modules, "langchain_segmind.gateway.__main__")
    with pytest.raises(SystemExit) as exit_:
        runpy.run_module("langchain_segmind.gateway", run_name="__main__")
    assert exit_.value.code == 0
    assert "--fault" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"])
def test_process_serves_until_a_signal(client, sent):
    """The process prints its URL at once, serves, and exits with 0."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "langchain_segmind.gateway"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - nohup ignores it
    )
    with process, ExitStack() as stack:
        stack.callback(process.kill)
        url = process.stdout.readline().strip()
        response = client.get(f"{url}/get-user-credits", headers={"x-api-key": "SG_local"})
        assert response.json() == {"credits": 1.0, "free-credits": 0.0}
        process.send_signal(sent)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
