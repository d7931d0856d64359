"""The JSON of a response's body."""

import json
from typing import Any


def parse_json(body: bytes) -> Any:
    """Return the value in a body; a number with too many digits for Python is None.

    Raises:
        ValueError: The body is not JSON.
        RecursionError: It is nested too deeply.
    """
    text = body.decode("utf-8-sig", "surrogatepass")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(text, parse_int=_parse_int)


def _parse_int(digits: str) -> int | None:
    try:
        return int(digits)
    except ValueError:
        return None
