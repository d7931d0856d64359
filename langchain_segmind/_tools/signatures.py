"""Writes tools as signatures: Python types, with comments for what types cannot express."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any

from langchain_segmind._tools.json_schema import (
    ALTERNATIVES,
    Schema,
    get_alternatives,
    get_arguments,
    get_choices,
    get_properties,
    get_reference,
    get_required,
    get_type,
    iterate_parts,
    look_up,
    resolve,
)
from langchain_segmind._tools.syntax import escape_tags, render_name, render_value

if TYPE_CHECKING:
    from langchain_segmind._tools.tools import Tool

MAX_DEPTH = 20
"""Levels of nested types; deeper ones are written as `any`."""

MAX_NODES = 50_000
"""Types and comments written for one schema."""

MAX_CHARACTERS = 400_000
"""Characters written for one schema: about what the model's 128,000 tokens hold."""

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
    "contains": "contains {}",
    "minContains": "at least {} of these",
    "maxContains": "at most {} of these",
    "propertyNames": "keys: {}",
    "dependentRequired": "{}",
    "if": "if {}",
    "contentEncoding": "{}",
    "deprecated": "deprecated",
    "uniqueItems": "unique items",
}
"""How constraints are written in a comment, by the key of the schema."""

ARGUMENT_CONSTRAINTS = (
    "minProperties",
    "maxProperties",
    "patternProperties",
    "not",
    "propertyNames",
    "dependentRequired",
    "if",
)
"""Constraints on the arguments of a tool as a whole."""

REQUIREMENT_KEYS = frozenset({"required", "type", "title", "description", "additionalProperties"})
"""Keys of an alternative that only requires some of the properties."""

NOT_IN_A_NAME = re.compile(r"\W")
LINE_BREAK = re.compile(r"\n *")

Comment = Sequence[str]
"""The lines of a comment, without the `#`."""


def render_tools(tools: Sequence["Tool"]) -> str:
    """Return tools as signatures, below the types that they name.

    Raises:
        ValueError: If a tool's schema is too large to be written.
    """
    names = TypeNames()
    return escape_tags("\n".join(_render_tool(tool, names) for tool in tools))


def _render_tool(tool: "Tool", names: "TypeNames") -> str:
    try:
        return SignatureWriter(tool.root, names).render_tool(tool)
    except (SchemaTooLargeError, RecursionError) as error:
        raise ValueError(
            f"The schema of the tool {tool.name!r:.200} cannot be written for the model: "
            f"{_explain(error)}. Simplify it, or split the tool."
        ) from None


def render_schema(schema: Schema) -> str:
    """Return the type of a value, below the types that it names.

    Raises:
        ValueError: If the schema is too large to be written.
    """
    try:
        return escape_tags(SignatureWriter(schema, TypeNames()).render_value_type())
    except (SchemaTooLargeError, RecursionError) as error:
        raise ValueError(
            f"The schema cannot be written for the model: {_explain(error)}."
        ) from None


def _explain(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


class SchemaTooLargeError(Exception):
    """A schema takes too much text; the message says which limit it passes."""


class TypeNames:
    """Unique names for the types that schemas refer to."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, str]] = {}
        self._taken: set[str] = set()
        self._keys: dict[int, str] = {}

    def get(self, ref: str, schema: Schema) -> tuple[str, bool]:
        """Return a type's name, and whether it is new."""
        wanted = NOT_IN_A_NAME.sub("_", ref.rsplit("/", 1)[-1].lstrip("#")) or "Self"
        names = self._names.setdefault(wanted, {})
        if id(schema) not in self._keys:
            self._keys[id(schema)] = json.dumps(schema, sort_keys=True, default=str)
        key = self._keys[id(schema)]
        if key in names:
            return names[key], False
        numbered = (f"{wanted}{number}" for number in count(max(2, len(names) + 1)))
        name = next(name for name in chain([wanted], numbered) if name not in self._taken)
        self._taken.add(name)
        names[key] = name
        return name, True


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
        self._nodes = 0
        self._characters = 0
        self._open: set[int] = set()
        self._recursive: dict[int, str] = {}
        self._resolved: dict[int, tuple[Any, Schema]] = {}
        self._undefined: set[str | None] = set()
        self._described: set[int] = set()

    def render_tool(self, tool: "Tool") -> str:
        """Return the types that a tool names, its description and its signatures.

        A tool with alternatives has a signature for each, or a comment if they only differ in
        what is required.
        """
        parameters = self._resolve(self._root)
        comment = self._write(tool.description).splitlines()
        if requirement := self._render_requirement(parameters):
            overloads = [parameters]
            comment.append(f"({requirement})")
        else:
            overloads = [*self._get_overloads(self._root)] or [parameters]
        if constraints := self._get_constraints(parameters, ARGUMENT_CONSTRAINTS):
            comment.append(f"({'; '.join(constraints)})")
        name = render_name(tool.name)
        bodies = dict.fromkeys(self._render_properties(schema, 1) for schema in overloads)
        signatures = [f"{name}({body})" for body in bodies]
        return "\n".join([*self.definitions, *_render_comment(comment, ""), *signatures])

    def _get_overloads(self, schema: Any, path: frozenset[int] = frozenset()) -> Iterator[Schema]:
        """Yield the alternatives of the arguments of a tool, which have none themselves.

        Args:
            schema: The arguments, or an alternative of them.
            path: The alternatives that contain it, by identity.
        """
        self._write()
        resolved = self._resolve(schema)
        alternatives = get_alternatives(resolved)
        if not alternatives and get_type(resolved) in {None, "object"}:
            yield resolved
        for alternative in alternatives:
            key = _identify(alternative)
            if key not in path and len(path) < MAX_DEPTH:
                yield from self._get_overloads(alternative, path | {key})

    def _render_requirement(self, parameters: Schema) -> str:
        """Return a comment for alternatives that only require properties; empty for others."""
        keys = [key for key in ALTERNATIVES if isinstance(parameters.get(key), list)]
        parts = parameters[keys[0]] if len(keys) == 1 else []
        is_requirement = parts and all(
            isinstance(part, Mapping)
            and part.keys() <= REQUIREMENT_KEYS
            and get_properties(parameters).keys() >= {*get_required(part)}
            for part in parts
        )
        if not is_requirement:
            return ""
        common = get_required(parameters)
        choices = dict.fromkeys(
            " and ".join(render_name(name) for name in get_required(part) if name not in common)
            for part in parts
        )
        how_many = "at least one" if keys == ["anyOf"] else "exactly one"
        text = f"give {how_many} of: {' | '.join(choices)}" if all(choices) else ""
        return self._write(text)

    def render_value_type(self) -> str:
        """Return the types that the whole schema names, its description and its type."""
        written = self.render_type(self._root)
        comment = _render_comment(self._get_comment(self._root), "")
        return "\n".join([*self.definitions, *comment, written])

    def render_type(self, schema: Any, indent: int = 0) -> str:
        """Return a schema as a type; one that is being written already by its name."""
        self._write()
        key = _identify(schema)
        if key in self._recursive:
            return self._recursive[key]
        if key in self._open:
            refs = (part.get("$ref") for part in iterate_parts(schema, self._root))
            ref = next((ref for ref in refs if isinstance(ref, str)), "Type")
            self._recursive[key], is_new = self._names.get(ref, schema)
            self._undefined |= {self._recursive[key]} if is_new else set()
            return self._recursive[key]
        if self._nesting == MAX_DEPTH:
            return "any"
        self._nesting += 1
        self._open.add(key)
        try:
            written = self._render_type(schema, self._resolve(schema), indent)
        finally:
            self._nesting -= 1
            self._open.discard(key)
        name = self._recursive.get(key)
        if name in self._undefined:
            self._undefined.remove(name)
            self.definitions.append(f"{name} = {written}".replace(f"\n{' ' * indent}", "\n"))
        return name or written

    def _resolve(self, schema: Any) -> Schema:
        if id(schema) not in self._resolved:  # the schema is kept, so its id is not used again
            resolved = resolve(schema, self._root)
            self._resolved[id(schema)] = schema, resolved
            if isinstance(schema, Mapping) and schema.keys() == {"allOf"}:
                self._nodes += 5 + len(get_properties(resolved))  # the work of merging
        return self._resolved[id(schema)][1]

    def _write(self, text: str = "") -> str:
        """Return a text, counted as a part of the schema.

        Raises:
            SchemaTooLargeError: If there are too many parts or characters.
        """
        self._nodes += 1
        self._characters += len(text)
        if self._nodes > MAX_NODES:
            raise SchemaTooLargeError(f"it has more than {MAX_NODES:,} parts when written out")
        if self._characters > MAX_CHARACTERS:
            raise SchemaTooLargeError(f"it takes more than {MAX_CHARACTERS:,} characters")
        return text

    def _render_type(self, schema: Any, resolved: Schema, indent: int) -> str:
        if ref := get_named_reference(schema, resolved):
            return self._render_name(ref)
        if (choices := get_choices(resolved)) is not None:
            return self._write(" | ".join(map(render_value, choices)) or "any")
        kind = get_type(resolved)
        alternatives = [] if self._render_requirement(resolved) else get_alternatives(resolved)
        if alternatives:
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
        return self._write(name)

    def _render_array(self, schema: Schema, indent: int) -> str:
        if isinstance(schema.get("prefixItems"), list):
            items = (self.render_type(item, indent) for item in schema["prefixItems"])
            return f"[{', '.join(items)}]"
        if not schema.get("items"):
            return "list"
        return f"list[{self.render_type(schema['items'], indent)}]"

    def _render_object(self, schema: Schema, indent: int) -> str:
        if get_arguments(schema):
            return f"{{{self._render_properties(schema, indent + 1)}}}"
        values = schema.get("additionalProperties")
        if isinstance(values, Mapping) and values:
            return f"dict[str, {self.render_type(values, indent)}]"
        return "dict"

    def _render_properties(self, schema: Schema, indent: int) -> str:
        pad = " " * indent
        lines = []
        required = get_required(schema)
        for name, value in get_arguments(schema).items():
            first, *more = self._get_comment(value, show_default=name in required) or [""]
            entry = self._render_property(name, value, indent, is_required=name in required)
            lines.append(f"{pad}{entry},{f' # {first}' if first else ''}")
            lines += _render_comment(more, pad)
        others = schema.get("additionalProperties")
        if others and (lines or others is not True):
            lines.append(f"{pad}**others: {self.render_type(others, indent)},")
        return "".join(f"\n{line}" for line in lines) + f"\n{pad[1:]}" if lines else ""

    def _render_property(self, name: str, schema: Any, indent: int, *, is_required: bool) -> str:
        name = self._write(render_name(name))
        type_ = self.render_type(schema, indent)
        if is_required:
            return f"{name}: {type_}"
        resolved = self._resolve(schema)
        if "default" in resolved:
            return f"{name}: {type_} = {self._write(render_value(resolved['default']))}"
        return f"{name}?: {type_}"

    def _get_comment(self, schema: Any, *, show_default: bool = False) -> Comment:
        """Return a schema's description, in its own lines, and its constraints."""
        description, *constraints = self._describe(schema, 0)
        resolved = self._resolve(schema)
        if show_default and "default" in resolved:
            constraints.append(self._write(f"default {render_value(resolved['default'])}"))
        suffix = f" ({'; '.join(constraints)})" if constraints else ""
        return f"{description}{suffix}".strip().splitlines()

    def _describe(self, schema: Any, depth: int) -> list[str]:
        """Return a schema's description, which can be empty, followed by its constraints."""
        key = _identify(schema)
        if depth > MAX_DEPTH or key in self._described or key in self._recursive:
            return [""]
        resolved = self._resolve(schema)
        if get_named_reference(schema, resolved):  # the constraints are written above its type
            resolved = {"description": schema.get("description")}
        phrases = [self._write(str(resolved.get("description") or "").strip())]
        phrases += self._get_constraints(resolved, CONSTRAINTS)
        if requirement := self._render_requirement(resolved):
            phrases.append(requirement)
            return phrases
        self._described.add(key)
        for label, part in self._get_parts(resolved):
            if words := "; ".join(filter(None, self._describe(part, depth + 1))):
                phrases.append(f"{label}{words}")
        self._described.discard(key)
        return phrases

    def _get_constraints(self, schema: Schema, keys: Iterable[str]) -> list[str]:
        """Return a resolved schema's constraints, as far as they have one of the keys."""
        if schema.keys().isdisjoint(keys):
            return []
        return [
            self._write(CONSTRAINTS[key].format(words))
            for key in keys
            if (value := schema.get(key)) is not None
            and value is not False
            and (words := self._render_constraint(key, value, schema))
        ]

    def _get_parts(self, schema: Schema) -> Iterator[tuple[str, Any]]:
        """Yield the inner schemas that have no line of their own, each with a label."""
        alternatives = [] if isinstance(schema.get("type"), list) else get_alternatives(schema)
        others = (part for part in alternatives if not self._is_null(part))
        several = len([*islice(others, 2)]) > 1
        for part in alternatives:
            yield (f"{self._get_label(part)}: " if several else ""), part
        if schema.get("items"):
            yield "each: ", schema["items"]
        if isinstance(schema.get("additionalProperties"), Mapping):
            yield "each value: ", schema["additionalProperties"]

    def _is_null(self, schema: Any) -> bool:
        return get_type(self._resolve(schema)) == "null"

    def _get_label(self, schema: Any) -> str:
        """Return a short name of a type."""
        resolved = self._resolve(schema)
        short = str(resolved.get("title") or TYPES.get(str(get_type(resolved)), "any"))
        return self.render_type(schema) if get_choices(resolved) is not None else short

    def _render_constraint(self, key: str, value: Any, schema: Schema) -> str:
        """Return what is written for a constraint; empty if that says nothing."""
        written = value if isinstance(value, str) else None
        match key, value:
            case "examples", list():
                written = ", ".join(map(render_value, value))
            case "patternProperties", Mapping():
                written = ", ".join(map(str, value))
            case "dependentRequired", Mapping():
                written = _render_dependencies(value)
            case "if", _:
                branches = [key for key in ("then", "else") if key in schema]
                words = [f"{key} {self._render_inline(schema[key])}" for key in branches]
                written = " ".join([self._render_inline(value), *words]) if words else ""
            case (("not" | "contains" | "propertyNames"), _):
                written = self._render_inline(value)
                if key == "propertyNames" and written in {"str", "any"}:  # as all names are
                    written = ""
        return render_value(value) if written is None else written

    def _render_inline(self, schema: Any) -> str:
        """Return a type and its constraints in few words."""
        written = LINE_BREAK.sub(" ", self.render_type(schema))
        key = _identify(schema)
        if key in self._described:
            return written
        self._described.add(key)
        resolved = self._resolve(schema)
        constraints = self._get_constraints(resolved, CONSTRAINTS)
        self._described.discard(key)
        if not get_properties(resolved) and (required := get_required(resolved)):
            constraints.append(f"with {' and '.join(map(render_name, required))}")
        return ", ".join([*([] if constraints and written == "any" else [written]), *constraints])


def _identify(schema: Any) -> int:
    """Return what is equal for one place in a schema, also among other alternatives' wrappers."""
    while isinstance(schema, Mapping) and schema.keys() == {"allOf"}:
        parts = schema["allOf"]
        if not isinstance(parts, list) or not parts:
            break
        schema = parts[-1]
    return id(schema) if isinstance(schema, Mapping) else 0


def get_named_reference(schema: Any, resolved: Schema) -> str | None:
    """Return a schema's reference if its type is written once, under its own name."""
    is_short = get_choices(resolved) is not None or get_type(resolved) in SCALARS
    return None if is_short else get_reference(schema)


def _render_dependencies(needed: Mapping[str, Any]) -> str:
    names = {
        name: [render_name(other) for other in others if isinstance(other, str)]
        for name, others in needed.items()
        if isinstance(others, list)
    }
    return "; ".join(
        f"{render_name(name)} needs {' and '.join(others)}"
        for name, others in names.items()
        if others
    )


def _render_comment(lines: Comment, pad: str) -> list[str]:
    return [f"{pad}# {line.strip()}" for line in lines if line.strip()]
