"""Values are read as Python means them, and every repair is recorded."""

import json
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from langchain_segmind._tools.calculation import calculate
from langchain_segmind._tools.literal_parser import Expression, NumberLiteral, Scanner
from langchain_segmind._tools.strings import UnclosedStringError, UnreadableError
from langchain_segmind._tools.syntax import WINDOWS_PATH


def read(text: str) -> tuple[object, list[str]]:
    """Return the value that a whole text holds, and the repairs it needed."""
    scanner = Scanner(text)
    value = scanner.read_value()
    assert scanner.peek() == ""
    return value.value if isinstance(value, NumberLiteral) else value, scanner.repairs


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("-5", -5, id="a negative one"),
        pytest.param("+5", 5, id="a plus sign"),
        pytest.param("- 5", -5, id="a blank after the sign"),
        pytest.param("1_000", 1000, id="underscores"),
        pytest.param("0xFF_FF", 65535, id="hexadecimal"),
        pytest.param("0b101", 5, id="binary"),
        pytest.param("-0o17", -15, id="octal"),
        pytest.param("1_0.2_5", 10.25, id="underscores in a float"),
        pytest.param("2.5e-3", 0.0025, id="a float"),
        pytest.param(".5", 0.5, id="a float without a zero"),
        pytest.param("'a'", "a", id="single quotes"),
        pytest.param("'''a\n'b' '''", "a\n'b' ", id="triple quotes"),
        pytest.param("'a' 'b'", "ab", id="two strings in a row"),
        pytest.param(r"r'\d+'", r"\d+", id="a raw string"),
        pytest.param(r"b'a\x41'", "aA", id="bytes"),
        pytest.param(r"rb'\d'", r"\d", id="raw bytes"),
        pytest.param("f'a {{b}}'", "a {b}", id="an f-string without values"),
        pytest.param(r"rf'\d{{2}}'", r"\d{2}", id="a raw f-string"),
        pytest.param(r"'\N{BULLET} \/'", r"• \/", id="a name, and an escape of JSON"),
        pytest.param(r"'C:\Users\bob\x.txt'", r"C:\Users\bob\x.txt", id="a path"),
        pytest.param(r"'C:\\Users\\n'", r"C:\Users\n", id="an escaped path"),
        pytest.param(r"'\\host\new'", r"\\host\new", id="a share"),
        pytest.param(r"'\\\\host\\new'", r"\\host\new", id="an escaped share"),
        pytest.param(r"'a\tb \xZZ'", r"a\tb \xZZ", id="an escape that Python refuses"),
        pytest.param(r"'it\'s \n \u00e9 \x41 \d'", "it's \n é A \\d", id="escapes"),
        pytest.param(r"'a \\'", "a \\", id="a backslash at the end"),
        pytest.param("'a \\\nb'", "a b", id="a line that goes on"),
        pytest.param(r"'\U00110000'", r"\U00110000", id="an escape beyond the last code point"),
        pytest.param(r"'\ud83d\ude42'", "🙂", id="JSON's two halves"),
        pytest.param("[1, 'a', [True], ]", [1, "a", [True]], id="a list"),
        pytest.param("{'a': {'b': []}}", {"a": {"b": []}}, id="a dict"),
        pytest.param("{}", {}, id="an empty dict"),
        pytest.param("(5)", 5, id="parentheses"),
    ],
)
def test_python_literal_needs_no_repair(text, value) -> None:
    """Valid Python is exact."""
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
        pytest.param("'Schindler's List'", "Schindler's List", "apostrophe", id="an apostrophe"),
        pytest.param("'a\nb'", "a\nb", "line_feed_in_string", id="a line feed"),
    ],
)
def test_repair_is_named(text, value, repair) -> None:
    """Structure is recovered, and the name says how."""
    assert read(text) == (value, [repair])


@pytest.mark.parametrize(
    "text",
    ["'a''b'", '"Plan "B" works"', "'plan 'b''", "'a' b'b'", "b'a' 'b'", "x 'a'", "'a' x", "'a' 1"],
)
def test_string_beside_another_text_is_unclear(text) -> None:
    """Its writer did not escape a quote: no half of it is the value."""
    with pytest.raises(UnclosedStringError):
        read(text)


EXPRESSIONS = [
    *["dataset", "System.out", "data['sales']", "new HashMap<String>(a, 'b, c')", " if x else 'b'"],
    *["1/6", "007", "2024-10-15", "5%", "1\u0663", "10L", "1__0", "1_", "1e999"],
    *["lambda x", "a == b", "{'a': 1}['a']", "x if y == 'a' else b", "x => x"],
    *["it's", "Schindler's List", "g('it\\'s', \"]\")"],
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expression_is_kept_as_text(text) -> None:
    """Variables are not guessed, and no code is run."""
    value, repairs = read(text)
    assert isinstance(value, Expression)
    assert (value, repairs) == (text.strip(), ["expression"])


def test_expression_ends_after_its_brackets() -> None:
    """Commas and brackets inside belong to it."""
    value, _ = read("[max(a, [b]), 'x', y]")
    assert value == ["max(a, [b])", "x", "y"]
    assert [type(item) for item in value] == [Expression, str, Expression]


CALCULATIONS = {
    "1/6": 1 / 6,
    "2 * (3 + 4) - 1": 13,
    "-3 * (2 + 1) - +4": -13,
    "1+" * 49 + "10": 59,
}
NO_CALCULATIONS = [
    *["2**64", "9**9**9", "1+" * 49 + "100"],
    *["1/0", "a+1", "1 +", "()", "(" * 60 + "1" + ")" * 60],
]


@pytest.mark.parametrize(
    ("text", "value"), [*CALCULATIONS.items(), *((text, None) for text in NO_CALCULATIONS)]
)
def test_calculation_with_numbers_has_a_result(text, value) -> None:
    """Only arithmetic, and only where the text is short."""
    assert calculate(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "missing", id="nothing"),
        pytest.param(",", "missing", id="a comma"),
        pytest.param("[1, 2", "expected ']', not the end", id="half a list"),
        pytest.param("{'a': 1", "expected '}', not the end", id="half a dict"),
        pytest.param("{1, 2}", "expected ':', not ','", id="a set"),
        pytest.param("[" * 51 + "]" * 51, "nested more than 50 levels", id="51 levels"),
        pytest.param("9" * 3_001, "more than 3000 characters", id="3,001 digits"),
        pytest.param(
            """["x" + y, b="z"]""", "where a string ends", id="quotes that may end anywhere"
        ),
        pytest.param("['rock, 'n', roll']", "where a string ends", id="quotes within quotes"),
        pytest.param("f'{x}'", "f-string", id="an f-string with a value"),
        pytest.param("'it's), pay('", "where a string ends", id="a call in a guessed string"),
        pytest.param("['it's, b='x']", "where a string ends", id="an argument in a guessed string"),
        pytest.param("'fine\"", "where a string ends", id="another quote at the end"),
    ],
)
def test_unreadable_text_says_why(text, reason) -> None:
    """The model and the user see the reason."""
    with pytest.raises(UnreadableError, match=reason):
        read(text)


def test_nested_expressions_are_read_once() -> None:
    """Otherwise the time would grow exponentially with the depth."""
    assert read("[[['a'] b] c, 'd']")[0] == ["[['a'] b] c", "d"]
    assert read("[" * 40 + "'a'" + "] y" * 39 + "]")[0] == ["[" * 39 + "'a'" + "] y" * 39]


def test_values_up_to_the_limits_are_read() -> None:
    """Fifty levels, and integers of 3,000 digits, which stay exact."""
    levels = "[" * 50 + "]" * 50
    assert str(read(levels)[0]) == levels
    assert read("9" * 3_000) == (10**3_000 - 1, [])


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


@settings(deadline=None)
@given(JSON_VALUES)
def test_repr_is_read_back(value) -> None:
    """`repr` of any JSON value is valid Python."""
    assume(not WINDOWS_PATH.search(repr(value)))  # it would keep its backslashes
    assert read(repr(value)) == (value, [])


@settings(deadline=None)
@given(JSON_VALUES)
def test_json_is_read_back(value) -> None:
    """Only its constants need a repair."""
    assume(not WINDOWS_PATH.search(json.dumps(value)))  # it would keep its backslashes
    read_back, repairs = read(json.dumps(value))
    assert read_back == value
    assert set(repairs) <= {"json_constant"}


@settings(deadline=None)
@given(st.text(st.sampled_from("'\"\\[](){}:,=abn1.-+ \n“”é{}"), max_size=60) | st.text())
def test_every_text_is_a_value_or_unreadable(text) -> None:
    """Nothing else is raised."""
    try:
        value, _ = read(text)
    except (UnreadableError, AssertionError):
        return
    assert not (isinstance(value, float) and math.isnan(value))


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        pytest.param("Line(a=1, b='x')", {"a": 1, "b": "x"}, id="two fields"),
        pytest.param("new a.Line ( a=1,)", {"a": 1}, id="a dotted name, and a comma at the end"),
        pytest.param("Line()", {}, id="no field"),
        pytest.param("Line(a=[1, 2], b=Other(c=1))", {"a": [1, 2], "b": "Other(c=1)"}, id="nested"),
        *(
            pytest.param(f"Line({rest}", None, id=rest)
            for rest in ("a=1, a=2)", "1)", "a=1) x", "a==1)", "a=1", "a=1 b=2)", "a=)", "(a=1)")
        ),
        pytest.param("x", None, id="a name"),
    ],
)
def test_constructor_has_fields(text, fields) -> None:
    """All are named, once, and nothing follows them."""
    assert Expression(text).read_fields() == fields


def test_a_comma_in_parentheses_makes_a_tuple() -> None:
    """Of one item, wherever its blanks are; parentheses around it are not another."""
    for text in ("(1,)", "( 1 , )", "((1),)", "(1 ,\n)"):
        assert read(text) == ([1], ["tuple"])
    assert read("[(1), (',')]") == ([1, ","], [])
