"""Reads calls from JSON in the formats that providers train models on."""

import json
import re
from collections.abc import Mapping
from typing import Any

from langchain_segmind._tools.literal_parser import NumberLiteral, Scanner, convert_number
from langchain_segmind._tools.raw_call import PARALLEL, NoCallError, RawCall, strip_namespace
from langchain_segmind._tools.strings import UnreadableError
from langchain_segmind._tools.tools import Toolset

NAME_KEYS = ("name", "recipient_name", "function")
"""Keys of a JSON object that hold a tool's name."""

ARGUMENTS_KEYS = ("arguments", "parameters", "args", "input")
"""Keys of a JSON object that hold the arguments: OpenAI's, Llama's, LangChain's, Anthropic's."""

LIST_KEYS = ("tool_calls", "tool_uses")
"""Keys of a JSON object that hold a list of calls."""

LABEL_KEYS = frozenset({"id", "index", "role", "type"})
"""Keys of a JSON object that do not matter to a call."""

PATH_STRING = re.compile(r"['\"](?:[A-Za-z]:|\\\\[\w.$-]++)\\[bfnrt]\w")
"""Matches a string in JSON that starts like a path, such as `C:\\temp`: JSON would read a tab."""

SCHEMA_KEYS = frozenset({"type", "properties"})

JSON_NAME = re.compile(
    rf"(?:\{{|['\"](?:{'|'.join(NAME_KEYS)})['\"]\s*+:)"
    rf"(?=\s*+(?P<quote>['\"])([^'\"\n]++)(?P=quote))"
)
"""Matches where a JSON object can name a tool."""


def _convert_json_number(text: str) -> Any:
    if (number := convert_number(text)) is None:
        raise ValueError("infinity is not JSON")
    return number


def _create_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is given twice")
    return value


# Models write unescaped line feeds in strings; NaN and Infinity are not JSON.
DECODER = json.JSONDecoder(
    strict=False,
    object_pairs_hook=_create_object,
    parse_int=_convert_json_number,
    parse_float=_convert_json_number,
    parse_constant=_convert_json_number,
)


def read_object(scanner: Scanner) -> dict[str, Any]:
    """Return the object that begins here: JSON, or else a Python dict.

    A path whose backslashes are not escaped is not JSON, even if JSON has such escapes.

    Raises:
        UnreadableError: If it is neither.
    """
    try:
        value, end = DECODER.raw_decode(scanner.text, scanner.position)
    except (ValueError, RecursionError):
        return scanner.read_dict()
    if PATH_STRING.search(scanner.text, scanner.position, end):
        return scanner.read_dict()
    scanner.position = end
    assert isinstance(value, dict)  # noqa: S101 - it begins with a brace
    return value


def convert_native_call(entry: Any, tools: Toolset) -> RawCall:
    """Return the call in an entry of OpenAI's `tool_calls`."""
    text = write_entry(entry)
    entry = entry if isinstance(entry, Mapping) else {}
    function = entry.get("function", entry)
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str):
        return RawCall(
            "", text, problem="this entry of tool_calls is not a call: it names no function"
        )
    arguments = function.get("arguments")
    parsed = {} if arguments is None else _parse_if_text(arguments)
    name = strip_namespace(name, tools)
    if not isinstance(parsed, Mapping):
        written = arguments if isinstance(arguments, str) else write_entry(arguments)
        problem = "its arguments are not a JSON object"
        return RawCall(name, f"{name}({written})", problem=problem)
    return RawCall(name, f"{name}({write_entry(parsed)})", dict(parsed))


def convert_parallel_call(arguments: Any, text: str, tools: Toolset) -> list[RawCall]:
    """Return the calls that a call of `multi_tool_use.parallel` makes."""
    uses = arguments.get("tool_uses") if isinstance(arguments, Mapping) else None
    if not isinstance(uses, list):
        return [RawCall(PARALLEL, text, problem="tool_uses is not a list of calls")]
    calls: list[RawCall] = []
    for use in uses:
        use_text = write_entry(use)
        try:
            calls += convert_json_to_calls(use, use_text, tools)
        except NoCallError:
            calls.append(RawCall(PARALLEL, use_text, problem="this tool use is not a call"))
    return calls or [RawCall(PARALLEL, text, problem="tool_uses is empty")]


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
            calls = [convert_json_to_calls(entry, write_entry(entry), tools) for entry in entries]
            return [call for entry_calls in calls for call in entry_calls]
    inner = value.get("function")
    if isinstance(inner, Mapping) and _rest_is_labels_or_none(value, "function"):
        value = inner
    name, arguments = _get_json_parts(value, tools)
    if name == PARALLEL and name not in tools:
        return convert_parallel_call(_parse_if_text(arguments), text, tools)
    arguments = _parse_if_text(arguments)
    if not isinstance(arguments, Mapping):
        if name not in tools or len(value) == 1:
            raise NoCallError
        return [RawCall(name, text, problem="its arguments are not a JSON object")]
    # An object with the schema of the arguments describes a tool and does not call it.
    properties = tools[name].properties if name in tools else {}
    if {*arguments} - {*properties} >= SCHEMA_KEYS:
        raise NoCallError
    return [RawCall(name, text, dict(arguments))]


def write_entry(value: Any) -> str:
    """Return a value as JSON text."""
    return json.dumps(
        value,
        ensure_ascii=False,
        default=lambda part: part.value if isinstance(part, NumberLiteral) else str(part),
    )


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
        return key, value[key]
    present = (key for key in ARGUMENTS_KEYS if key in value)
    nested = next((key for key in present if _rest_is_labels_or_none(value, name_key, key)), None)
    if not name or (name not in tools and (nested is None or _is_arguments(value, tools))):
        raise NoCallError
    rest = {key: item for key, item in value.items() if key != name_key}
    is_flat = name in tools and rest.keys() <= tools[name].properties.keys()
    if is_flat and not (nested and isinstance(value[nested], Mapping)):
        return name, rest
    if nested is None:
        raise NoCallError
    return name, value[nested]


def _is_arguments(value: Mapping[str, Any], tools: Toolset) -> bool:
    """Whether an object has the keys of a tool's arguments: it is an answer, not a call."""
    return any(value.keys() <= tool.properties.keys() for tool in tools.values())


def _parse_if_text(arguments: Any) -> Any:
    """Return arguments that are written as JSON text as their value."""
    if not isinstance(arguments, str):
        return arguments
    if not arguments.strip():
        return {}
    scanner = Scanner(arguments)
    try:
        value = read_object(scanner) if scanner.peek() == "{" else None
    except UnreadableError:
        return None
    return None if scanner.peek() else value
