"""Anthropic's messages, as Segmind takes them: system text is in `instruction`.

Segmind documents `messages` and `instruction` alone. `max_tokens` and `temperature` are seen in
public callers, and `top_p` is Anthropic's own name as well: they are sent if they are set.
Anthropic has no `seed`. Whether Segmind forwards `stop_sequences` is unknown, so stop strings are
not sent: the reply is cut here.

Sources:
    - https://www.segmind.com/models/claude-4-sonnet/api
    - https://docs.anthropic.com/en/api/messages
"""

from collections.abc import Mapping
from typing import Any

from langchain_segmind._chat.formats.shared import (
    encode_parts,
    get_text,
    iterate_blocks,
    join_system_text,
    keep_facts,
    map_reason,
    merge_turns,
    select_parameters,
)
from langchain_segmind._chat.request import ChatRequest
from langchain_segmind._chat.response import Completion, FinishReason
from langchain_segmind._chat.turns import Part
from langchain_segmind._settings.call_settings import BODY_FIELDS

UNSENT = frozenset(BODY_FIELDS) - {"temperature", "max_tokens", "top_p"}
"""Parameters that the format has no place for."""

FINISH_REASONS: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "tool_use": "tool_calls",
}
"""What each `stop_reason` means."""

KNOWN_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
"""Types of blocks of which a reply must have one, unless it is empty."""


def encode(request: ChatRequest) -> dict[str, Any]:
    """Return the body of a request. A turn without images is a string.

    Raises:
        ValueError: The conversation does not begin with a user's message.
    """
    turns = merge_turns(request)
    first = turns[0]
    if first.role != "user":
        raise ValueError(
            f"Message {first.index} is the model's, but a conversation with {request.model!r} "
            "begins with a human message. To shorten a history so, use "
            "trim_messages(..., start_on='human')."
        )
    messages = [
        {"role": turn.role, "content": encode_parts(turn.parts, _encode_part)} for turn in turns
    ]
    body = {**select_parameters(request, UNSENT), "messages": messages}
    if instruction := join_system_text(request.turns):
        body["instruction"] = instruction
    return body


def _encode_part(part: Part) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if part.url:
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    source = {"type": "base64", "media_type": part.media_type, "data": part.data}
    return {"type": "image", "source": source}


def matches(parsed: Mapping[str, Any]) -> bool:
    """Whether a response's body is a message: its content is a list, or a text."""
    content = parsed.get("content")
    return isinstance(content, list) or (
        isinstance(content, str) and parsed.get("type") == "message"
    )


def decode(parsed: dict[str, Any]) -> Completion:
    """Return the completion in a response; all but the `content` list is optional.

    Raises:
        ValueError: It is not a completion; the message says what it lacks.
    """
    content = parsed.get("content")
    by_type: dict[str, list[dict[str, Any]]] = {}
    for block in iterate_blocks(content):
        by_type.setdefault(str(block.get("type")), []).append(block)
    if content and KNOWN_BLOCKS.isdisjoint(by_type):
        raise ValueError("has content without text")
    thoughts = (get_text(block, "thinking") for block in by_type.get("thinking", ()))
    reason = get_text(parsed, "stop_reason")
    return Completion(
        text="".join(get_text(block, "text") or "" for block in by_type.get("text", ())),
        reasoning="\n".join(filter(None, thoughts)) or None,
        finish_reason=map_reason(FINISH_REASONS, reason),
        native_finish_reason=reason,
        model=get_text(parsed, "model"),
        calls=[_convert_call(block) for block in by_type.get("tool_use", ())],
        metadata=keep_facts({key: get_text(parsed, key) for key in ("id", "stop_sequence")}),
    )


def _convert_call(block: Mapping[str, Any]) -> dict[str, Any]:
    return {"function": {"name": block.get("name"), "arguments": block.get("input")}}
