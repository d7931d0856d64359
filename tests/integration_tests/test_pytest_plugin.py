"""The fixture `segmind_gateway` in an application's tests, run by pytest as its users run it."""

import subprocess
import sys
from pathlib import Path

import pytest

from langchain_segmind import (
    ChatSegmindGPT4Turbo,
    SegmindAPIError,
    SegmindInsufficientCreditsError,
    SegmindInvalidRequestError,
    SegmindRateLimitError,
    SegmindResponseError,
)

TESTS_OF_AN_APPLICATION = '''
import pytest
from langchain.agents import create_agent
from langchain_segmind import ChatSegmindGPT4Turbo, SegmindRateLimitError


def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"{city} is sunny."


def test_the_agent_looks_the_weather_up(segmind_gateway):
    segmind_gateway.tool_call("get_weather", {"city": "Paris"}).reply("It is sunny in Paris.")
    agent = create_agent(ChatSegmindGPT4Turbo(), [get_weather])
    state = agent.invoke({"messages": [("user", "How is the weather in Paris?")]})
    assert state["messages"][-1].text == "It is sunny in Paris."
    assert "Paris is sunny." in segmind_gateway.requests[-1].last_message
    assert segmind_gateway.credits < 1


def test_each_test_begins_anew(segmind_gateway):
    assert segmind_gateway.requests == []
    segmind_gateway.fail(429).fail(429).reply("Hello!")
    assert ChatSegmindGPT4Turbo().invoke("Hi").text == "Hello!"
    assert len(segmind_gateway.requests) == 3
'''


def run_pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder, with the plugins that are installed."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_an_application_tests_its_agent(tmp_path) -> None:
    """The fixture is there without a word in any conftest."""
    (tmp_path / "test_app.py").write_text(TESTS_OF_AN_APPLICATION, encoding="utf-8")
    run = run_pytest(tmp_path)
    assert "2 passed" in run.stdout, run.stdout + run.stderr


def test_the_page_about_tests_shows_tests_that_pass(tmp_path, root) -> None:
    """What a reader copies into a file runs as it stands."""
    page = (root / "docs" / "testing.md").read_text(encoding="utf-8")
    block = page.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "test_weather.py").write_text(block, encoding="utf-8")
    run = run_pytest(tmp_path)
    assert "3 passed" in run.stdout, run.stdout + run.stderr


def test_the_fixture_is_listed_with_its_purpose(tmp_path) -> None:
    """`pytest --fixtures` tells what it is for."""
    listed = run_pytest(tmp_path, "--fixtures").stdout
    assert "segmind_gateway" in listed
    assert "answers as the test says" in listed


def test_who_does_not_use_it_does_not_import_the_package(tmp_path) -> None:
    """All of pytest's plugins are imported whenever pytest runs."""
    test = "import sys\n\ndef test_modules():\n    assert 'langchain_segmind' not in sys.modules\n"
    (tmp_path / "test_other.py").write_text(test, encoding="utf-8")
    assert "1 passed" in run_pytest(tmp_path).stdout


# --- What a test can say ---


def test_a_reply_may_carry_more_than_its_text(caller, segmind_gateway) -> None:
    """As in a script of the gateway."""
    segmind_gateway.reply("Once upon a", finish_reason="length", model="gpt-4-turbo-x")
    metadata = caller.invoke(ChatSegmindGPT4Turbo(), "Hi").response_metadata
    assert (metadata["finish_reason"], metadata["model_name"]) == ("length", "gpt-4-turbo-x")


def test_a_misspelt_part_of_a_reply_is_refused_where_it_is_written(segmind_gateway) -> None:
    """Not where the application asks."""
    with pytest.raises(ValueError, match="finish_raeson"):
        segmind_gateway.reply("Hi.", finish_raeson="stop")


def test_a_tool_call_arrives_as_one(caller, segmind_gateway) -> None:
    """Whatever its name and arguments hold."""
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
        (429, SegmindRateLimitError),
        (406, SegmindInsufficientCreditsError),
        ("503", SegmindAPIError),
        ("html", SegmindResponseError),
        ("empty", SegmindResponseError),
    ],
    ids=str,
)
def test_a_failure_is_that_of_the_service(caller, segmind_gateway, fault, error_class) -> None:
    """It comes as the gateway's own faults do."""
    segmind_gateway.fail(fault)
    with pytest.raises(error_class):
        caller.invoke(ChatSegmindGPT4Turbo(max_retries=0), "Hi")


def test_a_failure_may_ask_to_wait(segmind_gateway) -> None:
    """By default it asks to try again at once, so that tests are quick."""
    segmind_gateway.fail(503, retry_after=7).fail(503).fail(429, retry_after=None)
    model = ChatSegmindGPT4Turbo(max_retries=0)
    told = []
    for _ in range(3):
        with pytest.raises((SegmindAPIError, SegmindRateLimitError)) as caught:
            model.invoke("Hi")
        told.append(caught.value.retry_after)
    assert told[:2] == [7, 0]
    assert told[2] is None or told[2] <= 1


@pytest.mark.parametrize(
    "fault", ["drop", "latency:1", "teapot", 200, "503@0.5", "429,503"], ids=str
)
def test_what_is_no_answer_cannot_be_queued(segmind_gateway, fault) -> None:
    """The error says where else it can be had."""
    with pytest.raises(ValueError, match=r"fault|faults\(\.\.\.\)"):
        segmind_gateway.fail(fault)


def test_a_request_that_the_test_does_not_answer_fails_at_once(caller, segmind_gateway) -> None:
    """It says what to do, and is sent once."""
    with pytest.raises(SegmindInvalidRequestError, match=r"segmind_gateway\.reply"):
        caller.invoke(ChatSegmindGPT4Turbo(), "Hi")
    assert len(segmind_gateway.requests) == 1


def test_replies_that_nobody_asked_for_are_counted(segmind_gateway) -> None:
    """A test can tell that the application asked less than it should."""
    segmind_gateway.reply("One.").reply("Two.")
    ChatSegmindGPT4Turbo().invoke("Hi")
    assert segmind_gateway.pending == 1
    with pytest.raises(AssertionError, match="never requested: 1"):
        segmind_gateway.check_pending()
    segmind_gateway.clear()


def test_a_test_whose_answers_are_not_used_fails(tmp_path) -> None:
    """Its model may have called the service itself."""
    test = "def test_app(segmind_gateway):\n    segmind_gateway.reply('never')\n"
    (tmp_path / "test_app.py").write_text(test, encoding="utf-8")
    run = run_pytest(tmp_path)
    assert "1 passed, 1 error" in run.stdout
    assert "never requested" in run.stdout


def test_credits_can_be_set(segmind_gateway) -> None:
    """To run out of them is a test like any other."""
    segmind_gateway.reply("Never said.")
    segmind_gateway.set_credits(0.000001)
    with pytest.raises(SegmindInsufficientCreditsError):
        ChatSegmindGPT4Turbo(max_retries=0).invoke("Hi")
    assert segmind_gateway.credits == 0.000001
    segmind_gateway.clear()
