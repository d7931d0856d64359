"""LangGraph over HTTP: its prebuilt agent, graphs built by hand, several agents."""

import operator
from operator import itemgetter
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AnyMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import InjectedState, ToolNode, create_react_agent, tools_condition
from langgraph.types import Command
from pydantic import BaseModel

from tests.support.scripts import (
    ADDING,
    add,
    ask,
    get_last_message,
    get_offered,
    meet,
    play,
    show_result,
    write_object,
)

pytestmark = pytest.mark.every_format


class Answer(BaseModel):
    """The answer."""

    number: int


# --- The prebuilt agent ---


@pytest.mark.filterwarnings("ignore:create_react_agent has been moved")
@pytest.mark.parametrize("is_bound", [False, True], ids=["model", "model with tools bound"])
def test_a_react_agent_calls_tools(caller, model, gateway, is_bound) -> None:
    """`create_react_agent` is deprecated but widely used."""
    gateway.script(play(ADDING))
    given = model.bind_tools([add]) if is_bound else model
    agent = create_react_agent(given, [add], prompt="Answer in a word.")
    state = caller.invoke(agent, ask("1 + 1?"))
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert state["messages"][-1].text == "Two."
    assert gateway.requests[0].messages[0]["content"].startswith("Answer in a word.")


@pytest.mark.filterwarnings("ignore:create_react_agent has been moved")
def test_a_react_agent_ends_with_an_object(caller, model, gateway) -> None:
    """One more request asks for it: as the only function, or as JSON."""
    gateway.script(["[add(a=1, b=1)]", "Two.", write_object(model, "Answer", number=2)])
    agent = create_react_agent(model, [add], response_format=Answer)
    state = caller.invoke(agent, ask("1 + 1?"))
    assert state["structured_response"] == Answer(number=2)
    is_native = model.profile["structured_output"]
    offered = [get_offered(request) for request in gateway.requests]
    assert offered == [["add"], ["add"], [] if is_native else ["Answer"]]
    assert ("response_format" in gateway.requests[2].json) == is_native


# --- Graphs ---


def create_graph(model, tools):
    """Build the usual loop of a model and its tools."""
    call_model = (
        RunnableLambda(itemgetter("messages"))
        | model.bind_tools(tools)
        | (lambda message: {"messages": [message]})
    )
    graph = StateGraph(MessagesState)
    graph.add_node("model", call_model)
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile()


def test_a_graph_with_a_tool_node_runs_calls(caller, model, gateway) -> None:
    """`tools_condition` finds the calls, and `ToolNode` runs both."""
    results = [show_result("2", "add", call=1), show_result("4", "add", call=2)]
    gateway.script(
        play({"Go.": "[add(a=1, b=1), add(a=2, b=2)]", "\n".join(results): "Two and four."})
    )
    state = caller.invoke(create_graph(model, [add]), ask("Go."))
    assert state["messages"][-1].text == "Two and four."
    assert [m.text for m in state["messages"] if isinstance(m, ToolMessage)] == ["2", "4"]


def test_injected_arguments_are_hidden_from_the_model(caller, model, gateway) -> None:
    """The state and the call's id reach the tool; the prompt does not list them."""
    call_ids = []

    @tool
    def count(
        word: str,
        state: Annotated[dict, InjectedState],
        tool_call_id: Annotated[str, InjectedToolCallId],
    ) -> str:
        """Count a word in the conversation."""
        call_ids.append(tool_call_id)
        return str(sum(message.text.count(word) for message in state["messages"][:1]))

    gateway.script(
        play({"a rose is a rose": "[count(word='rose')]", show_result("2", "count"): "Twice."})
    )
    state = caller.invoke(create_graph(model, [count]), ask("a rose is a rose"))
    assert state["messages"][-1].text == "Twice."
    assert call_ids == [state["messages"][1].tool_calls[0]["id"]]
    assert "count(\n word: str,\n)" in gateway.requests[0].messages[0]["content"]


class Reviews(TypedDict):
    """The reviews of a text, and a verdict."""

    messages: Annotated[list[AnyMessage], add_messages]
    reviews: Annotated[list[str], operator.add]
    verdict: str


READERS = ("friend", "critic")


def test_parallel_branches_send_their_requests_at_once(caller, model, gateway) -> None:
    """No reply is sent until both requests have arrived."""

    def review(reader: str):
        prompt = f"You are a {reader}."
        ask_for_review = RunnableLambda(lambda state: [("system", prompt), *state["messages"]])
        return ask_for_review | model | (lambda message: {"reviews": [message.text]})

    def decide(state: Reviews) -> dict[str, Any]:
        return {"verdict": " and ".join(sorted(state["reviews"]))}

    graph = StateGraph(Reviews)
    graph.add_node("decide", decide)
    for reader in READERS:
        graph.add_node(reader, review(reader))
        graph.add_edge(START, reader)
    graph.add_edge(list(READERS), "decide")
    graph.add_edge("decide", END)
    replies = {"You are a friend.": "good", "You are a critic.": "bad"}
    gateway.script(meet(len(READERS), lambda request: replies[request.messages[0]["content"]]))
    assert caller.invoke(graph.compile(), ask("My poem."))["verdict"] == "bad and good"
    assert {request.last_message for request in gateway.requests} == {"My poem."}


# --- Several agents ---


def test_an_agent_can_be_a_tool_of_another(caller, model, gateway) -> None:
    """Each prompt offers only the tools of that agent."""
    gateway.script(
        play(
            {
                "What is one and one?": "[ask_mathematician(question='1 + 1?')]",
                **ADDING,
                show_result("Two.", "ask_mathematician"): "The mathematician says two.",
            }
        )
    )
    mathematician = create_agent(model, [add], name="mathematician")

    @tool
    def ask_mathematician(question: str) -> str:
        """Ask a mathematician."""
        return mathematician.invoke(ask(question))["messages"][-1].text

    state = caller.invoke(create_agent(model, [ask_mathematician]), ask("What is one and one?"))
    assert state["messages"][-1].text == "The mathematician says two."
    offered = [get_offered(request) for request in gateway.requests]
    assert offered == [["ask_mathematician"], ["add"], ["add"], ["ask_mathematician"]]


def test_an_agent_hands_over_to_another(caller, model, gateway) -> None:
    """A tool's `Command` moves the conversation, with its calls and results."""

    @tool
    def hand_over(
        tool_call_id: Annotated[str, InjectedToolCallId], state: Annotated[dict, InjectedState]
    ) -> Command:
        """Hand over to the mathematician."""
        result = ToolMessage("Handed over.", tool_call_id=tool_call_id, name="hand_over")
        return Command(
            goto="mathematician",
            graph=Command.PARENT,
            update={"messages": [*state["messages"], result]},
        )

    gateway.script(["[hand_over()]", "[add(a=1, b=1)]", "Two."])
    graph = StateGraph(MessagesState)
    graph.add_node(
        "receptionist", create_agent(model, [hand_over]), destinations=("mathematician",)
    )
    graph.add_node("mathematician", create_agent(model, [add]))
    graph.add_edge(START, "receptionist")
    state = caller.invoke(graph.compile(), ask("1 + 1?"))
    assert state["messages"][-1].text == "Two."
    said = get_last_message(gateway.requests[1])
    assert said == show_result("Handed over.", "hand_over")
    offered = [get_offered(request) for request in gateway.requests]
    assert offered == [["hand_over"], ["add"], ["add"]]
