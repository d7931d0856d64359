"""Checks values against all of JSON Schema that matters for arguments.

Source: https://json-schema.org/draft/2020-12/json-schema-validation
"""

import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import chain, islice
from typing import Any

from pydantic import AnyUrl, TypeAdapter

from langchain_segmind._tools.coercion import Coerced
from langchain_segmind._tools.json_schema import (
    ALTERNATIVES,
    MAX_CHOICES_CHARACTERS,
    MAX_NAME_CHARACTERS,
    Schema,
    count_parts,
    describe_choices,
    find_violated_constraint,
    freeze,
    get_properties,
    get_required,
    is_number,
    iterate_parts,
    locate,
    look_up,
    matches,
)
from langchain_segmind._tools.schema_cache import SchemaCache

MAX_DEPTH = 100
"""Levels of nested values and schemas."""

MAX_CHECKS = 50_000
"""Schemas that a value is checked against. Values of many parts get more."""

MAX_CHECKS_PER_PART = 20

MAX_REASONS = 10
"""Reasons that are returned."""


TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: is_number(value) and (isinstance(value, int) or value.is_integer()),
    "number": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}

Names = tuple[frozenset[str], ...]
"""Names of properties, those of outer schemas first."""

Path = tuple[str | int, ...]
Violation = tuple[Path, str]
"""Where a value does not match, and why."""


def find_problem(coerced: Coerced, schemas: SchemaCache) -> str:
    """Return why a coerced value does not match the root of its schemas; empty if it does."""
    violations = find_violations(coerced.value, schemas.root, schemas)
    return "; ".join(violations) or (coerced.problem if coerced.is_complete else "")


def find_violations(value: Any, schema: Any, schemas: SchemaCache) -> list[str]:
    """Return where and why a value does not match a schema; empty if it does.

    Reasons, such as `unit: expected one of 'C', 'F'`, quote the schema and never the value.
    Unknown formats and malformed constraints are ignored. `additionalProperties: false` leaves the
    properties of all schemas for the same object allowed: otherwise no object could match.

    Args:
        value: The value: JSON.
        schema: The schema.
        schemas: The cache of the schema that references (`#/$defs/...`) start from.
    """
    try:
        found = Validator(schemas, value).find(value, schema)
    except _TooManyChecksError:
        return ["too many alternatives to check"]
    except RecursionError:
        return ["nested too deeply"]
    return [locate(path, reason) for path, reason in found]


class _TooManyChecksError(Exception):
    """Nested alternatives multiply beyond what can be checked."""


class Validator:
    """Checks a value against schemas that share a root.

    Args:
        schemas: The cache of the root.
        whole: The whole value. The more parts it has, the more checks are made.
    """

    def __init__(self, schemas: SchemaCache, whole: Any) -> None:
        self._schemas = schemas
        self._root = schemas.root
        self._checks_left = max(MAX_CHECKS, MAX_CHECKS_PER_PART * count_parts(whole))
        self._known: dict[tuple[int, int, Names, int], list[Violation]] = {}
        self._declared: dict[tuple[int, bool], frozenset[str]] = {}
        self._depth = 0

    def find(
        self, value: Any, schema: Any, outer: Names = (), limit: int = MAX_REASONS
    ) -> list[Violation]:
        """Return the first violations of a schema.

        Args:
            value: The value.
            schema: The schema.
            outer: The properties that the schemas around this one declare for the same object.
            limit: How many.
        """
        self._count()
        if schema is False:
            return [((), "value is not allowed here")]
        if not isinstance(schema, Mapping):
            return []
        # Values and schemas live as long as the check, so their identities are unique.
        key = (id(value), id(schema), outer, limit)
        if key in self._known:
            return self._known[key]
        if self._depth == MAX_DEPTH:
            return [((), "nested too deeply")]
        self._known[key] = []  # a schema that refers to itself for the same value adds nothing
        self._depth += 1
        try:
            self._known[key] = [*islice(self._iterate(value, schema, outer), limit)]
        finally:
            self._depth -= 1
        return self._known[key]

    def _count(self, number: int = 1) -> None:
        self._checks_left -= number
        if self._checks_left < 0:
            raise _TooManyChecksError

    def _iterate(self, value: Any, schema: Schema, outer: Names) -> Iterator[Violation]:
        """Yield the violations of a schema's own keys, then those of its parts."""
        if len(schema) == 1 and isinstance(ref := schema.get("$ref"), str):
            yield from self.find(value, look_up(ref, self._root), outer)
            return
        inner = outer
        yield from self._check_scalar(value, schema)
        if isinstance(value, dict):
            inner = _add(outer, self._get_declared(schema))
            yield from self._check_object(value, schema, inner)
        elif isinstance(value, list):
            yield from self._check_array(value, schema)
        if isinstance(ref := schema.get("$ref"), str):
            yield from self.find(value, look_up(ref, self._root), inner)
        for part in _get_list(schema, "allOf"):
            yield from self.find(value, part, inner)
        for key in ALTERNATIVES:
            if isinstance(schema.get(key), list):
                own = self._get_declared(schema, with_alternatives=False)
                alternatives = _add(outer, own) if isinstance(value, dict) else outer
                yield from self._check_alternatives(value, key, schema[key], alternatives)
        if "not" in schema and not self.find(value, schema["not"], inner, 1):
            yield (), "must not match `not`"
        if "if" in schema:
            branch = "else" if self.find(value, schema["if"], inner, 1) else "then"
            yield from self.find(value, schema.get(branch, True), inner)

    def _check_alternatives(
        self, value: Any, key: str, parts: list[Any], outer: Names
    ) -> Iterator[Violation]:
        failures, matched = [], 0
        types = [part for part in parts if not _is_null(part)]
        for part in parts:
            # Reasons are shown if there is only one type; of several, the first failure decides.
            found = self.find(value, part, outer, MAX_REASONS if len(types) == 1 else 1)
            matched += not found
            if matched > (key == "oneOf"):
                break
            if found and not _is_null(part):
                failures.append(found)
        if matched > 1:
            yield (), "matches several of the types of which it must match one"
        elif not matched and len(failures) == 1:
            yield from failures[0]
        elif not matched:
            yield (), "matches none of the allowed types"

    def _get_declared(self, schema: Schema, *, with_alternatives: bool = True) -> frozenset[str]:
        """Return the properties that a schema and its parts declare."""
        key = (id(schema), with_alternatives)
        if key not in self._declared:
            keys = schema.keys() - (() if with_alternatives else ALTERNATIVES)
            parts = iterate_parts({key: schema[key] for key in keys}, self._root)
            names = ({*get_properties(part), *get_required(part)} for part in parts)
            self._declared[key] = frozenset(chain.from_iterable(names))
        return self._declared[key]

    def _check_scalar(self, value: Any, schema: Schema) -> Iterator[Violation]:
        types = schema.get("type")
        types = types if isinstance(types, list) else [types]
        known = [name for name in types if isinstance(name, str) and name in TYPES]
        if known and len(known) == len(types) and not any(TYPES[name](value) for name in known):
            yield (), f"expected {' or '.join(known)}"
            return
        if "const" in schema and freeze(value) != freeze(schema["const"]):
            yield (), f"expected {schema['const']!r:.{MAX_CHOICES_CHARACTERS}}"
        choices = schema.get("enum")
        if isinstance(choices, list) and freeze(value) not in self._schemas.freeze_choices(choices):
            yield (), describe_choices(choices)
        if constraint := find_violated_constraint(value, schema):
            yield (), f"must meet {constraint}"
        if isinstance(value, str) and not has_format(value, schema.get("format")):
            yield (), f"must meet format={schema['format']!r:.80}"

    def _check_array(self, items: list[Any], schema: Schema) -> Iterator[Violation]:
        firsts, rest = schema.get("prefixItems"), schema.get("items", True)
        if isinstance(rest, list):  # before JSON Schema 2020-12
            firsts, rest = rest, schema.get("additionalItems", True)
        firsts = firsts if isinstance(firsts, list) else []
        for index, item in enumerate(items):
            part = firsts[index] if index < len(firsts) else rest
            yield from self._check_part(index, item, part)
        if "contains" in schema:
            matched = sum(not self.find(item, schema["contains"]) for item in items)
            least, most = schema.get("minContains", 1), schema.get("maxContains", math.inf)
            if is_number(least) and matched < least:
                yield (), "contains too few items that match `contains`"
            if is_number(most) and matched > most:
                yield (), "contains too many items that match `contains`"

    def _check_object(
        self, value: Mapping[str, Any], schema: Schema, declared: Names
    ) -> Iterator[Violation]:
        yield from _check_presence(value, schema)
        properties, patterns = get_properties(schema), _get_mapping(schema, "patternProperties")
        if patterns or not schema.keys().isdisjoint({"additionalProperties", "propertyNames"}):
            self._count(len(value) * (10 + len(patterns)) // 100)
            names: Iterable[str] = value
        else:
            one, other = sorted([properties, value], key=len)
            names = [name for name in one if name in other]
        for name in names:
            item = value[name]
            parts = [properties[name]] if name in properties else []
            parts += [part for pattern, part in patterns.items() if matches(pattern, name)]
            if not parts and not any(name in names for names in declared):
                parts = [schema.get("additionalProperties", True)]
            for part in parts:
                yield from self._check_part(name, item, part)
            if "propertyNames" in schema:
                for _, reason in self.find(name, schema["propertyNames"]):
                    yield (name,), f"name {reason}"
        for key in ("dependentSchemas", "dependencies"):
            for name, part in _get_mapping(schema, key).items():
                if name in value and not isinstance(part, list):
                    yield from self.find(value, part, declared)

    def _check_part(self, step: str | int, value: Any, schema: Any) -> Iterator[Violation]:
        """Yield the violations of the part of a value under a name or at an index."""
        for path, reason in self.find(value, schema):
            yield (step, *path), reason


def _check_presence(value: Mapping[str, Any], schema: Schema) -> Iterator[Violation]:
    for name in get_required(schema):
        if name not in value:
            yield (), f"required {name!r:.{MAX_NAME_CHARACTERS}} is missing"
    for key in ("dependentRequired", "dependencies"):
        for name, needed in _get_mapping(schema, key).items():
            if name in value and isinstance(needed, list):
                for other in needed:
                    if isinstance(other, str) and other not in value:
                        yield (), f"{name!r:.80} needs {other!r:.{MAX_NAME_CHARACTERS}}"


def _is_null(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "null"


def _add(names: Names, more: frozenset[str]) -> Names:
    return names if more in names else (*names, more)


def _get_list(schema: Schema, key: str) -> list[Any]:
    return found if isinstance(found := schema.get(key), list) else []


def _get_mapping(schema: Schema, key: str) -> Mapping[str, Any]:
    return found if isinstance(found := schema.get(key), Mapping) else {}


def has_format(text: str, name: Any) -> bool:
    """Whether a text has a format; True if the format is unknown."""
    check = FORMATS.get(name) if isinstance(name, str) else None
    if check is None:
        return True
    try:
        return bool(check(text))
    except ValueError:
        return False


def _create_check(pattern: str, type_: Any = str) -> Callable[[str], bool]:
    """Return a check of a pattern and of pydantic's type, which accepts more forms."""
    # Compiled at the first check: most programs never make one.
    return lambda text: bool(re.fullmatch(pattern, text)) and _is_valid(type_, text)


def _is_valid(type_: Any, text: str) -> bool:
    return _get_adapter(type_).validator.isinstance_python(text)


@cache
def _get_adapter(type_: Any) -> TypeAdapter[Any]:
    return TypeAdapter(type_)


LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

FORMATS: Mapping[str, Callable[[str], Any]] = {
    "date": _create_check(r"\d{4}-\d\d-\d\d", date),
    "date-time": _create_check(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d\S*", datetime),
    "time": _create_check(r"\d\d:\d\d\S*", time),
    "duration": _create_check(r"[+-]?P\S+", timedelta),
    "email": _create_check(r"[^@\s]{1,64}@[^@\s]{1,255}"),
    "uuid": _create_check(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
    "uri": _create_check(r"\S+", AnyUrl),
    "ipv4": ipaddress.IPv4Address,
    "ipv6": lambda text: "%" not in text and ipaddress.IPv6Address(text),
    "hostname": _create_check(rf"(?=.{{1,253}}\Z){LABEL}(?:\.{LABEL})*"),
}
"""Checks of formats. Those of dates and times are as lenient as pydantic: zones are optional."""
