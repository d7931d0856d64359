"""Calls beside other text: the model is asked once whether it means them, over HTTP."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.callbacks import get_usage_metadata_callback
from pydantic import BaseModel

from tests.support.scripts import Starts, add, ask, get_weather, show_result

CALL = "[add(a=1, b=2)]"
SUM = ("add", {"a": 1, "b": 2})
QUESTION = "No function was called"
UNCLEAR = [
    pytest.param(f"I add.\n{CALL}", id="list at the end"),
    pytest.param(f"I add.\n{CALL}\nWait.", id="list between prose"),
    pytest.param(f"I add: {CALL}", id="list after a colon"),
    pytest.param(f"I add.\n```python\n{CALL}\n```", id="fence at the end"),
    pytest.param(f"```\n{CALL}\n```\nThat adds.", id="fence at the start"),
    pytest.param('So:\n{"name": "add", "arguments": {"a": 1, "b": 2}}', id="JSON"),
    pytest.param(f"<think>Hm.</think>\nI add.\n{CALL}", id="reasoning and prose"),
]
THOUGHTS = "<think>Hm.</think>\n"
USAGE = {"prompt_tokens": 100, "completion_tokens": 10}


def play(first: str, second: str) -> Any:
    """Return a script that replies `second` to the question, and `first` to anything else."""

    def reply(request: Any) -> dict[str, Any]:
        is_question = request.last_message.startswith(QUESTION)
        return {"content": second if is_question else first, "usage": USAGE}

    return reply


def read(message: Any) -> list[tuple[str, Any]]:
    """Return a message's calls without their ids."""
    return [(call["name"], call["args"]) for call in message.tool_calls]


@pytest.fixture(params=["invoke", "stream", "batch", "events"])
def get_message(request, caller) -> Any:
    """Return a function that calls a model in one of the ways that LangChain has."""

    def get(model: Any) -> Any:
        if request.param == "invoke":
            return caller.invoke(model, "go")
        if request.param == "stream":
            chunks = caller.stream(model, "go")
            return sum(chunks[1:], chunks[0])
        if request.param == "batch":
            one, other = caller.batch(model, ["go", "go"])
            assert (read(one), one.text) == (read(other), other.text)
            return one
        return model.stream_events("go", version="v3").output

    return get


@pytest.mark.parametrize("first", UNCLEAR)
def test_calls_of_the_second_reply_count(get_message, create_model, gateway, first) -> None:
    """If the model repeats its call alone; both requests are in the usage."""
    gateway.script(play(first, CALL))
    message = get_message(create_model().bind_tools([add]))
    assert (read(message), message.text, message.invalid_tool_calls) == ([SUM], "", [])
    assert message.usage_metadata["total_tokens"] == 220
    [rejected] = message.response_metadata["rejected_replies"]
    assert rejected["content"] == first.removeprefix(THOUGHTS)
    assert QUESTION in rejected["reason"]
    shown, question = gateway.requests[-1].messages[-2:]
    assert shown == {"role": "assistant", "content": first.removeprefix(THOUGHTS)}
    assert question["content"].startswith(QUESTION)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param("I did not mean to call.", id="text"),
        pytest.param(f"Yes, this:\n{CALL}", id="unclear again"),
    ],
)
@pytest.mark.parametrize("first", UNCLEAR)
def test_the_first_reply_stands(get_message, create_model, gateway, first, second) -> None:
    """If the second does not call; it is asked about once, and nothing is run."""
    gateway.script(play(first, second))
    message = get_message(create_model(output_retries=4).bind_tools([add]))
    text = first.removeprefix(THOUGHTS)
    assert (read(message), message.text, message.invalid_tool_calls) == ([], text, [])
    assert message.usage_metadata["total_tokens"] == 220
    [rejected] = message.response_metadata["rejected_replies"]
    assert rejected["content"] == second
    assert rejected["reason"] == "not a call: the reply before it is kept"
    assert message.response_metadata["finish_reason"] == "stop"
    questions = [request.last_message.startswith(QUESTION) for request in gateway.requests]
    assert sum(questions) * 2 == len(questions)


@pytest.mark.parametrize("first", UNCLEAR)
def test_calls_in_text_false_makes_it_text(get_message, create_model, gateway, first) -> None:
    """Without a question, and without a call."""
    gateway.script(play(first, CALL))
    message = get_message(create_model(calls_in_text=False).bind_tools([add]))
    assert (read(message), message.text) == ([], first.removeprefix(THOUGHTS))
    assert "rejected_replies" not in message.response_metadata
    assert QUESTION not in str([request.messages for request in gateway.requests])


def test_calls_in_text_can_be_set_in_a_call(caller, create_model, gateway) -> None:
    """Like every parameter of a call."""
    gateway.script(play(f"I add.\n{CALL}", CALL))
    model = create_model().bind_tools([add])
    message = caller.invoke(model.bind(calls_in_text=False), "go")
    assert (read(message), len(gateway.requests)) == ([], 1)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(CALL, id="list"),
        pytest.param(f"```\n{CALL}\n```", id="fence"),
        pytest.param('{"name": "add", "arguments": {"a": 1, "b": 2}}', id="JSON"),
        pytest.param(f"<think>I add.</think>\n{CALL}", id="list after reasoning"),
    ],
)
def test_calls_in_text_false_reads_replies_that_are_calls(
    get_message, create_model, gateway, reply
) -> None:
    """In every wrapping."""
    gateway.script(play(reply, "No."))
    message = get_message(create_model(calls_in_text=False).bind_tools([add]))
    assert read(message) == [SUM]


@pytest.mark.parametrize(
    ("first", "calls"),
    [
        pytest.param(f"I add.\n{CALL}", [SUM], id="list on its own line"),
        pytest.param(f"I add: {CALL}", [], id="list after a colon"),
        pytest.param(f"I add.\n```\n{CALL}\n```", [], id="fence"),
    ],
)
def test_without_retries_no_question_is_asked(
    get_message, create_model, gateway, first, calls
) -> None:
    """Lists on their own lines are calls, everything else is text."""
    gateway.script(play(first, "No."))
    message = get_message(create_model(output_retries=0).bind_tools([add]))
    assert read(message) == calls
    assert message.text == ("I add." if calls else first)
    assert QUESTION not in str([request.messages for request in gateway.requests])


@pytest.mark.parametrize("first", UNCLEAR)
def test_a_forced_call_needs_no_question(caller, create_model, gateway, first) -> None:
    """The only list, fence or object is the answer."""
    gateway.script(play(first, "No."))
    for choice in ("any", "add"):
        message = caller.invoke(create_model().bind_tools([add], tool_choice=choice), "go")
        assert read(message) == [SUM]
    assert len(gateway.requests) == 2


def test_one_call_is_one_run(caller, create_model, gateway) -> None:
    """LangChain sees one start, and counts each token once."""
    gateway.script(play(f"I add.\n{CALL}", "No."))
    starts, before = Starts(), gateway.credits()
    model = create_model(callbacks=[starts]).bind_tools([add])
    with get_usage_metadata_callback() as usage:
        message = caller.invoke(model, "go")
    assert (len(starts.models), len(gateway.requests)) == (1, 2)
    assert usage.usage_metadata["gpt-4-turbo"]["total_tokens"] == 220
    spent = float(before - gateway.credits())
    assert message.response_metadata["cost"] == pytest.approx(spent)


def test_the_balance_is_that_after_the_last_request(caller, create_model, gateway) -> None:
    """Even if the first reply is kept."""
    gateway.script(play(f"I add.\n{CALL}", "No."))
    message = caller.invoke(create_model().bind_tools([add]), "go")
    left = float(gateway.credits())
    assert message.response_metadata["remaining_credits"] == pytest.approx(left)


# --- Agents ---


def test_an_agent_goes_on_with_the_calls_of_the_second_reply(caller, model, gateway) -> None:
    """Its state holds the call alone."""
    first = "I look.\n[get_weather(city='Rome')]"
    gateway.script([first, "[get_weather(city='Rome')]", "Sunny."])
    starts, agent = Starts(), create_agent(model, [get_weather])
    state = caller.invoke(agent, ask("How is Rome?"), {"callbacks": [starts]})
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert (state["messages"][1].text, state["messages"][-1].text) == ("", "Sunny.")
    assert (len(starts.models), starts.tools, len(gateway.requests)) == (2, 1, 3)
    assert QUESTION not in str(gateway.requests[2].messages)
    assert show_result("Rome is sunny.", "get_weather").splitlines()[1] in str(
        gateway.requests[2].messages
    )


def test_an_agent_answers_with_the_first_reply(caller, model, gateway) -> None:
    """The question is not in its state."""
    first = "You could write\n[get_weather(city='Rome')]"
    gateway.script([first, "I only explain it."])
    starts, agent = Starts(), create_agent(model, [get_weather])
    state = caller.invoke(agent, ask("How do I call it?"), {"callbacks": [starts]})
    assert [message.text for message in state["messages"]] == ["How do I call it?", first]
    assert (starts.tools, len(gateway.requests)) == (0, 2)


class City(BaseModel):
    """A city."""

    name: str


def test_tool_strategy_reads_an_answer_beside_prose(caller, model, gateway) -> None:
    """A call is required, so no question is asked."""
    gateway.script(["Here it is:\n```python\n[City(name='Rome')]\n```"])
    agent = create_agent(model, response_format=ToolStrategy(City))
    assert caller.invoke(agent, ask("Italy?"))["structured_response"] == City(name="Rome")
    assert len(gateway.requests) == 1
