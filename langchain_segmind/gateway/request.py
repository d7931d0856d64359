"""Requests as the gateway received them: recorded for tests, answered by backends."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Attributes:
        method: The HTTP method, in capitals.
        path: The path, percent-decoded.
        headers: The headers, names in lower case.
        body: The raw body.
        json: The parsed body; None if it is not valid JSON.
        client: The client's host and port; differs between connections.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    json: Any = None
    client: tuple[str, int] | None = None

    @property
    def slug(self) -> str:
        """The requested model: the last segment of the path."""
        return self.path.rpartition("/")[2]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages; the shorthand `prompt` counts as one user message."""
        body = self.json if isinstance(self.json, dict) else {}
        if "messages" in body:
            return list(body["messages"])
        return [{"role": "user", "content": body["prompt"]}] if "prompt" in body else []

    @property
    def last_message(self) -> str:
        """The text of the last message, or an empty string."""
        return get_text(self.messages[-1].get("content")) if self.messages else ""


def parse_json(body: bytes) -> Any:
    """Return the value of strict JSON in UTF-8.

    Raises:
        ValueError: The body is not valid JSON: NaN and infinities are refused, and so is
            nesting beyond the recursion limit.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")


def get_text(content: Any) -> str:
    """Return the text of a message's content: a string, or a list of content parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))
