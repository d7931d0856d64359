"""Writes tools as signatures: Python types, with comments for what types cannot express."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_segmind._tools.json_schema import (
    Schema,
    get_alternatives,
    get_choices,
    get_properties,
    get_reference,
    get_required,
    get_type,
    look_up,
    resolve,
)
from langchain_segmind._tools.syntax import escape_tags, render_name, render_value
from langchain_segmind._tools.tools import Tool

MAX_DEPTH = 20
"""Levels of nested types; deeper ones are written as `any`."""

SCALARS = frozenset({"string", "integer", "number", "boolean", "null"})
"""Types that are written in place of a reference."""

TYPES: Mapping[str, str] = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "array": "list",
    "object": "dict",
}

CONSTRAINTS: Mapping[str, str] = {
    "format": "format {}",
    "pattern": "matches {}",
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minProperties": "at least {} keys",
    "maxProperties": "at most {} keys",
    "patternProperties": "other keys match {}",
    "examples": "such as {}",
    "example": "such as {}",
    "not": "not {}",
    "contentEncoding": "{}",
    "deprecated": "deprecated",
    "uniqueItems": "unique items",
}
"""How constraints are written in a comment, by the key of the schema."""

NOT_IN_A_NAME = re.compile(r"\W")

Comment = Sequence[str]
"""The lines of a comment, without the `#`."""


def render_tools(tools: Sequence[Tool]) -> str:
    """Return tools as signatures, below the types that they name."""
    names = TypeNames()
    return escape_tags(
        "\n".join(SignatureWriter(tool.root, names).render_tool(tool) for tool in tools)
    )


def render_schema(schema: Schema) -> str:
    """Return the type of a value, below the types that it names."""
    return escape_tags(SignatureWriter(schema, TypeNames()).render_value_type())


class TypeNames:
    """Unique names for the types that schemas refer to."""

    def __init__(self) -> None:
        self._schemas: dict[str, Any] = {}

    def get(self, ref: str, schema: Schema) -> tuple[str, bool]:
        """Return a type's name, and whether it is new."""
        wanted = name = NOT_IN_A_NAME.sub("_", ref.rsplit("/", 1)[-1]) or "Self"
        number = 1
        while name in self._schemas and self._schemas[name] != schema:
            number += 1
            name = f"{wanted}{number}"
        is_new = name not in self._schemas
        self._schemas[name] = schema
        return name, is_new


class SignatureWriter:
    """Writes the signatures of one schema and collects the types that they name.

    Attributes:
        definitions: The text of the named types.
    """

    def __init__(self, root: Schema, names: TypeNames) -> None:
        self.definitions: list[str] = []
        self._root = root
        self._names = names
        self._nesting = 0

    def render_tool(self, tool: Tool) -> str:
        """Return the types that a tool names, its description and its signature."""
        body = self._render_properties(tool.parameters, 1)
        signature = f"{render_name(tool.name)}({body})"
        return "\n".join(
            [*self.definitions, *_render_comment(tool.description.splitlines(), ""), signature]
        )

    def render_value_type(self) -> str:
        """Return the types that the whole schema names, its description and its type."""
        written = self.render_type(self._root)
        comment = _render_comment(self._get_comment(self._root), "")
        return "\n".join([*self.definitions, *comment, written])

    def render_type(self, schema: Any, indent: int = 0) -> str:
        """Return a schema as a type."""
        if self._nesting == MAX_DEPTH:
            return "any"
        self._nesting += 1
        try:
            return self._render_type(schema, resolve(schema, self._root), indent)
        finally:
            self._nesting -= 1

    def _render_type(self, schema: Any, resolved: Schema, indent: int) -> str:
        if ref := get_named_reference(schema, resolved):
            return self._render_name(ref)
        if (choices := get_choices(resolved)) is not None:
            return " | ".join(map(render_value, choices)) or "any"
        kind = get_type(resolved)
        if alternatives := get_alternatives(resolved):
            written = (self.render_type(alternative, indent) for alternative in alternatives)
            return " | ".join(dict.fromkeys(written))
        if kind == "array":
            return self._render_array(resolved, indent)
        if kind == "object":
            return self._render_object(resolved, indent)
        return TYPES.get(str(kind), "any")

    def _render_name(self, ref: str) -> str:
        schema = look_up(ref, self._root)
        name, is_new = self._names.get(ref, schema)
        if is_new:
            comment = _render_comment(self._get_comment(schema), "")
            definition = f"{name} = {self.render_type(schema)}"
            self.definitions.append("\n".join([*comment, definition]))
        return name

    def _render_array(self, schema: Schema, indent: int) -> str:
        if isinstance(schema.get("prefixItems"), list):
            items = (self.render_type(item, indent) for item in schema["prefixItems"])
            return f"[{', '.join(items)}]"
        if not schema.get("items"):
            return "list"
        return f"list[{self.render_type(schema['items'], indent)}]"

    def _render_object(self, schema: Schema, indent: int) -> str:
        if get_properties(schema):
            return f"{{{self._render_properties(schema, indent + 1)}}}"
        values = schema.get("additionalProperties")
        if isinstance(values, Mapping) and values:
            return f"dict[str, {self.render_type(values, indent)}]"
        return "dict"

    def _render_properties(self, schema: Schema, indent: int) -> str:
        pad = " " * indent
        lines = []
        for name, value in get_properties(schema).items():
            is_required = name in get_required(schema)
            first, *more = self._get_comment(value, show_default=is_required) or [""]
            entry = self._render_property(name, value, schema, indent)
            lines.append(f"{pad}{entry},{f' # {first}' if first else ''}")
            lines += _render_comment(more, pad)
        others = schema.get("additionalProperties")
        if others and (lines or others is not True):
            lines.append(f"{pad}**others: {self.render_type(others, indent)},")
        return "".join(f"\n{line}" for line in lines) + f"\n{pad[1:]}" if lines else ""

    def _render_property(self, name: str, schema: Any, parent: Schema, indent: int) -> str:
        resolved = resolve(schema, self._root)
        type_ = self.render_type(schema, indent)
        if name in get_required(parent):
            return f"{render_name(name)}: {type_}"
        if "default" in resolved:
            return f"{render_name(name)}: {type_} = {render_value(resolved['default'])}"
        return f"{render_name(name)}?: {type_}"

    def _get_comment(self, schema: Any, *, show_default: bool = False) -> Comment:
        """Return a schema's description, in its own lines, and its constraints."""
        description, *constraints = self._describe(schema, 0)
        resolved = resolve(schema, self._root)
        if show_default and "default" in resolved:
            constraints.append(f"default {render_value(resolved['default'])}")
        suffix = f" ({'; '.join(constraints)})" if constraints else ""
        return f"{description}{suffix}".strip().splitlines()

    def _describe(self, schema: Any, depth: int) -> list[str]:
        """Return a schema's description, which can be empty, followed by its constraints."""
        resolved = resolve(schema, self._root)
        if depth > MAX_DEPTH:
            return [""]
        if get_named_reference(schema, resolved):  # the constraints are written above its type
            resolved = {"description": schema.get("description")}
        phrases = [str(resolved.get("description") or "").strip()]
        for key, phrase in CONSTRAINTS.items():
            if (value := resolved.get(key)) is not None and value is not False:
                phrases.append(phrase.format(self._render_constraint(key, value)))
        for label, part in self._get_parts(resolved):
            if words := "; ".join(filter(None, self._describe(part, depth + 1))):
                phrases.append(f"{label}{words}")
        return phrases

    def _get_parts(self, schema: Schema) -> list[tuple[str, Any]]:
        """Return the inner schemas that have no line of their own, each with a label."""
        alternatives = [] if isinstance(schema.get("type"), list) else get_alternatives(schema)
        several = sum(get_type(resolve(part, self._root)) != "null" for part in alternatives) > 1
        parts = [(f"{self._get_label(part)}: " if several else "", part) for part in alternatives]
        if schema.get("items"):
            parts.append(("each: ", schema["items"]))
        if isinstance(schema.get("additionalProperties"), Mapping):
            parts.append(("each value: ", schema["additionalProperties"]))
        return parts

    def _get_label(self, schema: Any) -> str:
        """Return a short name of a type."""
        resolved = resolve(schema, self._root)
        short = str(resolved.get("title") or TYPES.get(str(get_type(resolved)), "any"))
        return self.render_type(schema) if get_choices(resolved) is not None else short

    def _render_constraint(self, key: str, value: Any) -> str:
        if key == "examples" and isinstance(value, list):
            return ", ".join(map(render_value, value))
        if key == "patternProperties" and isinstance(value, Mapping):
            return ", ".join(map(str, value))
        if key == "not":
            return self.render_type(value)
        return value if isinstance(value, str) else render_value(value)


def get_named_reference(schema: Any, resolved: Schema) -> str | None:
    """Return a schema's reference if its type is written once, under its own name."""
    is_short = get_choices(resolved) is not None or get_type(resolved) in SCALARS
    return None if is_short else get_reference(schema)


def _render_comment(lines: Comment, pad: str) -> list[str]:
    return [f"{pad}# {line.strip()}" for line in lines if line.strip()]
