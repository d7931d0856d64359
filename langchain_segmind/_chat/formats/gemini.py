"""Google's Gemini, as Segmind takes it: `messages` is an object of system text and contents.

Segmind documents no place for sampling parameters or stop strings: parameters are not sent, and
the reply is cut at a stop string here.

Sources:
    - https://www.segmind.com/models/gemini-3.1-flash-lite/api
    - https://ai.google.dev/api/generate-content
"""

from collections.abc import Mapping
from typing import Any

from langchain_segmind._chat.formats.shared import (
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

UNSENT = frozenset(BODY_FIELDS)
"""Parameters that the format has no place for."""

FINISH_REASONS: Mapping[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        (
            "BLOCKLIST",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "IMAGE_SAFETY",
            "LANGUAGE",
            "PROHIBITED_CONTENT",
            "RECITATION",
            "SAFETY",
            "SPII",
        ),
        "content_filter",
    ),
}
"""What each `finishReason` means; others, such as those of malformed calls, that it ended."""


def encode(request: ChatRequest) -> dict[str, Any]:
    """Return the body of a request; its images are Base64, since the format takes no URLs.

    Raises:
        ValueError: There is nothing but system text.
    """
    messages: dict[str, Any] = {}
    if instruction := join_system_text(request.turns):
        messages["system_instruction"] = {"parts": {"text": instruction}}
    messages["contents"] = [
        {
            "role": "model" if turn.role == "assistant" else "user",
            "parts": [_encode_part(part) for part in turn.parts],
        }
        for turn in merge_turns(request)
    ]
    return {**select_parameters(request, UNSENT), "messages": messages}


def _encode_part(part: Part) -> dict[str, Any]:
    if isinstance(part, str):
        return {"text": part}
    return {"inlineData": {"mimeType": part.media_type, "data": part.data}}


def matches(parsed: Mapping[str, Any]) -> bool:
    """Whether a response's body has candidates, or says why it has none."""
    return "candidates" in parsed or bool(parsed.get("promptFeedback"))


def decode(parsed: dict[str, Any]) -> Completion:
    """Return the completion in a response; a blocked prompt has no candidate, and so no text.

    Raises:
        ValueError: It is not a completion; the message says what it lacks.
    """
    candidate = next(iterate_blocks(parsed.get("candidates")), None)
    feedback = parsed.get("promptFeedback")
    block_reason = get_text(feedback, "blockReason") if isinstance(feedback, dict) else None
    if candidate is None and block_reason is None:
        raise ValueError("has no candidates")
    candidate = candidate or {}
    reason, content = get_text(candidate, "finishReason"), candidate.get("content")
    if not (reason or block_reason or "content" in candidate):
        raise ValueError("has no candidates[0].content")
    parts = [*iterate_blocks(content.get("parts") if isinstance(content, dict) else content)]
    thoughts = [part for part in parts if part.get("thought")]
    spoken = [part for part in parts if not part.get("thought")]
    metadata = {
        "id": get_text(parsed, "responseId"),
        "block_reason": block_reason,
        "finish_message": get_text(candidate, "finishMessage"),
        "grounding_metadata": candidate.get("groundingMetadata"),
    }
    return Completion(
        text="".join(get_text(part, "text") or "" for part in spoken),
        reasoning="".join(get_text(part, "text") or "" for part in thoughts) or None,
        finish_reason="content_filter" if block_reason else map_reason(FINISH_REASONS, reason),
        native_finish_reason=reason or block_reason,
        model=get_text(parsed, "modelVersion"),
        calls=[_convert_call(p["functionCall"]) for p in spoken if p.get("functionCall")],
        metadata=keep_facts(metadata),
    )


def _convert_call(call: Any) -> dict[str, Any]:
    fields = call if isinstance(call, dict) else {}
    return {"function": {"name": fields.get("name"), "arguments": fields.get("args")}}
