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
    ("choice", "names", "words"),
    [
        pytest.param("sub", NAMES, ["'sub'", "'add'", "'any'"], id="an unknown name"),
        pytest.param({"name": "sub"}, NAMES, ["'sub'"], id="an unknown name in a dict"),
        pytest.param("any", [], ["no tools are bound"], id="any of no tools"),
        pytest.param(True, [], ["no tools are bound"], id="True of no tools"),
        pytest.param("add", [], ["none"], id="a name of no tools"),
        pytest.param({"type": "function"}, NAMES, ["names no tool"], id="a dict without a name"),
        pytest.param({"function": {"name": 5}}, NAMES, ["names no tool"], id="a name of no text"),
        pytest.param(5, NAMES, ["5"], id="a number"),
        pytest.param(["add"], NAMES, ["add"], id="a list"),
    ],
)
def test_impossible_choice_says_why(choice, names, words) -> None:
    """Before any request, with the accepted values."""
    with pytest.raises(ValueError, match="tool") as caught:
        parse_tool_choice(choice, names)
    assert all(word in str(caught.value) for word in words)


def test_auto_and_none_need_no_tools() -> None:
    """Agents without tools bind an empty list."""
    assert parse_tool_choice("auto", []).mode == "auto"
    assert parse_tool_choice("none", []).mode == "none"
