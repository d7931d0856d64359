"""Schemas of every shape say what they mean, and odd ones end."""

import pytest

from langchain_segmind._tools.json_schema import (
    ANYTHING,
    get_alternatives,
    get_choices,
    get_properties,
    get_reference,
    get_required,
    get_type,
    look_up,
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
        pytest.param({"type": "string"}, {"type": "string"}, id="no reference"),
        pytest.param(
            {"$ref": "#/$defs/City"}, {"type": "string", "description": "A city."}, id="one"
        ),
        pytest.param(
            {"$ref": "#/$defs/Home", "description": "Mine."},
            {"type": "string", "description": "Mine.", "title": "Home"},
            id="a chain, and words of its own",
        ),
        pytest.param({"$ref": "#/$defs/a~1b~0c"}, {"type": "boolean"}, id="an escaped name"),
        pytest.param({"$ref": "#/%24defs/City"}, ROOT["$defs"]["City"], id="a quoted name"),
        pytest.param({"$ref": "#/definitions/Old"}, {"type": "null"}, id="the old place"),
        pytest.param({"$ref": "#/$defs/Ring"}, {"type": "object"}, id="a ring"),
        pytest.param({"$ref": "#/$defs/None"}, {}, id="nowhere"),
        pytest.param({"$ref": "elsewhere.json"}, {}, id="another file"),
        pytest.param({"$ref": 5}, {}, id="a number"),
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
        pytest.param(None, ANYTHING, id="nothing"),
        pytest.param([{"type": "string"}], ANYTHING, id="a list"),
    ],
)
def test_a_schema_is_resolved(schema, resolved) -> None:
    """References are followed and parts merged; its own keys come last."""
    assert resolve(schema, ROOT) == resolved


def test_references_that_multiply_are_followed_once() -> None:
    """Forty levels of two references each are eighty steps, not a trillion."""
    definitions = {
        f"Level{level}": {"allOf": [{"$ref": f"#/$defs/Level{level + 1}"}] * 2}
        for level in range(40)
    }
    definitions["Level40"] = {"type": "integer"}
    assert resolve({"$ref": "#/$defs/Level0"}, {"$defs": definitions}) == {"type": "integer"}


def test_a_deep_schema_is_followed_to_its_end() -> None:
    """Depth is no limit: nothing calls itself."""
    schema = {"type": "integer"}
    for _ in range(5_000):
        schema = {"allOf": [schema]}
    assert resolve(schema, {}) == {"type": "integer"}


@pytest.mark.parametrize("ref", ["", "#/", "/", "#/$defs", "#/$defs/City/type", "x#/y"])
def test_an_odd_reference_leads_to_anything_or_to_a_schema(ref) -> None:
    """It is looked up as far as it goes."""
    assert look_up(ref, ROOT) in (ANYTHING, ROOT["$defs"])


def test_a_reference_may_lead_to_the_whole() -> None:
    """A tree of which every branch is a tree."""
    assert look_up("#", ROOT) is ROOT


@pytest.mark.parametrize(
    ("schema", "ref"),
    [
        pytest.param({"$ref": "#/a"}, "#/a", id="its own"),
        pytest.param({"allOf": [{"$ref": "#/a"}]}, "#/a", id="all of one"),
        pytest.param({"allOf": [{"$ref": "#/a"}, {}]}, None, id="all of two"),
        pytest.param({"type": "string"}, None, id="none"),
        pytest.param(True, None, id="no schema"),
    ],
)
def test_where_a_schema_refers_to(schema, ref) -> None:
    """Pydantic writes an `allOf` of one where a reference has words of its own."""
    assert get_reference(schema) == ref


@pytest.mark.parametrize(
    ("schema", "alternatives"),
    [
        pytest.param({"anyOf": [{"type": "null"}]}, [{"type": "null"}], id="any of"),
        pytest.param({"oneOf": [True]}, [True], id="one of"),
        pytest.param(
            {"type": ["string", "null"], "title": "x"},
            [{"type": "string", "title": "x"}, {"type": "null", "title": "x"}],
            id="a list of types",
        ),
        pytest.param({"type": "string"}, [], id="one type"),
        pytest.param({"anyOf": {}}, [], id="nonsense"),
    ],
)
def test_alternatives_have_three_spellings(schema, alternatives) -> None:
    """A value must fit one of them."""
    assert get_alternatives(schema) == alternatives


@pytest.mark.parametrize(
    ("schema", "choices"),
    [
        pytest.param({"enum": ["a", None]}, ["a", None], id="a list"),
        pytest.param({"const": 5}, [5], id="one"),
        pytest.param({"const": None}, [None], id="only null"),
        pytest.param({}, None, id="none"),
        pytest.param({"enum": "a"}, None, id="nonsense"),
    ],
)
def test_choices_are_listed(schema, choices) -> None:
    """A constant is a choice of one."""
    assert get_choices(schema) == choices


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        pytest.param({"type": "string"}, "string", id="said"),
        pytest.param({"properties": {}}, "object", id="properties"),
        pytest.param({"additionalProperties": {}}, "object", id="other properties"),
        pytest.param({"additionalProperties": False}, None, id="no other properties"),
        pytest.param({"items": {}}, "array", id="items"),
        pytest.param({"prefixItems": []}, "array", id="first items"),
        pytest.param({"type": 5}, None, id="nonsense"),
    ],
)
def test_other_keys_give_a_type_away(schema, kind) -> None:
    """Some writers of schemas leave the type out."""
    assert get_type(schema) == kind


def test_nonsense_is_passed_over() -> None:
    """Properties and required names come from others, and may be anything."""
    assert get_properties({"properties": 5}) == {}
    assert [*get_required({"required": "abc"})] == []
    assert [*get_required({"required": ["a", 5, ["b"]]})] == ["a"]
