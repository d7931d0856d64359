"""`python -m langchain_segmind.gateway`."""

import json
import os
import runpy
import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest

from langchain_segmind.gateway.cli import main


def test_first_line_is_the_url(capsys, ask):
    """The URL is printed once requests are accepted."""

    def until(gateway):
        assert capsys.readouterr().out == f"{gateway.base_url}\n"
        assert ask(gateway).status_code == 200

    assert main([], until=until) == 0


def test_options_reach_the_gateway(tmp_path, ask):
    """Every option of the command line is an option of the gateway."""
    replies = tmp_path / "replies.json"
    replies.write_text(json.dumps(["Hi", "Ho"]), encoding="utf-8")
    argv = ["--host", "127.0.0.1", "--port", "0", "--backend", "scripted", "--strict"]
    argv += ["--replies", str(replies), "--api-key", "one", "--api-key", "two", "--credits", "2.5"]
    argv += [
        "--rpm",
        "3",
        "--rate-window",
        "600",
        "--fault",
        "503",
        "--fault-seed",
        "1",
        "--slug",
        "mine",
    ]
    argv += ["--extra-body-keys", "a", "b"]

    def until(gateway):
        assert gateway.ledger.api_keys == ["one", "two"]
        assert gateway.credits("two") == 2.5
        assert ask(gateway, key="one", slug="mine").status_code == 503
        assert ask(gateway, key="one", slug="mine", a=1, b=2).status_code == 200
        assert ask(gateway, key="one", c=3).status_code == 400
        assert ask(gateway, key="one").status_code == 429

    assert main(argv, until=until) == 0


def test_key_of_the_upstream_comes_from_the_environment(monkeypatch):
    """The upstream's key need not be on the command line; its URL makes it a proxy."""
    monkeypatch.setenv("UPSTREAM_API_KEY", "fake-key")
    argv = ["--upstream", "http://127.0.0.1:1/v1", "--upstream-model", "m"]

    def until(gateway):
        backend = gateway._service.backend
        assert (backend._model, backend._api_key) == ("m", "fake-key")

    assert main(argv, until=until) == 0


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        pytest.param(["--fault", "boom"], "fault 'boom'", id="fault"),
        pytest.param(["--replies", "/no/such/file"], "/no/such/file", id="replies"),
        pytest.param(["--backend", "proxy"], "needs upstream", id="proxy"),
        pytest.param(["--credits", "lots"], "finite number", id="credits"),
        pytest.param(["--port", "99999"], "port", id="port"),
    ],
)
def test_mistakes_are_one_line(capsys, argv, text):
    """What is wrong is told in a line, with exit code 2."""
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert text in captured.err
    assert captured.err.startswith("python -m langchain_segmind.gateway: error: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers here")
def test_interrupt_ends_it(capsys):
    """Ctrl+C stops the gateway, with exit code 0 and no traceback."""
    before = signal.getsignal(signal.SIGTERM)
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        assert main([]) == 0
    finally:
        signal.signal(signal.SIGALRM, handler)

    assert capsys.readouterr().err == ""
    assert signal.getsignal(signal.SIGTERM) == before


def test_module_runs(monkeypatch, capsys):
    """The package can be run, and explains its options."""
    monkeypatch.setattr(sys, "argv", ["gateway", "--help"])
    with pytest.raises(SystemExit) as exit_:
        runpy.run_module("langchain_segmind.gateway", run_name="__main__")
    assert exit_.value.code == 0
    assert "--fault" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"])
def test_process_serves_until_it_is_told_to_stop(client, sign):
    """A process of its own serves, and leaves in good order."""
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
        process.send_signal(sign)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
