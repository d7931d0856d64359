"""Errors of validation, which keep no frames alive and show no secrets."""

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, PydanticKnownError

from langchain_segmind._api.secrets import MASK

Result = TypeVar("Result")


def validate(function: Callable[[], Result], *, shows_input: bool = False) -> Result:
    """Call a function that validates what a user passed, and return its result.

    pydantic's own error would show it: `hide_input_in_errors` hides it in the error's text only,
    not in `errors()` and `json()`, where a problem of the model as a whole has all arguments. The
    error would also hold what validators raised, and with it their frames, which pydantic hides
    from the garbage collector: https://github.com/dapper91/pydantic-xml/issues/222

    Args:
        function: What validates.
        shows_input: Whether the error shows what was passed; only where it cannot be a secret.

    Raises:
        ValueError: Something is invalid (pydantic's `ValidationError`).
    """
    try:
        return function()
    except ValidationError as error:
        details = [_copy(one, shows_input=shows_input) for one in error.errors()]
        failure = ValidationError.from_exception_data(
            error.title, details, hide_input=not shows_input
        )
    raise failure  # without the first error as its context


def _copy(details: ErrorDetails, *, shows_input: bool) -> InitErrorDetails:
    context = {
        key: str(value) if isinstance(value, Exception) else value
        for key, value in details.get("ctx", {}).items()
    }
    location = details["loc"]
    if location[:1] == ("default_headers",):
        location = location[:1]  # the name of a malformed header can be a whole line
    return InitErrorDetails(
        type=_create_type(details["type"], details["msg"], context),
        loc=location,
        input=details["input"] if shows_input else MASK,
        ctx=context,
    )


def _create_type(name: Any, message: Any, context: dict[str, Any]) -> str | PydanticCustomError:
    """Return the name of one of pydantic's own errors, and any other as a whole."""
    with contextlib.suppress(KeyError, TypeError):
        if PydanticKnownError(name, context).message() == message:
            return str(name)
    return PydanticCustomError(name, message, context)
