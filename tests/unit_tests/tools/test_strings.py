"""String literals end where Python ends them, and mean what Python says."""

import re

import pytest

from langchain_segmind._tools.strings import (
    UnclosedStringError,
    UnreadableError,
    find_quote,
    find_string_end,
    is_apostrophe,
    read_f_string,
    unescape,
)


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        pytest.param("it's", 2, True, id="within a word"),
        pytest.param("5's", 1, True, id="after a digit"),
        pytest.param("a'1", 1, False, id="before a digit"),
        pytest.param("a' b", 1, False, id="before a blank"),
        pytest.param(" 'a", 1, False, id="after a blank"),
        pytest.param("'a", 0, False, id="at the start"),
        pytest.param("a'", 1, False, id="at the end"),
        pytest.param('a"b', 1, False, id="another quote"),
        pytest.param("a'b", 0, False, id="another position"),
    ],
)
def test_apostrophe_stands_within_a_word(text, position, expected) -> None:
    """Such a quote can belong to the text."""
    assert is_apostrophe(text, position) is expected


@pytest.mark.parametrize(
    ("text", "position", "index"),
    [
        pytest.param("'b'", 0, 0, id="at the start"),
        pytest.param("a'b'", 0, 1, id="the first"),
        pytest.param("a'b'", 2, 3, id="the next"),
        pytest.param("a'b'", 1, 1, id="the one at the position"),
        pytest.param(r"a\'b'", 0, 4, id="after an escaped one"),
        pytest.param(r"a\\'b'", 0, 3, id="after an escaped backslash"),
        pytest.param(r"\\\'''", 0, 4, id="after three backslashes"),
        pytest.param(r"\''", 1, 1, id="a backslash before the position"),
        pytest.param(r"\'\'x'", 0, 5, id="after two escaped ones"),
        pytest.param("ab", 0, -1, id="none"),
        pytest.param(r"a\'", 0, -1, id="an escaped one only"),
    ],
)
def test_quote_is_found_unless_it_is_escaped(text, position, index) -> None:
    """An even number of backslashes escapes nothing."""
    assert find_quote(text, "'", position) == index


@pytest.mark.parametrize(
    ("text", "position", "end"),
    [
        pytest.param("'ab' c", 0, 4, id="a string"),
        pytest.param("x 'ab'", 2, 6, id="at a position"),
        pytest.param('rb"a\'b" c', 0, 7, id="a prefix and the other quote"),
        pytest.param("'''a'b''' c", 0, 9, id="a triple quote"),
        pytest.param("''", 0, 2, id="an empty string"),
        pytest.param("'ab", 0, -1, id="an open string"),
        pytest.param("ab", 0, 0, id="no string"),
        pytest.param("it's", 2, 0, id="an apostrophe"),
    ],
)
def test_end_of_a_string_is_found(text, position, end) -> None:
    """An apostrophe begins none."""
    assert find_string_end(text, position) == end


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(r"\n\t\r\b\f\v\a", "\n\t\r\b\f\v\a", id="control characters"),
        pytest.param(r"\\ \' \"", "\\ ' \"", id="backslash and quotes"),
        pytest.param(r"\x41\xe9", "Aé", id="two digits"),
        pytest.param(r"\u00e9\U0001F642", "é🙂", id="four and eight digits"),
        pytest.param(r"\ud83d\ude42", "🙂", id="a surrogate pair"),
        pytest.param(r"\ud83d", "\ufffd", id="half a surrogate pair"),
        pytest.param(r"\N{BULLET}\N{greek small letter alpha}", "\u2022\u03b1", id="names"),
        pytest.param(r"\101\0\7z\778", "A\0\7z?8", id="octal digits"),
        pytest.param("a\\\nb\\\r\nc", "abc", id="lines that go on"),
        pytest.param(r"\d \/ \8 \X", r"\d \/ \8 \X", id="unknown escapes"),
        pytest.param("plain", "plain", id="no escape"),
        pytest.param("a\\", "a\\", id="a backslash at the end"),
        pytest.param(r"a\n \xZZ", r"a\n \xZZ", id="half an escape"),
        pytest.param(r"\n \uD8", r"\n \uD8", id="too few digits"),
        pytest.param(r"\n \U00110000", r"\n \U00110000", id="beyond Unicode"),
        pytest.param(r"\n \N{NO SUCH NAME}", r"\n \N{NO SUCH NAME}", id="an unknown name"),
        pytest.param(r"\n \N", r"\n \N", id="no name"),
        pytest.param(r"C:\new", r"C:\new", id="a path"),
        pytest.param(r"\\host\new", r"\\host\new", id="a path in a network"),
        pytest.param(r"Q:\nWhat is it", "Q:\nWhat is it", id="a line behind a colon"),
        pytest.param("A:\\n", "A:\n", id="a line end behind a colon"),
        pytest.param(r"\\it\'s", "\\it's", id="an escaped quote"),
        pytest.param(r"\\x\n[f()]", "\\x\n[f()]", id="a bracket on a new line"),
        pytest.param(r"C:\temp\*.txt", r"C:\temp\*.txt", id="a pattern"),
        pytest.param(r"C:\nVidia\new", r"C:\nVidia\new", id="a capital in a path"),
        pytest.param(r"\\item\n\\item{a}", "\\item\n\\item{a}", id="escaped LaTeX"),
        pytest.param(r"a:\no\\x", "a:\no\\x", id="a later backslash that is escaped"),
        pytest.param(r"\\host\new", r"\\host\new", id="a share"),
        pytest.param(r"C:\\new", "C:\\new", id="an escaped path"),
    ],
)
def test_escapes_mean_what_python_says(text, value) -> None:
    """A path, or a string that Python refuses, keeps all its backslashes."""
    assert unescape(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a {{b}} c", "a {b} c"),
        ("{{{{", "{{"),
        ("plain", "plain"),
        ("{{}}", "{}"),
    ],
    ids=["braces", "two braces", "none", "empty braces"],
)
def test_f_string_without_values_is_text(text, value) -> None:
    """Doubled braces are braces."""
    assert read_f_string(text) == value


@pytest.mark.parametrize("text", ["{x}", "a {{b}", "}"])
def test_f_string_with_a_value_is_refused(text) -> None:
    """The value is unknown."""
    reason = "an f-string contains a value in braces: write the text itself"
    with pytest.raises(UnreadableError, match=f"^{re.escape(reason)}$"):
        read_f_string(text)


def test_unclosed_string_says_what_to_do() -> None:
    """And which quote begins it."""
    error = UnclosedStringError("'")
    assert str(error) == "it is unclear where a string ends: escape the quotes in it"
    assert error.quote == "'"
