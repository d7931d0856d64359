"""Formats that are sent to the model: what the makers' APIs accept."""

import math
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from langchain_segmind._output.native_format import create_native_format
from langchain_segmind._output.response_format import ResponseFormat, parse_response_format
from langchain_segmind._output.structured_output import create_structured_output


class Color(Enum):
    """A color."""

    RED = "red"


class Part(BaseModel):
    """A part."""

    kind: Literal["part"]
    parts: list["Part"]


class Other(BaseModel):
    """Something else."""

    kind: Literal["other"]
    size: Annotated[int, Field(ge=1, le=5)]


class Whole(BaseModel):
    """All that can be closed."""

    name: str = Field(min_length=1, alias="Name", description="Its name.")
    price: Decimal
    day: date
    color: Color
    note: str | None = None
    root: Part
    one: Part | Other = Field(discriminator="kind")
    many: list[int] = Field(max_length=3)


class Optional(BaseModel):
    """A property can be left out."""

    count: int = 3


class Choice(TypedDict, total=False):
    """A property can be left out."""

    count: int


class Open(BaseModel):
    """Other properties are allowed."""

    model_config = ConfigDict(extra="allow")
    name: str


class Counts(BaseModel):
    """Any keys."""

    counts: dict[str, int]


class Pair(BaseModel):
    """A tuple."""

    pair: tuple[int, str]


class Anything(BaseModel):
    """A value of any type."""

    value: Any


def create(schema: Any, **given: bool) -> Any:
    """Return the format that is sent for a schema."""
    wanted = create_structured_output(schema).response_format
    wanted["json_schema"] |= given
    parsed = parse_response_format(wanted)
    assert parsed
    return create_native_format(parsed)


def check_closed(schema: Any, *, is_root: bool = False) -> None:
    """Assert that a schema is one that OpenAI's `strict` takes."""
    if "$ref" in schema:
        assert schema.keys() == {"$ref"}
        return
    if "anyOf" in schema:
        assert not is_root
        assert schema.keys() <= {"anyOf", "description"}
        for part in schema["anyOf"]:
            check_closed(part)
        return
    known = {"type", "description", "enum", "format", "items"}
    assert schema.keys() <= known | {"properties", "required", "additionalProperties", "$defs"}
    assert schema["type"]
    if schema["type"] == "array":
        check_closed(schema["items"])
    if schema["type"] == "object":
        assert schema["additionalProperties"] is False
        assert {*schema["required"]} <= {*schema["properties"]}
        for part in schema["properties"].values():
            check_closed(part)
    for part in schema.get("$defs", {}).values():
        check_closed(part)


def test_a_schema_that_can_be_closed_is_strict() -> None:
    """References, unions, enums, dates, decimals and what null leaves out."""
    named = create(Whole)["json_schema"]
    assert (named["name"], named["strict"]) == ("Whole", True)
    check_closed(named["schema"], is_root=True)
    assert named["schema"]["required"] == [*named["schema"]["properties"]]
    properties = named["schema"]["properties"]
    assert properties["Name"] == {"type": "string", "description": "Its name."}
    assert named["schema"]["$defs"]["Part"]["properties"]["kind"]["enum"] == ["part"]
    assert properties["day"] == {"type": "string", "format": "date"}
    assert properties["price"] == {"anyOf": [{"type": "number"}, {"type": "string"}]}
    assert properties["one"]["anyOf"] == [{"$ref": "#/$defs/Part"}, {"$ref": "#/$defs/Other"}]


@pytest.mark.parametrize("schema", [Optional, Choice])
def test_an_optional_property_becomes_required_on_request_only(schema) -> None:
    """Without `strict` it stays optional, in a closed object."""
    loose = create(schema)["json_schema"]
    assert "strict" not in loose
    assert (loose["schema"]["required"], loose["schema"]["additionalProperties"]) == ([], False)
    assert "strict" not in create(schema, strict=False)["json_schema"]
    strict = create(schema, strict=True)["json_schema"]
    assert (strict["strict"], strict["schema"]["required"]) == (True, ["count"])


def test_a_required_name_that_is_not_declared_keeps_the_object_open() -> None:
    """In a closed one it could not be given."""
    schema = {"title": "X", "type": "object", "properties": {"a": {"type": "string"}}}
    sent = create({**schema, "required": ["a", "b"]})["json_schema"]
    assert "strict" not in sent
    assert "additionalProperties" not in sent["schema"]


def test_strict_can_be_refused() -> None:
    """By the user."""
    assert "strict" not in create(Whole, strict=False)["json_schema"]


@pytest.mark.parametrize("schema", [Open, Counts, Pair, Anything])
@pytest.mark.parametrize("given_strict", [{}, {"strict": True}])
def test_an_open_schema_is_sent_as_it_is(schema, given_strict) -> None:
    """It cannot be strict, whatever the user asks for."""
    named = create(schema, **given_strict)["json_schema"]
    assert "strict" not in named
    assert named["schema"] == schema.model_json_schema()


def test_a_recursive_root_is_an_object() -> None:
    """Pydantic writes a reference there, which the APIs refuse."""
    schema = create(Part)["json_schema"]["schema"]
    check_closed(schema, is_root=True)
    assert schema["properties"]["parts"]["items"] == {"$ref": "#/$defs/Part"}


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"type": "array", "items": {"type": "integer"}}, id="list"),
        pytest.param({"anyOf": [{"type": "object"}, {"type": "string"}]}, id="union"),
        pytest.param({}, id="anything"),
        pytest.param({"type": "object", "properties": {"a": {"const": {1}}}}, id="no JSON"),
        pytest.param({"type": "object", "properties": {"a": {"enum": [math.nan]}}}, id="NaN"),
    ],
)
def test_no_object_is_not_sent(schema) -> None:
    """The APIs take objects only."""
    assert create_native_format(ResponseFormat(schema, "x")) is None


@pytest.mark.parametrize(
    ("name", "sent"), [("my answer", "my_answer"), ("", "answer"), ("é" * 70, "_" * 64)]
)
def test_the_name_is_one_that_the_api_takes(name, sent) -> None:
    """Letters, digits, underscores and hyphens, 64 at most."""
    schema = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}
    named = create_native_format(ResponseFormat(schema, name))["json_schema"]
    assert (named["name"], named["strict"]) == (sent, True)
    assert named["schema"]["properties"]["a"] == {"enum": [1, 2], "type": "integer"}


STRING, INTEGER, NULL = ({"type": name} for name in ("string", "integer", "null"))
CLOSED = {"required": [], "additionalProperties": False}
ALL_TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"]


def create_part(part: Any, *, required: bool = True) -> tuple[Any, bool]:
    """Return how a property of an object is sent, and whether the object is strict."""
    schema = {"type": "object", "properties": {"a": part}, "required": ["a"] * required}
    native = create_native_format(ResponseFormat(schema, "x"))
    assert native
    named = native["json_schema"]
    return named["schema"]["properties"]["a"], named.get("strict", False)


@pytest.mark.parametrize(
    ("part", "closed"),
    [
        pytest.param({"$ref": "#", "title": "A"}, {"$ref": "#"}, id="the whole schema"),
        pytest.param({"type": ["string", "null"]}, {"type": ["string", "null"]}, id="two types"),
        pytest.param(
            {"type": ALL_TYPES, "items": STRING, "properties": {}},
            {"type": ALL_TYPES, "items": STRING, "properties": {}, **CLOSED},
            id="all types",
        ),
        pytest.param(
            {"properties": {}}, {"type": "object", "properties": {}, **CLOSED}, id="properties only"
        ),
        pytest.param({"const": 1}, {"type": "integer", "enum": [1]}, id="a constant"),
        pytest.param(
            {"enum": ["a", 1]}, {"type": ["integer", "string"], "enum": ["a", 1]}, id="constants"
        ),
        pytest.param({"oneOf": [STRING, NULL]}, {"anyOf": [STRING, NULL]}, id="alternatives"),
    ],
)
def test_a_property_that_can_be_closed_is_strict(part, closed) -> None:
    """It is sent with the keys that the makers take, and no other."""
    assert create_part(part) == (closed, True)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param({"$ref": "#/properties/b"}, id="a reference to no definition"),
        *(
            pytest.param({"anyOf": [STRING], key: value}, id=f"anyOf and {key}")
            for key, value in {"properties": {}, "items": {}, "enum": ["a"], "const": "a"}.items()
        ),
        pytest.param({"type": []}, id="no type"),
        pytest.param({"type": "text"}, id="an unknown type"),
        pytest.param({"const": [1]}, id="a constant list"),
        pytest.param({"enum": [[1], 1]}, id="a list among constants"),
    ],
)
def test_a_property_that_cannot_be_closed_stays_open(part) -> None:
    """It is sent as it is."""
    assert create_part(part) == (part, False)


@pytest.mark.parametrize(
    ("part", "closed", "strict"),
    [
        pytest.param({"default": None, "type": ["string", "null"]}, None, True, id="types"),
        pytest.param({"default": None, "anyOf": [STRING, NULL]}, None, True, id="alternatives"),
        pytest.param({"default": None, **STRING}, STRING, False, id="a text"),
        pytest.param({"default": None, "anyOf": [STRING]}, None, False, id="one alternative"),
        pytest.param({"default": "", "anyOf": [STRING, NULL]}, None, False, id="another default"),
        pytest.param({"anyOf": [STRING, NULL]}, None, False, id="no default"),
        pytest.param(STRING, STRING, False, id="neither"),
    ],
)
def test_null_leaves_out_a_property_whose_default_it_is(part, closed, strict) -> None:
    """It becomes required then; another optional property does not."""
    expected = closed or {key: part[key] for key in part if key != "default"}
    assert create_part(part, required=False) == (expected, strict)


def test_one_optional_property_is_enough_to_be_loose() -> None:
    """All are required in the object behind it."""
    inner = {"type": "object", "properties": {"c": STRING}, "required": ["c"]}
    schema = {"properties": {"a": STRING, "b": inner}, "required": ["b"]}
    assert create_native_format(ResponseFormat(schema, "x")) == {
        "type": "json_schema",
        "json_schema": {
            "name": "x",
            "schema": {
                "type": "object",
                "properties": {"a": STRING, "b": inner | {"additionalProperties": False}},
                "required": ["b"],
                "additionalProperties": False,
            },
        },
    }


def test_an_open_root_is_sent_with_its_type() -> None:
    """The APIs demand it."""
    schema = {"properties": {"a": STRING}, "additionalProperties": True}
    native = create_native_format(ResponseFormat(schema, "x"))
    named = {"name": "x", "schema": {"type": "object", **schema}}
    assert native == {"type": "json_schema", "json_schema": named}


KEYS = st.sampled_from(
    ["type", "properties", "items", "anyOf", "required", "enum", "$ref", "additionalProperties"]
)
WORDS = st.sampled_from(["object", "array", "string", "null", "#/$defs/a", "a"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, JSON, max_size=5), st.sampled_from([None, True, False]))
def test_any_schema_is_strict_and_closed_or_not_strict(schema, strict) -> None:
    """Also a malformed one; the user's schema stays as it was."""
    wanted = ResponseFormat({"type": "object", **schema}, "x", strict)
    before = repr(wanted)
    native = create_native_format(wanted)
    assert repr(wanted) == before
    if native and native["json_schema"].get("strict"):
        check_closed(native["json_schema"]["schema"], is_root=True)
        assert strict is not False
