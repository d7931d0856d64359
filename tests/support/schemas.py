"""Schemas of every kind that users pass, each with a value that matches it."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Annotated, Generic, Literal, NotRequired, Optional, TypedDict, TypeVar

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel, field_validator
from typing_extensions import TypedDict as TypedDictOfExtensions

STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
BOOLEAN, NULL = {"type": "boolean"}, {"type": "null"}


def make_tool(
    name: str, required: Sequence[str] = (), *, strict: bool = False, **properties: object
) -> dict:
    """Return a tool as OpenAI's dict."""
    parameters = {"type": "object", "properties": properties, "required": [*required]}
    function = {"name": name, "parameters": parameters, "strict": strict}
    return {"type": "function", "function": function}


class Color(Enum):
    """A color."""

    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    """An address."""

    street: str


class Person(BaseModel):
    """A person.

    With an address.
    """

    name: str = Field(description="The full name.")
    age: int = Field(ge=0)
    email: str | None = None
    color: Color = Color.RED
    address: Address
    others: list[Address] = []


class Node(BaseModel):
    """A tree."""

    value: int
    children: list["Node"] = []


class Cat(BaseModel):
    """A cat."""

    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    """A dog."""

    kind: Literal["dog"]
    barks: bool


class Owner(BaseModel):
    """An owner of pets."""

    pet: Cat | Dog
    other: Cat | Dog = Field(discriminator="kind")


class Bill(BaseModel):
    """A bill."""

    total: Decimal
    due: dt.date
    paid_at: dt.datetime | None = None


class Exact(BaseModel):
    """A strict class without extra keys."""

    model_config = ConfigDict(strict=True, extra="forbid")

    day: dt.date
    number: int


class Aliased(BaseModel):
    """A class with aliases."""

    class_: str = Field(alias="class")
    x: int = Field(validation_alias=AliasChoices("ex-x", "x"))


class Even(BaseModel):
    """An even number."""

    number: int

    @field_validator("number")
    @classmethod
    def check(cls, number: int) -> int:
        """Refuse odd numbers, and fail for 7."""
        if number == 7:
            raise KeyError("seven")
        if number % 2:
            raise ValueError("it is odd.")
        return number


class Empty(BaseModel):
    """A class without fields."""


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    """A container."""

    value: T


class Numbers(RootModel[list[int]]):
    """A list of numbers."""


@dataclass
class Point:
    """A point."""

    x: int
    y: int = 0
    labels: list[str] = field(default_factory=list)


@dataclass
class Line:
    """A dataclass that contains another."""

    point: Point


class Joke(TypedDict):
    """A joke."""

    setup: Annotated[str, ..., "The first line."]
    rating: Annotated[Optional[int], None, "From 1 to 10."]  # noqa: UP045 - as LangChain's docs do


class Track(TypedDict):
    """A track."""

    title: str
    seconds: NotRequired[int]
    artist: str | None


class Album(Track, total=False):
    """An album."""

    tracks: list[Track]
    bonus: Track | None
    by_year: dict[str, list[Track]]
    kind: Literal["CD", "LP"]
    sold: Annotated[int, Field(ge=0)]
    released: dt.date
    owner: Address


class Ring(TypedDict):
    """A TypedDict that contains itself."""

    rings: "list[Ring]"


class New(TypedDictOfExtensions):
    """A TypedDict of `typing_extensions`."""

    a: int


JSON_SCHEMA = {
    "title": "City",
    "description": "A place.",
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name"],
}
MAPPING = {"type": "object", "additionalProperties": INTEGER}
UNTITLED = {key: JSON_SCHEMA[key] for key in ("type", "properties", "required")}
FUNCTION = {"name": "City", "description": "A place.", "parameters": UNTITLED}

OSLO = {"name": "Oslo", "people": 7}
PERSON = {"name": "Ann", "age": 5, "address": {"street": "Elm"}}
FITTING = [
    pytest.param(
        Person,
        {**PERSON, "age": "5", "email": None, "color": None},
        Person(name="Ann", age=5, address=Address(street="Elm")),
        id="a class with defaults",
    ),
    pytest.param(
        Person,
        {**PERSON, "email": "a@b", "color": "blue", "others": [{"street": "Oak"}]},
        Person(
            name="Ann",
            age=5,
            email="a@b",
            color=Color.BLUE,
            address=Address(street="Elm"),
            others=[Address(street="Oak")],
        ),
        id="all fields",
    ),
    pytest.param(
        Node,
        {"value": 1, "children": [{"value": 2, "children": [{"value": "3"}]}]},
        Node(value=1, children=[Node(value=2, children=[Node(value=3)])]),
        id="a recursive class",
    ),
    pytest.param(
        Owner,
        {"pet": {"kind": "dog", "barks": True}, "other": {"kind": "cat", "lives": 9}},
        Owner(pet=Dog(kind="dog", barks=True), other=Cat(kind="cat", lives=9)),
        id="unions",
    ),
    pytest.param(
        Bill,
        {"total": "12.50", "due": "2024-05-01", "paid_at": "2024-05-02T10:00:00Z"},
        Bill(
            total=Decimal("12.50"),
            due=dt.date(2024, 5, 1),
            paid_at=dt.datetime(2024, 5, 2, 10, tzinfo=dt.UTC),
        ),
        id="dates and decimals",
    ),
    pytest.param(
        Exact,
        {"day": "2024-05-01", "number": 5},
        Exact(day=dt.date(2024, 5, 1), number=5),
        id="a strict class",
    ),
    pytest.param(
        Aliased, {"class": "a", "ex-x": 1}, Aliased(**{"class": "a", "x": 1}), id="aliases"
    ),
    pytest.param(Even, {"number": 2}, Even(number=2), id="a validator"),
    pytest.param(Empty, {}, Empty(), id="an empty class"),
    pytest.param(Box[int], {"value": 1}, Box[int](value=1), id="a generic class"),
    pytest.param(Point, {"x": 1}, Point(1), id="a dataclass"),
    pytest.param(Line, {"point": {"x": 1}}, Line(Point(1)), id="nested dataclasses"),
    pytest.param(Joke, {"setup": "Why?"}, {"setup": "Why?", "rating": None}, id="LangChain's form"),
    pytest.param(
        Track, {"title": "a", "artist": None}, {"title": "a", "artist": None}, id="a TypedDict"
    ),
    pytest.param(
        Album,
        {
            "title": "a",
            "artist": "b",
            "tracks": [{"title": "c", "artist": None, "seconds": "5"}],
            "bonus": None,
            "by_year": {"1999": [{"title": "d", "artist": "e"}]},
            "kind": "LP",
            "released": "2024-05-01",
            "owner": {"street": "Elm"},
        },
        {
            "title": "a",
            "artist": "b",
            "tracks": [{"title": "c", "artist": None, "seconds": 5}],
            "bonus": None,
            "by_year": {"1999": [{"title": "d", "artist": "e"}]},
            "kind": "LP",
            "released": dt.date(2024, 5, 1),
            "owner": Address(street="Elm"),
        },
        id="a TypedDict of TypedDicts",
    ),
    pytest.param(New, {"a": 1}, {"a": 1}, id="a TypedDict of typing_extensions"),
    pytest.param(JSON_SCHEMA, {"name": "Oslo", "people": "7"}, OSLO, id="a JSON schema"),
    pytest.param(UNTITLED, OSLO, OSLO, id="a JSON schema without a title"),
    pytest.param(
        Node.model_json_schema(),
        {"value": 1, "children": [{"value": "2"}]},
        {"value": 1, "children": [{"value": 2}]},
        id="a recursive JSON schema",
    ),
    pytest.param(FUNCTION, {"name": "Oslo", "people": None}, {"name": "Oslo"}, id="a function"),
    pytest.param({"type": "function", "function": FUNCTION}, OSLO, OSLO, id="OpenAI's tool"),
    pytest.param(
        {"type": "json_schema", "json_schema": {"name": "City", "schema": UNTITLED}},
        OSLO,
        OSLO,
        id="OpenAI's response_format",
    ),
    pytest.param(MAPPING, {"a": "1"}, {"a": 1}, id="a mapping"),
]
