"""JSON formats of chat completions: one module each, with two pure functions."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from langchain_segmind._chat.formats import anthropic, gemini, openai
from langchain_segmind._chat.request import ChatRequest, describe_surrogate
from langchain_segmind._chat.response import Completion
from langchain_segmind.data._profiles import APIFormat


class ChatFormat(Protocol):
    """What a module of a format defines."""

    def encode(self, request: ChatRequest) -> dict[str, Any]:
        """Return the body of a request, as JSON.

        Raises:
            ValueError: The format has no place for a turn; the message names it.
        """

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

THOUGHTS = re.compile(r"\s*<think>(?P<thoughts>.*?)(?:</think>\s*|(?P<cut>\Z))", re.DOTALL)
"""Matches the thoughts that some models write at the beginning of the reply itself."""


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
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(parsed, dict):
        raise ValueError("is not a JSON object")
    return _split_thoughts(FORMATS[_find_format(parsed)].decode(parsed))


def _find_format(parsed: Mapping[str, Any]) -> APIFormat:
    if "choices" in parsed:
        return "openai"
    if isinstance(parsed.get("content"), list):
        return "anthropic"
    if "candidates" in parsed or "promptFeedback" in parsed:
        return "gemini"
    raise ValueError("has no choices, content list or candidates")


def _split_thoughts(completion: Completion) -> Completion:
    """Move thoughts at the beginning of the text to the reasoning.

    Without an end they are the whole text if the reply was cut at its maximum length; otherwise the
    tag is a part of the text.
    """
    match = THOUGHTS.match(completion.text)
    if not match or (match["cut"] is not None and completion.finish_reason != "length"):
        return completion
    parts = [completion.reasoning, match["thoughts"].strip()]
    return replace(
        completion,
        text=completion.text[match.end() :],
        reasoning="\n".join(filter(None, parts)) or None,
    )
