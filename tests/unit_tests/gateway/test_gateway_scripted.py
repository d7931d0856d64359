"""Scripts as lists, files and functions."""

import re

import pytest

from langchain_segmind.gateway import Completion


def get_content(response):
    """Return the text of a reply."""
    return response.json()["choices"][0]["message"]["content"]


def test_entries_are_played_once_in_order(serve, ask):
    """After the last entry, a 500 says that the script has run out, and costs nothing."""
    gateway = serve(replies=["one", {"content": "two"}, Completion("three")])

    assert [get_content(ask(gateway)) for _ in range(3)] == ["one", "two", "three"]
    balance = gateway.credits()
    response = ask(gateway)
    assert response.status_code == 500
    assert response.json() == {"error": "The script has run out after 3 replies"}
    assert gateway.credits() == balance


def test_entries_can_match_the_last_message(serve, ask):
    """Entries with `match` can be used repeatedly; the others keep their order."""
    gateway = serve(
        replies=[
            {"match": "^weather in (Paris|Rome)$", "content": "sunny"},
            {"match": "1+1?", "content": "2"},
            {"match": "[", "content": "bracket"},
            "other",
        ]
    )

    questions = ["weather in Rome", "1+1?", "a [", "what?", "weather in Paris"]
    replies = ["sunny", "2", "bracket", "other", "sunny"]
    assert [get_content(ask(gateway, question)) for question in questions] == replies
    assert "has run out" in ask(gateway, "what?").json()["error"]


def test_entry_can_set_all_of_a_completion(serve, ask):
    """Finish reason, usage and model can be scripted, and that usage is charged."""
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"a": 1}}
    entry = {"content": None, "finish_reason": "length", "usage": usage, "model": "gpt-x"}
    response = ask(serve(replies=[entry]))
    body = response.json()

    message = {"role": "assistant", "content": None}
    assert body["choices"] == [{"index": 0, "message": message, "finish_reason": "length"}]
    assert body["model"] == "gpt-x"
    assert body["usage"] == {**usage, "total_tokens": 110}
    assert response.headers["x-cost"] == "0.001300"


@pytest.mark.parametrize(
    ("entry", "status", "content_type", "body"),
    [
        pytest.param({"status": 503}, 503, None, b"", id="bare"),
        pytest.param({"status": 200, "body": "hé"}, 200, "text/plain", "hé".encode(), id="text"),
        pytest.param({"status": 502, "body": "<html>"}, 502, "text/html", b"<html>", id="page"),
        pytest.param(
            {"status": 429, "body": {"error": "é"}},
            429,
            "application/json",
            b'{"error":"\\u00e9"}',
            id="json",
        ),
        pytest.param({"status": 200, "body": b"\xff"}, 200, None, b"\xff", id="bytes"),
        pytest.param(
            {"status": 200, "body": "x", "headers": {"Content-Type": "a/b", "Retry-After": 3}},
            200,
            "a/b",
            b"x",
            id="headers",
        ),
    ],
)
def test_raw_responses_are_sent_unchanged(serve, ask, *, entry, status, content_type, body):
    """A raw response has only the headers of the script, and costs nothing."""
    gateway = serve(replies=[entry])
    response = ask(gateway)

    assert (response.status_code, response.content) == (status, body)
    found = response.headers.get("content-type")
    assert found is None if content_type is None else found.startswith(content_type)
    expected = {name.lower() for name in entry.get("headers", {})}
    assert set(response.headers) - expected <= {"content-length", "content-type"}
    assert gateway.credits() == 1


def _synchronous(request):
    return {"content": f"{request.slug}: {request.messages[-1]['content']}"}


async def _coroutine(request):
    return f"{request.path} {request.last_message}"


class _Callable:
    async def __call__(self, request):
        return f"{request.json['temperature']} {request.last_message}"


@pytest.mark.parametrize(
    ("function", "text"),
    [
        pytest.param(_synchronous, "gpt-4-turbo: hi", id="sync"),
        pytest.param(_coroutine, "/v1/gpt-4-turbo hi", id="async"),
        pytest.param(_Callable(), "1 hi", id="async-object"),
    ],
)
def test_function_sees_the_request(serve, ask, function, text):
    """A function can return any entry; coroutine functions and async objects are awaited."""
    assert get_content(ask(serve(replies=function), "hi", temperature=1)) == text


@pytest.mark.parametrize(
    ("replies", "text"),
    [
        pytest.param(
            lambda _: 1 / 0, "The script failed: ZeroDivisionError: division by zero", id="raises"
        ),
        pytest.param(
            lambda _: 42, "The script failed: ValueError: a script entry must be", id="wrong-type"
        ),
        pytest.param(
            [{"match": "a", "content": "b"}],
            "No entry of the script matches 'Hello'",
            id="unmatched",
        ),
    ],
)
def test_script_without_a_reply_is_a_500(serve, ask, replies, text):
    """The client gets the reason; an exception with its type."""
    response = ask(serve(replies=replies))

    assert response.status_code == 500
    assert text in response.json()["error"]


@pytest.mark.parametrize(
    ("text", "replies"),
    [
        pytest.param('["one", {"content": "two"}]', ["one", "two"], id="json-array"),
        pytest.param('"one"\n\n{"content": "two"}\n', ["one", "two"], id="jsonl"),
        pytest.param('{"content": "one"}', ["one"], id="one-object"),
    ],
)
def test_scripts_can_be_files(serve, ask, tmp_path, text, replies):
    """A file holds a JSON array, one value, or one value per line."""
    path = tmp_path / "replies.json"
    path.write_text(text, encoding="utf-8")

    for form in (path, str(path)):
        gateway = serve(replies=form)
        assert [get_content(ask(gateway)) for _ in replies] == replies


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param('"one"\n{\n', "line 2: not valid JSON", id="line"),
        pytest.param('["one", 2]', "entry 2: a script entry must be", id="entry"),
    ],
)
def test_malformed_file_names_the_place(serve, tmp_path, text, problem):
    """The error at the start has the file, and the line or the number of the entry."""
    path = tmp_path / "replies.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(f"{path}, {problem}")):
        serve(replies=path)


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        pytest.param(7, "must be a string or an object, not 7", id="number"),
        pytest.param({}, "must hold content, tool_calls or status", id="empty"),
        pytest.param({"content": "a", "contents": "b"}, "unknown keys contents", id="typo"),
        pytest.param({"status": 200, "content": "b"}, "unknown keys content", id="both"),
        pytest.param({"match": 1, "content": "b"}, "match must be a string", id="match"),
        pytest.param({"status": "x"}, "status must be a number", id="status-text"),
        pytest.param({"status": 101}, "status must be a number", id="status-interim"),
        pytest.param({"status": 199}, "status must be a number", id="status-199"),
        pytest.param({"status": 600}, "status must be a number", id="status-600"),
        pytest.param({"status": 200, "headers": ["a"]}, "headers must be an object", id="headers"),
        pytest.param({"status": 200, "headers": {"a b": "c"}}, "cannot be sent", id="header-name"),
        pytest.param({"status": 200, "headers": {"a": "b\nc"}}, "cannot be sent", id="header-line"),
        pytest.param({"content": "a", "usage": [1]}, "usage must be an object", id="usage"),
        pytest.param(
            {"content": "a", "usage": {"prompt_tokens": -1}}, "whole numbers", id="usage-negative"
        ),
        pytest.param({"content": "a", "reasoning": None}, "must be a string", id="reasoning"),
        pytest.param({"tool_calls": {"name": "a"}}, "list of name and args", id="calls-object"),
        pytest.param({"tool_calls": ["a"]}, "list of name and args", id="call-text"),
        pytest.param({"tool_calls": [{"name": "a"}]}, "list of name and args", id="call-args"),
        pytest.param(
            {"tool_calls": [{"name": "a", "args": {}, "arguments": "{}"}]},
            "list of name and args",
            id="call-key",
        ),
    ],
)
def test_malformed_entries_are_refused_at_once(gateway, entry, text):
    """A mistake is reported when the script is set, not when it is played."""
    with pytest.raises(ValueError, match=f"entry 1: .*{text}"):
        gateway.script([entry])


@pytest.mark.parametrize("status", [200, 599])
def test_any_final_status_can_be_scripted(serve, ask, status):
    """From 200 to 599."""
    assert ask(serve(replies=[{"status": status, "body": "x"}])).status_code == status


def test_calls_are_a_part_of_the_output(serve, ask):
    """Their names and arguments are counted."""
    calls = [[{"name": "say", "args": {"text": "word " * count}}] for count in (1, 100)]
    gateway = serve(replies=[{"tool_calls": each} for each in calls])
    short, long = (ask(gateway).json()["usage"]["completion_tokens"] for _ in calls)
    assert long - short > 90


def test_reset_restores_the_first_script(serve, ask):
    """`script` replaces the script; `reset` restarts the initial one."""
    gateway = serve(replies=["first", "second"])
    assert get_content(ask(gateway)) == "first"
    gateway.script(["other"])
    assert get_content(ask(gateway)) == "other"
    gateway.script(None)
    assert get_content(ask(gateway, "echo")) == "echo"

    gateway.reset()
    assert gateway.requests == []
    assert gateway.credits() == 1
    assert get_content(ask(gateway)) == "first"
