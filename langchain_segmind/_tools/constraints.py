"""What a JSON schema demands of a value beyond its type: ranges, lengths, patterns."""

from collections.abc import Callable, Mapping
from typing import Any

from langchain_segmind._tools.json_schema import Schema, matches

Check = Callable[[Any, Any], bool]
"""Tells whether a value meets what a key of its schema says."""


def _matches(text: str, pattern: Any) -> bool:
    return matches(pattern, text) is not False


def _is_multiple(number: float, of: Any) -> bool:
    quotient = float(number / of)
    return abs(quotient - round(quotient)) <= 1e-9 * max(1, abs(quotient))


def _has_no_twins(items: list[Any], wanted: Any) -> bool:
    return not wanted or len({repr(item) for item in items}) == len(items)


CHECKS: Mapping[type, Mapping[str, Check]] = {
    float: {
        "minimum": lambda number, limit: number >= limit,
        "exclusiveMinimum": lambda number, limit: number > limit,
        "maximum": lambda number, limit: number <= limit,
        "exclusiveMaximum": lambda number, limit: number < limit,
        "multipleOf": _is_multiple,
    },
    str: {
        "minLength": lambda text, limit: len(text) >= limit,
        "maxLength": lambda text, limit: len(text) <= limit,
        "pattern": _matches,
    },
    list: {
        "minItems": lambda items, limit: len(items) >= limit,
        "maxItems": lambda items, limit: len(items) <= limit,
        "uniqueItems": _has_no_twins,
    },
    dict: {
        "minProperties": lambda pairs, limit: len(pairs) >= limit,
        "maxProperties": lambda pairs, limit: len(pairs) <= limit,
    },
}


def find_unmet_constraint(value: Any, schema: Schema) -> str:
    """Name what a value of the right type does not meet of its schema; empty where it meets all.

    Formats, such as `date`, are not checked; what a schema says in a form that is none counts
    for nothing.
    """
    if isinstance(value, bool) or value is None:
        return ""
    kind = float if isinstance(value, int | float) else type(value)
    for key, check in CHECKS.get(kind, {}).items():
        if key in schema:
            try:
                if not check(value, schema[key]):
                    return f"{key}={schema[key]!r:.80}"
            except (TypeError, ValueError, ArithmeticError):
                continue
    return ""
