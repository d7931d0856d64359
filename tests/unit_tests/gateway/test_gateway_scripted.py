"""Scripts: lists, files and functions."""

import itertools
import json
import re

import pytest

from langchain_segmind.gateway import Completion


def said(response):
    """The text of a reply."""
    return response.json()["choices"][0]["message"]["content"]


def test_without_a_script_it_echoes(gateway, ask):
    """The last message comes back."""
    assert said(ask(gateway, "Polly")) == "Polly"


def test_entries_play_in_order_then_run_out(serve, ask):
    """A list is played once; then a 500 says that it has run out, and costs nothing."""
    gateway = serve(replies=["one", {"content": "two"}, Completion("three")])

    assert [said(ask(gateway)) for _ in range(3)] == ["one", "two", "three"]
    balance = gateway.credits()
    response = ask(gateway)
    assert response.status_code == 500
    assert response.json() == {"error": "The script has run out after 3 replies"}
    assert gateway.credits() == balance


def test_entries_may_match_the_last_message(serve, ask):
    """Matching entries answer as often as they match; the others keep their order."""
    gateway = serve(
        replies=[
            {"match": "^weather in (Paris|Rome)$", "content": "sunny"},
            {"match": "1+1?", "content": "2"},
            {"match": "[", "content": "bracket"},
            "other",
        ]
    )

    questions = ["weather in Rome", "1+1?", "a [", "what?", "weather in Paris"]
    assert [said(ask(gateway, q)) for q in questions] == ["sunny", "2", "bracket", "other", "sunny"]
    assert "has run out" in ask(gateway, "what?").json()["error"]


def test_unmatched_message_is_a_500(serve, ask):
    """Where every entry has a match and none fits, the answer says so."""
    gateway = serve(replies=[{"match": "a", "content": "b"}])
    assert ask(gateway, "z").json() == {"error": "No entry of the script matches 'z'"}


def test_entry_may_set_all_of_a_completion(serve, ask):
    """Finish reason, usage and model can be scripted, and the usage is what is charged."""
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"a": 1}}
    entry = {"content": None, "finish_reason": "length", "usage": usage, "model": "gpt-x"}
    response = ask(serve(replies=[entry]))
    reply = response.json()

    assert reply["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": None},
        "finish_reason": "length",
    }
    assert reply["model"] == "gpt-x"
    assert reply["usage"] == {**usage, "total_tokens": 110}
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
def test_raw_answers_are_sent_as_they_are(serve, ask, *, entry, status, content_type, body):
    """A raw answer has no header that the script did not ask for, and costs nothing."""
    gateway = serve(replies=[entry])
    response = ask(gateway)

    assert (response.status_code, response.content) == (status, body)
    found = response.headers.get("content-type")
    assert found is None if content_type is None else found.startswith(content_type)
    asked = {name.lower() for name in entry.get("headers", {})}
    assert set(response.headers) - asked <= {"content-length", "content-type"}
    assert gateway.credits() == 1


def test_function_sees_the_request(serve, ask):
    """A function is given the request, and may say all that an entry may."""
    seen = []

    def reply(request):
        seen.append((request.slug, request.last_message, request.json["temperature"]))
        return {"content": request.messages[-1]["content"].upper()}

    assert said(ask(serve(replies=reply), "loud", temperature=1)) == "LOUD"
    assert seen == [("gpt-4-turbo", "loud", 1)]


async def _coroutine(request):
    return f"async {request.last_message}"


class _Callable:
    async def __call__(self, request):
        return f"object {request.last_message}"


@pytest.mark.parametrize(
    ("function", "text"),
    [
        pytest.param(_coroutine, "async hi", id="async"),
        pytest.param(_Callable(), "object hi", id="async-object"),
    ],
)
def test_functions_may_be_async(serve, ask, function, text):
    """A coroutine function is awaited, in whatever shape it comes."""
    assert said(ask(serve(replies=function), "hi")) == text


def test_function_can_cycle(gateway, ask):
    """An endless script is a function over a cycle."""
    entries = itertools.cycle(["tick", "tock"])
    gateway.script(lambda _request: next(entries))
    assert [said(ask(gateway)) for _ in range(3)] == ["tick", "tock", "tick"]


@pytest.mark.parametrize(
    ("function", "text"),
    [
        pytest.param(lambda _: 1 / 0, "ZeroDivisionError: division by zero", id="raises"),
        pytest.param(lambda _: 42, "ValueError: a script's entry must be", id="nonsense"),
    ],
)
def test_failing_function_is_a_500(serve, ask, function, text):
    """What went wrong in a function is told to who asked."""
    response = ask(serve(replies=function))

    assert response.status_code == 500
    assert f"The script failed: {text}" in response.json()["error"]


@pytest.mark.parametrize(
    ("text", "replies"),
    [
        pytest.param('["one", {"content": "two"}]', ["one", "two"], id="json-array"),
        pytest.param('"one"\n\n{"content": "two"}\n', ["one", "two"], id="jsonl"),
        pytest.param('{"content": "one"}', ["one"], id="one-object"),
    ],
)
def test_scripts_can_be_files(serve, ask, tmp_path, text, replies):
    """A JSON array, one value, or one value a line."""
    path = tmp_path / "replies.json"
    path.write_text(text, encoding="utf-8")

    for form in (path, str(path)):
        gateway = serve(replies=form)
        assert [said(ask(gateway)) for _ in replies] == replies


def test_malformed_file_names_the_line(serve, tmp_path):
    """A file that is not JSON is refused at the start."""
    path = tmp_path / "replies.jsonl"
    path.write_text('"one"\n{\n', encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(f"{path}, line 2: not JSON")):
        serve(replies=path)


def test_malformed_entry_in_a_file_names_it(serve, tmp_path):
    """An entry of a file is told of by file and number."""
    path = tmp_path / "replies.json"
    path.write_text(json.dumps(["one", 2]), encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(f"{path}, entry 2: a script's entry must be")):
        serve(replies=path)


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        pytest.param(7, "must be a text or an object, not 7", id="number"),
        pytest.param({}, "must hold content or status", id="empty"),
        pytest.param({"content": "a", "contents": "b"}, "unknown keys contents", id="typo"),
        pytest.param({"status": 200, "content": "b"}, "unknown keys content", id="both"),
        pytest.param({"match": 1, "content": "b"}, "match must be a text", id="match"),
        pytest.param({"status": "x"}, "status must be a number", id="status-text"),
        pytest.param({"status": 101}, "status must be a number", id="status-interim"),
        pytest.param({"status": 200, "headers": ["a"]}, "headers must be an object", id="headers"),
        pytest.param({"status": 200, "headers": {"a b": "c"}}, "cannot be sent", id="header-name"),
        pytest.param({"status": 200, "headers": {"a": "b\nc"}}, "cannot be sent", id="header-line"),
        pytest.param({"content": "a", "usage": [1]}, "usage must be an object", id="usage"),
        pytest.param(
            {"content": "a", "usage": {"prompt_tokens": -1}}, "whole numbers", id="usage-negative"
        ),
    ],
)
def test_malformed_entries_are_refused_at_once(gateway, entry, text):
    """A mistake in a script shows when it is set, not when it is played."""
    with pytest.raises(ValueError, match=f"entry 1: .*{text}"):
        gateway.script([entry])


def test_script_and_reset(serve, ask):
    """A test may put in a script of its own; a reset goes back to the first, from its start."""
    gateway = serve(replies=["first", "second"])
    assert said(ask(gateway)) == "first"
    gateway.script(["other"])
    assert said(ask(gateway)) == "other"
    gateway.script(None)
    assert said(ask(gateway, "echo")) == "echo"

    gateway.reset()
    assert gateway.requests == []
    assert gateway.credits() == 1
    assert said(ask(gateway)) == "first"
