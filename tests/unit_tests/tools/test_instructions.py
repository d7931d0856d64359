"""What a model is told about its tools."""

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


def test_a_model_is_told_how_and_when_to_call() -> None:
    """How, that several calls may stand together, and that text alone may be right."""
    told = render_instructions(TOOLS, ToolChoice(), parallel=True)
    assert "[name(parameter=value), other_name(parameter=value)]" in told
    assert "several calls" in told
    assert "answer in plain text" in told
    assert "# Add two numbers.\nadd(\n a: int,\n b: int,\n)\n# Subtract.\nsub(" in told


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
def test_a_choice_changes_what_is_told(choice, parallel, there, not_there) -> None:
    """What a forced choice asks for stands there; what cannot be called does not."""
    told = render_instructions(TOOLS, choice, parallel=parallel)
    assert all(words in told for words in there)
    assert not any(words in told for words in not_there)


def test_nothing_is_told_where_there_are_no_tools() -> None:
    """The prompt of a model without tools is the user's own."""
    for mode in ("auto", "none"):
        assert render_instructions(create_toolset([]), ToolChoice(mode), parallel=True) == ""


def test_tools_are_rendered_once_for_all_calls() -> None:
    """Equal dicts are one set of tools, whose text is kept."""
    dicts = convert_tools([add, sub])
    tools = create_toolset(dicts)
    assert create_toolset(convert_tools([add, sub])) is tools
    first = render_instructions(tools, ToolChoice("any"), parallel=True)
    hits = render_instructions.cache_info().hits
    assert render_instructions(create_toolset(dicts), ToolChoice("any"), parallel=True) is first
    assert render_instructions.cache_info().hits == hits + 1
