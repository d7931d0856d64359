"""The fixture `segmind_gateway`, run by pytest as in an application's test suite."""

import re
import subprocess
import sys

import pytest

from langchain_segmind import (
    ChatSegmindGPT4Turbo,
    SegmindAPIError,
    SegmindInsufficientCreditsError,
    SegmindInvalidRequestError,
    SegmindRateLimitError,
    SegmindResponseError,
)

TEST_IMPORTS = """
import sys

IS_IMPORTED = "langchain_segmind" in sys.modules


def test_package_is_not_imported():
    assert not IS_IMPORTED
"""
"""Collected first: the files after it import the package."""

TEST_REPEATED = """
from langchain_segmind import ChatSegmindGPT4Turbo


def test_first(segmind_gateway):
    segmind_gateway.reply("Hello!")
    ChatSegmindGPT4Turbo().invoke("Hi")


def test_second(segmind_gateway):
    assert segmind_gateway.requests == []
    assert segmind_gateway.credits == 1


def test_unused(segmind_gateway):
    segmind_gateway.reply("unused")
"""

SLOW_PLUGINS = ("benchmark", "hypothesispytest", "langsmith_plugin", "pytest_cov")
"""Plugins of other packages that take seconds to import."""

RUN_PYTEST = f"""
import sys
import pytest

common = ["-p", "no:cacheprovider", *(f"-pno:{{name}}" for name in {SLOW_PLUGINS})]
pytest.main([*common, "-q", "--fixtures"])
sys.exit(pytest.main([*common, "-v"]))
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory, root) -> str:
    """What one process prints for `pytest --fixtures` and a run of an application's tests."""
    folder = tmp_path_factory.mktemp("application")
    page = (root / "docs" / "testing.md").read_text(encoding="utf-8")
    (folder / "test_a_imports.py").write_text(TEST_IMPORTS)
    (folder / "test_repeated.py").write_text(TEST_REPEATED)
    (folder / "test_weather.py").write_text(page.partition("```python\n")[2].partition("```")[0])
    command = [sys.executable, "-c", RUN_PYTEST]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


def get_outcomes(output: str, file: str) -> list[str]:
    """Return the outcomes of a file's tests."""
    return re.findall(rf"^{file}::\w+ (\w+)", output, re.MULTILINE)


def test_plugin_runs_an_applications_tests(output) -> None:
    """The docs' example passes without a conftest, in a new gateway for each test.

    Suites that do not use the fixture do not pay for importing the package. A test that leaves
    responses unused fails: its model may have called the real service instead.
    """
    assert get_outcomes(output, "test_weather.py") == ["PASSED"] * 3, output
    assert get_outcomes(output, "test_a_imports.py") == ["PASSED"], output
    assert get_outcomes(output, "test_repeated.py") == ["PASSED"] * 3 + ["ERROR"], output
    assert "Queued responses that were never requested: 1." in output


def test_fixture_is_listed_with_its_purpose(output) -> None:
    """`pytest --fixtures` shows the fixture and its docstring."""
    assert re.search(r"^segmind_gateway .*\n +Run a local gateway", output, re.MULTILINE), output


# --- Queued responses ---


def test_reply_can_set_all_of_a_completion(caller, segmind_gateway) -> None:
    """Finish reason and model arrive in the message's metadata."""
    segmind_gateway.reply("Once upon a", finish_reason="length", model="gpt-4-turbo-x")
    metadata = caller.invoke(ChatSegmindGPT4Turbo(), "Hi").response_metadata
    assert (metadata["finish_reason"], metadata["model_name"]) == ("length", "gpt-4-turbo-x")


def test_reply_can_have_native_calls(caller, segmind_gateway) -> None:
    """They reach the application like calls in the text; thoughts stay out of it."""
    calls = [{"name": "add", "args": {"a": 1}, "id": "c1"}]
    segmind_gateway.reply(None, tool_calls=calls, reasoning="I add.")
    tool = {"title": "add", "description": "Add.", "type": "object"}
    tool["properties"] = {"a": {"type": "integer"}}
    message = caller.invoke(ChatSegmindGPT4Turbo().bind_tools([tool]), "Hi")
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("add", {"a": 1})]
    assert message.text == ""


def test_unknown_argument_of_a_reply_is_refused(segmind_gateway) -> None:
    """The error is raised in the test, not in the application."""
    with pytest.raises(TypeError, match="finish_raeson"):
        segmind_gateway.reply("Hi.", finish_raeson="stop")


def test_tool_call_round_trips(caller, segmind_gateway) -> None:
    """Any name and arguments survive, even those that look like calls."""
    args = {"text": 'say "[no()]"', "items": [1, None, {"a": True}]}
    usage = {"prompt_tokens": 900, "completion_tokens": 100}
    segmind_gateway.tool_call("look up", args, usage=usage).tool_call("look up")
    tool = {"title": "look up", "type": "object", "properties": {}, "additionalProperties": True}
    model = ChatSegmindGPT4Turbo().bind_tools([{**tool, "description": "Look something up."}])
    message = caller.invoke(model, "Hi")
    (call,) = message.tool_calls
    assert (call["name"], call["args"]) == ("look up", args)
    assert message.usage_metadata["input_tokens"] == 900
    assert caller.invoke(model, "Hi").tool_calls[0]["args"] == {}


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        (406, SegmindInsufficientCreditsError),
        ("503", SegmindAPIError),
        ("html", SegmindResponseError),
    ],
    ids=str,
)
def test_failure_raises_the_error_of_its_status(
    caller, segmind_gateway, fault, error_class
) -> None:
    """The failure has the form that Segmind sends."""
    segmind_gateway.fail(fault)
    with pytest.raises(error_class):
        caller.invoke(ChatSegmindGPT4Turbo(max_retries=0), "Hi")


def test_failure_asks_to_retry_at_once_by_default(segmind_gateway) -> None:
    """`retry_after` sets the wait, and None sends what Segmind sends."""
    segmind_gateway.fail(503, retry_after=7).fail(503).fail(429, retry_after=None)
    model = ChatSegmindGPT4Turbo(max_retries=0)
    waits = []
    for _ in range(3):
        with pytest.raises((SegmindAPIError, SegmindRateLimitError)) as caught:
            model.invoke("Hi")
        waits.append(caught.value.retry_after)
    assert waits[:2] == [7, 0]
    assert waits[2] is None or waits[2] <= 1


@pytest.mark.parametrize(
    "fault", ["drop", "latency:1", "503@0.5", "429,503", "teapot", 200], ids=str
)
def test_only_single_responses_can_be_queued(segmind_gateway, fault) -> None:
    """The error lists the failures, and points to the gateway's `faults` for everything else."""
    with pytest.raises(ValueError, match=rf"{fault}'? is not a failure: .*'not-json'.*\.faults\("):
        segmind_gateway.fail(fault)


def test_request_without_a_queued_response_fails_at_once(caller, segmind_gateway) -> None:
    """The error says what to do, and the request is not retried."""
    with pytest.raises(SegmindInvalidRequestError, match=r"segmind_gateway\.reply"):
        caller.invoke(ChatSegmindGPT4Turbo(), "Hi")
    assert len(segmind_gateway.requests) == 1


def test_unused_responses_are_counted(segmind_gateway) -> None:
    """A test can check that the application sent all the requests it should."""
    segmind_gateway.reply("One.").reply("Two.")
    ChatSegmindGPT4Turbo().invoke("Hi")
    assert segmind_gateway.pending == 1
    with pytest.raises(AssertionError, match="never requested: 1"):
        segmind_gateway.check_pending()
    segmind_gateway.clear()


def test_credits_can_be_set(segmind_gateway) -> None:
    """Running out of credits can be tested."""
    segmind_gateway.reply("Unused.")
    segmind_gateway.set_credits(0.000001)
    with pytest.raises(SegmindInsufficientCreditsError):
        ChatSegmindGPT4Turbo(max_retries=0).invoke("Hi")
    assert segmind_gateway.credits == 0.000001
    segmind_gateway.clear()
