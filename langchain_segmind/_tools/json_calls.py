"""Reads calls from JSON in the formats that providers train models on."""

import json
import re
from collections.abc import Mapping
from typing import Any

from langchain_segmind._tools.json_values import (
    ESCAPED_SLASH,
    JSON_STRING,
    decode,
    decode_brackets,
)
from langchain_segmind._tools.literal_parser import NumberLiteral, Scanner
from langchain_segmind._tools.raw_call import PARALLEL, NoCallError, RawCall, strip_namespace
from langchain_segmind._tools.strings import UnreadableError
from langchain_segmind._tools.tools import Toolset

NAME_KEYS = ("name", "recipient_name", "function")
"""Keys of a JSON object that hold a tool's name."""

ARGUMENTS_KEYS = ("arguments", "parameters", "args", "input")
"""Keys of a JSON object that hold the arguments: OpenAI's, Llama's, LangChain's, Anthropic's."""

LIST_KEYS = ("tool_calls", "tool_uses")
"""Keys of a JSON object that hold a list of calls."""

LABEL_KEYS = frozenset(
    {"id", "index", "role", "type", "content", "thought", "thoughts", "reasoning"}
)
"""Keys of a JSON object that do not matter to a call."""

LIST_OBJECT = re.compile(
    rf"\{{\s*+(?:{JSON_STRING}\s*+:\s*+(?:{JSON_STRING}|null)\s*+,\s*+)*"
    rf"['\"](?:{'|'.join(LIST_KEYS)})['\"]\s*+:\s*+(?=\[)",
    re.DOTALL,
)
"""Matches an object up to its list of calls."""

NOT_A_CALL = "this entry is not a call"
NOT_AN_OBJECT = "its arguments are not a JSON object"

HALF_CHARACTER = re.compile("[\ud800-\udfff]")

SCHEMA_KEYS = frozenset({"type", "properties"})

JSON_NAME = re.compile(
    rf"(?:\{{|['\"](?:{'|'.join(NAME_KEYS)})['\"]\s*+:)"
    rf"(?=\s*+(?P<quote>['\"])([^'\"\n]++)(?P=quote))"
)
"""Matches where a JSON object can name a tool."""


def read_object(scanner: Scanner) -> dict[str, Any]:
    """Return the object that begins here: JSON, or else a Python dict.

    Raises:
        UnreadableError: If it is neither.
    """
    text, start = scanner.text, scanner.position
    if (end := scanner.find_end(start)) > 0:
        written = text[start:end]
        if isinstance(value := decode_brackets(written), dict):
            scanner.position = end
            return value
        if ESCAPED_SLASH.search(written):
            raise UnreadableError("not valid JSON: escape all backslashes")
    return scanner.read_dict()


def convert_native_call(entry: Any, tools: Toolset) -> list[RawCall]:
    """Return the calls in an entry of OpenAI's `tool_calls`."""
    text = write_entry(entry)
    if HALF_CHARACTER.search(text):
        entry = decode(json.dumps(entry, default=str))
        text = write_entry(entry)
    entry = entry if isinstance(entry, Mapping) else {}
    function = entry.get("function", entry)
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str):
        problem = "this entry of tool_calls is not a call: it names no function"
        return [RawCall("", text, problem=problem)]
    arguments = function.get("arguments")
    name = strip_namespace(name, tools)
    try:
        parsed = {} if arguments is None else _parse_if_text(arguments)
    except UnreadableError as error:
        written = arguments if isinstance(arguments, str) else write_entry(arguments)
        return [RawCall(name, f"{name}({written})", problem=str(error))]
    text = f"{name}({write_entry(parsed)})"
    if name == PARALLEL and name not in tools:
        return convert_parallel_call(parsed, text, tools)
    return [RawCall(name, text, parsed)]


def convert_parallel_call(arguments: Mapping[str, Any], text: str, tools: Toolset) -> list[RawCall]:
    """Return the calls that a call of `multi_tool_use.parallel` makes."""
    uses = arguments.get("tool_uses")
    if not isinstance(uses, list):
        return [RawCall(PARALLEL, text, problem="tool_uses is not a list of calls")]
    calls = _convert_entries(uses, tools, PARALLEL)
    return calls or [RawCall(PARALLEL, text, problem="tool_uses is empty")]


def _convert_entries(entries: list[Any], tools: Toolset, name: str = "") -> list[RawCall]:
    """Return the calls in a list; what is not one is a call of this name with a problem."""
    calls: list[RawCall] = []
    for entry in entries:
        text = write_entry(entry)
        try:
            calls += convert_json_to_calls(entry, text, tools)
        except NoCallError:
            calls.append(RawCall(name, text, problem=NOT_A_CALL))
    return calls


def convert_json_to_calls(value: Any, text: str, tools: Toolset) -> list[RawCall]:
    """Return the calls in a JSON object: of known tools, or in the explicit form of a call.

    Raises:
        NoCallError: If it is anything else.
    """
    if not isinstance(value, Mapping):
        raise NoCallError
    for key in LIST_KEYS:
        entries = value.get(key)
        if isinstance(entries, list) and entries and _rest_is_labels_or_none(value, key):
            calls = _convert_entries(entries, tools)
            if all(call.problem == NOT_A_CALL for call in calls):
                raise NoCallError
            return calls
    inner = value.get("function")
    if isinstance(inner, Mapping) and _rest_is_labels_or_none(value, "function"):
        value = inner
    name, arguments = _get_json_parts(value, tools)
    is_parallel = name == PARALLEL and name not in tools
    try:
        arguments = _parse_if_text(arguments)
    except UnreadableError as error:
        if name not in tools and not is_parallel:
            raise NoCallError from error
        return [RawCall(name, text, problem=str(error))]
    if is_parallel:
        return convert_parallel_call(arguments, text, tools)
    # An object with the schema of the arguments describes a tool and does not call it.
    properties = tools[name].properties if name in tools else {}
    if {*arguments} - {*properties} >= SCHEMA_KEYS:
        raise NoCallError
    return [RawCall(name, text, dict(arguments))]


def write_entry(value: Any) -> str:
    """Return a value as JSON text."""
    try:
        return json.dumps(
            value,
            ensure_ascii=False,
            default=lambda part: part.value if isinstance(part, NumberLiteral) else str(part),
        )
    except RecursionError:
        return "..."


def _rest_is_labels_or_none(value: Mapping[str, Any], *keys: str) -> bool:
    """Whether all other keys of an object are labels, or their values None."""
    return all(key in keys or key in LABEL_KEYS or value[key] is None for key in value)


def _get_json_parts(value: Mapping[str, Any], tools: Toolset) -> tuple[str, Any]:
    """Return the name and the arguments of an object in one of three forms.

    - A single key: `{"add": {"a": 1}}`, for known tools
    - Nested: `{"name": "add", "arguments": {"a": 1}}`
    - Flat: `{"name": "add", "a": 1}`, for known tools

    Raises:
        NoCallError: If it has none of them.
    """
    name_key = next((key for key in NAME_KEYS if isinstance(value.get(key), str)), "")
    name = strip_namespace(value[name_key], tools) if name_key else ""
    if len(value) == 1 and (key := next(iter(value))) in tools:
        if not isinstance(value[key], Mapping) or key in tools[key].properties:
            raise NoCallError
        return key, value[key]
    present = (key for key in ARGUMENTS_KEYS if key in value)
    nested = next((key for key in present if _rest_is_labels_or_none(value, name_key, key)), None)
    if not name or (name not in tools and (nested is None or _is_arguments(value, tools))):
        raise NoCallError
    rest = {key: item for key, item in value.items() if key != name_key}
    is_flat = name in tools and rest.keys() <= tools[name].properties.keys()
    if is_flat and not (nested and isinstance(value[nested], Mapping)):
        # A tool with an argument of this name, or one that lacks its arguments, is not called.
        if name_key in tools[name].properties or (not rest and tools[name].properties):
            raise NoCallError
        return name, rest
    if nested is None:
        raise NoCallError
    return name, value[nested]


def _is_arguments(value: Mapping[str, Any], tools: Toolset) -> bool:
    """Whether an object has the keys of a tool's arguments: it is an answer, not a call."""
    return any(value.keys() <= tool.properties.keys() for tool in tools.values())


def _parse_if_text(arguments: Any) -> dict[str, Any]:
    """Return arguments, which can be written as JSON text.

    Raises:
        UnreadableError: If they are not an object.
    """
    if isinstance(arguments, Mapping):
        return dict(arguments)
    if not isinstance(arguments, str) or (arguments.strip() and arguments.strip()[0] != "{"):
        raise UnreadableError(NOT_AN_OBJECT)
    if not arguments.strip():
        return {}
    scanner = Scanner(arguments.strip())
    try:
        value = read_object(scanner)
    except UnreadableError as error:
        raise UnreadableError(f"{NOT_AN_OBJECT}: {error}") from None
    if scanner.peek():
        raise UnreadableError(NOT_AN_OBJECT)
    return value
