"""A reply -> LangChain's result; pure.

The endpoint hands on the provider's own JSON, so that every field beyond
`choices[0].message.content` is optional and nothing is taken on trust.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import ToolCall, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_segmind._api.endpoint import (
    COST_HEADER,
    GENERATION_TIME_HEADER,
    PROVIDER,
    REMAINING_CREDITS_HEADER,
    REQUEST_ID_HEADER,
    APIResponse,
)
from langchain_segmind._api.errors import create_error
from langchain_segmind._api.headers import parse_number
from langchain_segmind._api.usage import create_usage_metadata
from langchain_segmind._settings.call_settings import CallSettings
from langchain_segmind._tools import parse_reply
from langchain_segmind.exceptions import SegmindResponseError

OTHER_SHAPES: Mapping[str, str] = {"content": "Anthropic's", "candidates": "Google's"}
"""Top-level keys that give away another provider's reply, which this class does not read."""

KEPT_MESSAGE_FIELDS = ("refusal", "reasoning_content")
"""Texts beside the content that LangChain keeps in `additional_kwargs`."""


def create_chat_result(reply: APIResponse, settings: CallSettings) -> ChatResult:
    """Read a chat completion.

    Args:
        reply: The server's answer.
        settings: What was asked for: the model, the tools, the format, where to stop.

    Raises:
        SegmindResponseError: If the reply is no chat completion.
    """
    completion = _parse_completion(reply)
    choice = completion["choices"][0]
    text = _mend_surrogates(_join_parts(choice["message"]["content"]))
    parsed = parse_reply(text, settings.callable_tools, settings.stop)
    calls, dropped = split_calls(parsed.calls, settings)
    finish_reason = _get_text(choice, "finish_reason")
    metadata = {
        "model_name": _get_text(completion, "model") or settings.model,
        "model_provider": PROVIDER,
        "finish_reason": "tool_calls" if calls else "stop" if parsed.is_cut else finish_reason,
        "remaining_credits": parse_number(reply.headers.get(REMAINING_CREDITS_HEADER)),
    }
    optional = {
        "native_finish_reason": finish_reason if calls else None,
        "dropped_tool_calls": [dict(call) for call in dropped] or None,
        "invalid_tool_call_errors": {
            str(call["id"]): call["error"] for call in parsed.invalid_calls
        }
        or None,
        "id": _get_text(completion, "id"),
        "system_fingerprint": _get_text(completion, "system_fingerprint"),
        "logprobs": choice.get("logprobs"),
        "cost": parse_number(reply.headers.get(COST_HEADER)),
        "request_id": reply.headers.get(REQUEST_ID_HEADER),
        "generation_time": parse_number(reply.headers.get(GENERATION_TIME_HEADER)),
    }
    metadata |= {name: value for name, value in optional.items() if value is not None}
    answer = AIMessage(
        content=parsed.content if calls else _get_bare_json(parsed.content, settings),
        additional_kwargs={
            name: kept
            for name in KEPT_MESSAGE_FIELDS
            if (kept := _get_text(choice["message"], name))
        },
        response_metadata=metadata,
        usage_metadata=create_usage_metadata(completion.get("usage")),
        tool_calls=calls,
        invalid_tool_calls=list(parsed.invalid_calls),
    )
    return ChatResult(generations=[ChatGeneration(message=answer)])


def split_calls(
    calls: Sequence[ToolCall], settings: CallSettings
) -> tuple[list[ToolCall], list[ToolCall]]:
    """Split calls into those that were asked for and those that were not."""
    name = settings.tool_choice.name
    wanted = [call for call in calls if name is None or call["name"] == name]
    if not settings.parallel_tool_calls:
        wanted = wanted[:1]
    ids = {call["id"] for call in wanted}
    return wanted, [call for call in calls if call["id"] not in ids]


def _get_bare_json(text: str, settings: CallSettings) -> str:
    """Take JSON out of its fence where JSON was asked for; else leave a text as it is."""
    if settings.response_format is None:
        return text
    try:
        return _mend_surrogates(settings.response_format.read(text))
    except ValueError:
        return text


def convert_result_to_chunks(result: ChatResult) -> list[ChatGenerationChunk]:
    """Hand a whole reply on as a stream: its text, its calls if there are any, its end.

    Whoever merges chunks parses the arguments of calls anew, and repairs what is cut
    (langchain-ai/langchain#39275): a call that cannot be run is handed on as it was written,
    which is no JSON, in a chunk that does not end the message.
    """
    message = cast("AIMessage", result.generations[0].message)
    calls = [
        tool_call_chunk(
            name=call["name"],
            args=json.dumps(call["args"], ensure_ascii=False),
            id=call["id"],
        )
        for call in message.tool_calls
    ]
    calls += [
        tool_call_chunk(name=call["name"], args=call["args"], id=call["id"])
        for call in message.invalid_tool_calls
    ]
    text = AIMessageChunk(
        content=message.content,
        id=message.id,
        name=message.name,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        usage_metadata=message.usage_metadata,
        chunk_position=None if calls else "last",
    )
    chunks = [text]
    if calls:
        chunks.append(AIMessageChunk(content="", tool_call_chunks=calls))
        chunks.append(AIMessageChunk(content="", chunk_position="last"))
    return [ChatGenerationChunk(message=chunk) for chunk in chunks]


def _parse_completion(reply: APIResponse) -> dict[str, Any]:
    try:
        completion = json.loads(reply.body)
        fault = _find_fault(completion)
    except (ValueError, RecursionError):
        fault = "is no JSON"
    if fault:
        problem = f"The server answered {reply.status_code}, but the body {fault}"
        raise create_error(reply, SegmindResponseError, problem)
    return completion  # type: ignore[no-any-return] # a dict, or there is a fault


def _find_fault(completion: Any) -> str:
    """Say why a body is no chat completion; an empty text where it is one."""
    if not isinstance(completion, dict):
        return "is no JSON object"
    if not completion.get("choices") or not isinstance(completion["choices"], list):
        shapes = [shape for key, shape in OTHER_SHAPES.items() if key in completion]
        return f"has {shapes[0]} shape, not OpenAI's" if shapes else "has no choices"
    choice = completion["choices"][0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict) or "content" not in message:
        return "has no choices[0].message.content"
    content = message["content"]
    if isinstance(content, list):
        return "" if not content or any(map(_is_text, content)) else "has a content without text"
    return "" if content is None or isinstance(content, str) else "has a content that is no text"


def _join_parts(content: str | list[Any] | None) -> str:
    if isinstance(content, list):
        return "".join(map(_get_part_text, content))
    return content or ""


def _mend_surrogates(text: str) -> str:
    """Replace halves of characters, which JSON can spell but no later request can carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and isinstance(part.get("text"), str))


def _get_part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    return (_get_text(part, "text") or "") if isinstance(part, dict) else ""


def _get_text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value else None
