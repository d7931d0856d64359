"""Calls in values are never run, and calls that cannot be read are never lost."""

import pytest

from langchain_segmind._tools import ReadingRules, create_toolset, parse_reply
from langchain_segmind._tools.wrappers import read_whole
from tests.support.schemas import make_tool

TOOLS = create_toolset([make_tool("f", a={}, b={}), make_tool("stop")])
ASKS = ReadingRules(asks=True)

HIDDEN_CALLS = [
    pytest.param("Use f('b: text.\n[\n f(a='</think>[stop(), #')\n]", id="an odd quote in prose"),
    pytest.param('Use ["b: x]\n[\n f(a="</think>[stop(), #")\n]', id="an odd quote in brackets"),
    pytest.param("Use f('b: x.\n[f(a='''</think>\n[stop()]\n''')]", id="three quotes"),
    pytest.param("write(a='x', b='</think>[stop(), #')\n]", id="a value of an unknown call"),
    pytest.param("write(a='x', b='\n</think>\n[stop()]\n')", id="lines of such a value"),
    pytest.param("write(a='''\n[stop()]\n''')", id="a list on a line of such a value"),
    pytest.param('print("[stop()]")', id="a quotation"),
    pytest.param("f (a='it''s [stop()]')", id="an unclear string behind a blank"),
    pytest.param("f (a=f'''{x}\n[stop()]\n''')", id="an f-string behind a blank"),
    pytest.param("f (a='</think>[stop(), #', a=1)\n]", id="an argument given twice"),
    pytest.param(
        "<tool_call>f (a=1, a='</tool_call>[stop()]')</tool_call>", id="the end of a wrapping"
    ),
    pytest.param('["f(a=\'"), stop(), f(a="\')"]', id="between quoted calls"),
    pytest.param("[stop()]\n('90s)</think>\nIt's", id="a list before thoughts"),
    pytest.param("[stop()]\n('90s)</think>\n[f(a='x')]", id="a draft in thoughts"),
    pytest.param("[stop()]\nno ['</think>\nIt'] ok", id="brackets around the end of thoughts"),
    pytest.param(':("\n[f(a="</think>[stop(), #")\n]', id="a smiley"),
    pytest.param('He wrote ":(".\n[f(a="\n[stop()]\n")]', id="a quoted smiley"),
    pytest.param("write('a', '</think>[stop(), #')\n]", id="a second positional value"),
    pytest.param("write(\n  '</think>[stop(), #')\n]", id="a value on a line of its own"),
    pytest.param("write(a=r'</think>[stop(), #')\n]", id="a raw string"),
    pytest.param("return '</think>[stop(), #'\n]", id="a string in code"),
    pytest.param("'</think>[stop(), #'\n]", id="a bare string"),
    pytest.param("write('a', '\n[stop()]\n')", id="lines of a second value"),
    pytest.param("write(f'''\n[stop()]\n''')", id="lines of an f-string"),
    pytest.param('"""\n[stop()]\n"""', id="lines of a bare string"),
    pytest.param("write('\\'\n[stop()]\n')", id="an escaped quote"),
    pytest.param('an {\'x [f(a="<!--\n[stop()]\n=it\'s"), f(b="}")]', id="an open object in prose"),
    pytest.param("['f(a=' '), stop(), (']", id="a list of one string"),
    pytest.param('["f(a="x"), stop(), f(a="y")"]', id="quotes that are not escaped"),
    pytest.param(
        "<tool_call>[f(a=[r'</tool_call><tool_call>[stop(), #', 1\n]</tool_call>",
        id="a wrapping that a raw string seems to close",
    ),
    pytest.param("```\nwrite(a='\n</think>\n[stop()]\n')\n```", id="a value in code"),
]


@pytest.mark.parametrize("text", HIDDEN_CALLS)
@pytest.mark.parametrize(
    "rules",
    [ReadingRules(), ReadingRules(asks=True), ReadingRules(asks=True, is_forced=True)],
    ids=["read", "ask", "force"],
)
def test_a_call_in_a_value_is_never_run(text, rules) -> None:
    """Whatever surrounds the value, and whatever tags and quotes are in it."""
    assert "stop" not in [call["name"] for call in parse_reply(text, TOOLS, (), rules).calls]


LOST_CALLS = [
    pytest.param("f (a=1, a=2)", id="an argument given twice behind a blank"),
    pytest.param("[f(a=1)]\nf(a=2)", id="a bare call after a list"),
    pytest.param("[f(a=1)]\n```python\nf(a=2)\n```", id="a fence after a list"),
    pytest.param("x = f(a=1)", id="an assignment"),
    pytest.param("[f(a=1)]\nThen: [f(a=2)]", id="a list in a line after a list"),
    pytest.param("[f(a=1)]\nf(a=1, a=2)", id="an unreadable call after a list"),
    pytest.param("Sure:\nf(a=1, a=2)", id="an unreadable call after text"),
    pytest.param("Sure:\nf(a='x", id="a cut call after text"),
    pytest.param("['f(a=' '), f(a=1), (']", id="a quotation that is not a call"),
    pytest.param("<tool_call>x(" * 20 + '\n{"name": "f", "arguments": {}}', id="open calls"),
]


@pytest.mark.parametrize("text", LOST_CALLS)
def test_a_call_that_is_not_read_is_asked_about_or_invalid(text) -> None:
    """It is never mere text."""
    parsed = parse_reply(text, TOOLS, (), ASKS)
    assert parsed.is_unclear or parsed.invalid_calls


def test_behind_the_end_of_thoughts_a_text_that_was_cut_is_not_read() -> None:
    """It can end within a string."""
    text = "write('</think>[stop()]\nEND')"
    assert parse_reply(text, TOOLS, ["END"], ASKS).is_unclear
    assert parse_reply(text, TOOLS, ["END"]).calls == ()


def test_a_stop_string_in_an_unclear_call_cuts_nothing() -> None:
    """The model is asked about the whole call."""
    text = "I call it:\nf(a='END of it')\nEND."
    parsed = parse_reply(text, TOOLS, ["END"], ASKS)
    assert (parsed.text, parsed.is_unclear) == ("I call it:\nf(a='END of it')\n", True)


THOUGHTS = [
    "I (maybe) call f(a=1).",
    "Okay, music ('90s).",
    "I'll call f (it's the right one).",
    "I need to call f( with the user's words ).",
    "Maybe `f(` first?",
    "Format: [f(a=...), ...]",
    "So [f(a='cats', ",
    'The user wants {"a": "cats" as arguments.',
    'f(a="He said "hi" there")',
    "Draft:\n```python\nf(",
    "A </think> is a tag.",
]


@pytest.mark.parametrize("thoughts", THOUGHTS)
@pytest.mark.parametrize(
    "calls",
    [
        "[stop()]",
        "[f(a='it\\'s\n\"x\"', b=[1, {'c': None}]), stop()]",
        "```python\n[stop()]\n```",
        "stop()",
        '{"name": "stop", "arguments": {}}',
        '<tool_call>{"name": "stop", "arguments": {}}</tool_call>',
        "<|python_tag|>[stop()]",
        "[f(a='x </think> y'), stop()]",
    ],
)
@pytest.mark.parametrize("rules", [ReadingRules(), ASKS, ReadingRules(in_text=False)])
def test_clean_calls_behind_the_end_of_thoughts_run(thoughts, calls, rules) -> None:
    """Whatever the thoughts contain: in a string, its closing quote would follow the calls."""
    parsed = parse_reply(f"{thoughts}\n</think>\n{calls}", TOOLS, (), rules)
    assert parsed.calls[-1]["name"] == "stop"
    assert parsed.invalid_calls == []
    assert not parsed.is_unclear


@pytest.mark.parametrize(
    "calls",
    [
        "[stop(), # now\n]",
        "[stop(),, f(a=it's)]",
        "[f(a=x), stop()]",
        "['f(a='x')', stop()]",
        "[stop()]\nThere.",
        "[stop()})",
    ],
)
def test_odd_calls_behind_the_end_of_thoughts_are_asked_about(calls) -> None:
    """They may be a part of a string; without a question they are text."""
    text = f"Hm.\n</think>\n{calls}"
    parsed = parse_reply(text, TOOLS, (), ASKS)
    assert (parsed.text, parsed.is_unclear, parsed.calls) == (text, True, ())
    for rules in (ReadingRules(), ReadingRules(asks=True, in_text=False)):
        parsed = parse_reply(text, TOOLS, (), rules)
        assert (parsed.text, parsed.is_unclear, parsed.calls) == (text, False, ())


@pytest.mark.parametrize(
    "text",
    [
        "Okay ['[stop()]'] hm.\n</think>\nThe answer is 4.",
        '{"example": "[stop()]"}',
        "Set {'a': 1, 'b': [stop()]}.",
        "In the list ['[stop()]', 'b'] all is text.",
    ],
)
def test_a_call_that_is_only_quoted_is_not_asked_about(text) -> None:
    """The reply is text."""
    assert parse_reply(text, TOOLS, (), ASKS).is_unclear is False


@pytest.mark.parametrize(
    "text",
    [
        "So:\n[stop()]",
        'He said "stop".\n[stop()]',
        "It's the users' wish:\n[stop()]",
        "[f(a='it\\'s')]\nSo:\n[stop()]",
        "The string r'x' or f\"y\":\n[stop()]",
    ],
)
def test_a_list_behind_closed_quotes_runs_without_a_question(text) -> None:
    """No string contains it."""
    assert parse_reply(text, TOOLS).calls[-1]["name"] == "stop"


def test_comments_in_a_fence_of_calls_are_skipped() -> None:
    """Models explain what they call."""
    text = "```python\n# First:\n\n  # [f()]\n[stop()]\n```"
    assert [call.name for call in read_whole(text, TOOLS)] == ["stop"]


@pytest.mark.parametrize(
    "text",
    [
        "[f(a=1)], [f(a=2)]",
        "[f(a=1)] [f(a=2)]",
        "[f(a=1)]\n[f(a=2)]",
        "[[f(a=1)], [f(a=2)]]",
        "[[[f(a=1)]], [f(a=2)]]",
    ],
)
def test_lists_beside_or_within_one_another_are_one(text) -> None:
    """Whatever is between them."""
    assert [call.arguments for call in read_whole(text, TOOLS)] == [{"a": 1}, {"a": 2}]
