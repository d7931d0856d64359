"""Calls are read from text in every form that models write, before schemas are applied."""

import json

import pytest

from langchain_segmind._tools.call_parser import CallReader
from langchain_segmind._tools.json_calls import convert_json_to_calls
from langchain_segmind._tools.raw_call import NoCallError, RawCall
from langchain_segmind._tools.tools import create_toolset
from tests.support.schemas import make_tool

TOOLS = create_toolset(
    [
        make_tool("add", a={}, b={}),
        make_tool("stop"),
        make_tool("Box[int]", **{"in the box": {}, "a=b": {}}),
        make_tool("odd (x)", **{"user-id": {}, "from": {}}),
        make_tool("say 'hi'", **{"": {}}),
    ]
)


def read_list(text: str) -> list[RawCall]:
    """Return the calls of a text that is one list."""
    reader = CallReader(text, TOOLS)
    calls = reader.read_list()
    assert reader.is_at_end()
    return calls


def read_bare(text: str) -> list[RawCall]:
    """Return the calls of a text that is calls without brackets."""
    reader = CallReader(text, TOOLS)
    calls = reader.read_bare_calls()
    if not reader.is_at_end():
        raise NoCallError
    return calls


def get_calls(calls: list[RawCall]) -> list[tuple[str, dict]]:
    """Return the names and arguments of calls without problems."""
    assert [call.problem for call in calls] == [""] * len(calls)
    return [(call.name, call.arguments) for call in calls]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        pytest.param("[stop(), add(a=1)]", [("stop", {}), ("add", {"a": 1})], id="two"),
        pytest.param("[Box[int](in the box=1)]", [("Box[int]", {"in the box": 1})], id="unquoted"),
        pytest.param("['Box[int]'('a=b'=1)]", [("Box[int]", {"a=b": 1})], id="an equals sign"),
        pytest.param("[odd (x)(user-id=1, from=2)]", [("odd (x)", {"user-id": 1, "from": 2})]),
        pytest.param("[\"say 'hi'\"(''=1)]", [("say 'hi'", {"": 1})], id="an empty name"),
        pytest.param("[functions.add(a=1)]", [("add", {"a": 1})], id="OpenAI's namespace"),
        pytest.param("['functions.odd (x)'()]", [("odd (x)", {})], id="the namespace in quotes"),
        pytest.param("[add(x=1)]", [("add", {"x": 1})], id="an unknown argument"),
        pytest.param("[nope(a=1), stop()]", [("nope", {"a": 1}), ("stop", {})], id="unknown tool"),
        pytest.param("['no pe'(a=1)]", [("no pe", {"a": 1})], id="an unknown tool in quotes"),
        pytest.param("[add (a = 1)]", [("add", {"a": 1})], id="blanks"),
    ],
)
def test_list_of_calls_needs_no_repair(text, calls) -> None:
    """The syntax that the instructions ask for."""
    read = read_list(text)
    assert get_calls(read) == calls
    assert [call.repairs for call in read] == [[] for _ in calls]


@pytest.mark.parametrize(
    ("text", "arguments", "repair"),
    [
        pytest.param("[add(1, 'x')]", {"a": 1, "b": "x"}, "positional_argument", id="positions"),
        pytest.param("[add(1, b=2)]", {"a": 1, "b": 2}, "positional_argument", id="a position"),
        pytest.param("[add({'a': 1, 'b': 2})]", {"a": 1, "b": 2}, "object_of_arguments"),
        pytest.param(
            "[add({'c': 1})]", {"a": {"c": 1}}, "positional_argument", id="another object"
        ),
        pytest.param("[add(a=x)]", {"a": "x"}, "expression", id="a variable"),
        pytest.param("[add(a=true)]", {"a": True}, "json_constant", id="JSON's true"),
        pytest.param("[add(a='it's')]", {"a": "it's"}, "apostrophe", id="an apostrophe"),
    ],
)
def test_call_of_known_tool_is_repaired(text, arguments, repair) -> None:
    """The tool's signature says which argument is meant."""
    [call] = read_list(text)
    assert (call.name, call.arguments) == ("add", arguments)
    assert {*call.repairs} == {repair}


def test_double_star_dict_is_unpacked() -> None:
    """As Python does."""
    assert get_calls(read_list("[add(**{'a': 1}, b=2)]")) == [("add", {"a": 1, "b": 2})]
    assert get_calls(read_list("[stop({})]")) == [("stop", {})]


OTHER_LISTS = [
    *["", "[", "[,]", "[add]", "[1, 2]", "['add']", "[{'a': 1}]", "[{add}]"],
    *["[nope(1)]", "[nope(a=1, 2)]", "[nope(a==1)]", "[nope(a=)]", "[nope(a=1, a=2)]", "[nope(a=1"],
]


@pytest.mark.parametrize(
    ("text", "others"),
    [
        *[(f"[{entry}]", [entry]) for entry in ("(add(a=1))", "not add(a=1)", "x=add(a=1)")],
        *[(f"[{entry}]", [entry]) for entry in ("await add(a=1)", "x = add(a=1)", "say add(1)")],
        *[(f"[{entry}, stop()]", [entry]) for entry in ("None", "nope", "nope(x=f'{y}')", "'x'")],
        ("[add{a=1}, 5, stop()]", ["add{a=1}", "5"]),
    ],
)
def test_text_among_calls_is_invalid(text, others) -> None:
    """A call of a known tool never turns into text, whatever stands before it."""
    calls = read_list(text)
    assert [call.text for call in calls if call.problem] == others
    assert [call.name for call in calls if not call.problem] == ["stop"] * ("stop" in text)


@pytest.mark.parametrize("text", OTHER_LISTS)
def test_other_lists_are_not_calls(text) -> None:
    """Lists of other values, and inexact calls of unknown tools."""
    with pytest.raises(NoCallError):
        read_list(text)


@pytest.mark.parametrize("rest", ["5", "and more", "['x']", '{"a": 1}', "not stop()"])
def test_what_follows_a_known_call_in_a_list_is_a_problem(rest) -> None:
    """It is not lost, and the call before it is run."""
    first, second, *_ = read_list(f"[add(a=1), {rest}]")
    assert get_calls([first]) == [("add", {"a": 1})]
    assert second.problem


def test_a_comma_can_be_missing_before_a_known_call() -> None:
    """Both calls are complete."""
    assert get_calls(read_list("[add(a=1)\nstop()]")) == [("add", {"a": 1}), ("stop", {})]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("[add(a=)]", "a value is missing", id="no value"),
        pytest.param("[add(a==1)]", "expected '=' after 'a'", id="a comparison"),
        pytest.param("[add(a=1, a=2)]", "'a' is given twice", id="an argument twice"),
        pytest.param("[add(1, a=2)]", "'a' is given twice", id="twice, by position"),
        pytest.param("[add(a={'x': 1, 'x': 2})]", "key is given twice", id="a key twice"),
        pytest.param("[add(a=1, 2)]", "has no name", id="a position after a name"),
        pytest.param("[add({'a': 1}, 2)]", "has no name", id="a position after an object"),
        pytest.param("[add(1, 2, 3)]", "has no name", id="too many positions"),
        pytest.param("[stop(1)]", "has no name", id="a tool without arguments"),
        pytest.param("[add(**5)]", "expected a dict", id="double star before a number"),
        pytest.param("[add(a=x b=1)]", "a comma is missing", id="no comma"),
        pytest.param("[add(a='x' + y + 'z')]", "where a string ends", id="a sum of strings"),
        pytest.param("[add(a=" + "[" * 60 + "]" * 60 + ")]", "nested", id="too deep"),
        pytest.param("['odd (x)'(from=)]", "a value is missing", id="an odd name in quotes"),
        pytest.param("[add(a=...]", "the reply ends inside the call", id="an unclosed call"),
    ],
)
def test_unreadable_call_of_known_tool_has_a_problem(text, problem) -> None:
    """The call keeps its text."""
    [call] = read_list(text)
    assert problem in call.problem
    assert call.text == (text[1:] if "ends inside" in problem else text[1:-1])
    assert call.arguments == {}


def test_calls_after_an_unreadable_call_are_read() -> None:
    """The unreadable call ends at its closing bracket; brackets in strings do not count."""
    first, second, third = read_list(r"[add(a=[1 : 'x)\']'], b=(2)), add(a=it's, b=1), stop()]")
    assert first.text == r"add(a=[1 : 'x)\']'], b=(2))"
    assert first.problem
    assert get_calls([second, third]) == [("add", {"a": "it's", "b": 1}), ("stop", {})]


def test_nothing_after_an_unclear_string_is_read() -> None:
    """It may be a part of the string, unless no quote follows."""
    first, second = read_list("[add(a='say 'hi''), stop()]")
    assert first.problem
    assert get_calls([second]) == [("stop", {})]
    [only] = read_list("[add(a='say 'hi''), stop(), add(a='x')]")
    assert only.text == "add(a='say 'hi''), stop(), add(a='x')]"
    assert "nothing after it was read" in only.problem


@pytest.mark.parametrize(
    ("text", "complete", "rest"),
    [
        pytest.param("[stop(", 0, "stop(", id="after a bracket"),
        pytest.param("[stop(), add", 1, "add", id="after a name"),
        pytest.param("[stop(), ad", 1, "ad", id="inside a name"),
        pytest.param("[stop(), 'odd (", 1, "'odd (", id="inside a name in quotes"),
        pytest.param('[{"stop": {}}, {"name": "add', 1, '{"name": "add', id="inside JSON"),
    ],
)
def test_cut_list_keeps_its_complete_calls(text, complete, rest) -> None:
    """The unfinished rest is one more call, which cannot be run."""
    calls = read_list(text)
    get_calls(calls[:complete])
    assert [call.text for call in calls[complete:]] == ([] if rest is None else [rest])
    assert all("the reply ends inside the call" in call.problem for call in calls[complete:])


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        pytest.param("add(a=1)", [("add", {"a": 1})], id="one"),
        pytest.param("stop(), stop()", [("stop", {})] * 2, id="separated by a comma"),
        pytest.param('{"stop": {}}\n{"add": {"a": 1}}', [("stop", {}), ("add", {"a": 1})]),
    ],
)
def test_calls_without_brackets_are_read(text, calls) -> None:
    """As a whole reply, and of known tools only."""
    read = read_bare(text)
    assert get_calls(read) == calls
    assert "no_brackets" in read[0].repairs


@pytest.mark.parametrize(
    "text", ["", "add", "nope(a=1)", "add(a=1) and", "Call add(a=1)", "add(a=1).x", "5", "add a=1"]
)
def test_other_text_is_not_a_bare_call(text) -> None:
    """With one word more, it is prose or code."""
    with pytest.raises(NoCallError):
        read_bare(text)


ADD = {"a": 1, "b": "x"}


OPENAI = {"id": "x", "type": "function", "function": {"name": "add", "arguments": ADD}}
ANTHROPIC = {"type": "tool_use", "id": "x", "name": "add", "input": ADD}
RECIPIENT = {"recipient_name": "functions.add", "parameters": ADD}
MESSAGE = {"role": "assistant", "content": None, "tool_calls": [{"add": ADD}]}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"name": "add", "arguments": ADD}, id="name, arguments"),
        pytest.param({"name": "add", "arguments": json.dumps(ADD)}, id="arguments in text"),
        pytest.param({"name": "add", "parameters": ADD}, id="name, parameters"),
        pytest.param({"name": "add", "args": ADD}, id="LangChain's"),
        pytest.param({"add": ADD}, id="the tool as the key"),
        pytest.param({"name": "add", **ADD}, id="flat"),
        pytest.param(OPENAI, id="OpenAI's"),
        pytest.param(ANTHROPIC, id="Anthropic's"),
        pytest.param({"tool_uses": [RECIPIENT]}, id="a list of this model's"),
        pytest.param(MESSAGE, id="a message"),
        pytest.param({**MESSAGE, "content": "Now."}, id="a message with text"),
        pytest.param({"name": "add", "arguments": ADD, "thought": "Now."}, id="a thought"),
    ],
)
def test_json_objects_are_read_as_calls(value) -> None:
    """In the formats that providers train models on."""
    text = json.dumps(value)
    for calls in (
        convert_json_to_calls(value, text, TOOLS),
        read_bare(text),
        read_list(f"[{text}]"),
    ):
        assert get_calls(calls) == [("add", ADD)]


@pytest.mark.parametrize(
    ("value", "arguments"),
    [
        pytest.param({"name": "say", "input": "x"}, {"input": "x"}, id="flat"),
        pytest.param({"name": "say", "input": {"input": "x"}}, {"input": "x"}, id="wrapped"),
        pytest.param(
            {"name": "say", "input": "x", "args": 1}, {"input": "x", "args": 1}, id="flat, two"
        ),
    ],
)
def test_argument_can_be_named_input_or_args(value, arguments) -> None:
    """The providers' formats take precedence."""
    tools = create_toolset([make_tool("say", input={}, args={})])
    assert get_calls(convert_json_to_calls(value, "", tools)) == [("say", arguments)]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({}, id="nothing"),
        pytest.param([], id="a list"),
        pytest.param({"name": "add", "arguments": {}, "result": 5}, id="a report"),
        pytest.param({"name": "add", "description": "Adds.", "parameters": {}}, id="a description"),
        pytest.param({"name": "add", "parameters": {"type": "", "properties": {}}}, id="a schema"),
        pytest.param({"function": {"name": "add", "description": ""}}, id="OpenAI's description"),
        pytest.param({"function": {"name": "add", "args": {}}, "why": ""}, id="an explanation"),
        pytest.param({"tool_calls": []}, id="no calls"),
        pytest.param({"tool_calls": [{"nope": {}}, None]}, id="no call of a known tool"),
        pytest.param({"stop": ""}, id="a text under a tool's name"),
        pytest.param({"name": "add"}, id="a tool's name alone"),
        pytest.param({"add": {}, "stop": {}}, id="two tools as keys"),
        pytest.param({"tools": ["add", "stop"]}, id="a list of names"),
    ],
)
def test_json_about_tools_is_not_a_call(value) -> None:
    """It says more than a call, or names no known tool."""
    with pytest.raises(NoCallError):
        convert_json_to_calls(value, json.dumps(value), TOOLS)
    with pytest.raises(NoCallError):
        read_bare(json.dumps(value) if isinstance(value, dict) else "[]")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            '{"name": "add", "arguments": "{\\"a\\": "}', "not a JSON object", id="text, cut"
        ),
        pytest.param('{"name": "add", "arguments": {"a": 1: 2}}', "expected '}'", id="colons"),
        pytest.param('{"add": {"a": 1', "the reply ends", id="the tool as the key, cut"),
        pytest.param('{"id": "x", "function": {"name": "add", "argu', "the reply ends", id="inner"),
        pytest.param('{"name": "add", "arguments": {"a": "C:\\new\\/"}}', "backslash", id="a path"),
    ],
)
def test_unreadable_json_of_known_tool_has_a_problem(text, problem) -> None:
    """It is an invalid call, not text."""
    [call] = read_bare(text)
    assert call.name == "add"
    assert problem in call.problem
    assert call.text in text


BAD_ENTRIES = [
    pytest.param('{"add": {"a": 1: 2}}', "expected '}'", id="unreadable"),
    pytest.param('{"add": {"a": 1, "a": 2}}', "a key is given twice", id="a key twice"),
    pytest.param('{"name": "add", "arguments": "{\\"a\\": 1, \\"a\\": 2}"}', "twice", id="in text"),
    pytest.param('{"nope": {}}', "not a call", id="unknown"),
    pytest.param("null", "not a call", id="null"),
]


@pytest.mark.parametrize(("entry", "problem"), BAD_ENTRIES)
@pytest.mark.parametrize("frame", ['{"tool_calls": [%s]}', '{"role": "x", "tool_calls": [%s]}'])
def test_a_bad_entry_leaves_the_calls_beside_it(entry, problem, frame) -> None:
    """Each entry is read alone."""
    call, bad = read_bare(frame % f'{{"stop": {{}}}}, {entry}')
    assert (call.name, call.problem) == ("stop", "")
    assert problem in bad.problem


OWN = create_toolset(
    [make_tool("answer", answer={}, text={}), make_tool("function", function={}, x={})]
)


@pytest.mark.parametrize(
    "value",
    [
        {"answer": "{}"},
        {"answer": {"text": "x"}},
        {"function": "function", "x": 5},
        {"function": "function"},
    ],
)
def test_an_object_that_can_be_the_arguments_is_not_a_call(value) -> None:
    """A tool can have an argument of its own name, or one called `name`."""
    with pytest.raises(NoCallError):
        convert_json_to_calls(value, "", OWN)


STOP = RawCall("stop", "stop()")
JSON_STOP = RawCall("stop", '{"stop": {}}', repairs=["json"])
NO_CALL = "this is not a call: write calls alone"
NO_QUOTES = "this call is a text: write it without quotes"
CUT = "the reply ends inside the call (expected ',' or ')' after an argument, not "


def invalid(name: str, text: str, problem: str, *repairs: str, **arguments: object) -> RawCall:
    """Return a call that cannot be run."""
    return RawCall(name, text, arguments, problem, [*repairs])


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        pytest.param("[5 , stop()]", [invalid("", "5", NO_CALL), STOP], id="a number first"),
        pytest.param("[nope ,stop()]", [invalid("", "nope", NO_CALL), STOP], id="a name first"),
        pytest.param(
            "[add(a=1) 5 , stop()]",
            [invalid("add", "add(a=1)5 ", "other text follows the call", a=1), STOP],
            id="text behind a call",
        ),
        pytest.param(
            "[stop(), {'x': 1}, {\"stop\": {}}]",
            [STOP, invalid("", "{'x': 1}", "this object is not a call"), JSON_STOP],
            id="another object",
        ),
        pytest.param(
            "['stop()', 5]",
            [
                invalid("stop", "stop()", NO_QUOTES, "no_brackets", "quoted_call"),
                invalid("", "5]", "what follows is not a call"),
            ],
            id="text behind a quoted call",
        ),
        pytest.param(
            "['add(b='x')', stop()]",
            [
                invalid("add", "add(b='x')", NO_QUOTES, "quoted_call", "unescaped_quotes", b="x"),
                STOP,
            ],
            id="quotes within quotes",
        ),
        pytest.param("[\"'stop()'\", stop()]", [invalid("", "\"'stop()'\"", NO_CALL), STOP]),
        pytest.param(
            "['stop() x', stop()]",
            [invalid("", "'stop() x'", NO_CALL), STOP],
            id="text in quotes",
        ),
        pytest.param(
            "[add(a: 1)]", [RawCall("add", "add(a: 1)", {"a": 1}, "", ["colon"])], id="a colon"
        ),
        pytest.param(
            "[add(c: 2)]", [invalid("add", "add(c: 2)", "an argument has no name")], id="no name"
        ),
        pytest.param(
            "[add(**5)]", [invalid("add", "add(**5)", "expected a dict after **")], id="no dict"
        ),
        pytest.param(
            "[add(a=1, b=2, b=3)]",
            [invalid("add", "add(a=1, b=2, b=3)", "the argument 'b' is given twice")],
            id="twice",
        ),
        pytest.param("[add(a=1", [invalid("add", "add(a=1", f"{CUT}the end)")], id="cut"),
        pytest.param(
            "[add([1]]", [invalid("add", "add([1]]", f"{CUT}']')")], id="cut, with its bracket"
        ),
        pytest.param(
            "[Box[int](=1), stop()]",
            [invalid("Box[int]", "Box[int](=1)", "a comma is missing"), STOP],
            id="an odd name",
        ),
        pytest.param(
            '[{"tool_calls": [{"stop": {}}, {"add": {"a": 1: 2}}]}, {"stop": {}}]',
            [JSON_STOP, invalid("add", '{"add": {"a": 1: 2}}', "expected '}', not ':'"), JSON_STOP],
            id="an object of a list",
        ),
        pytest.param(
            '[stop(), {"x": 1: 2}, {"name": "add", "a": 1}]',
            [
                STOP,
                invalid("", '{"x": 1: 2}', "expected '}', not ':'"),
                RawCall("add", '{"name": "add", "a": 1}', {"a": 1}, "", ["json"]),
            ],
            id="an unreadable object",
        ),
    ],
)
def test_each_entry_of_a_list_is_a_call_or_has_a_reason(text, calls) -> None:
    """The whole text of the reason goes to the model."""
    assert read_list(text) == calls


@pytest.mark.parametrize("text", ["'x' stop()", "x 'odd (x)'()", "x stop()"])
def test_text_before_a_bare_call_is_no_call(text) -> None:
    """A call must begin here."""
    with pytest.raises(NoCallError):
        CallReader(text, TOOLS).read_bare_calls()


@pytest.mark.parametrize(
    ("text", "is_known"),
    [
        *((text, True) for text in ("[stop()]", "[ 'stop()']", '["add(a=1)"]')),
        *((text, True) for text in ("[multi_tool_use.parallel()]", "['Box[int]'()]")),
        *((text, False) for text in ("['nope()']", "[nope()]", "[[stop()]]", "[5]", "x[stop()]")),
        *((text, False) for text in ("[-stop()]", "['stop']", "['-stop()']")),
    ],
)
def test_a_list_that_begins_with_a_known_call_is_known(text, is_known) -> None:
    """Nothing of it is read by that."""
    for before in ("", "x = "):
        reader = CallReader(before + text, TOOLS)
        reader.position = len(before)
        assert (reader.is_at_known_list(), reader.position) == (is_known, len(before))


@pytest.mark.parametrize(
    ("text", "call"),
    [
        pytest.param("x", invalid("add", "x", "the arguments are not a JSON object"), id="text"),
        pytest.param("{'a': 1}", RawCall("add", "{'a': 1}", {"a": 1}), id="a dict"),
    ],
)
def test_arguments_behind_a_name_are_an_object(text, call) -> None:
    """Of a tool, whose namespace is left out."""
    assert CallReader(text, TOOLS).read_object_of("functions.add", 0) == call
