"""A reply that is JSON: what the model is told, and how its text is read; pure.

The endpoint does not take OpenAI's `response_format`, so it is honoured by prompting.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_segmind._tool_calling import Scanner, UnreadableError, fits, render_schema

FENCE = re.compile(r"```[^\n`]*\n(?P<body>.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)

ONLY_JSON = (
    "{when}reply with nothing but one JSON {what}: no code fence, no other text, and JSON's own "
    "true, false and null.{type}"
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
        return ONLY_JSON.format(
            when="Unless you call functions, " if with_tools else "Always ",
            what="value of the type below" if self.schema is not None else "object",
            type=f"\n\n{render_schema(self.schema)}" if self.schema is not None else "",
        )

    def read(self, text: str) -> str:
        """Get the bare JSON of a reply.

        Raises:
            NotJSONError: If there is none, or it does not fit the schema.
        """
        value = read_json(text)
        if self.schema is None:
            if not isinstance(value, dict):
                raise NotJSONError("it is no JSON object")
            bent: Any = value
        else:
            bent, is_fitting = fits(value, self.schema, self.schema)
            if not is_fitting:
                raise NotJSONError("it does not fit the type that was asked for")
        return json.dumps(bent, ensure_ascii=False)


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
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}}:
            return ResponseFormat(schema)
        case _:
            raise ValueError(
                f"response_format={given!r:.200} is unknown; pass {{'type': 'json_object'}} or "
                "{'type': 'json_schema', 'json_schema': {'name': ..., 'schema': {...}}}, or use "
                "with_structured_output."
            )


def read_json(text: str) -> Any:
    """Read a reply that is JSON: as it stands, else in its only fence, else as Python spells it.

    Raises:
        NotJSONError: If it is none of these.
    """
    body = text.strip("\ufeff \t\r\n")
    fences = FENCE.findall(f"{body}\n")
    candidates = [body, fences[0]] if len(fences) == 1 else [body]
    for candidate in candidates:
        try:
            return json.loads(candidate, parse_constant=_refuse)
        except (ValueError, RecursionError):
            continue
    for candidate in candidates:
        scanner = Scanner(candidate)
        try:
            value = scanner.read_value()
        except UnreadableError:
            continue
        if not scanner.peek() and isinstance(value, dict | list):
            return value
    raise NotJSONError("it is no JSON")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
