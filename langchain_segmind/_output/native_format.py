"""OpenAI's `response_format`, as the makers' APIs accept it.

OpenAI holds a reply to a schema only with `strict`, which it takes for closed schemas only; Claude
refuses open objects in any case. So objects are closed where that changes nothing that the prompt
describes, and keys that narrow values further, such as `minimum`, are left out: the prompt has
them, and every reply is checked against the whole schema.

Sources:
    - https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    - https://docs.anthropic.com/en/docs/build-with-claude/structured-outputs
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_segmind._output.response_format import ResponseFormat
from langchain_segmind._tools import get_reference, resolve

MAX_NAME_CHARACTERS = 64
DEFAULT_NAME = "answer"

TYPE_NAMES: Mapping[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
"""The types of a schema's constants."""

SCALARS = frozenset(TYPE_NAMES.values())
DEFINITIONS = ("$defs", "definitions")
ALTERNATIVES = ("anyOf", "oneOf")

FORMATS = frozenset(
    {
        "date",
        "date-time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "time",
        "uuid",
    }
)
"""Formats of strings that the makers know."""

CONDITIONS = frozenset(
    {
        "$dynamicRef",
        "allOf",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "if",
        "not",
        "patternProperties",
        "prefixItems",
        "propertyNames",
        "then",
        "unevaluatedProperties",
    }
)
"""Keys that strict schemas cannot have, and without which a schema means something else."""


class OpenSchemaError(Exception):
    """A schema cannot be closed."""


def create_native_format(wanted: ResponseFormat) -> dict[str, Any] | None:
    """Return a format as OpenAI's `response_format`; None for a schema that it cannot hold.

    A schema must be that of an object, and JSON. `strict` is set if it can be closed and has no
    optional property; on request, optional properties become required.
    """
    if wanted.schema is None:
        return {"type": "json_object"}
    root = dict(resolve(wanted.schema, wanted.schema))
    if _get_type(root) != "object" or not root.keys().isdisjoint(ALTERNATIVES):
        return None
    name = re.sub(r"[^A-Za-z0-9_-]", "_", wanted.name)[:MAX_NAME_CHARACTERS]
    named: dict[str, Any] = {"name": name or DEFAULT_NAME, "schema": {"type": "object", **root}}
    try:
        closer = _Closer(requires_all=wanted.strict is True)
        named["schema"] = closer.close_root(root)
        if wanted.strict is not False and not closer.has_optional:
            named["strict"] = True
    except (OpenSchemaError, RecursionError, TypeError, AttributeError):
        pass  # it is open, or malformed
    try:
        json.dumps(named, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return {"type": "json_schema", "json_schema": named}


@dataclass
class _Closer:
    """Closes the objects of a schema.

    Attributes:
        requires_all: Whether properties that can be left out become required.
        has_optional: Whether a property can be left out.
    """

    requires_all: bool
    has_optional: bool = False

    def close_root(self, root: Mapping[str, Any]) -> dict[str, Any]:
        """Return a schema with its definitions.

        Raises:
            OpenSchemaError: It cannot be closed.
        """
        closed = self._close({key: root[key] for key in root if key not in DEFINITIONS})
        for key in DEFINITIONS:
            if definitions := root.get(key):
                closed[key] = {name: self._close(part) for name, part in definitions.items()}
        return closed

    def _close(self, schema: Any) -> dict[str, Any]:
        if not isinstance(schema, Mapping):
            raise OpenSchemaError
        if ref := get_reference(schema):
            # No other key may stand beside it.
            if ref == "#" or ref.startswith(tuple(f"#/{key}/" for key in DEFINITIONS)):
                return {"$ref": ref}
            raise OpenSchemaError
        if not CONDITIONS.isdisjoint(schema):
            raise OpenSchemaError
        closed = {key: schema[key] for key in ("description", "enum") if key in schema}
        if "const" in schema:
            closed["enum"] = [schema["const"]]
        if alternatives := [part for key in ALTERNATIVES for part in schema.get(key, ())]:
            if not schema.keys().isdisjoint({"properties", "items", "enum", "const"}):
                raise OpenSchemaError
            return closed | {"anyOf": [self._close(part) for part in alternatives]}
        return closed | self._close_type(schema)

    def _close_type(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        closed = {"type": _get_type(schema)}
        types = closed["type"] if isinstance(closed["type"], list) else [closed["type"]]
        if not types or not {*types} <= SCALARS | {"object", "array"}:
            raise OpenSchemaError
        if "array" in types:
            closed["items"] = self._close(schema.get("items"))
        if "object" in types:
            closed |= self._close_object(schema)
        if schema.get("format") in FORMATS:
            closed["format"] = schema["format"]
        return closed

    def _close_object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        properties = schema.get("properties")
        if schema.get("additionalProperties", False) is not False:
            raise OpenSchemaError
        if not isinstance(properties, Mapping):
            raise OpenSchemaError
        if not {*schema.get("required", ())} <= properties.keys():
            raise OpenSchemaError  # nothing would match
        required = [name for name in properties if self._is_required(name, schema)]
        self.has_optional |= len(required) < len(properties)
        closed = {name: self._close(part) for name, part in properties.items()}
        return {"properties": closed, "required": required, "additionalProperties": False}

    def _is_required(self, name: str, schema: Mapping[str, Any]) -> bool:
        """Whether a property is required, or null means that it is left out."""
        if self.requires_all or name in schema.get("required", ()):
            return True
        part = schema["properties"][name]
        return isinstance(part, Mapping) and part.get("default", "") is None and _takes_null(part)


def _takes_null(schema: Mapping[str, Any]) -> bool:
    return "null" in schema.get("type", ()) or any(
        isinstance(part, Mapping) and part.get("type") == "null" for part in schema.get("anyOf", ())
    )


def _get_type(schema: Mapping[str, Any]) -> Any:
    """Return the type or types of a schema, from its constants if it has none."""
    if "type" in schema:
        return schema["type"]
    if "properties" in schema:
        return "object"
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    names = {TYPE_NAMES.get(type(value), "") for value in values}
    return names.pop() if len(names) == 1 else sorted(names)
