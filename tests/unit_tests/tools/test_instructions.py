"""The instructions tell a model which tools there are and when to call them."""

import pytest

from langchain_segmind._tools.instructions import render_instructions
from langchain_segmind._tools.tool_choice import ToolChoice
from langchain_segmind._tools.tools import convert_tools, create_toolset


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def sub(a: int, b: int) -> int:
    """Subtract."""
    return a - b


TOOLS = create_toolset(convert_tools([add, sub]))


def test_instructions_say_how_and_when_to_call() -> None:
    """They allow several calls, and an answer in plain text."""
    instructions = render_instructions(TOOLS, ToolChoice(), parallel=True)
    assert "[name(parameter=value), other_name(parameter=value)]" in instructions
    assert "several calls" in instructions
    assert "answer in plain text" in instructions
    assert "# Add two numbers.\nadd(\n a: int,\n b: int,\n)\n# Subtract.\nsub(" in instructions


@pytest.mark.parametrize(
    ("choice", "parallel", "there", "not_there"),
    [
        pytest.param(ToolChoice("any"), True, ["at least one"], ["If no function fits"], id="any"),
        pytest.param(
            ToolChoice("any", "sub"), True, ["call sub", "sub("], ["add(", "If no"], id="a name"
        ),
        pytest.param(ToolChoice("none"), True, ["Do not call"], ["add(", "sub("], id="none"),
        pytest.param(ToolChoice(), False, ["one call only"], ["several"], id="one call at a time"),
    ],
)
def test_tool_choice_changes_the_instructions(choice, parallel, there, not_there) -> None:
    """They name what must be called and leave out what cannot be."""
    instructions = render_instructions(TOOLS, choice, parallel=parallel)
    assert all(words in instructions for words in there)
    assert not any(words in instructions for words in not_there)


def test_no_tools_need_no_instructions() -> None:
    """The prompt is the user's alone."""
    for mode in ("auto", "none"):
        assert render_instructions(create_toolset([]), ToolChoice(mode), parallel=True) == ""


def test_equal_tools_are_rendered_once() -> None:
    """The text is cached."""
    dicts = convert_tools([add, sub])
    tools = create_toolset(dicts)
    assert create_toolset(convert_tools([add, sub])) is tools
    first = render_instructions(tools, ToolChoice("any"), parallel=True)
    hits = render_instructions.cache_info().hits
    assert render_instructions(create_toolset(dicts), ToolChoice("any"), parallel=True) is first
    assert render_instructions.cache_info().hits == hits + 1
