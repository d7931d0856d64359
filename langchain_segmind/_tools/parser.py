"""Splits a model's reply into calls and text.

A reply that is calls as a whole, in any known wrapping, is read as calls. Within other text, lists
of calls of known tools count if they are on their own lines; calls that are less clear than that
are reported, so that the model can be asked. Everything else is text and comes back unchanged.
"""

import logging
import re
import secrets
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from langchain_core.messages import InvalidToolCall, ToolCall
from langchain_core.messages.tool import invalid_tool_call, tool_call

from langchain_segmind._tools.call_parser import UNFINISHED, CallReader
from langchain_segmind._tools.coercion import Coerced, coerce_arguments
from langchain_segmind._tools.json_calls import convert_native_call
from langchain_segmind._tools.literal_parser import Expression, iterate_leaves
from langchain_segmind._tools.markup import Piece, find_asked
from langchain_segmind._tools.raw_call import NoCallError, RawCall
from langchain_segmind._tools.strings import UnreadableError
from langchain_segmind._tools.tools import Tool, Toolset
from langchain_segmind._tools.wrappers import FENCE, read_whole

logger = logging.getLogger(__name__)

MAX_STOPS = 5
"""Places of stop strings that are tried; each can turn out to be inside a call."""

MAX_OBJECTS = 5
"""JSON objects in other text that are tried."""

MAX_NAMES_SHOWN = 20

CALL_LANGUAGES = frozenset({"", "python", "py", "json", "text", "plaintext", "tool_code"})
"""Languages of a fence that can contain calls."""

LIST_LINE = re.compile(r"^ {0,3}\[", re.MULTILINE)
"""Matches where a list can begin; a line indented further is code."""

END_OF_LINE = re.compile(r"[ \t\r]*+(?:\n|\Z)")

OBJECT_START = re.compile(r"\{\s*+['\"](?:name|recipient_name|function|type|id|tool_calls)['\"]")
"""Matches where a JSON object can be a call."""

QUOTED = re.compile(r"'(?:\\.|[^'\\])*+'|\"(?:\\.|[^\"\\])*+\"", re.DOTALL)
"""Matches a string in an expression."""

TAG_START = re.compile(r"<(?:tool_call|function_call|function=)[^<>]*+>?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """The content of a reply.

    Attributes:
        text: The reply, up to a stop string.
        content: The text around the calls; the whole reply if there are none.
        calls: The calls that can be run, in order.
        invalid_calls: The calls that cannot, with the reason.
        repairs: Names of the repairs and coercions made, in order.
        is_cut: Whether a stop string ended the reply.
        is_unclear: Whether the text contains calls that may not be meant as such.
    """

    text: str
    content: str
    calls: Sequence[ToolCall] = ()
    invalid_calls: Sequence[InvalidToolCall] = ()
    repairs: Sequence[str] = ()
    is_cut: bool = False
    is_unclear: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """Calls, and their place in the reply."""

    start: int
    end: int
    calls: Sequence[RawCall]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingRules:
    """What counts as a call beside a reply that is calls as a whole.

    Attributes:
        in_text: Whether calls within other text count.
        asks: Whether those after other text are reported as unclear instead.
        is_forced: Whether the reply must be a call: the only fence, list or object is it then.
    """

    in_text: bool = True
    asks: bool = False
    is_forced: bool = False


DEFAULT_RULES = ReadingRules()


def parse_reply(
    text: str, tools: Toolset, stop: Sequence[str] = (), rules: ReadingRules = DEFAULT_RULES
) -> ParsedReply:
    """Return the calls and the text of a reply. Never raises; nothing of the reply is lost.

    Args:
        text: The reply.
        tools: The tools that were offered. Without any, the whole reply is text.
        stop: Strings that end the text, except inside a call.
        rules: What counts as a call.
    """
    reply = cut_at_stop(text, tools, stop, rules)
    is_cut = len(reply.text) < len(text)
    if not reply.spans:
        return ParsedReply(reply.text, reply.text, is_cut=is_cut, is_unclear=reply.is_unclear)
    raw_calls = [raw for span in reply.spans for raw in span.calls]
    content = remove_spans(reply.text, reply.spans)
    return create_calls(raw_calls, tools, reply.text, content, is_cut=is_cut)


def parse_native_calls(entries: Sequence[Any], tools: Toolset, text: str) -> ParsedReply:
    """Return the calls of a reply that came as `tool_calls`, in OpenAI's format."""
    raw_calls = [convert_native_call(entry, tools) for entry in entries]
    return create_calls(raw_calls, tools, text, text)


def create_calls(
    raw_calls: Sequence[RawCall],
    tools: Toolset,
    text: str,
    content: str,
    *,
    is_cut: bool = False,
) -> ParsedReply:
    """Return a reply with its calls checked against their tools."""
    calls: list[ToolCall] = []
    invalid_calls: list[InvalidToolCall] = []
    repairs: list[str] = []
    for raw in raw_calls:
        call = create_call(raw, tools)
        repairs += raw.repairs
        if call["type"] == "invalid_tool_call":
            invalid_calls.append(call)
        else:
            calls.append(call)
    if repairs:
        logger.debug("Read %d tool calls with repairs: %s", len(calls), ", ".join(repairs))
    return ParsedReply(text, content, calls, invalid_calls, repairs, is_cut)


class Reply:
    """A reply's calls, and their places.

    Attributes:
        text: The reply.
        is_unclear: Whether it contains calls that may not be meant as such.
        spans: The calls.
    """

    def __init__(self, text: str, tools: Toolset, rules: ReadingRules) -> None:
        self.text = text
        self.is_unclear = False
        self._tools = tools
        self._rules = rules
        self._lists: dict[int, Span] = {}
        self._reader = CallReader(text, tools)
        self.spans = self._find_calls() if tools else []

    def _find_calls(self) -> list[Span]:
        text, tools = self.text, self._tools
        if calls := read_whole(text, tools):
            return [Span(0, len(text), calls)]
        asked = find_asked(text, self._skip_list)
        pieces = [(start, end) for start, end in asked if text[start:end].strip()]
        if len(pieces) == 1 and pieces[0] != (0, len(text)):
            start, end = pieces[0]
            if calls := read_whole(text[start:end], tools):
                return [Span(start, end, calls)]
        if not self._rules.in_text:
            return []
        # Behind a tag that only closes, the beginning of the reply is hidden.
        return self._choose(pieces, starts_asked=not asked[0][0])

    def _choose(self, pieces: Sequence[Piece], *, starts_asked: bool) -> list[Span]:
        """Return the calls within other text that count."""
        lists = [span for piece in pieces for span in self._find_lists(*piece)]
        if self._rules.is_forced:
            found = lists or self._find_unclear(pieces, anywhere=True)
            return found if lists or len(found) == 1 else []
        is_first = bool(lists) and starts_asked and self._begins_with(lists, pieces)
        if is_first or not self._rules.asks:
            return lists
        self.is_unclear = bool(lists) or bool(self._find_unclear(pieces, anywhere=False))
        return []

    def _begins_with(self, lists: Sequence[Span], pieces: Sequence[Piece]) -> bool:
        """Whether the pieces contain nothing but these lists up to the end of the last one."""
        last = lists[-1].end
        shown = "".join(self.text[start : min(end, last)] for start, end in pieces if start < last)
        listed = "".join(self.text[span.start : span.end] for span in lists)
        return "".join(shown.split()) == "".join(listed.split())

    def _read_list(self, position: int) -> Span | None:
        """Return the list of calls that begins at a position with a known tool."""
        if position not in self._lists:
            reader = self._reader
            reader.position = position
            if not reader.is_at_known_list():
                return None
            try:
                calls = reader.read_list()
            except NoCallError:
                return None
            self._lists[position] = Span(position, reader.position, calls)
        return self._lists.get(position)

    def _skip_list(self, position: int) -> int:
        span = self._read_list(position)
        return span.end if span else 0

    def _find_lists(self, start: int, end: int) -> list[Span]:
        """Return the lists of known tools that are on their own lines in a piece."""
        spans: list[Span] = []
        position = start
        for fence in [*FENCE.finditer(self.text, start, end), None]:
            limit = fence.start() if fence else end
            while position < limit and (line := LIST_LINE.search(self.text, position, limit)):
                position = line.end() - 1
                span = self._read_list(position)
                if span and END_OF_LINE.match(self.text, span.end, end):
                    spans.append(Span(line.start(), span.end, span.calls))
                position = max(span.end if span else 0, line.end())
            position = max(position, fence.end() if fence else end)
        return spans

    def _find_unclear(self, pieces: Sequence[Piece], *, anywhere: bool) -> list[Span]:
        """Return the calls in fences, tags, and lines of other text."""
        found = []
        for start, end in pieces:
            position = start
            fences = [*FENCE.finditer(self.text, start, end)]
            for fence in fences:
                found += self._find_inline(position, fence.start(), anywhere=anywhere)
                position = fence.end()
                if fence["language"].strip().lower() in CALL_LANGUAGES:
                    calls = read_whole(fence["body"], self._tools)
                    found += [Span(fence.start(), fence.end(), calls)] if calls else []
            found += self._find_inline(position, end, anywhere=anywhere)
        return [span for span in found if any(call.name in self._tools for call in span.calls)]

    def _find_inline(self, start: int, end: int, *, anywhere: bool) -> list[Span]:
        """Return the lists, objects and tags in a stretch of text: at its ends, or anywhere."""
        stretch = self.text[start:end]
        found: list[Span] = []
        for match in islice(self._find_starts(stretch), MAX_OBJECTS):
            if found and match < found[-1].end - start:
                continue
            if stretch[match] == "<":
                calls = read_whole(stretch[match:], self._tools)
                span_end = end if calls else 0
            else:
                reader = CallReader(stretch, self._tools)
                reader.position = match
                calls, span_end = [], 0
                try:
                    calls = reader.read_list() if stretch[match] == "[" else reader.read_entry()
                    span_end = start + reader.position
                except NoCallError:
                    continue
            is_at_an_end = not stretch[:match].strip() or not self.text[span_end:end].strip()
            if calls and (anywhere or is_at_an_end):
                found.append(Span(start + match, span_end, calls))
        return found

    def _find_starts(self, text: str) -> Iterator[int]:
        patterns = filter(None, (self._tools.list_start, OBJECT_START, TAG_START))
        starts = {match.start() for pattern in patterns for match in pattern.finditer(text)}
        return iter(sorted(starts))


def cut_at_stop(
    text: str, tools: Toolset, stop: Sequence[str], rules: ReadingRules = DEFAULT_RULES
) -> Reply:
    """Return a reply up to the first stop string that is not inside a call."""
    reply = Reply(text, tools, rules)
    for position in islice(find_stops(text, stop, reply.spans), MAX_STOPS):
        kept = Reply(text[:position], tools, rules)
        if not kept.spans or not kept.spans[-1].calls[-1].problem.startswith(UNFINISHED):
            return kept
    return reply


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
    if tool is None:
        problem = problem or describe_unknown(tools)
    elif not (problem := problem or find_nested_call(raw.arguments, tools)):
        try:
            coerced = coerce_arguments(raw.arguments, tool)
        except (UnreadableError, RecursionError) as error:
            problem = str(error) or "values are nested too deeply"
        else:
            arguments = coerced.value
            raw.repairs.extend(coerced.coercions)
            if tool.strict:
                problem = find_strict_problem(coerced, tool)
    call_id = create_call_id()
    if problem:
        # LangChain reads arguments as JSON when it merges chunks, and would run an object.
        label = "" if raw.name.lstrip().startswith("{") else raw.name
        text = f"{label}({raw.text})" if raw.text.lstrip().startswith("{") else raw.text
        return invalid_tool_call(name=raw.name, args=text, id=call_id, error=problem)
    return tool_call(name=raw.name, args=arguments, id=call_id)


def find_strict_problem(coerced: Coerced, tool: Tool) -> str:
    """Return why coerced arguments do not match a tool's schema; empty if they do."""
    from langchain_segmind._tools.validation import find_problem  # noqa: PLC0415 - few need it

    return find_problem(coerced, tool.schemas)


def find_nested_call(arguments: Mapping[str, Any], tools: Toolset) -> str:
    """Return which argument contains a call of a tool where a value belongs; empty if none does."""
    if (pattern := tools.nested_call) is None:
        return ""
    for name, value in arguments.items():
        for leaf in iterate_leaves(value):
            if isinstance(leaf, Expression) and (call := pattern.search(QUOTED.sub("''", leaf))):
                return (
                    f"{name}: a call stands where a value belongs: call {call[1]} first, its "
                    "result comes back"
                )
    return ""


def describe_unknown(tools: Toolset) -> str:
    """Return why a call of an unknown tool cannot be run."""
    if not (names := [*tools]):
        return "no function was offered"
    shown = ", ".join(names[:MAX_NAMES_SHOWN]) + (", ..." if len(names) > MAX_NAMES_SHOWN else "")
    return f"unknown function; the functions are: {shown}"


def create_call_id() -> str:
    """Return a unique id."""
    return f"call_{secrets.token_hex(6)}"
