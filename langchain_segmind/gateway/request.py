"""Requests as the gateway received them: recorded for tests, answered by backends."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_segmind.data._profiles import APIFormat
from langchain_segmind.gateway.formats import FORMATS
from langchain_segmind.gateway.formats.common import InvalidBodyError, get_text

_POLL = re.compile(r"/v2/requests/(?P<id>[A-Za-z0-9-]{1,64})(/status)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Attributes:
        method: The HTTP method, in capitals.
        path: The path, percent-decoded: `/v1/{slug}` for a call, `/v2/{slug}` for the queue.
        headers: The headers, names in lower case.
        body: The raw body.
        json: The parsed body; None if it is not valid JSON.
        client: The client's host and port; differs between connections.
        api_format: The JSON format of the body and of the reply.
        origin: The scheme, host and port that the client used, as in a URL.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    json: Any = None
    client: tuple[str, int] | None = None
    api_format: APIFormat = "openai"
    origin: str = ""

    @property
    def is_queued(self) -> bool:
        """Whether it is for the queue: it submits a job, or polls for one."""
        return self.path.startswith("/v2/")

    @property
    def job_id(self) -> str | None:
        """The id of the job that it polls for; None if it is not a poll."""
        match = _POLL.fullmatch(self.path)
        return match["id"] if match else None

    @property
    def slug(self) -> str:
        """The requested model: the last segment of the path."""
        return self.path.rpartition("/")[2]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages, in OpenAI's format whatever the request's; none if they cannot be read.

        The shorthand `prompt` counts as one user message.
        """
        body = self.json if isinstance(self.json, dict) else {}
        if "prompt" in body and "messages" not in body:
            return [{"role": "user", "content": body["prompt"]}]
        own_format = FORMATS[self.api_format]
        try:
            own_format.check_messages(body)
        except InvalidBodyError:
            return []
        return own_format.read_messages(body)

    @property
    def parameters(self) -> dict[str, Any]:
        """The keys of the body that the format documents, without the messages."""
        known = FORMATS[self.api_format].PARAMETERS
        body = self.json if isinstance(self.json, dict) else {}
        return {key: value for key, value in body.items() if key in known}

    @property
    def last_message(self) -> str:
        """The text of the last message, or an empty string."""
        messages = self.messages
        return get_text(messages[-1].get("content")) if messages else ""


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
