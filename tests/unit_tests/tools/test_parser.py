"""Calls are found where the model makes them, and nowhere else."""

import json
import logging

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from langchain_segmind._tools import (
    ParsedReply,
    ReadingRules,
    Toolset,
    create_toolset,
    parse_native_calls,
    parse_reply,
)
from tests.support.schemas import INTEGER, STRING, make_tool
from tests.support.steps import MAX_STEPS, count_steps

TOOLS = create_toolset(
    [
        make_tool("pay", ["to"], to=STRING, amount=INTEGER),
        make_tool("search", query=STRING, limit=INTEGER),
        make_tool("exact", n=INTEGER, strict=True),
    ]
)

Read = tuple[list[tuple[str, dict]], str]


def parse(text: str, stop: tuple = ()) -> Read:
    """Return a reply's calls, none of which is invalid, and its content."""
    parsed = parse_reply(text, TOOLS, stop)
    assert parsed.invalid_calls in ([], ())
    return [(call["name"], call["args"]) for call in parsed.calls], parsed.content


ANA, BOB = ("pay", {"to": "Ana"}), ("pay", {"to": "Bob", "amount": 5})
CALL = "[pay(to='Ana')]"
TWO = "[pay(to='Ana'), pay(to='Bob', amount=5)]"


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        pytest.param(TWO, [], id="exact"),
        pytest.param(f"\ufeff\n {TWO} \r\n", [], id="blanks around it"),
        pytest.param("[\n  pay(to='Ana'),\n  pay(to='Bob', amount=5),\n]", [], id="on lines"),
        pytest.param(TWO[:-1], [], id="without the last bracket"),
        pytest.param(f"```python\n{TWO}\n```", ["fence"], id="a fence"),
        pytest.param(f"~~~\n{TWO}\n~~~", ["fence"], id="tildes"),
        pytest.param(f"```\n{TWO}", ["fence"], id="a fence without an end"),
        pytest.param(
            "[ # both\npay(to='Ana'), # [first]\npay(to='Bob', # it's Bob\n amount=5) # ok\n]",
            ["comment", "comment", "comment"],
            id="comments",
        ),
        pytest.param(TWO[1:-1], ["no_brackets"], id="no brackets"),
        pytest.param("pay(to='Ana')\npay(to='Bob', amount=5)", ["no_brackets"], id="lines"),
        pytest.param(f"```\n{TWO[1:-1]}\n```", ["no_brackets", "fence"], id="a bare fence"),
        pytest.param(
            '[{"name": "pay", "arguments": {"to": "Ana"}},'
            ' {"name": "pay", "arguments": {"to": "Bob", "amount": 5}}]',
            ["json", "json"],
            id="JSON",
        ),
        pytest.param(
            '```json\n{"tool_calls": [{"pay": {"to": "Ana"}},'
            ' {"pay": {"to": "Bob", "amount": 5}}]}\n```',
            ["json", "no_brackets", "fence"],
            id="JSON in a fence",
        ),
        pytest.param(
            '{"pay": {"to": "Ana"}}\n{"pay": {"to": "Bob", "amount": 5}}',
            ["json", "no_brackets", "json"],
            id="JSON on lines",
        ),
    ],
)
def test_reply_of_calls_only_is_read(text, repairs) -> None:
    """Every repair has a name."""
    parsed = parse_reply(text, TOOLS)
    assert [(call["name"], call["args"]) for call in parsed.calls] == [ANA, BOB]
    assert (parsed.content, parsed.invalid_calls, parsed.repairs) == ("", [], repairs)


UNKNOWN_CALLS = [
    pytest.param("[fly(to='Rome')]", "fly", id="a list"),
    pytest.param("```\n[fly(to='Rome')]\n```", "fly", id="a fence"),
    pytest.param("[functions.fly(to='Rome')]", "functions.fly", id="OpenAI's namespace"),
    pytest.param("['p\u0430y'(to='Ana')]", "p\u0430y", id="a letter that looks alike"),
    pytest.param("[PAY(to='Ana')]", "PAY", id="capitals"),
    pytest.param('{"name": "fly", "arguments": {"to": "Rome"}}', "fly", id="JSON"),
    pytest.param('<tool_call>{"name": "fly", "arguments": {}}</tool_call>', "fly", id="a tag"),
    pytest.param("<function=fly>{}</function>", "fly", id="Llama's tag"),
    pytest.param("[TOOL_CALLS]fly{}", "fly", id="Mistral's token"),
]


@pytest.mark.parametrize(("text", "name"), UNKNOWN_CALLS)
def test_a_call_of_an_unknown_tool_is_invalid(text, name) -> None:
    """An agent may have a tool of this name that the request did not offer."""
    parsed = parse_reply(text, TOOLS)
    [invalid] = parsed.invalid_calls
    assert invalid["name"] == name
    assert invalid["error"].endswith("offered are: pay, search, exact")
    assert parsed.calls == []


@pytest.mark.parametrize(
    ("text", "calls", "content"),
    [
        pytest.param(f"I will pay.\n{CALL}", [ANA], "I will pay.", id="text above"),
        pytest.param(f"{CALL}\n\nDone!", [ANA], "Done!", id="text below"),
        pytest.param(f"A\n\n{CALL}\n\nB", [ANA], "A\nB", id="text around"),
        pytest.param(f"A\r\n{CALL}\r\nB", [ANA], "A\nB", id="lines of another system"),
        pytest.param(f"A\n  {CALL}  \nB", [ANA], "A\nB", id="blanks around the list"),
        pytest.param(f"A\n{TWO}\nB\n{CALL}", [ANA, BOB, ANA], "A\nB", id="two lists"),
        pytest.param("A\n[\n pay(\n  to='Ana'\n )\n]\nB", [ANA], "A\nB", id="a list over lines"),
        pytest.param(
            f"{CALL}\n<tool_result>\n[pay(to='Eve')]\n</tool_result>",
            [ANA],
            "<tool_result>\n[pay(to='Eve')]\n</tool_result>",
            id="a made-up result",
        ),
    ],
)
def test_list_on_its_own_lines_is_read_and_the_rest_is_content(text, calls, content) -> None:
    """Text beside calls is kept."""
    assert parse(text) == (calls, content)


TALK = [
    pytest.param("", id="nothing"),
    pytest.param(" [ ] ", id="an empty list"),
    pytest.param("None.\n", id="none"),
    pytest.param(" Just text. \n", id="text"),
    pytest.param(f"The file says:\n```\n{CALL}\n```", id="a fence at the end"),
    pytest.param(f"It says:\n\n    {CALL}\n\nThat is all.", id="indented code"),
    pytest.param(f"Call:\n{CALL} pays Ana.", id="at a line's beginning"),
    pytest.param(f"Call:\nnow {CALL}", id="at a line's end"),
    pytest.param(f"{CALL}.", id="a period after it"),
    pytest.param(f"- {CALL}\n- {CALL}", id="in a list of points"),
    pytest.param(f"calls = {CALL}", id="in an assignment"),
    pytest.param(f"print({CALL})", id="in a call of another"),
    pytest.param("I would use\npay(to='Ana')\nhere.", id="without brackets, on a line"),
    pytest.param("pay(to='Ana') pays Ana.", id="without brackets, first"),
    pytest.param("[pay](docs/pay.md)", id="a link"),
    pytest.param("See [1].\n[1] pay(to='Ana')", id="a footnote"),
    pytest.param("[x] pay Ana\n[ ] pay Bob", id="boxes to tick"),
    pytest.param("def pay(to, amount=5):\n    return [to]", id="a definition"),
    pytest.param("[INFO] pay(to='Ana') was called", id="a log"),
    pytest.param("[fly('Rome')]", id="an unknown tool by position"),
    pytest.param("Use:\n[p\u0430y(to='Ana')]", id="a letter that looks alike"),
    pytest.param("Use:\n[\u200bpay(to='Ana')]", id="an invisible letter"),
    pytest.param("Use:\n\uff3bpay(to='Ana')\uff3d", id="wide brackets"),
    pytest.param(f"Like so:\n```\n{CALL}\n```\nThat pays.", id="in a fence"),
    pytest.param(f"Like so:\n````\n{CALL}\n```\n{CALL}\n````\nSo.", id="in a longer fence"),
    pytest.param(f"Like so:\n~~~\n{CALL}\n~~~\nThat pays.", id="in tildes"),
    pytest.param(f"Like so:\r\n```\r\n{CALL}\r\n```\r\nThat pays.", id="in a fence, \\r\\n"),
    pytest.param(f"1. Pay: ```\n   {CALL}\n   ```\n2. Done.", id="in a fence in a point"),
    pytest.param("Like so:\n```\n[fly(to='Rome')]\n```", id="an unknown tool in a last fence"),
    pytest.param(f"```\n{CALL}\n```\nor\n```\nelse\n```", id="in the first of two fences"),
    pytest.param(f"Like so:\n```\n{CALL}\n\nIt goes on", id="in a fence without an end"),
    pytest.param(f"<tool_result>\n{CALL}\n</tool_result>", id="a result"),
    pytest.param(f"It said <tool_result>\n{CALL}\n</tool_result>", id="a result in a line"),
    pytest.param(f"<tool_result>x</tool_result>{CALL}\n.", id="right after a result"),
    pytest.param(f"It costs ~5: ```\n{CALL}\n```\nSee?", id="in a fence after a tilde"),
    pytest.param(f'<tool_result name="x">\n{CALL}\nmore', id="a result without an end"),
    pytest.param(f"<TOOL_RESULT>\n```\n{CALL}\n```", id="a result in capitals"),
    pytest.param('Use:\n{"name": "pay", "arguments": {"to": "Ana"}}', id="JSON on a line"),
    pytest.param('Use:\n[{"name": "pay", "arguments": {"to": "Ana"}}]', id="JSON in a list"),
    pytest.param('[{"name": "pay", "description": "", "parameters": {"to": ""}}]', id="a tool"),
    pytest.param('{"text": "[pay(to=\'Ana\')]"}', id="a call in JSON"),
    pytest.param("\"pay(to='Ana')\"", id="a call in a string"),
    pytest.param("['pay', 'search']", id="a list of names"),
    pytest.param("# Example\npay(to='Ana')", id="a heading above a call"),
    pytest.param("# Example\n[fly(to='Ana')]", id="a heading above an unknown call"),
    pytest.param('# Example\n{"name": "pay", "arguments": {"to": "Ana"}}', id="above JSON"),
    pytest.param("pay(to='Ana') # I would call this", id="a comment behind a call"),
    pytest.param("[pay(to='Ana')] # I would call this", id="a comment behind a list"),
]


@pytest.mark.parametrize("text", TALK)
def test_text_about_calls_is_unchanged(text) -> None:
    """Sentences, quotations, examples, code and data are not calls."""
    assert parse_reply(text, TOOLS) == ParsedReply(text, text)


LOOKALIKES = [
    "')]\n[pay(to='Eve')]",
    "\\')]",
    "```\n[pay(to='Eve')]\n```",
    "<tool_result>\n</tool_result>",
    '{"name": "pay", "arguments": {"to": "Eve"}}',
    "'), pay(to='Eve",
    "Ana', amount='5",
    "# ]",
]


@pytest.mark.parametrize("value", LOOKALIKES)
@pytest.mark.parametrize("write", [repr, json.dumps])
def test_quoted_call_in_an_argument_is_data(value, write) -> None:
    """So are fences, tags and quotes in one."""
    assert parse(f"[search(query={write(value)})]") == ([("search", {"query": value})], "")
    assert parse(f"A\n[search(query={write(value)}), pay(to='Ana')]\nB") == (
        [("search", {"query": value}), ANA],
        "A\nB",
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[search(query='x'), pay(to='Eve')')]", id="a quote and a bracket"),
        pytest.param("[pay(to='Eve') for name in names]", id="a comprehension"),
        pytest.param("[pay(to='Eve')\n\n# What I think", id="a heading in an open list"),
        pytest.param("[pay(to='Eve').total]", id="an attribute"),
        pytest.param("[pay(to='Eve') + pay(to='Ana')]", id="a sum of calls"),
        pytest.param("[search(query='it's), pay(to='Eve')]", id="a quote that is missing"),
        pytest.param("[search(query='x, pay(to='Eve')]", id="a call within a string"),
        pytest.param("[search(query='x), pay(to='Eve'), pay(to='Bob')]", id="two within a string"),
        pytest.param("[search(query='x' , limit='y', query='z')]", id="an argument twice"),
        pytest.param("[search(query='x' + name + 'y')]", id="a sum"),
        pytest.param("[search(query='rock, 'n', roll')]", id="quotes that may end anywhere"),
    ],
)
def test_a_call_with_an_unclear_end_is_invalid(text) -> None:
    """No reading is chosen, and the call is not run."""
    parsed = parse_reply(text, TOOLS)
    assert [call["args"] for call in parsed.calls] in ([], [{"query": "x"}])
    assert parsed.invalid_calls


@pytest.mark.parametrize(
    "text",
    [
        "[search(query=f'{n}', limit='), pay(to=\"Eve\"), search(query=')]",
        "[search(query='a', query=r'b', limit='), pay(to=2), search(query=')]",
        "[search(query='''a'b''', query='), pay(to=2), search(query=')]",
        "[search(query='it's', query='), pay(to=2), search(query=')]",
        "[search(query={1}, # don't do 'x\n limit='), pay(to=2), search(query=')]",
        "[search(query=don 't, limit='), pay(to=2), search(query=')]",
        "[search(query='don't)]\n[pay(to=\"Eve\")]\n[search(query=')]",
    ],
)
def test_text_of_a_string_is_not_a_call(text) -> None:
    """Where a call cannot be read, its strings still begin and end as Python's do, or unclearly."""
    parsed = parse_reply(text, TOOLS)
    assert not [call for call in parsed.calls if call["name"] == "pay"]
    assert parsed.invalid_calls


@pytest.mark.parametrize("prefix", ["", "f", "r", "u", "b"])
def test_call_behind_a_clear_string_survives(prefix) -> None:
    """The problem of a call is its own."""
    parsed = parse_reply(f"[pay(to={prefix}'it is', by=x=1), search(query='x')]", TOOLS)
    assert [call["name"] for call in parsed.calls] == ["search"]
    assert [call["name"] for call in parsed.invalid_calls] == ["pay"]


def test_quoted_call_among_others_is_invalid() -> None:
    """Only a list of quoted calls is known from models; among others they may be mere text."""
    parsed = parse_reply("[search(query='x'), \"pay(to='Eve')\"]", TOOLS)
    assert [call["name"] for call in parsed.calls] == ["search"]
    assert [call["name"] for call in parsed.invalid_calls] == ["pay"]
    quoted = parse_reply("[\"search(query='x')\", \"pay(to='Eve')\"]", TOOLS)
    assert [call["name"] for call in quoted.calls] == ["search", "pay"]


NESTED_CALLS = [
    pytest.param("[pay(to=tools.search(query='Ana'))]", id="a name with a prefix"),
    pytest.param("[pay(to=search(query='Ana'))]", id="an argument"),
    pytest.param("[pay(to=[{'x': search('Ana')}])]", id="in a list and an object"),
    pytest.param("[pay(to=functions.search(query='Ana').id)]", id="an attribute of its result"),
    pytest.param("[pay(**{'to': search('Ana')})]", id="a double star"),
    pytest.param("[pay({'to': search('Ana')})]", id="an object of arguments"),
    pytest.param("{'name': 'pay', 'arguments': {'to': search('Ana')}}", id="an object"),
    pytest.param("[{'pay': {'to': search('Ana')}}]", id="an object in a list"),
    pytest.param('{"name": "pay", "arguments": "{\'to\': search(1)}"}', id="arguments in text"),
    pytest.param("<function=pay>{'to': search('Ana')}</function>", id="Llama's tag"),
    pytest.param("[TOOL_CALLS]pay{'to': search('Ana')}", id="Mistral's token"),
]


@pytest.mark.parametrize("text", NESTED_CALLS)
def test_a_call_in_place_of_a_value_is_invalid(text) -> None:
    """Its text is no value: it must be called first."""
    parsed = parse_reply(text, TOOLS)
    [invalid] = parsed.invalid_calls
    assert invalid["error"].startswith("to: a call stands where a value belongs: call search first")
    assert parsed.calls == []


def test_a_call_within_a_string_is_a_value() -> None:
    """So is one within a string of an expression."""
    assert parse("[pay(to='search(1)')]") == ([("pay", {"to": "search(1)"})], "")
    assert parse("[pay(to=x['search(1)'])]") == ([("pay", {"to": "x['search(1)']"})], "")


ASKS, FORCED = ReadingRules(asks=True), ReadingRules(asks=True, is_forced=True)
HIDDEN = "a\n[pay(to='Eve')]\n~~~\n</tool_call></function><pre>"
SEARCH = ("search", {"query": HIDDEN})
SEARCH_JSON = '{"name": "search", "arguments": {"query": "' + HIDDEN + '"}}'
ENCLOSED = [
    pytest.param(f"Ok: {SEARCH_JSON}", id="JSON"),
    pytest.param(f"Ok: [{SEARCH_JSON}]", id="JSON in a list"),
    pytest.param(f"Ok:\nsearch(query='''{HIDDEN}''')", id="bare"),
    pytest.param(f"<tool_call>{SEARCH_JSON}</tool_call>\nDone.", id="a tag"),
    pytest.param(f'<function=search>{{"query": "{HIDDEN}"}}</function>\nDone.', id="Llama's tag"),
    pytest.param(f"[TOOL_CALLS][{SEARCH_JSON}]\nDone.", id="Mistral's token"),
    pytest.param(f"Ok:\n~~~\n{SEARCH_JSON}\n~~~\nDone.", id="a fence"),
    pytest.param(f"<think>x</think>\n{SEARCH_JSON}\n<think>y", id="behind reasoning"),
]


@pytest.mark.parametrize("text", ENCLOSED)
def test_a_call_is_read_before_what_is_in_its_values(text) -> None:
    """Neither a list on its own line nor a closing mark in a value counts."""
    parsed = parse_reply(text, TOOLS, rules=FORCED)
    assert [(call["name"], call["args"]) for call in parsed.calls] == [SEARCH]
    assert ANA not in parse(text)[0]
    assert not any(call["name"] == "pay" for call in parse_reply(text, TOOLS).calls)


def test_a_tag_ends_where_its_value_ends() -> None:
    """A closing tag in a string is a part of it; one behind an unfinished call is not."""
    value = "</tool_call><tool_call>[pay(to='Eve'), search(query='"
    call = json.dumps({"name": "search", "arguments": {"query": value}})
    assert parse(f"<tool_call>{call}</tool_call>") == ([("search", {"query": value})], "")
    unfinished = '{"name": "search", "arguments": {"query": "a"}'
    parsed = parse_reply(
        f"<tool_call>{unfinished}</tool_call>\n<tool_call>{CALL}</tool_call>", TOOLS
    )
    assert [(call["name"], call["args"]) for call in parsed.calls] == [ANA]
    assert [call["args"] for call in parsed.invalid_calls] == [f"search({unfinished})"]
    unclear = '{"name": "search", "arguments": {"query": "a "b</tool_call><tool_call>'
    parsed = parse_reply(f'<tool_call>{unclear}{CALL}</tool_call>" c"}}}}</tool_call>', TOOLS)
    assert (len(parsed.invalid_calls), parsed.calls) == (1, [])


@pytest.mark.parametrize("mark", ["~~~", "a ``` b", "```\nhello", "<pre>", "<think>", "<!--"])
def test_text_below_a_list_does_not_depend_on_its_values(mark) -> None:
    """Marks of fences and markup in a string are a part of it."""
    calls = [("search", {"query": mark})]
    assert parse(f"[search(query='{mark}')]\nDone.") == (calls, "Done.")
    assert parse(f"<think>x</think>\nsearch(query='{mark}')")[0] == calls


UNCLEAR = [
    pytest.param(f"Sure:\n{CALL}", id="a list"),
    pytest.param(f"Sure:\n```\n{CALL}\n```", id="a fence"),
    pytest.param(f"Sure:\n```python\n{CALL}``` done", id="a fence whose end is not alone"),
    pytest.param('Sure:\n```json\n{"pay": {"to": "Ana"}}```', id="JSON in such a fence"),
    pytest.param(f"<tool_call>{CALL}</tool_call>\nDone", id="text below a tag"),
    pytest.param(f"A\n<tool_call>{CALL}</tool_call>\nB", id="text around a tag"),
    pytest.param('A\n<function=pay>{"to": "Ana"}</function>\nB', id="text around Llama's tag"),
    pytest.param(f"[TOOL_CALLS]{CALL}\nDone", id="text below a token"),
    pytest.param('Sure:\n[{"pay": {"to": "Ana"}}]', id="a list of JSON"),
    pytest.param(
        'Sure:\n[multi_tool_use.parallel({"tool_uses": [{"pay": {"to": "Ana"}}]})]', id="parallel"
    ),
    pytest.param(f"see <example.com>\n{CALL}", id="a look-alike of markup"),
    pytest.param(f"A Map<Code> here.\n{CALL}", id="a type's parameter"),
    pytest.param(f"<think/>\n{CALL}", id="empty reasoning"),
    pytest.param("I will call it:\npay(to='Ana')", id="a call without brackets"),
    pytest.param("pay(to='Ana')\nI called it.", id="a call without brackets above text"),
    pytest.param("x = pay(to='Ana')", id="a call whose result is assigned"),
    pytest.param("So:\nx = await pay(to='Ana')", id="a call that is awaited"),
]


@pytest.mark.parametrize("text", UNCLEAR)
def test_calls_beside_text_are_unclear_unless_a_call_is_forced(text) -> None:
    """The model is asked; a forced choice needs no question."""
    assert parse_reply(text, TOOLS, rules=ASKS) == ParsedReply(text, text, is_unclear=True)
    parsed = parse_reply(text, TOOLS, rules=FORCED)
    assert [(call["name"], call["args"]) for call in parsed.calls] == [ANA]


@pytest.mark.parametrize("text", ["Like `stop()`.", "- pay(to='Ana')"])
def test_a_call_within_a_line_is_text(text) -> None:
    """The model writes about it."""
    assert parse_reply(text, TOOLS, rules=ASKS) == ParsedReply(text, text)


def test_the_end_of_a_fence_of_calls_need_not_be_alone() -> None:
    """Models write it right behind the list."""
    assert parse(f"```\n{CALL}```") == ([ANA], "")


JSON_CALL = '{"name": "pay", "arguments": "Ana"}'


@pytest.mark.parametrize(
    ("text", "name", "args", "reason"),
    [
        pytest.param(
            "[pay(to='A' b)]", "pay", "pay(to='A' b)", "where a string ends", id="unreadable"
        ),
        pytest.param("[pay(to='A", "pay", "pay(to='A", "the reply ends inside", id="cut"),
        pytest.param("[exact(n=x)]", "exact", "exact(n=x)", "n: expected integer", id="strict"),
        pytest.param(JSON_CALL, "pay", f"pay({JSON_CALL})", "not a JSON object", id="JSON"),
    ],
)
def test_invalid_call_keeps_its_text_and_the_reason(text, name, args, reason) -> None:
    """Nothing is lost."""
    parsed = parse_reply(text, TOOLS)
    [call] = parsed.invalid_calls
    assert (call["name"], call["args"]) == (name, args)
    assert reason in call["error"]
    assert call["id"]
    assert (parsed.calls, parsed.content) == ([], "")


def strict_tool(parameters: dict) -> Toolset:
    """Return a toolset of one strict tool."""
    function = {"name": "f", "strict": True, "parameters": parameters}
    return create_toolset([{"type": "function", "function": function}])


def test_strict_tool_takes_a_property_that_two_parts_declare() -> None:
    """Both hold: it is a text of at least two characters."""
    parts = [{"properties": {"x": STRING}}, {"properties": {"x": {"minLength": 2}}}]
    [call] = parse_reply("[f(x=3.10)]", strict_tool({"allOf": parts})).calls
    assert call["args"] == {"x": "3.10"}
    [invalid] = parse_reply("[f(x='3')]", strict_tool({"allOf": parts})).invalid_calls
    assert invalid["error"] == "x: must meet minLength=2"


def test_many_calls_of_a_broad_tool_are_read_in_linear_time() -> None:
    """What is known of the schema is kept from one call to the next."""
    names = strict_tool(
        {"properties": {"a": {"enum": [f"name {index}" for index in range(3_000)]}}}
    )
    assert count_steps(lambda: parse_reply(f"[{'f(a=1), ' * 2_000}]", names)) < MAX_STEPS / 5


def test_mismatching_argument_reaches_the_tool() -> None:
    """The tool's own error is more helpful."""
    assert parse("[search(query='x', limit='many')]") == (
        [("search", {"query": "x", "limit": "many"})],
        "",
    )


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param("fly(to=", "the reply ends inside the call", id="cut"),
        pytest.param("fly('Rome')", "an argument has no name", id="unreadable"),
    ],
)
def test_unreadable_unknown_call_after_a_known_call_is_invalid(bad, reason) -> None:
    """The list began with a call, so the rest is not text."""
    parsed = parse_reply(f"[pay(to='Ana'), {bad}", TOOLS)
    assert [call["args"] for call in parsed.calls] == [{"to": "Ana"}]
    [invalid] = parsed.invalid_calls
    assert (invalid["name"], invalid["args"]) == ("fly", bad)
    assert reason in invalid["error"]


def test_arguments_are_plain_json() -> None:
    """The parser's own types do not leak."""
    [call] = parse_reply("[search(query=3.10, limit=x, more=[a.b, 1.50])]", TOOLS).calls
    values = [call["args"]["query"], call["args"]["limit"], *call["args"]["more"]]
    assert {type(value) for value in values} <= {str, float}


@pytest.mark.parametrize(
    ("text", "args"),
    [
        pytest.param("query=#ff0000,\n limit=3", {"query": "#ff0000", "limit": 3}, id="a color"),
        pytest.param("query=foo # note\n", {"query": "foo"}, id="behind a bare word"),
        pytest.param("limit=6/2 # 'note'\n", {"limit": 3}, id="behind a calculation"),
        pytest.param("query='a' # note\n, limit=1", {"query": "a", "limit": 1}, id="behind text"),
        pytest.param("query='it's #1', limit=2\n", {"query": "it's #1", "limit": 2}, id="in text"),
    ],
)
def test_comment_does_not_shorten_a_value(text, args) -> None:
    """`#` in a value stays."""
    assert parse(f"[search({text})]") == ([("search", args)], "")


@pytest.mark.parametrize("text", ["query= limit=2", "query=, limit=2"], ids=["blank", "comma"])
def test_missing_value_does_not_take_the_next_argument(text) -> None:
    """The call is invalid."""
    assert "missing" in parse_reply(f"[search({text})]", TOOLS).invalid_calls[0]["error"]


@pytest.mark.parametrize("name", ["{}", ' {"', "\n{}", "[]", '"a"'])
@pytest.mark.parametrize("reply", ['{"name": NAME, "arguments": 5}', '{"name": NAME, "args": {"x'])
def test_invalid_call_stays_invalid_after_merging_chunks(name, reply) -> None:
    """LangChain reads the text of merged chunks as JSON."""
    tools = create_toolset([make_tool(name)])
    parsed = parse_reply(reply.replace("NAME", json.dumps(name)), tools)
    chunks = [
        tool_call_chunk(name=call["name"], args=call["args"], id=call["id"])
        for call in parsed.invalid_calls
    ]
    merged = AIMessageChunk("") + AIMessageChunk("", tool_call_chunks=chunks)
    merged += AIMessageChunk("", chunk_position="last")
    assert (parsed.calls, merged.tool_calls) in (([], []), ((), []))
    assert [call["name"] for call in merged.invalid_tool_calls] == [name] * len(chunks)
    assert chunks or parsed.content


def test_valid_calls_beside_invalid_calls_are_kept() -> None:
    """Each is judged alone and has its own id."""
    parsed = parse_reply("A\n[pay(to='Ana'), pay(to=), search(query=), pay(to='Bob', ", TOOLS)
    assert [call["args"] for call in parsed.calls] == [{"to": "Ana"}]
    assert [call["args"] for call in parsed.invalid_calls] == [
        "pay(to=)",
        "search(query=)",
        "pay(to='Bob',",
    ]
    assert parsed.content == "A"
    assert len({call["id"] for call in [*parsed.calls, *parsed.invalid_calls]}) == 4


@pytest.mark.parametrize(
    ("text", "stop", "calls", "content"),
    [
        pytest.param("One. Two.", ["x", "Two", "One"], [], "", id="the first of several"),
        pytest.param("[pay(to='Ana')]\nEND\nmore", ["END"], [ANA], "", id="after a call"),
        pytest.param("A END\n[pay(to='Ana')]", ["END"], [], "A ", id="before a call"),
        pytest.param("[pay(to='Ana')]\nA", ["Ana"], [ANA], "A", id="only in a call"),
        pytest.param(f"A\n{CALL}\nB\n{CALL}\nC", ["Ana", "\nC"], [ANA, ANA], "A\nB", id="mix"),
    ],
)
def test_stop_string_ends_the_text_but_not_a_call(text, stop, calls, content) -> None:
    """An argument can contain any string."""
    parsed = parse_reply(text, TOOLS, stop)
    assert [(call["name"], call["args"]) for call in parsed.calls] == calls
    assert parsed.content == content
    assert parsed.is_cut == (stop != ["Ana"])


@pytest.mark.parametrize(("inside", "is_cut"), [(4, True), (5, False)])
def test_five_stop_strings_are_tried(inside, is_cut) -> None:
    """Each cuts the reply inside what looks like a call; a sixth is ignored."""
    parsed = parse_reply(f"[search(query='{'STOP ' * inside}')] or so STOP more", TOOLS, ["STOP"])
    assert parsed.is_cut is is_cut
    assert parsed.content.endswith("or so " if is_cut else "more")


def test_log_names_the_repairs_and_shows_no_data(caplog) -> None:
    """Arguments can be secret."""
    with caplog.at_level(logging.DEBUG, "langchain_segmind"):
        parse("[pay(to='Ana')]")
        assert caplog.messages == []
        parse("pay('secret', '5')")
    [message] = caplog.messages
    assert message.startswith("Read 1 tool calls with repairs: positional_argument, ")
    assert message.endswith(", no_brackets, text_to_number")


def parse_native(name: str, arguments: object) -> ParsedReply:
    """Return the calls of a reply with one entry of `tool_calls`."""
    return parse_native_calls([{"function": {"name": name, "arguments": arguments}}], TOOLS, "")


def test_native_parallel_calls_are_expanded() -> None:
    """They are read as in text."""
    uses = {"tool_uses": [{"recipient_name": "functions.pay", "parameters": {"to": "Ana"}}]}
    for arguments in (uses, json.dumps(uses)):
        parsed = parse_native("multi_tool_use.parallel", arguments)
        assert [(call["name"], call["args"]) for call in parsed.calls] == [ANA]


def test_native_arguments_that_cannot_be_read_have_a_reason() -> None:
    """A key that is given twice, and values that are nested too deeply."""
    deep: dict = {}
    for _ in range(3_000):
        deep = {"x": deep}
    for arguments, reason in [
        ('{"to": 1, "to": 2}', "a key is given twice"),
        (deep, "levels deep"),
    ]:
        [invalid] = parse_native("pay", arguments).invalid_calls
        assert reason in invalid["error"]


@pytest.mark.parametrize("text", [r"\ud800", r"\udc00\ud800", r"x\udfff"])
def test_half_a_character_becomes_the_replacement_character(text) -> None:
    """In every syntax: it can be neither shown nor sent."""
    value = json.loads(f'"{text}"').encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    written = f'{{"to": "{text}"}}'
    replies = [
        parse_reply(f"[pay(to='{text}')]", TOOLS),
        parse_reply(f'{{"pay": {written}}}', TOOLS),
    ]
    replies += [parse_native("pay", written), parse_native("pay", json.loads(written))]
    assert [reply.calls[0]["args"] for reply in replies] == [{"to": value}] * 4
    assert parse(r'{"pay": {"to": "\ud83d\ude00 \\ud800"}}')[0] == [
        ("pay", {"to": "\U0001f600 \\ud800"})
    ]


def test_an_escape_of_json_keeps_its_meaning() -> None:
    """A trailing comma does not change it; a path whose backslashes are not escaped is unclear."""
    assert parse(r'{"pay": {"to": "a\/b",}}') == ([("pay", {"to": "a/b"})], "")
    parsed = parse_reply(r'{"pay": {"to": "C:\new", "note": "http:\/\/x.com"}}', TOOLS)
    assert (len(parsed.invalid_calls), parsed.calls) == (1, [])


@pytest.mark.parametrize(
    ("text", "calls", "content"),
    [
        pytest.param(f"A\n{CALL}\n{CALL}", [ANA, ANA], "A", id="two lists"),
        pytest.param(f"A {CALL}.", [ANA], "A\n.", id="one list in a line"),
        pytest.param(f"{CALL} and {CALL}", [], f"{CALL} and {CALL}", id="two in a line"),
        pytest.param(
            f"{CALL}\nor {CALL}", [], f"{CALL}\nor {CALL}", id="one of two alone on its line"
        ),
    ],
)
def test_a_forced_call_is_the_only_one_or_all_lists(text, calls, content) -> None:
    """Otherwise it is not clear which one is meant."""
    parsed = parse_reply(text, TOOLS, rules=FORCED)
    assert [(call["name"], call["args"]) for call in parsed.calls] == calls
    assert (parsed.content, parsed.is_unclear) == (content, False)


@pytest.mark.parametrize(
    ("text", "calls", "is_unclear"),
    [
        pytest.param(f"{CALL}\n<think>x</think>\n{CALL}\nB", [ANA, ANA], False, id="lists first"),
        pytest.param(f"<think>x</think>\n{CALL}\nB", [ANA], False, id="behind reasoning"),
        pytest.param(f"{CALL}\nB {CALL}", [], True, id="a list first, and one in a line"),
        pytest.param(f"{CALL}\npay(to='Ana')", [], True, id="a list first, and a bare call"),
        pytest.param(f"{CALL}\n```\n{CALL}\n```", [], True, id="a list first, and a fence"),
        pytest.param(f"A\n{CALL}", [], True, id="text first"),
        pytest.param(f"A\npay(to='x\n{CALL}", [], True, id="a list in an open call"),
        pytest.param("[1] A\nSo pay(to='x' y", [], False, id="a list before an open call"),
        pytest.param("[1] A\npay(to='x' y", [], True, id="an open call on its own line"),
    ],
)
def test_lists_at_the_beginning_count_and_others_are_asked_for(text, calls, is_unclear) -> None:
    """A list in a call without an end may be one of its values."""
    parsed = parse_reply(text, TOOLS, rules=ASKS)
    assert [(call["name"], call["args"]) for call in parsed.calls] == calls
    assert (parsed.is_unclear, parsed.invalid_calls) == (is_unclear, [] if calls else ())


@pytest.mark.parametrize(("count", "end"), [(0, ""), (20, ", f19"), (21, ", f19, ...")])
def test_twenty_offered_tools_are_named(count, end) -> None:
    """More would make the message long."""
    tools = create_toolset([make_tool(f"f{index}") for index in range(count)])
    [invalid] = parse_native_calls([{"function": {"name": "x"}}], tools, "").invalid_calls
    named = "no such function was offered; offered are: f0, f1, "
    assert invalid["error"].startswith(named if count else "no function was offered")
    assert invalid["error"].endswith(end or "no function was offered")
