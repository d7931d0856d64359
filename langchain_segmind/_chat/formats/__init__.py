"""JSON formats of chat completions: one module each, with three pure functions."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from langchain_segmind._api.json_body import (
    ANSWER_KEYS,
    UnreadableNumberError,
    describe_surrogate,
    parse_json,
)
from langchain_segmind._api.usage import find_usage
from langchain_segmind._chat.formats import anthropic, gemini, openai
from langchain_segmind._chat.request import ChatRequest
from langchain_segmind._chat.response import Completion
from langchain_segmind.data._profiles import APIFormat


class ChatFormat(Protocol):
    """What a module of a format defines."""

    def encode(self, request: ChatRequest) -> dict[str, Any]:
        """Return the body of a request, as JSON.

        Raises:
            ValueError: The format has no place for a turn; the message names it.
        """

    def matches(self, parsed: Mapping[str, Any]) -> bool:
        """Whether the JSON of a response's body has this format."""

    def decode(self, parsed: dict[str, Any]) -> Completion:
        """Return the completion in the JSON of a response's body.

        Raises:
            ValueError: It is not a completion; the message says what it lacks.
        """


FORMATS: Mapping[APIFormat, ChatFormat] = {
    "openai": openai,
    "anthropic": anthropic,
    "gemini": gemini,
}

HALF_A_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
"""Matches a surrogate in JSON: an escape, or what is not UTF-8."""


def encode(request: ChatRequest, api_format: APIFormat) -> bytes:
    """Return the body of a request: messages and what the user set, as JSON in UTF-8.

    Segmind takes OpenAI's `response_format` in every format.

    Raises:
        ValueError: The format has no place for a turn, or a text contains a lone surrogate, which
            UTF-8 cannot encode.
    """
    body = FORMATS[api_format].encode(request)
    if request.response_format:
        body["response_format"] = request.response_format
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"The body cannot be sent: {describe_surrogate(error)}") from None


def decode(body: bytes) -> Completion:
    """Return the completion in a response's body.

    Its structure decides how it is read, whatever the format of the request was: Segmind forwards
    what the provider says.

    Raises:
        ValueError: The body is not a chat completion; the message completes "The body ...".
    """
    try:
        parsed = parse_json(body, exact=ANSWER_KEYS)
        if HALF_A_CHARACTER.search(body):
            parsed = _replace_surrogates(parsed)
    except UnreadableNumberError as error:
        raise ValueError(f"is not usable: {error}") from None
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(parsed, dict):
        raise ValueError("is not a JSON object")
    chat_format = next((each for each in FORMATS.values() if each.matches(parsed)), None)
    if chat_format is None:
        raise ValueError("has no choices, content list or candidates")
    return replace(chat_format.decode(parsed), usage=find_usage(parsed))


def _replace_surrogates(parsed: Any) -> Any:
    """Replace halves of characters: JSON can spell them, but UTF-8 cannot encode them."""
    text = json.dumps(parsed, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
