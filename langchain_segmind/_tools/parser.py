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

from langchain_segmind._tools.call_parser import UNFINISHED
from langchain_segmind._tools.coercion import Coerced, coerce_arguments
from langchain_segmind._tools.finder import CallFinder, Span
from langchain_segmind._tools.json_calls import convert_native_call
from langchain_segmind._tools.literal_parser import (
    MAX_DEPTH,
    Expression,
    is_deeper,
    iterate_leaves,
)
from langchain_segmind._tools.markup import REASONING_TAG, Piece
from langchain_segmind._tools.raw_call import RawCall
from langchain_segmind._tools.strings import UnreadableError
from langchain_segmind._tools.tools import Tool, Toolset
from langchain_segmind._tools.wrappers import read_whole

logger = logging.getLogger(__name__)

MAX_STOPS = 5
"""Places of stop strings that are tried; each can turn out to be inside a call."""

MAX_ENDS = 4
"""Tags that may end the reasoning which are tried: a later one can be in a value."""

MAX_NAMES_SHOWN = 20

TOO_DEEP = f"values are nested more than {MAX_DEPTH} levels deep"

LIST_LINE = re.compile(r"^ {0,3}\[", re.MULTILINE)

CLEAN = frozenset(
    [
        *["fence", "json", "json_constant", "line_feed_in_string", "no_brackets", "quoted_call"],
        *["tag", "token", "tuple"],
    ]
)
"""Repairs that leave no doubt where a call begins and ends."""

QUOTE = re.compile(
    r"\\.|(?<!\w)[rRbBfFuU]{0,2}(?P<start>'''|\"\"\"|['\"])|(?P<end>'''|\"\"\"|['\"])", re.DOTALL
)
"""Matches a quote that can begin a string, and one that can only end it."""

BRACKET = re.compile(r"[\[\](){}]")

QUOTED = re.compile(r"'(?:\\.|[^'\\])*+'|\"(?:\\.|[^\"\\])*+\"", re.DOTALL)
"""Matches a string in an expression."""


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
    raw_calls = [raw for entry in entries for raw in convert_native_call(entry, tools)]
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

    Args:
        text: The reply.
        tools: The tools that were offered.
        rules: What counts as a call.
        is_cut: Whether the text ends early, maybe within a string.

    Attributes:
        text: The reply.
        is_unclear: Whether it contains calls that may not be meant as such.
        spans: The calls.
        uncut: The calls within which a stop string ends nothing: also unclear ones.
    """

    def __init__(
        self, text: str, tools: Toolset, rules: ReadingRules, *, is_cut: bool = False
    ) -> None:
        self.text = text
        self._is_cut = is_cut
        self.is_unclear = False
        self._found: Sequence[Span] = []
        self.spans = self._find_calls(tools, rules) if tools else []
        self.uncut = self._found if self.is_unclear else self.spans

    def _find_calls(self, tools: Toolset, rules: ReadingRules) -> Sequence[Span]:
        text = self.text
        calls = read_whole(text, tools)
        if calls and not calls[-1].is_open:
            return [Span(0, len(text), calls)]
        clean = [] if self._is_cut else find_clean_end(text, tools)
        if calls:
            return clean or [Span(0, len(text), calls)]
        finder = CallFinder(text, tools)
        self._found = finder.spans
        if finder.is_hidden:
            self.is_unclear = rules.asks and rules.in_text and bool(finder.spans) and not clean
            return clean
        asked = [(start, end) for start, end in finder.pieces if text[start:end].strip()]
        if len(asked) == 1 and asked[0] != (0, len(text)):
            start, end = asked[0]
            if calls := read_whole(text[start:end], tools):
                return [Span(start, end, calls)]
        return self._choose(finder, rules) if rules.in_text else []

    def _choose(self, finder: CallFinder, rules: ReadingRules) -> Sequence[Span]:
        """Return the calls within other text that count."""
        spans = finder.spans
        if rules.is_forced or not rules.asks:
            spans = find_unquoted(self.text, spans)
        lists = [span for span in spans if span.kind == "list" and span.is_alone]
        if rules.is_forced:
            shown = [span for span in spans if span.kind != "bare" or span.is_alone]
            return shown if len(shown) == 1 or shown == lists else []
        is_first = self._begins_with(lists, finder.pieces)
        others = [span for span in spans if not is_first or span not in lists]
        self.is_unclear = rules.asks and any(map(self._is_unclear, others))
        return lists if not rules.asks or (is_first and not self.is_unclear) else []

    def _is_unclear(self, span: Span) -> bool:
        """Whether calls within other text may be meant as such."""
        if span.kind == "bare" and span.calls[-1].problem and not span.is_alone:
            return bool(LIST_LINE.search(self.text, span.start))  # it can contain calls
        if span.kind == "bare":
            return span.is_alone
        return span.is_outer or span.kind == "wrapped" or (span.kind == "list" and span.is_alone)

    def _begins_with(self, lists: Sequence[Span], pieces: Sequence[Piece]) -> bool:
        """Whether the pieces contain nothing but these lists up to the end of the last one."""
        last = lists[-1].end if lists else 0
        shown = "".join(self.text[start : min(end, last)] for start, end in pieces if start < last)
        listed = "".join(self.text[span.start : span.end] for span in lists)
        return bool(lists) and "".join(shown.split()) == "".join(listed.split())


def find_clean_end(text: str, tools: Toolset) -> list[Span]:
    """Return the calls behind a tag that ends reasoning, if nothing else and nothing odd follows.

    They cannot be within a string then: its closing quote would remain.
    """
    ends = [tag.end() for tag in REASONING_TAG.finditer(text) if tag["close"]]
    for start in dict.fromkeys([*ends[-1:], *ends[:MAX_ENDS]]):
        calls = read_whole(text[start:], tools)
        is_clean = all(not call.problem and CLEAN.issuperset(call.repairs) for call in calls)
        if calls and is_clean and "#" not in QUOTED.sub("", text[start:]):
            return [Span(start, len(text), calls)]
    return []


def find_unquoted(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return the calls that no string seems to contain, unlike that of `print("[stop()]")`.

    A string with brackets in it may be what is between two strings: no later call is returned.
    """
    unquoted: list[Span] = []
    position, quote, begin = 0, "", 0
    for span in spans:
        for found in QUOTE.finditer(text, position, span.start):
            mark = found["start"] or found["end"]
            if quote and mark == quote:
                quote = ""
                if BRACKET.search(text, begin, found.start()):
                    return unquoted
            elif not quote and (found["start"] or mark == '"'):
                quote, begin = mark or "", found.end()
        position = span.start if quote else span.end
        unquoted += [] if quote else [span]
    return unquoted


def cut_at_stop(
    text: str, tools: Toolset, stop: Sequence[str], rules: ReadingRules = DEFAULT_RULES
) -> Reply:
    """Return a reply up to the first stop string that is not inside a call."""
    reply = Reply(text, tools, rules)
    for position in islice(find_stops(text, stop, reply.uncut), MAX_STOPS):
        kept = Reply(text[:position], tools, rules, is_cut=True)
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
    elif is_deeper(raw.arguments, MAX_DEPTH):
        problem = TOO_DEEP
    elif not (problem := problem or find_nested_call(raw.arguments, tools)):
        try:
            coerced = coerce_arguments(raw.arguments, tool)
        except UnreadableError as error:
            problem = str(error)
        except RecursionError:
            problem = TOO_DEEP
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
    return f"no such function was offered; offered are: {shown}"


def create_call_id() -> str:
    """Return a unique id."""
    return f"call_{secrets.token_hex(6)}"
