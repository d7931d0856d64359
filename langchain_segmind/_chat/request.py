"""Messages and parameters -> the request's body; pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from langchain_core.messages.tool import tool_call

from langchain_segmind._api.endpoint import ROLES, Role
from langchain_segmind._tools import escape_tags, render_calls, render_result

REASONING_BLOCKS = frozenset({"reasoning", "reasoning_content", "redacted_thinking", "thinking"})
"""How providers name a model's reasoning, which no provider wants back from another."""

CALL_BLOCKS: Mapping[str, str] = {"tool_call": "args", "tool_use": "input"}
"""How providers name a call of a tool in a message's content, and the key of its arguments."""

UNREADABLE_CALL_BLOCKS = frozenset({"tool_call_chunk", "invalid_tool_call", "input_json_delta"})
"""Parts of calls, which a message's `tool_calls` and `invalid_tool_calls` hold as well."""

TEXT_KEYS: Mapping[str, str] = {"text": "text", "text-plain": "text", "refusal": "refusal"}
"""Block types that carry text, and the key that it stands under."""

MEDIA_BLOCKS = frozenset(
    {"image", "image_url", "audio", "input_audio", "video", "file", "document", "media"}
)
"""Block types that no text can stand for."""


class WireMessage(TypedDict):
    """One message as the endpoint documents it."""

    role: Role
    content: str


def create_payload(
    messages: Sequence[BaseMessage],
    parameters: Mapping[str, Any],
    stop: Sequence[str] = (),
    instructions: str = "",
) -> dict[str, Any]:
    """Build the request's body: the messages and what the user set, nothing else.

    Args:
        messages: The conversation, oldest first.
        parameters: Further body keys.
        stop: Strings that end the reply.
        instructions: What the model is told beside the conversation, such as its tools.

    Raises:
        ValueError: If a message cannot be sent; it names the message's index, from 0.
    """
    payload = {**parameters, "messages": convert_messages_to_wire(messages, instructions)}
    if stop:
        payload["stop"] = list(stop)
    return payload


def encode_payload(payload: Mapping[str, Any]) -> bytes:
    """Write the body as JSON in UTF-8, with non-ASCII text as it is.

    Raises:
        ValueError: If a text holds a lone surrogate, which UTF-8 cannot carry.
    """
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"The text around {text[max(0, error.start - 20) : error.start]!r} goes on with half "
            "of a character (a lone surrogate), which UTF-8 cannot carry: remove it, or mend "
            "where the text was cut."
        ) from None


def convert_messages_to_wire(
    messages: Sequence[BaseMessage], instructions: str = ""
) -> list[WireMessage]:
    """Translate LangChain's messages, in order, without changing them.

    Calls of tools become the text that the model is asked for, and results a user's text that
    names its call; the results of one turn share a message. Instructions join the system
    message that begins the conversation, or stand before it.

    Raises:
        ValueError: If there is none, or one cannot be sent.
    """
    if not messages:
        raise ValueError("There are no messages to send; pass at least one.")
    writer = _WireWriter(is_calling=bool(instructions) or any(map(_has_calls, messages)))
    for index, message in enumerate(messages):
        writer.add(message, index)
    if instructions:
        writer.put_first(instructions)
    return writer.wire


def _has_calls(message: BaseMessage) -> bool:
    return isinstance(message, ToolMessage | FunctionMessage) or bool(_get_calls(message))


@dataclass
class _WireWriter:
    """Writes one conversation.

    Attributes:
        is_calling: Whether tools are spoken of, so that nobody's text may look like ours.
        wire: What is written so far.
    """

    is_calling: bool
    wire: list[WireMessage] = field(default_factory=list)
    _calls: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    """Of each call's id, its tool's name, and its number from 1 where it is one of several."""
    _ends_with_result: bool = False

    def add(self, message: BaseMessage, index: int) -> None:
        if isinstance(message, ToolMessage | FunctionMessage):
            self._add_result(message, index)
            return
        calls = _get_calls(message)
        role, text = _get_role(message, index), _get_text(message, index)
        if self.is_calling:
            text = escape_tags(text)
        if calls:
            self._note(calls)
            text = "\n".join(filter(None, [text, render_calls(calls)]))
        self.wire.append({"role": role, "content": text})
        self._ends_with_result = False

    def put_first(self, instructions: str) -> None:
        first = self.wire[0]
        if first["role"] == "system" and first["content"]:
            first["content"] += f"\n\n{instructions}"
        else:
            self.wire.insert(0, {"role": "system", "content": instructions})

    def _note(self, calls: Sequence[ToolCall | InvalidToolCall]) -> None:
        for number, call in enumerate(calls, start=1):
            if call["id"] is not None:
                self._calls[call["id"]] = call["name"] or "", number if len(calls) > 1 else None

    def _add_result(self, message: ToolMessage | FunctionMessage, index: int) -> None:
        call_id = getattr(message, "tool_call_id", None)
        name, number = self._calls.get(str(call_id), (None, None))
        status = getattr(message, "status", None)
        text = render_result(
            _get_result_text(message, index),
            name=name or message.name,
            id=call_id,
            call=number,
            status=status if status == "error" else None,
        )
        if self._ends_with_result:
            self.wire[-1]["content"] += f"\n{text}"
        else:
            self.wire.append({"role": "user", "content": text})
        self._ends_with_result = True


def _get_calls(message: BaseMessage) -> list[ToolCall | InvalidToolCall]:
    """Get a message's calls, also those that only its content tells."""
    if not isinstance(message, AIMessage):
        return []
    calls: list[ToolCall | InvalidToolCall] = [*message.tool_calls, *message.invalid_tool_calls]
    known = {call["id"] for call in calls}
    blocks = message.content if isinstance(message.content, list) else []
    for block in blocks:
        key = CALL_BLOCKS.get(str(block.get("type")), "") if isinstance(block, dict) else ""
        if not key or not isinstance(block, dict) or block.get("id") in known:
            continue
        if isinstance(block.get("name"), str) and isinstance(block.get(key), dict):
            calls.append(tool_call(name=block["name"], args=block[key], id=block.get("id")))
    return calls


def _get_role(message: BaseMessage, index: int) -> Role:
    match message:
        case SystemMessage():
            return "system"
        case HumanMessage():
            return "user"
        case AIMessage():
            return "assistant"
        case ChatMessage(role=role) if role in ROLES:
            return role
        case ChatMessage(role=role):
            raise ValueError(
                f"Message {index} has the role {role!r}; the endpoint takes {', '.join(ROLES)}."
            )
        case _:
            raise ValueError(
                f"Message {index} is of type {message.type!r} ({type(message).__name__}), which "
                "cannot be sent; pass system, human, AI and tool messages."
            )


def _get_text(message: BaseMessage, index: int) -> str:
    return "".join(
        block if isinstance(block, str) else _get_block_text(block, index)
        for block in _get_blocks(message, index)
    )


def _get_result_text(message: BaseMessage, index: int) -> str:
    """Get what a tool said; what is neither text nor media is written as JSON."""
    parts = []
    for block in _get_blocks(message, index):
        kind = block.get("type") if isinstance(block, dict) else None
        if isinstance(block, str):
            parts.append(block)
        elif kind in TEXT_KEYS or kind in MEDIA_BLOCKS:
            parts.append(_get_block_text(block, index))
        else:
            parts.append(json.dumps(block, ensure_ascii=False, default=str))
    return "\n".join(parts)


def _get_blocks(message: BaseMessage, index: int) -> Iterable[Any]:
    content = message.content
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        raise ValueError(f"Message {index} has a content that is neither a text nor a list.")
    return content


def _get_block_text(block: Any, index: int) -> str:
    if not isinstance(block, dict):
        raise ValueError(f"Message {index} holds {type(block).__name__!r} where a block belongs.")
    kind = str(block.get("type"))
    if kind == "non_standard" and isinstance(block.get("value"), dict):
        kind = str(block["value"].get("type"))
    if kind in REASONING_BLOCKS or kind in CALL_BLOCKS or kind in UNREADABLE_CALL_BLOCKS:
        return ""
    text = block.get(TEXT_KEYS.get(kind, ""))
    if not isinstance(text, str):
        raise ValueError(
            f"Message {index} holds a block of type {kind!r}, which cannot be sent: "
            "the endpoint takes text only."
        )
    return text
