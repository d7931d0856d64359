"""Gemini's format as Segmind has it: `messages` is an object; `candidates` in the reply."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_segmind.gateway.completion import Completion
from langchain_segmind.gateway.formats.common import (
    are_objects,
    check_image,
    check_keys,
    check_text,
    create_image_part,
    join_parts,
    require,
    select_other_counts,
)

MESSAGE_KEYS = frozenset({"messages"})
PARAMETERS = frozenset({"response_format"})

_ROLES = {"user": "user", "model": "assistant"}
_FINISH_REASONS = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "tool_calls": "STOP",
}


def check_messages(body: Mapping[str, Any]) -> None:
    """Check that the messages can be read."""
    messages: Any = body.get("messages")
    require(
        isinstance(messages, dict),
        "messages must be an object with contents and, if there is one, system_instruction",
    )
    system = messages.get("system_instruction")
    parts = system.get("parts") if isinstance(system, dict) else None
    is_system = system is None or (isinstance(parts, dict) and isinstance(parts.get("text"), str))
    require(is_system, 'messages.system_instruction must be {"parts": {"text": a string}}')
    contents = messages.get("contents")
    is_filled = isinstance(contents, list) and contents
    require(is_filled, "messages.contents: at least one message is required")
    for index, content in enumerate(contents):
        name = f"messages.contents[{index}]"
        require(isinstance(content, dict), f"{name} must be an object")
        roles = tuple(_ROLES)
        require(content.get("role") in roles, f"{name}.role must be one of {', '.join(roles)}")
        require(are_objects(content.get("parts")), f"{name}.parts must be a list of parts")


def check_strictly(body: Mapping[str, Any]) -> None:
    """Check that there are texts and inline images alone."""
    messages = body["messages"]
    check_keys(messages, "messages", ("contents",), ("system_instruction",))
    if "system_instruction" in messages:
        name, system = "messages.system_instruction", messages["system_instruction"]
        check_keys(system, name, ("parts",))
        check_keys(system["parts"], f"{name}.parts", ("text",))
    for index, content in enumerate(messages["contents"]):
        name = f"messages.contents[{index}]"
        check_keys(content, name, ("role", "parts"))
        for number, part in enumerate(content["parts"]):
            _check_part(part, f"{name}.parts[{number}]")


def _check_part(part: Mapping[str, Any], name: str) -> None:
    if "text" in part:
        check_keys(part, name, ("text",))
        check_text(part["text"], f"{name}.text")
        return
    require("inlineData" in part, f"strict: {name} must hold text or inlineData")
    check_keys(part, name, ("inlineData",))
    data, name = part["inlineData"], f"{name}.inlineData"
    check_keys(data, name, ("mimeType", "data"))
    check_image(data["mimeType"], data["data"], name)


def check_json_object(messages: Sequence[Mapping[str, Any]]) -> None:
    """Accept it, whatever the messages say."""


def read_messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the instruction and the contents."""
    messages = body["messages"]
    system = messages.get("system_instruction")
    read = [{"role": "system", "content": system["parts"]["text"]}] if system else []
    for content in messages["contents"]:
        parts = [_read_part(part) for part in content["parts"]]
        read.append({"role": _ROLES[content["role"]], "content": join_parts(parts)})
    return read


def _read_part(part: Mapping[str, Any]) -> dict[str, Any]:
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    data = part.get("inlineData")
    if not isinstance(data, dict):
        return dict(part)
    return create_image_part(f"data:{data.get('mimeType')};base64,{data.get('data')}")


def render(completion: Completion) -> dict[str, Any]:
    """Return one candidate; none where the prompt was blocked."""
    reason = _FINISH_REASONS.get(completion.finish_reason, completion.finish_reason)
    content = {"role": "model", "parts": _render_parts(completion)}
    candidate = {"content": content, "finishReason": reason, "index": 0}
    return {
        **(
            {"promptFeedback": {"blockReason": reason}}
            if completion.is_blocked
            else {"candidates": [candidate]}
        ),
        "usageMetadata": _render_usage(completion),
        "modelVersion": completion.model,
        "responseId": uuid.uuid4().hex,
    }


def _render_parts(completion: Completion) -> list[Any]:
    parts: list[Any] = []
    if completion.reasoning:
        parts.append({"text": completion.reasoning, "thought": True})
    if isinstance(completion.content, list):
        parts += completion.content
    elif completion.content is not None:
        parts.append({"text": completion.content})
    for call in completion.tool_calls:
        call_id = {"id": call["id"]} if call.get("id") else {}
        parts.append({"functionCall": {**call_id, "name": call["name"], "args": call["args"]}})
    return parts


def _render_usage(completion: Completion) -> dict[str, Any]:
    usage = completion.usage
    thoughts = completion.count_details("completion_tokens_details", "reasoning_tokens")
    cached = completion.count_details("prompt_tokens_details", "cached_tokens")
    counts = {"promptTokenCount": usage["prompt_tokens"]}
    if not completion.is_blocked:
        counts["candidatesTokenCount"] = max(0, usage["completion_tokens"] - thoughts)
    counts["totalTokenCount"] = usage["total_tokens"]
    if thoughts:
        counts["thoughtsTokenCount"] = thoughts
    if cached:
        counts["cachedContentTokenCount"] = cached
    return {**counts, **select_other_counts(usage)}
