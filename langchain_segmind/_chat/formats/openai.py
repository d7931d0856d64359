"""OpenAI's chat completions.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Mapping
from typing import Any

from langchain_segmind._chat.formats.shared import (
    encode_parts,
    get_text,
    iterate_blocks,
    keep_facts,
    map_reason,
)
from langchain_segmind._chat.request import ChatRequest
from langchain_segmind._chat.response import Completion, FinishReason
from langchain_segmind._chat.turns import Part

FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "max_tokens": "length",
    "insufficient_system_resource": "length",  # DeepSeek's, which cuts the reply
    "content_filter": "content_filter",
    "sensitive": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
"""What each `finish_reason` means: OpenAI's, and those of servers with its format."""

METADATA_KEYS = ("id", "system_fingerprint")
"""Top-level texts that are kept in the message's metadata."""


def encode(request: ChatRequest) -> dict[str, Any]:
    """Return the body of a request. A turn without images is a string."""
    messages = [
        {"role": turn.role, "content": encode_parts(turn.parts, _encode_part)}
        for turn in request.turns
    ]
    body: dict[str, Any] = {**request.parameters, "messages": messages}
    if request.stop:
        body["stop"] = list(request.stop)
    return body


def _encode_part(part: Part) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    image = {"url": part.url or f"data:{part.media_type};base64,{part.data}"}
    if part.detail:
        image["detail"] = part.detail
    return {"type": "image_url", "image_url": image}


def matches(parsed: Mapping[str, Any]) -> bool:
    """Whether a response's body has choices."""
    return bool(parsed.get("choices"))


def decode(parsed: dict[str, Any]) -> Completion:
    """Return the completion in a response; all but `choices[0].message.content` is optional.

    Raises:
        ValueError: It is not a chat completion; the message says why.
    """
    choice, message = _find_message(parsed)
    content = message.get("content")
    parts = [*iterate_blocks(content)]
    thoughts = [_get_part_text(part) for part in parts if _is_thought(part)]
    reason = get_text(choice, "finish_reason")
    metadata = {key: get_text(parsed, key) for key in METADATA_KEYS}
    return Completion(
        text="".join(_get_part_text(part) for part in parts if not _is_thought(part)),
        reasoning=get_text(message, "reasoning_content")
        or get_text(message, "reasoning")
        or "\n".join(filter(None, thoughts))
        or None,
        refusal=get_text(message, "refusal"),
        finish_reason=map_reason(FINISH_REASONS, reason),
        native_finish_reason=reason,
        model=get_text(parsed, "model"),
        calls=_get_calls(message),
        metadata=keep_facts({**metadata, "logprobs": choice.get("logprobs")}),
    )


def _find_message(parsed: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    choices = parsed.get("choices")
    if not choices or not isinstance(choices, list):
        raise ValueError("has no choices")
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict) or not ("content" in message or _get_calls(message)):
        raise ValueError("has no choices[0].message.content")
    content = message.get("content")
    if isinstance(content, list):
        parts = iterate_blocks(content)
        if content and not any("text" in part or _is_thought(part) for part in parts):
            raise ValueError("has content without text")
    elif not isinstance(content, str | None):
        raise ValueError("has content that is not text")
    return choice, message


def _get_calls(message: Mapping[str, Any]) -> list[Any]:
    """Return the calls of a model that has its own way to call tools."""
    calls = message.get("tool_calls") or []
    function = message.get("function_call")  # the older form
    return [*(calls if isinstance(calls, list) else [calls]), *([function] if function else [])]


def _is_thought(part: Mapping[str, Any]) -> bool:
    kind = str(part.get("type"))
    return kind.startswith(("thinking", "reasoning")) or bool(part.get("thought"))


def _get_part_text(part: Mapping[str, Any]) -> str:
    """Return the text of a part; thoughts can be a list of texts."""
    texts = (get_text(part, key) for key in ("text", "thinking", "reasoning"))
    lists = (part.get(key) for key in ("thinking", "summary", "content"))
    inner = (get_text(text, "text") for texts in lists for text in iterate_blocks(texts))
    return next(filter(None, texts), None) or "".join(filter(None, inner))
