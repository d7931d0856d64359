"""One call, which may take several requests: what to ask the model next, and when to stop; pure.

A reply that is not what was asked for is shown to the model with the reason, and it is asked
again. The requests of one call count as one for LangChain: one start, one end, summed usage.
"""

from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import ChatResult

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._chat.response import create_chat_result
from langchain_segmind._output.response_format import NotJSONError
from langchain_segmind._output.structured_output import (
    describe_invalid_calls,
    read_structured_output,
)
from langchain_segmind._settings.call_settings import CallSettings
from langchain_segmind.exceptions import SegmindOutputError

Conversation = Generator[Sequence[BaseMessage], APIResponse, ChatResult]
"""Yields the messages to send, takes the reply to them, and returns the call's result."""

TRY_AGAIN = "That reply cannot be used: {fault}. {wanted}"
WRITE_CALLS = "Reply again with nothing but the whole list of calls, corrected."
WRITE_JSON = "Reply again with nothing but the JSON."


def converse(messages: Sequence[BaseMessage], settings: CallSettings) -> Conversation:
    """Ask until the reply is what was asked for, or the retries are used up.

    Raises:
        SegmindOutputError: If the last reply lacks the call or the JSON that it must hold.
    """
    replies: list[AIMessage] = []
    faults: list[str] = []
    asked = list(messages)
    while True:
        reply = yield asked
        result = create_chat_result(reply, settings)
        message = cast("AIMessage", result.generations[0].message)
        replies.append(message)
        unmet = find_unmet_requirement(message, settings)
        fault = unmet or find_invalid_calls(message, settings)
        faults.append(fault)
        if not fault or len(replies) > settings.output_retries:
            break
        asked += create_second_question(message, fault, settings)
    if unmet and settings.raises_unmet_requirement:
        raise create_tool_choice_error(faults, replies)
    if len(replies) > 1:
        _sum_costs(message, replies)
        message.response_metadata["rejected_replies"] = [
            describe_rejected(*rejected) for rejected in zip(replies[:-1], faults, strict=False)
        ]
    return result


def find_unmet_requirement(message: AIMessage, settings: CallSettings) -> str:
    """Say what a reply lacks that it must hold; an empty text where it lacks nothing."""
    try:
        _check_requirement(message, settings)
    except ValueError as error:
        return str(error)
    return ""


def _check_requirement(message: AIMessage, settings: CallSettings) -> None:
    if settings.structured_output is not None:
        # Where there is neither a call nor JSON, the demand itself says which is missing.
        with suppress(NotJSONError):
            read_structured_output(message, settings.structured_output)
            return
    is_forced, wanted = settings.tool_choice.is_forced, settings.response_format
    if message.tool_calls or not (is_forced or wanted):
        return
    if faults := describe_invalid_calls(message):
        raise ValueError(faults)
    if is_forced or wanted is None:
        raise ValueError(f"it does not call {settings.tool_choice.name or 'a function'}")
    wanted.read(str(message.text))


def find_invalid_calls(message: AIMessage, settings: CallSettings) -> str:
    """Say what is wrong with a reply's calls, if that is a reason to ask again."""
    is_kept = message.tool_calls and not settings.parallel_tool_calls
    if is_kept or settings.on_invalid_tool_call != "retry":
        return ""
    return describe_invalid_calls(message)


def create_second_question(
    message: AIMessage, fault: str, settings: CallSettings
) -> list[BaseMessage]:
    """Show the model its reply and ask again."""
    is_call_wanted = settings.tool_choice.is_forced or bool(message.invalid_tool_calls)
    wanted = WRITE_CALLS if is_call_wanted else WRITE_JSON
    question = HumanMessage(TRY_AGAIN.format(fault=fault.rstrip("."), wanted=wanted))
    dropped = message.response_metadata.get("dropped_tool_calls", [])
    shown = AIMessage(
        content=message.content,
        tool_calls=[*message.tool_calls, *dropped],
        invalid_tool_calls=message.invalid_tool_calls,
    )
    is_empty = not (shown.text or shown.tool_calls or shown.invalid_tool_calls)
    return [question] if is_empty else [shown, question]


def describe_rejected(message: AIMessage, reason: str) -> dict[str, Any]:
    """Keep what a reply held that was asked for again, as JSON."""
    held = {
        "content": message.content,
        "tool_calls": message.tool_calls,
        "invalid_tool_calls": message.invalid_tool_calls,
        "reason": reason,
    }
    return {key: part for key, part in held.items() if part}


def create_tool_choice_error(
    faults: Sequence[str], replies: Sequence[AIMessage]
) -> SegmindOutputError:
    """Create the error of a demand that no reply met."""
    last, times = replies[-1], "once" if len(replies) == 1 else f"{len(replies)} times"
    reasons = "; then: ".join(dict.fromkeys(fault.rstrip(".") for fault in faults))
    return SegmindOutputError(
        f"The model was asked {times}, but its reply cannot be used: {reasons}. "
        f"{SegmindOutputError.advice}",
        replies=replies,
        remaining_credits=last.response_metadata.get("remaining_credits"),
        request_id=last.response_metadata.get("request_id"),
    )


def _sum_costs(message: AIMessage, replies: Sequence[AIMessage]) -> None:
    """Write what all requests cost into the last reply; what one does not tell has no sum."""
    usages = [reply.usage_metadata for reply in replies]
    costs = [reply.response_metadata.get("cost") for reply in replies]
    message.usage_metadata = _sum_usage(usages)
    if None not in costs:
        message.response_metadata["cost"] = sum(cast("list[float]", costs))
    else:
        message.response_metadata.pop("cost", None)


def _sum_usage(usages: Sequence[UsageMetadata | None]) -> UsageMetadata | None:
    total: Any = None
    for usage in usages:
        if usage is None:
            return None
        total = add_usage(total, usage)
    return cast("UsageMetadata", total)
