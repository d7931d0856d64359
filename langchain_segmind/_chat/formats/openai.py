"""OpenAI's chat completions.

Source: https://platform.openai.com/docs/api-reference/chat
"""

import json
from collections.abc import Mapping
from typing import Any

from langchain_segmind._api.usage import create_usage_metadata
from langchain_segmind._chat.request import ChatRequest
from langchain_segmind._chat.response import Completion

OTHER_FORMATS: Mapping[str, str] = {"content": "Anthropic's", "candidates": "Google's"}
"""Top-level keys of other providers' completions."""

METADATA_KEYS = ("id", "system_fingerprint")
"""Top-level texts that are kept in the message's metadata."""


def encode(request: ChatRequest) -> bytes:
    """Return the body of a request: messages and what the user set, as JSON in UTF-8.

    Raises:
        ValueError: A text contains a lone surrogate, which UTF-8 cannot encode.
    """
    messages = [{"role": turn.role, "content": turn.text} for turn in request.turns]
    body: dict[str, Any] = {**request.parameters, "messages": messages}
    if request.stop:
        body["stop"] = list(request.stop)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        before = text[max(0, error.start - 20) : error.start]
        raise ValueError(
            f"The text after {before!r} contains half of a character (a lone surrogate), which "
            "UTF-8 cannot encode: remove it, or repair the place where the text was cut."
        ) from None


def decode(body: bytes) -> Completion:
    """Return the completion in a response's body.

    Everything but `choices[0].message.content` is optional.

    Raises:
        ValueError: The body is not a chat completion; the message says why.
    """
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(parsed, dict):
        raise ValueError("is not a JSON object")
    choice, message = _find_message(parsed)
    optional = {key: _get_text(parsed, key) for key in METADATA_KEYS}
    optional["logprobs"] = choice.get("logprobs")
    return Completion(
        text=_join_parts(message.get("content")),
        reasoning=_get_text(message, "reasoning_content"),
        refusal=_get_text(message, "refusal"),
        finish_reason=_get_text(choice, "finish_reason"),
        model=_get_text(parsed, "model"),
        usage=create_usage_metadata(parsed.get("usage")),
        calls=_get_calls(message),
        metadata={key: value for key, value in optional.items() if value is not None},
    )


def _find_message(parsed: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    choices = parsed.get("choices")
    if not choices or not isinstance(choices, list):
        formats = [name for key, name in OTHER_FORMATS.items() if key in parsed]
        raise ValueError(
            f"is in {formats[0]} format, not OpenAI's" if formats else "has no choices"
        )
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


def _join_parts(content: str | list[Any] | None) -> str:
    if isinstance(content, list):
        return "".join(map(_get_part_text, content))
    return content or ""


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and isinstance(part.get("text"), str))


def _get_part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    return (_get_text(part, "text") or "") if isinstance(part, dict) else ""


def _get_text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value else None
