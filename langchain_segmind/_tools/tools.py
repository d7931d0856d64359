"""Bound tools: converts them to OpenAI's dicts, and these to the `Toolset` used here."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from langchain_segmind._tools.json_schema import Schema, get_properties, resolve

REFERENCE = re.compile(r'"\$ref": "#/(?:\$defs|definitions)/([^"]+)"')
"""Matches a reference in JSON; the group is the name of the type."""


@dataclass(frozen=True)
class Tool:
    """One tool.

    Attributes:
        name: As the user wrote it.
        description: What it does; can be empty.
        parameters: The JSON schema of its arguments, an object.
        root: The schema that its references start from.
        strict: Whether a call whose arguments do not match the schema is invalid.
    """

    name: str
    description: str
    parameters: Schema
    root: Schema
    strict: bool = False

    @cached_property
    def properties(self) -> Mapping[str, Any]:
        """The schemas of the arguments by name, in order."""
        return get_properties(self.parameters)

    @cached_property
    def argument_name(self) -> re.Pattern[str] | None:
        """Matches an argument's name before its `=`; None if there are no arguments."""
        return compile_names(self.properties, before="=")


class Toolset(Mapping[str, Tool]):
    """Bound tools by name, in order.

    Attributes:
        fingerprint: The tools' dicts as JSON, equal for equal tools.
    """

    def __init__(self, tools: Iterable[Tool], fingerprint: str = "[]") -> None:
        self.fingerprint = fingerprint
        self._tools = {tool.name: tool for tool in tools}

    # The cache of rendered instructions is keyed by identity.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __getitem__(self, name: str) -> Tool:
        return self._tools[name]

    def __iter__(self) -> Any:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    @cached_property
    def tool_name(self) -> re.Pattern[str] | None:
        """Matches a tool's name before its `(`; None if there are no tools."""
        return compile_names(self, before=r"\(")


def compile_names(names: Iterable[str], before: str) -> re.Pattern[str] | None:
    """Return a pattern for any of the names, the longest first; None if there are none."""
    alternatives = [re.escape(name) for name in sorted(names, key=len, reverse=True) if name]
    return re.compile(rf"(?:{'|'.join(alternatives)})(?=\s*{before})") if alternatives else None


def convert_tools(
    tools: Iterable[dict[str, Any] | type | Callable[..., Any] | Any], *, strict: bool | None = None
) -> list[dict[str, Any]]:
    """Return tools of any kind that LangChain accepts, as OpenAI's dicts.

    Raises:
        ValueError: If a tool is built into another provider, or two different ones share a name.
    """
    if isinstance(tools, str | Mapping) or not isinstance(tools, Iterable):
        raise ValueError(f"Pass a list of tools, not {tools!r:.200}.")
    converted: dict[str, dict[str, Any]] = {}
    for tool in tools:
        try:
            openai_tool = convert_to_openai_tool(_keep_recursion(tool), strict=strict)
        except (TypeError, ValueError, AttributeError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{tool!r:.200} cannot be bound as a tool: {reason}") from error
        name = _get_name(openai_tool)
        if name not in converted:
            converted[name] = openai_tool
        elif _without_titles(openai_tool) != _without_titles(converted[name]):
            raise ValueError(f"Two different tools are named {name!r}. Rename one of them.")
    return list(converted.values())


def _keep_recursion(tool: Any) -> Any:
    """Return a tool with recursive types as a dict: LangChain would cut them off."""
    model = tool.tool_call_schema if isinstance(tool, BaseTool) else tool
    if isinstance(model, type) and issubclass(model, BaseModel):
        schema = model.model_json_schema()
    elif isinstance(tool, BaseTool) and isinstance(model, dict):
        schema = model
    else:
        return tool
    if not _is_recursive(schema):
        return tool
    parameters = {**resolve(schema, schema)}
    name, description = parameters.pop("title", ""), parameters.pop("description", "")
    if isinstance(tool, BaseTool):
        name, description = tool.name, tool.description or description
    return {"name": name, "description": description, "parameters": _without_titles(parameters)}


def _is_recursive(schema: Schema) -> bool:
    """Whether a type that a schema defines contains itself."""
    types = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    contained = {name: {*REFERENCE.findall(json.dumps(types[name]))} for name in types}
    while leaves := [name for name in contained if not contained[name] & contained.keys()]:
        for name in leaves:
            del contained[name]
    return bool(contained)


def _get_name(openai_tool: Any) -> str:
    function = openai_tool.get("function") if isinstance(openai_tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if isinstance(name, str) and name.strip():
        return name
    if isinstance(function, dict):
        raise ValueError(f"A tool has no name: {openai_tool!r:.200}")
    tool_type = openai_tool.get("type") if isinstance(openai_tool, dict) else openai_tool
    raise ValueError(
        f"The tool {openai_tool!r:.200} is built into another provider ({tool_type!r}); Segmind "
        "has no built-in tools. Pass a function, a BaseTool, a pydantic class, or "
        "{'type': 'function', 'function': {'name': ..., 'parameters': ...}}."
    )


def _without_titles(value: Any) -> Any:
    """Return a schema without pydantic's titles; properties named "title" stay."""
    if isinstance(value, list):
        return [_without_titles(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _without_titles(item)
        for key, item in value.items()
        if not (key == "title" and isinstance(item, str))
    }


def create_toolset(openai_tools: Sequence[Mapping[str, Any]]) -> Toolset:
    """Return the toolset of OpenAI's dicts; equal dicts share one object."""
    return _create_toolset(json.dumps(openai_tools, default=str))


@lru_cache
def _create_toolset(openai_tools: str) -> Toolset:
    return Toolset(map(_create_tool, json.loads(openai_tools)), openai_tools)


def _create_tool(openai_tool: Mapping[str, Any]) -> Tool:
    function = openai_tool["function"]
    root = function.get("parameters") or {}
    return Tool(
        name=function["name"],
        description=str(function.get("description") or ""),
        parameters=resolve(root, root),
        root=root,
        strict=bool(function.get("strict")),
    )
