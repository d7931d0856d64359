"""A completion to LangChain's result."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCall, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_segmind._api.endpoint import (
    COST_HEADER,
    GENERATION_TIME_HEADER,
    PROVIDER,
    QUEUE_TIME_HEADER,
    REMAINING_CREDITS_HEADER,
    REQUEST_ID_HEADER,
    TOTAL_TIME_HEADER,
)
from langchain_segmind._api.headers import parse_amount, parse_number
from langchain_segmind._chat.thoughts import split_thoughts
from langchain_segmind._settings.call_settings import NO_TOOLS, CallSettings
from langchain_segmind._tools import (
    ParsedReply,
    ReadingRules,
    parse_native_calls,
    parse_reply,
)

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]
"""Why a reply ended, in OpenAI's words."""

GENERATION_KEYS = ("finish_reason", "logprobs")
OUTPUT_KEYS = ("id", "model_name", "system_fingerprint", "token_usage")
"""What is in `generation_info` and `llm_output`, beside the metadata."""

CUT_REASONS = frozenset({"length", "content_filter"})
"""Finish reasons of replies that may end within thoughts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a model replied, whatever JSON format it came in.

    Attributes:
        text: The reply.
        reasoning: What the model thought before it, if reported.
        refusal: Why the model refused, if it did.
        finish_reason: Why the reply ended; None if it is not reported.
        native_finish_reason: The provider's word for it.
        model: The model's name, if reported.
        usage: The tokens, if reported.
        calls: Calls of tools that did not come as text, in OpenAI's format.
        metadata: Further facts, kept in the message's metadata.
    """

    text: str
    reasoning: str | None = None
    refusal: str | None = None
    finish_reason: FinishReason | None = None
    native_finish_reason: str | None = None
    model: str | None = None
    usage: UsageMetadata | None = None
    calls: Sequence[Any] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


def move_thoughts(completion: Completion, settings: CallSettings) -> Completion:
    """Return a completion with the thoughts at the beginning of its text in its reasoning."""
    is_cut = completion.finish_reason in CUT_REASONS or bool(settings.stop_strings)
    thoughts, text = split_thoughts(completion.text, is_cut=is_cut)
    if not thoughts:
        return completion
    reasoning = "\n".join(filter(None, dict.fromkeys([completion.reasoning, *thoughts])))
    return replace(completion, text=text, reasoning=reasoning or None)


def read_completion(completion: Completion, settings: CallSettings) -> ParsedReply:
    """Return the calls and the text of a reply."""
    text, tools, stop = completion.text, settings.callable_tools, settings.stop_strings
    if completion.calls:
        content = parse_reply(text, NO_TOOLS, stop).content
        return parse_native_calls(completion.calls, tools, content)
    rules = ReadingRules(
        in_text=settings.calls_in_text,
        asks=settings.output_retries > 0,
        is_forced=settings.tool_choice.is_forced,
    )
    return parse_reply(text, tools, stop, rules)


def create_chat_result(
    completion: Completion,
    parsed: ParsedReply,
    headers: Mapping[str, str],
    settings: CallSettings,
) -> ChatResult:
    """Create the result of a call.

    Args:
        completion: What the model replied.
        parsed: Its calls and its text.
        headers: The response's headers, names in lower case.
        settings: What was asked for: the tools, the format, where to stop.
    """
    calls, dropped = split_calls(parsed.calls, settings)
    reason = "stop" if parsed.is_cut else completion.finish_reason
    if reason not in CUT_REASONS:
        has_calls = bool(calls) or (reason == "tool_calls" and bool(parsed.invalid_calls))
        reason = "tool_calls" if has_calls else reason and "stop"
    native_reason = completion.native_finish_reason
    errors = {str(call["id"]): call["error"] for call in parsed.invalid_calls}
    optional = {
        **completion.metadata,
        "native_finish_reason": None if native_reason == reason else native_reason,
        "dropped_tool_calls": [dict(call) for call in dropped] or None,
        "invalid_tool_call_errors": errors or None,
        "cost": parse_amount(headers.get(COST_HEADER)),
        "request_id": headers.get(REQUEST_ID_HEADER),
        "generation_time": parse_amount(headers.get(GENERATION_TIME_HEADER)),
        "queue_time": parse_amount(headers.get(QUEUE_TIME_HEADER)),
        "total_time": parse_amount(headers.get(TOTAL_TIME_HEADER)),
    }
    extras: dict[str, Any] = {
        "refusal": completion.refusal,
        "reasoning_content": completion.reasoning,
    }
    if calls and settings.fills_function_call:
        arguments = json.dumps(calls[0]["args"], ensure_ascii=False)
        extras["function_call"] = {"name": calls[0]["name"], "arguments": arguments}
    message = AIMessage(
        content=_get_content(parsed, settings),
        additional_kwargs={name: value for name, value in extras.items() if value},
        response_metadata={
            "model_name": completion.model or settings.model,
            "model_provider": PROVIDER,
            "finish_reason": reason,
            "remaining_credits": parse_number(headers.get(REMAINING_CREDITS_HEADER)),
            **{name: value for name, value in optional.items() if value is not None},
        },
        usage_metadata=completion.usage,
        tool_calls=calls,
        invalid_tool_calls=list(parsed.invalid_calls),
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


def copy_cached_message(message: BaseMessage) -> BaseMessage:
    """Return a copy of a message from a cache, without what is true of its own response only.

    Its id is removed, since LangGraph merges messages with the same id.
    """
    copy = message.model_copy(update={"id": None}, deep=True)
    for name in ("cost", "request_id", "generation_time", "queue_time", "total_time"):
        copy.response_metadata.pop(name, None)
    copy.response_metadata["remaining_credits"] = None
    return copy


def remove_response_facts(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return a history whose replies are the same, whether they came from a cache or not."""
    facts: dict[str, Any] = {"response_metadata": {}, "usage_metadata": None}
    return [
        message.model_copy(update=facts) if isinstance(message, AIMessage) else message
        for message in messages
    ]


def split_calls(
    calls: Sequence[ToolCall], settings: CallSettings
) -> tuple[list[ToolCall], list[ToolCall]]:
    """Split calls into those that the settings allow and those that are dropped."""
    limit = len(calls) if settings.parallel_tool_calls else 1
    return list(calls[:limit]), list(calls[limit:])


def _get_content(parsed: ParsedReply, settings: CallSettings) -> str:
    if parsed.calls:
        return parsed.content
    return parsed.text if parsed.invalid_calls else _extract_json(parsed.text, settings)


def _extract_json(text: str, settings: CallSettings) -> str:
    """Return the JSON in a reply if JSON was asked for; else the reply unchanged."""
    wanted, output = settings.response_format, settings.structured_output
    if wanted is None:
        return text
    read = output.extract_json if output and wanted.schema is None else wanted.read
    try:
        return read(text)
    except ValueError:
        return text


def describe_result(result: ChatResult) -> ChatResult:
    """Return a result with what callbacks and evaluators read beside the message."""
    message = cast("AIMessage", result.generations[0].message)
    facts = message.response_metadata
    if usage := message.usage_metadata:
        facts["token_usage"] = {
            "prompt_tokens": usage["input_tokens"],
            "completion_tokens": usage["output_tokens"],
            "total_tokens": usage["total_tokens"],
        }
    info, output = (
        {name: facts[name] for name in names if name in facts}
        for names in (GENERATION_KEYS, OUTPUT_KEYS)
    )
    generation = ChatGeneration(message=message, generation_info=info)
    return ChatResult(generations=[generation], llm_output=output)


def combine_outputs(outputs: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Return the `llm_output` of several results: the sum of their tokens."""
    known = [output for output in outputs if output]
    usages = [output["token_usage"] for output in known if "token_usage" in output]
    combined = {name: value for output in reversed(known) for name, value in output.items()}
    combined.pop("id", None)
    if usages:
        combined["token_usage"] = {name: sum(one[name] for one in usages) for name in usages[0]}
    return combined


def convert_result_to_chunks(
    result: ChatResult, output_version: str | None = None
) -> list[ChatGenerationChunk]:
    """Return a complete reply as a stream in OpenAI's layout.

    The text comes first. Each call has a chunk with its name and id, and one with its arguments.
    The last chunk has all that is known at the end only.

    Merging chunks parses the arguments of calls again and repairs what is cut off
    (langchain-ai/langchain#39275). A call that cannot be run stays so: its arguments are its own
    text, which is not JSON.
    """
    generation = result.generations[0]
    message = cast("AIMessage", generation.message)
    chunks = [AIMessageChunk(content=message.content, additional_kwargs=message.additional_kwargs)]
    # In LangChain's v1, text and reasoning are blocks, which core counts from 0.
    blocks = [message.content, message.additional_kwargs.get("reasoning_content")]
    start = len([*filter(None, blocks)]) if output_version == "v1" else 0
    for index, call in enumerate([*message.tool_calls, *message.invalid_tool_calls], start):
        args = call["args"]
        text = json.dumps(args, ensure_ascii=False) if isinstance(args, dict) else args
        head = tool_call_chunk(name=call["name"], args="", id=call["id"], index=index)
        rest = tool_call_chunk(args=text, index=index)
        chunks += [AIMessageChunk(content="", tool_call_chunks=[part]) for part in (head, rest)]
    last = AIMessageChunk(
        content="",
        response_metadata=message.response_metadata,
        usage_metadata=message.usage_metadata,
        chunk_position="last",
    )
    return [
        *(ChatGenerationChunk(message=chunk) for chunk in chunks),
        ChatGenerationChunk(message=last, generation_info=generation.generation_info),
    ]
