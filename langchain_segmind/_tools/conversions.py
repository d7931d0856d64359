"""Converts single values to the JSON type asked for, where both forms say the same."""

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import NoneType
from typing import Any

from langchain_segmind._tools.json_schema import is_number
from langchain_segmind._tools.literal_parser import Expression, NumberLiteral, Scanner
from langchain_segmind._tools.strings import UnreadableError

INTEGER = re.compile(r"[+-]?\d{1,100}")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

ANNOTATIONS = frozenset({"type", "title", "description", "default", "examples"})
"""Keys of a schema that constrain nothing but the type."""

PLAIN_TYPES: Mapping[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
}

IS_TYPE: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}

NEVER_CONVERTED = frozenset({bool, NoneType, list, dict})
"""Types of values that no conversion changes to another one."""


def is_plain_match(value: Any, schema: Any) -> bool:
    """Whether a value is a scalar of exactly the type asked for, if any, and no more is asked."""
    return (
        type(schema) is dict
        and type(value) in PLAIN_TYPES
        and schema.get("type", PLAIN_TYPES[type(value)]) == PLAIN_TYPES[type(value)]
        and schema.keys() <= ANNOTATIONS
    )


def make_plain(value: Any) -> Any:
    """Return a value as JSON, without a schema: expressions become their text."""
    if isinstance(value, Expression):
        return str(value)
    if isinstance(value, NumberLiteral):
        return value.value
    if isinstance(value, list):
        return [make_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: make_plain(item) for key, item in value.items()}
    return value


def convert(value: Any, type_name: str | None) -> tuple[str | None, Any]:
    """Convert a value to another JSON type.

    Returns:
        The name of the coercion, None if there is none that keeps the meaning, and the value.
    """
    match type_name:
        case "string" if is_number(value):
            return "number_to_text", str(value)
        case "integer" if isinstance(value, float) and value.is_integer():
            # The digits as written: `int(1e23)` is 99999999999999991611392.
            return "float_to_integer", int(Decimal(repr(value)))
        case "integer" | "number" if isinstance(value, str):
            return _convert_to_number(value.strip(), type_name)
        case "boolean" if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
            return "text_to_boolean", value.strip().lower() == "true"
        case "array" | "object" if isinstance(value, str):
            return _convert_to_collection(value, type_name)
        case _:
            return None, value


def _convert_to_number(text: str, type_name: str) -> tuple[str | None, Any]:
    if INTEGER.fullmatch(text):
        return "text_to_number", int(text)
    if type_name == "number" and NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return "text_to_number", float(text)
    return None, text


def _convert_to_collection(text: str, type_name: str) -> tuple[str | None, Any]:
    scanner = Scanner(text)
    try:
        value = scanner.read_value()
    except UnreadableError:
        return None, text
    is_exact = not scanner.peek() and {*scanner.repairs} <= {"json_constant"}
    return ("literal_in_text", value) if is_exact and IS_TYPE[type_name](value) else (None, text)
