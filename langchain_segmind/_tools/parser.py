"""A model's reply -> its calls and its text.

A ladder, strict first: the whole reply is a list of calls; or it is one behind a repair that has a
name (a fence around it, no brackets, JSON); or lists of known tools stand on lines of their own
in other text. Whatever is on no rung is text, and comes back as it was.
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

MOST_STOPS = 5
"""Stop strings that are tried: each may stand inside a call."""

FENCE = re.compile(
    r"^(?P<before>(?:(?!```|~~~)[^\n])*+)(?P<mark>`{3,}+|~{3,}+)[^\n`]*\n"
    r"(?P<body>.*?)(?:^[ \t]*(?P=mark)[`~]*[ \t\r]*$|\Z)",
    re.DOTALL | re.MULTILINE,
)
RESULT_BLOCK = re.compile(rf"<{RESULT}\b.*?(?:</{RESULT}>|\Z)", re.DOTALL | re.IGNORECASE)
LIST_LINE = re.compile(r"^ {0,3}(?=\[\s*[^\s,()\[\]{}][^\n(]*\()", re.MULTILINE)
"""Where a list of calls may begin in other text: an indented line is quoted code."""

END_OF_LINE = re.compile(r"[ \t\r]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """What a reply holds.

    Attributes:
        content: The text beside the calls; the whole reply where there are none.
        calls: The calls that can be run, in order.
        invalid_calls: The calls that cannot, with the reason.
        repairs: The names of what was read leniently or bent, in order.
        is_cut: Whether a stop string ended the reply.
    """

    content: str
    calls: Sequence[ToolCall] = ()
    invalid_calls: Sequence[InvalidToolCall] = ()
    repairs: Sequence[str] = ()
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """Calls, and where in the reply they stand."""

    start: int
    end: int
    calls: Sequence[RawCall]


def parse_reply(text: str, tools: Toolset, stop: Sequence[str] = ()) -> ParsedReply:
    """Read a reply. It never raises, and nothing of the reply is lost.

    Args:
        text: The reply.
        tools: The tools that were offered; without any, nothing is looked for.
        stop: Strings that end the text, wherever they do not stand inside a call.
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
    """Find the calls in a reply."""
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
    """Read a text that is calls as a whole; empty where it is not."""
    reader = CallReader(text, tools)
    try:
        calls = reader.read_list() if text.lstrip().startswith("[") else reader.read_bare_calls()
    except NoCallError:
        return []
    return calls if reader.is_at_end() else []


def find_lists(text: str, tools: Toolset) -> list[Span]:
    """Find the lists of known tools that stand on lines of their own in other text."""
    spans: list[Span] = []
    reader = CallReader(text, tools)
    # What stands in a fence or in a result is shown, not done.
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
    """End a reply before the first stop string that does not stand inside a call."""
    spans = find_calls(text, tools)
    for position in islice(find_stops(text, stop, spans), MOST_STOPS):
        kept = find_calls(text[:position], tools)
        if not kept or not kept[-1].calls[-1].fault.startswith(UNFINISHED):
            return text[:position], kept
    return text, spans


def find_stops(text: str, stop: Sequence[str], spans: Sequence[Span]) -> Iterator[int]:
    """Find where stop strings begin, in order, calls aside."""
    if not stop:
        return
    string = re.compile("|".join(map(re.escape, stop)))
    for match in string.finditer(text):
        before = bisect(spans, match.start(), key=lambda span: span.start)
        if not before or spans[before - 1].end <= match.start():
            yield match.start()


def remove_spans(text: str, spans: Sequence[Span]) -> str:
    """Get the text beside the calls."""
    position, parts = 0, []
    for span in spans:
        parts.append(text[position : span.start])
        position = span.end
    parts.append(text[position:])
    return "\n".join(part for part in map(str.strip, parts) if part)


def create_call(raw: RawCall, tools: Toolset) -> ToolCall | InvalidToolCall:
    """Check a call against its tool; one that cannot be run keeps its text and the reason."""
    fault, tool = raw.fault, tools.get(raw.name)
    arguments: Any = {}
    if not fault and tool is None:
        arguments = make_plain(raw.arguments)
    elif not fault and tool is not None:
        try:
            coerced = coerce_arguments(raw.arguments, tool)
        except (MissingError, UnreadableError) as error:
            fault = str(error)
        else:
            arguments = coerced.value
            raw.repairs.extend(coerced.bends)
            if tool.strict:
                fault = coerced.fault
    call_id = create_call_id()
    if fault:
        # Whoever merges chunks reads arguments as JSON, and would run an object that it finds.
        label = "" if raw.name.lstrip().startswith("{") else raw.name
        text = f"{label}({raw.text})" if raw.text.lstrip().startswith("{") else raw.text
        return invalid_tool_call(name=raw.name, args=text, id=call_id, error=fault)
    return tool_call(name=raw.name, args=arguments, id=call_id)


def create_call_id() -> str:
    """Make an id that no other call has."""
    return f"call_{secrets.token_hex(6)}"
