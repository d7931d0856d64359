"""Finds the JSON that answers a request in a reply, whatever surrounds it.

The whole reply counts first, then the only value of the schema outside reasoning and examples. A
value is read from its opening bracket to its closing one, so a part of another value is never taken
for an answer. If the brackets do not add up, nothing is.
"""

import re
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Generic, TypeVar

from langchain_segmind._output.json_text import (
    COMMENT_START,
    NotJSONError,
    find_commented_end,
    read_brackets,
    read_commented,
    read_whole,
)
from langchain_segmind._tools import (
    BLANK,
    FENCE,
    MISSING,
    REASONING_TAG,
    NumberLiteral,
    SchemaCache,
    coerce_value,
    compile_events,
    find_asked,
    find_end,
    get_other_schema,
)

MAX_BRACKETS = 20_000
"""Pairs of brackets in a reply that are looked at, without those inside another pair."""

MAX_UNCLOSED = 20
"""Brackets without an end that are looked at: each takes as long as what follows it."""

MAX_OBJECTS = 50
"""Different objects in a reply that are compared with the schema."""

MAX_COMMENTED = 20
"""Unreadable objects in a reply that are read again without comments."""

MAX_WRAPPINGS = 3
"""Lists and names around an answer that are removed."""

EVENT = compile_events(r"(?P<value>[{}\[\]])")
PROSE = r"(?:[^\[\]{}\n\"']|(?<=\w)')*+"
FLAT_BRACKETS = re.compile(rf"\[{PROSE}\]|\{{{PROSE}\}}")
"""Matches brackets in prose, without quotes but the apostrophe in `the users' note`."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The answer in a reply.

    Attributes:
        value: The JSON as it was read; numbers can be `NumberLiteral`s.
        converted: What it was converted to.
    """

    value: Any
    converted: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted(Generic[T]):
    """What an answer must be.

    Attributes:
        schemas: The JSON schema, resolved; None for any object.
        name: The schema's name, which can be a single key around the answer.
        convert: Converts a value, or raises a ValueError that says why it does not match.
    """

    schemas: SchemaCache | None
    name: str
    convert: Callable[[Any], T]

    @property
    def _type(self) -> str | None:
        return "object" if self.schemas is None else self.schemas.resolve(self.schemas.root).type

    def unwrap(self, value: Any, depth: int = 0) -> Iterator[Any]:
        """Yield a value in the forms in which it can be the answer, the most likely first."""
        if depth < MAX_WRAPPINGS and isinstance(value, dict) and len(value) == 1:
            ((key, inner),) = value.items()
            if self._is_name(key):
                yield from self.unwrap(inner, depth + 1)
        if self._type not in {"object", "array"} or isinstance(
            value, dict if self._type == "object" else list
        ):
            yield value
        if depth < MAX_WRAPPINGS and isinstance(value, list) and len(value) == 1:
            yield from self.unwrap(value[0], depth + 1)

    def _is_name(self, key: str) -> bool:
        """Whether a single key is the schema's name, and not a property."""
        if self.schemas is None or _fold(key) != _fold(self.name):
            return False
        resolved = self.schemas.resolve(self.schemas.root)
        if resolved.type != "object":
            return True
        others = get_other_schema(key, resolved.schema)
        is_declared = key in resolved.properties or others not in ({}, False)
        return bool(resolved.properties) and not is_declared

    def match(self, value: Any) -> Answer[T]:
        """Return a value as an answer.

        Raises:
            ValueError: If it is none.
        """
        error: ValueError | None = None
        for form in self.unwrap(value):
            try:
                return Answer(form, self.convert(form))
            except ValueError as caught:
                error = error or caught
        if error is None:
            return Answer(value, self.convert(value))
        raise error


def _fold(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def find_answer(text: str, wanted: Wanted[T]) -> Answer[T]:
    """Return the answer in a reply.

    Raises:
        NotJSONError: If it contains no JSON.
        ValueError: If the JSON does not match, or two different values do.
    """
    body = text.strip(BLANK)
    if not body:
        raise NotJSONError("the reply is empty")
    if (whole := read_whole(body)) is not MISSING:
        return wanted.match(whole)
    finder = Finder(body)
    if (whole := finder.read_piece()) is not MISSING:
        return wanted.match(whole)
    values = [
        value for value in finder.values if next(wanted.unwrap(value), MISSING) is not MISSING
    ]
    if not values:
        raise NotJSONError("not valid JSON")
    return choose(values, wanted)


def choose(values: Sequence[Any], wanted: Wanted[T]) -> Answer[T]:
    """Return the only value that matches.

    Raises:
        ValueError: If there is none, or two different ones.
    """
    if len(values) > MAX_OBJECTS:
        raise ValueError(f"it contains more than {MAX_OBJECTS} objects")
    answers: list[Answer[T]] = []
    errors: list[ValueError] = []
    for value in values:
        try:
            answers.append(wanted.match(value))
        except ValueError as error:
            errors.append(error)
    if not answers:
        if len(errors) == 1:
            raise errors[0]
        raise ValueError(f"none of its {len(errors)} JSON values matches; the last: {errors[-1]}")
    first = answers[0]
    if any(not is_equal(first.value, other.value, wanted) for other in answers[1:]):
        raise ValueError("two different objects match: write the answer alone")
    return first


def is_equal(value: Any, other: Any, wanted: Wanted[T]) -> bool:
    """Whether two values are equal as values of the schema."""
    if schemas := wanted.schemas:
        value, other = (
            keep_digits(one, coerce_value(one, schemas.root, schemas).value)
            for one in (value, other)
        )
    try:
        return bool(_normalize(value) == _normalize(other))
    except RecursionError:
        return False


def keep_digits(value: Any, coerced: Any) -> Any:
    """Return a coerced value with the text of the numbers that the coercion did not change."""
    try:
        return _restore_numbers(value, coerced)
    except RecursionError:
        return coerced


def _restore_numbers(value: Any, coerced: Any) -> Any:
    if isinstance(value, NumberLiteral):
        return value if type(coerced) is type(value.value) and coerced == value.value else coerced
    if isinstance(value, dict) and isinstance(coerced, dict):
        return {
            key: _restore_numbers(value[key], item) if key in value else item
            for key, item in coerced.items()
        }
    if isinstance(value, list) and isinstance(coerced, list) and len(value) == len(coerced):
        return [_restore_numbers(*pair) for pair in zip(value, coerced, strict=True)]
    return coerced


def _normalize(value: Any) -> Any:
    """Return a value that equals another one if the two are the same JSON."""
    if isinstance(value, dict):
        return {key: _normalize(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_normalize(item) for item in value]
    if isinstance(value, bool):
        return (value,)
    if isinstance(value, NumberLiteral) and isinstance(value.value, float):
        return Decimal(value.raw.replace("_", ""), Context(traps=[]))
    if isinstance(value, NumberLiteral):
        return value.value
    return Decimal(str(value)) if isinstance(value, float) else value


class Finder:
    """Finds the JSON values in a reply that are not within others.

    Attributes:
        values: The different values outside reasoning and examples, in order; empty if the
            brackets of the reply do not add up.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[tuple[int, str, Any]] = []
        self._brackets = self._unclosed = self._commented = 0
        closers = [tag.start() for tag in REASONING_TAG.finditer(text) if tag["close"]]
        self._last_reasoning_end = closers[-1] if closers else -1
        self._pieces = [
            piece
            for piece in find_asked(text, self._skip, EVENT)
            if text[piece[0] : piece[1]].strip(BLANK)
        ]
        self.values = self._collect()

    def read_piece(self) -> Any:
        """Return the only value outside reasoning, or in the only fence there."""
        if len(self._pieces) != 1:
            return MISSING
        start, end = self._pieces[0]
        piece = self._text[start:end].strip(BLANK)
        if (whole := read_whole(piece)) is not MISSING or self.values:
            return whole
        fences = [*FENCE.finditer(piece)]
        return read_whole(fences[0]["body"].strip(BLANK)) if len(fences) == 1 else MISSING

    def _collect(self) -> list[Any]:
        starts = [start for start, _ in self._pieces]
        values: dict[str, Any] = {}
        for position, written, value in self._found:
            index = bisect(starts, position) - 1
            if index < 0 or position >= self._pieces[index][1]:
                continue
            if value is MISSING:
                values.clear()
            else:
                values[written] = value
        return [*values.values()]

    def _skip(self, start: int) -> int:
        """Read the value that begins at a bracket; return where it ends."""
        text = self._text
        self._brackets += 1
        if text[start] in "}]":
            # What comes before can be a part of what this closes.
            self._found.append((start, "", MISSING))
            return start + 1
        end = self._find_end(start)
        value = read_brackets(text[start:end]) if end > 0 else MISSING
        has_comment = COMMENT_START.search(text, start, end if end > 0 else len(text))
        if value is MISSING and has_comment and self._commented < MAX_COMMENTED:
            self._commented += 1
            if (end_of_commented := find_commented_end(text, start)) > 0:
                value = read_commented(text[start:end_of_commented])
                end = end_of_commented if value is not MISSING else end
        if value is not MISSING:
            self._found.append((start, text[start:end], value))
        if end > 0:
            return end
        self._found.append((start, "", MISSING))
        return self._last_reasoning_end if self._last_reasoning_end > start else len(text)

    def _find_end(self, start: int) -> int:
        """Return where the brackets that begin here end; -1 if they are not closed."""
        if self._brackets > MAX_BRACKETS:
            return -1
        if flat := FLAT_BRACKETS.match(self._text, start):
            return flat.end()
        end = find_end(self._text, start) if self._unclosed < MAX_UNCLOSED else -1
        self._unclosed += end < 0
        return end
