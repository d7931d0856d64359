"""Schemas of every form are understood, and malformed ones are harmless."""

import pytest

from langchain_segmind._tools.json_schema import (
    ANYTHING,
    freeze,
    get_alternatives,
    get_arguments,
    get_choices,
    get_properties,
    get_reference,
    get_required,
    get_type,
    iterate_parts,
    matches,
    resolve,
)

ROOT = {
    "$defs": {
        "City": {"type": "string", "description": "A city."},
        "Home": {"$ref": "#/$defs/City", "title": "Home"},
        "Ring": {"$ref": "#/$defs/Other ring"},
        "Other ring": {"$ref": "#/$defs/Ring", "type": "object"},
        "a/b~c": {"type": "boolean"},
        "Named": {"properties": {"name": {"type": "string"}}, "required": ["name"]},
        "Aged": {"properties": {"age": {"type": "integer"}}, "required": ["age"]},
    },
    "definitions": {"Old": {"type": "null"}},
}


@pytest.mark.parametrize(
    ("schema", "resolved"),
    [
        pytest.param(
            {"$ref": "#/$defs/Home", "description": "Mine."},
            {"type": "string", "description": "Mine.", "title": "Home"},
            id="a chain, and a description of its own",
        ),
        pytest.param({"$ref": "#"}, ROOT, id="the root"),
        pytest.param({"$ref": "#/$defs/a~1b~0c"}, {"type": "boolean"}, id="an escaped name"),
        pytest.param({"$ref": "#/%24defs/City"}, ROOT["$defs"]["City"], id="a quoted name"),
        pytest.param({"$ref": "#/definitions/Old"}, {"type": "null"}, id="the old place"),
        pytest.param({"$ref": "#/$defs/Ring"}, {"type": "object"}, id="a ring"),
        pytest.param({"$ref": "#/$defs/None"}, {}, id="nowhere"),
        pytest.param({"$ref": "elsewhere.json"}, {}, id="another file"),
        pytest.param(
            {"allOf": [{"$ref": "#/$defs/City"}], "default": "Oslo"},
            {"type": "string", "description": "A city.", "default": "Oslo"},
            id="all of one",
        ),
        pytest.param(
            {
                "$ref": "#/$defs/Named",
                "allOf": [{"$ref": "#/$defs/Aged"}],
                "properties": {"x": {}},
                "required": ["x"],
            },
            {
                "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "x": {}},
                "required": ["name", "age", "x"],
            },
            id="a reference, all of another, and its own",
        ),
        pytest.param(
            {
                "allOf": [
                    {"properties": {"a": {"type": "string"}, "b": {}, "c": False}},
                    {"properties": {"a": {"minLength": 2}, "b": {}, "c": {}}},
                ]
            },
            {
                "properties": {
                    "a": {"allOf": [{"type": "string"}, {"minLength": 2}]},
                    "b": {},
                    "c": False,
                }
            },
            id="a property of several parts",
        ),
        pytest.param(True, ANYTHING, id="true"),
    ],
)
def test_references_and_all_of_are_merged(schema, resolved) -> None:
    """The schema's own keys take precedence."""
    assert resolve(schema, ROOT) == resolved


def test_each_reference_is_followed_once() -> None:
    """Forty levels of two references each take eighty steps, not a trillion."""
    definitions = {
        f"Level{level}": {"allOf": [{"$ref": f"#/$defs/Level{level + 1}"}] * 2}
        for level in range(40)
    }
    definitions["Level40"] = {"type": "integer"}
    assert resolve({"$ref": "#/$defs/Level0"}, {"$defs": definitions}) == {"type": "integer"}


def test_deep_all_of_is_merged() -> None:
    """There is no recursion, so no limit."""
    schema = {"type": "integer"}
    for _ in range(5_000):
        schema = {"allOf": [schema]}
    assert resolve(schema, {}) == {"type": "integer"}


@pytest.mark.parametrize("ref", ["", "#/", "/", "#/$defs/City/type", "x#/y"])
def test_unknown_reference_matches_anything(ref) -> None:
    """Schemas come from third parties."""
    assert resolve({"$ref": ref}, ROOT) == {}


@pytest.mark.parametrize(
    ("schema", "ref"),
    [
        pytest.param({"$ref": "#/a"}, "#/a", id="a reference"),
        pytest.param({"allOf": [{"$ref": "#/a"}]}, "#/a", id="all of one"),
        pytest.param({"allOf": [{"$ref": "#/a"}, {}]}, None, id="all of two"),
        pytest.param({"type": "string"}, None, id="no reference"),
        pytest.param(True, None, id="no schema"),
    ],
)
def test_reference_is_found(schema, ref) -> None:
    """Pydantic writes an `allOf` of one for a reference beside other keys."""
    assert get_reference(schema) == ref


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        pytest.param({"type": "string"}, "string", id="a type"),
        pytest.param({"properties": {}}, "object", id="properties"),
        pytest.param({"patternProperties": {}}, "object", id="patterns of properties"),
        pytest.param({"additionalProperties": {}}, "object", id="other properties"),
        pytest.param({"additionalProperties": False}, None, id="no other properties"),
        pytest.param({"items": {}}, "array", id="items"),
        pytest.param({"prefixItems": []}, "array", id="first items"),
        pytest.param({"type": 5}, None, id="a number"),
    ],
)
def test_type_is_inferred_from_other_keys(schema, kind) -> None:
    """Some schemas omit it."""
    assert get_type(schema) == kind


def test_malformed_keys_are_ignored() -> None:
    """Schemas come from third parties."""
    assert get_properties({"properties": 5}) == {}
    assert [*get_required({"required": "abc"})] == []
    assert [*get_required({"required": ["a", 5, ["b"]]})] == ["a"]
    assert get_alternatives({"anyOf": {}}) == []
    assert get_choices({"enum": "a"}) is None
    assert get_choices({"const": None}) == [None]
    assert get_arguments({"required": "abc"}) == {}


def test_required_names_are_read_once_and_in_order() -> None:
    """Parts of an `allOf` repeat them."""
    assert [*get_required({"required": ["b", "a", "b"]})] == ["b", "a"]
    assert resolve({"allOf": [{"required": ["b"]}] * 3}, {})["required"] == ["b"]


def test_undeclared_required_property_is_an_argument() -> None:
    """It has the schema of other properties, even if there should be none."""
    schema = {"properties": {"a": {}}, "required": ["a", "n", "z"], "additionalProperties": False}
    number = {"type": "integer"}
    assert get_arguments({**schema, "patternProperties": {"^n": number}}) == {
        "a": {},
        "n": number,
        "z": ANYTHING,
    }
    assert get_arguments({"properties": {"a": {}}, "required": ["a"]}) == {"a": {}}


def test_every_part_of_a_schema_is_found_once() -> None:
    """Also of one that refers to itself."""
    leaf = {key: {"title": key} for key in ("if", "then", "else")}
    schema = {
        "allOf": [{"$ref": "#"}, {"title": "all"}, True],
        "anyOf": [{"title": "any"}],
        "oneOf": [{"title": "one", **leaf}],
        "dependentSchemas": {"a": {"title": "dependent"}},
        "properties": {"a": {"title": "not a part"}},
    }
    titles = [part.get("title") for part in iterate_parts(schema, schema)]
    found = ["all", "any", "dependent", "else", "if", "one", "then"]
    assert sorted(filter(None, titles)) == found
    assert len(titles) == len(found) + 2


def test_frozen_values_are_equal_if_the_json_is() -> None:
    """Numbers by value; booleans are not numbers."""
    assert freeze({"a": [1, {}], "b": None}) == freeze({"b": None, "a": [1.0, {}]})
    assert len({freeze(value) for value in (0, False, "0", None, [], {}, [0], [False])}) == 8


def test_pattern_is_searched_for() -> None:
    """As JSON Schema says; one that cannot be compiled is unknown."""
    assert matches("b", "abc") is True
    assert matches("^b", "abc") is False
    assert matches("(?=b)", "abc") is None
    assert matches(5, "abc") is None
