"""JSON schemas: references, types, constraints."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from pydantic_core import SchemaError, SchemaValidator, core_schema

Schema = Mapping[str, Any]
ALTERNATIVES = ("anyOf", "oneOf")
COMMON = ("properties", "required", "additionalProperties", "patternProperties")
"""Keys beside `anyOf` and `oneOf` that hold for every alternative."""

PATTERN_CACHE_SIZE = 4096

MAX_NAME_CHARACTERS = 80
"""Characters of a property's name that are shown in a reason."""

MAX_CHOICES_SHOWN = 10
MAX_CHOICES_CHARACTERS = 200
"""Characters of the allowed values that are shown in a reason."""

ANYTHING: Schema = {}
"""The schema that every value matches."""


def resolve(schema: Any, root: Schema) -> Schema:
    """Return a schema with its references followed and its `allOf` merged.

    Args:
        schema: The schema; one that is not a mapping, such as `True`, matches anything.
        root: The schema that references (`#/$defs/...`) start from.
    """
    if not isinstance(schema, Mapping):
        return ANYTHING
    if "$ref" not in schema and "allOf" not in schema:
        return schema
    found = find_parts(schema, root)
    own = [part for part in found if part.keys() != {"$ref"}]
    if len(own) == 1 and own[0].keys().isdisjoint({"$ref", "allOf"}):
        return own[0]
    return merge(found)


def find_parts(schema: Any, root: Schema) -> list[Schema]:
    """Return a schema after all that its `$ref` and `allOf` lead to; later ones take precedence."""
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
    return [*reversed(found)]


def merge(parts: Sequence[Schema]) -> Schema:
    """Return one schema for all parts; the keys of later ones take precedence.

    Alternatives, required names, and the schemas of a property that several parts have, all count.
    """
    merged: dict[str, Any] = {}
    properties: dict[str, list[Any]] = {}
    required: dict[str, None] = {}
    for part in parts:
        alternatives = {
            key: [{"allOf": [{key: merged[key]}, one]} for one in part[key]]
            for key in ALTERNATIVES
            if isinstance(merged.get(key), list) and isinstance(part.get(key), list)
        }
        merged |= {key: value for key, value in part.items() if key not in {"$ref", "allOf"}}
        merged |= alternatives
        for name, schema in get_properties(part).items():
            if schema not in (known := properties.setdefault(name, [])):
                known.append(schema)
        required |= dict.fromkeys(get_required(part))
    if properties:
        merged["properties"] = {name: _unite(known) for name, known in properties.items()}
    merged |= {"required": [*required]} if required else {}
    return merged


def _unite(schemas: list[Any]) -> Any:
    """Return a schema for what must match all of them."""
    if any(schema is False for schema in schemas):
        return False
    return schemas[0] if len(schemas) == 1 else {"allOf": schemas}


def iterate_parts(schema: Any, root: Schema) -> Iterator[Schema]:
    """Yield a schema and every schema that applies, or can apply, to the same value.

    Each is yielded once, also if it refers to itself.
    """
    seen: set[int] = set()
    pending = [schema]
    while pending:
        part = pending.pop()
        if not isinstance(part, Mapping) or id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        inner = [part[key] for key in ("if", "then", "else") if key in part]
        for key in ("allOf", *ALTERNATIVES):
            inner += parts if isinstance(parts := part.get(key), list) else []
        if isinstance(dependent := part.get("dependentSchemas"), Mapping):
            inner += dependent.values()
        if isinstance(ref := part.get("$ref"), str):
            inner.append(look_up(ref, root))
        pending += reversed(inner)


def get_reference(schema: Any) -> str | None:
    """Return a schema's `$ref`, also from an `allOf` of one part; None if it has none."""
    if not isinstance(schema, Mapping):
        return None
    ref = schema.get("$ref")
    if ref is None and isinstance(parts := schema.get("allOf"), list) and len(parts) == 1:
        return get_reference(parts[0])
    return ref if isinstance(ref, str) else None


def look_up(ref: str, root: Schema) -> Schema:
    """Return the schema that a reference such as `#/$defs/Address` names; if unknown, any."""
    if not ref.startswith("#"):
        return ANYTHING
    found: Any = root
    for step in ref.removeprefix("#").split("/")[1:]:
        key = unquote(step).replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else ANYTHING


def matches(pattern: Any, text: str) -> bool | None:
    """Whether a text matches a schema's pattern; None if the pattern cannot be compiled."""
    matcher = _create_matcher(pattern) if isinstance(pattern, str) else None
    return None if matcher is None else matcher.isinstance_python(text)


@lru_cache(PATTERN_CACHE_SIZE)
def _create_matcher(pattern: str) -> SchemaValidator | None:
    # Unlike Python's `re`, pydantic's engine is linear in the text, which the model writes.
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError:
        return None


def get_alternatives(schema: Schema) -> list[Any]:
    """Return the alternatives of which a value must match one; empty if there are none."""
    common = {key: schema[key] for key in COMMON if key in schema}
    lists = {key: schema[key] for key in ALTERNATIVES if isinstance(schema.get(key), list)}
    if lists:
        _, parts = lists.popitem()
        common |= lists
        return [{"allOf": [common, part]} for part in parts] if common else [*parts]
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": name} for name in schema["type"]]
    return []


def get_choices(schema: Schema) -> list[Any] | None:
    """Return the only values that are allowed; None if any are."""
    if "const" in schema:
        return [schema["const"]]
    choices = schema.get("enum")
    return choices if isinstance(choices, list) else None


def get_type(schema: Schema) -> str | None:
    """Return a schema's single type, inferred from its other keys if it is not stated."""
    name = schema.get("type")
    if isinstance(name, str):
        return name
    if schema.keys() & {"properties", "patternProperties"} or isinstance(
        schema.get("additionalProperties"), Mapping
    ):
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else None


def get_properties(schema: Schema) -> Mapping[str, Any]:
    """Return an object's properties by name."""
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def get_arguments(schema: Schema) -> Mapping[str, Any]:
    """Return an object's properties by name, also required ones that it does not declare."""
    properties = get_properties(schema)
    undeclared = [name for name in get_required(schema) if name not in properties]
    others = {name: get_other_schema(name, schema) or ANYTHING for name in undeclared}
    return {**properties, **others} if others else properties


def get_required(schema: Schema) -> Collection[str]:
    """Return the names of an object's required properties, each once and in order."""
    required = schema.get("required")
    names = required if isinstance(required, list) else ()
    return {name: None for name in names if isinstance(name, str)}.keys()


def get_other_schema(name: str, schema: Schema) -> Any:
    """Return the schema of an undeclared property; False if none is allowed."""
    patterns = schema.get("patternProperties")
    for pattern, found in patterns.items() if isinstance(patterns, Mapping) else ():
        if matches(pattern, name):
            return found
    others = schema.get("additionalProperties", True)
    return others if isinstance(others, Mapping) or others is False else ANYTHING


def find_violated_constraint(value: Any, schema: Schema) -> str:
    """Return the constraint that a value of the right type violates, such as `minimum=5`.

    Empty if it violates none. Formats, such as `date`, are not checked; malformed constraints are
    ignored.
    """
    if isinstance(value, bool) or value is None:
        return ""
    checked_type = float if isinstance(value, int | float) else type(value)
    for key, check in CONSTRAINTS.get(checked_type, {}).items():
        if key in schema:
            try:
                if not check(value, schema[key]):
                    return f"{key}={schema[key]!r:.80}"
            except (TypeError, ValueError, ArithmeticError):
                continue
    return ""


def is_number(value: Any) -> bool:
    """Whether a value is a number in JSON."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def count_parts(whole: Any) -> int:
    """Return how many values a value consists of."""
    count, pending = 0, [whole]
    while pending:
        count += 1
        part = pending.pop()
        pending += (
            part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
        )
    return count


def locate(path: Iterable[str | int], reason: str) -> str:
    """Return a reason, prefixed with the path of the value that it is about."""
    steps = [" ".join(str(step).split())[:MAX_NAME_CHARACTERS] for step in path]
    return f"{'.'.join(steps)}: {reason}" if steps else reason


def describe_choices(choices: Sequence[Any]) -> str:
    """Return what was expected of a value that is none of the choices."""
    shown = ", ".join(map(repr, choices[:MAX_CHOICES_SHOWN]))
    return f"expected one of {shown:.{MAX_CHOICES_CHARACTERS}}"


def freeze(value: Any) -> Any:
    """Return what is equal and hashable for equal JSON values: 1 is 1.0, but not true."""
    if isinstance(value, dict):
        return frozenset((key, freeze(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(map(freeze, value))
    return (bool, value) if isinstance(value, bool) else value


def _is_multiple(number: float, of: Any) -> bool:
    if isinstance(number, int) and isinstance(of, int):
        return number % of == 0
    quotient = float(number / of)
    return abs(quotient - round(quotient)) <= 1e-9 * max(1, abs(quotient))


CONSTRAINTS: Mapping[type, Mapping[str, Callable[[Any, Any], bool]]] = {
    float: {
        "minimum": lambda number, limit: number >= limit,
        "exclusiveMinimum": lambda number, limit: number > limit,
        "maximum": lambda number, limit: number <= limit,
        "exclusiveMaximum": lambda number, limit: number < limit,
        "multipleOf": _is_multiple,
    },
    str: {
        "minLength": lambda text, limit: len(text) >= limit,
        "maxLength": lambda text, limit: len(text) <= limit,
        "pattern": lambda text, pattern: matches(pattern, text) is not False,
    },
    list: {
        "minItems": lambda items, limit: len(items) >= limit,
        "maxItems": lambda items, limit: len(items) <= limit,
        "uniqueItems": lambda items, is_set: not is_set or len({*map(freeze, items)}) == len(items),
    },
    dict: {
        "minProperties": lambda properties, limit: len(properties) >= limit,
        "maxProperties": lambda properties, limit: len(properties) <= limit,
    },
}
"""Checks by the type of the value and the key of the schema."""
