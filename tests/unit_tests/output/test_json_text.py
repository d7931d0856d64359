"""JSON is read as models write it, or not at all."""

import pytest

from langchain_segmind._output.json_text import (
    MISSING,
    find_commented_end,
    read_commented,
    read_whole,
    remove_trailing_commas,
)
from langchain_segmind._tools import Expression


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("5", 5, id="a number"),
        pytest.param('"a"', "a", id="a string"),
        pytest.param("null", None, id="null"),
        pytest.param("[1, 2]", [1, 2], id="a list"),
        pytest.param("[1, 2,]", [1, 2], id="a list with a comma at its end"),
        pytest.param("['a', True]", ["a", True], id="a list of Python"),
        pytest.param("{'a': (1, 2)}", {"a": [1, 2]}, id="a dict of Python"),
        pytest.param("['''a''', 1]", ["a", 1], id="a triple quote"),
        pytest.param('["""a "b" c"""]', ['a "b" c'], id="quotes in a triple quote"),
        pytest.param('["C:\\temp"]', ["C:\\temp"], id="a path"),
        pytest.param("['']", [""], id="an empty string of Python"),
    ],
)
def test_value_is_read_from_json_or_python(text, value) -> None:
    """A path keeps the backslashes that are not escaped."""
    assert read_whole(text) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("'a'", id="a string of Python"),
        pytest.param("['a' 'b']", id="a comma left out"),
        pytest.param("['a'\n\"b\"]", id="a comma left out before another quote"),
        pytest.param("['' 'b']", id="a comma left out after an empty string"),
        pytest.param(r"['a\/b']", id="an escape of JSON only"),
        pytest.param("[1}", id="another bracket at the end"),
        pytest.param("['a']]", id="a bracket too many"),
        pytest.param("['a'] + ['b']", id="two lists"),
        pytest.param("['a'][0]", id="an index"),
        pytest.param("{'a': b}", id="a variable"),
        pytest.param("['a', 1 + 1]", id="a calculation"),
        pytest.param("['a', 5%]", id="a number with a unit"),
        pytest.param("['a', 00.5.1]", id="numbers with dots"),
        pytest.param("['a'", id="half a list"),
    ],
)
def test_other_text_has_no_value(text) -> None:
    """Nothing is guessed."""
    assert read_whole(text) is MISSING


@pytest.mark.parametrize("number", ["007", "010", "01.50"])
def test_number_with_leading_zeros_keeps_its_text(number) -> None:
    """The schema decides what it is."""
    assert read_whole(f'{{"a": {number}}}') == {"a": Expression(number)}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("[1,]", "[1]"),
        ('{"a": 1, \n}', '{"a": 1 \n}'),
        ("[[1,], 2,]", "[[1], 2]"),
        ('["a,]", "b\\",]"]', '["a,]", "b\\",]"]'),
        ("[1,,]", "[1,]"),
    ],
    ids=["a list", "an object", "nested lists", "strings", "two commas"],
)
def test_commas_before_brackets_are_removed(text, plain) -> None:
    """But not within strings."""
    assert remove_trailing_commas(text) == plain


@pytest.mark.parametrize(
    ("text", "start", "value"),
    [
        pytest.param("{} // x\n", 0, -1, id="a comment behind it"),
        pytest.param("[1 // x\n]", 0, "[1 // x\n]", id="a comment in a list"),
        pytest.param("] [1 # x\n] ]", 2, "[1 # x\n]", id="brackets around"),
        pytest.param("// y\n[1]", 5, -1, id="a comment before it"),
        pytest.param('{"a": [1, /* ] */ 2]} }', 0, '{"a": [1, /* ] */ 2]}', id="nested"),
        pytest.param('["]", // "\n 1]', 0, '["]", // "\n 1]', id="a bracket in a string"),
        pytest.param("[1 /* x */ /* y */]", 0, "[1 /* x */ /* y */]", id="two comments"),
        pytest.param("[1] x", 0, -1, id="no comment"),
        pytest.param("[[1 // x\n]", 0, -1, id="an outer list that is open"),
        pytest.param("[[1], // x\n 2]", 0, "[[1], // x\n 2]", id="a list in a list"),
        pytest.param("[1 // x\n", 0, -1, id="half a list"),
        pytest.param("[1 // x]", 0, -1, id="a bracket in the comment"),
    ],
)
def test_end_of_json_with_comments_is_found(text, start, value) -> None:
    """Only a comment within it makes a difference."""
    expected = value if value == -1 else start + len(value)
    assert find_commented_end(text, start) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("[1, // one\n 2]", [1, 2], id="a line comment"),
        pytest.param("[1, # one\n 2, /* three */]", [1, 2], id="a comma at the end"),
        pytest.param('["// a", "# b", "/* c */"]', ["// a", "# b", "/* c */"], id="strings"),
        pytest.param('[1 // "one"\n, 2]', [1, 2], id="a quoted word in a comment"),
        pytest.param('[1 // 5" wide\n, 2]', MISSING, id="one quote in a comment"),
        pytest.param("[1 // one, 2]", MISSING, id="a comment without an end"),
        pytest.param("[1/**/2]", MISSING, id="a comment between two numbers"),
        pytest.param("['a' // one\n]", MISSING, id="Python with a comment"),
    ],
)
def test_comments_are_left_out(text, value) -> None:
    """A quote without its partner can be the end of a string that begins before it."""
    read = read_commented(text)
    assert read is MISSING if value is MISSING else read == value
