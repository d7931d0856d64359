"""`python -m langchain_segmind`: what a bug report needs, and a ping."""

import subprocess
import sys

import pytest

from langchain_segmind import __main__ as report
from langchain_segmind import __version__
from tests.conftest import SECRET

PASSWORD = "not-a-real-password"


def read(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return what was printed, by name."""
    lines = capsys.readouterr().out.splitlines()
    return {line[:20].strip(): line[20:] for line in lines}


def test_versions_and_settings_are_printed(capsys, fresh_environment) -> None:
    """Each dependency and extra has a row; without settings, the defaults are named."""
    fresh_environment.delenv("SEGMIND_API_KEY", raising=False)
    fresh_environment.delenv("SSL_CERT_DIR", raising=False)
    assert report.main([]) == 0
    rows = read(capsys)
    assert rows["langchain-segmind"] == __version__
    assert {
        "Python",
        "system",
        "httpx",
        "langchain-core",
        "pydantic",
        "langgraph",
        "extra gateway",
    } <= rows.keys()
    assert rows["extra gateway"].startswith("starlette ")
    assert rows["base URL"] == "https://api.segmind.com/v1"
    assert rows["API key"] == "No API key is set."
    assert rows["proxy"] == "none"
    assert rows["certificates"].startswith("certifi ")


def test_a_missing_extra_says_how_to_install_it(monkeypatch) -> None:
    """And a package that is not installed at all has no extras."""
    monkeypatch.setattr(report, "find_version", lambda _: "not installed")
    assert dict(report.describe())["extra limits"] == (
        'missing: pip install "langchain-segmind[limits]"'
    )
    monkeypatch.setattr(report, "PACKAGE", "no-such-package")
    assert report.read_requirements() == {}


def test_no_secret_is_printed(capsys, fresh_environment) -> None:
    """The key, and passwords of the base URL and the proxy."""
    fresh_environment.setenv("SEGMIND_API_KEY", SECRET)
    fresh_environment.setenv("SEGMIND_API_BASE", f"https://me:{PASSWORD}@example.invalid/v1")
    fresh_environment.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@127.0.0.1:9")
    fresh_environment.setenv("SSL_CERT_DIR", "/certificates")
    report.main([])
    rows = read(capsys)
    assert SECRET not in str(rows)
    assert PASSWORD not in str(rows)
    assert rows["API key"] == "set in SEGMIND_API_KEY"
    assert rows["base URL"] == "https://example.invalid/v1"
    assert rows["proxy"] == "http://127.0.0.1:9"
    assert rows["certificates"] == "/certificates (SSL_CERT_DIR)"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        pytest.param("SEGMIND_API_BASE", f"me:{PASSWORD}", id="base URL"),
        pytest.param("HTTPS_PROXY", f"http://me:{PASSWORD}/@host", id="proxy"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_problem(capsys, fresh_environment, variable, value):
    """The row says which one, and does not show it; a ping fails for the same reason."""
    fresh_environment.setenv("SEGMIND_API_KEY", SECRET)
    fresh_environment.setenv(variable, value)
    assert report.main(["--ping"]) == 1
    rows = read(capsys)
    assert variable in rows["problem"]
    assert variable in rows["ping"]
    assert PASSWORD not in str(rows)


def test_a_ping_prints_the_balance(capsys, gateway, fresh_environment) -> None:
    """Asked for over HTTP, also by the command itself."""
    fresh_environment.setenv("SEGMIND_API_KEY", SECRET)
    fresh_environment.setenv("SEGMIND_API_BASE", gateway.base_url)
    assert report.main(["--ping"]) == 0
    assert read(capsys)["ping"] == "the balance is 1000.0 credits"
    command = [sys.executable, "-m", "langchain_segmind", "--ping"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("ping                the balance is 1000.0 credits\n")


def test_a_failed_ping_prints_the_reason(capsys, gateway, fresh_environment) -> None:
    """On one line, in ASCII, with 1 as the exit code."""
    fresh_environment.setenv("SEGMIND_API_KEY", "not-the-key")
    fresh_environment.setenv("SEGMIND_API_BASE", gateway.base_url)
    assert report.main(["--ping"]) == 1
    ping = read(capsys)["ping"]
    assert ping.startswith("SegmindAuthenticationError: The server answered 401")
    assert "Set a valid key" in ping
