"""Reads calls in every wrapping that models put around them.

A call is read from where it begins, and what closes its wrapping is looked for behind it: a value
can contain any mark.
"""

import re
from functools import lru_cache

from langchain_segmind._tools.call_parser import UNCLEAR_STRING, UNFINISHED, CallReader
from langchain_segmind._tools.raw_call import NoCallError, RawCall
from langchain_segmind._tools.tools import Toolset

MAX_WRAPPINGS = 4
"""Wrappings around one another."""

MAX_UNFINISHED = 5
"""Calls without an end whose wrapping is closed; nothing is read behind another one."""

BLANK = "\ufeff \t\r\n"
BLANKS = re.compile(rf"[{BLANK}]*+")

FENCE_START = re.compile(r"(?P<mark>`{3,}+|~{3,}+)(?P<language>[^\n`]*+)\n")
FENCE = re.compile(
    rf"^(?P<before>(?:(?!```|~~~)[^\n])*+){FENCE_START.pattern}"
    r"(?P<body>.*?)(?:^[ \t]*+(?P=mark)[`~]*+[ \t\r]*+$|\Z)",
    re.DOTALL | re.MULTILINE,
)
"""Matches a fence whose body contains no such marks."""

COMMENTS = re.compile(r"(?:[ \t]*+(?:#[^\n]*+)?\n)*+")
"""Matches comments on lines of their own."""

END_TOKEN = re.compile(r"(?:<\|(?:eot_id|eom_id|im_end|endoftext)\|>|</s>)\s*+\Z")
"""Tokens of other models that end a reply."""

START_TOKEN = re.compile(r"(?:<\|python_tag\|>|\[TOOL_CALLS\])\s*+")
"""Tokens of Llama and Mistral that begin calls."""

TAG = re.compile(
    r"<(?:(?P<tag>tool_calls?|function_calls?)\b[^<>]*+|function=(?P<tool>[^<>]++))>",
    re.IGNORECASE,
)
"""Hermes' and Qwen's tags around a call, and Llama's around the arguments of one."""

NAME_BEFORE_OBJECT = re.compile(r"\s*+(?P<name>[\w.$/-]++)(?:\[ARGS\])?\s*+(?=\{)")
"""Mistral's call: a name, then the arguments as JSON."""

STRING = (
    r"\"\"\".*?(?:\"\"\"|\Z)|'''.*?(?:'''|\Z)"
    r"|\"(?:\\.|[^\"\\])*+(?:\"|\\?\Z)"
    r"|(?:(?<!\w)|(?<=\b[bBfFrRuU])|(?<=\b[bBfFrR]{2}))'(?:\\.|[^'\\])*+(?:'|\\?\Z)"
)
"""Matches a string; one that is not closed extends to the end of the text."""


@lru_cache
def compile_closer(closer: str) -> re.Pattern[str]:
    """Return a pattern for what closes a wrapping, behind blanks, or the end of the text."""
    return re.compile(rf"\s*+(?:{closer}|\Z)", re.IGNORECASE)


@lru_cache
def compile_strings(closer: str) -> re.Pattern[str]:
    """Return a pattern for strings, and for what closes a wrapping outside them."""
    return re.compile(rf"{STRING}|(?P<closer>{closer})", re.DOTALL | re.IGNORECASE)


class WrappedReader:
    """Reads calls with their wrapping from a text.

    Attributes:
        reader: Reads the calls themselves.
    """

    def __init__(self, text: str, tools: Toolset) -> None:
        self.reader = CallReader(text, tools)
        self._text = text
        self._tools = tools
        self._unfinished = 0

    def read(self, position: int, depth: int = 0) -> tuple[list[RawCall], int]:
        """Return the calls that begin at a position, and where they end; maybe none."""
        text = self._text
        if blanks := BLANKS.match(text, position):
            position = blanks.end()
        if position == len(text) or depth > MAX_WRAPPINGS:
            return [], position
        if fence := FENCE_START.match(text, position):
            closer = rf"{re.escape(fence['mark'])}[`~]*+"
            start = COMMENTS.match(text, fence.end())
            return _mark(
                *self._read_inside(start.end() if start else fence.end(), closer, depth), "fence"
            )
        if token := START_TOKEN.match(text, position):
            calls, end = self.read(token.end(), depth + 1)
            if not calls:
                calls, end = self._read_named_objects(token.end())
            return _mark(calls, end, "token")
        if text[position] == "<":
            return _mark(*self._read_tags(position, depth), "tag")
        reader = self.reader
        reader.position = position
        try:
            calls = reader.read_lists() if text[position] == "[" else reader.read_bare_calls()
        except NoCallError:
            return [], position
        return calls, reader.position

    def _read_inside(self, start: int, closer: str, depth: int) -> tuple[list[RawCall], int]:
        """Return the calls up to what closes their wrapping, or to the end."""
        calls, end = self.read(start, depth + 1)
        if calls and calls[-1].problem.startswith(UNFINISHED):
            closing = self._find_closer(start, closer, calls[-1])
            if closing:
                inner = WrappedReader(self._text[: closing.start()], self._tools)
                return inner.read(start, depth + 1)[0], closing.end()
        closing = compile_closer(closer).match(self._text, end)
        return (calls, closing.end()) if calls and closing else ([], start)

    def _find_closer(self, start: int, closer: str, call: RawCall) -> re.Match[str] | None:
        """Return what closes the wrapping of a call without an end: the first outside strings."""
        self._unfinished += 1
        if self._unfinished > MAX_UNFINISHED or UNCLEAR_STRING in call.problem:
            return None
        found = compile_strings(closer).finditer(self._text, start)
        return next((match for match in found if match["closer"]), None)

    def _read_tags(self, position: int, depth: int) -> tuple[list[RawCall], int]:
        calls: list[RawCall] = []
        end = position
        while tag := TAG.match(self._text, position):
            if tag["tool"]:
                found, position = self._read_function(tag)
            else:
                closer = rf"</{tag['tag']}\s*+>"
                found, position = self._read_inside(tag.end(), closer, depth)
            if not found:
                break
            calls += found
            end = position
            if blanks := BLANKS.match(self._text, position):
                position = blanks.end()
        return calls, end

    def _read_function(self, tag: re.Match[str]) -> tuple[list[RawCall], int]:
        """Return the call that a tag names, with its arguments as an object."""
        text, reader, closer = self._text, self.reader, r"</function\s*+>"
        reader.position = tag.end()
        call = reader.read_object_of(tag["tool"].strip(), tag.start())
        if closing := compile_closer(closer).match(text, reader.position):
            is_cut = bool(call.problem) and not closing[0].strip()
            if not is_cut:
                return [call], closing.end()
        closing = self._find_closer(tag.end(), closer, call)
        end = closing.end() if closing else len(text)
        problem = call.problem or "the arguments are not one JSON object"
        return [RawCall(call.name, text[tag.start() : end], problem=problem)], end

    def _read_named_objects(self, position: int) -> tuple[list[RawCall], int]:
        calls: list[RawCall] = []
        while name := NAME_BEFORE_OBJECT.match(self._text, position):
            self.reader.position = name.end()
            calls.append(self.reader.read_object_of(name["name"], name.start()))
            position = self.reader.position
        return calls, position


def read_whole(text: str, tools: Toolset) -> list[RawCall]:
    """Return the calls of a text that is calls as a whole; empty if it is not."""
    body = END_TOKEN.sub("", text.strip(BLANK)).rstrip(BLANK)
    calls, end = WrappedReader(body, tools).read(0)
    return [] if body[end:].strip(BLANK) else calls


def _mark(calls: list[RawCall], end: int, repair: str) -> tuple[list[RawCall], int]:
    if calls:
        calls[0].repairs.append(repair)
    return calls, end
