"""Values are coerced only if that keeps their meaning; every coercion has a name."""

from collections.abc import Sequence

import pytest

from langchain_segmind._tools import coerce_value
from langchain_segmind._tools.coercion import (
    Coerced,
    Coercer,
    coerce_arguments,
)
from langchain_segmind._tools.literal_parser import Expression, Scanner
from langchain_segmind._tools.schema_cache import DECIMAL, SchemaCache
from langchain_segmind._tools.strings import UnreadableError
from langchain_segmind._tools.tools import create_toolset
from tests.support.schemas import BOOLEAN, INTEGER, NULL, NUMBER, STRING, make_tool
from tests.support.steps import MAX_STEPS, count_steps


def coerce(value: object, schema: object, root: dict | None = None) -> tuple[object, list[str]]:
    """Return a coerced value and the names of the coercions."""
    coercer = Coercer(SchemaCache(root or {}))
    coerced = coercer.finish(coercer.coerce(value, schema))
    return coerced.value, [*coerced.coercions]


def coerce_call(arguments: dict, required: list[str], **properties: object) -> Coerced:
    """Return the coerced arguments of a call of a tool with these properties."""
    return coerce_arguments(
        arguments, create_toolset([make_tool("f", required, **properties)])["f"]
    )


def coerce_and_match(value: object, schema: object) -> tuple[object, bool]:
    """Return a coerced value and whether it matches the schema."""
    coerced = coerce_value(value, schema)
    return coerced.value, not coerced.mismatches


CLOSED = {"properties": {}, "additionalProperties": False}
MAYBE = {"anyOf": [NULL, INTEGER]}
LIST, DICT = {"type": "array"}, {"type": "object"}
PERSON = {"type": "object", "properties": {"name": STRING, "age": INTEGER}, "required": ["name"]}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        pytest.param("5", STRING, id="text"),
        pytest.param(5, NUMBER, id="an integer for a number"),
        pytest.param(5.5, NUMBER, id="a number"),
        pytest.param({"a": [1]}, DICT, id="a dict"),
        pytest.param(["5"], {"items": STRING}, id="items"),
        pytest.param([1, "a", 2], {"prefixItems": [{}, STRING], "items": INTEGER}, id="a tuple"),
        pytest.param({"name": "A", "more": [1]}, PERSON, id="another key"),
        pytest.param("b", {"enum": ["a", "b"]}, id="a choice"),
        pytest.param(None, {"enum": ["a", None]}, id="null among the choices"),
        pytest.param("5", {"anyOf": [INTEGER, STRING]}, id="the second alternative"),
        pytest.param("5", {}, id="anything"),
        pytest.param(5, True, id="no schema"),
        pytest.param([5], {"type": "unknown"}, id="an unknown type"),
    ],
)
def test_matching_value_is_not_changed(value, schema) -> None:
    """An alternative that matches as it is takes precedence over one that needs a coercion."""
    coerced, coercions = coerce(value, schema)
    assert (coerced, type(coerced), coercions) == (value, type(value), [])
    assert coerce_and_match(value, schema) == (value, True)


@pytest.mark.parametrize(
    ("value", "schema", "coerced", "name"),
    [
        pytest.param(" -5 ", INTEGER, -5, "text_to_number", id="text to an integer"),
        pytest.param(5.0, INTEGER, 5, "float_to_integer", id="a float to an integer"),
        pytest.param("2.5e3", NUMBER, 2500.0, "text_to_number", id="text to a number"),
        pytest.param("5", NUMBER, 5, "text_to_number", id="text to a whole number"),
        pytest.param(5, STRING, "5", "number_to_text", id="an integer to text"),
        pytest.param(5.5, STRING, "5.5", "number_to_text", id="a float to text"),
        pytest.param("True", BOOLEAN, True, "text_to_boolean", id="text to True"),
        pytest.param("false", BOOLEAN, False, "text_to_boolean", id="text to False"),
        pytest.param("[1, 2]", LIST, [1, 2], "literal_in_text", id="text to a list"),
        pytest.param("1", {**INTEGER, "enum": [1]}, 1, "text_to_number", id="text to a choice"),
        pytest.param("5", MAYBE, 5, "text_to_number", id="an alternative"),
        pytest.param(Expression("1/4"), NUMBER, 0.25, "calculation", id="a calculation"),
        pytest.param(Expression("2*3"), MAYBE, 6, "calculation", id="a whole calculation"),
        pytest.param(Expression("x"), STRING, "x", "expression_as_text", id="a variable's name"),
        pytest.param(Expression("x"), {}, "x", "expression_as_text", id="a variable for anything"),
        pytest.param(Expression("a"), {"enum": ["a"]}, "a", "expression_as_text", id="a choice"),
    ],
)
def test_equivalent_value_is_coerced(value, schema, coerced, name) -> None:
    """Every coercion has its own name."""
    result, coercions = coerce(value, schema)
    assert (result, type(result), coercions) == (coerced, type(coerced), [name])


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        pytest.param("five", INTEGER, id="a word for an integer"),
        pytest.param(5.5, INTEGER, id="half an integer"),
        pytest.param("5.5", INTEGER, id="half an integer in text"),
        pytest.param("1e999", NUMBER, id="more than a float holds"),
        pytest.param(True, INTEGER, id="a boolean for an integer"),
        pytest.param(1, BOOLEAN, id="an integer for a boolean"),
        pytest.param(True, STRING, id="a boolean for text"),
        pytest.param("yes", BOOLEAN, id="yes"),
        pytest.param(None, STRING, id="null for text"),
        pytest.param("", NULL, id="text for null"),
        pytest.param([1], STRING, id="a list for text"),
        pytest.param("[x]", LIST, id="a variable in a list in text"),
        pytest.param("(1, 2)", LIST, id="a tuple in text"),
        pytest.param("[1", LIST, id="half a list in text"),
        pytest.param("[1]", DICT, id="a list in text for a dict"),
        pytest.param("A", {"enum": ["a", "b"]}, id="a choice in another case"),
        pytest.param(1, {"enum": [True]}, id="one for True"),
        pytest.param([], {"anyOf": [STRING, INTEGER]}, id="a type outside the alternatives"),
    ],
)
def test_mismatch_is_kept(value, schema) -> None:
    """The tool judges it."""
    coerced, _ = coerce(value, schema)
    assert (coerced, type(coerced)) == (value, type(value))
    assert coerce_and_match(value, schema) == (value, False)


@pytest.mark.parametrize("schema", [INTEGER, LIST, {"enum": [1]}, {"anyOf": [NULL, BOOLEAN]}])
def test_mismatching_expression_becomes_its_text(schema) -> None:
    """A variable has no value here, and none is guessed."""
    coerced, coercions = coerce(Expression("x + 1"), schema)
    assert (coerced, type(coerced), coercions) == ("x + 1", str, [])
    bare_word = coerce(Expression("rome"), {"enum": ["oslo"]})
    assert bare_word == ("rome", ["expression_as_text"])


@pytest.mark.parametrize("text", ["...", "…", "<city>"])
def test_placeholder_is_refused(text) -> None:
    """The model is asked for the value instead."""
    with pytest.raises(UnreadableError, match="expected a value, not a placeholder"):
        coerce_call({"a": Expression(text)}, [], a=STRING)
    with pytest.raises(UnreadableError, match="expected a value, not a placeholder"):
        coerce_call({"a": [Expression(text)]}, [], a={"anyOf": [{"items": STRING}, NULL]})
    assert coerce_and_match(Expression(text), STRING) == (text, False)


def test_nested_values_are_coerced() -> None:
    """Objects, lists, references, undeclared properties, and JSON in a string."""
    root = {"$defs": {"Person": PERSON}}
    schema = {
        "type": "object",
        "properties": {"people": {"type": "array", "items": {"$ref": "#/$defs/Person"}}},
        "additionalProperties": {"type": "number"},
    }
    value = {"people": '[{"name": 5, "age": "6"}]', "score": "1.5"}
    assert coerce(value, schema, root) == (
        {"people": [{"name": "5", "age": 6}], "score": 1.5},
        ["literal_in_text", "number_to_text", "text_to_number", "text_to_number"],
    )


def test_expressions_become_text_without_a_schema() -> None:
    """The result is JSON on every level."""
    value = {"a": [Expression("x"), {"b": Expression("y")}]}
    for schema in ({}, STRING, {"enum": [1]}, {"anyOf": [STRING]}, {"type": ""}):
        coerced, _ = coerce(value, schema)
        assert coerced == value
        assert {type(coerced["a"][0]), type(coerced["a"][1]["b"])} == {str}


def test_null_for_an_optional_argument_is_dropped() -> None:
    """The model means that it omits the argument; null stays where it is a value."""
    coerced = coerce_call(
        dict.fromkeys(["text", "maybe", "any", "choice", "needed"]),
        ["needed"],
        text=STRING,
        maybe={"anyOf": [STRING, NULL]},
        any={},
        choice={"enum": ["a", None]},
        needed=STRING,
    )
    assert coerced.value == {"maybe": None, "any": None, "choice": None, "needed": None}
    assert coerced.coercions == ["null_dropped"]
    assert coerced.mismatches == ["needed: expected string"]


def test_missing_required_argument_gets_its_default() -> None:
    """A copy, so that one call cannot change another's; without a default it is a mismatch."""
    properties = {"a": {"default": [5]}, "b": STRING}
    coerced = coerce_call({"b": "x"}, ["a", "b"], **properties)
    assert coerced == Coerced({"a": [5], "b": "x"}, ["default"], [])
    coerced.value["a"].append(1)
    assert coerce_call({"b": "x"}, ["a", "b"], **properties).value["a"] == [5]
    missing = coerce_call({"a": 1}, ["a", "b"], **properties)
    assert missing == Coerced({"a": 1}, [], ["required 'b' is missing"])


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        pytest.param({"age": 5}, PERSON, id="in an object"),
        pytest.param([{"age": 5}], {"items": PERSON}, id="in a list"),
        pytest.param({}, {"allOf": [PERSON, {"properties": {}}]}, id="in one part of all"),
        pytest.param({}, {"anyOf": [{}], **PERSON}, id="beside alternatives"),
    ],
)
def test_missing_nested_property_is_a_mismatch(value, schema) -> None:
    """The reason names it."""
    assert "required 'name' is missing" in coerce_value(value, schema).problem
    assert coerce_and_match(value, schema) == (value, False)


def test_object_gets_the_alternative_without_missing_keys() -> None:
    """A key that one alternative requires can be optional in another."""
    other = {"type": "object", "properties": {"age": INTEGER}}
    assert coerce({"age": "5"}, {"anyOf": [PERSON, other]}) == ({"age": 5}, ["text_to_number"])


def test_properties_beside_alternatives_hold_for_each() -> None:
    """An object that must have one of two keys still has types."""
    schema = {
        "type": "object",
        "properties": {"a": INTEGER, "b": INTEGER},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    assert coerce({"b": "5"}, schema) == ({"b": 5}, ["text_to_number"])
    assert coerce_value({}, schema).mismatches == ["matches none of the allowed types"]


TREE = {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/Tree"}}, INTEGER]}


def test_recursive_schema_is_followed_to_the_end_of_the_value() -> None:
    """Here for forty levels."""
    schema = {"$ref": "#/$defs/Tree"}
    coerced = coerce(nest("5", 40), schema, {"$defs": {"Tree": TREE}})
    assert coerced == (nest(5, 40), ["text_to_number"])


@pytest.mark.parametrize("value", [5, Expression("1/6"), [[[5]]], {"a": Expression("x")}])
def test_alternatives_of_a_recursive_schema_are_limited(value) -> None:
    """They multiply; beyond the limit, nothing matches."""
    twice = [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/A"}]
    schema = {"anyOf": [*twice, {"type": "array", "items": {"$ref": "#/$defs/A"}}]}
    coerced = coerce_value(value, {"$ref": "#/$defs/A", "$defs": {"A": schema}})
    assert coerced.value == value
    assert coerced.mismatches


def test_alternatives_that_are_the_schema_itself_are_tried_once() -> None:
    """Each would multiply the work of the others."""
    schema = {"anyOf": [*[{"$ref": "#"}] * 10, {"type": "array", "items": {"$ref": "#"}}, INTEGER]}
    assert coerce_and_match([[1], 2], schema) == ([[1], 2], True)
    assert count_steps(lambda: coerce_value([["x"]] * 100, schema)) < MAX_STEPS / 20


ITSELF_WITH_OTHERS = {
    "properties": {"a": {"$ref": "#"}},
    "anyOf": [{"$ref": "#"}, {"required": ["z"]}],
}
NAMES = {"enum": [f"name {index}" for index in range(3_000)]}
LENGTHS = {"anyOf": [{**STRING, "minLength": length} for length in range(10, 60)]}
BROAD = {
    "a schema that is its own alternative": (ITSELF_WITH_OTHERS, [{"a": {"a": {"a": 5}}}] * 500),
    "many choices": ({"items": NAMES}, [*map(str, range(20_000))]),
    "many alternatives": ({"items": LENGTHS}, [*map(str, range(2_000))]),
    "many alternatives for one text": ({"items": LENGTHS}, ["x"] * 20_000),
}


@pytest.mark.parametrize("case", BROAD)
def test_broad_schema_takes_linear_time(case) -> None:
    """What is found out about a schema is kept, also from one value to the next."""
    schema, value = BROAD[case]
    values = [dict(one) for one in value] if case.startswith("a schema") else [value]
    schemas = SchemaCache(schema)

    def coerce_all() -> None:
        for one in values:
            coerce_value(one, schema, schemas)

    assert count_steps(coerce_all) < MAX_STEPS / 2


def create_sum(levels: int, leaf: object) -> object:
    """Return a sum of sums."""
    if not levels:
        return leaf
    return {"op": "/", "left": create_sum(levels - 1, leaf), "right": create_sum(levels - 1, leaf)}


def create_formula(*operators: object, required: Sequence[str] = ("op", "left")) -> dict:
    """Return the schema of a binary tree, with a type for each operator."""
    sides = {side: {"$ref": "#/$defs/Formula"} for side in ["left", "right"]}
    types = [
        {
            "type": "object",
            "properties": {"op": operator, **sides},
            "required": [*required],
        }
        for operator in operators
    ]
    return {"$ref": "#/$defs/Formula", "$defs": {"Formula": {"anyOf": [*types, INTEGER]}}}


FORMULAS = {
    "told apart by a constant": create_formula(*[{"const": name} for name in "+-*/"]),
    "told apart by a default": create_formula(
        *[{"const": name, "default": name} for name in "+-*/"], required=["left"]
    ),
    "told apart by a pattern": create_formula(
        *[{**STRING, "pattern": pattern} for pattern in ("[+]", "[-]", "[*]", "/")]
    ),
}


@pytest.mark.parametrize("case", FORMULAS)
def test_tree_of_alternatives_is_coerced_in_linear_time(case) -> None:
    """Each level has four types, of which the last is right."""
    schema = FORMULAS[case]
    assert coerce_and_match(create_sum(8, "1"), schema) == (create_sum(8, 1), True)
    assert count_steps(lambda: coerce_value(create_sum(8, "1"), schema)) < MAX_STEPS / 5


def test_alternatives_that_multiply_are_not_tried() -> None:
    """The value may match: the caller must find out in another way."""
    several = [
        {"anyOf": [{"required": [f"{index} {letter}"]} for letter in "abcd"]} for index in range(10)
    ]
    coerced = coerce_value({}, {"allOf": several})
    assert (coerced.value, coerced.problem) == ({}, "too many alternatives")
    assert not coerced.is_complete


def test_no_alternative_but_null_is_a_mismatch() -> None:
    """There is no other reason to show."""
    assert coerce_value(5, {"anyOf": [NULL]}).problem == "matches none of the allowed types"
    assert coerce_value(5, {"anyOf": [False]}).mismatches


@pytest.mark.parametrize(
    ("value", "schema", "coerced"),
    [
        pytest.param("5", {**INTEGER, "anyOf": [{"minimum": 9}, {"maximum": 7}]}, 5, id="a type"),
        pytest.param(
            {"a": "5"},
            {"properties": {"a": INTEGER}, "anyOf": [{"properties": {"a": {"maximum": 7}}}]},
            {"a": 5},
            id="a property",
        ),
        pytest.param(
            {"a": 5},
            {"allOf": [{"properties": {"a": STRING}}, {"properties": {"a": {"maxLength": 9}}}]},
            {"a": "5"},
            id="a property of several parts",
        ),
        pytest.param(
            "5",
            {"allOf": [{"anyOf": [INTEGER, NULL]}, {"anyOf": [{"minimum": 9}, {"maximum": 7}]}]},
            5,
            id="alternatives of several parts",
        ),
        pytest.param("5", {"type": ["integer", "null"], "minimum": 5}, 5, id="types"),
    ],
)
def test_all_parts_of_a_schema_count(value, schema, coerced) -> None:
    """What one part says of a value holds beside the others."""
    assert coerce_and_match(value, schema) == (coerced, True)


def test_texts_that_are_read_share_no_object() -> None:
    """Changing one item does not change another."""
    schema = {"items": {"anyOf": [LIST, NULL]}}
    first, second = coerce_value(["[1]", "[1]"], schema).value
    assert first == second == [1]
    assert first is not second


@pytest.mark.parametrize("schema", [{"enum": [0.0, ""]}, {"anyOf": [{"enum": ["", 0.0]}, NULL]}])
def test_number_among_choices_of_text_stays_a_number(schema) -> None:
    """Its text, `0.0`, is no choice."""
    [zero] = Scanner("[0.0]").read_value()
    assert coerce_and_match(zero, schema) == (0.0, True)


def nest(value: object, levels: int) -> object:
    """Return a value inside lists."""
    for _ in range(levels):
        value = [value]
    return value


def copies(schema: dict, count: int) -> list[dict]:
    """Return equal schemas that are not the same object."""
    return [dict(schema) for _ in range(count)]


LIST_OF_ITSELF = {"$defs": {"A": {"items": {"$ref": "#/$defs/A"}}}, "$ref": "#/$defs/A"}
LIMITS = {
    "20,000 alternatives": lambda n: ("a", {"anyOf": [*copies(INTEGER, 19_999 + n), STRING]}),
    "50 alternatives for each of many parts": lambda n: (
        [f"text {index}" for index in range(1_000)],
        {"items": {"anyOf": [*copies(INTEGER, 49 + n), STRING]}},
    ),
    "100 levels": lambda n: (nest([], 99 + n), LIST_OF_ITSELF),
    "100 digits": lambda n: ("9" * (100 + n), INTEGER),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_value_beyond_a_limit_is_a_mismatch(limit) -> None:
    """Larger ones would take too long."""
    for excess in (0, 1):
        value, schema = LIMITS[limit](excess)
        assert coerce_and_match(value, schema)[1] is (excess == 0)


def test_types_of_all_alternatives_are_looked_up() -> None:
    """An expression is text only if one of them is."""
    integers = copies(INTEGER, 1_000)
    assert coerce_value(Expression("x"), {"anyOf": integers}).problem == "expected integer"
    assert coerce_and_match(Expression("x"), {"anyOf": [*integers, STRING]}) == ("x", True)


def test_long_reason_is_shortened() -> None:
    """Ten mismatches, ten choices, and the first characters of each name and value are shown."""
    coerced = coerce_value(["x"] * 12, {"items": INTEGER})
    assert len(coerced.mismatches) == 12
    assert coerced.problem.split("; ") == [f"{index}: expected integer" for index in range(10)]
    properties = {
        "n" * 81: {"enum": [*range(11)]},
        "long": {"enum": ["c" * 300]},
        "odd": {**STRING, "pattern": "p" * 100},
    }
    assert coerce_value(dict.fromkeys(properties, "x"), {"properties": properties}).mismatches == [
        f"{'n' * 80}: expected one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        f"long: expected one of '{'c' * 199}",
        f"odd: must meet pattern='{'p' * 79}",
    ]


MALFORMED = [
    {"type": ["integer", 5]},
    {"type": "object", "properties": 5, "required": [["a"], 5]},
    {"type": "array", "items": [STRING]},
    {"enum": []},
    {"anyOf": [5, None]},
    {"prefixItems": 5, "items": 5},
]


@pytest.mark.parametrize("schema", MALFORMED)
def test_malformed_schema_changes_no_value(schema) -> None:
    """Tools come from third parties."""
    for value in (5, "a", [1], {"a": 1}, None, Expression("x")):
        assert coerce(value, schema)[0] == value


CONSTRAINTS = [
    ({"type": "integer", "minimum": 5}, 5, 4),
    ({"type": "number", "exclusiveMinimum": 5}, 5.1, 5),
    ({"type": "integer", "maximum": 5}, 5, 6),
    ({"type": "number", "exclusiveMaximum": 5}, 4.9, 5),
    ({"type": "number", "multipleOf": 0.1}, 0.3, 0.35),
    ({"type": "string", "minLength": 2}, "ab", "a"),
    ({"type": "string", "maxLength": 2}, "ab", "abc"),
    ({"type": "string", "pattern": "^a+$"}, "aa", "b"),
    ({"type": "array", "minItems": 1}, [1], []),
    ({"type": "array", "maxItems": 1}, [1], [1, 2]),
    ({"type": "array", "uniqueItems": True}, [1, "1"], [1, 1]),
    ({"type": "object", "minProperties": 1}, {"a": 1}, {}),
    ({"type": "object", "maxProperties": 0}, {}, {"a": 1}),
    ({"patternProperties": {"^x": INTEGER}, "additionalProperties": False}, {"x": 5}, {"y": 5}),
]


@pytest.mark.parametrize(("schema", "good", "bad"), CONSTRAINTS, ids=lambda value: str(value)[:30])
def test_constraints_are_checked(schema, good, bad) -> None:
    """A value that violates one stays and is a mismatch."""
    assert coerce_and_match(good, schema) == (good, True)
    assert coerce_and_match(bad, schema) == (bad, False)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param({**STRING, "pattern": "(?<name"}, "a", id="a malformed pattern"),
        pytest.param({**STRING, "minLength": "2"}, "a", id="a length as text"),
        pytest.param({**STRING, "pattern": 5}, "a", id="a number as pattern"),
        pytest.param({**STRING, "minimum": 5}, "a", id="a range of texts"),
        pytest.param({**INTEGER, "multipleOf": 0}, 5, id="a multiple of zero"),
    ],
)
def test_malformed_constraint_is_ignored(schema, value) -> None:
    """Schemas come from third parties."""
    assert coerce_and_match(value, schema) == (value, True)


@pytest.mark.parametrize(
    ("value", "schema", "reason"),
    [
        pytest.param([], {"anyOf": [STRING, INTEGER]}, "matches none of the", id="alternatives"),
        pytest.param([], {"anyOf": [STRING, NULL]}, "expected string", id="all but null"),
        pytest.param([{}, {"name": []}], {"items": PERSON}, "0: required 'name' is", id="missing"),
        pytest.param(
            {"people": [{"name": "A"}, {"name": []}]},
            {"properties": {"people": {"items": PERSON}}},
            "people.1.name: expected string",
            id="a field of an item",
        ),
        pytest.param({"more": 1}, CLOSED, "more: value is not allowed here", id="a new key"),
        pytest.param({"age": Expression("x")}, PERSON, "required 'name'", id="a missing field"),
        pytest.param([Expression("x")], {"items": INTEGER}, "0: expected int", id="a variable"),
        pytest.param([Expression("…")], {"items": STRING}, "0: expected a value", id="placeholder"),
    ],
)
def test_mismatch_says_where_and_why(value, schema, reason) -> None:
    """The model and the user need both to correct it."""
    assert coerce_value(value, schema).mismatches[0].startswith(reason)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param(STRING, "3.10", id="text"),
        pytest.param({"enum": ["3.9", "3.10"]}, "3.10", id="a choice"),
        pytest.param(NUMBER, 3.1, id="a number"),
        pytest.param({"anyOf": [STRING, NUMBER]}, 3.1, id="text or a number"),
    ],
)
def test_number_keeps_its_digits_where_text_is_expected(schema, value) -> None:
    """Python 3.10 is not Python 3.1."""
    coerced, _ = coerce(Scanner("3.10").read_value(), schema)
    assert (coerced, type(coerced)) == (value, type(value))


@pytest.mark.parametrize("text", [".50", "0xFF00FF", "1_000", "1e5", "1234567890123456.10"])
def test_every_number_literal_keeps_its_text(text) -> None:
    """A part number, a color, a size."""
    assert coerce(Scanner(text).read_value(), STRING)[0] == text
    for schema in ({}, {"type": ""}):
        assert type(coerce(Scanner(text).read_value(), schema)[0]) in {int, float}


@pytest.mark.parametrize("text", ["12345678901234567891.0", "1.0000000000000000000001"])
def test_an_integer_with_more_digits_than_a_float_is_a_mismatch(text) -> None:
    """Rounded, it would be another number."""
    coerced = coerce_value(Scanner(text).read_value(), INTEGER)
    assert (coerced.value, coerced.problem) == (text, "expected integer")
    assert coerce(Scanner("5.0").read_value(), INTEGER)[0] == 5


@pytest.mark.parametrize("text", ["1e23", "1e+23", "1E23", "100000000000000000000000.0"])
def test_large_integer_is_what_the_digits_say(text) -> None:
    """`int(1e23)` is 99999999999999991611392."""
    assert coerce(Scanner(text).read_value(), INTEGER) == (10**23, ["float_to_integer"])


@pytest.mark.parametrize("text", ["1.10", "0.50", ".500", "3.0", "12345678901234567.89"])
@pytest.mark.parametrize("mark", [{"pattern": r"^\d*\.?\d*$"}, {DECIMAL: True}])
def test_decimal_keeps_its_digits(text, mark) -> None:
    """It is a number, or text of a pattern or a mark; other text is not a better number."""
    schema = {"anyOf": [NUMBER, {**STRING, **mark}]}
    assert coerce(Scanner(text).read_value(), schema) == (text, ["number_to_text"])
    assert coerce(Scanner("3.10").read_value(), {"anyOf": [NUMBER, STRING]}) == (3.1, [])
    dollars = {"anyOf": [NUMBER, {**STRING, "pattern": r"^\$"}]}
    assert coerce(Scanner("3.10").read_value(), dollars) == (3.1, [])
    assert coerce(Scanner("1.5").read_value(), schema) == (1.5, [])
    assert coerce(Scanner("1e5").read_value(), schema) == (1e5, [])


@pytest.mark.parametrize("text", ["2024-1-2", "555-1234"])
def test_date_is_not_calculated(text) -> None:
    """2024-1-2 does not mean 2021."""
    assert coerce(Expression(text), INTEGER) == (text, [])


@pytest.mark.parametrize("levels", [300, 900])
def test_deep_value_without_schema_is_a_mismatch(levels) -> None:
    """It raises no RecursionError, even beside a missing key."""
    schema = {"properties": {}, "required": ["a"]}
    assert coerce_and_match({"b": nest([], levels)}, schema)[1] is False


def test_choice_is_copied() -> None:
    """Changing the arguments of one call does not change another's."""
    choice = {"k": [1]}
    coerce({"k": [1]}, {"enum": [choice]})[0]["k"].append(2)
    assert choice == {"k": [1]}


def test_pattern_is_matched_in_linear_time() -> None:
    """Python's `re` would take hours for this one."""
    schema = {"type": "string", "pattern": "^(a+)+$"}
    assert coerce_and_match("a" * 5_000 + "b", schema)[1] is False
