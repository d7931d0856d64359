"""Text -> the calls in it, in whichever form a model writes them; no schema is looked at yet."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_segmind._tools.literal_parser import (
    PLAIN_SCALAR,
    Scanner,
    UnreadableError,
    convert_scalar,
    find_end,
)
from langchain_segmind._tools.syntax import PLAIN_NAME
from langchain_segmind._tools.tools import Tool, Toolset

UNFINISHED = "the reply ends inside the call"
"""How the fault of such a call begins."""

MOST_RECOVERIES = 20
"""Unreadable calls after which the rest of a text is taken for one more."""

NAMESPACE = "functions."
"""What this model was trained to write before a function's name."""

QUOTED = r"(?P<quote>['\"])(?:\\.|(?!(?P=quote))[^\\\n])*(?P=quote)"
QUOTED_CALL = re.compile(rf"{QUOTED}(?=\s*\()")
QUOTED_ARGUMENT = re.compile(rf"{QUOTED}(?=\s*=(?!=))")
PLAIN_CALL = re.compile(rf"(?:{PLAIN_NAME.pattern})(?=\s*\()")
PLAIN_ARGUMENT = re.compile(rf"(?:{PLAIN_NAME.pattern})(?=\s*=(?!=))")
UNFINISHED_NAME = re.compile(rf"({PLAIN_NAME.pattern}|\$|['\"][^\n]*+)\s*\Z")
END_OF_LIST = frozenset({"]", ""})
ARGUMENT = re.compile(rf"\s*({PLAIN_NAME.pattern})\s*=\s*{PLAIN_SCALAR}\s*(?=[,)])")
"""What most arguments are, with what follows; they are read in one step."""
EQUALS = re.compile(r"\s*=(?!=)\s*")
STARS = re.compile(r"\*\*")

CALLEES = ("name", "function", "tool", "recipient_name")
"""Under which keys of a JSON object the name of a tool stands."""

PAYLOADS = ("arguments", "parameters", "args", "input")
"""Under which keys of a JSON object the arguments stand."""

WRAPPERS = ("tool_calls", "tool_uses")
"""Under which key of a JSON object a list of calls stands."""

WRAPPER = re.compile(rf"\{{\s*['\"](?:{'|'.join(WRAPPERS)})['\"]\s*:\s*(?=\[)")

LABELS = frozenset({"id", "index", "role", "type"})
"""Keys of a JSON object that say nothing about a call."""

SCHEMA = frozenset({"type", "properties"})
"""Keys of a JSON schema."""

JSON_NAME = re.compile(
    rf"(?:\{{|['\"](?:{'|'.join(CALLEES)})['\"]\s*:)(?=\s*(?P<quote>['\"])([^'\"\n]+)(?P=quote))"
)
"""Where a JSON object may name a tool."""


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
    """

    def __init__(self, text: str, tools: Toolset) -> None:
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
        scanner.reads_comments = True
        try:
            return self._read_entries(known_only=known_only)
        finally:
            scanner.reads_comments = False

    def _read_entries(self, *, known_only: bool) -> list[RawCall]:
        scanner = self._scanner
        calls: list[RawCall] = []
        follows = False
        while scanner.peek() not in END_OF_LIST:
            follows = follows or any(call.name in self._tools for call in calls[-1:])
            calls += self._read_entry(known_only=known_only, follows=follows)
            if not scanner.take(",") and scanner.peek() not in END_OF_LIST:
                raise NoCallError
        scanner.take("]")
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
            return self._read_json_calls(follows=follows)
        start = self.position
        if name := self._read_name(known_only=known_only):
            return [self._read_call(name, start, follows=follows)]
        rest = UNFINISHED_NAME.match(self._text, start) if follows else None
        if rest is None:
            raise NoCallError
        self.position = len(self._text)
        return [RawCall(rest[1], rest[1], fault=UNFINISHED)]

    def _read_name(self, *, known_only: bool) -> str:
        scanner, start = self._scanner, self.position
        if (plain := PLAIN_CALL.match(self._text, start)) and plain[0] in self._tools:
            scanner.position = plain.end()
            return plain[0]
        name = self._read_written_name(QUOTED_CALL, PLAIN_CALL) or ""
        for known in (name, name.removeprefix(NAMESPACE)):
            if known in self._tools:
                return known
        end, self.position = self.position, start
        if self._tools.tool_name and (raw := scanner.take_match(self._tools.tool_name)):
            return raw
        self.position = end
        return "" if known_only else name

    def _read_written_name(self, quoted: re.Pattern[str], plain: re.Pattern[str]) -> str | None:
        """Read a name as our own dialect writes it."""
        if text := self._scanner.take_match(quoted):
            return str(Scanner(text).read_value())
        return self._scanner.take_match(plain) or None

    def _read_call(self, name: str, start: int, *, follows: bool) -> RawCall:
        scanner = self._scanner
        tool = self._tools.get(name)
        scanner.leniencies, opener = [], scanner.position
        try:
            arguments = self._read_arguments(tool)
        except UnreadableError as error:
            if tool is None and not follows:
                raise NoCallError from error
            return self._recover(name, start, opener, str(error))
        return RawCall(
            name, self._text[start : scanner.position], arguments, repairs=scanner.leniencies
        )

    def _recover(self, name: str, start: int, opener: int, fault: str) -> RawCall:
        """Pass over a call that cannot be read: to its last bracket, or to the text's end."""
        self._recoveries += 1
        end = find_end(self._text, opener)
        if end < 0:
            fault = f"{UNFINISHED} ({fault})"
        elif self._recoveries >= MOST_RECOVERIES:
            end = -1
            fault = f"{fault}; what follows was not read, after so many unreadable calls"
        self.position = len(self._text) if end < 0 else end
        return RawCall(name, self._text[start : self.position].rstrip(), fault=fault)

    def _read_arguments(self, tool: Tool | None) -> dict[str, Any]:
        scanner = self._scanner
        scanner.take("(")
        arguments: dict[str, Any] = {}
        names = list(tool.properties) if tool else []
        positional = 0
        while (character := scanner.peek()) != ")":
            if plain := self._match_plain_argument(tool):
                scanner.position = plain.end()
                given = {plain[1]: convert_scalar(*plain.groups()[1:])}
            elif character == "*" and scanner.take_match(STARS):
                given = self._read_mapping()
            elif (name := self._read_argument_name(tool)) is not None:
                if not scanner.take_match(EQUALS):
                    raise UnreadableError(f"'=' was expected after {name!r:.80}")
                given = {name: scanner.read_value()}
            else:
                value = scanner.read_value()
                if isinstance(value, dict) and {*value} <= {*names} and (value or not names):
                    given = value
                    scanner.leniencies.append("object_of_arguments")
                elif positional < len(names) and len(arguments) == positional:
                    given = {names[positional]: value}
                    positional += 1
                    scanner.leniencies.append("positional_argument")
                else:
                    raise UnreadableError("an argument has no name")
            if not arguments.keys().isdisjoint(given):
                twice = min(given.keys() & arguments.keys())
                raise UnreadableError(f"the argument {twice!r} is given twice")
            arguments |= given
            if not scanner.take(",") and scanner.peek() != ")":
                found = repr(scanner.peek()) if scanner.peek() else "the end"
                raise UnreadableError(f"',' or ')' was expected after an argument, not {found}")
        scanner.take(")")
        return arguments

    def _match_plain_argument(self, tool: Tool | None) -> re.Match[str] | None:
        plain = ARGUMENT.match(self._text, self.position)
        return plain if plain and (tool is None or plain[1] in tool.properties) else None

    def _read_argument_name(self, tool: Tool | None) -> str | None:
        start = self.position
        name = self._read_written_name(QUOTED_ARGUMENT, PLAIN_ARGUMENT)
        if tool is None or tool.argument_name is None or name in tool.properties:
            return name
        end, self.position = self.position, start
        if raw := self._scanner.take_match(tool.argument_name):
            return raw
        self.position = end
        return name

    def _read_mapping(self) -> dict[str, Any]:
        value = self._scanner.read_value()
        if not isinstance(value, dict):
            raise UnreadableError("what follows ** is no dict")
        return value

    def _read_json_calls(self, *, follows: bool) -> list[RawCall]:
        """Read an object that stands for one call, or for a list of them."""
        scanner = self._scanner
        start = scanner.position
        scanner.leniencies = []
        try:
            value = scanner.read_braces()
        except UnreadableError as error:
            return self._recover_json(start, str(error), follows=follows)
        text = self._text[start : scanner.position]
        calls = convert_json_to_calls(value, text, self._tools)
        calls[0].repairs += [*scanner.leniencies, "json"]
        return calls

    def _recover_json(self, start: int, fault: str, *, follows: bool) -> list[RawCall]:
        """Read what can be read of an object: its list of calls, or which tool it names."""
        wrapper = WRAPPER.match(self._text, start)
        if wrapper and self._recoveries < MOST_RECOVERIES:
            self._recoveries += 1
            self.position = wrapper.end()
            calls = self.read_list()
            self._scanner.take("}")
            return calls
        name = self._find_json_name(start)
        if not name and not (follows and find_end(self._text, start) < 0):
            raise NoCallError
        return [self._recover(name, start, start, fault)]

    def _find_json_name(self, start: int) -> str:
        """Get the known tool that an unreadable object names."""
        end = find_end(self._text, start)
        named = JSON_NAME.finditer(self._text, start, len(self._text) if end < 0 else end)
        names = (match[2].removeprefix(NAMESPACE) for match in named)
        return next((name for name in names if name in self._tools), "")


def convert_json_to_calls(value: Any, text: str, tools: Toolset) -> list[RawCall]:
    """Read JSON objects that stand for calls of known tools, and say nothing else.

    Raises:
        NoCallError: If they do not.
    """
    if not isinstance(value, Mapping):
        raise NoCallError
    for wrapper in WRAPPERS:
        entries = value.get(wrapper)
        if isinstance(entries, list) and entries and _holds_only(value, wrapper):
            calls = [convert_json_to_calls(one, json.dumps(one), tools) for one in entries]
            return [call for one in calls for call in one]
    inner = value.get("function")
    if isinstance(inner, Mapping) and _holds_only(value, "function"):
        value = inner
    name, payload = _get_json_parts(value, tools)
    if name not in tools:
        raise NoCallError
    arguments = _read_json_text(payload) if isinstance(payload, str) else payload
    if isinstance(payload, str) and payload.lstrip().startswith("{") and arguments is None:
        return [RawCall(name, text, fault="the text of the arguments is no JSON")]
    # A schema of the arguments describes a tool, and calls none.
    if not isinstance(arguments, Mapping) or {*arguments} - {*tools[name].properties} >= SCHEMA:
        raise NoCallError
    return [RawCall(name, text, dict(arguments))]


def _holds_only(value: Mapping[str, Any], *keys: str) -> bool:
    return all(
        key in keys or key in LABELS or item is None or (key, item) == ("content", "")
        for key, item in value.items()
    )


def _get_json_parts(value: Mapping[str, Any], tools: Toolset) -> tuple[str, Any]:
    """Get the name and the arguments that an object's keys tell."""
    if len(value) == 1:
        return next(iter(value.items()))
    callee = next((key for key in CALLEES if isinstance(value.get(key), str)), "")
    name = value.get(callee, "")
    name = name if name in tools else name.removeprefix(NAMESPACE)
    others = {key: item for key, item in value.items() if key != callee}
    payloads = (value[key] for key in PAYLOADS if key in value and _holds_only(value, callee, key))
    payload = next(payloads, None)
    is_flat = name in tools and others.keys() <= tools[name].properties.keys()
    return name, others if is_flat and not isinstance(payload, Mapping) else payload


def _read_json_text(text: str) -> Any:
    scanner = Scanner(text)
    try:
        value = scanner.read_value()
    except UnreadableError:
        return None
    return None if scanner.peek() else value
