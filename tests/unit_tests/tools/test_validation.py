"""Values are checked against all of JSON Schema, in bounded time, and never quoted."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_segmind._tools.coercion import coerce_value
from langchain_segmind._tools.schema_cache import SchemaCache
from langchain_segmind._tools.tools import convert_tools, create_toolset
from langchain_segmind._tools.validation import find_problem, find_violations, has_format
from tests.support.schemas import INTEGER, NULL, NUMBER, STRING
from tests.support.steps import MAX_STEPS, count_steps


def check(value: object, schema: object) -> list[str]:
    """Return the violations of a schema that is its own root."""
    return find_violations(value, schema, SchemaCache(schema))


A_OR_B = {"properties": {"a": {}, "b": {}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
IF_US = {
    "if": {"properties": {"country": {"const": "US"}}, "required": ["country"]},
    "then": {"required": ["zip"]},
    "else": {"required": ["city"]},
}


@pytest.mark.parametrize(
    ("schema", "valid", "invalid", "reason"),
    [
        pytest.param(INTEGER, 1.0, 1.5, "expected integer", id="type"),
        pytest.param(INTEGER, 1, True, "expected integer", id="boolean for a number"),
        pytest.param(
            {"type": ["string", "null"]}, None, 5, "expected string or null", id="one of two types"
        ),
        pytest.param({"enum": [1, "a"]}, 1.0, True, "expected one of 1, 'a'", id="enum"),
        pytest.param({"const": {"a": [1]}}, {"a": [1]}, {}, "expected {'a': [1]}", id="const"),
        pytest.param({"minimum": 5}, 5, 4, "must meet minimum=5", id="minimum"),
        pytest.param(
            {"multipleOf": 2}, 10**20, 10**20 + 1, "must meet multipleOf=2", id="large multiple"
        ),
        pytest.param(
            {"uniqueItems": True}, [1, True], [1, 1.0], "must meet uniqueItems=True", id="unique"
        ),
        pytest.param(
            {"format": "date"}, "2024-05-01", "May 1st", "must meet format='date'", id="format"
        ),
        pytest.param({"not": STRING}, 5, "a", "must not match `not`", id="not"),
        pytest.param(
            {"contains": INTEGER},
            ["a", 5],
            ["a"],
            "contains too few items that match `contains`",
            id="contains",
        ),
        pytest.param(
            {"contains": INTEGER, "minContains": 2},
            [1, 2],
            [1, "a"],
            "contains too few items that match `contains`",
            id="minimum of contained items",
        ),
        pytest.param(
            {"contains": INTEGER, "minContains": 0, "maxContains": 1},
            [],
            [1, 2],
            "contains too many items that match `contains`",
            id="maximum of contained items",
        ),
        pytest.param(
            IF_US,
            {"country": "US", "zip": "1"},
            {"country": "US", "city": "x"},
            "required 'zip' is missing",
            id="then",
        ),
        pytest.param(IF_US, {"city": "Oslo"}, {}, "required 'city' is missing", id="else"),
        pytest.param(
            {"dependentRequired": {"card": ["cvc"]}},
            {"card": 1, "cvc": 2},
            {"card": 1},
            "'card' needs 'cvc'",
            id="dependent properties",
        ),
        pytest.param(
            {"dependencies": {"a": ["b"], "c": {"required": ["d"]}}},
            {"a": 1, "b": 2},
            {"c": 1},
            "required 'd' is missing",
            id="dependencies of older schemas",
        ),
        pytest.param(
            {"dependentSchemas": {"a": {"properties": {"b": INTEGER}}}},
            {"b": "x"},
            {"a": 1, "b": "x"},
            "b: expected integer",
            id="a dependent schema",
        ),
        pytest.param(
            {"propertyNames": {"pattern": "^x"}},
            {"x1": 1},
            {"y": 1},
            "y: name must meet pattern='^x'",
            id="names of properties",
        ),
        pytest.param(
            {"patternProperties": {"^n_": INTEGER}, "additionalProperties": STRING},
            {"n_a": 1, "b": "x"},
            {"n_a": "x"},
            "n_a: expected integer",
            id="patterns of properties",
        ),
        pytest.param(
            {"properties": {"a": {}}, "additionalProperties": False},
            {"a": 1},
            {"b": 1},
            "b: value is not allowed here",
            id="an undeclared property",
        ),
        pytest.param(
            {"prefixItems": [INTEGER], "items": STRING},
            [1, "a"],
            [1, 2],
            "1: expected string",
            id="items after the first",
        ),
        pytest.param(
            {"items": [INTEGER], "additionalItems": False},
            [1],
            [1, 2],
            "1: value is not allowed here",
            id="items of older schemas",
        ),
        pytest.param(
            {"allOf": [{"properties": {"a": {"minimum": 1}}}, {"properties": {"a": INTEGER}}]},
            {"a": 1},
            {"a": 0},
            "a: must meet minimum=1",
            id="a property of two parts",
        ),
        pytest.param(
            {"anyOf": [NULL, {"type": "string", "minLength": 2}]},
            None,
            "a",
            "must meet minLength=2",
            id="the only alternative to null",
        ),
        pytest.param(
            {"anyOf": [INTEGER, STRING]},
            "a",
            [],
            "matches none of the allowed types",
            id="any of two",
        ),
        pytest.param(
            A_OR_B,
            {"a": 1},
            {"a": 1, "b": 2},
            "matches several of the types of which it must match one",
            id="one of two",
        ),
    ],
)
def test_every_keyword_is_checked(schema, valid, invalid, reason) -> None:
    """The prompt shows them, and the tool can depend on them."""
    assert check(valid, schema) == []
    assert check(invalid, schema) == [reason]
    assert check({"x": [invalid]}, {"properties": {"x": {"items": schema}}})[0].startswith("x.0")


NOT_ALLOWED = "value is not allowed here"


@pytest.mark.parametrize(
    ("schema", "value", "reasons"),
    [
        pytest.param({"type": "strange"}, 5, [], id="an unknown type"),
        pytest.param({"type": ["string", "strange"]}, 5, [], id="one of two types unknown"),
        pytest.param({"type": []}, 5, [], id="no type"),
        pytest.param(INTEGER, 1e400, ["expected integer"], id="infinity for an integer"),
        pytest.param({"type": "array"}, {}, ["expected array"], id="an object for a list"),
        pytest.param({"type": "object"}, [], ["expected object"], id="a list for an object"),
        pytest.param({"type": "boolean"}, 1, ["expected boolean"], id="a number for a boolean"),
        pytest.param(NULL, 0, ["expected null"], id="a number for null"),
        pytest.param(NUMBER, "1", ["expected number"], id="a text for a number"),
        pytest.param(
            {"type": "string", "minLength": 2, "enum": ["ab"]},
            5,
            ["expected string"],
            id="type first",
        ),
        pytest.param(
            {"const": 5, "enum": [6], "minimum": 7},
            4,
            ["expected 5", "expected one of 6", "must meet minimum=7"],
            id="several keys",
        ),
        pytest.param({"const": "x" * 300}, 5, [f"expected '{'x' * 199}"], id="a long constant"),
        pytest.param({"const": None}, 0, ["expected None"], id="the constant null"),
        pytest.param(False, 5, [NOT_ALLOWED], id="the schema false"),
        pytest.param(5, 5, [], id="a malformed schema"),
        pytest.param({"not": {}}, 5, ["must not match `not`"], id="not anything"),
        pytest.param({"not": False}, 5, [], id="not nothing"),
        pytest.param({"if": {}, "else": False}, 5, [], id="if without then"),
        pytest.param({"if": False, "then": False}, 5, [], id="if without else"),
        pytest.param({"if": {}, "then": False}, 5, [NOT_ALLOWED], id="then nothing"),
        pytest.param({"if": False, "else": False}, 5, [NOT_ALLOWED], id="else nothing"),
        pytest.param({"then": False, "else": False}, 5, [], id="branches without if"),
        pytest.param(
            {"allOf": [INTEGER, STRING]},
            None,
            ["expected integer", "expected string"],
            id="all of two",
        ),
        pytest.param({"allOf": 5, "anyOf": {}, "oneOf": 5}, 5, [], id="malformed parts"),
        pytest.param({"anyOf": []}, 5, ["matches none of the allowed types"], id="any of none"),
        pytest.param({"oneOf": [INTEGER, NUMBER]}, 1.5, [], id="the second of two"),
        pytest.param(
            {"oneOf": [INTEGER, NUMBER, {}]},
            1,
            ["matches several of the types of which it must match one"],
            id="one of three that match",
        ),
        pytest.param({"anyOf": [INTEGER, NUMBER]}, 1, [], id="both of any"),
        pytest.param({"oneOf": [NULL]}, 5, ["matches none of the allowed types"], id="only null"),
        pytest.param(
            {"anyOf": [{"type": "string", "minLength": 3}, {"type": "null"}, False]},
            "ab",
            ["matches none of the allowed types"],
            id="two that are not null",
        ),
        pytest.param({"contains": INTEGER, "minContains": "x"}, [], [], id="a malformed minimum"),
        pytest.param({"contains": {}, "maxContains": "x"}, [1, 2], [], id="a malformed maximum"),
        pytest.param({"contains": {}, "maxContains": 2}, [1, 2], [], id="as many as allowed"),
        pytest.param(
            {"contains": False, "minContains": 1, "maxContains": -1},
            [1],
            [
                "contains too few items that match `contains`",
                "contains too many items that match `contains`",
            ],
            id="too few and too many",
        ),
        pytest.param({"prefixItems": 5, "items": INTEGER}, [1], [], id="malformed first items"),
        pytest.param({"prefixItems": [STRING, STRING]}, ["a"], [], id="fewer items"),
        pytest.param({"prefixItems": [STRING]}, ["a", 5], [], id="more items of any type"),
        pytest.param({"items": [STRING]}, [5, 5], ["0: expected string"], id="older first items"),
        pytest.param(
            {"items": [{}], "additionalItems": STRING},
            [5, 5],
            ["1: expected string"],
            id="older rest",
        ),
        pytest.param({"items": False}, [1], [f"0: {NOT_ALLOWED}"], id="no items"),
        pytest.param({"propertyNames": False}, {"a": 1}, [f"a: name {NOT_ALLOWED}"], id="no names"),
        pytest.param(
            {"patternProperties": {"^a": INTEGER, "b$": NUMBER}, "properties": {"ab": STRING}},
            {"ab": None},
            ["ab: expected string", "ab: expected integer", "ab: expected number"],
            id="a property and two patterns",
        ),
        pytest.param(
            {"patternProperties": {"^a": {}}, "additionalProperties": False},
            {"a": 1, "b": 2},
            [f"b: {NOT_ALLOWED}"],
            id="a pattern and no others",
        ),
        pytest.param(
            {"required": ["a"], "additionalProperties": False}, {"a": 1}, [], id="a required name"
        ),
        pytest.param(
            {"allOf": [{"properties": {"a": {}}}], "additionalProperties": False},
            {"a": 1, "b": 2},
            [f"b: {NOT_ALLOWED}"],
            id="names of all parts",
        ),
        pytest.param(
            {
                "properties": {"a": {}},
                "anyOf": [{"properties": {"b": {}}, "additionalProperties": False}],
            },
            {"a": 1, "b": 2, "c": 3},
            [f"c: {NOT_ALLOWED}"],
            id="names around an alternative",
        ),
        pytest.param(
            {"anyOf": [{"additionalProperties": False}], "properties": {"a": {}}},
            5,
            [],
            id="closed, but no object",
        ),
        pytest.param({"required": ["a"]}, 5, [], id="required of no object"),
        pytest.param({"required": "a"}, {}, [], id="required of a text"),
        pytest.param(
            {"required": ["x" * 100]}, {}, [f"required '{'x' * 79} is missing"], id="a long name"
        ),
        pytest.param(
            {"dependentRequired": {"a": ["b", 5, "c"], "d": ["e"], "f": 5}},
            {"a": 1, "f": 1},
            ["'a' needs 'b'", "'a' needs 'c'"],
            id="dependent names",
        ),
        pytest.param(
            {"dependentSchemas": {"a": False, "b": False, "c": [False]}, "dependencies": 5},
            {"a": 1, "c": 1},
            [NOT_ALLOWED],
            id="dependent schemas",
        ),
        pytest.param(
            {"properties": {"a": STRING}, "required": [f"r{number}" for number in range(20)]},
            {"a": 5},
            [f"required 'r{number}' is missing" for number in range(10)],
            id="more than ten",
        ),
        pytest.param({"$ref": 5, "type": "string"}, "a", [], id="a malformed reference"),
        pytest.param(
            {"$ref": "#/$defs/A", "minimum": 5, "$defs": {"A": {"maximum": 1}}},
            3,
            ["must meet minimum=5", "must meet maximum=1"],
            id="keys beside a reference",
        ),
    ],
)
def test_reasons_are_exact(schema, value, reasons) -> None:
    """All of them, in order; malformed keys are ignored."""
    assert check(value, schema) == reasons


A_ONLY = {"additionalProperties": False}


@pytest.mark.parametrize(
    ("key", "part", "reasons"),
    [
        pytest.param("$ref", "#/$defs/A", [], id="a reference"),
        pytest.param("allOf", [A_ONLY], [], id="all of one"),
        pytest.param("anyOf", [A_ONLY], [], id="any of one"),
        pytest.param("oneOf", [A_ONLY], [], id="one of one"),
        pytest.param("dependentSchemas", {"a": A_ONLY}, [], id="a dependent schema"),
        pytest.param("dependencies", {"a": A_ONLY}, [], id="an older dependent schema"),
        pytest.param("dependencies", {"a": ["b"]}, ["'a' needs 'b'"], id="older dependent names"),
        pytest.param("not", A_ONLY, ["must not match `not`"], id="not"),
        pytest.param("if", A_ONLY, [NOT_ALLOWED], id="if"),
    ],
)
def test_closed_part_allows_the_properties_around_it(key, part, reasons) -> None:
    """Otherwise no object could match both."""
    schema = {"properties": {"a": {}}, key: part, "then": False, "$defs": {"A": A_ONLY}}
    assert check({"a": 1}, schema) == reasons


@pytest.mark.parametrize("levels", [99, 100])
def test_hundred_levels_are_checked(levels) -> None:
    """Deeper ones are refused."""
    schema, value = STRING, 5
    for _ in range(levels):
        schema, value = {"prefixItems": [{}], "items": schema}, [0, value]
    reason = "expected string" if levels == 99 else "nested too deeply"
    assert check(value, schema)[-1] == f"{'.'.join(['1'] * levels)}: {reason}"


@pytest.mark.parametrize(
    ("name", "valid", "invalid"),
    [
        ("date", ["2024-02-29"], ["2023-02-29", "20240229", "1714521600"]),
        ("date-time", ["2024-05-01T10:00:00Z", "2024-05-01 10:00"], ["2024-05-01", "1714521600"]),
        ("time", ["10:00:00Z", "23:59"], ["25:00", "10", "ten"]),
        ("duration", ["P1DT2H", "PT5M"], ["1 day", "P", "5"]),
        ("email", ["ann@example.org"], ["ann", "a b@c", "@", "a@b@c"]),
        ("uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567", "{123e4567}"]),
        ("uri", ["https://example.org/a?b#c", "urn:isbn:1"], ["example.org", "http://a b", "/x"]),
        ("ipv4", ["127.0.0.1"], ["127.0.0.256", "127.1", "::1"]),
        ("ipv6", ["::1", "fe80::1"], ["fe80::1%eth0", "1::2::3", "127.0.0.1"]),
        ("hostname", ["a-b.example"], ["-a", "a..b", "a_b", "a" * 64, ".".join(["a"] * 200)]),
    ],
)
def test_format_is_checked(name, valid, invalid) -> None:
    """Zones of times are optional, as in pydantic."""
    assert [text for text in valid if not has_format(text, name)] == []
    assert [text for text in invalid if has_format(text, name)] == []


@pytest.mark.parametrize("name", ["int32", "semver", 5, None, ["date"]])
def test_unknown_format_is_not_checked(name) -> None:
    """Schemas come from third parties."""
    assert check("x", {"type": "string", "format": name}) == []


def test_value_is_never_quoted() -> None:
    """The reasons are shown to a model, and anyone may have written the value."""
    schema = {
        "properties": {"x": {"anyOf": [INTEGER, {"enum": ["a"]}, {"format": "date", **STRING}]}},
        "allOf": [{"properties": {"x": {"pattern": "^z"}}}, {"properties": {"x": INTEGER}}],
    }
    reasons = check({"x": "IGNORE ALL"}, schema)
    assert len(reasons) == 3
    assert "IGNORE" not in str(reasons)


def test_closed_objects_can_be_combined() -> None:
    """`additionalProperties: false` beside `anyOf` would refuse every object."""
    closed = {"additionalProperties": False}
    schema = {
        "properties": {"id": INTEGER},
        "anyOf": [
            {"properties": {"a": INTEGER}, "required": ["a"], **closed},
            {"properties": {"b": INTEGER}, "required": ["b"], **closed},
        ],
        **closed,
    }
    assert check({"id": 1, "a": 1}, schema) == []
    assert check({"a": 1, "b": 1}, schema) == ["matches none of the allowed types"]
    assert check({"id": 1, "a": 1, "c": 1}, schema)


def test_reference_is_followed() -> None:
    """Also by a type that contains itself."""
    tree = {"properties": {"n": INTEGER, "kids": {"items": {"$ref": "#/$defs/T"}}}}
    schema = {"$ref": "#/$defs/T", "$defs": {"T": tree}}
    assert check({"n": 1, "kids": [{"n": 2, "kids": []}]}, schema) == []
    assert check({"kids": [{"kids": [{"n": "x"}]}]}, schema) == [
        "kids.0.kids.0.n: expected integer"
    ]


REFERENCE = {"$ref": "#/$defs/A"}
TWICE = [{"properties": {"x": REFERENCE}}, {"properties": {"x": REFERENCE}, "required": ["y"]}]


@pytest.mark.parametrize(
    "definition",
    [
        pytest.param(REFERENCE, id="itself"),
        pytest.param({"anyOf": [REFERENCE, {"allOf": [REFERENCE, {}]}]}, id="alternatives"),
        pytest.param({"allOf": TWICE}, id="all of two"),
        pytest.param({"anyOf": TWICE, "oneOf": TWICE, "not": REFERENCE}, id="everything"),
        pytest.param({"if": REFERENCE, "then": REFERENCE, "else": {"not": REFERENCE}}, id="if"),
    ],
)
def test_recursive_schema_is_checked_in_bounded_steps(definition) -> None:
    """Nested alternatives do not multiply."""
    value: dict = {}
    for _ in range(60):
        value = {"x": value}
    schema = {**REFERENCE, "$defs": {"A": definition}}
    assert count_steps(lambda: check(value, schema)) < MAX_STEPS


def count_up(key: str, count: int) -> dict:
    """Return properties, or anything else by name."""
    return {f"{key}{number}": {**STRING, "minLength": number % 2} for number in range(count)}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param(
            {"anyOf": [{**STRING, "pattern": f"^{number}x"} for number in range(3_000)]},
            "2999x",
            id="overlapping alternatives",
        ),
        pytest.param(
            {"anyOf": [{"required": [f"a{number}"]} for number in range(3_000)]},
            {"a2999": 1},
            id="alternatives that require",
        ),
        pytest.param(
            {"patternProperties": {f"^x{number}_": STRING for number in range(500)}},
            {f"x{number}_{number}": "a" for number in range(500)},
            id="patterns",
        ),
        pytest.param(
            {"properties": count_up("a", 5_000), "required": [*count_up("a", 5_000)]},
            dict.fromkeys(count_up("a", 5_000), "a"),
            id="required properties",
        ),
        pytest.param(
            {"allOf": [{"properties": {name: STRING}} for name in count_up("a", 3_000)]},
            dict.fromkeys(count_up("a", 3_000), "a"),
            id="all of many",
        ),
        pytest.param(
            {"items": {"enum": [f"a{number}" for number in range(5_000)]}},
            ["a4999"] * 5_000,
            id="choices",
        ),
        pytest.param({"items": {"anyOf": [STRING, NUMBER]}}, [1] * 50_000, id="many items"),
    ],
)
def test_large_schema_is_checked_in_linear_steps(schema, value) -> None:
    """The time grows with the schema and the value, not with their product."""
    assert check(value, schema) == []
    assert count_steps(lambda: check(value, schema)) < MAX_STEPS


def test_check_ends_if_nothing_else_does() -> None:
    """A list of objects against alternatives of which each refuses all of it."""
    parts = [{"properties": {"a": {"minimum": n}}, "required": [f"b{n}"]} for n in range(5_000)]
    value = [{"a": number} for number in range(1_000)]
    assert check(value, {"items": {"anyOf": parts}}) == ["too many alternatives to check"]
    assert count_steps(lambda: check(value, {"items": {"anyOf": parts}})) < MAX_STEPS


def test_deep_value_is_refused() -> None:
    """Instead of exhausting the stack."""
    value: list = []
    for _ in range(5_000):
        value = [value]
    schema = {"type": "array", "items": {"$ref": "#"}}
    assert check(value, schema)[0].endswith("nested too deeply")
    assert check(value, {"enum": [1]}) == ["nested too deeply"]


def test_strict_tool_takes_declared_arguments_only() -> None:
    """On every level, unless the schema says otherwise."""
    parameters = {
        "type": "object",
        "properties": {
            "a": {"properties": {"b": INTEGER}},
            "map": {"type": "object", "additionalProperties": INTEGER},
        },
    }
    function = {"name": "f", "parameters": parameters}
    tool = create_toolset(convert_tools([function], strict=True))["f"]
    assert find_violations({"a": {"b": 1}, "map": {"x": 1}}, tool.root, tool.schemas) == []
    assert find_violations({"z": 1, "a": {"y": 1}}, tool.root, tool.schemas) == [
        "z: value is not allowed here",
        "a.y: value is not allowed here",
    ]


KEYS = ["properties", "items", "anyOf", "allOf", "oneOf", "not", "type", "enum", "contains"]
KEYS += ["dependentRequired", "patternProperties", "propertyNames", "required", "if", "then"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*KEYS, "$ref", "format"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON, st.dictionaries(st.sampled_from(KEYS), JSON))
def test_malformed_schema_is_harmless(value, schema) -> None:
    """Whatever a third party sends."""
    assert isinstance(check(value, schema), list)


def test_check_decides_where_not_all_alternatives_are_tried() -> None:
    """It has to try fewer of them."""
    letters = [[{"required": [f"{index} {letter}"]} for letter in "abcd"] for index in range(10)]
    schemas = SchemaCache({"allOf": [{"anyOf": names} for names in letters]})
    value = {f"{index} d": 1 for index in range(10)}
    coerced = coerce_value(value, schemas.root, schemas)
    assert (coerced.problem, find_problem(coerced, schemas)) == ("too many alternatives", "")
    del value["5 d"]
    mismatching = coerce_value(value, schemas.root, schemas)
    assert find_problem(mismatching, schemas) == "matches none of the allowed types"


def test_failed_alternative_is_not_checked_to_its_end() -> None:
    """Of several, the first failure decides."""
    sides = {side: {"$ref": "#"} for side in ("left", "right")}
    types = [{"properties": {"op": {"const": name}, **sides}} for name in "+-*/"]
    value: object = 1
    for _ in range(9):
        value = {"op": "/", "left": value, "right": value}
    value = json.loads(json.dumps(value))
    schemas = SchemaCache({"anyOf": [*types, INTEGER]})
    assert find_violations(value, schemas.root, schemas) == []
    assert count_steps(lambda: find_violations(value, schemas.root, schemas)) < MAX_STEPS / 5
