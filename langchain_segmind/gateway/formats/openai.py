"""OpenAI's format: `messages` with a role and a text or content parts; `choices` in the reply."""

import json
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_segmind._api.endpoint import ROLES
from langchain_segmind.gateway.completion import Completion
from langchain_segmind.gateway.formats.common import (
    check_chat_messages,
    check_image,
    check_keys,
    check_text,
    check_url,
    get_text,
    require,
)
from langchain_segmind.gateway.parameters import PARAMETER_RULES

MESSAGE_KEYS = frozenset({"messages"})
PARAMETERS = frozenset(PARAMETER_RULES)

_DATA_URI = re.compile(r"data:([^;,]*);base64,(.*)", re.DOTALL)


def check_messages(body: Mapping[str, Any]) -> None:
    """Check that the messages can be read."""
    check_chat_messages(body.get("messages"), ROLES)


def check_strictly(body: Mapping[str, Any]) -> None:
    """Check that messages hold a role and content alone, and content texts and images."""
    for index, message in enumerate(body["messages"]):
        name = f"messages[{index}]"
        check_keys(message, name, ("role", "content"))
        if not isinstance(message["content"], str):
            for number, part in enumerate(message["content"]):
                _check_part(part, f"{name}.content[{number}]")


def _check_part(part: Mapping[str, Any], name: str) -> None:
    if part.get("type") == "text":
        check_keys(part, name, ("type", "text"))
        check_text(part["text"], f"{name}.text")
        return
    require(part.get("type") == "image_url", f"strict: {name}.type must be text or image_url")
    check_keys(part, name, ("type", "image_url"))
    check_keys(part["image_url"], f"{name}.image_url", ("url",), ("detail",))
    url = part["image_url"]["url"]
    if isinstance(url, str) and (match := _DATA_URI.fullmatch(url)):
        check_image(match[1], match[2], f"{name}.image_url.url")
    else:
        check_url(url, f"{name}.image_url.url")


def check_json_object(messages: Sequence[Mapping[str, Any]]) -> None:
    """Check that the messages contain the word JSON, in the words of OpenAI's error."""
    text = "\n".join(get_text(message["content"]) for message in messages)
    require(
        "json" in text.lower(),
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type "
        "'json_object'.",
    )


def read_messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the messages as they are."""
    return list(body["messages"])


def render(completion: Completion) -> dict[str, Any]:
    """Return a `chat.completion`."""
    message: dict[str, Any] = {"role": "assistant", "content": completion.content}
    if completion.reasoning:
        message["reasoning_content"] = completion.reasoning
    if completion.tool_calls:
        message["tool_calls"] = [_render_call(call) for call in completion.tool_calls]
    choice = {"index": 0, "message": message, "finish_reason": completion.finish_reason}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": completion.model,
        "choices": [choice],
        "usage": completion.usage,
    }


def _render_call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": json.dumps(call["args"])}
    call_id = call.get("id") or f"call_{uuid.uuid4().hex}"
    return {"id": call_id, "type": "function", "function": function}
