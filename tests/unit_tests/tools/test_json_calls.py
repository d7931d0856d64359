"""Calls in JSON are read with their name, their text, and the reason why one cannot be run."""

import pytest

from langchain_segmind._tools import create_toolset
from langchain_segmind._tools.json_calls import (
    convert_json_to_calls,
    convert_native_call,
    write_entry,
)
from langchain_segmind._tools.json_values import decode
from langchain_segmind._tools.raw_call import PARALLEL, NoCallError, RawCall
from tests.support.schemas import STRING, make_tool

TOOLS = create_toolset([make_tool("pay", to=STRING), make_tool("search", query=STRING)])

NO_FUNCTION = "this entry of tool_calls is not a call: it names no function"
NO_OBJECT = "its arguments are not a JSON object"
BACKSLASHES = f"{NO_OBJECT}: not valid JSON: escape all backslashes"
TEXT = "the text"


def native(name: object, arguments: object) -> dict:
    """Return an entry of OpenAI's `tool_calls`."""
    return {"function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("entry", "name", "text", "result"),
    [
        pytest.param(5, "", "5", NO_FUNCTION, id="a number"),
        pytest.param({"function": 5}, "", '{"function": 5}', NO_FUNCTION, id="a number inside"),
        pytest.param({"name": "\ud800", "a": 1}, "\ufffd", "\ufffd({})", {}, id="half a character"),
        pytest.param({"x": "\ud800"}, "", '{"x": "\ufffd"}', NO_FUNCTION, id="half, no name"),
        pytest.param({"name": "pay"}, "pay", "pay({})", {}, id="flat"),
        pytest.param(native("pay", {"to": 1}), "pay", 'pay({"to": 1})', {"to": 1}, id="an object"),
        pytest.param(native("no", '{"a": 1}'), "no", 'no({"a": 1})', {"a": 1}, id="unknown"),
        pytest.param(native("pay", "x"), "pay", "pay(x)", NO_OBJECT, id="text"),
        pytest.param(native("pay", [1]), "pay", "pay([1])", NO_OBJECT, id="a list"),
        pytest.param(native("pay", "{} x"), "pay", "pay({} x)", NO_OBJECT, id="text behind"),
        pytest.param(
            native("pay", r'{"to": "C:\new\/"}'),
            "pay",
            r'pay({"to": "C:\new\/"})',
            BACKSLASHES,
            id="a path",
        ),
    ],
)
def test_a_native_call_is_read_or_has_a_reason(entry, name, text, result) -> None:
    """Its text is what the model wrote."""
    expected = RawCall(name, text)
    if isinstance(result, str):
        expected.problem = result
    else:
        expected.arguments = result
    assert convert_native_call(entry, TOOLS) == [expected]


@pytest.mark.parametrize(
    ("uses", "calls"),
    [
        pytest.param(5, [RawCall(PARALLEL, TEXT, problem="tool_uses is not a list of calls")]),
        pytest.param([], [RawCall(PARALLEL, TEXT, problem="tool_uses is empty")], id="none"),
        pytest.param(
            [{"pay": {"to": 1}}, {"x": 1}],
            [
                RawCall("pay", '{"pay": {"to": 1}}', {"to": 1}),
                RawCall(PARALLEL, '{"x": 1}', problem="this entry is not a call"),
            ],
            id="one of two",
        ),
    ],
)
def test_an_entry_of_parallel_calls_that_is_none_is_invalid(uses, calls) -> None:
    """The calls beside it are read."""
    value = {"name": PARALLEL, "arguments": {"tool_uses": uses}}
    assert convert_json_to_calls(value, TEXT, TOOLS) == calls


@pytest.mark.parametrize(
    ("value", "calls"),
    [
        pytest.param(
            {"tool_calls": [{"pay": {"to": 1}}, {"no": {}}]},
            [
                RawCall("pay", '{"pay": {"to": 1}}', {"to": 1}),
                RawCall("", '{"no": {}}', problem="this entry is not a call"),
            ],
            id="a list",
        ),
        pytest.param(
            {"name": PARALLEL, "arguments": "x"},
            [RawCall(PARALLEL, TEXT, problem=NO_OBJECT)],
            id="parallel, unreadable",
        ),
        pytest.param({"name": "pay", "args": 5}, [RawCall("pay", TEXT, problem=NO_OBJECT)]),
        pytest.param(
            {"name": "no", "arguments": {"a": 1}}, [RawCall("no", TEXT, {"a": 1})], id="unknown"
        ),
        pytest.param({"name": "no", "arguments": "x"}, None, id="unknown, unreadable"),
        pytest.param({"name": "no", "to": 1}, None, id="unknown, flat"),
        pytest.param({"tool_calls": 5, "to": 1}, None, id="no list"),
        pytest.param({"tool_calls": [], "to": {}}, None, id="an empty list"),
        pytest.param({"name": "", "arguments": {}}, None, id="an empty name"),
        pytest.param({"arguments": {}}, None, id="no name"),
    ],
)
def test_an_object_is_a_call_or_not(value, calls) -> None:
    """One that names no known tool must be exactly a call."""
    if calls is None:
        with pytest.raises(NoCallError):
            convert_json_to_calls(value, TEXT, TOOLS)
    else:
        assert convert_json_to_calls(value, TEXT, TOOLS) == calls


@pytest.mark.parametrize("value", [{"name": "Ana", "args": {}}, {"name": "Ana", "input": "a"}])
def test_the_arguments_of_a_tool_are_not_a_call(value) -> None:
    """They are an answer, though they look like a call of an unknown tool."""
    parameters = {"properties": {key: {} for key in value}}
    tool = {"type": "function", "function": {"name": "save", "parameters": parameters}}
    tools = create_toolset([tool])
    with pytest.raises(NoCallError):
        convert_json_to_calls(value, TEXT, tools)


def test_text_of_a_value_is_json() -> None:
    """A number whose text says more is written as its value; endless nesting is not written."""
    assert write_entry(decode('{"é": [1.50, 3]}')) == '{"é": [1.5, 3]}'
    deep: dict = {}
    for _ in range(50_000):  # Python 3.13 writes 5,000 levels
        deep = {"x": deep}
    assert write_entry(deep) == "..."
