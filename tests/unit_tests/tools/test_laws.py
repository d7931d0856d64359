"""Holds for every reply: written calls are read back, and no text breaks the reader."""

import ast
import json
import re
import warnings

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from langchain_core.messages.tool import tool_call

from langchain_segmind._tools import (
    ParsedReply,
    ReadingRules,
    create_toolset,
    parse_reply,
    render_calls,
)
from langchain_segmind._tools.coercion import coerce_value
from langchain_segmind._tools.literal_parser import iterate_leaves
from langchain_segmind._tools.syntax import WINDOWS_PATH, render_call
from tests.support.schemas import INTEGER, NUMBER, STRING, make_tool
from tests.support.steps import count_steps

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    [
        *["it's", '"', "\\", "\\'", "a\nb\r\n", "', b='", "…", "None", "5"],
        *["[f(a='x')]", "```\n[f(a=1)]\n```", "</tool_result>", "~~~", "a ``` b", "```\nx"],
        *["x\n[stop()]\n", "</tool_call><tool_call>[stop()]", "</function>", "<pre>", "<!-- x"],
        *['{"stop": {}}', "<function=stop>{}", "[TOOL_CALLS][stop()]", "</think>", "stop()"],
    ]
)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *["add", "math.gcd", "repo/list", "user-id", "$filter", "functions.add", "from", "None"],
        *["get the weather", "Box[int]", "it's", 'say "hi"', "'quoted'", "a=b", "a, b", "f(x)"],
        *["(", "größe", "東京", "n" * 200, "<tool_result>", "# no"],
    ]
) | st.text("af.-$/ '\"()[]{}=,\\é\n", min_size=1, max_size=8)

SCALARS = {
    "string": TEXTS,
    "integer": st.integers(-(10**20), 10**20),
    "number": st.integers(-99, 99) | st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "null": st.none(),
}


def create_object(properties: dict, optional: list[str]) -> dict:
    """Return the schema of an object."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def create_objects(inner: st.SearchStrategy) -> st.SearchStrategy:
    """Generate schemas of objects with optional properties."""
    properties = st.dictionaries(NAMES, inner, max_size=3)
    return st.builds(create_object, properties, st.lists(NAMES, max_size=2))


SCHEMAS = st.recursive(
    st.sampled_from([{"type": name} for name in SCALARS])
    | st.just({})
    | st.builds(lambda choices: {"enum": choices}, st.lists(JSON_VALUES, min_size=1, max_size=3)),
    lambda inner: (
        st.builds(lambda items: {"type": "array", "items": items}, inner)
        | create_objects(inner)
        | st.builds(lambda *parts: {"anyOf": [*parts]}, inner, inner)
    ),
    max_leaves=6,
)


@st.composite
def create_values(draw: st.DrawFn, schema: dict) -> object:
    """Generate values that match a schema."""
    if "anyOf" in schema:
        return draw(create_values(draw(st.sampled_from(schema["anyOf"]))))
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    kind = schema.get("type")
    if kind == "array":
        return draw(st.lists(create_values(schema["items"]), max_size=3))
    if kind == "object":
        return {
            name: draw(create_values(part))
            for name, part in schema["properties"].items()
            if name in schema["required"] or draw(st.booleans())
        }
    return draw(SCALARS.get(kind, JSON_VALUES))


@st.composite
def create_calls(draw: st.DrawFn) -> tuple[list[dict], list[dict]]:
    """Generate tools, and calls of them that match their schemas."""
    schemas = draw(st.dictionaries(NAMES, create_objects(SCHEMAS), min_size=1, max_size=3))
    tools = [
        {"type": "function", "function": {"name": name, "parameters": schema, "strict": True}}
        for name, schema in schemas.items()
    ]
    names = draw(st.lists(st.sampled_from([*schemas]), min_size=1, max_size=3))
    calls = [
        tool_call(name=name, args=draw(create_values(schemas[name])), id="x") for name in names
    ]
    return tools, calls


def get_calls(parsed: ParsedReply | list) -> list[str]:
    """Return names and arguments as text, in which 1, 1.0 and True differ."""
    calls = parsed.calls if isinstance(parsed, ParsedReply) else parsed
    return [json.dumps([call["name"], call["args"]], sort_keys=True) for call in calls]


@settings(deadline=None)
@given(create_calls())
def test_written_calls_are_read_back(drawn) -> None:
    """For all names and values: the same calls, no text, no repair."""
    tools, calls = drawn
    parsed = parse_reply(render_calls(calls), create_toolset(tools))
    assert parsed.invalid_calls == []
    assert get_calls(parsed) == get_calls(calls)
    assert (parsed.content, parsed.repairs) == ("", [])


@settings(deadline=None)
@given(create_calls(), st.from_regex(r"[\w ,.:;()'\"]{1,20}[\w.]", fullmatch=True))
def test_text_around_calls_is_content(drawn, text) -> None:
    """Above and below a list on its own line."""
    assume(not {*text} & {*"\"'"})  # the list can be in quotes
    tools, calls = drawn
    parsed = parse_reply(f"{text}\n{render_calls(calls)}\n\n{text}", create_toolset(tools))
    assert get_calls(parsed) == get_calls(calls)
    assert parsed.content == f"{text.strip()}\n{text.strip()}"


@settings(deadline=None)
@given(create_calls(), st.data())
def test_cut_list_keeps_its_complete_calls(drawn, data) -> None:
    """The rest is one invalid call with all its text."""
    tools, calls = drawn
    whole = render_calls(calls)
    cut = whole[: data.draw(st.integers(0, len(whole) - 2))]
    parsed = parse_reply(cut, create_toolset(tools))
    complete, end = 0, 1
    while len(cut) >= end + len(render_call(calls[complete])):
        end += len(render_call(calls[complete])) + 2
        complete += 1
    assert get_calls(parsed) == get_calls(calls[:complete])
    rest = cut[end:].strip()
    if complete and rest:
        [invalid] = parsed.invalid_calls
        assert rest in invalid["args"]
        assert "the reply ends inside the call" in invalid["error"]
    elif not complete and not parsed.invalid_calls:
        assert parsed.content == cut
    else:
        assert len(parsed.invalid_calls) == (not complete)


TOOLS = create_toolset(
    [
        make_tool("f", a=STRING, b={"type": "array", "items": INTEGER}),
        make_tool("odd (name)", **{"from": {}, "user-id": NUMBER}),
    ]
)
FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *"[](){}'\",:=*`~.;/\\ \n\t5-",
            *["f", "f(", "f(a=", "[f(a='", "')]", "g(b=1)", "odd (name)", "'odd (name)'("],
            *["functions.", "```", "```python\n", "~~~\n", "<tool_result>\n", "</tool_result>\n"],
            *['{"name": "f", "arguments": {', '{"tool_calls": [', '"a": "x"}}', "True", "null"],
            *["'''", "“", "1/6", "1e999", "1__0", "it's", "None", "٣"],
            *["\\u", "\\ud83d", "\ufeff", "\r\n", "\x00"],
        ]
    ),
    max_size=40,
).map("".join)


@settings(deadline=None)
@given(FRAGMENTS | st.text())
def test_every_reply_is_read(text) -> None:
    """Without a call, it comes back unchanged."""
    parsed = parse_reply(text, TOOLS)
    assert parsed.content == text or parsed.calls or parsed.invalid_calls
    json.dumps(parsed.calls, allow_nan=False)
    ids = [call["id"] for call in [*parsed.calls, *parsed.invalid_calls]]
    assert len({*ids}) == len(ids)
    assert all(ids)
    assert all(call["args"] and call["error"] for call in parsed.invalid_calls)


@settings(deadline=None)
@given(FRAGMENTS | st.text(), st.lists(st.sampled_from(["f", "\n", "')", "```"]), max_size=2))
def test_every_stop_string_is_handled(text, stop) -> None:
    """The text ends at the first one outside a call."""
    parsed = parse_reply(text, TOOLS, stop)
    if not parsed.calls and not parsed.invalid_calls:
        assert text.startswith(parsed.content)
        assert not any(string in parsed.content for string in stop)
        assert parsed.is_cut == (parsed.content != text)


@settings(deadline=None)
@given(FRAGMENTS | st.text())
def test_without_tools_every_reply_is_text(text) -> None:
    """No call was offered."""
    assert parse_reply(text, create_toolset([])) == ParsedReply(text, text)


WORDS = st.lists(
    st.sampled_from(
        [
            *"[](),=' \n",
            *["[f(a='", "', b='", "')]", "f(a=", "[g(x='", "```\n", "\n[f(a='"],
            "'odd (name)'(from='",
        ]
    )
    | st.integers(10, 99).map("word{}".format),
    max_size=30,
).map("".join)


@settings(deadline=None)
@given(WORDS)
def test_every_word_is_kept(text) -> None:
    """In the content, in an argument, or in the text of an invalid call."""
    parsed = parse_reply(text, TOOLS)
    kept = json.dumps([parsed.content, parsed.calls, parsed.invalid_calls], ensure_ascii=False)
    assert [word for word in re.findall(r"word\d\d", text) if word not in kept] == []


@settings(deadline=None)
@given(JSON_VALUES, SCHEMAS)
def test_coerced_value_is_not_coerced_again(value, schema) -> None:
    """Its type is right then, so coercing it once more changes nothing."""
    coerced = coerce_value(value, schema)
    if not coerced.mismatches:
        again = coerce_value(coerced.value, schema)
        assert json.dumps(again.value) == json.dumps(coerced.value)
        assert not again.coercions


NESTED = [
    *["[", "(", "{", "[f(b=[", "f(a=", "-(", "'\"", "\\", "```\n", "<tool_result>\n"],
    *['{"a": ', '{"tool_calls": [', '{"function": ', "**{'a': "],
]


@pytest.mark.parametrize("part", NESTED)
@pytest.mark.parametrize("frame", ["{}", "[f(b={}", "[f(b={})]", "Text\n[f(b={}\n\nmore"])
def test_deep_nesting_is_read(part, frame) -> None:
    """No depth raises or loses text."""
    text = frame.replace("{}", part * 10_000)
    parsed = parse_reply(text, TOOLS)
    assert len(parsed.invalid_calls) == 1 or parsed.content == text or parsed.calls


PLAIN_TOOLS = create_toolset(
    [make_tool("f", a={}, b={}), make_tool("math.gcd", a={}), make_tool("stop")]
)
PLAIN_CALLS = st.lists(
    st.builds(
        lambda name, args: tool_call(name=name, args=args, id="x"),
        st.sampled_from(["f", "math.gcd"]),
        st.dictionaries(st.sampled_from(["a", "b"]), JSON_VALUES, max_size=2),
    ),
    min_size=1,
    max_size=3,
)


def read_python(text: str) -> list[str]:
    """Return the calls of a list as Python reads it; what is not a literal is its own text."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return []
    calls = tree.elts if isinstance(tree, ast.List) else [tree]
    return [
        json.dumps([ast.unparse(call.func), read_arguments(text.strip(), call)], sort_keys=True)
        for call in calls
        if isinstance(call, ast.Call)
    ]


def read_arguments(text: str, call: ast.Call) -> dict:
    """Return a call's arguments by name."""
    named = [*zip(["a", "b"], call.args, strict=False)]
    named += [(keyword.arg, keyword.value) for keyword in call.keywords]
    return {str(name): read_node(text, node) for name, node in named}


def read_node(text: str, node: ast.expr) -> object:
    """Return a node's value as JSON."""
    match node:
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            return {
                key.value if isinstance(key, ast.Constant) and isinstance(key.value, str)
                else json.dumps(read_node(text, key)): read_node(text, value)
                for key, value in pairs
            }  # fmt: skip
        case ast.List() | ast.Tuple():
            return [read_node(text, item) for item in node.elts]
        case ast.Constant(value=bytes(value)):
            return value.decode("latin-1")
    try:
        value = ast.literal_eval(node)
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError):
        return ast.get_source_segment(text, node)
    return value


def is_written(call: dict, calls: list[dict], text: str) -> bool:
    """Whether all values of a call are of these calls, or are in a text as they are.

    The latter are expressions, and strings with a wrong escape.
    """
    known = {json.dumps(leaf) for call in calls for leaf in iterate_leaves(call["args"])}
    return all(
        json.dumps(leaf) in known
        or re.search(rf"[=:,\[(]\s*{re.escape(str(leaf))}\s*[,)\]}}]", text)
        or any("\\" in str(leaf) and f"{quote}{leaf}{quote}" in text for quote in "'\"")
        for leaf in iterate_leaves(call["args"])
    )


@settings(deadline=None)
@given(PLAIN_CALLS, st.data())
def test_a_byte_deleted_or_doubled_changes_no_value(calls, data) -> None:
    """What is run was written, as Python reads it; anything else is invalid or text."""
    whole = render_calls(calls)
    index = data.draw(st.integers(0, len(whole) - 1))
    middle = data.draw(st.sampled_from(["", whole[index] * 2]))
    changed = whole[:index] + middle + whole[index + 1 :]
    parsed = parse_reply(changed, PLAIN_TOOLS)
    allowed = {*get_calls(calls), *read_python(changed)}
    for call in parsed.calls:
        assert get_calls([call])[0] in allowed or is_written(call, calls, changed)
    assert parsed.calls or parsed.invalid_calls or parsed.text == changed


def write_json(call: dict, key: str = "arguments") -> str:
    """Return a call as JSON."""
    return json.dumps({"name": call["name"], key: call["args"]})


def write_parallel(calls: list[dict]) -> str:
    """Return calls as OpenAI's models wrap them."""
    uses = [
        {"recipient_name": f"functions.{call['name']}", "parameters": call["args"]}
        for call in calls
    ]
    return f"multi_tool_use.parallel({json.dumps({'tool_uses': uses})})"


SPELLINGS = {
    "list": render_calls,
    "fence": lambda calls: f"```python\n{render_calls(calls)}\n```",
    "lists": lambda calls: "\n".join(render_calls([call]) for call in calls),
    "bare": lambda calls: "\n".join(map(render_call, calls)),
    "quoted": lambda calls: f"[{', '.join(repr(render_call(call)) for call in calls)}]",
    "JSON": lambda calls: f"[{', '.join(map(write_json, calls))}]",
    "JSON lines": lambda calls: "\n".join(map(write_json, calls)),
    "JSON in a fence": lambda calls: f"```json\n[{', '.join(map(write_json, calls))}]\n```",
    "parameters": lambda calls: "; ".join(write_json(call, "parameters") for call in calls[:1]),
    "tool_calls": lambda calls: f'{{"tool_calls": [{", ".join(map(write_json, calls))}]}}',
    "parallel": write_parallel,
    "parallel in a list": lambda calls: f"[{write_parallel(calls)}]",
    "tags": lambda calls: "\n".join(
        f"<tool_call>\n{write_json(call)}\n</tool_call>" for call in calls
    ),
    "one tag": lambda calls: f"<tool_call>{render_calls(calls)}</tool_call>",
    "Llama's token": lambda calls: f"<|python_tag|>{render_calls(calls)}<|eom_id|>",
    "Llama's tag": lambda calls: "".join(
        f"<function={call['name']}>{json.dumps(call['args'])}</function>" for call in calls
    ),
    "Mistral's token": lambda calls: f"[TOOL_CALLS] [{', '.join(map(write_json, calls))}]",
    "Mistral's names": lambda calls: (
        "[TOOL_CALLS]" + "".join(f"{call['name']}{json.dumps(call['args'])}" for call in calls)
    ),
}
FRAMES = st.sampled_from(
    [
        ("", ""),
        ("<think>\n[stop()]\n</think>\n", ""),
        ("Maybe [stop()]?</THINK>", ""),
        ("<!-- [stop()] -->\n", "\n"),
        ("<example>\n[stop()]\n</example>", ""),
        ("", "\n<tool_result>\nok\n</tool_result>\n[stop()]"),
        ("", "\n<thinking>[stop()]"),
    ]
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@settings(deadline=None)
@given(PLAIN_CALLS, FRAMES)
def test_each_spelling_is_read_back_exactly_or_is_invalid(spelling, calls, frame) -> None:
    """Behind and before markup that is not a part of the reply, too."""
    text = SPELLINGS[spelling](calls)
    assume(spelling == "list" or not re.search(rf"['\"](?:{WINDOWS_PATH.pattern})", text))
    parsed = parse_reply(f"{frame[0]}{text}{frame[1]}", PLAIN_TOOLS)
    if parsed.invalid_calls:
        assert [call for call in get_calls(parsed) if call not in get_calls(calls)] == []
    else:
        assert get_calls(parsed) == get_calls(calls[: len(parsed.calls)])
        assert len(parsed.calls) == (1 if spelling == "parameters" else len(calls))


SURROUNDINGS = st.sampled_from(
    [
        ("Ok: ", ""),
        ("Ok:\n", "\nDone."),
        ("", "\nDone."),
        ("", " done"),
        ("Ok:\n```\n", "``` done"),
        ("<think>x</think>\n", "\n<think>[stop()]</think>"),
        ("Use rm( or {'a': [1\n", "\nDone."),
    ]
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("rules", [ReadingRules(), ReadingRules(asks=True, is_forced=True)])
@settings(deadline=None)
@given(PLAIN_CALLS, SURROUNDINGS)
def test_only_what_was_called_is_read_within_text(spelling, rules, calls, frame) -> None:
    """Calls, lines, tags and fences in a value are never read as calls."""
    text = SPELLINGS[spelling](calls)
    assume(spelling == "list" or not re.search(rf"['\"](?:{WINDOWS_PATH.pattern})", text))
    parsed = parse_reply(f"{frame[0]}{text}{frame[1]}", PLAIN_TOOLS, rules=rules)
    assert [call for call in get_calls(parsed) if call not in get_calls(calls)] == []


SHAPES = [
    *["[", "(", "{", "'", "\\", " #", " ", "\n", "= ", ", ", "`", "```\n", "~~~ ", "x ", "it's "],
    *["'x' ", "\\'", "'''", "f'", "1/6, ", "[f(a='\n", "[f(b=[\n", "[f(a=(\n", "f(a=), "],
    *["f(a='x'), ", "[f(a='x')]\n", "f(f(", "'odd (name)\n", '{"name": ', '{"tool_calls": ['],
    *["<think>", "</think>", "<!-- ", "<tool_result>", "<tool_call>{", "<function=f>", "f{}"],
    *['{"name": "f", "arguments": {}}\n', "- [f()]\n", "a: [f()] b\n", "Line(a=", "x<pre>"],
    *["{'name': 'f', 'arguments': {}},", '{"name": "f", "arguments": {"a":}},', 'f{"a":}'],
    *["<function=f>{</function>", '["x", ', "['f(a=1", '{"f": {"a":}}, ', '{"a": '],
    *["f (a ", "f(a=nope('", "```\nx(\n", "<|python_tag|>[x(", "<tool_call>x(", "[TOOL_CALLS]x("],
    *["x = f(", "('''", '("[f()]")', "['f(a=\"'), "],
]


@pytest.mark.parametrize("part", SHAPES)
@pytest.mark.parametrize(
    "frame", ["{}", "[{}]", "[TOOL_CALLS]{}", "[f(a={}", "[f(a='{}", "Text\n[f(a='x')]\n{}"]
)
@pytest.mark.parametrize("rules", [ReadingRules(), ReadingRules(asks=True)], ids=["read", "ask"])
def test_a_reply_takes_linear_steps(part, frame, rules) -> None:
    """Four times the text takes at most about four times the calls of functions."""

    def count(repeats: int) -> int:
        text = frame.replace("{}", part * repeats)
        return count_steps(lambda: parse_reply(text, TOOLS, (), rules))

    count(1)  # compiles the patterns
    assert count(1_200) < 5 * count(300) + 1_000
