"""Values are bent to a schema only where both say the same; each bend has a name."""

import pytest

from langchain_segmind._tools import coerce_value
from langchain_segmind._tools.coercion import (
    MISMATCH,
    Coerced,
    Coercer,
    MissingError,
    coerce_arguments,
)
from langchain_segmind._tools.literal_parser import Expression, Scanner, UnreadableError
from langchain_segmind._tools.tools import Tool, create_toolset


def bend(value: object, schema: object, root: dict | None = None) -> tuple[object, list[str]]:
    """Bend one value; give it with its type, and the names of the bends."""
    coercer = Coercer(root or {})
    return coercer.coerce(value, schema), coercer.coercions


def fit(value: object, schema: object) -> tuple[object, bool]:
    """Bend one value; give it, and whether it fits then."""
    coerced = coerce_value(value, schema)
    return coerced.value, not coerced.mismatches


def create_tool(**parameters: object) -> Tool:
    """Make a tool of a schema's keys."""
    function = {"name": "f", "parameters": {"type": "object", **parameters}}
    return create_toolset([{"type": "function", "function": function}])["f"]


STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
BOOLEAN, NULL = {"type": "boolean"}, {"type": "null"}
LIST, DICT = {"type": "array"}, {"type": "object"}
PERSON = {
    "type": "object",
    "properties": {"name": STRING, "age": INTEGER},
    "required": ["name"],
}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        pytest.param("5", STRING, id="text"),
        pytest.param(5, INTEGER, id="an integer"),
        pytest.param(5, NUMBER, id="an integer for a number"),
        pytest.param(5.5, NUMBER, id="a number"),
        pytest.param(True, BOOLEAN, id="a truth"),
        pytest.param(None, NULL, id="null"),
        pytest.param([1, "a"], LIST, id="a list"),
        pytest.param({"a": [1]}, DICT, id="a dict"),
        pytest.param(["5"], {"items": STRING}, id="items"),
        pytest.param(
            [1, "a", 2], {"prefixItems": [INTEGER, STRING], "items": INTEGER}, id="firsts"
        ),
        pytest.param({"name": "A", "age": 5}, PERSON, id="an object"),
        pytest.param({"name": "A", "more": [1]}, PERSON, id="another key"),
        pytest.param("b", {"enum": ["a", "b"]}, id="a choice"),
        pytest.param(None, {"enum": ["a", None]}, id="null among the choices"),
        pytest.param("5", {"anyOf": [INTEGER, STRING]}, id="the second alternative"),
        pytest.param("5", {"type": ["integer", "string"]}, id="the second type"),
        pytest.param("5", {}, id="anything"),
        pytest.param(5, True, id="no schema"),
        pytest.param([5], {"type": "unknown"}, id="an unknown type"),
    ],
)
def test_what_fits_is_left_alone(value, schema) -> None:
    """No bend, and no alternative that would need one before one that fits."""
    bent, bends = bend(value, schema)
    assert (bent, type(bent), bends) == (value, type(value), [])
    assert fit(value, schema) == (value, True)


@pytest.mark.parametrize(
    ("value", "schema", "bent", "name"),
    [
        pytest.param("5", INTEGER, 5, "text_to_number", id="text to an integer"),
        pytest.param(" -5 ", INTEGER, -5, "text_to_number", id="blanks around it"),
        pytest.param(5.0, INTEGER, 5, "float_to_integer", id="a float to an integer"),
        pytest.param("2.5e3", NUMBER, 2500.0, "text_to_number", id="text to a number"),
        pytest.param("5", NUMBER, 5, "text_to_number", id="text to a whole number"),
        pytest.param(5, STRING, "5", "number_to_text", id="a number to text"),
        pytest.param(5.5, STRING, "5.5", "number_to_text", id="a float to text"),
        pytest.param("True", BOOLEAN, True, "text_to_boolean", id="text to a truth"),
        pytest.param("false", BOOLEAN, False, "text_to_boolean", id="text to an untruth"),
        pytest.param("[1, 2]", LIST, [1, 2], "literal_in_text", id="text to a list"),
        pytest.param('{"a": null}', DICT, {"a": None}, "literal_in_text", id="text to a dict"),
        pytest.param("1", {**INTEGER, "enum": [1]}, 1, "text_to_number", id="text to a choice"),
        pytest.param(1, {**STRING, "enum": ["1"]}, "1", "number_to_text", id="number to a choice"),
        pytest.param("5", {"anyOf": [NULL, INTEGER]}, 5, "text_to_number", id="an alternative"),
        pytest.param(Expression("1/4"), NUMBER, 0.25, "calculation", id="a calculation"),
        pytest.param(
            Expression("2*3"), {"anyOf": [INTEGER, NULL]}, 6, "calculation", id="a whole one"
        ),
        pytest.param(
            Expression("1/4"), STRING, "1/4", "expression_as_text", id="no calculation in text"
        ),
        pytest.param(Expression("x"), STRING, "x", "expression_as_text", id="a variable's name"),
        pytest.param(Expression("x"), {}, "x", "expression_as_text", id="a variable for anything"),
        pytest.param(
            Expression("oslo"), {"enum": ["oslo"]}, "oslo", "expression_as_text", id="a bare word"
        ),
    ],
)
def test_what_says_the_same_is_bent(value, schema, bent, name) -> None:
    """Each bend has its own name."""
    result, bends = bend(value, schema)
    assert (result, type(result), bends) == (bent, type(bent), [name])


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        pytest.param("five", INTEGER, id="a word for an integer"),
        pytest.param(5.5, INTEGER, id="half an integer"),
        pytest.param("5.5", INTEGER, id="half an integer in text"),
        pytest.param("1e999", NUMBER, id="more than a float holds"),
        pytest.param(True, INTEGER, id="a truth for an integer"),
        pytest.param(1, BOOLEAN, id="an integer for a truth"),
        pytest.param(True, STRING, id="a truth for text"),
        pytest.param("yes", BOOLEAN, id="yes"),
        pytest.param(None, STRING, id="null for text"),
        pytest.param("", NULL, id="text for null"),
        pytest.param([1], STRING, id="a list for text"),
        pytest.param("a", LIST, id="text for a list"),
        pytest.param("[1", LIST, id="half a list in text"),
        pytest.param("[x]", LIST, id="a variable in a list in text"),
        pytest.param("(1, 2)", LIST, id="a tuple in text"),
        pytest.param("[1]", DICT, id="a list in text for a dict"),
        pytest.param("c", {"enum": ["a", "b"]}, id="no choice"),
        pytest.param("A", {"enum": ["a", "b"]}, id="a choice in another case"),
        pytest.param(1, {"enum": [True]}, id="one is no truth"),
        pytest.param([], {"anyOf": [STRING, INTEGER]}, id="no alternative"),
        pytest.param({"a": 1}, {"properties": {}, "additionalProperties": False}, id="a new key"),
    ],
)
def test_what_does_not_fit_stays_as_it_is(value, schema) -> None:
    """The tool is the judge of it."""
    bent, bends = bend(value, schema)
    assert (bent, type(bent)) == (value, type(value))
    assert MISMATCH in bends
    assert fit(value, schema) == (value, False)


@pytest.mark.parametrize("schema", [INTEGER, LIST, {"enum": [1]}, {"anyOf": [NULL, BOOLEAN]}])
def test_an_expression_that_does_not_fit_is_its_text(schema) -> None:
    """A variable has no value here, and nobody guesses one."""
    bent, bends = bend(Expression("x + 1"), schema)
    assert (bent, type(bent), bends) == ("x + 1", str, [MISMATCH])


def test_an_expression_must_be_among_the_choices() -> None:
    """A bare word is text, and text has to fit."""
    assert bend(Expression("rome"), {"enum": ["oslo"]}) == (
        "rome",
        ["expression_as_text", MISMATCH],
    )


@pytest.mark.parametrize("text", ["...", "…", "<city>", "....."])
def test_a_placeholder_is_no_value(text) -> None:
    """A model that leaves a value out is asked for it."""
    with pytest.raises(UnreadableError, match="is a placeholder, not a value"):
        bend(Expression(text), STRING)
    with pytest.raises(UnreadableError, match="is a placeholder, not a value"):
        bend([Expression(text)], {"anyOf": [{"items": STRING}, NULL]})
    assert fit(Expression(text), STRING) == (text, False)


def test_bends_reach_every_level() -> None:
    """Objects, lists, references, others' properties, and text that holds JSON."""
    root = {"$defs": {"Person": PERSON}}
    schema = {
        "type": "object",
        "properties": {"people": {"type": "array", "items": {"$ref": "#/$defs/Person"}}},
        "additionalProperties": {"type": "number"},
    }
    value = {"people": '[{"name": 5, "age": "6"}]', "score": "1.5"}
    assert bend(value, schema, root) == (
        {"people": [{"name": "5", "age": 6}], "score": 1.5},
        ["literal_in_text", "number_to_text", "text_to_number", "text_to_number"],
    )


def test_expressions_become_text_where_there_is_no_schema() -> None:
    """What leaves the reader is JSON, all the way down."""
    value = {"a": [Expression("x"), {"b": Expression("y")}]}
    for schema in ({}, STRING, {"enum": [1]}, {"anyOf": [STRING]}):
        bent, _ = bend(value, schema)
        assert bent == value
        assert {type(bent["a"][0]), type(bent["a"][1]["b"])} == {str}


def test_a_null_for_what_may_be_left_out_is_dropped() -> None:
    """A model says so that it leaves an argument out; where null is a value, it stays."""
    tool = create_tool(
        properties={
            "text": STRING,
            "maybe": {"anyOf": [STRING, NULL]},
            "any": {},
            "choice": {"enum": ["a", None]},
            "needed": STRING,
        },
        required=["needed"],
    )
    given = dict.fromkeys(["text", "maybe", "any", "choice", "needed"])
    coerced = coerce_arguments(given, tool)
    assert coerced.value == {"maybe": None, "any": None, "choice": None, "needed": None}
    assert coerced.coercions == ["null_dropped", MISMATCH]
    assert coerced.mismatches == ["needed: expected string"]


def test_a_required_argument_is_there_or_has_a_default() -> None:
    """A default says what its absence means; without one, the model is asked."""
    tool = create_tool(
        properties={"a": {"type": "integer", "default": 5}, "b": STRING}, required=["a", "b"]
    )
    assert coerce_arguments({"b": "x"}, tool) == Coerced({"a": 5, "b": "x"}, ["default"], [])
    with pytest.raises(MissingError, match="required 'b' is missing"):
        coerce_arguments({"a": 1}, tool)


def test_a_default_is_copied() -> None:
    """Whoever changes the arguments of one call changes no other's."""
    tool = create_tool(properties={"a": {"default": []}}, required=["a"])
    coerce_arguments({}, tool).value["a"].append(1)
    assert coerce_arguments({}, tool).value == {"a": []}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        pytest.param({"age": 5}, PERSON, id="in an object"),
        pytest.param([{"age": 5}], {"items": PERSON}, id="in a list"),
        pytest.param({"x": {"age": 5}}, {"additionalProperties": PERSON}, id="in other properties"),
        pytest.param({"age": 5}, {"anyOf": [PERSON, NULL]}, id="in an object or null"),
        pytest.param('{"age": 5}', PERSON, id="in JSON in text"),
        pytest.param({}, {"allOf": [PERSON, {"properties": {}}]}, id="in one part of all"),
        pytest.param({}, {"anyOf": [{}], **PERSON}, id="beside alternatives"),
    ],
)
def test_what_is_required_is_required_on_every_level(value, schema) -> None:
    """The name of what is missing is the reason."""
    with pytest.raises(MissingError, match="required 'name' is missing"):
        bend(value, schema)
    assert fit(value, schema) == (value, False)


def test_an_object_takes_the_alternative_that_lacks_nothing() -> None:
    """What is missing for one may not be needed for the other."""
    other = {"type": "object", "properties": {"age": INTEGER}}
    assert bend({"age": "5"}, {"anyOf": [PERSON, other]}) == ({"age": 5}, ["text_to_number"])


def test_properties_beside_alternatives_count_for_each() -> None:
    """An object that must have one of two keys still has types."""
    schema = {
        "type": "object",
        "properties": {"a": INTEGER, "b": INTEGER},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    assert bend({"b": "5"}, schema) == ({"b": 5}, ["text_to_number"])
    with pytest.raises(MissingError, match="'a' is missing"):
        bend({}, schema)


TREE = {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/Tree"}}, INTEGER]}


def test_a_recursive_schema_is_followed_as_deep_as_the_value() -> None:
    """The value ends, so the schema does."""
    value: object = "5"
    for _ in range(40):
        value = [value]
    bent, bends = bend(value, {"$ref": "#/$defs/Tree"}, {"$defs": {"Tree": TREE}})
    assert str(bent) == str(value).replace("'", "")
    assert bends == ["text_to_number"]


@pytest.mark.parametrize(
    "value", [5, "x", Expression("x"), Expression("1/6"), [[[5]]], {"a": Expression("x")}]
)
def test_a_schema_that_is_any_of_itself_ends(value) -> None:
    """Alternatives multiply up to a bound; what is beyond it counts as no fit."""
    twice = [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/A"}]
    schema = {"anyOf": [*twice, {"type": "array", "items": {"$ref": "#/$defs/A"}}]}
    bent, bends = bend(value, {"$ref": "#/$defs/A"}, {"$defs": {"A": schema}})
    assert bent == value
    assert bends


def test_a_value_deeper_than_any_schema_is_followed_ends() -> None:
    """It is kept as it is, and counts as no fit."""
    value: object = 5
    for _ in range(150):
        value = [value]
    root = {"$defs": {"A": {"items": {"$ref": "#/$defs/A"}}}}
    assert bend(value, {"$ref": "#/$defs/A"}, root) == (value, [MISMATCH])


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["integer", 5]},
        {"type": "object", "properties": 5, "required": [["a"], 5]},
        {"type": "array", "items": [STRING]},
        {"enum": []},
        {"anyOf": [5, None]},
        {"prefixItems": 5, "items": 5},
    ],
)
def test_a_nonsensical_schema_breaks_nothing(schema) -> None:
    """Tools come from others."""
    for value in (5, "a", [1], {"a": 1}, None, Expression("x")):
        assert bend(value, schema)[0] == value


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        pytest.param({"type": "integer", "minimum": 5}, 5, 4, id="minimum"),
        pytest.param({"type": "number", "exclusiveMinimum": 5}, 5.1, 5, id="open minimum"),
        pytest.param({"type": "integer", "maximum": 5}, 5, 6, id="maximum"),
        pytest.param({"type": "number", "exclusiveMaximum": 5}, 4.9, 5, id="open maximum"),
        pytest.param({"type": "number", "multipleOf": 0.1}, 0.3, 0.35, id="multiple"),
        pytest.param({"type": "string", "minLength": 2}, "ab", "a", id="least length"),
        pytest.param({"type": "string", "maxLength": 2}, "ab", "abc", id="greatest length"),
        pytest.param({"type": "string", "pattern": "^a+$"}, "aa", "b", id="pattern"),
        pytest.param({"type": "array", "minItems": 1}, [1], [], id="least items"),
        pytest.param({"type": "array", "maxItems": 1}, [1], [1, 2], id="greatest items"),
        pytest.param({"type": "array", "uniqueItems": True}, [1, "1"], [1, 1], id="no twins"),
        pytest.param({"type": "object", "minProperties": 1}, {"a": 1}, {}, id="least keys"),
        pytest.param({"type": "object", "maxProperties": 0}, {}, {"a": 1}, id="greatest keys"),
        pytest.param(
            {"patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": False},
            {"x1": 5},
            {"y": 5},
            id="a pattern of keys",
        ),
    ],
)
def test_what_a_schema_demands_beyond_types_is_checked(schema, good, bad) -> None:
    """A value that does not meet it stays, and is noted."""
    assert fit(good, schema) == (good, True)
    assert fit(bad, schema) == (bad, False)


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"type": "string", "pattern": "(?<name"}, id="a pattern of no language"),
        pytest.param({"type": "string", "minLength": "2"}, id="a length that is a text"),
        pytest.param({"type": "string", "pattern": 5}, id="a pattern that is a number"),
        pytest.param({"type": "string", "minimum": 5}, id="a range of texts"),
    ],
)
def test_a_demand_that_is_none_counts_for_nothing(schema) -> None:
    """Schemas come from servers of others."""
    assert fit("a", schema) == ("a", True)


def test_a_multiple_of_nothing_counts_for_nothing() -> None:
    """Nobody divides by it."""
    assert fit(5, {"type": "integer", "multipleOf": 0}) == (5, True)


@pytest.mark.parametrize(
    ("value", "schema", "reason"),
    [
        pytest.param("old", INTEGER, "expected integer", id="a type"),
        pytest.param("c", {"enum": ["a", "b"]}, "expected one of 'a', 'b'", id="a choice"),
        pytest.param(4, {"type": "integer", "minimum": 5}, "must meet minimum=5", id="range"),
        pytest.param(
            [], {"anyOf": [STRING, INTEGER]}, "matches none of the allowed types", id="alternatives"
        ),
        pytest.param([], {"anyOf": [STRING, NULL]}, "expected string", id="all but null"),
        pytest.param({"name": "A", "age": "x"}, PERSON, "age: expected integer", id="a field"),
        pytest.param(
            {"people": [{"name": "A"}, {"name": []}]},
            {"properties": {"people": {"items": PERSON}}},
            "people.1.name: expected string",
            id="a field of an item",
        ),
        pytest.param(
            {"people": [{}]},
            {"properties": {"people": {"items": PERSON}}},
            "people.0: required 'name' is missing",
            id="a missing field of an item",
        ),
        pytest.param(
            {"more": 1},
            {"properties": {}, "additionalProperties": False},
            "more: value is not allowed here",
            id="a new key",
        ),
        pytest.param(
            {"age": Expression("x")},
            {"properties": {"age": INTEGER}},
            "age: expected integer",
            id="a variable",
        ),
        pytest.param(
            [Expression("...")],
            {"items": STRING},
            "0: ... is a placeholder, not a value",
            id="a placeholder",
        ),
    ],
)
def test_a_misfit_says_where_and_why(value, schema, reason) -> None:
    """A model that reads it can mend it, and so can a user."""
    assert coerce_value(value, schema).mismatches[0].startswith(reason)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param(STRING, "3.10", id="text"),
        pytest.param({"anyOf": [STRING, NULL]}, "3.10", id="text or nothing"),
        pytest.param({"enum": ["3.9", "3.10"]}, "3.10", id="a choice"),
        pytest.param(NUMBER, 3.1, id="a number"),
        pytest.param({"anyOf": [STRING, NUMBER]}, 3.1, id="text or a number"),
        pytest.param({}, 3.1, id="anything"),
    ],
)
def test_a_number_keeps_its_spelling_where_text_is_meant(schema, value) -> None:
    """Python 3.10 is not Python 3.1."""
    bent, _ = bend(Scanner("3.10").read_value(), schema)
    assert (bent, type(bent)) == (value, type(value))


@pytest.mark.parametrize("text", [".50", "0xFF00FF", "1_000", "1e5", "1234567890123456.10"])
def test_any_spelling_of_a_number_stays_where_text_is_meant(text) -> None:
    """A part number, a color, a size."""
    assert bend(Scanner(text).read_value(), STRING)[0] == text
    assert type(bend(Scanner(text).read_value(), {})[0]) in {int, float}


@pytest.mark.parametrize("text", ["2024-1-2", "555-1234"])
def test_a_date_is_no_calculation(text) -> None:
    """Nobody means 2021."""
    assert bend(Expression(text), INTEGER) == (text, [MISMATCH])


def test_many_items_of_several_types_are_no_misfit() -> None:
    """The bound on what is tried grows with what there is."""
    schema = {"anyOf": [{"items": {"anyOf": [INTEGER, STRING]}}, NULL]}
    assert fit(["a"] * 20_000, schema)[1] is True


def test_a_choice_is_copied() -> None:
    """Whoever changes the arguments of one call changes no other's."""
    choice = {"k": [1]}
    bend({"k": [1]}, {"enum": [choice]})[0]["k"].append(2)
    assert choice == {"k": [1]}


def test_a_schema_without_types_gives_plain_json() -> None:
    """Also where the type that it names is none."""
    value = Scanner("[foo, 3.10]").read_value()
    assert bend(value, {"items": {"type": ""}})[0] == ["foo", 3.1]
    assert [type(one) for one in bend(value, {"items": {"type": ""}})[0]] == [str, float]


@pytest.mark.parametrize("levels", [300, 700, 900])
def test_no_depth_breaks_the_coercer(levels) -> None:
    """Also below what is missing."""
    value: object = []
    for _ in range(levels):
        value = [value]
    assert fit({"b": value}, {"properties": {}, "required": ["a"]})[1] is False


def test_a_pattern_takes_a_time_that_is_linear_in_the_text() -> None:
    """A pattern that Python would try for hours, on a text that a model wrote."""
    schema = {"type": "string", "pattern": "^(a+)+$"}
    assert fit("a" * 5_000 + "b", schema)[1] is False
