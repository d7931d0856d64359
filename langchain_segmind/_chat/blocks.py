"""Blocks in the content of messages, in the spellings of LangChain and of other providers."""

import json
from collections.abc import Iterable, Iterator, Mapping
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

CALL_BLOCKS: Mapping[str, tuple[str, ...]] = {
    "tool_call": ("args",),
    "tool_use": ("input",),
    "function_call": ("arguments", "args"),
    "custom_tool_call": ("input",),
    "invalid_tool_call": ("args",),
}
"""Block types of a call of the application's tools, and the keys that its arguments can have."""

ID_KEYS = ("call_id", "id")
"""Keys of a call's id; in OpenAI's Responses API, `id` is that of the block."""

CACHE_KEYS = frozenset({"cachePoint", "cache_point"})
"""Keys, or types, of marks where Bedrock's models cache a prompt."""

BOOKKEEPING = frozenset(
    {
        *CALL_BLOCKS,
        *CACHE_KEYS,
        "input_json_delta",
        "reasoning",
        "reasoning_content",
        "redacted_thinking",
        "thinking",
        "tool_call_chunk",
    }
)
"""Block types that are no part of a person's text: a message can be made from a model's."""


def get_kind(block: Any) -> str:
    """Return a block's type; empty if it has none."""
    kind = block.get("type") if isinstance(block, Mapping) else None
    return "" if kind is None else str(kind)


def unwrap(block: Any) -> Any:
    """Return what is in a block that LangChain wraps since it does not know it."""
    while get_kind(block) == "non_standard" and isinstance(block.get("value"), dict):
        block = block["value"]
    return block


def is_media(block: Any) -> bool:
    """Whether a block is an image, a file or anything else that is neither text nor JSON."""
    return is_image(block) or get_kind(block) in MEDIA_BLOCKS


def read_text(block: Any) -> str | None:
    """Return the text that a block consists of; None if it is another one."""
    if isinstance(block, str):
        return block
    kind = get_kind(block)
    # A block of Bedrock's has no type.
    key = TEXT_KEYS.get(kind) if kind else "text" if block.keys() == {"text"} else None
    text = None if key is None else block.get(key)
    return text if isinstance(text, str) else None


def is_bookkeeping(block: Any) -> bool:
    """Whether a block without text is of use to one provider only."""
    return get_kind(block) in BOOKKEEPING or (bool(block) and CACHE_KEYS.issuperset(block))


def find_calls(message: BaseMessage) -> list[ToolCall | InvalidToolCall]:
    """Return the calls in a model's message, including those that are only in its content."""
    known: list[ToolCall | InvalidToolCall] = []
    if isinstance(message, AIMessage):
        known += [*message.tool_calls, *message.invalid_tool_calls]
    blocks = message.content if isinstance(message.content, list) else []
    found = [*known]
    ids = {call["id"] for call in known if call["id"] is not None}
    for call in _read_calls(blocks):
        # One without an id is the same as a known one that says the same.
        call_id = call["id"]
        if _is_among(call, known) if call_id is None else call_id in ids:
            continue
        found.append(call)
        if call_id is not None:
            ids.add(call_id)
    function = message.additional_kwargs.get("function_call")  # OpenAI's older form
    if not found and isinstance(function, dict):
        found += _read_calls([{**function, "type": "function_call"}])
    return found


def _is_among(
    call: ToolCall | InvalidToolCall, calls: Iterable[ToolCall | InvalidToolCall]
) -> bool:
    return any((call["name"], call["args"]) == (other["name"], other["args"]) for other in calls)


def _read_calls(blocks: Iterable[Any]) -> Iterator[ToolCall | InvalidToolCall]:
    for block in map(unwrap, blocks):
        kind = get_kind(block)
        if kind not in CALL_BLOCKS or not isinstance(name := block.get("name"), str):
            continue
        ids = (block.get(key) for key in ID_KEYS)
        call_id = next((each for each in ids if isinstance(each, str)), None)
        given = (block.get(key) for key in CALL_BLOCKS[kind])
        args = next((each for each in given if each is not None), None)
        if kind == "custom_tool_call" and isinstance(args, str):
            args = {"__arg1": args}  # as langchain-openai names it
        if isinstance(args, str):
            with suppress(ValueError, RecursionError):
                args = json.loads(args)
        if isinstance(args, dict) and kind != "invalid_tool_call":
            yield tool_call(name=name, args=args, id=call_id)
        elif args is not None:
            text = args if isinstance(args, str) else json.dumps(args, default=str)
            text = text if kind == "invalid_tool_call" else f"{name}({text})"
            yield invalid_tool_call(name=name, args=text, id=call_id)
