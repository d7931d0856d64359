"""Time to write tools and conversations, by size."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_segmind._chat.conversation import convert_messages
from langchain_segmind._tools.instructions import render_instructions
from langchain_segmind._tools.tool_choice import ToolChoice
from langchain_segmind._tools.tools import create_toolset


def create_tools(count: int) -> list[dict]:
    """Return tools of the usual size."""
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
@pytest.mark.benchmark(group="new tools")
def test_render_tools(benchmark, count) -> None:
    """New tools, rendered."""
    tools = create_tools(count)
    render = render_instructions.__wrapped__
    text = benchmark(lambda: render(create_toolset(tools), ToolChoice(), parallel=True))
    assert text.count("\ntool_") == count


@pytest.mark.parametrize("count", [1, 16, 128])
@pytest.mark.benchmark(group="known tools")
def test_find_rendered_tools(benchmark, count) -> None:
    """Known tools, found in the cache."""
    tools = create_tools(count)
    text = benchmark(
        lambda: render_instructions(create_toolset(tools), ToolChoice(), parallel=True)
    )
    assert text.count("\ntool_") == count


@pytest.mark.parametrize("turns", [10, 1_000, 10_000])
@pytest.mark.benchmark(group="conversations with tools")
def test_write_conversation(benchmark, turns) -> None:
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
