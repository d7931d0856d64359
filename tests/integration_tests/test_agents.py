"""LangChain's `create_agent` over HTTP, where calls, results and answers are text."""

import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, HumanInTheLoopMiddleware
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import BaseModel

from langchain_segmind import SegmindOutputError
from tests.support.bodies import check_body
from tests.support.images import BLOCKS
from tests.support.replies import SLUGS
from tests.support.scripts import (
    ADDING,
    CALL_ID,
    Starts,
    add,
    ask,
    get_last_message,
    get_offered,
    get_weather,
    play,
    show_result,
)

pytestmark = pytest.mark.every_format


class City(BaseModel):
    """A city and its size."""

    name: str
    people: int


class Country(BaseModel):
    """A country."""

    name: str
    capital: str


ROME = City(name="Rome", people=2_800_000)
SUNNY_ROME = show_result("Rome is sunny.", "get_weather")
ROME_CALL = "[City(name='Rome', people=2800000)]"
ROME_JSON = '{"name": "Rome", "people": 2800000}'


def get_kinds(state: dict[str, Any]) -> list[str]:
    """Return the types of a state's messages."""
    return [message.type for message in state["messages"]]


# --- Calls and results ---


def test_a_call_is_run_and_its_result_sent_back(caller, model, gateway) -> None:
    """The prompt offers the tool; the call and the result become messages."""
    call = "[get_weather(city='Rome')]\nI look."
    gateway.script(play({"How is Rome?": call, SUNNY_ROME: "It is sunny in Rome."}))
    agent = create_agent(model, [get_weather], system_prompt="Answer briefly.")
    state = caller.invoke(agent, ask("How is Rome?"))
    assert get_kinds(state) == ["human", "ai", "tool", "ai"]
    _, call, result, answer = state["messages"]
    assert (call.text, call.tool_calls[0]["args"]) == ("I look.", {"city": "Rome"})
    assert result.tool_call_id == call.tool_calls[0]["id"]
    assert answer.text == "It is sunny in Rome."
    first, second = gateway.requests
    assert first.messages[0]["content"].startswith("Answer briefly.\n\n")
    assert first.messages[0] == second.messages[0]
    assert get_offered(first) == ["get_weather"]
    roles = [message["role"] for message in second.messages]
    assert roles == ["system", "user", "assistant", "user"]
    assert second.messages[2]["content"] == "I look.\n[get_weather(city='Rome')]"


def test_parallel_calls_are_all_run(caller, model, gateway) -> None:
    """Their results share one message, numbered like the calls."""
    results = [
        show_result("Rome is sunny.", "get_weather", call=1),
        show_result("5", "add", call=2),
    ]
    calls = "[get_weather(city='Rome'), add(a=2, b=3)]"
    gateway.script(play({"Go.": calls, "\n".join(results): "All done."}))
    state = caller.invoke(create_agent(model, [get_weather, add]), ask("Go."))
    assert get_kinds(state) == ["human", "ai", "tool", "tool", "ai"]
    texts = [message.text for message in state["messages"][2:]]
    assert texts == ["Rome is sunny.", "5", "All done."]
    assert len(gateway.requests) == 2


@tool
def break_down(why: str) -> str:
    """Break down."""
    raise ToolException(f"Broken: {why}")


break_down.handle_tool_error = True

FAILURES = [
    pytest.param(break_down, "[break_down(why='rain')]", "Broken: rain", id="tool that raises"),
    pytest.param(add, "[add(a='one', b=2)]", "valid integer", id="wrong argument"),
]


@pytest.mark.parametrize(("failing", "call", "reason"), FAILURES)
def test_a_failed_tool_is_shown_to_the_model_as_an_error(
    caller, model, gateway, failing, call, reason
) -> None:
    """The result has `status="error"` and the reason."""
    gateway.script([call, "It failed."])
    state = caller.invoke(create_agent(model, [failing]), ask("Go."))
    assert state["messages"][2].status == "error"
    said = get_last_message(gateway.requests[1])
    assert said.startswith(f'<tool_result name="{failing.name}" status="error">')
    assert reason in said


def test_a_model_recovers_from_calling_an_unknown_tool(caller, model, gateway) -> None:
    """It is asked again, with the names that exist; the agent sees only the second reply."""
    gateway.script(["[get_rain(city='Rome')]", "[get_weather(city='Rome')]", "Sunny."])
    state = caller.invoke(create_agent(model, [get_weather]), ask("How is Rome?"))
    assert get_kinds(state) == ["human", "ai", "tool", "ai"]
    assert state["messages"][-1].text == "Sunny."
    shown = get_last_message(gateway.requests[1])
    assert "get_rain: no such function was offered; offered are: get_weather" in shown
    results = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert [result.status for result in results] == ["success"]


def test_an_agents_name_is_on_its_messages_and_not_sent(caller, model, gateway) -> None:
    """Messages are sent with `role` and `content` only."""
    gateway.script(play(ADDING))
    state = caller.invoke(create_agent(model, [add], name="counter"), ask("1 + 1?"))
    assert [m.name for m in state["messages"] if isinstance(m, AIMessage)] == ["counter"] * 2
    sent = [message for request in gateway.requests for message in request.messages]
    assert {key for message in sent for key in message} == {"role", "content"}


# --- Calls that cannot be run ---

UNREADABLE = "[get_weather(city='Rome)]"
UNCLOSED = "it is unclear where a string ends: escape the quotes in it"


def test_an_invalid_call_ends_the_run_with_the_reason(caller, create_model, gateway) -> None:
    """If the model is not asked again. The next turn shows the call to the model."""
    gateway.script([UNREADABLE, "[get_weather(city='Rome')]", "Sunny."])
    model = create_model(on_invalid_tool_call="return")
    agent = create_agent(model, [get_weather], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    starts = Starts()
    state = caller.invoke(agent, ask("How is it?"), {**config, "callbacks": [starts]})
    assert get_kinds(state) == ["human", "ai"]
    (invalid,) = state["messages"][-1].invalid_tool_calls
    assert invalid["name"] == "get_weather"
    assert UNCLOSED in invalid["error"]
    assert state["messages"][-1].text == UNREADABLE
    assert (len(starts.models), starts.tools) == (1, 0)
    state = caller.invoke(agent, ask("In Rome."), config)
    assert state["messages"][-1].text == "Sunny."
    sent = [message["content"] for message in gateway.requests[1].messages]
    assert sent[2] == UNREADABLE
    assert sent[-1].endswith("In Rome.")


def test_an_invalid_call_is_asked_for_again(caller, model, gateway) -> None:
    """LangChain sees one call of the model; only the valid reply is in the state."""
    gateway.script([UNREADABLE, "[get_weather(city='Rome')]", "Sunny."])
    starts, agent = Starts(), create_agent(model, [get_weather])
    state = caller.invoke(agent, ask("How is Rome?"), {"callbacks": [starts]})
    assert get_kinds(state) == ["human", "ai", "tool", "ai"]
    assert state["messages"][1].invalid_tool_calls == []
    assert state["messages"][-1].text == "Sunny."
    assert (len(starts.models), starts.tools, len(gateway.requests)) == (2, 1, 3)
    assert UNCLOSED in gateway.requests[1].last_message
    assert UNCLOSED not in str(gateway.requests[2].messages)


MISFITS = [
    pytest.param("[get_weather()]", "Field required", id="missing argument"),
    pytest.param("[get_weather(town='Rome')]", "Field required", id="misnamed argument"),
    pytest.param("[get_weather(city=['Rome'])]", "valid string", id="wrong type"),
]


@pytest.mark.parametrize(("call", "words"), MISFITS)
def test_a_model_corrects_arguments_by_the_tools_own_error(
    caller, model, gateway, call, words
) -> None:
    """The call is run; the tool's validation answers it, as with every other chat model."""
    gateway.script([call, "[get_weather(city='Rome')]", "Sunny."])
    starts, agent = Starts(), create_agent(model, [get_weather])
    state = caller.invoke(agent, ask("How is Rome?"), {"callbacks": [starts]})
    assert get_kinds(state) == ["human", "ai", "tool", "ai", "tool", "ai"]
    assert [message.status for message in state["messages"][2:5:2]] == ["error", "success"]
    assert words in state["messages"][2].text
    assert words in gateway.requests[1].last_message
    assert (len(starts.models), len(gateway.requests)) == (3, 3)


def test_a_strict_tool_does_not_get_arguments_that_do_not_fit(caller, model, gateway) -> None:
    """The model is asked again before the agent sees the call."""

    class StrictTools(AgentMiddleware):
        """Binds the agent's tools strictly."""

        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(request.override(model_settings={"strict": True}))

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return await handler(request.override(model_settings={"strict": True}))

    gateway.script(["[get_weather()]", "[get_weather(city='Rome')]", "Sunny."])
    agent = create_agent(model, [get_weather], middleware=[StrictTools()])
    state = caller.invoke(agent, ask("How is Rome?"))
    assert get_kinds(state) == ["human", "ai", "tool", "ai"]
    assert "required 'city' is missing" in gateway.requests[1].last_message


# --- Tools that a middleware filters out ---


class OfferOnly(AgentMiddleware):
    """Offers some of the agent's tools to the model; the agent's `ToolNode` has all."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names

    def filter_tools(self, request: Any) -> Any:
        """Return the request without the other tools."""
        return request.override(tools=[one for one in request.tools if one.name in self.names])

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        """Filter the tools of a synchronous call."""
        return handler(self.filter_tools(request))

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        """Filter the tools of an asynchronous call."""
        return await handler(self.filter_tools(request))


DELETED: list[str] = []


@tool
def delete_account(user: str) -> str:
    """Delete an account."""
    DELETED.append(user)
    return "Deleted."


HIDDEN = [
    pytest.param("[delete_account(user='bob')]", id="list"),
    pytest.param("[delete_account('bob')]", id="positional argument"),
    pytest.param("[functions.delete_account(user='bob')]", id="prefix"),
    pytest.param("```python\n[delete_account(user='bob')]\n```", id="fence"),
    pytest.param('{"name": "delete_account", "arguments": {"user": "bob"}}', id="JSON"),
    pytest.param('<tool_call>{"name": "delete_account", "arguments": {"user": "bob"}}</tool_call>',
                 id="tag"),
    pytest.param("delete_account(user='bob')", id="no brackets"),
    pytest.param("Done.\n[delete_account(user='bob')]", id="after prose"),
    pytest.param("[get_weather(city='Rome'), delete_account(user='bob')]", id="beside another"),
    pytest.param("[multi_tool_use.parallel(tool_uses=[{'recipient_name': "
                 "'functions.delete_account', 'parameters': {'user': 'bob'}}])]", id="parallel"),
]  # fmt: skip


@pytest.mark.parametrize("on_invalid", ["retry", "return"])
@pytest.mark.parametrize("reply", HIDDEN)
def test_a_tool_that_is_not_offered_never_runs(
    caller, create_model, gateway, reply, on_invalid
) -> None:
    """Not even if the agent has it, and the model insists."""
    DELETED.clear()
    gateway.script(lambda request: reply if len(gateway.requests) < 3 else "I cannot.")
    model = create_model(on_invalid_tool_call=on_invalid)
    agent = create_agent(
        model, [get_weather, delete_account], middleware=[OfferOnly("get_weather")]
    )
    state = caller.invoke(agent, ask("Delete bob."))
    assert DELETED == []
    called = [call["name"] for m in state["messages"][1:] for call in getattr(m, "tool_calls", [])]
    assert set(called) <= {"get_weather"}
    for request in gateway.requests:
        assert get_offered(request) == ["get_weather"]


def test_a_model_is_told_which_tools_are_offered(caller, model, gateway) -> None:
    """The names that a middleware filters out are not among them."""
    gateway.script(["[delete_account(user='bob')]", "I cannot delete accounts."])
    agent = create_agent(
        model, [get_weather, delete_account], middleware=[OfferOnly("get_weather")]
    )
    state = caller.invoke(agent, ask("Delete bob."))
    assert state["messages"][-1].text == "I cannot delete accounts."
    question = gateway.requests[1].last_message
    assert "delete_account: no such function was offered" in question
    assert "offered are: get_weather." in question


# --- Structured answers ---


def test_tool_strategy_answers_with_an_object(caller, model, gateway) -> None:
    """Its class is offered as one more function, and a call is required."""
    gateway.script(play({"Rome?": "[get_weather(city='Rome')]", SUNNY_ROME: ROME_CALL}))
    agent = create_agent(model, [get_weather], response_format=ToolStrategy(City))
    state = caller.invoke(agent, ask("Rome?"))
    assert state["structured_response"] == ROME
    assert get_kinds(state) == ["human", "ai", "tool", "ai", "tool"]
    for request in gateway.requests:
        assert get_offered(request) == ["get_weather", "City"]
        assert "Now call at least one function" in request.messages[0]["content"]


def test_tool_strategy_offers_several_classes(caller, model, gateway) -> None:
    """The model chooses one."""
    gateway.script(["[Country(name='Italy', capital='Rome')]"])
    agent = create_agent(model, response_format=ToolStrategy(City | Country))
    state = caller.invoke(agent, ask("Italy?"))
    assert state["structured_response"] == Country(name="Italy", capital="Rome")
    assert get_offered(gateway.requests[0]) == ["City", "Country"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        pytest.param("[City(name='Rome', people='many')]", "people", id="invalid object"),
        pytest.param(f"{ROME_CALL}\n{ROME_CALL}", "only one is expected", id="two objects"),
    ],
)
def test_tool_strategy_asks_again(caller, model, gateway, reply, words) -> None:
    """The agent sends the reason to the model."""
    gateway.script([reply, ROME_CALL])
    agent = create_agent(model, response_format=ToolStrategy(City))
    assert caller.invoke(agent, ask("Rome?"))["structured_response"] == ROME
    assert words in gateway.requests[1].last_message


@pytest.mark.parametrize("strict", [None, True])
@pytest.mark.parametrize("tools", [[], [get_weather]], ids=["without tools", "with tools"])
def test_provider_strategy_answers_with_an_object(caller, model, gateway, tools, strict) -> None:
    """The last reply is JSON; tools can be called before it."""
    lines = {"Rome?": ROME_JSON}
    if tools:
        lines = {"Rome?": "[get_weather(city='Rome')]", SUNNY_ROME: f"```json\n{ROME_JSON}\n```"}
    gateway.script(play(lines))
    agent = create_agent(model, tools, response_format=ProviderStrategy(City, strict=strict))
    state = caller.invoke(agent, ask("Rome?"))
    assert state["structured_response"] == ROME
    assert state["messages"][-1].text == ROME_JSON
    prompt = gateway.requests[0].messages[0]["content"]
    assert "{\n name: str,\n people: int,\n}" in prompt
    assert ("Unless you call functions" in prompt) == bool(tools)


def test_provider_strategy_asks_again_after_prose(caller, model, gateway) -> None:
    """The state holds one message: the JSON, with the tokens of both replies."""
    gateway.script(["Rome is big.", ROME_JSON])
    agent = create_agent(model, response_format=ProviderStrategy(City))
    state = caller.invoke(agent, ask("Rome?"))
    assert state["structured_response"] == ROME
    assert get_kinds(state) == ["human", "ai"]
    shown, question = gateway.requests[1].messages[-2:]
    assert shown == {"role": "assistant", "content": "Rome is big."}
    assert "not valid JSON" in question["content"]
    assert state["messages"][-1].usage_metadata["output_tokens"] > len(ROME_JSON) // 4


@pytest.mark.parametrize(
    ("strategy", "words"), [(ToolStrategy, "does not call"), (ProviderStrategy, "JSON")]
)
def test_an_answer_without_an_object_is_an_error(caller, model, gateway, strategy, words) -> None:
    """After the model was asked twice."""
    gateway.script(lambda request: "Rome is big.")
    agent = create_agent(model, response_format=strategy(City))
    with pytest.raises(SegmindOutputError, match=words):
        caller.invoke(agent, ask("Rome?"))
    assert len(gateway.requests) == 2


def test_the_profile_decides_the_strategy_of_a_bare_class(caller, model, gateway) -> None:
    """A call, or JSON from a model that can be held to a schema."""
    is_json = bool(model.profile.get("structured_output"))
    gateway.script(play({"Rome?": ROME_JSON if is_json else ROME_CALL}))
    state = caller.invoke(create_agent(model, response_format=City), ask("Rome?"))
    assert state["structured_response"] == ROME
    assert get_offered(gateway.requests[0]) == ([] if is_json else ["City"])


# --- Streams and usage ---


def add_up(request) -> dict[str, Any]:
    """Play `ADDING`, with 110 tokens for each request."""
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    return {"content": play(ADDING)(request), "usage": usage}


def test_every_stream_mode_shows_the_run(caller, model, gateway, slug) -> None:
    """No request is made twice, and no token is counted twice."""
    gateway.script(add_up)
    modes = ["values", "updates", "messages"]
    with get_usage_metadata_callback() as usage:
        items = caller.stream(create_agent(model, [add]), ask("1 + 1?"), stream_mode=modes)
    values, updates, pairs = ([item for mode, item in items if mode == one] for one in modes)
    assert [len(state["messages"]) for state in values] == [1, 2, 3, 4]
    assert [next(iter(update)) for update in updates] == ["model", "tools", "model"]
    merged: dict[str, Any] = {}
    for chunk, _ in pairs:
        if isinstance(chunk, AIMessageChunk):
            merged[chunk.id] = merged[chunk.id] + chunk if chunk.id in merged else chunk
    assert [chunk.text for chunk, _ in pairs if isinstance(chunk, ToolMessage)] == ["2"]
    replies = [m for m in values[-1]["messages"] if isinstance(m, AIMessage)]
    for call, answer in (replies, merged.values()):
        assert call.tool_calls[0]["args"] == {"a": 1, "b": 1}
        assert answer.text == "Two."
        assert [m.usage_metadata["total_tokens"] for m in (call, answer)] == [110, 110]
    assert usage.usage_metadata[slug]["total_tokens"] == 220
    assert len(gateway.requests) == 2


def test_an_agents_usage_is_the_sum_of_its_requests(caller, model, gateway, slug) -> None:
    """Tokens from LangChain's callback, credits from the replies."""
    gateway.script(add_up)
    before = float(gateway.credits())
    with get_usage_metadata_callback() as usage:
        state = caller.invoke(create_agent(model, [add]), ask("1 + 1?"))
    assert usage.usage_metadata == {
        slug: {"input_tokens": 200, "output_tokens": 20, "total_tokens": 220}
    }
    replies = [m.response_metadata for m in state["messages"] if isinstance(m, AIMessage)]
    left = float(gateway.credits())
    assert replies[-1]["remaining_credits"] == pytest.approx(left)
    assert sum(reply["cost"] for reply in replies) == pytest.approx(before - left)


# --- State ---


def test_a_checkpointer_continues_a_conversation(caller, model, gateway) -> None:
    """The second turn sends the calls and results of the first."""
    again = {"And one more?": "[add(a=2, b=1)]", show_result("3", "add"): "Three."}
    gateway.script(play({**ADDING, **again}))
    agent = create_agent(model, [add], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    caller.invoke(agent, ask("1 + 1?"), config)
    state = caller.invoke(agent, ask("And one more?"), config)
    assert get_kinds(state) == ["human", "ai", "tool", "ai"] * 2
    sent = [CALL_ID.sub("", m["content"]) for m in gateway.requests[-1].messages[1:]]
    said = [text for line in {**ADDING, **again}.items() for text in line]
    assert sent == said[:-1]
    ids = [message.id for message in state["messages"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.openai_only("its models have all formats")
def test_a_thread_goes_on_with_a_model_of_another_format(caller, create_model, gateway) -> None:
    """Its calls, results and images are sent in the format of the model that answers."""

    @tool
    def look() -> list[Any]:
        """Look."""
        return ["A cat:", BLOCKS["v1"]]

    gateway.script(["[look()]", "A cat."] * len(SLUGS))
    saver, config = InMemorySaver(), {"configurable": {"thread_id": "1"}}
    for slug in SLUGS.values():
        question = [HumanMessage(["And here?", BLOCKS["OpenAI"]])]
        agent = create_agent(create_model(model=slug), [look], checkpointer=saver)
        state = caller.invoke(agent, {"messages": question}, config)
    assert get_kinds(state) == ["human", "ai", "tool", "ai"] * len(SLUGS)
    last = gateway.requests[-1].json
    for request, api_format in zip(gateway.requests[1::2], SLUGS, strict=True):
        check_body(request.json, api_format)
    assert json.dumps(last).count(BLOCKS["v1"]["base64"]) == 2 * len(SLUGS)


# --- A human in the loop ---

DECISIONS = [
    pytest.param({"type": "approve"}, [(1, 1)], "\n2\n", id="approve"),
    pytest.param(
        {"type": "edit", "edited_action": {"name": "add", "args": {"a": 5, "b": 1}}},
        [(5, 1)],
        "\n6\n",
        id="edit",
    ),
    pytest.param({"type": "reject", "message": "Not today."}, [], "Not today.", id="reject"),
]


@pytest.mark.parametrize(("decision", "run", "words"), DECISIONS)
def test_a_human_decides_on_a_call(caller, model, gateway, decision, run, words) -> None:
    """The run stops before the tool and resumes with the decision."""
    runs = []

    @tool("add")
    def add_and_record(a: int, b: int) -> int:
        """Add two numbers."""
        runs.append((a, b))
        return a + b

    gateway.script(["[add(a=1, b=1)]", "I see."])
    human = HumanInTheLoopMiddleware(interrupt_on={"add": True})
    agent = create_agent(model, [add_and_record], middleware=[human], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    (interrupt,) = caller.invoke(agent, ask("1 + 1?"), config)["__interrupt__"]
    (asked,) = interrupt.value["action_requests"]
    assert (asked["name"], asked["args"]) == ("add", {"a": 1, "b": 1})
    assert runs == []
    assert len(gateway.requests) == 1
    state = caller.invoke(agent, Command(resume={"decisions": [decision]}), config)
    assert runs == run
    assert state["messages"][-1].text == "I see."
    assert words in gateway.requests[1].last_message
