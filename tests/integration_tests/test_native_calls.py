"""Calls that a server returns as `tool_calls`, although no `tools` were sent, over HTTP."""

import json
from typing import Any

import pytest
from langchain.agents import create_agent

from tests.support.scripts import add, ask, get_weather

SUM = ("add", {"a": 1, "b": 2})
GOOD = '{"a": 1, "b": 2}'


def write_call(arguments: Any = GOOD, name: Any = "add", **fields: Any) -> dict[str, Any]:
    """Return one call in OpenAI's format."""
    function = {"name": name, "arguments": arguments}
    return {"id": "call_native", "type": "function", "function": function, **fields}


def answer(*calls: Any, **fields: Any) -> dict[str, Any]:
    """Return a response whose message has these calls, and no content but what is given."""
    message = {"role": "assistant", "tool_calls": list(calls), **fields}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    choice = {"message": message, "finish_reason": "tool_calls"}
    return {"status": 200, "body": {"choices": [choice], "usage": usage}}


def read(message: Any) -> list[tuple[str, Any]]:
    """Return a message's calls without their ids."""
    return [(call["name"], call["args"]) for call in message.tool_calls]


@pytest.mark.parametrize(
    ("response", "calls", "content"),
    [
        pytest.param(answer(write_call()), [SUM], "", id="no content"),
        pytest.param(answer(write_call(), content=None), [SUM], "", id="null content"),
        pytest.param(answer(write_call(), content=""), [SUM], "", id="empty content"),
        pytest.param(answer(write_call(), content="I add."), [SUM], "I add.", id="content"),
        pytest.param(
            answer(write_call(), content="[add(a=8, b=9)]"),
            [SUM],
            "[add(a=8, b=9)]",
            id="a list as content",
        ),
        pytest.param(answer(write_call(), write_call()), [SUM, SUM], "", id="two calls"),
        pytest.param(answer(write_call({"a": 1, "b": 2})), [SUM], "", id="object of arguments"),
        pytest.param(answer(write_call('{"a": "1", "b": 2.0}')), [SUM], "", id="coerced values"),
        pytest.param(answer(write_call("")), [("add", {})], "", id="empty arguments"),
        pytest.param(answer(write_call('{"a": 1}')), [("add", {"a": 1})], "", id="misfit"),
        pytest.param(answer(write_call(name="functions.add")), [SUM], "", id="prefix"),
        pytest.param(answer(write_call(index=0)), [SUM], "", id="index"),
        pytest.param(
            answer(write_call(extra_content={"google": {"thought_signature": "x"}})),
            [SUM],
            "",
            id="further fields",
        ),
        pytest.param(
            answer(function_call={"name": "add", "arguments": GOOD}, content=None),
            [SUM],
            "",
            id="function_call",
        ),
    ],
)
def test_native_calls_are_read(caller, create_model, gateway, response, calls, content) -> None:
    """Invoke and stream, sync and async; nothing is asked again."""
    gateway.script([response] * 2)
    model = create_model().bind_tools([add])
    chunks = caller.stream(model, "go")
    for message in (caller.invoke(model, "go"), sum(chunks[1:], chunks[0])):
        assert (read(message), message.content, message.invalid_tool_calls) == (calls, content, [])
        assert all(call["id"] for call in message.tool_calls)
        assert message.response_metadata["finish_reason"] == "tool_calls"
        assert message.usage_metadata["total_tokens"] == 15
    assert len(gateway.requests) == 2


INVALID = [
    pytest.param(write_call('{"a": 1, "b'), "add", "not a JSON object", id="cut arguments"),
    pytest.param(write_call("[1, 2]"), "add", "not a JSON object", id="list of arguments"),
    pytest.param(write_call("one and two"), "add", "not a JSON object", id="prose as arguments"),
    pytest.param(write_call(f"{GOOD} done"), "add", "not a JSON object", id="text after arguments"),
    pytest.param(write_call(name="rm"), "rm", "no such function", id="unknown function"),
    pytest.param(write_call("{", "rm"), "rm", "", id="cut arguments of an unknown function"),
    pytest.param({"id": "x", "type": "function"}, "", "not a call", id="no function"),
    pytest.param("add", "", "not a call", id="string"),
    pytest.param(None, "", "not a call", id="null"),
]


@pytest.mark.parametrize(("entry", "name", "reason"), INVALID)
def test_a_native_call_that_cannot_be_run_is_invalid(
    caller, create_model, gateway, entry, name, reason
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
    caller, create_model, gateway, entry, name, reason
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


@pytest.mark.parametrize("choice", ["none", False])
def test_native_calls_are_not_run_if_calls_are_forbidden(create_model, gateway, choice) -> None:
    """They are invalid."""
    gateway.script([answer(write_call(), content="Hi.")])
    model = create_model(on_invalid_tool_call="return")
    message = model.bind_tools([add], tool_choice=choice).invoke("go")
    assert (message.text, message.tool_calls) == ("Hi.", [])
    assert [call["error"] for call in message.invalid_tool_calls] == ["no function was offered"]


def test_another_native_call_than_the_forced_one_is_invalid(caller, create_model, gateway) -> None:
    """It is asked for again."""
    weather = write_call('{"city": "Rome"}', "get_weather")
    gateway.script([answer(weather), answer(write_call())])
    model = create_model().bind_tools([add, get_weather], tool_choice="add")
    assert read(caller.invoke(model, "go")) == [SUM]
    assert "get_weather: no such function was offered" in gateway.requests[1].last_message


def test_a_response_without_content_and_calls_is_an_error(create_model, gateway) -> None:
    """An empty list of calls is none."""
    gateway.script([answer()])
    with pytest.raises(Exception, match=r"has no choices\[0\]\.message\.content"):
        create_model().bind_tools([add]).invoke("go")


def test_an_agent_runs_native_calls(caller, model, gateway) -> None:
    """The call and its result are sent back as text."""
    gateway.script([answer(write_call()), "Three."])
    state = caller.invoke(create_agent(model, [add]), ask("1 + 2?"))
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert state["messages"][2].text == "3"
    sent = gateway.requests[1].json["messages"]
    assert sent[-2] == {"role": "assistant", "content": "[add(a=1, b=2)]"}
    assert "\n3\n" in sent[-1]["content"]
    assert json.dumps(sent).count("call_native") == 0
