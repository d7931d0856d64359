"""JSON schemas as tools carry them: where references lead, and which types are meant."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core import SchemaError

Schema = Mapping[str, Any]
"""A JSON schema, as an object."""

COMMON = ("properties", "required", "additionalProperties", "patternProperties")
"""What a schema may say beside its alternatives, for all of them."""

KEPT_PATTERNS = 256
"""Patterns that stay compiled."""

ANYTHING: Schema = {}
"""The schema that every value fits."""


def resolve(schema: Any, root: Schema) -> Schema:
    """Follow a schema's references and merge its `allOf`, so that its own keys say what it is.

    Args:
        schema: The schema; what is none, such as `True`, counts as "anything".
        root: The schema that references (`#/$defs/...`) start from.
    """
    if not isinstance(schema, Mapping):
        return ANYTHING
    if "$ref" not in schema and "allOf" not in schema:
        return schema
    found: list[Schema] = []
    followed: set[str] = set()
    pending = [schema]
    while pending:
        part = pending.pop()
        if not isinstance(part, Mapping):
            continue
        found.append(part)
        ref, parts = part.get("$ref"), part.get("allOf")
        if isinstance(ref, str) and ref not in followed:
            followed.add(ref)
            pending.append(look_up(ref, root))
        pending += parts if isinstance(parts, list) else []
    merged: dict[str, Any] = {}
    for part in reversed(found):
        properties = {**get_properties(merged), **get_properties(part)}
        required = [*get_required(merged), *get_required(part)]
        merged |= {key: value for key, value in part.items() if key not in {"$ref", "allOf"}}
        merged |= {"properties": properties} if properties else {}
        merged |= {"required": required} if required else {}
    return merged


def get_reference(schema: Any) -> str | None:
    """Get where a schema refers to, or None; an `allOf` of one part refers too."""
    if not isinstance(schema, Mapping):
        return None
    ref = schema.get("$ref")
    if ref is None and isinstance(parts := schema.get("allOf"), list) and len(parts) == 1:
        return get_reference(parts[0])
    return ref if isinstance(ref, str) else None


def look_up(ref: str, root: Schema) -> Schema:
    """Get what a reference such as `#/$defs/Address` leads to; an unknown one to "anything"."""
    if not ref.startswith("#"):
        return ANYTHING
    found: Any = root
    for step in ref.removeprefix("#").split("/")[1:]:
        key = unquote(step).replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else ANYTHING


def matches(pattern: Any, text: str) -> bool | None:
    """Tell whether a text matches a schema's pattern; None where the pattern cannot be read."""
    matcher = _create_matcher(pattern) if isinstance(pattern, str) else None
    if matcher is None:
        return None
    try:
        matcher.validate_python(text)
    except ValidationError:
        return False
    return True


@lru_cache(maxsize=KEPT_PATTERNS)
def _create_matcher(pattern: str) -> TypeAdapter[str] | None:
    # Unlike Python's own, pydantic's patterns take a time that is linear in the text: the pattern
    # is the tool's, but the text is the model's.
    try:
        return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])
    except SchemaError:
        return None


def get_alternatives(schema: Schema) -> list[Any]:
    """Get the schemas of which a value must fit one; empty where there is only the schema."""
    common = {key: schema[key] for key in COMMON if key in schema}
    for key in ("anyOf", "oneOf"):
        if isinstance(parts := schema.get(key), list):
            return [{"allOf": [common, part]} for part in parts] if common else list(parts)
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": name} for name in schema["type"]]
    return []


def get_choices(schema: Schema) -> list[Any] | None:
    """Get the only values that are allowed, or None where there is no such list."""
    if "const" in schema:
        return [schema["const"]]
    choices = schema.get("enum")
    return choices if isinstance(choices, list) else None


def get_type(schema: Schema) -> str | None:
    """Get a schema's one type, also where only its other keys give it away."""
    name = schema.get("type")
    if isinstance(name, str):
        return name
    if schema.keys() & {"properties", "patternProperties"} or isinstance(
        schema.get("additionalProperties"), Mapping
    ):
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else None


def get_properties(schema: Schema) -> Mapping[str, Any]:
    """Get an object's properties by name."""
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def get_required(schema: Schema) -> Sequence[str]:
    """Get the names of an object's properties that must be there."""
    required = schema.get("required")
    return (
        [name for name in required if isinstance(name, str)] if isinstance(required, list) else ()
    )


def get_other_schema(name: str, schema: Schema) -> Any:
    """Get the schema of a property that is not declared; False where there may be none."""
    patterns = schema.get("patternProperties")
    for pattern, found in patterns.items() if isinstance(patterns, Mapping) else ():
        if matches(pattern, name):
            return found
    others = schema.get("additionalProperties", True)
    return others if isinstance(others, Mapping) or others is False else ANYTHING
