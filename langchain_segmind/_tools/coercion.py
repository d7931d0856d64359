"""Coerces values to a JSON schema, where that keeps their meaning.

A value that matches is left alone. One that does not is converted where both forms say the same
(`"5"` and 5.0 are 5 for an integer); every coercion has a name and is recorded. Anything else
stays as the model wrote it, and is recorded as a mismatch. The caller decides: a strict tool or
structured output refuses it; any other tool receives it, and its error reaches the model.
"""

import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from types import NoneType
from typing import Any

from langchain_segmind._tools.calculation import calculate
from langchain_segmind._tools.json_schema import (
    Schema,
    count_parts,
    describe_choices,
    find_violated_constraint,
    get_alternatives,
    get_choices,
    get_other_schema,
    get_properties,
    get_required,
    get_type,
    is_number,
    locate,
    resolve,
)
from langchain_segmind._tools.literal_parser import (
    Expression,
    NumberLiteral,
    Scanner,
)
from langchain_segmind._tools.strings import UnreadableError
from langchain_segmind._tools.tools import Tool

logger = logging.getLogger(__name__)

PLACEHOLDER = re.compile(r"(?:\.{2,}|\u2026|<[^<>]*>)")
"""What a model writes where it leaves a value out."""

INTEGER = re.compile(r"[+-]?\d{1,100}")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

MAX_DEPTH = 100
"""Levels of nested schemas."""

MAX_TRIALS = 20_000
"""Alternatives tried for one call: nested ones multiply. Values of many parts get more."""

MAX_TRIALS_PER_PART = 50

MAX_ALTERNATIVES = 100
"""Alternatives whose types are looked up; a schema with more counts as one without types."""

MAX_MISMATCHES = 10
"""Mismatches that are reported."""

ANNOTATIONS = frozenset({"type", "title", "description", "default", "examples"})
"""Keys of a schema that constrain nothing but the type."""

PLAIN_TYPES: Mapping[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
}


IS_TYPE: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


@dataclass(frozen=True, slots=True)
class Coerced:
    """A coerced value.

    Attributes:
        value: The value; JSON on every level.
        coercions: Names of the coercions made, in order.
        mismatches: What still does not match the schema: where, and why.
    """

    value: Any
    coercions: Sequence[str] = ()
    mismatches: Sequence[str] = ()

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
    coercer = Coercer(tool.root, arguments)
    value = coercer.coerce_object(arguments, tool.parameters)
    return Coerced(value, coercer.coercions, coercer.mismatches)


def coerce_value(value: Any, schema: Schema) -> Coerced:
    """Coerce a value to a schema, which is the root of its own references."""
    coercer = Coercer(schema, value)
    try:
        try:
            coerced = coercer.coerce(value, schema)
        except UnreadableError as error:
            return Coerced(make_plain(value), (), [str(error)])
    except RecursionError:
        return Coerced(value, (), ["nested too deeply"])
    if coercer.coercions:
        logger.debug("Coerced a value: %s", ", ".join(coercer.coercions))
    return Coerced(coerced, coercer.coercions, coercer.mismatches)


def make_plain(value: Any) -> Any:
    """Return a value as JSON, without a schema: expressions become their text."""
    if isinstance(value, Expression):
        return str(value)
    if isinstance(value, NumberLiteral):
        return value.value
    if isinstance(value, list):
        return [make_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: make_plain(item) for key, item in value.items()}
    return value


class Coercer:
    """Coerces values to schemas that share a root.

    Args:
        root: The schema that references start from.
        whole: The whole value. The more parts it has, the more alternatives are tried.

    Attributes:
        coercions: Names of the coercions made, in order.
        mismatches: What does not match: where, and why.
    """

    def __init__(self, root: Schema, whole: Any = None) -> None:
        self._whole = whole
        self.coercions: list[str] = []
        self.mismatches: list[str] = []
        self._root = root
        self._path: list[str | int] = []
        self._depth = 0
        self._trial_depth = 0
        self._under_way: set[tuple[int, int]] = set()
        self._alternatives_tried = 0

    def coerce(self, value: Any, schema: Any) -> Any:
        """Return a value coerced to a schema; one that does not match is recorded and kept."""
        if is_plain_match(value, schema):
            return value
        if schema is False:
            return self._keep_mismatch(value, "value is not allowed here")
        if self._depth == MAX_DEPTH:
            return self._keep_mismatch(value, "nested too deeply")
        self._depth += 1
        try:
            return self._coerce(value, resolve(schema, self._root))
        finally:
            self._depth -= 1

    def _coerce(self, value: Any, resolved: Schema) -> Any:
        if isinstance(value, Expression):
            return self._coerce_expression(value, resolved)
        if isinstance(value, NumberLiteral):
            return self._coerce_number_literal(value, resolved)
        if alternatives := get_alternatives(resolved):
            return self._coerce_recursive(value, resolved, alternatives)
        if (choices := get_choices(resolved)) is not None:
            return self._coerce_choice(value, choices, resolved)
        coerced = self._coerce_type(value, resolved)
        if constraint := find_violated_constraint(coerced, resolved):
            self._keep_mismatch(coerced, f"must meet {constraint}")
        return coerced

    def coerce_object(self, value: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
        """Return an object with its values coerced and its required defaults filled in."""
        properties, required = get_properties(schema), get_required(schema)
        coerced: dict[str, Any] = {}
        for name in required:
            if name not in value:
                coerced |= self._get_default(name, properties)
        for name, item in value.items():
            if name not in properties:
                coerced[name] = self._coerce_part(name, item, get_other_schema(name, schema))
            elif item is None and name not in required and self._refuses_null(properties[name]):
                self.coercions.append("null_dropped")
            else:
                coerced[name] = self._coerce_part(name, item, properties[name])
        return coerced

    def _refuses_null(self, schema: Any) -> bool:
        trial = self._try_alternative(None, schema)
        return bool(trial.coercions or trial.mismatches)

    def _coerce_part(self, step: str | int, value: Any, schema: Any) -> Any:
        """Coerce the part of a value under a name or at an index."""
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
        self.mismatches.append(locate(self._path, reason))
        return value if self._trial_depth else make_plain(value)

    def _get_default(self, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Return a missing property with its default; nothing, and a mismatch, without one."""
        declared = resolve(properties.get(name), self._root)
        if "default" not in declared:
            self.mismatches.append(locate(self._path, f"required {name!r} is missing"))
            return {}
        self.coercions.append("default")
        return {name: deepcopy(declared["default"])}

    def _coerce_expression(self, expression: Expression, schema: Schema) -> Any:
        """Choose between the result of an expression, if it has one, and its text."""
        types = self._get_types(schema)
        is_number = types & {"integer", "number"} and "string" not in types
        if is_number and (number := calculate(expression)) is not None:
            self.coercions.append("calculation")
            return self.coerce(number, schema)
        if PLACEHOLDER.fullmatch(expression):
            raise UnreadableError(locate(self._path, "expected a value, not a placeholder"))
        is_object = "object" in types or (not types and expression.startswith("dict("))
        if is_object and (fields := expression.read_fields()) is not None:
            self.coercions.append("constructor")
            return self.coerce(fields, schema)
        if types and "string" not in types:
            return self._keep_mismatch(expression, f"expected {' or '.join(sorted(types))}")
        self.coercions.append("expression_as_text")
        return self.coerce(str(expression), schema)

    def _coerce_number_literal(self, number: NumberLiteral, schema: Schema) -> Any:
        """Choose between a number's value and its text, which can have more digits."""
        types = self._get_types(schema) & {"string", "number", "integer"}
        if types == {"string"} or ("string" in types and number.loses_digits):
            self.coercions.append("number_to_text")
            return self.coerce(number.raw, schema)
        if types == {"integer"} and number.loses_digits:
            return self._keep_mismatch(number.raw, "expected integer")
        return self.coerce(number.value, schema)

    def _coerce_recursive(self, value: Any, schema: Schema, alternatives: list[Any]) -> Any:
        """Coerce a value to the alternatives of a schema, which can be one of them itself."""
        resolved = (
            resolve(one, self._root) if isinstance(one, Mapping) else one for one in alternatives
        )
        unique = {id(one): one for one in resolved}
        self._under_way.add(trial := (id(value), id(schema)))
        try:
            return self._coerce_alternatives(
                value, [unique[key] for key in unique if (id(value), key) not in self._under_way]
            )
        finally:
            self._under_way.discard(trial)

    def _coerce_alternatives(self, value: Any, alternatives: list[Any]) -> Any:
        """Prefer the first alternative that matches, then the first that does when coerced."""
        error = None
        coerced, mismatches = [], []
        for alternative in alternatives:
            try:
                trial = self._try_alternative(value, alternative)
            except UnreadableError as caught:
                error = error or caught
                continue
            if not trial.coercions and not trial.mismatches:
                return trial.value
            if not trial.mismatches:
                coerced.append(trial)
            elif alternative != {"type": "null"}:
                mismatches.append(trial.mismatches)
        if coerced:
            self.coercions += coerced[0].coercions
            return coerced[0].value
        if error is not None:
            raise error
        if len(mismatches) != 1:
            return self._keep_mismatch(value, "matches none of the allowed types")
        self.mismatches += mismatches[0]
        return make_plain(value)

    def _coerce_choice(self, value: Any, choices: list[Any], schema: Schema) -> Any:
        if (found := _find_choice(value, choices)) is not None:
            return found[0]
        coercion, converted = convert(value, get_type(schema))
        if coercion and (found := _find_choice(converted, choices)) is not None:
            self.coercions.append(coercion)
            return found[0]
        return self._keep_mismatch(value, describe_choices(choices))

    def _coerce_type(self, value: Any, schema: Schema) -> Any:
        name = get_type(schema)
        if name == "array" and isinstance(value, list):
            return self._coerce_items(value, schema)
        if name == "object" and isinstance(value, dict):
            return self.coerce_object(value, schema)
        if name is None or name not in IS_TYPE:
            return make_plain(value)
        if IS_TYPE[name](value):
            return value
        coercion, converted = convert(value, name)
        if coercion is None:
            return self._keep_mismatch(value, f"expected {name}")
        self.coercions.append(coercion)
        return self.coerce(converted, schema) if name in {"array", "object"} else converted

    def _coerce_items(self, items: list[Any], schema: Schema) -> list[Any]:
        prefixes = schema.get("prefixItems")
        prefixes = prefixes if isinstance(prefixes, list) else []
        rest = schema.get("items")
        return [
            self._coerce_part(index, item, prefixes[index] if index < len(prefixes) else rest)
            for index, item in enumerate(items)
        ]

    def _try_alternative(self, value: Any, schema: Any) -> Coerced:
        """Coerce a value, recording the result apart."""
        self._alternatives_tried += 1
        if self._alternatives_tried > max(MAX_TRIALS, MAX_TRIALS_PER_PART * self._parts):
            return Coerced(value, (), ["too many alternatives"])
        outer = self.coercions, self.mismatches
        self.coercions, self.mismatches = [], []
        self._trial_depth += 1
        try:
            return Coerced(self.coerce(value, schema), self.coercions, self.mismatches)
        finally:
            self._trial_depth -= 1
            self.coercions, self.mismatches = outer

    @cached_property
    def _parts(self) -> int:
        return count_parts(self._whole)

    def _get_types(self, schema: Schema) -> set[str]:
        """Return the types that a schema allows; empty if it allows any."""
        types: set[str] = set()
        parts = [schema]
        for part in islice(parts, MAX_ALTERNATIVES):
            resolved = resolve(part, self._root)
            choices = get_choices(resolved)
            if alternatives := get_alternatives(resolved):
                parts += alternatives
            elif choices:
                types.add("string" if any(isinstance(one, str) for one in choices) else "number")
            elif name := get_type(resolved):
                types.add(name)
            else:
                return set()
        return types if len(parts) <= MAX_ALTERNATIVES else set()


def is_plain_match(value: Any, schema: Any) -> bool:
    """Whether a value is a scalar of exactly the type asked for, if any, and no more is asked."""
    return (
        type(schema) is dict
        and type(value) in PLAIN_TYPES
        and schema.get("type", PLAIN_TYPES[type(value)]) == PLAIN_TYPES[type(value)]
        and schema.keys() <= ANNOTATIONS
    )


def _find_choice(value: Any, choices: list[Any]) -> tuple[Any] | None:
    """Return a copy of the choice that equals a value, in a tuple: it may be None."""
    return next(
        (
            (deepcopy(choice),)
            for choice in choices
            if value == choice and isinstance(value, bool) == isinstance(choice, bool)
        ),
        None,
    )


def convert(value: Any, type_name: str | None) -> tuple[str | None, Any]:
    """Convert a value to another JSON type.

    Returns:
        The name of the coercion, None if there is none that keeps the meaning, and the value.
    """
    match type_name:
        case "string" if is_number(value):
            return "number_to_text", str(value)
        case "integer" if isinstance(value, float) and value.is_integer():
            return "float_to_integer", int(value)
        case "integer" | "number" if isinstance(value, str):
            return _convert_to_number(value.strip(), type_name)
        case "boolean" if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
            return "text_to_boolean", value.strip().lower() == "true"
        case "array" | "object" if isinstance(value, str):
            return _convert_to_collection(value, type_name)
        case _:
            return None, value


def _convert_to_number(text: str, type_name: str) -> tuple[str | None, Any]:
    if INTEGER.fullmatch(text):
        return "text_to_number", int(text)
    if type_name == "number" and NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return "text_to_number", float(text)
    return None, text


def _convert_to_collection(text: str, type_name: str) -> tuple[str | None, Any]:
    scanner = Scanner(text)
    try:
        value = scanner.read_value()
    except UnreadableError:
        return None, text
    is_exact = not scanner.peek() and {*scanner.repairs} <= {"json_constant"}
    return ("literal_in_text", value) if is_exact and IS_TYPE[type_name](value) else (None, text)
