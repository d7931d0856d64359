"""Bound tools: converts them to OpenAI's dicts, and these to the `Toolset` used here."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import AliasChoices, BaseModel

from langchain_segmind._tools.json_schema import (
    ALTERNATIVES,
    Schema,
    get_arguments,
    get_properties,
    iterate_parts,
    look_up,
    resolve,
)
from langchain_segmind._tools.schema_cache import SchemaCache
from langchain_segmind._tools.signatures import render_tools

NOT_IN_A_SCHEMA = frozenset({"name", "function", "input_schema", "toolSpec"})
"""Keys of a tool's dict that a JSON schema does not have."""

MAPS_OF_SCHEMAS = frozenset(
    {"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"}
)
"""Keys of a schema that contain others by name."""

MAX_INLINED_PARTS = 10_000
"""Parts of a schema whose references are replaced by what they refer to."""


@dataclass(frozen=True)
class Tool:
    """One tool.

    Attributes:
        name: As the user wrote it.
        description: What it does; can be empty.
        parameters: The JSON schema of its arguments: an object with the properties of all
            alternatives, of which only the common ones are required.
        root: The schema that its references start from.
        strict: Whether a call whose arguments do not match the schema is invalid.
    """

    name: str
    description: str
    parameters: Schema
    root: Schema
    strict: bool = False

    @cached_property
    def schemas(self) -> SchemaCache:
        """The resolved schemas of its arguments."""
        return SchemaCache(self.root)

    @cached_property
    def properties(self) -> Mapping[str, Any]:
        """The schemas of the arguments by name, in order."""
        return get_properties(self.parameters)

    @cached_property
    def argument_name(self) -> re.Pattern[str] | None:
        """Matches an argument's name before its `=`; None if there are no arguments."""
        return compile_names(self.properties, after=r"(?=\s*+=)")


class Toolset(Mapping[str, Tool]):
    """Bound tools by name, in order.

    Attributes:
        fingerprint: The tools' dicts as JSON, equal for equal tools.
    """

    def __init__(self, tools: Iterable[Tool], fingerprint: str = "[]") -> None:
        self.fingerprint = fingerprint
        self._tools = {tool.name: tool for tool in tools}
        self._selected: dict[str, Toolset] = {}

    @cached_property
    def signatures(self) -> str:
        """The tools as the model sees them.

        Raises:
            ValueError: If a tool's schema is too large to be written.
        """
        return render_tools([*self.values()])

    # The cache of rendered instructions is keyed by identity.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __getitem__(self, name: str) -> Tool:
        return self._tools[name]

    def __iter__(self) -> Any:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    def select(self, name: str) -> "Toolset":
        """Return a toolset of one of the tools."""
        if name not in self._selected:
            self._selected[name] = Toolset([self._tools[name]])
        return self._selected[name]

    @cached_property
    def tool_name(self) -> re.Pattern[str] | None:
        """Matches a tool's name before its `(`; None if there are no tools."""
        return compile_names(self, after=r"(?=\s*+\()")

    @cached_property
    def nested_call(self) -> re.Pattern[str] | None:
        """Matches a call of a tool within an expression; the group is its name."""
        return compile_names(self, r"(?<![\w$])", r"\s*+\(")


def compile_names(
    names: Iterable[str], before: str = "", after: str = ""
) -> re.Pattern[str] | None:
    """Return a pattern for any of the names, the longest first; None if there are none."""
    # A name with signs of the syntax must be quoted: it could take another call's text.
    plain = [name for name in names if name and not re.search(r"[=,'\"]", name)]
    alternatives = [re.escape(name) for name in sorted(plain, key=len, reverse=True)]
    return re.compile(f"{before}({'|'.join(alternatives)}){after}") if alternatives else None


def convert_tools(
    tools: Iterable[dict[str, Any] | type | Callable[..., Any] | Any], *, strict: bool | None = None
) -> list[dict[str, Any]]:
    """Return tools of any kind that LangChain accepts, as OpenAI's dicts.

    Raises:
        ValueError: If a tool is built into another provider, or two different ones share a name.
    """
    if isinstance(tools, Mapping) and not tools:
        return []
    if isinstance(tools, str | Mapping) or not isinstance(tools, Iterable):
        raise ValueError(f"Pass a list of tools, not {tools!r:.200}.")
    converted: dict[str, dict[str, Any]] = {}
    for tool in tools:
        try:
            openai_tool = convert_to_openai_tool(_keep_references(_name_schema(tool)))
            if isinstance(tool, BaseTool):
                openai_tool = _rename_arguments(openai_tool, _get_aliases(tool))
            if strict is not None:
                openai_tool = _set_strict(openai_tool, strict=strict)
        except (TypeError, ValueError, AttributeError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{tool!r:.200} cannot be bound as a tool: {reason}") from error
        name = _get_name(openai_tool)
        if name not in converted:
            converted[name] = openai_tool
        elif _without_titles(openai_tool) != _without_titles(converted[name]):
            raise ValueError(f"Two different tools are named {name!r}. Rename one of them.")
    return list(converted.values())


def _name_schema(tool: Any) -> Any:
    """Return a JSON schema without properties as a function: LangChain would lose the rest."""
    if not isinstance(tool, dict) or "title" not in tool or tool.keys() & NOT_IN_A_SCHEMA:
        return tool
    if not tool.keys() & {"$ref", "allOf", *ALTERNATIVES}:
        return tool
    parameters = {**tool}
    name, description = parameters.pop("title"), parameters.pop("description", "")
    return {"name": name, "description": description, "parameters": parameters}


def _keep_references(tool: Any) -> Any:
    """Return a tool as a dict if LangChain would cut its types off, or repeat them endlessly."""
    model = tool.tool_call_schema if isinstance(tool, BaseTool) else tool
    if isinstance(model, type) and issubclass(model, BaseModel):
        schema = model.model_json_schema()
    elif isinstance(tool, BaseTool) and isinstance(model, dict):
        schema = model
    else:
        return tool
    if _count_inlined(schema) <= MAX_INLINED_PARTS:
        return tool
    parameters = {**resolve(schema, schema)}
    name, description = parameters.pop("title", ""), parameters.pop("description", "")
    if isinstance(tool, BaseTool):
        name, description = tool.name, tool.description or description
    return {"name": name, "description": description, "parameters": _without_titles(parameters)}


def _count_inlined(root: Schema) -> float:
    """Return how many parts a schema has without references; infinity if it is recursive."""
    counts: dict[str, float] = {}

    def count(value: Any) -> float:
        if isinstance(value, list):
            return 1 + sum(map(count, value))
        if not isinstance(value, dict):
            return 1
        ref = value.get("$ref")
        if isinstance(ref, str) and ref not in counts:
            counts[ref] = math.inf  # while it is counted
            counts[ref] = count(look_up(ref, root))
        return 1 + counts.get(str(ref), 0) + sum(map(count, value.values()))

    return count({key: root[key] for key in root if key not in {"$defs", "definitions"}})


def _get_aliases(tool: BaseTool) -> Mapping[str, str]:
    """Return the names that a tool takes its arguments under, by those in its signature.

    LangChain shows the fields of `args_schema` without their aliases, but validates with them.
    """
    model = tool.args_schema
    if not isinstance(model, type) or not issubclass(model, BaseModel):
        return {}
    config = model.model_config
    if config.get("populate_by_name") or config.get("validate_by_name"):
        return {}
    aliases = {}
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        taken = [choice for choice in choices if isinstance(choice, str)]
        if taken and name not in taken:
            aliases[name] = taken[0]
    return aliases


def _rename_arguments(openai_tool: dict[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    if not aliases:
        return openai_tool
    function = openai_tool["function"]
    parameters = {**function["parameters"]}
    parameters["properties"] = {
        aliases.get(name, name): schema for name, schema in get_properties(parameters).items()
    }
    if "required" in parameters:
        parameters["required"] = [aliases.get(name, name) for name in parameters["required"]]
    return {**openai_tool, "function": {**function, "parameters": parameters}}


def _set_strict(openai_tool: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    """Return a tool marked as strict or not; a strict one takes only declared arguments.

    LangChain's own option suits OpenAI: it makes every property required, and no mapping valid.
    """
    function = openai_tool.get("function")
    if not isinstance(function, dict):
        return openai_tool
    if function.get("strict", strict) != strict:
        raise ValueError(f"it has strict={function['strict']!r}, but strict={strict} is passed")
    return {**openai_tool, "function": {**function, "strict": strict}}


def _get_name(openai_tool: dict[str, Any]) -> str:
    function = openai_tool.get("function")
    if not isinstance(function, dict):
        raise ValueError(
            f"The tool {openai_tool!r:.200} is built into another provider "
            f"({openai_tool.get('type')!r}); Segmind has no built-in tools. Pass a function, a "
            "BaseTool, a pydantic class, or "
            "{'type': 'function', 'function': {'name': ..., 'parameters': ...}}."
        )
    name = function.get("name")
    if isinstance(name, str) and name.strip():
        return name
    raise ValueError(f"A tool has no name: {openai_tool!r:.200}")


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
    """Return the toolset of OpenAI's dicts; equal dicts share one object.

    Raises:
        ValueError: If a tool's schema is too large to be written.
    """
    try:
        return _create_toolset(json.dumps(openai_tools, default=str))
    except RecursionError:
        raise ValueError("A tool's schema is nested too deeply.") from None


@lru_cache
def _create_toolset(openai_tools: str) -> Toolset:
    toolset = Toolset(map(_create_tool, json.loads(openai_tools)), openai_tools)
    toolset.signatures  # noqa: B018 - a schema that is too large is refused before the first call
    return toolset


def _create_tool(openai_tool: Mapping[str, Any]) -> Tool:
    function = openai_tool["function"]
    root = function.get("parameters") or {}
    is_strict = bool(function.get("strict"))
    if is_strict:
        root = _close_objects({"properties": {}, **root})
    return Tool(
        name=function["name"],
        description=str(function.get("description") or ""),
        parameters=_merge_alternatives(root),
        root=root,
        strict=is_strict,
    )


def _close_objects(schema: Any) -> Any:
    """Return a schema whose objects have no other properties, unless it says so itself."""
    if not isinstance(schema, Mapping):
        return schema
    closed = dict(schema)
    for key, part in schema.items():
        if key in {"items", "additionalProperties", "then", "else"}:
            closed[key] = _close_objects(part)
        elif key in {"allOf", "anyOf", "oneOf", "prefixItems"} and isinstance(part, list):
            closed[key] = [*map(_close_objects, part)]
        elif key in MAPS_OF_SCHEMAS and isinstance(part, Mapping):
            closed[key] = {name: _close_objects(inner) for name, inner in part.items()}
    if "properties" in schema and "patternProperties" not in schema:
        closed.setdefault("additionalProperties", False)
    return closed


def _merge_alternatives(root: Schema) -> Schema:
    """Return a tool's parameters with the properties of all alternatives."""
    parameters = resolve(root, root)
    found: dict[str, dict[str, Any]] = {}
    for part in iterate_parts(root, root):
        for name, schema in get_properties(part).items():
            found.setdefault(name, {})[json.dumps(schema, sort_keys=True)] = schema
    merged = {
        name: next(iter(schemas.values())) if len(schemas) == 1 else {"anyOf": [*schemas.values()]}
        for name, schemas in found.items()
    }
    properties = {**merged, **get_properties(parameters)}
    return {**parameters, "properties": get_arguments({**parameters, "properties": properties})}
