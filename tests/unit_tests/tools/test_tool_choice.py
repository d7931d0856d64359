"""Every form of `tool_choice` is normalized, or a clear error."""

import pytest

from langchain_segmind._tools.tool_choice import ToolChoice, parse_tool_choice

NAMES = {"add": 1, "Box[int]": 2}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        pytest.param(None, ToolChoice(), id="nothing"),
        pytest.param("auto", ToolChoice(), id="auto"),
        pytest.param("any", ToolChoice("any"), id="any"),
        pytest.param("required", ToolChoice("any"), id="required"),
        pytest.param(True, ToolChoice("any"), id="True"),
        pytest.param("none", ToolChoice("none"), id="none"),
        pytest.param(False, ToolChoice("none"), id="False"),
        pytest.param("add", ToolChoice("any", "add"), id="a name"),
        pytest.param({"name": "Box[int]"}, ToolChoice("any", "Box[int]"), id="a dict with a name"),
        pytest.param(
            {"type": "function", "function": {"name": "add"}},
            ToolChoice("any", "add"),
            id="OpenAI's dict",
        ),
    ],
)
def test_every_form_is_normalized(choice, expected) -> None:
    """And survives the conversion to OpenAI's format."""
    parsed = parse_tool_choice(choice, NAMES)
    assert parsed == expected
    assert parse_tool_choice(parsed.convert_to_openai(), NAMES) == expected
    assert parse_tool_choice(parsed, NAMES) == expected


@pytest.mark.parametrize(
    ("choice", "converted"),
    [
        (ToolChoice(), "auto"),
        (ToolChoice("any"), "required"),
        (ToolChoice("none"), "none"),
        (ToolChoice("any", "add"), {"type": "function", "function": {"name": "add"}}),
    ],
    ids=["auto", "any", "none", "a name"],
)
def test_choice_is_written_as_openai_does(choice, converted) -> None:
    """Traces and LangGraph read it."""
    assert choice.convert_to_openai() == converted


def describe_unbound(choice: str, bound: str = "'add', 'Box[int]'") -> str:
    """Return the error for a choice that is not among the bound tools."""
    return (
        f"tool_choice names {choice}, which is not bound (bound: {bound}). Pass one of these "
        "names, 'auto', 'any' or 'none'."
    )


def describe_nameless(choice: str) -> str:
    """Return the error for a dict without a name."""
    return (
        f"tool_choice={choice} names no tool. Pass {{'type': 'function', 'function': "
        "{'name': ...}} or just the name."
    )


@pytest.mark.parametrize(
    ("choice", "names", "message"),
    [
        pytest.param("sub", NAMES, describe_unbound("'sub'"), id="an unknown name"),
        pytest.param({"name": "sub"}, NAMES, describe_unbound("'sub'"), id="a dict of one"),
        pytest.param(
            "any",
            [],
            "tool_choice='any' requires a call, but no tools are bound.",
            id="any of none",
        ),
        pytest.param(
            True, [], "tool_choice=True requires a call, but no tools are bound.", id="True of none"
        ),
        pytest.param("add", [], describe_unbound("'add'", "none"), id="a name of no tools"),
        pytest.param(
            {"type": "function"},
            NAMES,
            describe_nameless("{'type': 'function'}"),
            id="a dict without a name",
        ),
        pytest.param(
            {"function": {"name": 5}},
            NAMES,
            describe_nameless("{'function': {'name': 5}}"),
            id="a number as a name",
        ),
        pytest.param(
            {"function": "add"},
            NAMES,
            describe_nameless("{'function': 'add'}"),
            id="a name instead of a function",
        ),
        pytest.param(5, NAMES, describe_unbound("5"), id="a number"),
        pytest.param(["add"], NAMES, describe_unbound("['add']"), id="a list"),
    ],
)
def test_impossible_choice_says_why(choice, names, message) -> None:
    """Before any request, with the accepted values."""
    with pytest.raises(ValueError, match="tool") as caught:
        parse_tool_choice(choice, names)
    assert str(caught.value) == message


def test_auto_and_none_need_no_tools() -> None:
    """Agents without tools bind an empty list."""
    assert parse_tool_choice("auto", []).mode == "auto"
    assert parse_tool_choice("none", []).mode == "none"
