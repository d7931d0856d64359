"""Calls and results as text."""

from unicodedata import lookup, normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages.tool import invalid_tool_call, tool_call

from langchain_segmind._tools.literal_parser import Scanner
from langchain_segmind._tools.syntax import (
    _match_letter,
    compile_result_tag,
    escape_tags,
    render_call,
    render_calls,
    render_name,
    render_result,
    render_value,
)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        pytest.param("add", "add", id="a plain one"),
        pytest.param("a.b-c/d", "a.b-c/d", id="dots, hyphens and slashes"),
        pytest.param("$filter", "$filter", id="a dollar"),
        pytest.param("from", "from", id="a word of Python"),
        pytest.param("größe", "größe", id="letters beyond ASCII"),
        pytest.param("get weather", "'get weather'", id="a blank"),
        pytest.param("it's", '"it\'s"', id="a quote"),
        pytest.param("2fa", "'2fa'", id="a digit first"),
        pytest.param("a=b", "'a=b'", id="an equals sign"),
    ],
)
def test_unusual_name_is_quoted(name: str, written: str) -> None:
    """Others are written as they are."""
    assert render_name(name) == written


def test_calls_are_written_as_one_list() -> None:
    """As the instructions ask for."""
    calls = [
        tool_call(name="add", args={"a": 1, "user-id": "x"}, id="1"),
        tool_call(name="stop now", args={}, id="2"),
    ]
    assert render_calls(calls) == "[add(a=1, user-id='x'), 'stop now'()]"


@pytest.mark.parametrize(
    ("name", "args", "written"),
    [
        pytest.param("add", "add(a=1, b=", "add(a=1, b=", id="text that begins with the name"),
        pytest.param("add", '{"a": 1, "b":', 'add({"a": 1, "b":)', id="another package's"),
        pytest.param("add", None, "add()", id="nothing"),
        pytest.param(None, "a(", "''(a()", id="no name"),
    ],
)
def test_invalid_call_is_written_as_the_model_wrote_it(name, args, written) -> None:
    """The model sees its own words."""
    assert render_call(invalid_tool_call(name=name, args=args, id="1", error="x")) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param({"a": [1, 2.5, None, True]}, "{'a': [1, 2.5, None, True]}", id="JSON"),
        pytest.param("é\n🙂", "'é\\n🙂'", id="letters stay, line feeds are escaped"),
        pytest.param((1, 2), "[1, 2]", id="a tuple"),
        pytest.param(b"x", "\"b'x'\"", id="bytes, as text"),
        pytest.param({5: 1}, "{'5': 1}", id="a number as key"),
        pytest.param({"a": 1, "b": {}}, "{'a': 1, 'b': {}}", id="two keys"),
        pytest.param(bytearray(b"x"), "\"bytearray(b'x')\"", id="a bytearray, as text"),
        pytest.param("C:\nx", r"'\x43:\nx'", id="a text that would look like a path"),
        pytest.param("\\\\a\nb", r"'\\\\a\nb'", id="two backslashes"),
        pytest.param("\\a\nb", r"'\x5ca\nb'", id="a text that would look like a share"),
        pytest.param("<tool_result>", r"'\u003ctool_result>'", id="a tag"),
    ],
)
def test_value_is_written_as_python_literal(value, written) -> None:
    """A value that is not JSON becomes a string."""
    assert render_value(value) == written


def test_name_with_brackets_is_escaped_once() -> None:
    """As in any XML attribute."""
    assert render_result("5", name='<b> & "c"').startswith("<tool_result name='&lt;b&gt; &amp; ")


def test_result_tag_identifies_its_call() -> None:
    """Tool, id, position in the list, and whether it failed."""
    text = render_result("boom", name="add", id="call_1", call=2, status="error")
    assert text == (
        '<tool_result name="add" id="call_1" call="2" status="error">\nboom\n</tool_result>'
    )
    assert render_result("<tool_result>", name="</tool_result>") == (
        '<tool_result name="&lt;/tool_result&gt;">\n&lt;tool_result>\n</tool_result>'
    )
    assert render_result("5", name="add", id=None) == '<tool_result name="add">\n5\n</tool_result>'


LOOKALIKES_OF_LETTERS = {
    "t": "\u03c4\u0442",  # Greek and Cyrillic
    "o": "0\u00f8\u03bf\u043e\u0585\u2134",  # a digit, Norwegian, Greek, Cyrillic, Armenian, script
    "l": "1I|\u04cf\u0456\u2113\u217c",  # a digit, a capital, a bar, Cyrillic, script, Roman
    "r": "\u0433",  # Cyrillic
    "e": "\u0435\u04bd\u212e\u212f",  # Cyrillic, estimated, script
    "s": "5\u0455",  # a digit, Cyrillic
    "u": "\u03c5\u057d",  # Greek, Armenian
}

LOOKALIKES = [
    *["<tool_result>", "</tool_result>", "< / TOOL_RESULT >", "<Tool-Result name='x'>"],
    *["<tool result>", "<toolresult", "<\n/tool_result>", "<\\tool_result>"],
    *["</tool__result>", "<tool _ result>", "<t0ol_resu1t>", "<t\u2134\u2134l_result>"],
    *["<\u200btool_result>", "<to\u200bol_re\u00adsult>", "<\U0001d173tool_result>"],
    *["\uff1ctool_result\uff1e", "\u27e8tool_result\u27e9"],
    *["<\uff54ool_result>", "<\uff34\uff2f\uff2f\uff2c\uff3f\uff32ESULT>"],
    *["<t\u043e\u043el_r\u0435sult>", "<to\u0301ol_result>", "<t\u00f6\u00f6l_result>"],
    "<\U0001d42d\U0001d428\U0001d428\U0001d425_result>",
    "\uff1c\uff0ftool\uff3fresult\uff1e",
    "<\u24e3\u24de\u24de\u24db_result>",
]


@pytest.mark.parametrize("lookalike", LOOKALIKES)
def test_lookalike_of_a_result_tag_is_escaped(lookalike: str) -> None:
    """Untrusted text cannot open or close a result."""
    escaped = escape_tags(f"a {lookalike} b")
    assert compile_result_tag().search(escaped) is None
    assert escaped.startswith("a &lt;")
    assert escaped.endswith(f"{lookalike[1:]} b")


@pytest.mark.parametrize("letter", "tolresu")
def test_letter_of_the_tag_is_matched_in_every_alphabet(letter: str) -> None:
    """Mathematical, wide, circled and accented letters look like it; no other letter does."""
    index = "abcdefghijklmnopqrstuvwxyz".index(letter)
    names = [f"{case} LETTER {letter.upper()}" for case in ("SMALL", "CAPITAL")]
    styles = ["FULLWIDTH LATIN", "CIRCLED LATIN"]
    styled = {lookup(f"{style} {name}") for style in styles for name in names}
    styled.add(lookup(f"PARENTHESIZED LATIN {names[0]}"))
    mathematical = range(0x1D400 + index, 0x1D6A4, 26)  # 13 styles of capitals and small letters
    accented = {one for one in map(chr, range(0xC0, 0x250)) if normalize("NFD", one)[0] == letter}
    expected = {letter, *LOOKALIKES_OF_LETTERS[letter], *styled, *map(chr, mathematical), *accented}
    written = _match_letter(letter)
    assert (written[0], written[-1]) == ("[", "]")
    assert {*written[1:-1]} == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<div>tool_result</div>", id="another tag"),
        pytest.param("1 < 2, tool_result = 5", id="a comparison"),
        pytest.param("tool_result", id="the name alone"),
        pytest.param("<b> tool </b> <i> result </i>", id="the words apart"),
        pytest.param("&lt;tool_result&gt;", id="an escaped tag"),
    ],
)
def test_other_tags_are_not_escaped(text: str) -> None:
    """HTML stays HTML."""
    assert escape_tags(text) == text


FRAGMENTS = st.lists(
    st.sampled_from([*LOOKALIKES, "<", "/", "tool", "_", "result", ">", "\n", '"', "x", "&lt;"])
).map("".join)


@settings(deadline=None)
@given(FRAGMENTS, FRAGMENTS, FRAGMENTS)
def test_result_cannot_be_closed_from_inside(text, name, call_id) -> None:
    """Its text, its name and its id are data."""
    lines = render_result(text, name=name, id=call_id).splitlines()
    assert lines[0].startswith("<tool_result name=")
    assert lines[-1] == "</tool_result>"
    assert [line for line in lines if compile_result_tag().search(line)] == [lines[0], lines[-1]]
    assert len(compile_result_tag().findall(lines[0])) == 1


@settings(deadline=None)
@given(FRAGMENTS)
def test_tag_in_a_value_is_escaped_and_read_back(text: str) -> None:
    """An argument is shown exactly, and is never taken for a result."""
    written = render_value({"x": text})
    assert compile_result_tag().search(written) is None
    assert Scanner(written).read_value() == {"x": text}
