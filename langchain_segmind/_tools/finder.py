"""Finds the calls in a reply that is not calls as a whole.

The reply is read once, from its beginning. A value is read from where it begins, so that nothing
in it is taken for a call, for markup or for the end of a fence.
"""

import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from langchain_segmind._tools.call_parser import BEFORE_CALL, UNCLEAR_STRING
from langchain_segmind._tools.markup import REASONING_TAG, Piece, compile_events, find_asked
from langchain_segmind._tools.raw_call import PARALLEL, NoCallError, RawCall
from langchain_segmind._tools.tools import Toolset, compile_names
from langchain_segmind._tools.wrappers import (
    FENCE_START,
    START_TOKEN,
    TAG,
    WrappedReader,
)

MAX_UNCLOSED = 8
"""Brackets without an end; nothing behind another one is read."""

MAX_INDENT = 3
"""Blanks before a list on its own lines; what is indented further is code."""

CALL_LANGUAGES = frozenset({"", "python", "py", "json", "text", "plaintext", "tool_code"})
"""Languages of a fence that can contain calls."""

BEFORE_LIST = re.compile(rf"(?:^|\n) {{0,{MAX_INDENT}}}\Z")
BEFORE_BARE_CALL = re.compile(rf"(?:^|\n)(?:{BEFORE_CALL.pattern}){{0,2}}\s*+\Z")
"""These match the beginning of the line of a call that is alone there."""

MAX_CHARACTERS_BEFORE = 80

END_OF_LINE = re.compile(r"[ \t\r]*+(?:\n|\Z)")


Kind = Literal["list", "object", "wrapped", "bare"]


@dataclass(frozen=True, slots=True)
class Span:
    """Calls, and their place in the reply.

    Attributes:
        start: Where they begin.
        end: Where they end.
        calls: The calls.
        kind: Whether they are a list of calls, an object or a list of objects, in a fence, a tag
            or behind a token, or without brackets.
        is_alone: Whether nothing else is on their lines.
        is_outer: Whether there is nothing before them in their piece, or nothing behind them.
    """

    start: int
    end: int
    calls: Sequence[RawCall]
    kind: Kind = "list"
    is_alone: bool = True
    is_outer: bool = True


@lru_cache
def compile_starts(tools: Toolset) -> re.Pattern[str]:
    """Return a pattern for markup, and for where calls, objects and fences begin."""
    names = compile_names([*tools, PARALLEL], r"(?:functions\.)?", r"['\"]?\s*+\(")
    name = f"(?:{names.pattern})" if names else r"(?!)"
    return compile_events(
        rf"(?P<value>{START_TOKEN.pattern}|{TAG.pattern}|`{{3,}}+|~{{3,}}+|(?<![\w.$]){name}"
        rf"|\[(?=\s*+(?:['\"{{]|{name}))|\{{(?=\s*+(?:['\"]|{name})))"
    )


class CallFinder:
    """Finds the calls in a reply.

    Attributes:
        pieces: The parts of the reply that are not reasoning, an example, a comment or a result.
        spans: The calls of known tools in them, in order.
        is_hidden: Whether a tag that only closes hides the beginning, or may be meant to: it can
            also be a part of a value.
    """

    def __init__(self, text: str, tools: Toolset) -> None:
        self._text = text
        self._tools = tools
        self._reader = WrappedReader(text, tools)
        self._found: list[Span] = []
        self._fence, self._fence_start, self._marked_line_end = "", 0, 0
        self._unclosed = 0
        tags = [*REASONING_TAG.finditer(text)]
        self._reasoning_starts = [tag.start() for tag in tags if not tag["close"]]
        self._reasoning_ends = [tag.start() for tag in tags if tag["close"]]
        self.pieces = find_asked(text, self._skip, compile_starts(tools))
        self._contents = [self._strip(*piece) for piece in self.pieces]
        # All before a tag that only closes was reasoning.
        asked = [span for span in self._found if span.start >= self.pieces[0][0]]
        self.spans = [self._place(span) for span in asked]
        self.is_hidden = self.pieces[0][0] > 0 or any(map(self._is_asked, self._reasoning_ends))

    def _strip(self, start: int, end: int) -> Piece:
        """Return where a piece without the blanks around it begins and ends."""
        piece = self._text[start:end]
        return end - len(piece.lstrip()), start + len(piece.rstrip())

    def _place(self, span: Span) -> Span:
        """Return calls with what is known about their place."""
        text = self._text
        index = bisect(self.pieces, span.start, key=lambda piece: piece[0]) - 1
        (first, last), end = self._contents[index], self.pieces[index][1]
        before = text[max(0, span.start - MAX_CHARACTERS_BEFORE) : span.start]
        begins_line = (BEFORE_BARE_CALL if span.kind == "bare" else BEFORE_LIST).search(before)
        return replace(
            span,
            is_alone=bool(begins_line and END_OF_LINE.match(text, span.end, end)),
            is_outer=span.start <= first or span.end >= last,
        )

    def _is_asked(self, position: int) -> bool:
        """Whether a position is in a piece, and not within calls that end."""
        index = bisect(self.pieces, position, key=lambda piece: piece[0]) - 1
        before = bisect(self.spans, position, key=lambda span: span.start)
        span = self.spans[before - 1] if before else None
        is_within = span and position < span.end and not span.calls[-1].is_open
        return index >= 0 and position < self.pieces[index][1] and not is_within

    def _skip(self, start: int) -> int:
        """Read what begins at a position; return where it ends, or 0 for nothing."""
        text = self._text
        if text[start] in "`~":
            return self._skip_fence(start)
        span = self._read(start)
        if span is None:
            return self._skip_brackets(start) if text[start] in "[{" else 0
        is_code, problem = self._is_in_code(start), span.calls[-1].problem
        is_unfinished = span.calls[-1].is_open
        is_prose = span.kind == "bare" and UNCLEAR_STRING not in problem
        if not is_code and not (is_unfinished and is_prose):
            self._add(span)
        elif is_unfinished:
            return self._skip_unclosed(start)
        return self._find_unfinished_end(start) if is_unfinished else span.end

    def _read(self, start: int) -> Span | None:
        """Return the calls that begin at a position; None if there are none."""
        text, reader = self._text, self._reader.reader
        if text[start] == "<" or START_TOKEN.match(text, start):
            calls, end = self._reader.read(start)
            return Span(start, end, calls, "wrapped") if calls else None
        reader.position = start
        is_list = text[start] == "[" and reader.is_at_known_list()
        try:
            calls = reader.read_list() if text[start] == "[" else reader.read_entry()
        except NoCallError:
            return None
        kind: Kind = "list" if is_list else "object" if text[start] in "[{" else "bare"
        return Span(start, reader.position, calls, kind)

    def _add(self, span: Span) -> None:
        if any(call.name in self._tools or call.name == PARALLEL for call in span.calls):
            self._found.append(span)

    def _skip_brackets(self, start: int) -> int:
        """Return where brackets end that contain no calls; 0 if that is unclear."""
        end = self._reader.reader.find_end(start)
        return end if end > 0 else self._skip_unclosed(start)

    def _skip_unclosed(self, start: int) -> int:
        self._unclosed += 1
        return 0 if self._unclosed < MAX_UNCLOSED else self._find_unfinished_end(start)

    def _find_unfinished_end(self, start: int) -> int:
        """Return where something without an end ends: with the reasoning around it, or the text."""
        ends, starts = self._reasoning_ends, self._reasoning_starts
        is_reasoning = ends and ends[-1] > start and bisect(starts, start) == len(starts)
        return ends[-1] if is_reasoning else len(self._text)

    def _is_in_code(self, start: int) -> bool:
        """Whether a fence is open that is not calls as a whole."""
        ends = self._reasoning_ends
        before = bisect(ends, start)
        if before and ends[before - 1] > self._fence_start:
            self._fence = ""
        return bool(self._fence)

    def _skip_fence(self, start: int) -> int:
        """Read a fence of calls, or the line that begins or ends another fence."""
        text = self._text
        if start < self._marked_line_end:
            return 0
        line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", start)
        self._marked_line_end = line_end = len(text) if line_end < 0 else line_end
        if self._is_in_code(start):
            line = text[line_start:line_end].strip(" \t\r")
            if line.startswith(self._fence) and not line.strip("`~"):
                self._fence = ""
            return line_end
        fence = FENCE_START.match(text, start)
        if fence is None:
            return 0
        calls, end = self._reader.read(start)
        if calls and fence["language"].strip().lower() in CALL_LANGUAGES:
            self._add(Span(start, end, calls, "wrapped"))
            return end
        self._fence, self._fence_start = fence["mark"], start
        return line_end
