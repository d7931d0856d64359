"""Splits a model's reply into calls and text.

Strict first: the whole reply is a list of calls; or it is one after a named repair (a fence around
it, no brackets, JSON); or lists of calls of known tools are on their own lines within other text.
Everything else is text and comes back unchanged.
"""

import logging
import re
import secrets
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from langchain_core.messages import InvalidToolCall, ToolCall
from langchain_core.messages.tool import invalid_tool_call, tool_call

from langchain_segmind._tools.call_parser import (
    UNFINISHED,
    CallReader,
    NoCallError,
    RawCall,
)
from langchain_segmind._tools.coercion import (
    MissingError,
    coerce_arguments,
    make_plain,
)
from langchain_segmind._tools.literal_parser import UnreadableError
from langchain_segmind._tools.syntax import RESULT
from langchain_segmind._tools.tools import Toolset

logger = logging.getLogger(__name__)

MAX_STOPS = 5
"""Places of stop strings that are tried; each can turn out to be inside a call."""

FENCE = re.compile(
    r"^(?P<before>(?:(?!```|~~~)[^\n])*+)(?P<mark>`{3,}+|~{3,}+)[^\n`]*\n"
    r"(?P<body>.*?)(?:^[ \t]*(?P=mark)[`~]*[ \t\r]*$|\Z)",
    re.DOTALL | re.MULTILINE,
)
RESULT_BLOCK = re.compile(rf"<{RESULT}\b.*?(?:</{RESULT}>|\Z)", re.DOTALL | re.IGNORECASE)
LIST_LINE = re.compile(r"^ {0,3}(?=\[\s*[^\s,()\[\]{}][^\n(]*\()", re.MULTILINE)
"""Matches where a list of calls can begin in other text; a line indented further is code."""

END_OF_LINE = re.compile(r"[ \t\r]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """The content of a reply.

    Attributes:
        content: The text around the calls; the whole reply if there are none.
        calls: The calls that can be run, in order.
        invalid_calls: The calls that cannot, with the reason.
        repairs: Names of the repairs and coercions made, in order.
        is_cut: Whether a stop string ended the reply.
    """

    content: str
    calls: Sequence[ToolCall] = ()
    invalid_calls: Sequence[InvalidToolCall] = ()
    repairs: Sequence[str] = ()
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """Calls, and their place in the reply."""

    start: int
    end: int
    calls: Sequence[RawCall]


def parse_reply(text: str, tools: Toolset, stop: Sequence[str] = ()) -> ParsedReply:
    """Return the calls and the text of a reply. Never raises; nothing of the reply is lost.

    Args:
        text: The reply.
        tools: The tools that were offered. Without any, the whole reply is text.
        stop: Strings that end the text, except inside a call.
    """
    whole = text
    text, spans = cut_at_stop(text, tools, stop)
    is_cut = text != whole
    if not spans:
        return ParsedReply(text, is_cut=is_cut)
    calls: list[ToolCall] = []
    invalid_calls: list[InvalidToolCall] = []
    repairs: list[str] = []
    for raw in (raw for span in spans for raw in span.calls):
        call = create_call(raw, tools)
        repairs += raw.repairs
        if call["type"] == "invalid_tool_call":
            invalid_calls.append(call)
        else:
            calls.append(call)
    if repairs:
        logger.debug("Read %d tool calls with repairs: %s", len(calls), ", ".join(repairs))
    return ParsedReply(remove_spans(text, spans), calls, invalid_calls, repairs, is_cut)


def find_calls(text: str, tools: Toolset) -> list[Span]:
    """Return the calls in a reply."""
    if not tools:
        return []
    body = text.strip("\ufeff \t\r\n")
    fence = FENCE.fullmatch(body)
    if fence and not fence["before"]:
        body = fence["body"]
    if calls := read_whole(body, tools):
        if fence:
            calls[0].repairs.append("fence")
        return [Span(0, len(text), calls)]
    return find_lists(text, tools)


def read_whole(text: str, tools: Toolset) -> list[RawCall]:
    """Return the calls of a text that holds nothing else; empty if it does."""
    reader = CallReader(text, tools)
    try:
        calls = reader.read_list() if text.lstrip().startswith("[") else reader.read_bare_calls()
    except NoCallError:
        return []
    return calls if reader.is_at_end() else []


def find_lists(text: str, tools: Toolset) -> list[Span]:
    """Return the lists of calls of known tools that are on their own lines in other text."""
    spans: list[Span] = []
    reader = CallReader(text, tools)
    # A list in a fence or in a result is quoted, not a call.
    unquoted = FENCE.sub(_cover, RESULT_BLOCK.sub(_cover, text))
    position = 0
    while line := LIST_LINE.search(unquoted, position):
        reader.position = line.end()
        try:
            calls = reader.read_list(known_only=True)
        except NoCallError:
            position = max(reader.position, line.end() + 1)
            continue
        position = reader.position
        if END_OF_LINE.match(text, position):
            spans.append(Span(line.start(), position, calls))
    return spans


def _cover(match: re.Match[str]) -> str:
    return "." * len(match[0])


def cut_at_stop(text: str, tools: Toolset, stop: Sequence[str]) -> tuple[str, list[Span]]:
    """Return a reply up to the first stop string that is not inside a call, and its calls."""
    spans = find_calls(text, tools)
    for position in islice(find_stops(text, stop, spans), MAX_STOPS):
        kept = find_calls(text[:position], tools)
        if not kept or not kept[-1].calls[-1].problem.startswith(UNFINISHED):
            return text[:position], kept
    return text, spans


def find_stops(text: str, stop: Sequence[str], spans: Sequence[Span]) -> Iterator[int]:
    """Yield where stop strings begin, in order, except inside calls."""
    if not stop:
        return
    string = re.compile("|".join(map(re.escape, stop)))
    for match in string.finditer(text):
        before = bisect(spans, match.start(), key=lambda span: span.start)
        if not before or spans[before - 1].end <= match.start():
            yield match.start()


def remove_spans(text: str, spans: Sequence[Span]) -> str:
    """Return the text around the calls."""
    position, parts = 0, []
    for span in spans:
        parts.append(text[position : span.start])
        position = span.end
    parts.append(text[position:])
    return "\n".join(part for part in map(str.strip, parts) if part)


def create_call(raw: RawCall, tools: Toolset) -> ToolCall | InvalidToolCall:
    """Return a call checked against its tool; one that cannot be run keeps its text."""
    problem, tool = raw.problem, tools.get(raw.name)
    arguments: Any = {}
    if not problem and tool is None:
        arguments = make_plain(raw.arguments)
    elif not problem and tool is not None:
        try:
            coerced = coerce_arguments(raw.arguments, tool)
        except (MissingError, UnreadableError) as error:
            problem = str(error)
        else:
            arguments = coerced.value
            raw.repairs.extend(coerced.coercions)
            if tool.strict:
                problem = coerced.problem
    call_id = create_call_id()
    if problem:
        # LangChain reads arguments as JSON when it merges chunks, and would run an object.
        label = "" if raw.name.lstrip().startswith("{") else raw.name
        text = f"{label}({raw.text})" if raw.text.lstrip().startswith("{") else raw.text
        return invalid_tool_call(name=raw.name, args=text, id=call_id, error=problem)
    return tool_call(name=raw.name, args=arguments, id=call_id)


def create_call_id() -> str:
    """Return a unique id."""
    return f"call_{secrets.token_hex(6)}"
