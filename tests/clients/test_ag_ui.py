"""AG-UI, the protocol of CopilotKit: an agent behind ag-ui-langgraph's endpoint."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from ag_ui_langgraph import LangGraphAgent, add_langgraph_fastapi_endpoint
from fastapi import FastAPI
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver

from tests.support.scripts import add, get_weather, play, show_result

TEXT = ["TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"]
CALL = ["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END"]
RESULTS = "\n".join(
    [show_result("Rome is sunny.", "get_weather", call=1), show_result("3", "add", call=2)]
)
CALLS = "[get_weather(city='Rome'), add(a=1, b=2)]"


def run_agent(model, question: str) -> list[dict[str, Any]]:
    """Return the events that a browser gets for a question to an agent with two tools."""
    graph = create_agent(model, [get_weather, add], checkpointer=InMemorySaver())
    app = FastAPI()
    add_langgraph_fastapi_endpoint(app, LangGraphAgent(name="agent", graph=graph), "/agent")
    message = {"id": "1", "role": "user", "content": question}
    body = {
        "threadId": "thread",
        "runId": "run",
        "messages": [message],
        "state": {},
        "tools": [],
        "context": [],
        "forwardedProps": {},
    }

    async def post() -> str:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
            return (await client.post("/agent", json=body)).text

    lines = asyncio.run(post()).splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line]


def get_types(events: list[dict[str, Any]]) -> list[str]:
    """Return the types of the events that show text and calls, in order."""
    shown = {*TEXT, *CALL, "TOOL_CALL_RESULT", "RUN_STARTED", "RUN_FINISHED", "RUN_ERROR"}
    return [event["type"] for event in events if event["type"] in shown]


def find(events: list[dict[str, Any]], kind: str, key: str) -> list[Any]:
    """Return a key of the events of a type."""
    return [event[key] for event in events if event["type"] == kind]


def test_text_appears(model, gateway) -> None:
    """An answer without calls is one message."""
    gateway.script(play({"Hi": "Hello!"}))
    events = run_agent(model, "Hi")
    assert get_types(events) == ["RUN_STARTED", *TEXT, "RUN_FINISHED"]
    assert find(events, "TEXT_MESSAGE_CONTENT", "delta") == ["Hello!"]


@pytest.mark.parametrize("text", ["", "\nI look."], ids=["calls alone", "with text"])
def test_each_call_appears_and_its_result(model, gateway, text) -> None:
    """The first call is not lost, and each has its own id, name, arguments and result."""
    gateway.script(play({"Go.": CALLS + text, RESULTS: "All done."}))
    events = run_agent(model, "Go.")
    first = TEXT if text else []
    results = ["TOOL_CALL_RESULT"] * 2
    assert get_types(events) == [
        "RUN_STARTED",
        *first,
        *CALL,
        *CALL,
        *results,
        *TEXT,
        "RUN_FINISHED",
    ]
    assert find(events, "TOOL_CALL_START", "toolCallName") == ["get_weather", "add"]
    arguments = [json.loads(delta) for delta in find(events, "TOOL_CALL_ARGS", "delta")]
    assert arguments == [{"city": "Rome"}, {"a": 1, "b": 2}]
    ids = find(events, "TOOL_CALL_START", "toolCallId")
    assert len(set(ids)) == 2
    assert find(events, "TOOL_CALL_ARGS", "toolCallId") == ids
    by_call = dict(
        zip(
            find(events, "TOOL_CALL_RESULT", "toolCallId"),
            find(events, "TOOL_CALL_RESULT", "content"),
            strict=True,
        )
    )
    assert [by_call[id_] for id_ in ids] == ["Rome is sunny.", "3"]
    texts = ["I look.", "All done."] if text else ["All done."]
    assert find(events, "TEXT_MESSAGE_CONTENT", "delta") == texts


def test_tokens_of_a_run_are_added_up(model, gateway) -> None:
    """The end of a run says which provider and model ran, and with how many tokens."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    gateway.script([{"content": CALLS, "usage": usage}, {"content": "Done.", "usage": usage}])
    (usages,) = find(run_agent(model, "Go."), "RUN_FINISHED", "usage")
    (used,) = usages
    assert (used["provider"], used["model"]) == ("segmind", "gpt-4-turbo")
    assert (used["inputTokens"], used["outputTokens"], used["totalTokens"]) == (20, 10, 30)
