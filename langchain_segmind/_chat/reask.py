"""Ask again: one call as a generator without I/O, which can need several requests.

A reply that does not meet the requirements is shown to the model with the reason, and the model is
asked again. LangChain sees one call: one start, one end, and the usage of all requests.
"""

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import replace
from typing import Any, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import ChatResult

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.errors import create_error
from langchain_segmind._api.queue import create_job_output_error
from langchain_segmind._chat.names import remove_name
from langchain_segmind._chat.refusals import ask_with_format
from langchain_segmind._chat.request import ChatRequest, create_request
from langchain_segmind._chat.response import (
    Completion,
    create_chat_result,
    describe_result,
    move_thoughts,
    read_completion,
)
from langchain_segmind._output.endings import find_ending
from langchain_segmind._output.json_text import NotJSONError
from langchain_segmind._output.structured_output import (
    describe_invalid_calls,
    read_structured_output,
)
from langchain_segmind._settings.call_settings import CallSettings
from langchain_segmind._tools import ParsedReply
from langchain_segmind.exceptions import SegmindOutputError, SegmindResponseError

Call = Generator[ChatRequest, APIResponse, ChatResult]
"""Yields requests, receives their responses, and returns the call's result."""

Decode = Callable[[bytes], Completion]
"""Parses a response body."""

UNCLEAR = (
    "No function was called: that reply has other text beside the call. To call, reply with "
    "nothing but the list of calls. If you do not mean to call, say so in one sentence."
)
KEPT = "not a call: the reply before it is kept"
REASK = "That reply cannot be used: {problem}. {instruction}"
WRITE_CALLS = "Reply again with nothing but the whole list of calls, corrected."
WRITE_JSON = "Reply again with nothing but the JSON."

FINAL_ADVICE = "Reword the request, or offer a tool or schema that fits it, and submit it again."
"""What to do about the reply of a job, which `output_retries` does not apply to."""


def run_call(
    messages: Sequence[BaseMessage], settings: CallSettings, decode: Decode, base_url: str = ""
) -> Call:
    """Ask until a reply meets the requirements, or no retries are left.

    A request that the server refuses is thrown back in as its `SegmindInvalidRequestError`.

    Args:
        messages: The conversation.
        settings: The call's settings.
        decode: Parses a response body.
        base_url: The server, without credentials.

    Raises:
        SegmindOutputError: The last reply lacks the call or JSON that was required.
        SegmindResponseError: A response is not a completion.
        SegmindInvalidRequestError: The server refuses a request.
    """
    replies: list[AIMessage] = []
    problems: list[str] = []
    conversation = list(messages)
    unclear: ChatResult | None = None
    while True:
        request = create_request(conversation, settings)
        response = yield from ask_with_format(request, base_url)
        parsed, result = _read_response(response, settings, decode, request.speakers)
        message = get_message(result)
        replies.append(message)
        is_last = len(replies) > settings.output_retries or find_ending(message).is_final
        if parsed.is_unclear and not unclear and not is_last:
            unclear = result
            problems.append(UNCLEAR)
            conversation += [AIMessage(parsed.text), HumanMessage(UNCLEAR)]
            continue
        if unclear and not (message.tool_calls or message.invalid_tool_calls):
            # The model did not mean to call.
            problems.append(KEPT)
            result = unclear
            get_message(result).response_metadata.update(_get_balance(message))
            unmet = find_unmet_requirement(get_message(result), settings)
            break
        unmet = find_unmet_requirement(message, settings)
        problem = unmet or find_invalid_calls(message, settings)
        problems.append(problem)
        if not problem or is_last:
            break
        conversation += build_reask_messages(message, problem, settings)
    if unmet and settings.on_unmet_requirement == "raise":
        raise create_output_error(problems, replies)
    if len(replies) > 1:
        message = get_message(result)
        _sum_costs(message, replies)
        message.response_metadata["rejected_replies"] = [
            describe_rejected(reply, problem)
            for reply, problem in zip(replies, problems, strict=True)
            if reply is not message
        ]
    return describe_result(result)


def read_final_reply(
    response: APIResponse, settings: CallSettings, decode: Decode, speakers: Collection[str] = ()
) -> AIMessage:
    """Return the reply in a response after which the model is not asked again.

    Args:
        response: The response.
        settings: The settings of the call that it answers.
        decode: Parses a response body.
        speakers: The names of the model's messages in the request.

    Raises:
        SegmindOutputError: The reply lacks the call or JSON that was required.
        SegmindResponseError: The response is not a completion.
    """
    _, result = _read_response(response, settings, decode, speakers)
    message = get_message(result)
    if unmet := find_unmet_requirement(message, settings):
        raise create_output_error([unmet], [message], FINAL_ADVICE)
    return get_message(describe_result(result))


def _read_response(
    response: APIResponse, settings: CallSettings, decode: Decode, speakers: Collection[str]
) -> tuple[ParsedReply, ChatResult]:
    completion = move_thoughts(_decode(response, settings, decode), settings)
    if speakers:
        completion = replace(completion, text=remove_name(completion.text, speakers))
    parsed = read_completion(completion, settings)
    return parsed, create_chat_result(completion, parsed, response.headers, settings)


def _get_balance(message: AIMessage) -> dict[str, Any]:
    balance = message.response_metadata.get("remaining_credits")
    return {} if balance is None else {"remaining_credits": balance}


def get_message(result: ChatResult) -> AIMessage:
    """Return the message of a result."""
    return cast("AIMessage", result.generations[0].message)


def _decode(response: APIResponse, settings: CallSettings, decode: Decode) -> Completion:
    try:
        return decode(response.body)
    except ValueError as error:
        problem = f"The server answered {response.status_code}, but the body {error}"
    # Raised after the block: chained, the error would show the frames of the JSON decoder.
    if settings.is_queued:
        raise create_job_output_error(response, problem)
    raise create_error(response, SegmindResponseError, problem)


def find_unmet_requirement(message: AIMessage, settings: CallSettings) -> str:
    """Return what a reply lacks that was required; empty if it lacks nothing."""
    try:
        _check_requirement(message, settings)
    except ValueError as error:
        return find_ending(message).explain(str(error))
    return ""


def _check_requirement(message: AIMessage, settings: CallSettings) -> None:
    if settings.structured_output is None:
        _check_call_or_json(message, settings)
        return
    try:
        read_structured_output(message, settings.structured_output)
    except NotJSONError:
        # There is neither a call nor JSON: report the one that the model was asked for.
        _check_call_or_json(message, settings)


def _check_call_or_json(message: AIMessage, settings: CallSettings) -> None:
    if message.tool_calls:
        return
    invalid_calls = describe_invalid_calls(message)
    if settings.tool_choice.is_forced:
        name = settings.tool_choice.name or "a function"
        raise ValueError(invalid_calls or f"it does not call {name}")
    if settings.response_format:
        if invalid_calls:
            raise ValueError(invalid_calls)
        settings.response_format.read(str(message.text))


def find_invalid_calls(message: AIMessage, settings: CallSettings) -> str:
    """Return what is wrong with a reply's calls, if that is a reason to ask again."""
    if settings.on_invalid_tool_call != "retry" or not settings.callable_tools:
        return ""
    has_usable_call = bool(message.tool_calls)
    if has_usable_call and not settings.parallel_tool_calls:
        return ""  # one call is enough
    problem = describe_invalid_calls(message)
    return find_ending(message).explain(problem) if problem else ""


def build_reask_messages(
    message: AIMessage, problem: str, settings: CallSettings
) -> list[BaseMessage]:
    """Return the messages that show the model its reply and ask for a better one."""
    needs_call = settings.tool_choice.is_forced or bool(message.invalid_tool_calls)
    instruction = WRITE_CALLS if needs_call else WRITE_JSON
    question = HumanMessage(REASK.format(problem=problem.rstrip("."), instruction=instruction))
    dropped = message.response_metadata.get("dropped_tool_calls", [])
    shown = AIMessage(
        content=message.content,
        tool_calls=[*message.tool_calls, *dropped],
        invalid_tool_calls=message.invalid_tool_calls,
    )
    is_empty = not (shown.text or shown.tool_calls or shown.invalid_tool_calls)
    return [question] if is_empty else [shown, question]


def describe_rejected(message: AIMessage, reason: str) -> dict[str, Any]:
    """Return what a rejected reply contained, as JSON."""
    parts = {
        "content": message.content,
        "tool_calls": message.tool_calls,
        "invalid_tool_calls": message.invalid_tool_calls,
        "reason": reason,
    }
    return {key: part for key, part in parts.items() if part}


def create_output_error(
    problems: Sequence[str],
    replies: Sequence[AIMessage],
    advice: str = SegmindOutputError.advice,
) -> SegmindOutputError:
    """Return the error for a requirement that no reply met."""
    last, times = replies[-1], "once" if len(replies) == 1 else f"{len(replies)} times"
    reasons = "; then: ".join(dict.fromkeys(problem.rstrip(".") for problem in problems))
    advice = find_ending(last).advice or advice
    return SegmindOutputError(
        f"The model was asked {times}, but its reply cannot be used: {reasons}. {advice}",
        replies=replies,
        remaining_credits=last.response_metadata.get("remaining_credits"),
        request_id=last.response_metadata.get("request_id"),
    )


def _sum_costs(message: AIMessage, replies: Sequence[AIMessage]) -> None:
    """Set usage and cost of all requests; the total is omitted if any part is unknown."""
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
