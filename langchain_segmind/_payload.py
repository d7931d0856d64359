"""Messages and parameters -> the request's body; pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
)

from langchain_segmind._endpoint import ROLES, Role

REASONING_BLOCKS = frozenset({"reasoning", "reasoning_content", "redacted_thinking", "thinking"})
"""How providers name a model's reasoning, which no provider wants back from another."""

TEXT_KEYS: Mapping[str, str] = {"text": "text", "text-plain": "text", "refusal": "refusal"}
"""Block types that carry text, and the key that it stands under."""


class WireMessage(TypedDict):
    """One message as the endpoint documents it."""

    role: Role
    content: str


def create_payload(
    messages: Sequence[BaseMessage],
    parameters: Mapping[str, Any],
    stop: Sequence[str] = (),
) -> dict[str, Any]:
    """Build the request's body: the messages and what the user set, nothing else.

    Args:
        messages: The conversation, oldest first.
        parameters: Further body keys.
        stop: Strings that end the reply.

    Raises:
        ValueError: If a message cannot be sent; it names the message's index, from 0.
    """
    payload = {**parameters, "messages": convert_messages_to_wire(messages)}
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


def convert_messages_to_wire(messages: Sequence[BaseMessage]) -> list[WireMessage]:
    """Translate LangChain's messages, in order, without changing them.

    Raises:
        ValueError: If there is none, or one cannot be sent.
    """
    if not messages:
        raise ValueError("There are no messages to send; pass at least one.")
    return [
        {"role": _get_role(message, index), "content": _get_text(message, index)}
        for index, message in enumerate(messages)
    ]


def _get_role(message: BaseMessage, index: int) -> Role:
    match message:
        case SystemMessage():
            return "system"
        case HumanMessage():
            return "user"
        case AIMessage(tool_calls=[], invalid_tool_calls=[]):
            return "assistant"
        case AIMessage():
            raise ValueError(
                f"Message {index} calls tools, which this version cannot send: "
                "the endpoint takes text only."
            )
        case ChatMessage(role=role) if role in ROLES:
            return role
        case ChatMessage(role=role):
            raise ValueError(
                f"Message {index} has the role {role!r}; the endpoint takes {', '.join(ROLES)}."
            )
        case _:
            raise ValueError(
                f"Message {index} is of type {message.type!r} ({type(message).__name__}), which "
                "cannot be sent; the endpoint takes system, human and AI messages."
            )


def _get_text(message: BaseMessage, index: int) -> str:
    content = message.content
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise ValueError(f"Message {index} has a content that is neither a text nor a list.")
    return "".join(_get_block_text(block, index) for block in content)


def _get_block_text(block: Any, index: int) -> str:
    if isinstance(block, str):
        return block
    if not isinstance(block, dict):
        raise ValueError(f"Message {index} holds {type(block).__name__!r} where a block belongs.")
    kind = block.get("type")
    if kind == "non_standard" and isinstance(block.get("value"), dict):
        kind = block["value"].get("type")
    if str(kind) in REASONING_BLOCKS:
        return ""
    text = block.get(TEXT_KEYS.get(str(kind), ""))
    if not isinstance(text, str):
        raise ValueError(
            f"Message {index} holds a block of type {kind!r}, which cannot be sent: "
            "the endpoint takes text only."
        )
    return text
