"""Errors of validation without the values that were passed: any of them can be a secret."""

import contextlib
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError

from langchain_segmind._api.secrets import MASK


def hide_input(error: ValidationError) -> ValidationError:
    """Return the same error with a mask for each input.

    `hide_input_in_errors` hides inputs in an error's text only: `errors()` and `json()` show them,
    and for a problem of the model as a whole, all arguments.
    """
    details = [
        InitErrorDetails(
            type=_create_type(one["type"], one["msg"], one.get("ctx")),
            # The name of a malformed header can be a whole line, with its value.
            loc=one["loc"][:1] if one["loc"][:1] == ("default_headers",) else one["loc"],
            input=MASK,
            ctx=one.get("ctx", {}),
        )
        for one in error.errors(include_url=False, include_input=False)
    ]
    return ValidationError.from_exception_data(error.title, details, hide_input=True)


def _create_type(
    name: Any, message: Any, context: dict[str, Any] | None
) -> str | PydanticCustomError:
    """Return the name of one of pydantic's own errors, and any other as a whole."""
    with contextlib.suppress(KeyError, TypeError):
        if PydanticKnownError(name, context).message() == message:
            return str(name)
    return PydanticCustomError(name, message, context)
