"""Schemas of every form are understood, and malformed ones are harmless."""

import pytest

from langchain_segmind._tools.json_schema import (
    ANYTHING,
    get_alternatives,
    get_choices,
    get_properties,
    get_reference,
    get_required,
    get_type,
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
