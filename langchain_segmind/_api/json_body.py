"""The JSON of a request's or response's body."""

import json
from collections.abc import Collection
from typing import Any

ANSWER_KEYS = frozenset({"choices", "content", "candidates", "promptFeedback"})
"""Top-level keys of a provider's JSON that hold what the model wrote."""


class UnreadableNumberError(ValueError):
    """A number has more digits than Python reads, where its value matters."""


def parse_json(body: bytes, exact: Collection[str] = ()) -> Any:
    """Return the value in a body; a number with too many digits for Python is None.

    Args:
        body: JSON.
        exact: Top-level keys whose numbers must not be lost.

    Raises:
        ValueError: The body is not JSON, or has such a number under one of these keys.
        RecursionError: It is nested too deeply.
    """
    text = body.decode("utf-8-sig", "surrogatepass")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        parsed = json.loads(text, parse_int=_parse_int)
    if isinstance(parsed, dict) and any(_is_lost(parsed.get(key)) for key in exact):
        raise UnreadableNumberError("a number has too many digits")
    return _remove_lost(parsed)


class _Lost:
    """Stands for a number that Python does not read."""


LOST = _Lost()


def _parse_int(digits: str) -> Any:
    try:
        return int(digits)
    except ValueError:
        return LOST


def _is_lost(value: Any) -> bool:
    """Whether a value contains a lost number."""
    rest = [value]
    while rest:
        value = rest.pop()
        if value is LOST:
            return True
        if isinstance(value, dict | list):
            rest += value.values() if isinstance(value, dict) else value
    return False


def _remove_lost(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _remove_lost(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_remove_lost(inner) for inner in value]
    return None if value is LOST else value


def describe_surrogate(error: UnicodeEncodeError) -> str:
    """Return why UTF-8 cannot encode a text, and what to do."""
    before = error.object[max(0, error.start - 20) : error.start]
    return (
        f"the text after {before!r} contains half of a character (a lone surrogate), which UTF-8 "
        "cannot encode. Remove it, or repair the place where the text was cut."
    )
