"""Value x schema -> the value that the schema means, where that keeps the meaning.

What fits is left alone. What does not is bent where both say the same (`"5"` and 5.0 are 5 where
an integer is asked for); each bend has a name, which is noted. What cannot be bent stays as the
model wrote it: the tool itself is the judge of it, and its error tells the model.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from types import NoneType
from typing import Any

from langchain_segmind._tools.constraints import find_unmet_constraint
from langchain_segmind._tools.conversions import BENDS, IS_TYPE
from langchain_segmind._tools.json_schema import (
    Schema,
    get_alternatives,
    get_choices,
    get_other_schema,
    get_properties,
    get_required,
    get_type,
    resolve,
)
from langchain_segmind._tools.literal_parser import (
    Source,
    Spelling,
    UnreadableError,
)
from langchain_segmind._tools.tools import Tool

logger = logging.getLogger(__name__)

PLACEHOLDER = re.compile(r"(?:\.{2,}|\u2026|<[^<>]*>)")
"""What a model writes where it leaves a value out."""

DEEPEST = 100
"""Levels of schemas that are followed."""

MOST_ATTEMPTS = 20_000
"""Alternatives that are tried for the arguments of a call: those within others multiply."""

ATTEMPTS_A_PART = 50
"""Further ones for each value within what is bent."""

MOST_ALTERNATIVES = 100
"""Of which types are asked for."""

PLAIN_TYPES: Mapping[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
}
"""JSON's names of types."""

ANNOTATIONS = frozenset({"type", "title", "description", "default", "examples"})
"""Keys of a schema that say nothing of a value but its type."""

MOST_MISFITS = 10
"""Reasons that are told of one value."""

MOST_SHOWN = 10
"""Choices that are told."""

LONGEST_STEP = 80
"""Characters of a name that are told."""

MISSING = object()
"""What is found where there is nothing."""

MISFIT = "misfit"
"""The note of a value that neither fits nor can be bent."""


class MissingError(ValueError):
    """A required value is not there; the message names it."""


@dataclass(frozen=True, slots=True)
class Coerced:
    """A value that was bent to a schema.

    Attributes:
        value: The value, JSON all the way down.
        bends: The names of the bends, in order.
        misfits: What still does not fit: where, and why.
    """

    value: Any
    bends: Sequence[str] = ()
    misfits: Sequence[str] = ()

    @property
    def fault(self) -> str:
        """Why it does not fit; empty where it does."""
        return "; ".join(self.misfits[:MOST_MISFITS])


def coerce_arguments(arguments: Mapping[str, Any], tool: Tool) -> Coerced:
    """Bend a call's arguments to a tool's schema.

    Raises:
        MissingError: If a required argument is missing.
        UnreadableError: If an argument has no value, such as a variable where a number belongs.
    """
    coercer = Coercer(tool.root, arguments)
    # What fits the tool's own schema but is none of its arguments is for the tool to judge.
    bent = coercer.coerce_object(arguments, tool.parameters)
    return Coerced(bent, coercer.bends, coercer.misfits)


def coerce_value(value: Any, schema: Schema) -> Coerced:
    """Bend a value to a schema that is a root."""
    coercer = Coercer(schema, value)
    try:
        try:
            bent = coercer.coerce(value, schema)
        except (MissingError, UnreadableError) as error:
            return Coerced(make_plain(value), [MISFIT], [str(error)])
    except RecursionError:
        return Coerced(value, [MISFIT], ["it is nested too deep"])
    if coercer.bends:
        logger.debug("Read a value with repairs: %s", ", ".join(coercer.bends))
    return Coerced(bent, coercer.bends, coercer.misfits)


def make_plain(value: Any) -> Any:
    """Make what has no schema JSON: expressions within it become their text."""
    if isinstance(value, Source):
        return str(value)
    if isinstance(value, Spelling):
        return value.value
    if isinstance(value, list):
        return [make_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: make_plain(item) for key, item in value.items()}
    return value


class Coercer:
    """Bends values to the schemas of one root.

    Args:
        root: Where references start from.
        whole: What is bent: the more parts it has, the more alternatives are tried.

    Attributes:
        bends: The names of the bends, in order.
        misfits: What does not fit: where, and why.
    """

    def __init__(self, root: Schema, whole: Any = None) -> None:
        self._whole = whole
        self.bends: list[str] = []
        self.misfits: list[str] = []
        self._root = root
        self._path: list[str | int] = []
        self._depth = 0
        self._trials = 0
        self._spellings: dict[int, tuple[list[Any], Mapping[tuple[bool, str], Any]]] = {}
        self._attempts = 0

    def coerce(self, value: Any, schema: Any) -> Any:
        """Bend a value to a schema; what cannot be bent is noted as a misfit and kept."""
        if is_plain_fit(value, schema):
            return value
        if schema is False:
            return self._keep_misfit(value, "is none of what may stand here")
        if self._depth == DEEPEST:
            return self._keep_misfit(value, "is nested too deep")
        self._depth += 1
        try:
            return self._coerce(value, resolve(schema, self._root))
        finally:
            self._depth -= 1

    def _coerce(self, value: Any, resolved: Schema) -> Any:
        if isinstance(value, Source):
            return self._coerce_source(value, resolved)
        if isinstance(value, Spelling):
            return self._coerce_spelling(value, resolved)
        if alternatives := get_alternatives(resolved):
            return self._coerce_alternatives(value, alternatives)
        if (choices := get_choices(resolved)) is not None:
            return self._coerce_choice(value, choices)
        bent = self._coerce_type(value, resolved)
        if unmet := find_unmet_constraint(bent, resolved):
            self._keep_misfit(bent, f"does not meet {unmet}")
        return bent

    def coerce_object(self, value: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
        """Bend an object's values by name."""
        properties, required = get_properties(schema), get_required(schema)
        bent = {}
        for name in required:
            if name not in value:
                bent[name] = self._get_default(name, properties)
        for name, item in value.items():
            if name in properties:
                if (
                    item is None
                    and name not in required
                    and self._try(None, properties[name]).bends
                ):
                    self.bends.append("null_dropped")
                else:
                    bent[name] = self._coerce_part(name, item, properties[name])
            else:
                bent[name] = self._coerce_part(name, item, get_other_schema(name, schema))
        return bent

    def _coerce_part(self, step: str | int, value: Any, schema: Any) -> Any:
        """Bend what stands under a name or at an index of a value."""
        self._path.append(step)
        try:
            return self.coerce(value, schema)
        finally:
            self._path.pop()

    def _keep_misfit(self, value: Any, reason: str) -> Any:
        """Note that a value does not fit and cannot be bent, and keep it.

        Args:
            value: It is not shown: models read the reasons, and a value may be anyone's words.
            reason: What it is not.
        """
        self.bends.append(MISFIT)
        self.misfits.append(self._locate(f"this {reason}"))
        return value if self._trials else make_plain(value)

    def _locate(self, reason: str) -> str:
        """Say where something is wrong."""
        steps = (" ".join(str(step).split())[:LONGEST_STEP] for step in self._path)
        return f"{'.'.join(steps)}: {reason}" if self._path else reason

    def _get_default(self, name: str, properties: Mapping[str, Any]) -> Any:
        declared = resolve(properties.get(name), self._root)
        if "default" not in declared:
            raise MissingError(self._locate(f"the required {name!r} is missing"))
        self.bends.append("default")
        return deepcopy(declared["default"])

    def _coerce_source(self, source: Source, schema: Schema) -> Any:
        """Choose between an expression's value, where it has one, and its text."""
        kinds = self._get_types(schema)
        is_number = kinds & {"integer", "number"} and "string" not in kinds
        if is_number and (number := source.calculate()) is not None:
            self.bends.append("calculation")
            return self.coerce(number, schema)
        if PLACEHOLDER.fullmatch(source):
            raise UnreadableError(self._locate(f"{source!s:.80} stands where a value belongs"))
        if kinds and "string" not in kinds:
            return self._keep_misfit(source, f"is no {' or '.join(sorted(kinds))}")
        self.bends.append("source_as_text")
        return self.coerce(str(source), schema)

    def _coerce_spelling(self, number: Spelling, schema: Schema) -> Any:
        """Choose between a number and its spelling."""
        if self._get_types(schema) & {"string", "number", "integer"} == {"string"}:
            self.bends.append("number_to_text")
            return self.coerce(number.text, schema)
        return self.coerce(number.value, schema)

    def _coerce_alternatives(self, value: Any, alternatives: list[Any]) -> Any:
        """Take the first alternative that fits as it is, else the first that fits when bent."""
        fault = None
        bent_attempts, misfits = [], []
        for alternative in alternatives:
            try:
                attempt = self._try(value, alternative)
            except (MissingError, UnreadableError) as error:
                fault = fault or error
                continue
            if not attempt.bends:
                return attempt.value
            if attempt.misfits and resolve(alternative, self._root) != {"type": "null"}:
                misfits.append(attempt.misfits)
            elif not attempt.misfits:
                bent_attempts.append(attempt)
        if bent_attempts:
            self.bends += bent_attempts[0].bends
            return bent_attempts[0].value
        if fault is not None:
            raise fault
        if len(misfits) != 1:
            return self._keep_misfit(value, "fits none of the types that may stand here")
        self.bends.append(MISFIT)
        self.misfits += misfits[0]
        return make_plain(value)

    def _coerce_choice(self, value: Any, choices: list[Any]) -> Any:
        if value in choices:
            for choice in choices:
                if value == choice and isinstance(value, bool) == isinstance(choice, bool):
                    return deepcopy(choice)
        spelled = self._get_spellings(choices)
        meant = spelled.get((not isinstance(value, str), _spell(value)), MISSING)
        if meant is not MISSING:
            self.bends.append("choice")
            return deepcopy(meant)
        shown = ", ".join(map(repr, choices[:MOST_SHOWN]))
        return self._keep_misfit(value, f"is none of {shown}"[:200])

    def _coerce_type(self, value: Any, schema: Schema) -> Any:
        kind = get_type(schema)
        if kind == "array" and isinstance(value, list):
            return self._coerce_items(value, schema)
        if kind == "object" and isinstance(value, dict):
            return self.coerce_object(value, schema)
        if kind is None or kind not in BENDS:
            return make_plain(value)
        if IS_TYPE[kind](value):
            return value
        bend, bent = BENDS[kind](value)
        if bend is None:
            return self._keep_misfit(value, f"is no {kind}")
        self.bends.append(bend)
        return self.coerce(bent, schema) if kind in {"array", "object"} else bent

    def _coerce_items(self, items: list[Any], schema: Schema) -> list[Any]:
        firsts = schema.get("prefixItems")
        firsts = firsts if isinstance(firsts, list) else []
        rest = schema.get("items")
        return [
            self._coerce_part(index, item, firsts[index] if index < len(firsts) else rest)
            for index, item in enumerate(items)
        ]

    def _try(self, value: Any, schema: Any) -> Coerced:
        self._attempts += 1
        if self._attempts > MOST_ATTEMPTS and self._attempts > ATTEMPTS_A_PART * self._parts:
            return Coerced(value, [MISFIT], ["too many types may stand here"])
        outer = self.bends, self.misfits
        self.bends, self.misfits = [], []
        self._trials += 1
        try:
            return Coerced(self.coerce(value, schema), self.bends, self.misfits)
        finally:
            self._trials -= 1
            self.bends, self.misfits = outer

    def _get_spellings(self, choices: list[Any]) -> Mapping[tuple[bool, str], Any]:
        """Get choices by whether they are texts, and their spelling."""
        kept = self._spellings.get(id(choices))
        if kept is None:
            spelled = {(isinstance(one, str), _spell(one)): one for one in reversed(choices)}
            # The choices are kept as well: their identity is theirs as long as they are.
            kept = self._spellings[id(choices)] = (choices, spelled)
        return kept[1]

    @cached_property
    def _parts(self) -> int:
        """How many values there are within what is bent."""
        count, pending = 0, [self._whole]
        while pending:
            count += 1
            part = pending.pop()
            pending += (
                part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
            )
        return count

    def _get_types(self, schema: Schema) -> set[str]:
        """Get the types that a schema allows; none where it allows every type."""
        kinds: set[str] = set()
        parts = [schema]
        for part in islice(parts, MOST_ALTERNATIVES):
            resolved = resolve(part, self._root)
            choices = get_choices(resolved)
            if alternatives := get_alternatives(resolved):
                parts += alternatives
            elif choices:
                kinds.add("string" if any(isinstance(one, str) for one in choices) else "number")
            elif kind := get_type(resolved):
                kinds.add(kind)
            else:
                return set()
        return kinds


def is_plain_fit(value: Any, schema: Any) -> bool:
    """Tell of what most values are: a scalar of a type about which nothing else is said."""
    return (
        type(schema) is dict
        and type(value) in PLAIN_TYPES
        and PLAIN_TYPES[type(value)] == schema.get("type")
        and schema.keys() <= ANNOTATIONS
    )


def _spell(value: Any) -> str:
    """Write a value so that JSON's, Python's and a string's spelling of it are equal."""
    text = str(value)
    return text.lower() if isinstance(value, bool) or text in {"True", "False"} else text
