"""`python -m langchain_segmind.gateway`."""

import json
import logging
import os
import re
import runpy
import signal
import subprocess
import sys
from contextlib import ExitStack

import httpx
import pytest

from langchain_segmind.gateway.__main__ import logger, main


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


def test_an_option_cannot_be_shortened(capsys):
    """`--api` could be `--api-key` or `--api-format`, and a script must not change its meaning."""
    with pytest.raises(SystemExit):
        main(["--verb"])
    assert "unrecognized arguments: --verb" in capsys.readouterr().err


def test_format_can_be_chosen(ask):
    """`--api-format` overrides what a model's name suggests."""

    def until(gateway):
        assert "stop_reason" in ask(gateway, slug="gpt-4-turbo").json()

    assert main(["--api-format", "anthropic"], until=until) == 0


def test_verbose_logs_each_request_without_keys(caplog, ask):
    """Each line has the method, path, status, credits and time."""

    def until(gateway):
        for _ in range(3):
            ask(gateway, "Hello there", key="fake-key")
        ask(gateway, key="wrong-key", slug="fake-key%0a")
        for _ in range(2):
            with pytest.raises(httpx.TransportError):
                ask(gateway, "Hello there", key="fake-key")

    with caplog.at_level(logging.INFO, logger=logger.name):
        argv = ["--verbose", "--api-key", "fake-key", "--fault", "ok,503,429,drop,cut"]
        assert main(argv, until=until) == 0

    lines = [text for name, _, text in caplog.record_tuples if name == logger.name]
    assert "-key" not in caplog.text
    assert [re.sub(r"\d+\.\d{3} s$", "", line) for line in lines] == [
        "POST /v1/gpt-4-turbo 200, 0.000160 credits, ",
        "POST /v1/gpt-4-turbo 503, 0 credits, ",
        "POST /v1/gpt-4-turbo 429, 0 credits, ",
        "POST /v1/**********%0A 404, 0 credits, ",
        "POST /v1/gpt-4-turbo dropped, 0 credits, ",
        "POST /v1/gpt-4-turbo 200 cut, 0.000160 credits, ",
    ]


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        pytest.param(["--replies", "/no/such/file"], "/no/such/file", id="replies"),
        pytest.param(["--backend", "proxy"], "needs upstream", id="proxy"),
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
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert main([]) == 0
    finally:
        signal.signal(signal.SIGALRM, handler)

    assert capsys.readouterr().err == ""


def test_module_runs(monkeypatch, capsys):
    """`python -m` works, and `--help` explains the options."""
    monkeypatch.setattr(sys, "argv", ["gateway", "--help"])
    monkeypatch.delitem(sys.modules, "langchain_segmind.gateway.__main__")
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as exit_:
            runpy.run_module("langchain_segmind.gateway", run_name="__main__")
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert exit_.value.code == 0
    assert "--fault" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
def test_process_serves_until_a_signal(client):
    """It prints its URL at once and exits with 0; only `--verbose` logs requests to stderr."""
    with ExitStack() as stack:
        processes = {}
        for sent, flags in {signal.SIGINT: [], signal.SIGTERM: ["--verbose"]}.items():
            processes[sent] = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "langchain_segmind.gateway", *flags],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONUNBUFFERED": ""},
            )
            stack.enter_context(processes[sent])
            stack.callback(processes[sent].kill)
        errors = []
        for sent, process in processes.items():
            url = process.stdout.readline().strip()
            body = client.get(f"{url}/get-user-credits").json()
            assert body == {"credits": 1.0, "free-credits": 0.0}
            process.send_signal(sent)
            assert process.wait(10) == 0
            errors.append(process.stderr.read())
    assert errors[0] == ""
    assert re.fullmatch(r"\S+ \S+ GET /v1/get-user-credits 200, 0 credits, \S+ s\n", errors[1])
