"""Coerces values to a JSON schema, where that keeps their meaning.

A value that matches is left alone. One that does not is converted where both forms say the same
(`"5"` and 5.0 are 5 for an integer); every coercion has a name and is recorded. Anything else
stays as the model wrote it, and is recorded as a mismatch. The caller decides: a strict tool or
structured output refuses it; any other tool receives it, and its error reaches the model.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from langchain_segmind._tools.calculation import calculate
from langchain_segmind._tools.conversions import (
    IS_TYPE,
    NEVER_CONVERTED,
    PLAIN_TYPES,
    convert,
    is_plain_match,
    make_plain,
)
from langchain_segmind._tools.json_schema import (
    Schema,
    count_parts,
    describe_choices,
    find_violated_constraint,
    freeze,
    get_other_schema,
    locate,
)
from langchain_segmind._tools.literal_parser import Expression, NumberLiteral
from langchain_segmind._tools.schema_cache import ResolvedSchema, SchemaCache
from langchain_segmind._tools.strings import UnreadableError
from langchain_segmind._tools.tools import Tool

logger = logging.getLogger(__name__)

PLACEHOLDER = re.compile(r"(?:\.{2,}|\u2026|<[^<>]*>)")
"""What a model writes where it leaves a value out."""

PLACEHOLDER_REASON = "expected a value, not a placeholder"

MAX_DEPTH = 100
"""Levels of nested schemas."""

MAX_TRIALS = 20_000
"""Alternatives tried for one call. Values of many parts get more."""

MAX_TRIALS_PER_PART = 50

MAX_MISMATCHES = 10
"""Mismatches that are reported."""

Mismatch = tuple[tuple[str | int, ...], str]
"""Where a value does not match, and why."""


@dataclass(frozen=True, slots=True)
class Coerced:
    """A coerced value.

    Attributes:
        value: The value; JSON on every level.
        coercions: Names of the coercions made, in order.
        mismatches: What still does not match the schema: where, and why.
        is_complete: Whether every alternative was tried: if not, the value may match after all.
    """

    value: Any
    coercions: Sequence[str] = ()
    mismatches: Sequence[str] = ()
    is_complete: bool = True

    @property
    def problem(self) -> str:
        """Why the value does not match its schema; empty if it does."""
        return "; ".join(self.mismatches[:MAX_MISMATCHES])


def coerce_arguments(arguments: Mapping[str, Any], tool: Tool) -> Coerced:
    """Coerce a call's arguments to a tool's schema.

    Raises:
        UnreadableError: If a placeholder takes the place of a value.
        RecursionError: If the values are nested too deeply.
    """
    coercer = Coercer(tool.schemas, arguments)
    value = coercer.coerce_object(arguments, tool.schemas.resolve(tool.parameters))
    for path, reason in coercer.mismatches:
        if reason == PLACEHOLDER_REASON:
            raise UnreadableError(locate(path, reason))
    return coercer.finish(value)


def coerce_value(value: Any, schema: Schema, schemas: SchemaCache | None = None) -> Coerced:
    """Coerce a value to a schema, which is the root of its own references.

    Args:
        value: The value.
        schema: The schema.
        schemas: The cache of the same schema.
    """
    coercer = Coercer(schemas or SchemaCache(schema), value)
    try:
        coerced = coercer.finish(coercer.coerce(value, schema))
    except RecursionError:
        return Coerced(value, (), ["nested too deeply"])
    if coerced.coercions:
        logger.debug("Coerced a value: %s", ", ".join(coerced.coercions))
    return coerced


class Trial(NamedTuple):
    """What became of a value; the paths of mismatches begin at it."""

    value: Any
    coercions: list[str]
    mismatches: list[Mismatch]


class Coercer:
    """Coerces values to schemas that share a root.

    Args:
        schemas: The cache of the root.
        whole: The whole value. The more parts it has, the more alternatives are tried.

    Attributes:
        coercions: Names of the coercions made, in order.
        mismatches: What does not match: where, and why.
    """

    def __init__(self, schemas: SchemaCache, whole: Any = None) -> None:
        self.coercions: list[str] = []
        self.mismatches: list[Mismatch] = []
        self._schemas = schemas
        self._whole = whole
        self._path: list[str | int] = []
        self._depth = 0
        self._alternatives_tried = 0
        self._is_complete = True
        # Entries hold their value, so its id is not used again.
        self._known: dict[tuple[Any, ...], tuple[Any, Trial]] = {}
        self._converted: dict[tuple[int, str], tuple[Any, tuple[str | None, Any]]] = {}
        self._fields: dict[int, tuple[Any, dict[str, Any] | None]] = {}

    def finish(self, value: Any) -> Coerced:
        """Return the result with a coerced value, as JSON on every level."""
        value = make_plain(value) if self.mismatches else value
        mismatches = [locate(*mismatch) for mismatch in self.mismatches]
        return Coerced(value, self.coercions, mismatches, self._is_complete)

    def coerce(self, value: Any, schema: Any) -> Any:
        """Return a value coerced to a schema; one that does not match is recorded and kept."""
        if is_plain_match(value, schema):
            return value
        if schema is False:
            return self._keep_mismatch(value, "value is not allowed here")
        return self._coerce(value, self._schemas.resolve(schema))

    def _coerce(self, value: Any, schema: ResolvedSchema) -> Any:
        if self._depth == MAX_DEPTH:
            return self._give_up(value, "nested too deeply")
        self._depth += 1
        try:
            if isinstance(value, Expression):
                return self._coerce_expression(value, schema)
            if isinstance(value, NumberLiteral):
                return self._coerce_number_literal(value, schema)
            if isinstance(value, float) and value.is_integer():
                # Its zero is a digit too.
                return self._coerce_number_literal(NumberLiteral(value, str(value)), schema)
            return self._coerce_plain(value, schema)
        finally:
            self._depth -= 1

    def _coerce_plain(self, value: Any, schema: ResolvedSchema) -> Any:
        if schema.alternatives is not None:
            return self._coerce_alternatives(value, schema)
        if schema.choices is not None:
            return self._coerce_choice(value, schema.choices, schema)
        coerced = self._coerce_type(value, schema)
        if constraint := find_violated_constraint(coerced, schema.schema):
            self._keep_mismatch(coerced, f"must meet {constraint}")
        return coerced

    def coerce_object(self, value: Mapping[str, Any], schema: ResolvedSchema) -> dict[str, Any]:
        """Return an object with its values coerced and its required defaults filled in."""
        properties, required = schema.properties, schema.required
        coerced: dict[str, Any] = {}
        for name in required:
            if name not in value:
                coerced |= self._get_default(name, properties)
        for name, item in value.items():
            if name not in properties:
                other = get_other_schema(name, schema.schema)
                coerced[name] = self._coerce_part(name, item, other)
            elif item is None and name not in required and self._refuses_null(properties[name]):
                self.coercions.append("null_dropped")
            else:
                coerced[name] = self._coerce_part(name, item, properties[name])
        return coerced

    def _refuses_null(self, schema: Any) -> bool:
        trial = self._try(None, schema)
        return bool(trial.coercions or trial.mismatches)

    def _coerce_part(self, step: str | int, value: Any, schema: Any) -> Any:
        """Coerce the part of a value under a name or at an index."""
        if is_plain_match(value, schema):
            return value
        self._path.append(step)
        try:
            return self.coerce(value, schema)
        finally:
            self._path.pop()

    def _keep_mismatch(self, value: Any, reason: str) -> Any:
        """Record a mismatch and return the value as it is.

        Args:
            value: Not shown: models read the reason, and anyone may have written the value.
            reason: What is wrong with it.
        """
        self.mismatches.append(((*self._path,), reason))
        return value

    def _give_up(self, value: Any, reason: str) -> Any:
        self._is_complete = False
        return self._keep_mismatch(value, reason)

    def _get_default(self, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Return a missing property with its default; nothing, and a mismatch, without one."""
        declared = self._schemas.resolve(properties.get(name)).schema
        if "default" not in declared:
            self._keep_mismatch(None, f"required {name!r} is missing")
            return {}
        self.coercions.append("default")
        return {name: deepcopy(declared["default"])}

    def _coerce_expression(self, expression: Expression, schema: ResolvedSchema) -> Any:
        """Choose between the result of an expression, if it has one, and its text."""
        types = schema.types
        is_number = types & {"integer", "number"} and "string" not in types
        if is_number and (number := calculate(expression)) is not None:
            self.coercions.append("calculation")
            return self._coerce(number, schema)
        if PLACEHOLDER.fullmatch(expression):
            return self._keep_mismatch(expression, PLACEHOLDER_REASON)
        is_object = "object" in types or (not types and expression.startswith("dict("))
        if is_object and (fields := self._read_fields(expression)) is not None:
            self.coercions.append("constructor")
            return self._coerce(fields, schema)
        if types and "string" not in types:
            return self._keep_mismatch(expression, f"expected {' or '.join(sorted(types))}")
        self.coercions.append("expression_as_text")
        return self._coerce(str(expression), schema)

    def _coerce_number_literal(self, number: NumberLiteral, schema: ResolvedSchema) -> Any:
        """Choose between a number's value and its text, which can have more digits."""
        types = schema.types & {"string", "number", "integer"}
        if types == {"string"} or (
            "string" in types
            and (number.is_rounded or (number.has_last_zero and schema.keeps_digits(number.raw)))
        ):
            self.coercions.append("number_to_text")
            return self._coerce_plain(number.raw, schema)
        if types == {"integer"} and number.is_rounded:
            return self._keep_mismatch(number.raw, "expected integer")
        return self._coerce_plain(number.value, schema)

    def _coerce_alternatives(self, value: Any, schema: ResolvedSchema) -> Any:
        """Coerce a value to one of the alternatives of a schema, found out once for both."""
        is_scalar = type(value) in PLAIN_TYPES and not isinstance(value, float)
        key = (type(value), value, schema) if is_scalar else (id(value), schema)
        if key in self._known:
            _, trial = self._known[key]
        else:
            trial = self._choose(value, schema, schema.alternatives or ())
            if not (is_scalar and isinstance(trial.value, list | dict)):  # never shared
                self._known[key] = value, trial
        self.coercions += trial.coercions
        for path, reason in trial.mismatches:
            self.mismatches.append(((*self._path, *path), reason))
        return trial.value

    def _choose(
        self, value: Any, schema: ResolvedSchema, alternatives: Sequence[ResolvedSchema]
    ) -> Trial:
        """Prefer the first alternative that matches, then the first that does when coerced."""
        self._alternatives_tried += len(alternatives)
        limit = max(MAX_TRIALS, MAX_TRIALS_PER_PART * self._parts)
        if not alternatives or self._alternatives_tried > limit:
            self._is_complete = False
            return Trial(value, [], [((), "too many alternatives")])
        coerced: Trial | None = None
        mismatches: list[Mismatch] = []
        for alternative in alternatives:
            if schema.has_several_types and is_ruled_out(value, alternative):
                continue
            trial = self._try(value, alternative)
            if not trial.coercions and not trial.mismatches:
                return trial
            if not trial.mismatches:
                coerced = coerced or trial
            elif alternative.type != "null":
                mismatches += trial.mismatches
        if coerced:
            return coerced
        placeholders = [one for one in mismatches if one[1] == PLACEHOLDER_REASON]
        if placeholders or (mismatches and not schema.has_several_types):
            return Trial(value, [], placeholders or mismatches)
        return Trial(value, [], [((), "matches none of the allowed types")])

    def _try(self, value: Any, schema: Any) -> Trial:
        """Coerce a value, recording the result apart."""
        outer = self.coercions, self.mismatches, self._path
        self.coercions, self.mismatches, self._path = [], [], []
        coerce = self._coerce if isinstance(schema, ResolvedSchema) else self.coerce
        try:
            return Trial(coerce(value, schema), self.coercions, self.mismatches)
        finally:
            self.coercions, self.mismatches, self._path = outer

    def _coerce_choice(self, value: Any, choices: Sequence[Any], schema: ResolvedSchema) -> Any:
        known = schema.choices_by_value
        if (key := freeze(make_plain(value))) in known:
            return deepcopy(known[key])
        coercion, converted = convert(value, schema.type)
        if coercion and (key := freeze(make_plain(converted))) in known:
            self.coercions.append(coercion)
            return deepcopy(known[key])
        return self._keep_mismatch(value, describe_choices(choices))

    def _coerce_type(self, value: Any, schema: ResolvedSchema) -> Any:
        name = schema.type
        if name == "array" and isinstance(value, list):
            return self._coerce_items(value, schema.schema)
        if name == "object" and isinstance(value, dict):
            return self.coerce_object(value, schema)
        if name is None or name not in IS_TYPE:
            return make_plain(value)
        if IS_TYPE[name](value):
            return value
        coercion, converted = self._convert(value, name)
        if coercion is None:
            return self._keep_mismatch(value, f"expected {name}")
        self.coercions.append(coercion)
        return self._coerce(converted, schema) if name in {"array", "object"} else converted

    def _coerce_items(self, items: list[Any], schema: Schema) -> list[Any]:
        prefixes = schema.get("prefixItems")
        prefixes = prefixes if isinstance(prefixes, list) else []
        rest = schema.get("items")
        return [
            self._coerce_part(index, item, prefixes[index] if index < len(prefixes) else rest)
            for index, item in enumerate(items)
        ]

    # What is read from a text is one object, so that its parts are known for every alternative.

    def _convert(self, value: Any, type_name: str) -> tuple[str | None, Any]:
        if type_name not in {"array", "object"}:
            return convert(value, type_name)
        key = id(value), type_name
        if key not in self._converted:
            self._converted[key] = value, convert(value, type_name)
        return self._converted[key][1]

    def _read_fields(self, expression: Expression) -> dict[str, Any] | None:
        if id(expression) not in self._fields:
            self._fields[id(expression)] = expression, expression.read_fields()
        return self._fields[id(expression)][1]

    @cached_property
    def _parts(self) -> int:
        return count_parts(self._whole)


def is_ruled_out(value: Any, schema: ResolvedSchema) -> bool:
    """Whether it is plain, without a look at its parts, that a value cannot match."""
    is_type = IS_TYPE.get(schema.type or "")
    if schema.choices is not None or is_type is None:
        return False
    if type(value) in NEVER_CONVERTED and not is_type(value):
        return True
    if isinstance(value, dict):
        texts = schema.fixed_texts
        return any(name not in value for name in schema.needed) or any(
            type(value[name]) is str and value[name] not in texts[name]
            for name in texts
            if name in value
        )
    is_text = type(value) is str and schema.type == "string"
    return is_text and bool(find_violated_constraint(value, schema.schema))
