"""Values are read from text as Python means them, and each repair is noted."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_segmind._tools.literal_parser import (
    Expression,
    NumberLiteral,
    Scanner,
    UnreadableError,
    unescape,
)


def read(text: str) -> tuple[object, list[str]]:
    """Read one value that is the whole text, and the repairs it needed."""
    scanner = Scanner(text)
    value = scanner.read_value()
    assert scanner.peek() == ""
    return value.value if isinstance(value, NumberLiteral) else value, scanner.repairs


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("5", 5, id="an integer"),
        pytest.param("-5", -5, id="a negative one"),
        pytest.param("1_000", 1000, id="underscores"),
        pytest.param("0xFF", 255, id="hexadecimal"),
        pytest.param("2.5e-3", 0.0025, id="a float"),
        pytest.param(".5", 0.5, id="a float without a zero"),
        pytest.param("True", True, id="true"),
        pytest.param("None", None, id="none"),
        pytest.param("'a'", "a", id="single quotes"),
        pytest.param('"a"', "a", id="double quotes"),
        pytest.param("'''a\n'b' '''", "a\n'b' ", id="triple quotes"),
        pytest.param("'a' 'b'", "ab", id="two strings in a row"),
        pytest.param(r"r'\d+'", r"\d+", id="a raw string"),
        pytest.param(r"'it\'s \n \u00e9 \x41 \d'", "it's \n é A \\d", id="escapes"),
        pytest.param(r"'a \\'", "a \\", id="a backslash at the end"),
        pytest.param("'a \\\nb'", "a b", id="a line that goes on"),
        pytest.param(r"'\ud83d\ude42'", "🙂", id="JSON's two halves"),
        pytest.param("[1, 'a', [True], ]", [1, "a", [True]], id="a list"),
        pytest.param("{'a': {'b': []}}", {"a": {"b": []}}, id="a dict"),
        pytest.param("[]", [], id="an empty list"),
        pytest.param("{}", {}, id="an empty dict"),
        pytest.param("(5)", 5, id="parentheses"),
        pytest.param("'a, b) ] = {'", "a, b) ] = {", id="brackets in a string"),
    ],
)
def test_python_is_read_in_silence(text, value) -> None:
    """What is strictly Python needs no repair."""
    assert read(text) == (value, [])


@pytest.mark.parametrize(
    ("text", "value", "repair"),
    [
        pytest.param("true", True, "json_constant", id="true"),
        pytest.param("null", None, "json_constant", id="null"),
        pytest.param("(1, 2)", [1, 2], "tuple", id="a tuple"),
        pytest.param("(1,)", [1], "tuple", id="a tuple of one"),
        pytest.param("()", [], "tuple", id="an empty tuple"),
        pytest.param("{a: 1}", {"a": 1}, "bare_key", id="a bare key"),
        pytest.param("{1: 'a'}", {"1": "a"}, "key_to_string", id="a number for a key"),
        pytest.param("{True: 'a'}", {"true": "a"}, "key_to_string", id="a bool for a key"),
        pytest.param("{None: 'a'}", {"null": "a"}, "key_to_string", id="none for a key"),
        pytest.param("'Schindler's List'", "Schindler's List", "unescaped_quote", id="a quote"),
        pytest.param("'a\nb'", "a\nb", "line_feed_in_string", id="a line feed"),
    ],
)
def test_a_repair_has_a_name(text, value, repair) -> None:
    """Structure is recovered, and it is noted how."""
    assert read(text) == (value, [repair])


@pytest.mark.parametrize(
    "text",
    [
        "dataset",
        "System.out",
        "data['sales']",
        "new HashMap<String>(a, 'b, c')",
        "'a' if x else 'b'"[4:],
        "1/6",
        "007",
        "2024-10-15",
        "5%",
        "lambda x: [x]"[:8],
        "f'{x}'",
        "a == b",
        "{'a': 1}['a']",
        "+49123",
        "10L",
        "1__0",
        "1_",
        "1e999",
        "it's",
        "Schindler's List",
        "g('it\\'s', \"]\")",
        "x if y == 'a' else b",
        "x => x",
    ],
)
def test_what_is_no_literal_is_kept_as_its_own_text(text) -> None:
    """No variable is guessed at, and no code is run."""
    value, repairs = read(text)
    assert isinstance(value, Expression)
    assert (value, repairs) == (text, ["expression"])


def test_what_is_no_literal_ends_where_its_brackets_do() -> None:
    """Commas and closers inside it are its own."""
    value, _ = read("[max(a, [b]), 'x', y]")
    assert value == ["max(a, [b])", "x", "y"]
    assert [type(item) for item in value] == [Expression, str, Expression]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/6", 1 / 6),
        ("2 * (3 + 4) - 1", 13),
        ("-3 ** 2", -9),
        ("1/0", None),
        ("9**9**9", None),
        ("10**65", None),
        ("((9**64)**64)**64", None),
        ("(-8)**.5", None),
        ("1.5**999", None),
        ("2**64*2**64*2**64*2**64*2**64*2**64", None),
        ("a+1", None),
        ("1 +", None),
        ("()", None),
        ("(" * 60 + "1" + ")" * 60, None),
        ("1+" * 80 + "1", None),
    ],
)
def test_a_calculation_with_numbers_has_a_value(text, value) -> None:
    """Only numbers, only arithmetic, and never long."""
    assert Expression(text).calculate() == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "missing", id="nothing"),
        pytest.param(",", "missing", id="a comma"),
        pytest.param("'a", "not closed", id="half a string"),
        pytest.param("[1, 2", "expected ']', not the end", id="half a list"),
        pytest.param("{'a': 1", "expected '}', not the end", id="half a dict"),
        pytest.param("{1, 2}", "expected ':', not ','", id="a set"),
        pytest.param("f(a", "not closed", id="half a call"),
        pytest.param("[" * 100, "nested", id="too deep"),
        pytest.param("9" * 5_000, "characters", id="too long a number"),
        pytest.param(
            """["x" + y, b="z"]""", "where a string ends", id="quotes that may end anywhere"
        ),
        pytest.param("'a' + 'b'", "where a string ends", id="a sum of strings"),
        pytest.param("['rock, 'n', roll']", "not closed", id="quotes within quotes"),
        pytest.param("x b=1", "a comma is missing", id="no comma"),
    ],
)
def test_what_cannot_be_read_says_why(text, reason) -> None:
    """The reason goes to the model, which is asked again, and to the user."""
    with pytest.raises(UnreadableError, match=reason):
        read(text)


def test_a_literal_that_goes_on_is_an_expression_on_every_level() -> None:
    """What was read is not read again, or each level would read all below it."""
    assert read("[[['a'] b] c, 'd']")[0] == ["[['a'] b] c", "d"]
    assert read("[" * 40 + "'a'" + "] y" * 39 + "]")[0] == ["[" * 39 + "'a'" + "] y" * 39]


@pytest.mark.parametrize("digits", [1, 100, 3_000])
def test_a_long_number_is_exact(digits: int) -> None:
    """As far as Python itself reads numbers."""
    assert read("9" * digits) == (10**digits - 1, [])


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_what_python_writes_is_read_back(value) -> None:
    """`repr` of any JSON value is strictly Python."""
    assert read(repr(value)) == (value, [])


@given(JSON_VALUES)
def test_what_json_writes_is_read_back(value) -> None:
    """JSON differs in its constants only."""
    read_back, repairs = read(json.dumps(value))
    assert read_back == value
    assert set(repairs) <= {"json_constant"}


@given(st.text(st.sampled_from("'\"\\[](){}:,=abn1.-+ \n“”é{}"), max_size=60) | st.text())
def test_no_text_breaks_the_scanner(text) -> None:
    """Any text is a value or an `UnreadableError`, never anything else."""
    try:
        value, _ = read(text)
    except (UnreadableError, AssertionError):
        return
    assert not (isinstance(value, float) and math.isnan(value))


@given(st.text())
def test_unescaping_never_fails(text) -> None:
    """Odd escapes stay as they are."""
    assert isinstance(unescape(text), str)
