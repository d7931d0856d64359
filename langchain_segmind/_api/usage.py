"""The token counts that a reply reports."""

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.json_body import ANSWER_KEYS, parse_json

MAX_TOKENS = 10**12
"""A larger count cannot be one."""


def read_usage(response: APIResponse) -> UsageMetadata | None:
    """Return the tokens that a response reports, whatever else is wrong with it."""
    if b'"usage' not in response.body:
        return None  # such as a vector's, which is long
    try:
        reply = parse_json(response.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(reply, dict):
        return None
    is_vector = not ANSWER_KEYS & reply.keys()
    return find_usage(reply) or (_read_input(reply.get("usage")) if is_vector else None)


def find_usage(completion: Mapping[str, Any]) -> UsageMetadata | None:
    """Return the usage in the JSON of a completion, whatever its format."""
    return create_usage_metadata(completion.get("usage") or completion.get("usageMetadata"))


def create_usage_metadata(usage: Any) -> UsageMetadata | None:
    """Return the usage that a reply reports, in any format; None if it is incomplete."""
    if not isinstance(usage, dict):
        return None
    if "promptTokenCount" in usage:
        return _read_gemini(usage)
    if "input_tokens" in usage and "prompt_tokens" not in usage:
        return _read_anthropic(usage)
    return _read_openai(usage)


def _read_input(usage: Any) -> UsageMetadata | None:
    """Return the usage of an embedding model, which has no output."""
    if not isinstance(usage, dict):
        return None
    return _create(_get_count(usage, "prompt_tokens"), 0, None, {}, {})


def _read_openai(usage: Mapping[str, Any]) -> UsageMetadata | None:
    details = usage.get("prompt_tokens_details")
    output_details = usage.get("completion_tokens_details")
    return _create(
        _get_count(usage, "prompt_tokens"),
        _get_count(usage, "completion_tokens"),
        _get_count(usage, "total_tokens"),
        _get_counts(details, cached_tokens="cache_read", audio_tokens="audio"),
        _get_counts(output_details, reasoning_tokens="reasoning", audio_tokens="audio"),
    )


def _read_anthropic(usage: Mapping[str, Any]) -> UsageMetadata | None:
    """Anthropic's input tokens are those that are neither read from the cache nor written to it."""
    fresh = _get_count(usage, "input_tokens")
    cached = _get_counts(
        usage,
        cache_read_input_tokens="cache_read",
        cache_creation_input_tokens="cache_creation",
    )
    input_tokens = None if fresh is None else fresh + sum(cached.values())
    return _create(input_tokens, _get_count(usage, "output_tokens"), None, cached, {})


def _read_gemini(usage: Mapping[str, Any]) -> UsageMetadata | None:
    """Gemini leaves out counts that are 0; its thoughts are output, its search results input."""
    prompt, total = _get_count(usage, "promptTokenCount"), _get_count(usage, "totalTokenCount")
    thoughts = _get_count(usage, "thoughtsTokenCount") or 0
    input_tokens = (prompt or 0) + (_get_count(usage, "toolUsePromptTokenCount") or 0)
    text = _get_count(usage, "candidatesTokenCount")
    if text is None and total is not None:
        text = max(0, total - input_tokens - thoughts)
    return _create(
        None if prompt is None else input_tokens,
        None if text is None else text + thoughts,
        total,
        _get_counts(usage, cachedContentTokenCount="cache_read"),
        _get_counts(usage, thoughtsTokenCount="reasoning"),
    )


def _create(
    input_tokens: int | None,
    output_tokens: int | None,
    total: int | None,
    input_details: Mapping[str, int],
    output_details: Mapping[str, int],
) -> UsageMetadata | None:
    if input_tokens is None or output_tokens is None:
        return None
    metadata = UsageMetadata(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=input_tokens + output_tokens if total is None else total,
    )
    if input_details:
        metadata["input_token_details"] = cast("InputTokenDetails", input_details)
    if output_details:
        metadata["output_token_details"] = cast("OutputTokenDetails", output_details)
    return metadata


def _get_count(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MAX_TOKENS and value == value // 1 else None


def _get_counts(fields: Any, **names: str) -> dict[str, int]:
    if not isinstance(fields, dict):
        return {}
    counts = {ours: _get_count(fields, theirs) for theirs, ours in names.items()}
    return {name: count for name, count in counts.items() if count is not None}
