"""Threads that another provider's chat model began, or goes on with."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver

from langchain_segmind import SegmindError
from tests.support.scripts import add, ask

REASONING = {"type": "reasoning", "id": "rs_1", "summary": []}
SEARCH = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "query": "cats"},
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "add",
    "arguments": '{"a": 1, "b": 2}',
    "status": "completed",
}


def write_text(text: str) -> dict[str, Any]:
    """Return a message of the Responses API."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": content,
    }


class Responses:
    """OpenAI's Responses API on loopback; each request gets the next of its outputs.

    Attributes:
        outputs: The outputs that are left; a number is an error of that status.
        requests: The bodies so far.
    """

    def __init__(self) -> None:
        self.outputs: list[Any] = []
        self.requests: list[dict[str, Any]] = []


@pytest.fixture
def openai() -> Iterator[tuple[Responses, ChatOpenAI]]:
    """Run the API, and return it with a model that calls it."""
    api = Responses()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            api.requests.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            output = api.outputs.pop(0)
            status = output if isinstance(output, int) else 200
            body = {
                "id": f"resp_{len(api.requests)}",
                "object": "response",
                "created_at": 1,
                "model": "gpt-5",
                "status": "completed",
                "parallel_tool_calls": True,
                "tool_choice": "auto",
                "tools": [],
                "output": [] if isinstance(output, int) else output,
            }
            data = json.dumps(body if status == 200 else {"error": {"message": "no"}}).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    yield (
        api,
        ChatOpenAI(
            model="gpt-5", base_url=url, api_key="fake", use_responses_api=True, max_retries=0
        ),
    )
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_turn_of_the_responses_api_is_sent_as_text_and_calls(
    caller, model, gateway, openai
) -> None:
    """Each call once; its reasoning and its searches are left out."""
    api, other = openai
    api.outputs = [[REASONING, SEARCH, write_text("Cats purr."), write_text(" Let me add."), CALL]]
    turn = other.bind_tools([add]).invoke("Cats? And 1 + 2?")
    assert isinstance(turn.content, list)
    gateway.script(["It is three."])
    history = [HumanMessage("Cats? And 1 + 2?"), turn, *[add.invoke(c) for c in turn.tool_calls]]
    assert caller.invoke(model.bind_tools([add]), history).text == "It is three."
    sent = gateway.requests[0].messages
    assert sent[2] == {"role": "assistant", "content": "Cats purr. Let me add.\n[add(a=1, b=2)]"}
    assert "3" in sent[3]["content"]


def test_an_agents_thread_goes_on_with_segmind(caller, model, gateway, openai) -> None:
    """A checkpointer keeps the messages of the first model."""
    api, other = openai
    api.outputs = [[REASONING, CALL], [write_text("Three.")]]
    memory = InMemorySaver()
    config = {"configurable": {"thread_id": "1"}}
    first = create_agent(other, [add], checkpointer=memory)
    caller.invoke(first, ask("1 + 2?"), config=config)
    gateway.script(["[add(a=3, b=4)]", "Seven."])
    second = create_agent(model, [add], checkpointer=memory)
    state = caller.invoke(second, ask("And 3 + 4?"), config=config)
    assert state["messages"][-1].text == "Seven."
    texts = [message["content"] for message in gateway.requests[0].messages]
    assert sum("[add(a=1, b=2)]" in text for text in texts[1:]) == 1
    assert "Three." in texts


def test_a_failing_provider_is_replaced_within_a_run(caller, model, gateway, openai) -> None:
    """By `ModelFallbackMiddleware`, between the call of a tool and the answer."""
    api, other = openai
    api.outputs = [[REASONING, CALL], 500]
    gateway.script(["Three."])
    agent = create_agent(other, [add], middleware=[ModelFallbackMiddleware(model)])
    state = caller.invoke(agent, ask("1 + 2?"))
    assert state["messages"][-1].text == "Three."


def test_a_fallback_can_go_either_way(caller, model, gateway, openai) -> None:
    """The messages of each are read by the other."""
    api, other = openai
    api.outputs = [500, [write_text("From OpenAI.")]]
    gateway.script(["From Segmind.", {"status": 503, "body": ""}])
    assert caller.invoke(other.with_fallbacks([model]), "hi").text == "From Segmind."
    back = model.with_fallbacks([other], exceptions_to_handle=(SegmindError,))
    history = [HumanMessage("hi"), AIMessage("hello", name="one"), HumanMessage("bye")]
    assert caller.invoke(back, history).text == "From OpenAI."
