"""The vector in a reply, wherever it is: Segmind documents no form."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.errors import create_error
from langchain_segmind._api.json_body import parse_json
from langchain_segmind.exceptions import SegmindResponseError

VECTOR_KEYS = ("embedding", "embeddings", "data", "values", "predictions")
"""Keys that hold the vector, or what contains it."""

MAX_DEPTH = 6
"""How many lists and objects can contain a vector."""


def read_vector(response: APIResponse) -> list[float]:
    """Return the vector in a response.

    Raises:
        SegmindResponseError: There is none, or more than one, or it has anything but finite
            numbers.
    """
    try:
        return _find_vector(parse_json(response.body), MAX_DEPTH)
    except RecursionError:
        problem = "is nested too deeply"
    except UnicodeDecodeError:
        problem = "is not UTF-8"
    except ValueError as error:
        problem = str(error) if isinstance(error, _NoVectorError) else "is not JSON"
    # Raised after the block: chained, the error would show the frames of the JSON decoder.
    problem = f"The server answered {response.status_code}, but the body {problem}"
    raise create_error(response, SegmindResponseError, problem)


class _NoVectorError(ValueError):
    """A reply has no vector; the message says why, after "the body"."""


def _find_vector(value: Any, depth: int) -> list[float]:
    if depth and isinstance(value, Mapping):
        for key in VECTOR_KEYS:
            if value.get(key):
                return _find_vector(value[key], depth - 1)
    if isinstance(value, list) and value:
        if depth and isinstance(value[0], list | dict):
            if len(value) > 1:
                raise _NoVectorError(f"has {len(value)} vectors for one text")
            return _find_vector(value[0], depth - 1)
        return _check_numbers(value)
    raise _NoVectorError("has no vector")


def _check_numbers(values: list[Any]) -> list[float]:
    if not set(map(type, values)) <= {int, float}:  # a flag is an int, but not of that type
        raise _NoVectorError("has something else than numbers in its vector")
    try:
        vector = list(map(float, values))
    except OverflowError:
        vector = []
    if not vector or not all(map(isfinite, vector)):
        raise _NoVectorError("has a number in its vector that is not finite")
    return vector
