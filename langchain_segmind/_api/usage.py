"""The token counts that a reply reports."""

import json
from collections.abc import Mapping
from typing import Any, cast

from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata

from langchain_segmind._api.endpoint import APIResponse


def read_usage(response: APIResponse) -> UsageMetadata | None:
    """Return the tokens that a response reports, whatever else is wrong with it."""
    try:
        completion = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    return create_usage_metadata(completion.get("usage")) if isinstance(completion, dict) else None


def create_usage_metadata(usage: Any) -> UsageMetadata | None:
    """Return OpenAI's `usage`; None if either count is missing."""
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
