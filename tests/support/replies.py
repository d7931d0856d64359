"""Bodies of requests and messages of replies, without a server."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._chat.formats import decode, encode
from langchain_segmind._chat.reask import run_call
from langchain_segmind._chat.request import create_request
from langchain_segmind._settings.call_settings import CallSettings

SLUGS = {"openai": "gpt-4o", "anthropic": "claude-4.5-sonnet", "gemini": "gemini-3-flash"}
"""A model of each format that takes images and is held to JSON schemas."""

NATIVE_REASONS: Mapping[str, Mapping[str, str]] = {
    "openai": {"stop": "stop", "length": "length"},
    "anthropic": {"stop": "end_turn", "length": "max_tokens"},
    "gemini": {"stop": "STOP", "length": "MAX_TOKENS"},
}
"""Each format's own words for OpenAI's finish reasons."""


def write_body(messages: Sequence[BaseMessage], api_format: str, **settings: Any) -> dict[str, Any]:
    """Return the parsed body of a request to a model of this format."""
    chosen = CallSettings(**{"model": SLUGS[api_format], **settings})
    request = create_request(messages, chosen)
    parsed: dict[str, Any] = json.loads(encode(request, chosen.request_format))
    return parsed


def read_reply(body: Any, **settings: Any) -> AIMessage:
    """Return the message of a call that gets a response with this body: JSON, or its value."""
    call = run_call([HumanMessage("hi")], CallSettings(**{"model": "slug", **settings}), decode)
    next(call)
    try:
        call.send(
            APIResponse(200, {}, body if isinstance(body, bytes) else json.dumps(body).encode())
        )
    except StopIteration as end:
        message = end.value.generations[0].message
        assert isinstance(message, AIMessage)
        return message
    raise AssertionError("the call asks again")
