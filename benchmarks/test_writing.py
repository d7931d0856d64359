"""How long it takes to write tools and conversations, and how that grows."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_segmind._chat.request import convert_messages
from langchain_segmind._tools.instructions import render_instructions
from langchain_segmind._tools.tool_choice import ToolChoice
from langchain_segmind._tools.tools import create_toolset


def create_tools(count: int) -> list[dict]:
    """Make tools of a usual size."""
    properties = {
        f"argument_{number}": {"type": "string", "description": "What it is, in a few words."}
        for number in range(6)
    }
    return [
        {
            "type": "function",
            "function": {
                "name": f"tool_{number}",
                "description": "What it does.",
                "parameters": {"type": "object", "properties": properties, "required": []},
            },
        }
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [1, 16, 128])
@pytest.mark.benchmark(group="tools that are bound anew")
def test_render_tools(benchmark, count) -> None:
    """Once for a set of tools."""
    tools = create_tools(count)
    render = render_instructions.__wrapped__
    text = benchmark(lambda: render(create_toolset(tools), ToolChoice(), parallel=True))
    assert text.count("\ntool_") == count


@pytest.mark.parametrize("count", [1, 16, 128])
@pytest.mark.benchmark(group="tools that are bound already")
def test_find_rendered_tools(benchmark, count) -> None:
    """At each call."""
    tools = create_tools(count)
    text = benchmark(
        lambda: render_instructions(create_toolset(tools), ToolChoice(), parallel=True)
    )
    assert text.count("\ntool_") == count


@pytest.mark.parametrize("turns", [10, 1_000, 10_000])
@pytest.mark.benchmark(group="conversations with tools")
def test_write_a_conversation(benchmark, turns) -> None:
    """Questions, calls and results."""
    messages = []
    for number in range(turns):
        call = {"name": "search", "args": {"query": "x", "limit": number}, "id": f"call_{number}"}
        messages += [
            HumanMessage("Look it up."),
            AIMessage("", tool_calls=[call]),
            ToolMessage("Found: nothing much.", tool_call_id=call["id"]),
        ]
    wire = benchmark(convert_messages, messages)
    assert len(wire) == 3 * turns
