"""Reads JSON as models write it: with line feeds in strings, or trailing commas."""

import json
import re
from typing import Any

from langchain_segmind._tools.literal_parser import convert_number
from langchain_segmind._tools.syntax import WINDOWS_PATH

JSON_STRING = r"\"(?:\\.|[^\"\\])*+(?:\"|\\?\Z)"
"""Also matches one that is not closed: what is in it is not looked at again."""

TRAILING_COMMA = re.compile(rf"{JSON_STRING}|(?P<comma>,)(?=\s*+[}}\]])", re.DOTALL)

PATH_STRING = re.compile(rf"['\"]{WINDOWS_PATH.pattern}(?=[bfnrt]\w)")
"""Matches a string in JSON that starts like a path, such as `C:\\temp`: JSON would read a tab."""

ESCAPED_SLASH = re.compile(r"(?<!\\)(?:\\\\)*+\\/")
"""Matches an escape of JSON that Python reads in another way."""

UNICODE_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)

MISSING = object()
"""Stands for a value that cannot be read."""


def _convert_json_number(text: str) -> Any:
    if (number := convert_number(text)) is None:
        raise ValueError("infinity is not JSON")
    return number


def _create_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is given twice")
    return value


# Models write unescaped line feeds in strings; NaN and Infinity are not JSON.
DECODER = json.JSONDecoder(
    strict=False,
    object_pairs_hook=_create_object,
    parse_int=_convert_json_number,
    parse_float=_convert_json_number,
    parse_constant=_convert_json_number,
)


def decode(text: str) -> Any:
    """Return the value of JSON; half of a character becomes U+FFFD, as in all replies."""
    if "\\u" in text:
        text = UNICODE_ESCAPE.sub(lambda escape: r"\ufffd" if escape["half"] else escape[0], text)
    try:
        return DECODER.decode(text)
    except (ValueError, RecursionError):
        return MISSING


def decode_brackets(text: str) -> Any:
    """Return the value of JSON from a bracket to another; it can have trailing commas."""
    # JSON would read the backslashes of a path that are not escaped.
    if PATH_STRING.search(text):
        return MISSING
    if (value := decode(text)) is MISSING and "," in text:
        value = decode(remove_trailing_commas(text))
    return value


def remove_trailing_commas(text: str) -> str:
    """Return JSON without the commas before closing brackets."""
    return TRAILING_COMMA.sub(lambda part: "" if part["comma"] else part[0], text)
