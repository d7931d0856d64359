"""Reads JSON as models write it: with comments, trailing commas, or Python's syntax."""

import re
from typing import Any

from langchain_segmind._tools import (
    ESCAPED_SLASH,
    JSON_STRING,
    MISSING,
    Expression,
    Scanner,
    UnreadableError,
    decode,
    decode_brackets,
    find_end,
    iterate_leaves,
    remove_trailing_commas,
)

CLOSERS = {"{": "}", "[": "]"}
COMMENT = r"(?P<comment>(?://|\#)[^\n]*+|/\*.*?(?:\*/|\Z))"
COMMENT_START = re.compile(r"//|/\*|\#")
COMMENTED = re.compile(rf"{JSON_STRING}|{COMMENT}|(?P<open>[{{\[])|(?P<close>[}}\]])", re.DOTALL)
ADJACENT_STRINGS = re.compile(
    r"\"\"\".*?\"\"\"|'''.*?'''"
    rf"|(?P<string>{JSON_STRING}|'(?:\\.|[^'\\])*+(?:'|\\?\Z))(?P<next>\s*+[\"'])?",
    re.DOTALL,
)
LEADING_ZEROS = re.compile(r"0\d+(?:\.\d+)?")


class NotJSONError(ValueError):
    """The reply is not the requested JSON; the message says why."""


def read_whole(text: str) -> Any:
    """Return the value that a text is: JSON, or a list or dict in Python's syntax."""
    return read_brackets(text) if text.startswith(("{", "[")) else decode(text)


def read_brackets(text: str) -> Any:
    """Return the value that a text from a bracket to another is, in JSON or Python's syntax."""
    if (value := decode_brackets(text)) is not MISSING:
        return value
    # In Python, adjacent strings are one: here, a comma is missing.
    strings = ADJACENT_STRINGS.finditer(text)
    if ESCAPED_SLASH.search(text) or any(
        one["next"] and not _is_triple_quote(one) for one in strings
    ):
        return MISSING
    if text[-1] != CLOSERS[text[0]] or 0 < find_end(text, 0) < len(text):
        return MISSING
    scanner = Scanner(text)
    try:
        value = scanner.read_value()
    except UnreadableError:
        return MISSING
    is_whole = not scanner.peek() and isinstance(value, dict | list)
    return value if is_whole and _has_no_expression(value) else MISSING


def _is_triple_quote(string: re.Match[str]) -> bool:
    return len(string["string"]) == 2 and len(string["next"]) == 1  # noqa: PLR2004 - `""`


def _has_no_expression(value: Any) -> bool:
    """Whether all parts of a value are literals, or numbers that start with zeros."""
    return all(
        LEADING_ZEROS.fullmatch(leaf)
        for leaf in iterate_leaves(value)
        if isinstance(leaf, Expression)
    )


def find_commented_end(text: str, start: int) -> int:
    """Return where JSON with comments ends that begins at a bracket; -1 if it is not closed."""
    depth = comments = 0
    for part in COMMENTED.finditer(text, start):
        depth += bool(part["open"]) - bool(part["close"])
        comments += bool(part["comment"])
        if not depth:
            return part.end() if comments else -1
    return -1


def read_commented(text: str) -> Any:
    """Return the value of JSON with comments."""
    # A quote without its partner can be the end of a string whose first quote is missing.
    if any((part["comment"] or "").count('"') % 2 for part in COMMENTED.finditer(text)):
        return MISSING
    plain = COMMENTED.sub(lambda part: " " if part["comment"] else part[0], text)
    return decode(remove_trailing_commas(plain))
