"""Reads calls from text in every form that models write; schemas are applied later.

A call of a known tool that cannot be read is a call with a problem, never text.
"""

import re
from functools import cached_property
from typing import Any

from langchain_segmind._tools.json_calls import (
    JSON_NAME,
    LIST_OBJECT,
    convert_json_to_calls,
    convert_parallel_call,
    read_object,
)
from langchain_segmind._tools.literal_parser import (
    PLAIN_SCALAR,
    Expression,
    Scanner,
    convert_scalar,
    skip_brackets,
)
from langchain_segmind._tools.raw_call import PARALLEL, NoCallError, RawCall, strip_namespace
from langchain_segmind._tools.strings import UnclosedStringError, UnreadableError
from langchain_segmind._tools.syntax import PLAIN_NAME
from langchain_segmind._tools.tools import Tool, Toolset

UNFINISHED = "the reply ends inside the call"
"""Prefix of `RawCall.problem` if the text ends inside the call."""

UNCLEAR_STRING = str(UnclosedStringError(""))

MAX_UNCLOSED = 8
"""Objects and unknown calls without an end that are read: each takes as long as what follows."""

UNGROUPED = re.compile(r"(?<!\\)\((?!\?)")
QUOTED = r"(?P<quote>['\"])(?:\\.|(?!(?P=quote))[^\\\n])*+(?P=quote)"
QUOTED_CALL = re.compile(rf"{QUOTED}(?=\s*\()")
QUOTED_ARGUMENT = re.compile(rf"{QUOTED}(?=\s*:?=(?!=))")
LIST_START = re.compile(r"\[\s*+[^\s,()\[\]{}]")
PLAIN_CALL = re.compile(rf"(?:{PLAIN_NAME.pattern})(?=\s*\()")
PLAIN_ARGUMENT = re.compile(rf"(?:{PLAIN_NAME.pattern})(?=\s*+(?::=|=(?!=)|:))")
UNFINISHED_NAME = re.compile(rf"({PLAIN_NAME.pattern}|\$|['\"][^\n]*+)\s*\Z")
ARGUMENT = re.compile(rf"\s*+({PLAIN_NAME.pattern})\s*+=\s*+{PLAIN_SCALAR}\s*+(?:,|(?=\)))")
ENTRY = re.compile(
    rf"({PLAIN_NAME.pattern})\(((?:{UNGROUPED.sub('(?:', ARGUMENT.pattern)})*+)\s*+\)"
)
"""These match most arguments and calls in one step."""
OBJECT_START = re.compile(r"\{\s*+['\"]?(?:functions\.)?")
SEPARATOR = re.compile(r"\s*+(:=|=(?!=)|:)\s*+")
BEFORE_CALL = re.compile(r"\s*+(?:await\b|[^\W\d]\w*+\s*+=(?!=))\s*+")
DOUBLE_STAR = re.compile(r"\*\*")
STRAY_CLOSER = re.compile(r"[)}]\s*+(?=[\])},]|\Z)")


class CallReader:
    """Reads calls from a text, one list after the other."""

    def __init__(self, text: str, tools: Toolset, *, depth: int = 0) -> None:
        self._scanner = Scanner(text)
        self._text = text
        self._tools = tools
        self._depth = depth
        self._is_certain = self._is_in_object = False
        self._unclosed = self._unclosed_objects = 0

    @property
    def position(self) -> int:
        """Index of the next character."""
        return self._scanner.position

    @position.setter
    def position(self, position: int) -> None:
        self._scanner.position = position

    def find_end(self, position: int) -> int:
        """Return the index after the bracket at a position; -1 if it is not closed."""
        return self._scanner.find_end(position)

    def is_at_end(self) -> bool:
        """Skip blanks; return whether nothing follows."""
        return not self._scanner.peek()

    def read_lists(self) -> list[RawCall]:
        """Return the calls of the lists that follow, up to the end or other text.

        Raises:
            NoCallError: If this is not a list of calls.
        """
        calls = self.read_list()
        while self._scanner.take(",") or self._scanner.peek() == "[":
            calls += self.read_list()
        return calls

    def is_at_known_list(self) -> bool:
        """Whether a list begins here, with a call of a known tool."""
        start = self.position
        try:
            if not LIST_START.match(self._text, start):
                return False
            self._scanner.take("[")
            self._scanner.peek()
            name = self._read_name()
            if name in self._tools or name == PARALLEL:
                return True
            quote = self._text[self.position : self.position + 1]
            self.position += 1
            return quote in {"'", '"'} and self._read_name() in self._tools
        finally:
            self.position = start

    def read_list(self) -> list[RawCall]:
        """Return the calls of a list in brackets; the text can end inside it.

        The list is certain to be one of calls from its first known tool on: what cannot be read
        after that is a problem of a call.

        Raises:
            NoCallError: If this is not a list of calls.
        """
        scanner = self._scanner
        if not scanner.take("["):
            raise NoCallError
        scanner.reads_comments, self._is_certain = True, False
        calls: list[RawCall] = []
        open_lists = 1
        try:
            while open_lists and scanner.peek():
                if scanner.take("["):
                    open_lists += 1
                elif scanner.take("]"):
                    open_lists -= 1
                elif not (calls and scanner.take(",")):
                    calls += self._read_listed_entry()
        finally:
            scanner.reads_comments = False
        scanner.take_match(STRAY_CLOSER)
        if not calls or (not self._is_certain and any(call.problem for call in calls)):
            raise NoCallError
        return _refuse_quoted_among_others(calls)

    def _read_listed_entry(self) -> list[RawCall]:
        """Return the calls of an entry of a list; text in its place is a problem of the list."""
        start = self.position
        try:
            calls = self.read_entry()
            self._end_entry(calls[-1])
        except NoCallError:
            self.position = start
            return [self._skip_other_entry()]
        return calls

    def _skip_other_entry(self) -> RawCall:
        scanner, start = self._scanner, self.position
        if self._unclosed >= MAX_UNCLOSED and not self._is_certain:
            raise NoCallError
        scanner.take_match(BEFORE_CALL)
        try:
            scanner.read_expression()
        except UnreadableError:
            self._unclosed += 1
            raise NoCallError from None
        text = self._text[start : self.position].rstrip()
        known = self._tools.tool_name
        self._is_certain = self._is_certain or bool(known and known.search(text))
        scanner.take(",")
        return RawCall("", text, problem="this is not a call: write calls alone")

    def _end_entry(self, call: RawCall) -> None:
        """Skip the comma after an entry; other text makes its last call invalid."""
        scanner, known = self._scanner, self._tools.tool_name
        while scanner.peek() and scanner.take_match(STRAY_CLOSER):
            call.repairs.append("stray_bracket")
        if scanner.take(",") or scanner.peek() in {"]", ""}:
            return
        if not self._is_certain:
            raise NoCallError
        start = self.position
        if known and known.match(self._text, start):
            call.repairs.append("no_comma")
            return
        try:
            scanner.read_expression()
        except UnreadableError:
            self.position = len(self._text)
        call.text += self._text[start : self.position]
        call.problem = call.problem or "other text follows the call"

    def read_bare_calls(self) -> list[RawCall]:
        """Return the calls that follow without brackets, up to the end or other text.

        Raises:
            NoCallError: If this is not a call, or one of an unknown tool in Python's syntax.
        """
        calls: list[RawCall] = []
        self._is_certain = False
        while not self.is_at_end():
            start = self.position
            try:
                calls += self._read_bare_entry()
            except NoCallError:
                if not calls:
                    raise
                self.position = start
                break
            self._scanner.take(",")
        if not calls:
            raise NoCallError
        calls[0].repairs.append("no_brackets")
        return _refuse_quoted_among_others(calls)

    def _read_bare_entry(self) -> list[RawCall]:
        character = self._scanner.peek()
        if character in {"'", '"'} and not QUOTED_CALL.match(self._text, self.position):
            raise NoCallError
        calls = self.read_entry()
        if character != "{" and calls[-1].name not in self._tools:
            raise NoCallError
        return calls

    def read_entry(self) -> list[RawCall]:
        """Return the calls of the next entry: one, or several if it is JSON or quoted."""
        scanner = self._scanner
        scanner.repairs = []
        character, start = scanner.peek(), self.position
        if plain := self._read_plain_call():
            return [plain]
        if character == "{":
            return self._read_json_calls()
        if name := self._read_name():
            return self._read_call(name, start)
        if character in {"'", '"'} and (quoted := self._read_quoted_calls()):
            return quoted
        if not self._is_certain:
            raise NoCallError
        if unfinished := UNFINISHED_NAME.match(self._text, start):
            self.position = len(self._text)
            name = unfinished[1]
            return [RawCall(name, name, problem=UNFINISHED, is_open=True)]
        return [self._skip_rest("", start, "what follows is not a call")]

    def _read_plain_call(self) -> RawCall | None:
        """Read a call of a known tool with nothing but plain arguments, in one step."""
        entry = ENTRY.match(self._text, self.position)
        if entry is None or (tool := self._tools.get(entry[1])) is None:
            return None
        arguments = {
            name: convert_scalar(*scalar) for name, *scalar in ARGUMENT.findall(entry[2] + ")")
        }
        if not arguments.keys() <= tool.properties.keys() or len(arguments) != entry[2].count("="):
            return None
        self.position = entry.end()
        self._is_certain = True
        return RawCall(tool.name, entry[0], arguments, repairs=self._scanner.repairs)

    def _read_name(self) -> str:
        start = self.position
        name = self._read_written_name(QUOTED_CALL, PLAIN_CALL) or ""
        known = strip_namespace(name, self._tools)
        if known in self._tools or known == PARALLEL:
            return known
        return self._read_unquoted_name(self._tools.tool_name, start) or name

    def _read_written_name(self, quoted: re.Pattern[str], plain: re.Pattern[str]) -> str | None:
        """Read a name as `render_name` writes it."""
        if text := self._scanner.take_match(quoted):
            return str(Scanner(text).read_value())
        return self._scanner.take_match(plain) or None

    def _read_unquoted_name(self, known_names: re.Pattern[str] | None, start: int) -> str:
        """Read a known name that lacks its quotes, such as `Box[int]`; empty if there is none."""
        name = known_names.match(self._text, start) if known_names else None
        if name is None:
            return ""
        self.position = name.end()
        return name[0]

    def _read_quoted_calls(self) -> list[RawCall]:
        """Return the calls of a quoted entry, `'add(a=1)'`; none if it is not one."""
        scanner, start = self._scanner, self.position
        if self._depth:
            return []
        repairs = ["quoted_call"]
        try:
            calls = self._read_content(str(scanner.read_value()))
            is_clear = not calls[-1].problem.startswith(UNFINISHED)
        except NoCallError:
            self.position = start
            return []
        except UnreadableError:
            # The quotes around the call may not be escaped within it.
            self.position = start + 1
            name = self._read_name()
            if name not in self._tools:
                self.position = start
                return []
            calls = self._read_call(name, start + 1)
            is_clear = scanner.take(self._text[start]) or self.is_at_end()
            repairs.append("unescaped_quotes")
        self._is_certain = True
        if not is_clear:
            return [self._skip_rest(calls[0].name, start, UNCLEAR_STRING)]
        for call in calls:
            call.repairs += repairs
        return calls

    def _read_content(self, text: str) -> list[RawCall]:
        """Return the calls of a string that contains nothing else."""
        reader = CallReader(text, self._tools, depth=self._depth + 1)
        calls = reader.read_bare_calls()
        if not reader.is_at_end():
            raise NoCallError
        return calls

    def _read_call(self, name: str, start: int) -> list[RawCall]:
        scanner = self._scanner
        tool, is_known = self._tools.get(name), name in self._tools or name == PARALLEL
        scanner.peek()
        bracket = scanner.position
        self._is_certain = self._is_certain or is_known
        if self._unclosed >= MAX_UNCLOSED and not self._is_certain:
            raise NoCallError
        try:
            arguments = self._read_arguments(tool)
        except UnreadableError as error:
            if not self._is_certain:
                self._unclosed += self.find_end(bracket) < 0
                raise NoCallError from error
            return [self._skip_unreadable(name, start, bracket, error)]
        text = self._text[start : scanner.position]
        if tool is None and name == PARALLEL:
            return convert_parallel_call(arguments, text, self._tools)
        return [RawCall(name, text, arguments, repairs=scanner.repairs)]

    def _skip_unreadable(
        self, name: str, start: int, bracket: int, error: UnreadableError
    ) -> RawCall:
        """Skip an unreadable call: up to its closing bracket, or to the end of the text."""
        end, is_clear = skip_brackets(self._text, bracket)
        if end < 0:
            return self._skip_rest(name, start, f"{UNFINISHED} ({error})")
        if not is_clear and self._last_quote >= end:
            # What follows may be a part of the string.
            return self._skip_rest(name, start, f"{error}; nothing after it was read")
        self.position = end
        return RawCall(name, self._text[start:end].rstrip(), problem=str(error))

    def _skip_rest(self, name: str, start: int, problem: str) -> RawCall:
        self.position = len(self._text)
        return RawCall(name, self._text[start:].rstrip(), problem=problem, is_open=True)

    @cached_property
    def _last_quote(self) -> int:
        return max(map(self._text.rfind, "'\""))

    def _read_arguments(self, tool: Tool | None) -> dict[str, Any]:
        scanner = self._scanner
        scanner.take("(")
        arguments: dict[str, Any] = {}
        while scanner.peek() != ")":
            new_arguments = self._read_argument(tool, len(arguments))
            if not arguments.keys().isdisjoint(new_arguments):
                twice = min(new_arguments.keys() & arguments.keys())
                raise UnreadableError(f"the argument {twice!r} is given twice")
            arguments |= new_arguments
            if not scanner.take(",") and scanner.peek() != ")":
                found = repr(scanner.peek()) if scanner.peek() else "the end"
                raise UnreadableError(f"expected ',' or ')' after an argument, not {found}")
        scanner.take(")")
        return arguments

    def _read_argument(self, tool: Tool | None, position: int) -> dict[str, Any]:
        """Return the next argument by name, or all arguments of a dict.

        Args:
            tool: The called tool, if it is known.
            position: How many arguments come before this one.
        """
        scanner = self._scanner
        if scanner.take_match(DOUBLE_STAR):
            return self._read_mapping()
        if (name := self._read_argument_name(tool)) is not None:
            return {name: scanner.read_value()}
        value = self._scanner.read_value()
        names = list(tool.properties) if tool else []
        # Where there are arguments to name, `{}` is the value of one.
        if isinstance(value, dict) and {*value} <= {*names} and (value or not names):
            scanner.repairs.append("object_of_arguments")
            return value
        if isinstance(value, dict) and tool is None:
            return value
        # As in Python, only positional arguments can come before a positional one.
        is_next = scanner.repairs.count("positional_argument") == position < len(names)
        if is_next and not isinstance(value, Expression):
            scanner.repairs.append("positional_argument")
            return {names[position]: value}
        raise UnreadableError("an argument has no name")

    def _read_argument_name(self, tool: Tool | None) -> str | None:
        """Read a name and the sign that follows it; None if there is none."""
        scanner, start = self._scanner, self.position
        scanner.peek()
        name = self._read_written_name(QUOTED_ARGUMENT, PLAIN_ARGUMENT)
        if tool is not None and name not in tool.properties:
            self.position, written = start, self.position
            scanner.peek()
            unquoted = self._read_unquoted_name(tool.argument_name, self.position)
            if not unquoted:
                self.position = written
            name = unquoted or name
        if name is None:
            self.position = start
            return None
        sign = SEPARATOR.match(self._text, self.position)
        if sign is None:
            raise UnreadableError(f"expected '=' after {name!r}")
        if sign[1] != "=" and not (tool and name in tool.properties):
            self.position = start
            return None
        if sign[1] != "=":
            scanner.repairs.append("colon")
        self.position = sign.end()
        return name

    def _read_mapping(self) -> dict[str, Any]:
        value = self._scanner.read_value()
        if not isinstance(value, dict):
            raise UnreadableError("expected a dict after **")
        return value

    def _read_json_calls(self) -> list[RawCall]:
        """Return the calls of a JSON object: one, or a list of them."""
        scanner, start = self._scanner, self._scanner.position
        if self._unclosed_objects >= MAX_UNCLOSED and not self._is_certain:
            raise NoCallError
        try:
            value = read_object(scanner)
        except UnreadableError as error:
            if calls := self._read_list_object(start):
                return calls
            name = self._find_json_name(start)
            if not name and not self._is_certain:
                raise NoCallError from error
            self._is_certain = True
            return [self._skip_unreadable(name, start, start, error)]
        text = self._text[start : scanner.position]
        try:
            calls = convert_json_to_calls(value, text, self._tools)
        except NoCallError:
            if not self._is_certain:
                raise
            return [RawCall("", text, problem="this object is not a call")]
        self._is_certain = self._is_certain or any(call.name in self._tools for call in calls)
        calls[0].repairs += [*scanner.repairs, "json"]
        return calls

    def _read_list_object(self, start: int) -> list[RawCall]:
        """Return the calls of `{"tool_calls": [...]}`, each read alone; none if it is not this."""
        opening = LIST_OBJECT.match(self._text, start)
        if opening is None or self._is_in_object:
            return []
        self.position, was_certain = opening.end(), self._is_certain
        self._is_in_object = True
        try:
            calls = self.read_list()
        except NoCallError:
            self._is_certain = was_certain
            return []
        finally:
            self._is_in_object = False
        self._scanner.take("}")
        self._is_certain = True
        return calls

    def read_object_of(self, name: str, start: int) -> RawCall:
        """Return the call of a name that is followed by its arguments as an object.

        Args:
            name: The name.
            start: Where the call begins.
        """
        scanner, name = self._scanner, strip_namespace(name, self._tools)
        if scanner.peek() != "{":
            return self._skip_rest(name, start, "the arguments are not a JSON object")
        bracket = scanner.position
        try:
            arguments = read_object(scanner)
        except UnreadableError as error:
            return self._skip_unreadable(name, start, bracket, error)
        return RawCall(name, self._text[start : scanner.position], arguments)

    def _find_json_name(self, start: int) -> str:
        """Return the known tool that an unreadable object names; empty if there is none."""
        known, inner = self._tools.tool_name, OBJECT_START.match(self._text, start)
        if known and inner and (call := known.match(self._text, inner.end())):
            return call[1]
        end = self.find_end(start)
        self._unclosed_objects += end < 0
        named = JSON_NAME.finditer(self._text, start, len(self._text) if end < 0 else end)
        names = (strip_namespace(match[2], self._tools) for match in named)
        return next((name for name in names if name in self._tools), "")


def _refuse_quoted_among_others(calls: list[RawCall]) -> list[RawCall]:
    """Make quoted calls invalid if there are others: they may be mere text."""
    quoted = [call for call in calls if "quoted_call" in call.repairs]
    if len(quoted) < len(calls):
        for call in quoted:
            call.problem = call.problem or "this call is a text: write it without quotes"
    return calls
