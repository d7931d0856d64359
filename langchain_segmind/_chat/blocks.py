"""Blocks in the content of messages, in the spellings of LangChain and of other providers."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, InvalidToolCall, ToolCall
from langchain_core.messages.tool import invalid_tool_call, tool_call

from langchain_segmind._chat.images import is_image

TEXT_KEYS: Mapping[str, str] = {
    "text": "text",
    "text-plain": "text",
    "input_text": "text",
    "output_text": "text",
    "refusal": "refusal",
}
"""Block types of text, and the key that it is under."""

MEDIA_BLOCKS = frozenset(
    {
        "audio",
        "document",
        "file",
        "image_generation_call",
        "input_audio",
        "input_file",
        "media",
        "video",
    }
)
"""Block types that Segmind documents no way to send, beside images."""

CALL_BLOCKS: Mapping[str, tuple[str, str]] = {
    "tool_call": ("id", "args"),
    "tool_use": ("id", "input"),
    "function_call": ("call_id", "arguments"),
    "custom_tool_call": ("call_id", "input"),
}
"""Block types of a call of the application's tools, and the keys of its id and arguments."""

CACHE_KEYS = frozenset({"cachePoint", "cache_point"})
"""Keys, or types, of marks where Bedrock's models cache a prompt."""

LEFT_OUT = frozenset(
    {
        *CALL_BLOCKS,
        *CACHE_KEYS,
        "input_json_delta",
        "invalid_tool_call",
        "reasoning",
        "reasoning_content",
        "redacted_thinking",
        "thinking",
        "tool_call_chunk",
    }
)
"""Block types that are no part of a message's text: calls, which `find_calls` reads, and a model's
reasoning, which no provider takes back from another."""


def get_kind(block: Any) -> str:
    """Return a block's type; empty if it has none."""
    kind = block.get("type") if isinstance(block, Mapping) else None
    return "" if kind is None else str(kind)


def unwrap(block: Any) -> Any:
    """Return what is in a block that LangChain wraps since it does not know it."""
    inner = block.get("value") if get_kind(block) == "non_standard" else None
    return inner if isinstance(inner, dict) else block


def is_media(block: Any) -> bool:
    """Whether a block is an image, a file or anything else that is neither text nor JSON."""
    return is_image(block) or get_kind(block) in MEDIA_BLOCKS


def read_text(block: Any, *, is_reply: bool = False) -> str | None:
    """Return the text in a block, or None.

    Args:
        block: A string or a block; one of Bedrock's has no type.
        is_reply: Whether it is in a model's message. What else its provider put there, such as a
            search of its own, is of no use to another model; calls are read by `find_calls`.
    """
    if isinstance(block, str):
        return block
    kind = get_kind(block)
    if kind in LEFT_OUT or not CACHE_KEYS.isdisjoint(block):
        return ""
    text = block.get(TEXT_KEYS.get(kind, "text" if is_reply or not kind else ""))
    return text if isinstance(text, str) else "" if is_reply else None


def find_calls(message: BaseMessage) -> list[ToolCall | InvalidToolCall]:
    """Return a message's calls, including those that are only in its content."""
    if not isinstance(message, AIMessage):
        return []
    calls: list[ToolCall | InvalidToolCall] = [*message.tool_calls, *message.invalid_tool_calls]
    known = {call["id"] for call in calls}
    blocks = message.content if isinstance(message.content, list) else []
    calls += (call for call in _read_calls(blocks) if call["id"] not in known)
    function = message.additional_kwargs.get("function_call")  # OpenAI's older form
    if not calls and isinstance(function, dict):
        calls += _read_calls([{**function, "type": "function_call"}])
    return calls


def _read_calls(blocks: list[Any]) -> Iterator[ToolCall | InvalidToolCall]:
    for block in map(unwrap, blocks):
        kind = get_kind(block)
        if kind not in CALL_BLOCKS or not isinstance(name := block.get("name"), str):
            continue
        id_key, args_key = CALL_BLOCKS[kind]
        call_id = next(
            (each for key in (id_key, "id") if isinstance(each := block.get(key), str)), None
        )
        args = block.get(args_key)
        if kind == "custom_tool_call" and isinstance(args, str):
            args = {"__arg1": args}  # as langchain-openai names it
        if isinstance(args, str):
            with suppress(ValueError):
                args = json.loads(args)
        if isinstance(args, dict):
            yield tool_call(name=name, args=args, id=call_id)
        elif args is not None:
            text = f"{name}({args if isinstance(args, str) else json.dumps(args, default=str)})"
            yield invalid_tool_call(name=name, args=text, id=call_id)
