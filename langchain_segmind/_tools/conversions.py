"""Value -> the same value in another type, where both say the same; each bend has a name."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from langchain_segmind._tools.literal_parser import Scanner, UnreadableError

INTEGER = re.compile(r"[+-]?\d{1,100}")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


IS_TYPE: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}

Bend = tuple[str | None, Any]
"""A bend's name, or None where there is none, and the value."""

NO_BEND: Bend = (None, None)


def _bend_to_string(value: Any) -> Bend:
    if isinstance(value, bool):
        return "boolean_to_text", str(value).lower()
    return ("number_to_text", str(value)) if _is_number(value) else NO_BEND


def _bend_to_integer(value: Any) -> Bend:
    if isinstance(value, float) and value.is_integer():
        return "float_to_integer", int(value)
    if isinstance(value, str) and INTEGER.fullmatch(value.strip()):
        return "text_to_number", int(value)
    return NO_BEND


def _bend_to_number(value: Any) -> Bend:
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        integer = INTEGER.fullmatch(value.strip())
        number = int(value) if integer else float(value)
        return ("text_to_number", number) if math.isfinite(number) else NO_BEND
    return NO_BEND


def _bend_to_boolean(value: Any) -> Bend:
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return "text_to_boolean", value.strip().lower() == "true"
    return NO_BEND


def _bend_to_collection(kind: type) -> Callable[[Any], Bend]:
    def bend(value: Any) -> Bend:
        if isinstance(value, str):
            scanner = Scanner(value)
            try:
                read = scanner.read_value()
            except UnreadableError:
                return NO_BEND
            exact = not scanner.peek() and {*scanner.leniencies} <= {"foreign_constant"}
            if exact and isinstance(read, kind):
                return "literal_in_text", read
        return NO_BEND

    return bend


BENDS: Mapping[str, Callable[[Any], Bend]] = {
    "string": _bend_to_string,
    "integer": _bend_to_integer,
    "number": _bend_to_number,
    "boolean": _bend_to_boolean,
    "null": lambda _: NO_BEND,
    "array": _bend_to_collection(list),
    "object": _bend_to_collection(dict),
}
