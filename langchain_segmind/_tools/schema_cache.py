"""Resolved schemas: what applies to a value, found out once for each schema.

A value is compared with the same schema many times, and alternatives refer to each other. So every
schema is resolved once for its root, and two schemas of the same parts are one object.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from langchain_segmind._tools.json_schema import (
    ALTERNATIVES,
    Schema,
    find_parts,
    freeze,
    get_choices,
    get_properties,
    get_required,
    get_type,
    matches,
    merge,
)

MAX_SCHEMAS = 50_000
"""Schemas that are kept for one root; more are resolved anew each time."""

MAX_ALTERNATIVES = 20_000
"""Alternatives of one schema: those of several parts multiply."""

DECIMAL = "x-decimal"
"""Key of a schema for the digits of a decimal number."""

Parts = tuple[Schema, ...]


class ResolvedSchema:
    """A schema with its references followed and its parts merged.

    Attributes:
        parts: The parts that apply to a value; later ones take precedence.
    """

    def __init__(self, cache: "SchemaCache", parts: Parts) -> None:
        self._cache = cache
        self.parts = parts

    @cached_property
    def schema(self) -> Schema:
        """The parts as one schema."""
        return self.parts[0] if len(self.parts) == 1 else merge(self.parts)

    @cached_property
    def type(self) -> str | None:
        """The only type; None for any."""
        return get_type(self.schema)

    @cached_property
    def properties(self) -> Mapping[str, Any]:
        """An object's properties by name."""
        return get_properties(self.schema)

    @cached_property
    def required(self) -> Sequence[str]:
        """The names of an object's required properties, in order."""
        return tuple(get_required(self.schema))

    @cached_property
    def choices(self) -> Sequence[Any] | None:
        """The only values that are allowed; None for any."""
        return get_choices(self.schema)

    @cached_property
    def choices_by_value(self) -> Mapping[Any, Any]:
        """The first of equal choices, by what `freeze` returns for it."""
        return {freeze(choice): choice for choice in reversed(self.choices or ())}

    @cached_property
    def alternatives(self) -> "Sequence[ResolvedSchema] | None":
        """The schemas of which a value must match one, none of which has alternatives itself.

        None if the schema has no alternatives; empty if it has too many, or none can be matched.
        """
        return self._cache.find_alternatives(self)

    @cached_property
    def has_several_types(self) -> bool:
        """Whether more than one of the alternatives is not null."""
        return sum(one.type != "null" for one in self.alternatives or ()) > 1

    @cached_property
    def needed(self) -> Sequence[str]:
        """The names of the required properties that have no default."""
        declared = {name: self._cache.resolve(self.properties.get(name)) for name in self.required}
        return [name for name, one in declared.items() if "default" not in one.schema]

    @cached_property
    def fixed_texts(self) -> Mapping[str, Collection[str]]:
        """The texts that are allowed for each property that is nothing but one of some texts."""
        found: dict[str, Collection[str]] = {}
        for name, declared in self.properties.items():
            property_ = self._cache.resolve(declared)
            choices = property_.choices or ()
            is_text = choices and all(isinstance(choice, str) for choice in choices)
            if is_text and property_.alternatives is None and property_.type in {None, "string"}:
                found[name] = frozenset(choices)
        return found

    @cached_property
    def types(self) -> frozenset[str]:
        """The types of all alternatives; empty if any type is allowed."""
        types = set()
        for one in [self] if self.alternatives is None else self.alternatives:
            if one.choices:
                types |= {
                    "string" if isinstance(choice, str) else "number" for choice in one.choices
                }
            elif one.type:
                types.add(one.type)
            else:
                return frozenset()
        return frozenset(types)

    def keeps_digits(self, number: str) -> bool:
        """Whether a number may be given as text, because a Decimal is made from it."""
        texts = [one.schema for one in self.alternatives or () if one.type == "string"]
        return any(
            DECIMAL in text or ("pattern" in text and matches(text["pattern"], number) is not False)
            for text in texts
        )


class SchemaCache:
    """Resolves the schemas of a root, each once. Safe to share between threads.

    Args:
        root: The schema that references (`#/$defs/...`) start from.
    """

    def __init__(self, root: Schema) -> None:
        self.root = root
        self._by_id: dict[int, tuple[Any, ResolvedSchema]] = {}
        self._by_parts: dict[frozenset[int], ResolvedSchema] = {}
        self._derived: dict[tuple[int, str], tuple[Schema | list[Any], Schema]] = {}
        self._choices: dict[int, tuple[Any, frozenset[Any]]] = {}

    def resolve(self, schema: Any) -> ResolvedSchema:
        """Return a schema, resolved; one that is not a mapping matches anything."""
        # The schema is kept, so its id is not used again.
        if known := self._by_id.get(id(schema)):
            return known[1]
        resolved = self._get(self._find_parts(schema))
        if len(self._by_id) < MAX_SCHEMAS and isinstance(schema, Mapping):
            self._by_id[id(schema)] = schema, resolved
        return resolved

    def freeze_choices(self, choices: list[Any]) -> frozenset[Any]:
        """Return what `freeze` returns for each of the choices."""
        if known := self._choices.get(id(choices)):
            return known[1]
        frozen = frozenset(map(freeze, choices))
        if len(self._choices) < MAX_SCHEMAS:
            self._choices[id(choices)] = choices, frozen
        return frozen

    def find_alternatives(self, resolved: ResolvedSchema) -> Sequence[ResolvedSchema] | None:
        """Return a schema's alternatives, and theirs in place of those that have some."""
        found: list[ResolvedSchema] = []
        seen: dict[frozenset[int], Parts] = {}  # with the parts, so their ids are not used again
        pending = [resolved.parts]
        while pending:
            parts = pending.pop()
            if (key := _get_key(parts)) in seen:
                continue
            seen[key] = parts
            options = self._split(parts)
            if options is None:
                if len(seen) == 1:
                    return None
                found.append(self._get(parts))
            else:
                pending += reversed(options)
            if len(found) > MAX_ALTERNATIVES or len(seen) > 2 * MAX_ALTERNATIVES:
                return []
        return found

    def _split(self, parts: Parts) -> list[Parts] | None:
        """Return the alternatives of the last part that has any, each with the other parts."""
        for index, part in reversed([*enumerate(parts)]):
            for key in reversed(ALTERNATIVES):
                if isinstance(options := part.get(key), list) and options:
                    others = (*parts[:index], self._without(part, key), *parts[index + 1 :])
                    return [
                        _unite((*others, *self._find_parts(option)))
                        for option in options
                        if option is not False
                    ]
        names = next((part["type"] for part in reversed(parts) if "type" in part), None)
        if not isinstance(names, list) or not names:
            return None
        return [(*parts, self._derive(names, str(name), {"type": name})) for name in names]

    def _find_parts(self, schema: Any) -> Parts:
        return _unite(
            self._without(self._without(part, "$ref"), "allOf")
            for part in find_parts(schema, self.root)
        )

    def _without(self, schema: Schema, key: str) -> Schema:
        if key not in schema:
            return schema
        return self._derive(
            schema, key, {name: value for name, value in schema.items() if name != key}
        )

    def _derive(self, source: Schema | list[Any], key: str, derived: Schema) -> Schema:
        """Return what was derived from a schema before, or else this."""
        if len(self._derived) >= MAX_SCHEMAS:
            return self._derived.get((id(source), key), (source, derived))[1]
        return self._derived.setdefault((id(source), key), (source, derived))[1]

    def _get(self, parts: Parts) -> ResolvedSchema:
        key = _get_key(parts)
        if known := self._by_parts.get(key):
            return known
        resolved = ResolvedSchema(self, parts or ({},))
        if len(self._by_parts) < MAX_SCHEMAS:
            return self._by_parts.setdefault(key, resolved)
        return resolved


def _get_key(parts: Parts) -> frozenset[int]:
    return frozenset(map(id, parts))


def _unite(parts: Iterable[Schema]) -> Parts:
    """Return the parts that say something, each once: the last of equal ones."""
    unique = {id(part): part for part in reversed([*parts]) if part}
    return tuple(reversed(unique.values()))
