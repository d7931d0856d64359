"""One request as it arrived: what tests inspect and what backends answer."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Attributes:
        method: The verb, in capitals.
        path: The path, percent-decoded.
        headers: The headers, names in lower case.
        body: The raw body.
        json: The body as JSON; None where it is not JSON.
        client: Host and port at the far end, which tell connections apart.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    json: Any = None
    client: tuple[str, int] | None = None

    @property
    def slug(self) -> str:
        """The last part of the path: the model that was asked for."""
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
        """The text of the last message, empty where there is none."""
        return text_of(self.messages[-1].get("content")) if self.messages else ""


def parse_json(body: bytes) -> Any:
    """Read JSON the strict way.

    Args:
        body: Bytes that claim to be JSON.

    Returns:
        The value.

    Raises:
        ValueError: It is not JSON, is not UTF-8, is nested too deeply or holds NaN or
            an infinity.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def text_of(content: Any) -> str:
    """The text of a message's content.

    Args:
        content: A string, a list of content parts, or nothing.

    Returns:
        The string itself, or the texts of the parts joined.
    """
    if isinstance(content, str):
        return content
    parts: Iterable[Any] = content if isinstance(content, list) else ()
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))
