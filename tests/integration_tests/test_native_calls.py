"""Calls that a server returns in its format's own way, although no tools were sent, over HTTP."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest
from langchain.agents import create_agent

from tests.support.scripts import add, ask, get_weather

pytestmark = pytest.mark.every_format

SUM = ("add", {"a": 1, "b": 2})
GOOD = '{"a": 1, "b": 2}'


def write_call(arguments: Any = GOOD, name: Any = "add", **fields: Any) -> dict[str, Any]:
    """Return one call in OpenAI's format."""
    function = {"name": name, "arguments": arguments}
    return {"id": "call_native", "type": "function", "function": function, **fields}


def write_openai(calls: Sequence[Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with these calls, and further fields of its message."""
    message = {"role": "assistant", "tool_calls": calls, **fields}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return {"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": usage}


def write_anthropic(calls: Sequence[Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with the same calls as blocks."""
    content: list[Any] = [{"type": "text", "text": fields["content"]}] if fields else []
    for call in calls:
        function = rename(call.get("function", {}), "input")
        content.append({"type": "tool_use", "id": call["id"], **function})
    usage = {"input_tokens": 10, "output_tokens": 5}
    return {"content": content, "stop_reason": "tool_use", "usage": usage}


def write_gemini(calls: Sequence[Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with the same calls as parts."""
    parts: list[Any] = [{"text": fields["content"]}] if fields else []
    for call in calls:
        function = rename(call.get("function", {}), "args")
        parts.append({"functionCall": {"id": call["id"], **function}})
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5}
    candidate = {"content": {"parts": parts}, "finishReason": "STOP"}
    return {"candidates": [candidate], "usageMetadata": usage}


def rename(function: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a function whose arguments have another key and are an object, if they can be."""
    named = {key if name == "arguments" else name: value for name, value in function.items()}
    with suppress(ValueError, TypeError):
        named[key] = json.loads(named.get(key))
    return named


WRITERS = {"openai": write_openai, "anthropic": write_anthropic, "gemini": write_gemini}


@pytest.fixture
def answer(api_format) -> Callable[..., dict[str, Any]]:
    """Return a function that writes a response with calls and, if it is given, content."""

    def write(*calls: Any, **fields: Any) -> dict[str, Any]:
        return {"status": 200, "body": WRITERS[api_format](list(calls), fields)}

    return write


def read(message: Any) -> list[tuple[str, Any]]:
    """Return a message's calls without their ids."""
    return [(call["name"], call["args"]) for call in message.tool_calls]


def check_calls(caller, model, calls: list[Any], content: str) -> None:
    """Check what invoke and stream return."""
    model = model.bind_tools([add])
    chunks = caller.stream(model, "go")
    for message in (caller.invoke(model, "go"), sum(chunks[1:], chunks[0])):
        assert (read(message), message.content, message.invalid_tool_calls) == (calls, content, [])
        assert all(call["id"] for call in message.tool_calls)
        assert message.response_metadata["finish_reason"] == "tool_calls"
        assert message.usage_metadata["total_tokens"] == 15


@pytest.mark.parametrize(
    ("sent", "calls", "content"),
    [
        pytest.param([write_call()], [SUM], "", id="no content"),
        pytest.param([write_call()], [SUM], "I add.", id="content"),
        pytest.param([write_call()], [SUM], "[add(a=8, b=9)]", id="a list as content"),
        pytest.param([write_call(), write_call()], [SUM, SUM], "", id="two calls"),
        pytest.param([write_call({"a": 1, "b": 2})], [SUM], "", id="object of arguments"),
        pytest.param([write_call('{"a": "1", "b": 2.0}')], [SUM], "", id="coerced values"),
        pytest.param([write_call("")], [("add", {})], "", id="empty arguments"),
        pytest.param([write_call('{"a": 1}')], [("add", {"a": 1})], "", id="misfit"),
        pytest.param([write_call(name="functions.add")], [SUM], "", id="prefix"),
    ],
)
def test_native_calls_are_read(caller, create_model, gateway, answer, sent, calls, content) -> None:
    """Invoke and stream, sync and async; nothing is asked again."""
    gateway.script([answer(*sent, **({"content": content} if content else {}))] * 2)
    check_calls(caller, create_model(), calls, content)
    assert len(gateway.requests) == 2


@pytest.mark.openai_only("the fields are those of its messages")
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"tool_calls": [write_call()], "content": None}, id="null content"),
        pytest.param({"tool_calls": [write_call()], "content": ""}, id="empty content"),
        pytest.param({"tool_calls": [write_call(index=0)]}, id="index"),
        pytest.param(
            {"tool_calls": [write_call(extra_content={"google": {"thought_signature": "x"}})]},
            id="further fields",
        ),
        pytest.param(
            {"function_call": {"name": "add", "arguments": GOOD}, "content": None},
            id="function_call",
        ),
    ],
)
def test_native_calls_are_read_in_every_spelling(
    caller, create_model, gateway, answer, fields
) -> None:
    """Servers with OpenAI's format differ."""
    gateway.script([answer(**fields)] * 2)
    check_calls(caller, create_model(), [SUM], "")
    assert len(gateway.requests) == 2


INVALID = [
    pytest.param(write_call('{"a": 1, "b'), "add", "not a JSON object", id="cut arguments"),
    pytest.param(write_call("[1, 2]"), "add", "not a JSON object", id="list of arguments"),
    pytest.param(write_call("one and two"), "add", "not a JSON object", id="prose as arguments"),
    pytest.param(write_call(f"{GOOD} done"), "add", "not a JSON object", id="text after arguments"),
    pytest.param(write_call(name="rm"), "rm", "no such function", id="unknown function"),
    pytest.param(write_call("{", "rm"), "rm", "", id="cut arguments of an unknown function"),
    pytest.param({"id": "x", "type": "function"}, "", "not a call", id="no function"),
]


@pytest.mark.parametrize(("entry", "name", "reason"), INVALID)
def test_a_native_call_that_cannot_be_run_is_invalid(
    caller, create_model, gateway, answer, entry, name, reason
) -> None:
    """The calls beside it are kept; the message is never empty."""
    gateway.script([answer(entry), answer(entry), answer(write_call(), entry)])
    model = create_model(on_invalid_tool_call="return").bind_tools([add])
    chunks = caller.stream(model, "go")
    for message in (caller.invoke(model, "go"), sum(chunks[1:], chunks[0])):
        assert message.tool_calls == []
        [call] = message.invalid_tool_calls
        assert call["name"] == name
        assert call["args"]
        [error] = message.response_metadata["invalid_tool_call_errors"].values()
        assert reason in error
    message = caller.invoke(model, "go")
    assert read(message) == [SUM]
    assert len(message.invalid_tool_calls) == 1
    assert len(gateway.requests) == 3


@pytest.mark.parametrize(("entry", "name", "reason"), INVALID)
def test_an_invalid_native_call_is_asked_for_again(
    caller, create_model, gateway, answer, entry, name, reason
) -> None:
    """By default; the second reply can be text, as the prompt asks for."""
    gateway.script([answer(entry, content="I add."), "[add(a=1, b=2)]"])
    message = caller.invoke(create_model().bind_tools([add]), "go")
    assert (read(message), message.content, message.invalid_tool_calls) == ([SUM], "", [])
    shown, question = gateway.requests[1].messages[-2:]
    assert shown["content"].startswith("I add.")
    problem = f"{name}: " if name else ""
    assert question["content"].startswith(f"That reply cannot be used: {problem}")
    assert ": :" not in question["content"]
    assert reason in question["content"]
    [rejected] = message.response_metadata["rejected_replies"]
    assert len(rejected["invalid_tool_calls"]) == 1


@pytest.mark.openai_only("the calls of other formats are among blocks that are objects")
@pytest.mark.parametrize("entry", ["add", None], ids=["string", "null"])
def test_a_native_call_that_is_not_an_object_is_invalid(
    caller, create_model, gateway, answer, entry
) -> None:
    """It is asked for again."""
    gateway.script([answer(entry), "[add(a=1, b=2)]"])
    assert read(caller.invoke(create_model().bind_tools([add]), "go")) == [SUM]
    assert "not a call: it names no function" in gateway.requests[1].last_message


@pytest.mark.parametrize("choice", ["none", False])
def test_native_calls_are_not_run_if_calls_are_forbidden(
    create_model, gateway, answer, choice
) -> None:
    """They are invalid."""
    gateway.script([answer(write_call(), content="Hi.")])
    model = create_model(on_invalid_tool_call="return")
    message = model.bind_tools([add], tool_choice=choice).invoke("go")
    assert (message.text, message.tool_calls) == ("Hi.", [])
    assert [call["error"] for call in message.invalid_tool_calls] == ["no function was offered"]


def test_another_native_call_than_the_forced_one_is_invalid(
    caller, create_model, gateway, answer
) -> None:
    """It is asked for again."""
    weather = write_call('{"city": "Rome"}', "get_weather")
    gateway.script([answer(weather), answer(write_call())])
    model = create_model().bind_tools([add, get_weather], tool_choice="add")
    assert read(caller.invoke(model, "go")) == [SUM]
    assert "get_weather: no such function was offered" in gateway.requests[1].last_message


@pytest.mark.openai_only("a reply without a block is an empty one in other formats")
def test_a_response_without_content_and_calls_is_an_error(create_model, gateway, answer) -> None:
    """An empty list of calls is none."""
    gateway.script([answer()])
    with pytest.raises(Exception, match=r"has no choices\[0\]\.message\.content"):
        create_model().bind_tools([add]).invoke("go")


def test_an_agent_runs_native_calls(caller, model, gateway, answer) -> None:
    """The call and its result are sent back as text."""
    gateway.script([answer(write_call()), "Three."])
    state = caller.invoke(create_agent(model, [add]), ask("1 + 2?"))
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert state["messages"][2].text == "3"
    sent = gateway.requests[1].messages
    assert sent[-2] == {"role": "assistant", "content": "[add(a=1, b=2)]"}
    assert "\n3\n" in sent[-1]["content"]
    assert json.dumps(sent).count("call_native") == 0
