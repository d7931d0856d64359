"""Replies that are JSON: the instructions for the model, and the reading of its text.

Every model is asked in the prompt, also where `response_format` is sent as well: Segmind drops
unknown keys silently, so a 200 does not show that the format was applied.
"""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from langchain_segmind._output.answers import Wanted, find_answer, keep_digits
from langchain_segmind._output.json_text import NotJSONError
from langchain_segmind._tools import (
    PATH_STRING,
    Coerced,
    Expression,
    NumberLiteral,
    SchemaCache,
    coerce_value,
    iterate_leaves,
    render_schema,
    resolve,
)

JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][+-]?\d++)?")

ONLY_JSON = (
    "{when} answer with one JSON {what} and nothing else: no plain text, no code fence. "
    "Use JSON syntax: double quotes, true, false, null."
)


@dataclass(frozen=True)
class ResponseFormat:
    """The format that a reply must have.

    Attributes:
        schema: The JSON schema of the reply; None for any JSON object.
        name: The schema's name; can be empty.
        strict: OpenAI's `strict`, for a format that is sent; None if it is not given.
    """

    schema: Mapping[str, Any] | None = None
    name: str = ""
    strict: bool | None = None

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
            ValueError: If it does not match the schema, or two different values do; the message
                says where and why.
        """
        wanted = Wanted(schemas=self._schemas, name=self.name, convert=self._convert)
        return write_json(find_answer(text, wanted).converted)

    def _convert(self, value: Any) -> Any:
        if self._schemas is None:
            return check_object(value)
        coerced = coerce_value(value, self._schemas.root, self._schemas)
        check_match(coerced, self._schemas)
        return keep_digits(value, coerced.value)

    @cached_property
    def _schemas(self) -> SchemaCache | None:
        return None if self.schema is None else SchemaCache(self.schema)


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
            described = _add_description(schema, others.get("description"))
            strict = None if others.get("strict") is None else bool(others["strict"])
            return ResponseFormat(described, str(others.get("name") or ""), strict)
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


def check_match(coerced: Coerced, schemas: SchemaCache) -> None:
    """Raise if a coerced value does not match the root of its schemas.

    Raises:
        ValueError: If it does not; the message says where and why.
    """
    from langchain_segmind._tools.validation import find_problem  # noqa: PLC0415 - few need it

    if problem := find_problem(coerced, schemas):
        raise ValueError(f"does not match the schema: {problem}")


def check_object(value: Any) -> dict[str, Any]:
    """Return a value that is a JSON object.

    Raises:
        NotJSONError: If it is not.
    """
    if not isinstance(value, dict):
        raise NotJSONError("not a JSON object")
    if any(isinstance(leaf, Expression) for leaf in iterate_leaves(value)):
        raise NotJSONError("not valid JSON: a number starts with a zero")
    return value


def write_json(value: Any) -> str:
    """Return a value as JSON text, with all digits of its numbers.

    Raises:
        ValueError: If it contains infinity or is nested too deeply.
    """
    mark = secrets.token_hex(8)  # no text contains it
    try:
        text = json.dumps(
            value,
            ensure_ascii=False,
            allow_nan=False,
            default=lambda number: f"{mark}{_write_number(number)}",
        )
    except (ValueError, RecursionError):
        raise ValueError("cannot be written as JSON") from None
    if mark in text:
        text = re.sub(rf'"{mark}([^"]++)"', r"\1", text)
    # Read again, the text would look like a path whose backslashes are not escaped.
    return PATH_STRING.sub(_escape_start, text)


def _write_number(number: NumberLiteral) -> str:
    return number.raw if JSON_NUMBER.fullmatch(number.raw) else json.dumps(number.value)


def _escape_start(path: re.Match[str]) -> str:
    """Return the start of a string with its first character, which can be escaped, as a code."""
    start, first = path[0], path[0][1]
    rest = start[3:] if first == "\\" else start[2:]
    return f"{start[0]}\\u{ord(first):04x}{rest}"
