"""LangChain messages to a request that no provider's JSON has shaped yet."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
from langchain_segmind._settings.call_settings import CallSettings
from langchain_segmind._tools import escape_tags, render_calls, render_result

REASONING_BLOCKS = frozenset({"reasoning", "reasoning_content", "redacted_thinking", "thinking"})
"""Block types of a model's reasoning, which no provider takes back from another."""

CALL_BLOCKS: Mapping[str, str] = {"tool_call": "args", "tool_use": "input"}
"""Block types of a tool call, and the key of its arguments."""

PARTIAL_CALL_BLOCKS = frozenset({"tool_call_chunk", "invalid_tool_call", "input_json_delta"})
"""Block types of what a message's `tool_calls` and `invalid_tool_calls` hold as well."""

TEXT_KEYS: Mapping[str, str] = {"text": "text", "text-plain": "text", "refusal": "refusal"}
"""Block types of text, and the key that it is under."""

MEDIA_BLOCKS = frozenset(
    {"image", "image_url", "audio", "input_audio", "video", "file", "document", "media"}
)
"""Block types that cannot be sent as text."""


@dataclass(slots=True)
class Turn:
    """One turn of a conversation.

    Attributes:
        role: Who speaks. System text stays where it was: only some providers have one place for it.
        text: What is said.
    """

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation and how to answer it.

    Its turns are independent of LangChain and of any provider's format; its `parameters` still have
    OpenAI's names.

    Attributes:
        turns: The conversation, oldest first; calls and results of tools are text.
        parameters: Further keys of the request's body.
        stop: Strings that end the reply.
    """

    turns: Sequence[Turn]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stop: Sequence[str] = ()


def create_request(messages: Sequence[BaseMessage], settings: CallSettings) -> ChatRequest:
    """Create the request for a call.

    Raises:
        ValueError: A message cannot be sent; the error names its index, from 0.
    """
    turns = convert_messages(messages, settings.instructions)
    return ChatRequest(turns, settings.parameters, settings.stop_strings)


def convert_messages(messages: Sequence[BaseMessage], instructions: str = "") -> list[Turn]:
    """Convert LangChain messages to turns, in order, without changing them.

    Tool calls become the text that the model is asked for. Results become a user's text that names
    the call; consecutive ones share a turn. Instructions are appended to the system message that
    begins the conversation, or precede it.

    Raises:
        ValueError: There is no message, or one cannot be sent.
    """
    if not messages:
        raise ValueError("There are no messages to send; pass at least one.")
    writer = _TurnWriter(has_tools=bool(instructions) or any(map(_has_calls, messages)))
    for index, message in enumerate(messages):
        writer.add(message, index)
    if instructions:
        writer.prepend_instructions(instructions)
    return writer.turns


def _has_calls(message: BaseMessage) -> bool:
    return isinstance(message, ToolMessage | FunctionMessage) or bool(_get_calls(message))


@dataclass
class _TurnWriter:
    """Writes one conversation.

    Attributes:
        has_tools: Whether tools occur, so that nobody's text may look like our tags.
        turns: The turns so far.
    """

    has_tools: bool
    turns: list[Turn] = field(default_factory=list)
    _calls: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    """By call id: the tool's name, and the call's number from 1 if it is one of several."""
    _ends_with_result: bool = False

    def add(self, message: BaseMessage, index: int) -> None:
        if isinstance(message, ToolMessage | FunctionMessage):
            self._add_result(message, index)
            return
        calls = _get_calls(message)
        role, text = _get_role(message, index), _get_text(message, index)
        if self.has_tools:
            text = escape_tags(text)
        if calls:
            self._remember_call_ids(calls)
            # A reply without a call that can be run has its whole text as content.
            unwritten = [call for call in calls if not _is_in_text(call, message)]
            text = "\n".join(filter(None, [text, render_calls(unwritten) if unwritten else ""]))
        self.turns.append(Turn(role, text))
        self._ends_with_result = False

    def prepend_instructions(self, instructions: str) -> None:
        first = self.turns[0]
        if first.role == "system" and first.text:
            first.text += f"\n\n{instructions}"
        else:
            self.turns.insert(0, Turn("system", instructions))

    def _remember_call_ids(self, calls: Sequence[ToolCall | InvalidToolCall]) -> None:
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
            self.turns[-1].text += f"\n{text}"
        else:
            self.turns.append(Turn("user", text))
        self._ends_with_result = True


def _get_calls(message: BaseMessage) -> list[ToolCall | InvalidToolCall]:
    """Return a message's calls, including those that are only in its content."""
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


def _is_in_text(call: ToolCall | InvalidToolCall, message: BaseMessage) -> bool:
    """Whether an invalid call is a part of the message's text."""
    written, name = call["args"], call["name"]
    is_call = isinstance(written, str) and bool(name) and str(name) in written
    return is_call and str(written) in str(message.text)


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
                f"Message {index} has the role {role!r}; the endpoint accepts {', '.join(ROLES)}."
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
    """Return a tool's result; what is neither text nor media is written as JSON."""
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
        raise ValueError(f"Message {index} has content that is neither a string nor a list.")
    return content


def _get_block_text(block: Any, index: int) -> str:
    if not isinstance(block, dict):
        raise ValueError(
            f"Message {index} has {type(block).__name__!r} in its content, not a string or block."
        )
    kind = str(block.get("type"))
    if kind == "non_standard" and isinstance(block.get("value"), dict):
        kind = str(block["value"].get("type"))
    if kind in REASONING_BLOCKS or kind in CALL_BLOCKS or kind in PARTIAL_CALL_BLOCKS:
        return ""
    text = block.get(TEXT_KEYS.get(kind, ""))
    if not isinstance(text, str):
        raise ValueError(
            f"Message {index} has a block of type {kind!r}, which cannot be sent: "
            "the endpoint accepts text only."
        )
    return text
