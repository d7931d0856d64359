"""A reply -> LangChain's result; pure.

The endpoint hands on the provider's own JSON, so that every field beyond
`choices[0].message.content` is optional and nothing is taken on trust.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_segmind._endpoint import (
    COST_HEADER,
    GENERATION_TIME_HEADER,
    PROVIDER,
    REMAINING_CREDITS_HEADER,
    REQUEST_ID_HEADER,
    Reply,
)
from langchain_segmind._error_reply import create_error
from langchain_segmind._headers import parse_number
from langchain_segmind.exceptions import SegmindResponseError

OTHER_SHAPES: Mapping[str, str] = {"content": "Anthropic's", "candidates": "Google's"}
"""Top-level keys that give away another provider's reply, which this class does not read."""

KEPT_MESSAGE_FIELDS = ("refusal", "reasoning_content")
"""Texts beside the content that LangChain keeps in `additional_kwargs`."""


def create_chat_result(reply: Reply, model: str, stop: Sequence[str] = ()) -> ChatResult:
    """Read a chat completion.

    Args:
        reply: The server's answer.
        model: The slug that was asked, for where the answer does not name its model.
        stop: The reply ends before the first of these strings.

    Raises:
        SegmindResponseError: If the reply is no chat completion.
    """
    completion = _parse_completion(reply)
    choice = completion["choices"][0]
    message = choice["message"]
    text = _mend_surrogates(_join_parts(message["content"]))
    finish_reason = _get_text(choice, "finish_reason")
    cut = cut_at_stop(text, stop)
    if cut != text:
        finish_reason = "stop"
    metadata = {
        "model_name": _get_text(completion, "model") or model,
        "model_provider": PROVIDER,
        "finish_reason": finish_reason,
        "remaining_credits": parse_number(reply.headers.get(REMAINING_CREDITS_HEADER)),
    }
    optional = {
        "id": _get_text(completion, "id"),
        "system_fingerprint": _get_text(completion, "system_fingerprint"),
        "logprobs": choice.get("logprobs"),
        "cost": parse_number(reply.headers.get(COST_HEADER)),
        "request_id": reply.headers.get(REQUEST_ID_HEADER),
        "generation_time": parse_number(reply.headers.get(GENERATION_TIME_HEADER)),
    }
    metadata |= {name: value for name, value in optional.items() if value is not None}
    answer = AIMessage(
        content=cut,
        additional_kwargs={
            name: kept for name in KEPT_MESSAGE_FIELDS if (kept := _get_text(message, name))
        },
        response_metadata=metadata,
        usage_metadata=create_usage_metadata(completion.get("usage")),
    )
    return ChatResult(generations=[ChatGeneration(message=answer)])


def convert_result_to_chunk(result: ChatResult) -> ChatGenerationChunk:
    """Hand a whole reply on as the only, and last, chunk of a stream."""
    message = result.generations[0].message
    chunk = AIMessageChunk(**message.model_dump(exclude={"type"}), chunk_position="last")
    return ChatGenerationChunk(message=chunk)


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """End a text before the first stop string: nothing shows that the endpoint honours `stop`."""
    found = [position for string in stop if (position := text.find(string)) >= 0]
    return text[: min(found)] if found else text


def create_usage_metadata(usage: Any) -> UsageMetadata | None:
    """Read OpenAI's `usage`; None where either count is missing, never half-filled."""
    if not isinstance(usage, dict):
        return None
    input_tokens = _get_count(usage, "prompt_tokens")
    output_tokens = _get_count(usage, "completion_tokens")
    if input_tokens is None or output_tokens is None:
        return None
    total = _get_count(usage, "total_tokens")
    metadata = UsageMetadata(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=input_tokens + output_tokens if total is None else total,
    )
    if details := _get_counts(
        usage.get("prompt_tokens_details"), cached_tokens="cache_read", audio_tokens="audio"
    ):
        metadata["input_token_details"] = cast("InputTokenDetails", details)
    if details := _get_counts(
        usage.get("completion_tokens_details"), reasoning_tokens="reasoning", audio_tokens="audio"
    ):
        metadata["output_token_details"] = cast("OutputTokenDetails", details)
    return metadata


def _parse_completion(reply: Reply) -> dict[str, Any]:
    try:
        completion = json.loads(reply.body)
        fault = _find_fault(completion)
    except (ValueError, RecursionError):
        fault = "is no JSON"
    if fault:
        problem = f"The server answered {reply.status_code}, but the body {fault}"
        raise create_error(reply, SegmindResponseError, problem)
    return completion  # type: ignore[no-any-return] # a dict, or there is a fault


def _find_fault(completion: Any) -> str:
    """Say why a body is no chat completion; an empty text where it is one."""
    if not isinstance(completion, dict):
        return "is no JSON object"
    if not completion.get("choices") or not isinstance(completion["choices"], list):
        shapes = [shape for key, shape in OTHER_SHAPES.items() if key in completion]
        return f"has {shapes[0]} shape, not OpenAI's" if shapes else "has no choices"
    choice = completion["choices"][0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict) or "content" not in message:
        return "has no choices[0].message.content"
    content = message["content"]
    if isinstance(content, list):
        return "" if not content or any(map(_is_text, content)) else "has a content without text"
    return "" if content is None or isinstance(content, str) else "has a content that is no text"


def _join_parts(content: str | list[Any] | None) -> str:
    if isinstance(content, list):
        return "".join(map(_get_part_text, content))
    return content or ""


def _mend_surrogates(text: str) -> str:
    """Replace halves of characters, which JSON can spell but no later request can carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and isinstance(part.get("text"), str))


def _get_part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    return (_get_text(part, "text") or "") if isinstance(part, dict) else ""


def _get_text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value else None


def _get_count(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return int(value) if value == value // 1 else None


def _get_counts(fields: Any, **names: str) -> dict[str, int]:
    if not isinstance(fields, dict):
        return {}
    counts = {ours: _get_count(fields, theirs) for theirs, ours in names.items()}
    return {name: count for name, count in counts.items() if count is not None}
