"""OpenAI's chat completions.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Mapping
from typing import Any

from langchain_segmind._api.usage import create_usage_metadata
from langchain_segmind._chat.formats.shared import drop_none, encode_parts, get_text
from langchain_segmind._chat.request import ChatRequest, Part
from langchain_segmind._chat.response import Completion, FinishReason

FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "max_tokens": "length",
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


def decode(parsed: dict[str, Any]) -> Completion:
    """Return the completion in a response; all but `choices[0].message.content` is optional.

    Raises:
        ValueError: It is not a chat completion; the message says why.
    """
    choice, message = _find_message(parsed)
    content = message.get("content")
    reason = get_text(choice, "finish_reason")
    metadata = {key: get_text(parsed, key) for key in METADATA_KEYS}
    return Completion(
        text=content if isinstance(content, str) else "".join(map(_get_part_text, content or [])),
        reasoning=get_text(message, "reasoning_content") or get_text(message, "reasoning"),
        refusal=get_text(message, "refusal"),
        finish_reason=FINISH_REASONS.get(reason or ""),
        native_finish_reason=reason,
        model=get_text(parsed, "model"),
        usage=create_usage_metadata(parsed.get("usage")),
        calls=_get_calls(message),
        metadata=drop_none({**metadata, "logprobs": choice.get("logprobs")}),
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
        if content and not any(map(_is_text, content)):
            raise ValueError("has content without text")
    elif not isinstance(content, str | None):
        raise ValueError("has content that is not text")
    return choice, message


def _get_calls(message: Mapping[str, Any]) -> list[Any]:
    """Return the calls of a model that has its own way to call tools."""
    calls = message.get("tool_calls") or []
    function = message.get("function_call")  # the older form
    return [*(calls if isinstance(calls, list) else [calls]), *([function] if function else [])]


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and isinstance(part.get("text"), str))


def _get_part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    is_text = isinstance(part, dict) and part.get("type") not in ("thinking", "reasoning")
    return (get_text(part, "text") or "") if is_text else ""
