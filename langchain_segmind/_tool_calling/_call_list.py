"""Text -> the calls in it, in whichever form a model writes them; no schema is looked at yet."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_segmind._tool_calling._dialect import PLAIN_NAME
from langchain_segmind._tool_calling._literals import Scanner, UnreadableError
from langchain_segmind._tool_calling._tools import Tool, Toolset

MOST_RECOVERIES = 20
"""Unreadable calls after which the rest of a text is taken for one more."""

NAMESPACE = re.compile(r"functions\.")
"""What this model was trained to write before a function's name."""

PLAIN_CALL = re.compile(rf"(?:{PLAIN_NAME.pattern})(?=\s*\()")
PLAIN_ARGUMENT = re.compile(rf"(?:{PLAIN_NAME.pattern})(?=\s*=(?!=))")
QUOTED_CALL = re.compile(r"(?P<quote>['\"])(?:\\.|(?!(?P=quote))[^\\\n])*(?P=quote)(?=\s*\()")
QUOTED_ARGUMENT = re.compile(
    r"(?P<quote>['\"])(?:\\.|(?!(?P=quote))[^\\\n])*(?P=quote)(?=\s*=(?!=))"
)
UNFINISHED_NAME = re.compile(rf"({PLAIN_NAME.pattern}|['\"][^()\n]*)\s*\Z")
EQUALS = re.compile(r"\s*=\s*")
STARS = re.compile(r"\*\*")

CALLEES = ("name", "function", "tool", "recipient_name")
"""Under which keys of a JSON object the name of a tool stands."""

PAYLOADS = ("arguments", "parameters", "args", "input")
"""Under which keys of a JSON object the arguments stand."""

WRAPPERS = ("tool_calls", "tool_uses")
"""Under which key of a JSON object a list of calls stands."""


class NoCallError(ValueError):
    """What stands there is no call, and so part of the text."""


@dataclass(slots=True)
class RawCall:
    """A call as it was written.

    Attributes:
        name: The tool's name.
        text: The call's own text.
        arguments: Values by name; what they mean is for the tool's schema to say.
        fault: Why the call cannot be run, or an empty text.
        repairs: The names of what had to be read leniently, in order.
    """

    name: str
    text: str
    arguments: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    repairs: list[str] = field(default_factory=list)


class CallReader:
    """Reads calls from a text, one list after the other.

    Attributes:
        position: Where it stands.
        is_unfinished: Whether the text ended inside a list.
    """

    def __init__(self, text: str, tools: Toolset) -> None:
        self.is_unfinished = False
        self._scanner = Scanner(text)
        self._text = text
        self._tools = tools
        self._recoveries = 0

    @property
    def position(self) -> int:
        """Where it stands."""
        return self._scanner.position

    @position.setter
    def position(self, position: int) -> None:
        self._scanner.position = position

    def is_at_end(self) -> bool:
        """Pass over blanks and tell whether nothing follows."""
        return not self._scanner.peek()

    def read_list(self, *, known_only: bool = False) -> list[RawCall]:
        """Read a list in brackets; the text may end inside it.

        Args:
            known_only: Whether only known tools count, in the syntax of calls.

        Raises:
            NoCallError: If it is no list of calls.
        """
        scanner = self._scanner
        if not scanner.take("["):
            raise NoCallError
        calls: list[RawCall] = []
        while not scanner.take("]"):
            if self.is_at_end():
                self.is_unfinished = True
                break
            calls += self._read_entry(known_only=known_only, follows=bool(calls))
            if not scanner.take(",") and scanner.peek() not in {"]", ""}:
                raise NoCallError
        if not calls:
            raise NoCallError
        return calls

    def read_bare_calls(self) -> list[RawCall]:
        """Read calls of known tools that stand without brackets, up to the end of the text.

        Raises:
            NoCallError: If there is anything else.
        """
        calls: list[RawCall] = []
        while not self.is_at_end():
            is_json = self._scanner.peek() == "{"
            calls += self._read_entry(known_only=not is_json)
            if not self._scanner.take(","):
                self._scanner.take(";")
        if not calls:
            raise NoCallError
        calls[0].repairs.append("no_brackets")
        return calls

    def _read_entry(self, *, known_only: bool, follows: bool = False) -> list[RawCall]:
        if self._scanner.peek() == "{" and not known_only:
            return self._read_json_calls()
        start = self.position
        if name := self._read_name(known_only=known_only):
            return [self._read_call(name, start)]
        rest = UNFINISHED_NAME.match(self._text, start) if follows else None
        if rest is None:
            raise NoCallError
        self.position = len(self._text)
        self.is_unfinished = True
        return [RawCall(rest[1], rest[1], fault="the reply ends inside the call")]

    def _read_name(self, *, known_only: bool) -> str:
        scanner = self._scanner
        known = self._tools.tool_name
        if known and (name := scanner.take_match(known)):
            return name
        start = scanner.position
        if known and scanner.take_match(NAMESPACE) and (name := scanner.take_match(known)):
            return name
        scanner.position = start
        if quoted := scanner.take_match(QUOTED_CALL):
            name = str(Scanner(quoted).read_value())
        else:
            name = scanner.take_match(PLAIN_CALL)
        return "" if known_only and name not in self._tools else name

    def _read_call(self, name: str, start: int) -> RawCall:
        scanner = self._scanner
        tool = self._tools.get(name)
        scanner.leniencies = []
        try:
            arguments = self._read_arguments(tool)
        except UnreadableError as error:
            if tool is None:
                raise NoCallError from error
            return self._recover(name, start, str(error))
        return RawCall(
            name, self._text[start : scanner.position], arguments, repairs=scanner.leniencies
        )

    def _recover(self, name: str, start: int, fault: str) -> RawCall:
        """Pass over a call that cannot be read: to its last bracket, or to the text's end."""
        self._recoveries += 1
        self.position = start
        end = find_balanced_end(self._text, start)
        if end is None:
            self.is_unfinished = True
            fault = f"the reply ends inside the call ({fault})"
        elif self._recoveries >= MOST_RECOVERIES:
            end = None
            fault = f"{fault}; what follows was not read, after so many unreadable calls"
        self.position = len(self._text) if end is None else end
        return RawCall(name, self._text[start : self.position].rstrip(), fault=fault)

    def _read_arguments(self, tool: Tool | None) -> dict[str, Any]:
        scanner = self._scanner
        scanner.take("(")
        arguments: dict[str, Any] = {}
        names = list(tool.properties) if tool else []
        positional = 0
        while not scanner.take(")"):
            scanner.peek()
            if scanner.take_match(STARS):
                given = self._read_mapping()
            elif name := self._read_argument_name(tool):
                scanner.take_match(EQUALS)
                given = {name: scanner.read_value()}
            else:
                value = scanner.read_value()
                if isinstance(value, dict) and value and {*value} <= {*names}:
                    given = value
                    scanner.leniencies.append("object_of_arguments")
                elif positional < len(names) and len(arguments) == positional:
                    given = {names[positional]: value}
                    positional += 1
                    scanner.leniencies.append("positional_argument")
                else:
                    raise UnreadableError("an argument has no name")
            if twice := given.keys() & arguments.keys():
                raise UnreadableError(f"the argument {min(twice)!r} is given twice")
            arguments |= given
            if not scanner.take(",") and scanner.peek() != ")":
                found = repr(scanner.peek()) if scanner.peek() else "the end"
                raise UnreadableError(f"',' or ')' was expected after an argument, not {found}")
        return arguments

    def _read_argument_name(self, tool: Tool | None) -> str:
        scanner = self._scanner
        if tool and tool.argument_name and (name := scanner.take_match(tool.argument_name)):
            return name
        if quoted := scanner.take_match(QUOTED_ARGUMENT):
            return str(Scanner(quoted).read_value())
        return scanner.take_match(PLAIN_ARGUMENT)

    def _read_mapping(self) -> dict[str, Any]:
        value = self._scanner.read_value()
        if not isinstance(value, dict):
            raise UnreadableError("what follows ** is no dict")
        return value

    def _read_json_calls(self) -> list[RawCall]:
        """Read an object that stands for one call, or for a list of them."""
        scanner = self._scanner
        start = scanner.position
        scanner.leniencies = []
        try:
            value = scanner.read_value()
        except UnreadableError as error:
            name = self._find_json_name(start)
            if not name:
                raise NoCallError from error
            return [self._recover(name, start, str(error))]
        text = self._text[start : scanner.position]
        calls = convert_json_to_calls(value, text, self._tools)
        calls[0].repairs += [*scanner.leniencies, "json"]
        return calls

    def _find_json_name(self, start: int) -> str:
        """Get the known tool that an unreadable object begins by naming."""
        keys = "|".join(CALLEES)
        named = re.compile(rf"\{{\s*['\"](?:{keys})['\"]\s*:\s*(['\"])([^'\"\n]+)\1")
        match = named.match(self._text, start)
        return match[2] if match and match[2] in self._tools else ""


def convert_json_to_calls(value: Any, text: str, tools: Toolset) -> list[RawCall]:
    """Read JSON objects that stand for calls of known tools.

    Raises:
        NoCallError: If they do not.
    """
    if not isinstance(value, Mapping):
        raise NoCallError
    for wrapper in WRAPPERS:
        if isinstance(entries := value.get(wrapper), list) and entries:
            calls = [convert_json_to_calls(entry, str(entry), tools) for entry in entries]
            return [call for one in calls for call in one]
    if isinstance(inner := value.get("function"), Mapping):
        value = inner
    if len(value) == 1:
        [(name, arguments)] = value.items()
    else:
        name, arguments = _get_json_parts(value, tools)
    if name not in tools or not isinstance(arguments, Mapping):
        raise NoCallError
    return [RawCall(name, text, dict(arguments))]


def _get_json_parts(value: Mapping[str, Any], tools: Toolset) -> tuple[str, Any]:
    """Get the name and the arguments that an object's keys tell."""
    callee = next((key for key in CALLEES if isinstance(value.get(key), str)), "")
    name = value.get(callee, "")
    if name not in tools:
        name = NAMESPACE.sub("", name, count=1)
    payload = next((value[key] for key in PAYLOADS if key in value), None)
    if isinstance(payload, str):
        return name, _read_json_text(payload)
    others = {key: item for key, item in value.items() if key != callee}
    if payload is None and name in tools and others.keys() <= tools[name].properties.keys():
        return name, others
    return name, payload


def _read_json_text(text: str) -> Any:
    scanner = Scanner(text)
    try:
        value = scanner.read_value()
    except UnreadableError:
        return None
    return None if scanner.peek() else value


MARK = re.compile(r"[()\[\]{}'\"]")
CLOSERS: Mapping[str, str] = {"(": ")", "[": "]", "{": "}"}


def find_balanced_end(text: str, start: int) -> int | None:
    """Find where the first bracket after `start` is closed, strings aside; None where it is not."""
    closers: list[str] = []
    position = start
    while match := MARK.search(text, position):
        position, character = match.end(), match[0]
        if character in CLOSERS:
            closers.append(CLOSERS[character])
        elif closers and character == closers[-1]:
            closers.pop()
            if not closers:
                return position
        elif character in "'\"" and closers:
            end = text.find(character, position)
            while end > 0 and text[end - 1] == "\\":
                end = text.find(character, end + 1)
            if end < 0:
                return None
            position = end + 1
    return None
