"""A reply that is JSON: what the model is told, and how its text is read; pure.

The endpoint does not take OpenAI's `response_format`, so it is honoured by prompting.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_segmind._tools import (
    Coerced,
    Scanner,
    UnreadableError,
    coerce_value,
    make_plain,
    render_schema,
    resolve,
)

FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:^[ \t]*```|(?:```)?\Z)", re.DOTALL | re.MULTILINE)

ONLY_JSON = (
    "{when} answer with one JSON {what} and nothing else: no plain text, no code fence. "
    "Spell it as JSON does: double quotes, true, false, null."
)


class NotJSONError(ValueError):
    """A reply is not the JSON that was asked for; the message says why."""


@dataclass(frozen=True)
class ResponseFormat:
    """What a reply must be.

    Attributes:
        schema: The JSON schema of the answer; None for any JSON object.
    """

    schema: Mapping[str, Any] | None = None

    def render_instructions(self, *, with_tools: bool) -> str:
        """Tell a model about the format."""
        when = "Unless you call functions," if with_tools else "Always"
        if self.schema is None:
            return ONLY_JSON.format(when=when, what="object")
        told = ONLY_JSON.format(when=when, what="value of the type below")
        return f"{told}\n\n{render_schema(self.schema)}"

    def read(self, text: str) -> str:
        """Get the bare JSON of a reply.

        Raises:
            NotJSONError: If there is none.
            ValueError: If it does not fit the schema; the message says where, and why.
        """
        value = read_json(text)
        if self.schema is None and not isinstance(value, dict):
            raise NotJSONError("it is no JSON object")
        if self.schema is not None:
            coerced = coerce_value(value, self.schema)
            check_fit(coerced)
            value = coerced.value
        return write_json(value)


def parse_response_format(given: Any) -> ResponseFormat | None:
    """Read OpenAI's `response_format`; None where it asks for nothing.

    Source: https://platform.openai.com/docs/api-reference/chat/create#response_format

    Raises:
        ValueError: If it has another form.
    """
    match given:
        case None | {"type": "text"}:
            return None
        case ResponseFormat():
            return given
        case {"type": "json_object"}:
            return ResponseFormat()
        case {"type": "json_schema", "json_schema": {"schema": dict(schema), **others}}:
            return ResponseFormat(_add_description(schema, others.get("description")))
        case _:
            raise ValueError(
                f"response_format={given!r:.200} is unknown; pass {{'type': 'json_object'}} or "
                "{'type': 'json_schema', 'json_schema': {'name': ..., 'schema': {...}}}, or use "
                "with_structured_output."
            )


def _add_description(schema: dict[str, Any], description: Any) -> dict[str, Any]:
    """Write what a schema is into it, unless it says so itself."""
    is_described = not description or resolve(schema, schema).get("description")
    return schema if is_described else {**schema, "description": description}


def read_json(text: str) -> Any:
    """Read a reply that is JSON: as it stands, else in its only fence, else as Python spells it.

    Raises:
        NotJSONError: If it is none of these.
    """
    body = text.strip("\ufeff \t\r\n")
    if not body:
        raise NotJSONError("it is empty")
    fences = FENCE.findall(body)
    candidates = [body, *fences] if len(fences) == 1 else [body]
    for candidate in candidates:
        try:
            # Models write line feeds into strings as they are.
            return json.loads(candidate, strict=False, parse_constant=_refuse)
        except (ValueError, RecursionError):
            continue
    for candidate in candidates:
        scanner = Scanner(candidate)
        try:
            value = scanner.read_value()
        except UnreadableError:
            continue
        is_whole = not scanner.peek() and "source" not in scanner.leniencies
        if is_whole and isinstance(value, dict | list):
            return make_plain(value)
    raise NotJSONError("it is no JSON")


def check_fit(coerced: Coerced) -> None:
    """Refuse a value that does not fit its schema though it was bent to it.

    Raises:
        ValueError: The message says where it does not fit, and why.
    """
    if coerced.fault:
        raise ValueError(f"it does not fit: {coerced.fault}")


def write_json(value: Any) -> str:
    """Write a value as JSON.

    Raises:
        ValueError: If it cannot be written: infinity, or too many levels.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        raise ValueError("it cannot be written as JSON") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
