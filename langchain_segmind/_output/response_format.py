"""Replies that are JSON: the instructions for the model, and the reading of its text.

The endpoint has no `response_format`, so it is implemented by prompting.
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
    "Use JSON syntax: double quotes, true, false, null."
)


class NotJSONError(ValueError):
    """The reply is not the requested JSON; the message says why."""


@dataclass(frozen=True)
class ResponseFormat:
    """The format that a reply must have.

    Attributes:
        schema: The JSON schema of the reply; None for any JSON object.
    """

    schema: Mapping[str, Any] | None = None

    def render_instructions(self, *, with_tools: bool) -> str:
        """Return the instructions for the model."""
        when = "Unless you call functions," if with_tools else "Always"
        if self.schema is None:
            return ONLY_JSON.format(when=when, what="object")
        instructions = ONLY_JSON.format(when=when, what="value of the type below")
        return f"{instructions}\n\n{render_schema(self.schema)}"

    def read(self, text: str) -> str:
        """Return the bare JSON of a reply.

        Raises:
            NotJSONError: If it contains none.
            ValueError: If it does not match the schema; the message says where and why.
        """
        value = read_json(text)
        if self.schema is None and not isinstance(value, dict):
            raise NotJSONError("not a JSON object")
        if self.schema is not None:
            coerced = coerce_value(value, self.schema)
            check_match(coerced)
            value = coerced.value
        return write_json(value)


def parse_response_format(given: Any) -> ResponseFormat | None:
    """Return OpenAI's `response_format` as a `ResponseFormat`; None for plain text.

    Source: https://platform.openai.com/docs/api-reference/chat/create#response_format

    Raises:
        ValueError: If it has an unknown form.
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
                f"response_format={given!r:.200} is unknown. Pass {{'type': 'json_object'}} or "
                "{'type': 'json_schema', 'json_schema': {'name': ..., 'schema': {...}}}, or use "
                "with_structured_output."
            )


def _add_description(schema: dict[str, Any], description: Any) -> dict[str, Any]:
    """Return a schema with a description, unless it has one."""
    is_described = not description or resolve(schema, schema).get("description")
    return schema if is_described else {**schema, "description": description}


def read_json(text: str) -> Any:
    """Return the JSON value of a reply: the whole text, or its only fence; or a Python literal.

    Raises:
        NotJSONError: If it is neither.
    """
    body = text.strip("\ufeff \t\r\n")
    if not body:
        raise NotJSONError("the reply is empty")
    fences = FENCE.findall(body)
    candidates = [body, *fences] if len(fences) == 1 else [body]
    for candidate in candidates:
        try:
            # Models write unescaped line feeds in strings.
            return json.loads(candidate, strict=False, parse_constant=_refuse)
        except (ValueError, RecursionError):
            continue
    for candidate in candidates:
        scanner = Scanner(candidate)
        try:
            value = scanner.read_value()
        except UnreadableError:
            continue
        is_whole = not scanner.peek() and "expression" not in scanner.repairs
        if is_whole and isinstance(value, dict | list):
            return make_plain(value)
    raise NotJSONError("not valid JSON")


def check_match(coerced: Coerced) -> None:
    """Raise if a coerced value does not match its schema.

    Raises:
        ValueError: If it does not; the message says where and why.
    """
    if coerced.problem:
        raise ValueError(f"does not match the schema: {coerced.problem}")


def write_json(value: Any) -> str:
    """Return a value as JSON text.

    Raises:
        ValueError: If it contains infinity or is nested too deeply.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        raise ValueError("cannot be written as JSON") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
