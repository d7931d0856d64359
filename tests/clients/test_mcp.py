"""langchain-mcp-adapters: an agent with the tools of a real MCP server."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient

from langchain_segmind import ChatSegmind
from tests.support.images import DATA
from tests.support.scripts import ask, get_last_message, get_offered

SERVER = {
    "transport": "stdio",
    "command": sys.executable,
    "args": [str(Path(__file__).with_name("mcp_server.py")), DATA],
}


@pytest.fixture
def run_agent(gateway) -> Callable[..., dict[str, Any]]:
    """Return a function that asks an agent with the server's tools, which are asynchronous."""

    def run(model: ChatSegmind, replies: Any, question: str = "Go.") -> dict[str, Any]:
        gateway.script(replies)

        async def answer() -> dict[str, Any]:
            tools = await MultiServerMCPClient({"tools": SERVER}).get_tools()
            return await create_agent(model, tools).ainvoke(ask(question))

        return asyncio.run(answer())

    return run


def test_tools_of_a_server_are_called(model, gateway, run_agent) -> None:
    """The prompt offers them, and their results are shown."""
    state = run_agent(model, ["[add(a=1, b=2)]", "Three."])
    assert state["messages"][-1].text == "Three."
    assert get_offered(gateway.requests[0]) == ["add", "divide", "draw"]
    assert get_last_message(gateway.requests[1]) == '<tool_result name="add">\n3\n</tool_result>'


def test_a_failure_of_a_tool_is_shown(model, gateway, run_agent) -> None:
    """The model sees the server's words and can go on."""
    state = run_agent(model, ["[divide(a=1, b=0)]", "Not by zero."])
    assert state["messages"][-1].text == "Not by zero."
    shown = get_last_message(gateway.requests[1])
    assert shown.startswith('<tool_result name="divide" status="error">')
    assert "division by zero" in shown


def test_a_wrong_argument_is_shown(model, gateway, run_agent) -> None:
    """The schema is the server's, and so is the error."""
    run_agent(model, ["[add(a='one', b=2)]", "[add(a=1, b=2)]", "Three."])
    assert "valid integer" in get_last_message(gateway.requests[1])


@pytest.mark.parametrize("slug", ["gpt-5.5"])
def test_an_image_of_a_tool_reaches_a_model_that_takes_images(model, gateway, run_agent) -> None:
    """It follows the result's text."""
    state = run_agent(model, ["[draw(title='a cat')]", "Black."])
    assert state["messages"][-1].text == "Black."
    content = gateway.requests[1].json["messages"][-1]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"]
    assert "A picture of a cat." in content[0]["text"]
    assert content[1]["image_url"]["url"] == f"data:image/png;base64,{DATA}"


def test_a_model_without_images_is_told_of_one(model, gateway, run_agent) -> None:
    """The agent goes on with the text."""
    run_agent(model, ["[draw(title='a cat')]", "I cannot see it."])
    shown = get_last_message(gateway.requests[1])
    assert "A picture of a cat." in shown
    assert "An image was left out" in shown
