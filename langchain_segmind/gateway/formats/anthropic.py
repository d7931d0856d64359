"""Anthropic's format as Segmind has it: system text in `instruction`, blocks in the reply."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_segmind._api.endpoint import ROLES
from langchain_segmind.gateway.completion import Completion
from langchain_segmind.gateway.formats.common import (
    InvalidBodyError,
    check_chat_messages,
    check_image,
    check_keys,
    check_text,
    check_url,
    create_image_part,
    join_parts,
    require,
    select_other_counts,
)

MESSAGE_KEYS = frozenset({"messages", "instruction"})
PARAMETERS = frozenset({"temperature", "top_p", "max_tokens", "response_format"})

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_use",
}
_STRICT_ROLES = ("user", "assistant")


def check_messages(body: Mapping[str, Any]) -> None:
    """Check that the messages can be read; older pages of Segmind's have the role system too."""
    is_text = body.get("instruction") is None or isinstance(body["instruction"], str)
    require(is_text, "instruction must be a string")
    check_chat_messages(body.get("messages"), ROLES)


def check_strictly(body: Mapping[str, Any]) -> None:
    """Check that user and assistant take turns, the user first, with texts and images."""
    require("instruction" not in body or body["instruction"], "strict: instruction is empty")
    for index, message in enumerate(body["messages"]):
        name, role = f"messages[{index}]", _STRICT_ROLES[index % 2]
        check_keys(message, name, ("role", "content"))
        require(
            message["role"] == role,
            f"strict: {name}.role must be {role}: user and assistant take turns, the user first",
        )
        content = message["content"]
        require(content, f"strict: {name}.content is empty")
        if not isinstance(content, str):
            for number, block in enumerate(content):
                _check_block(block, f"{name}.content[{number}]")


def _check_block(block: Mapping[str, Any], name: str) -> None:
    if block.get("type") == "text":
        check_keys(block, name, ("type", "text"))
        check_text(block["text"], f"{name}.text")
        require(block["text"], f"strict: {name}.text is empty")
        return
    require(block.get("type") == "image", f"strict: {name}.type must be text or image")
    check_keys(block, name, ("type", "source"))
    source, name = block["source"], f"{name}.source"
    if isinstance(source, dict) and source.get("type") == "url":
        check_keys(source, name, ("type", "url"))
        check_url(source["url"], f"{name}.url")
        return
    check_keys(source, name, ("type", "media_type", "data"))
    require(source["type"] == "base64", f"strict: {name}.type must be base64 or url")
    check_image(source["media_type"], source["data"], name)


def check_json_object(messages: Sequence[Mapping[str, Any]]) -> None:  # noqa: ARG001 - as in each format
    """Refuse it, in the words of Segmind's error."""
    raise InvalidBodyError("Claude has no schema-less JSON mode")


def read_messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the instruction and the messages."""
    instruction = body.get("instruction")
    system = [{"role": "system", "content": instruction}] if instruction else []
    messages = [
        {"role": message["role"], "content": _read_content(message["content"])}
        for message in body["messages"]
    ]
    return system + messages


def _read_content(content: Any) -> Any:
    return content if isinstance(content, str) else join_parts([_read_block(b) for b in content])


def _read_block(block: Mapping[str, Any]) -> dict[str, Any]:
    source = block.get("source")
    if block.get("type") != "image" or not isinstance(source, dict):
        return dict(block)
    if source.get("type") == "url":
        return create_image_part(source.get("url"))
    return create_image_part(f"data:{source.get('media_type')};base64,{source.get('data')}")


def render(completion: Completion) -> dict[str, Any]:
    """Return a `message`."""
    reason = completion.finish_reason
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": completion.model,
        "content": _render_blocks(completion),
        "stop_reason": _STOP_REASONS.get(reason, reason),
        "stop_sequence": None,
        "usage": _render_usage(completion),
    }


def _render_blocks(completion: Completion) -> list[Any]:
    blocks: list[Any] = []
    if completion.reasoning:
        block = {"type": "thinking", "thinking": completion.reasoning, "signature": "c2lnbmVk"}
        blocks.append(block)
    if isinstance(completion.content, list):
        blocks += completion.content
    elif completion.content is not None:
        blocks.append({"type": "text", "text": completion.content})
    for call in completion.tool_calls:
        call_id = call.get("id") or f"toolu_{uuid.uuid4().hex}"
        block = {"type": "tool_use", "id": call_id, "name": call["name"], "input": call["args"]}
        blocks.append(block)
    return blocks


def _render_usage(completion: Completion) -> dict[str, Any]:
    usage = completion.usage
    cached = completion.count_details("prompt_tokens_details", "cached_tokens")
    counts = {
        "input_tokens": max(0, usage["prompt_tokens"] - cached),
        "output_tokens": usage["completion_tokens"],
    }
    if cached:
        counts["cache_read_input_tokens"] = cached
    return {**counts, **select_other_counts(usage)}
