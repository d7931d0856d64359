"""Reads calls from text in every form that models write; schemas are applied later."""

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
"""Prefix of `RawCall.problem` if the text ends inside the call."""

MAX_SKIPPED_CALLS = 20
"""After this many unreadable calls, the rest of the text is one problem, which bounds the time."""

NAMESPACE = "functions."
"""OpenAI's models are trained to write this before a function's name."""

QUOTED = r"(?P<quote>['\"])(?:\\.|(?!(?P=quote))[^\\\n])*(?P=quote)"
QUOTED_CALL = re.compile(rf"{QUOTED}(?=\s*\()")
QUOTED_ARGUMENT = re.compile(rf"{QUOTED}(?=\s*=(?!=))")
PLAIN_CALL = re.compile(rf"(?:{PLAIN_NAME.pattern})(?=\s*\()")
PLAIN_ARGUMENT = re.compile(rf"(?:{PLAIN_NAME.pattern})(?=\s*=(?!=))")
UNFINISHED_NAME = re.compile(rf"({PLAIN_NAME.pattern}|\$|['\"][^\n]*+)\s*\Z")
END_OF_LIST = frozenset({"]", ""})
ARGUMENT = re.compile(rf"\s*({PLAIN_NAME.pattern})\s*=\s*{PLAIN_SCALAR}\s*(?=[,)])")
"""Matches most arguments in one step."""
EQUALS = re.compile(r"\s*=(?!=)\s*")
DOUBLE_STAR = re.compile(r"\*\*")

NAME_KEYS = ("name", "recipient_name")
"""Keys of a JSON object that hold a tool's name."""

ARGUMENTS_KEYS = ("arguments", "parameters", "args", "input")
"""Keys of a JSON object that hold the arguments: OpenAI's, Llama's, LangChain's, Anthropic's."""

LIST_KEYS = ("tool_calls", "tool_uses")
"""Keys of a JSON object that hold a list of calls."""

LABEL_KEYS = frozenset({"id", "index", "role", "type"})
"""Keys of a JSON object that do not matter to a call."""

SCHEMA_KEYS = frozenset({"type", "properties"})

JSON_NAME = re.compile(
    rf"(?:\{{|['\"](?:{'|'.join(NAME_KEYS)})['\"]\s*:)(?=\s*(?P<quote>['\"])([^'\"\n]+)(?P=quote))"
)
"""Matches where a JSON object can name a tool."""


class NoCallError(ValueError):
    """The text at this position is not a call."""


@dataclass(slots=True)
class RawCall:
    """A call as the model wrote it.

    Attributes:
        name: The tool's name.
        text: The call's text.
        arguments: Values by name, not yet coerced to the tool's schema.
        problem: Why the call cannot be run; empty if it can.
        repairs: Names of the repairs made, in order.
    """

    name: str
    text: str
    arguments: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    repairs: list[str] = field(default_factory=list)


class CallReader:
    """Reads calls from a text, one list after the other."""

    def __init__(self, text: str, tools: Toolset) -> None:
        self._scanner = Scanner(text)
        self._text = text
        self._tools = tools
        self._skipped_calls = 0

    @property
    def position(self) -> int:
        """Index of the next character."""
        return self._scanner.position

    @position.setter
    def position(self, position: int) -> None:
        self._scanner.position = position

    def is_at_end(self) -> bool:
        """Skip blanks; return whether nothing follows."""
        return not self._scanner.peek()

    def read_list(self, *, known_only: bool = False) -> list[RawCall]:
        """Return the calls of a list in brackets; the text can end inside it.

        Args:
            known_only: Whether to accept only calls of known tools, and no JSON.

        Raises:
            NoCallError: If this is not a list of calls.
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
        follows_known_call = False
        while scanner.peek() not in END_OF_LIST:
            if calls and calls[-1].name in self._tools:
                follows_known_call = True
            calls += self._read_entry(known_only=known_only, follows_known_call=follows_known_call)
            if not scanner.take(",") and scanner.peek() not in END_OF_LIST:
                raise NoCallError
        scanner.take("]")
        if not calls:
            raise NoCallError
        return calls

    def read_bare_calls(self) -> list[RawCall]:
        """Return the calls of known tools that follow, without brackets, up to the end.

        Raises:
            NoCallError: If there is anything else.
        """
        calls: list[RawCall] = []
        while not self.is_at_end():
            is_json = self._scanner.peek() == "{"
            calls += self._read_entry(known_only=not is_json)
            self._scanner.take(",")
        if not calls:
            raise NoCallError
        calls[0].repairs.append("no_brackets")
        return calls

    def _read_entry(self, *, known_only: bool, follows_known_call: bool = False) -> list[RawCall]:
        """Return the calls of the next entry: one, or several if it is JSON.

        Args:
            known_only: Whether to accept only calls of known tools, and no JSON.
            follows_known_call: Whether the list already has a call of a known tool. Then it is
                certainly a list of calls, so an unreadable or unfinished entry is a call too.
        """
        if self._scanner.peek() == "{" and not known_only:
            return self._read_json_calls(follows_known_call=follows_known_call)
        start = self.position
        if name := self._read_name(known_only=known_only):
            return [self._read_call(name, start, follows_known_call=follows_known_call)]
        unfinished = UNFINISHED_NAME.match(self._text, start) if follows_known_call else None
        if unfinished is None:
            raise NoCallError
        self.position = len(self._text)
        return [RawCall(unfinished[1], unfinished[1], problem=UNFINISHED)]

    def _read_name(self, *, known_only: bool) -> str:
        start = self.position
        name = self._read_written_name(QUOTED_CALL, PLAIN_CALL) or ""
        for known in (name, name.removeprefix(NAMESPACE)):
            if known in self._tools:
                return known
        unquoted = self._read_unquoted_name(self._tools.tool_name, start)
        return unquoted or ("" if known_only else name)

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

    def _read_call(self, name: str, start: int, *, follows_known_call: bool) -> RawCall:
        scanner = self._scanner
        tool = self._tools.get(name)
        scanner.repairs, bracket = [], scanner.position
        try:
            arguments = self._read_arguments(tool)
        except UnreadableError as error:
            if tool is None and not follows_known_call:
                raise NoCallError from error
            return self._skip_unreadable(name, start, bracket, str(error))
        return RawCall(
            name, self._text[start : scanner.position], arguments, repairs=scanner.repairs
        )

    def _skip_unreadable(self, name: str, start: int, bracket: int, problem: str) -> RawCall:
        """Skip an unreadable call: up to its closing bracket, or to the end of the text."""
        self._skipped_calls += 1
        end = find_end(self._text, bracket)
        if end < 0:
            problem = f"{UNFINISHED} ({problem})"
        elif self._skipped_calls >= MAX_SKIPPED_CALLS:
            end = -1
            problem = f"{problem}; the rest was not read after {MAX_SKIPPED_CALLS} unreadable calls"
        self.position = len(self._text) if end < 0 else end
        return RawCall(name, self._text[start : self.position].rstrip(), problem=problem)

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
        if plain := self._match_plain_argument(tool):
            scanner.position = plain.end()
            return {plain[1]: convert_scalar(*plain.groups()[1:])}
        if scanner.take_match(DOUBLE_STAR):
            return self._read_mapping()
        if (name := self._read_argument_name(tool)) is not None:
            if not scanner.take_match(EQUALS):
                raise UnreadableError(f"expected '=' after {name!r}")
            return {name: scanner.read_value()}
        value = scanner.read_value()
        names = list(tool.properties) if tool else []
        # Where there are arguments to name, `{}` is the value of one.
        if isinstance(value, dict) and {*value} <= {*names} and (value or not names):
            scanner.repairs.append("object_of_arguments")
            return value
        # As in Python, only positional arguments can come before a positional one.
        if position < len(names) and scanner.repairs.count("positional_argument") == position:
            scanner.repairs.append("positional_argument")
            return {names[position]: value}
        raise UnreadableError("an argument has no name")

    def _match_plain_argument(self, tool: Tool | None) -> re.Match[str] | None:
        plain = ARGUMENT.match(self._text, self.position)
        return plain if plain and (tool is None or plain[1] in tool.properties) else None

    def _read_argument_name(self, tool: Tool | None) -> str | None:
        start = self.position
        name = self._read_written_name(QUOTED_ARGUMENT, PLAIN_ARGUMENT)
        if tool is None or name in tool.properties:
            return name
        return self._read_unquoted_name(tool.argument_name, start) or name

    def _read_mapping(self) -> dict[str, Any]:
        value = self._scanner.read_value()
        if not isinstance(value, dict):
            raise UnreadableError("expected a dict after **")
        return value

    def _read_json_calls(self, *, follows_known_call: bool) -> list[RawCall]:
        """Return the calls of a JSON object: one, or a list of them."""
        scanner = self._scanner
        start = scanner.position
        scanner.repairs = []
        try:
            value = scanner.read_dict()
        except UnreadableError as error:
            name = self._find_json_name(start)
            if not name and not (follows_known_call and find_end(self._text, start) < 0):
                raise NoCallError from error
            return [self._skip_unreadable(name, start, start, str(error))]
        text = self._text[start : scanner.position]
        calls = convert_json_to_calls(value, text, self._tools)
        calls[0].repairs += [*scanner.repairs, "json"]
        return calls

    def _find_json_name(self, start: int) -> str:
        """Return the known tool that an unreadable object names; empty if there is none."""
        end = find_end(self._text, start)
        named = JSON_NAME.finditer(self._text, start, len(self._text) if end < 0 else end)
        names = (match[2].removeprefix(NAMESPACE) for match in named)
        return next((name for name in names if name in self._tools), "")


def convert_json_to_calls(value: Any, text: str, tools: Toolset) -> list[RawCall]:
    """Return the calls of known tools in a JSON object.

    Raises:
        NoCallError: If it is anything else.
    """
    if not isinstance(value, Mapping):
        raise NoCallError
    for key in LIST_KEYS:
        entries = value.get(key)
        if isinstance(entries, list) and entries and _rest_is_labels_or_none(value, key):
            calls = [convert_json_to_calls(entry, json.dumps(entry), tools) for entry in entries]
            return [call for entry_calls in calls for call in entry_calls]
    inner = value.get("function")
    if isinstance(inner, Mapping) and _rest_is_labels_or_none(value, "function"):
        value = inner
    name, arguments = _get_json_parts(value, tools)
    if name not in tools:
        raise NoCallError
    if isinstance(arguments, str):
        is_object = arguments.lstrip().startswith("{")
        arguments = _read_json_text(arguments)
        if is_object and arguments is None:
            return [RawCall(name, text, problem="the arguments are not valid JSON")]
    # An object with the schema of the arguments describes a tool and does not call it.
    is_schema = isinstance(arguments, Mapping) and (
        {*arguments} - {*tools[name].properties} >= SCHEMA_KEYS
    )
    if is_schema or not isinstance(arguments, Mapping):
        raise NoCallError
    return [RawCall(name, text, dict(arguments))]


def _rest_is_labels_or_none(value: Mapping[str, Any], *keys: str) -> bool:
    """Whether all other keys of an object are labels, or their values None."""
    return all(key in keys or key in LABEL_KEYS or value[key] is None for key in value)


def _get_json_parts(value: Mapping[str, Any], tools: Toolset) -> tuple[str, Any]:
    """Return the name and the arguments of an object in one of three forms.

    - A single key: `{"add": {"a": 1}}`
    - Nested: `{"name": "add", "arguments": {"a": 1}}`
    - Flat: `{"name": "add", "a": 1}`
    """
    if len(value) == 1:
        return next(iter(value.items()))
    name_key = next((key for key in NAME_KEYS if isinstance(value.get(key), str)), "")
    name = value.get(name_key, "")
    name = name if name in tools else name.removeprefix(NAMESPACE)
    present = (key for key in ARGUMENTS_KEYS if key in value)
    nested = next(
        (value[key] for key in present if _rest_is_labels_or_none(value, name_key, key)), None
    )
    rest = {key: item for key, item in value.items() if key != name_key}
    is_flat = name in tools and rest.keys() <= tools[name].properties.keys()
    return name, rest if is_flat and not isinstance(nested, Mapping) else nested


def _read_json_text(text: str) -> Any:
    scanner = Scanner(text)
    try:
        value = scanner.read_value()
    except UnreadableError:
        return None
    return None if scanner.peek() else value
