"""langgraph-supervisor and langgraph-swarm: several agents in one conversation."""

import re

import pytest
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph_supervisor import create_supervisor
from langgraph_swarm import create_handoff_tool, create_swarm

from langchain_segmind.gateway import Request
from tests.support.scripts import add, ask, get_last_message, get_offered, get_weather

NAMES = re.compile(r"<name>(\w+)</name>")


def get_names(request: Request) -> list[str]:
    """Return the names that begin a prompt's assistant messages, each once for its message."""
    spoken = [m["content"] for m in request.messages if m["role"] == "assistant"]
    return [name for text in spoken for name in NAMES.findall(text)]


@pytest.mark.parametrize("mode", [None, "inline"], ids=["without names", "with inline names"])
def test_a_supervisor_delegates_and_answers(caller, model, gateway, mode) -> None:
    """Each agent uses its tool; each message has its speaker's name once, and no answer has."""
    gateway.script(
        [
            "[transfer_to_forecaster()]",
            "[get_weather(city='Rome')]",
            "It is sunny in Rome.",
            "[transfer_to_accountant()]",
            "[add(a=1, b=2)]",
            "It is three.",
            "Sunny, and three.",
        ]
    )
    team = [
        create_agent(model, [get_weather], name="forecaster"),
        create_agent(model, [add], name="accountant"),
    ]
    graph = create_supervisor(team, model=model, include_agent_name=mode).compile()
    state = caller.invoke(graph, ask("How is Rome, and what is 1 + 2?"))
    texts = [(m.name, m.text) for m in state["messages"] if m.type == "ai" and not m.tool_calls]
    assert ("forecaster", "It is sunny in Rome.") in texts
    assert ("accountant", "It is three.") in texts
    assert texts[-1] == ("supervisor", "Sunny, and three.")
    requests = gateway.requests
    assert len(requests) == 7
    offered = sorted(get_offered(requests[0]))
    assert offered == ["transfer_to_accountant", "transfer_to_forecaster"]
    assert get_offered(requests[1]) == ["get_weather"]
    assert "Rome is sunny." in get_last_message(requests[2])
    names = get_names(requests[-1])
    spoken = [m for m in requests[-1].messages if m["role"] == "assistant"]
    if mode == "inline":
        assert len(names) == len(spoken)
        assert {"forecaster", "accountant", "supervisor"} == set(names)
    else:  # a message that only calls has no text to name
        assert names == ["forecaster", "forecaster", "accountant", "accountant"]


@pytest.mark.parametrize("mode", [None, "inline"], ids=["without names", "with inline names"])
def test_a_supervisor_that_writes_its_name_is_understood(caller, model, gateway, mode) -> None:
    """A model repeats the form of its history: the answer comes without it, a call is run."""
    gateway.script(
        [
            "[transfer_to_forecaster()]",
            "It is sunny.",
            "<name>supervisor</name><content>[transfer_to_accountant()]</content>",
            "It is three.",
            "<name>supervisor</name><content>Sunny, and three.</content>",
        ]
    )
    team = [
        create_agent(model, [get_weather], name="forecaster"),
        create_agent(model, [add], name="accountant"),
    ]
    graph = create_supervisor(team, model=model, include_agent_name=mode).compile()
    state = caller.invoke(graph, ask("How is Rome, and what is 1 + 2?"))
    assert state["messages"][-1].text == "Sunny, and three."
    assert len(gateway.requests) == 5


def test_a_swarm_hands_over_and_remembers_who_speaks(caller, model, gateway) -> None:
    """After a handoff the other agent answers, also in the next turn, and knows who said what."""
    alice = create_agent(
        model, [add, create_handoff_tool(agent_name="Bob")], name="Alice", system_prompt="Alice."
    )
    bob = create_agent(
        model,
        [get_weather, create_handoff_tool(agent_name="Alice")],
        name="Bob",
        system_prompt="Bob.",
    )
    swarm = create_swarm([alice, bob], default_active_agent="Alice")
    graph = swarm.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    gateway.script(
        [
            "[transfer_to_bob()]\nOne moment.",
            "Ahoy!",
            "[transfer_to_alice()]",
            "[add(a=1, b=2)]",
            "Three.",
        ]
    )
    first = caller.invoke(graph, ask("Bob, please."), config)
    assert first["active_agent"] == "Bob"
    assert (first["messages"][-1].name, first["messages"][-1].text) == ("Bob", "Ahoy!")
    second = caller.invoke(graph, ask("What is 1 + 2?"), config)
    assert second["active_agent"] == "Alice"
    assert (second["messages"][-1].name, second["messages"][-1].text) == ("Alice", "Three.")
    requests = gateway.requests
    assert get_offered(requests[0]) == ["add", "transfer_to_bob"]
    assert get_offered(requests[1]) == ["get_weather", "transfer_to_alice"]
    assert get_offered(requests[3]) == ["add", "transfer_to_bob"]
    assert requests[1].messages[0]["content"].startswith("Bob.")
    assert get_names(requests[-1]) == ["Alice", "Bob"]
    assert get_last_message(requests[4]).endswith('name="add">\n3\n</tool_result>')
