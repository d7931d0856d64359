"""Reads values from text: Python literals, and what models write instead.

One pass over the text; nothing in it is run. A value is exactly what the text says, or it is
unreadable with a reason. What has no value here, such as a variable, is kept as its own text, an
`Expression`; the tool's schema decides whether text is good enough.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

from langchain_segmind._tools.calculation import Number
from langchain_segmind._tools.strings import (
    STRING_START,
    UnclosedStringError,
    UnreadableError,
    find_quote,
    find_string_end,
    is_apostrophe,
    read_f_string,
    unescape,
)

MAX_DEPTH = 50
"""Levels of nested values."""

MAX_NUMBER_CHARACTERS = 3_000
"""Python itself refuses to convert much longer ones."""

BLANKS = re.compile(r"\s+")
PLAIN_SCALAR = r"""(?:'([^'\\\n]*+)'|"([^"\\\n]*+)"|(0|-?[1-9][0-9]{0,15}))"""
"""Matches most values in one step."""
SCALAR = re.compile(rf"\s*+{PLAIN_SCALAR}\s*+(?=[,)\]}}:])")
BARE_KEY = re.compile(r"(?!(?:True|False|None|true|false|null)\b)[^\W\d][\w$-]*+(?=\s*+:)")
FIELD = re.compile(r"\s*+([^\W\d]\w*+)\s*+=(?!=)")
CONSTRUCTOR = re.compile(r"(?:new\s+)?[^\W\d][\w.]*+\s*+\(")
WORD = re.compile(r"[^\W\d]\w*+")
NUMBER = re.compile(
    r"(?:[+-]\s*+)?(?:0[xX](?:_?[0-9a-fA-F])++|0[oO](?:_?[0-7])++|0[bB](?:_?[01])++"
    r"|(?:(?:0(?:_?0)*+|[1-9](?:_?[0-9])*+)(?:\.(?:[0-9](?:_?[0-9])*+)?)?"
    r"|\.[0-9](?:_?[0-9])*+)(?:[eE][+-]?[0-9](?:_?[0-9])*+)?)(?!\w)"
)
SWALLOWED = re.compile(r"\)[\s,()\[\]{}]*+[^\W\d][\w.$-]*+\s*+\(|,\s*+[^\W\d][\w.$-]*+\s*+[=:]")
"""Not allowed in a string with a bare apostrophe: another call, or another argument."""
CONSTANTS: Mapping[str, Any] = {"True": True, "False": False, "None": None}
JSON_CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
OPERATORS = frozenset({"and", "else", "for", "if", "in", "is", "not", "or"})
WORD_AFTER_STRING = re.compile(rf"\s*+(?!(?:{'|'.join(sorted(OPERATORS))})\b)\w")
TOKEN = re.compile(r"[^\s()\[\]{},'\"#=<>!]++|\s++|[=!<>]=|=>|.", re.DOTALL)
"""Part of an expression."""
CLOSERS: Mapping[str, str] = {"(": ")", "[": "]", "{": "}"}
AFTER_A_VALUE = frozenset(",)]}:") | {""}
"""One of these, or nothing, follows a value."""
AFTER_AN_EXPRESSION = frozenset(",)]}")
NOT_A_LITERAL = object()


class Expression(str):
    """The text of an expression that is not a literal, such as a variable or `1/6`."""

    __slots__ = ()

    def read_fields(self) -> dict[str, Any] | None:
        """Return the fields of a constructor, `Line(sku='a', qty=1)`; None for anything else."""
        start = CONSTRUCTOR.match(self)
        if start is None:
            return None
        scanner = Scanner(self, start.end())
        try:
            fields = scanner.read_fields()
        except UnreadableError:
            return None
        return None if scanner.peek() else fields


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    """A number whose text says more than its value, such as a version: `3.10`.

    Attributes:
        value: The number.
        raw: Its text.
    """

    value: Number
    raw: str

    @property
    def is_rounded(self) -> bool:
        """Whether the value is not exactly what the text says."""
        return isinstance(self.value, float) and self._exact != Decimal(str(self.value))

    @property
    def has_last_zero(self) -> bool:
        """Whether a fraction ends in a zero, which can be lost: `3.10`, `3.0`."""
        return "." in self.raw and self.raw.endswith("0") and not {*self.raw} & {*"eExX"}

    @property
    def _exact(self) -> Decimal:
        return Decimal(self.raw.replace("_", ""), Context(traps=[]))


class Scanner:
    """Reads values from a text, one after the other.

    Attributes:
        text: The text.
        position: Index of the next character.
        repairs: Names of the repairs made so far, in order.
        reads_comments: Whether comments between values are skipped.
    """

    def __init__(self, text: str, position: int = 0) -> None:
        self.text = text
        self.position = position
        self.repairs: list[str] = []
        self.reads_comments = False
        self._depth = 0
        self._last_line_end = -2
        self._found_end = -1, -1

    def find_end(self, position: int) -> int:
        """Return the index after the bracket at a position; -1 if it is not closed.

        The last answer is kept: without an end, the text is searched to its own.
        """
        if self._found_end[0] != position:
            self._found_end = position, find_end(self.text, position)
        return self._found_end[1]

    def peek(self) -> str:
        """Skip blanks and comments and return the next character; empty at the end."""
        while True:
            character = self.text[self.position : self.position + 1]
            if character.isspace():
                self.take_match(BLANKS)
            elif not (character == "#" and self._skip_comment()):
                return character

    def _skip_comment(self) -> bool:
        """Skip a comment that something follows; a reply does not end in one."""
        # `=#ff0000` is a color, not a comment.
        if not self.reads_comments or self.text[self.position - 1] == "=":
            return False
        if self._last_line_end == -2:  # noqa: PLR2004 - not looked for yet
            self._last_line_end = self.text.rfind("\n")
        if self.position > self._last_line_end:
            return False
        self.position = self.text.index("\n", self.position)
        self.repairs.append("comment")
        return True

    def take(self, character: str) -> bool:
        """Skip a character; return whether it came next."""
        if not self.text.startswith(character, self.position) and self.peek() != character:
            return False
        self.position += 1
        return True

    def take_match(self, pattern: re.Pattern[str]) -> str:
        """Skip and return what a pattern matches here; empty if it does not match."""
        match = pattern.match(self.text, self.position)
        if match is None:
            return ""
        self.position = match.end()
        return match[0]

    def read_value(self) -> Any:
        """Return the next value.

        Raises:
            UnreadableError: If there is none.
        """
        if self._depth == MAX_DEPTH:
            raise UnreadableError(f"values are nested more than {MAX_DEPTH} levels deep")
        if scalar := SCALAR.match(self.text, self.position):
            self.position = scalar.end()
            return convert_scalar(*scalar.groups())
        self._depth += 1
        try:
            character = self.peek()
            start, repairs_before = self.position, len(self.repairs)
            value = self._read_literal(character)
        finally:
            self._depth -= 1
        if value is not NOT_A_LITERAL and self.peek() in AFTER_A_VALUE:
            return value
        self.repairs[repairs_before:] = ["expression"]
        self.position = start
        return self.read_expression()

    def read_dict(self) -> dict[str, Any]:
        """Return the dict that begins here.

        Raises:
            UnreadableError: If there is none.
        """
        self._expect("{")
        pairs: dict[str, Any] = {}
        while not self.take("}"):
            if key := self.take_match(BARE_KEY):
                self.repairs.append("bare_key")
            else:
                key = self._convert_key(self.read_value())
            self._expect(":")
            if key in pairs:
                raise UnreadableError("a key is given twice")
            pairs[key] = self.read_value()
            if not self.take(","):
                self._expect("}")
                break
        return pairs

    def read_fields(self) -> dict[str, Any]:
        """Return the fields of a constructor whose `(` has been read.

        Raises:
            UnreadableError: If they are not all named.
        """
        fields: dict[str, Any] = {}
        while not self.take(")"):
            name = FIELD.match(self.text, self.position)
            if name is None or name[1] in fields:
                raise UnreadableError("a field has no name, or is given twice")
            self.position = name.end()
            fields[name[1]] = self.read_value()
            if not self.take(","):
                self._expect(")")
                break
        return fields

    def _read_literal(self, character: str) -> Any:
        if character == "[":
            return self._read_items("[")
        if character == "{":
            return self.read_dict()
        if character == "(":
            return self._read_parentheses()
        if start := STRING_START.match(self.text, self.position):
            return self._read_string(start)
        if number := NUMBER.match(self.text, self.position):
            return self._read_number(number)
        return self._convert_word(self.take_match(WORD))

    def _convert_word(self, word: str) -> Any:
        if word in CONSTANTS:
            return CONSTANTS[word]
        if word in JSON_CONSTANTS:
            self.repairs.append("json_constant")
            return JSON_CONSTANTS[word]
        return NOT_A_LITERAL

    def _read_items(self, opener: str) -> list[Any]:
        self._expect(opener)
        items = []
        while not self.take(CLOSERS[opener]):
            items.append(self.read_value())
            if not self.take(","):
                self._expect(CLOSERS[opener])
                break
        return items

    def _read_parentheses(self) -> Any:
        start = self.position
        items = self._read_items("(")
        if len(items) == 1 and not self.text[start : self.position - 1].rstrip().endswith(","):
            return items[0]
        self.repairs.append("tuple")
        return items

    def _convert_key(self, key: Any) -> str:
        if isinstance(key, str):
            return str(key)
        self.repairs.append("key_to_string")
        return key.raw if isinstance(key, NumberLiteral) else json.dumps(key, default=str)

    def _read_number(self, match: re.Match[str]) -> Any:
        if len(match[0]) > MAX_NUMBER_CHARACTERS:
            raise UnreadableError(f"a number has more than {MAX_NUMBER_CHARACTERS} characters")
        self.position = match.end()
        number = convert_number("".join(match[0].split()))
        return NOT_A_LITERAL if number is None else number

    def _read_string(self, start: re.Match[str] | None) -> str:
        parts = []
        is_bytes = start is not None and "b" in start[1].lower()
        while start is not None:
            parts.append(self._read_string_part(start))
            end = self.position
            # Adjacent strings are one.
            following = STRING_START.match(self.text, self.position) if self.peek() else None
            # Without a blank, `'it''s'` and `"Plan "B" works"` lack escapes.
            if following and (self.position == end or is_bytes != ("b" in following[1].lower())):
                raise UnclosedStringError(start[2])
            start = following
        return "".join(parts)

    def _read_string_part(self, start: re.Match[str]) -> str:
        prefix, quote = start[1].lower(), start[2]
        end = self._find_string_end(start.end(), quote)
        raw = self.text[start.end() : end]
        self.position = end + len(quote)
        if len(quote) == 1 and "\n" in raw.replace("\\\n", ""):
            self.repairs.append("line_feed_in_string")
        if "f" in prefix:
            raw = read_f_string(raw)
        return raw if "r" in prefix else unescape(raw)

    def _find_string_end(self, start: int, quote: str) -> int:
        """Find the quote that ends a string: the first but for apostrophes, as in `'it's'`."""
        position, has_apostrophe = start, False
        while (end := find_quote(self.text, quote, position)) >= 0:
            position = end + len(quote)
            if len(quote) > 1 or self._follows_string(position):
                if has_apostrophe and SWALLOWED.search(self.text, start, end):
                    break
                return end
            if not is_apostrophe(self.text, end):
                break
            if not has_apostrophe:
                self.repairs.append("apostrophe")
                has_apostrophe = True
        raise UnclosedStringError(quote)

    def _follows_string(self, position: int) -> bool:
        """Whether what follows a quote can follow a string."""
        if blanks := BLANKS.match(self.text, position):
            position = blanks.end()
        character = self.text[position : position + 1]
        return (
            character in AFTER_A_VALUE
            or (character == "#" and self.reads_comments)
            or bool(STRING_START.match(self.text, position))
        )

    def read_expression(self) -> Expression:
        """Return the text up to a comma or a closing bracket outside all brackets.

        Raises:
            UnreadableError: If a bracket or a string is not closed, or there is nothing.
        """
        closers, parts, before = list[str](), list[str](), ""
        while (token := TOKEN.match(self.text, self.position)) and not (
            token[0] in AFTER_AN_EXPRESSION and not closers
        ):
            character = token[0][0]
            if character in CLOSERS:
                closers.append(CLOSERS[character])
            elif character in ")]}" and closers.pop() != character:
                raise UnreadableError("a bracket is not closed")
            elif token[0] == "=" and not closers:
                raise UnreadableError("a comma is missing")
            elif character == "#" and self._skip_comment_after_blank():
                continue
            parts.append(self._read_part(token, before))
            before = before if character.isspace() else parts[-1]
        text = "".join(parts).strip()
        if closers:
            raise UnreadableError("a bracket is not closed")
        if not text:
            raise UnreadableError("a value is missing")
        return Expression(text)

    def _skip_comment_after_blank(self) -> bool:
        return self.text[self.position - 1].isspace() and self._skip_comment()

    def _read_part(self, token: re.Match[str], before: str) -> str:
        """Return a part of an expression: a string with its quotes, or another token."""
        start, end = token.span()
        string_end = find_string_end(self.text, start)
        if string_end < 0 or (string_end and is_beside_word(self.text, string_end, before)):
            raise UnclosedStringError(token[0][-1])
        self.position = string_end or end
        return self.text[start : self.position]

    def _expect(self, character: str) -> None:
        if not self.take(character):
            found = repr(self.peek()) if self.peek() else "the end"
            raise UnreadableError(f"expected {character!r}, not {found}")


def convert_scalar(single: str | None, double: str | None, number: str | None) -> str | int:
    """Return the value of a `PLAIN_SCALAR`, given its groups."""
    return int(number) if number else single or double or ""


def convert_number(text: str) -> Number | NumberLiteral | None:
    """Return a number as Python reads it, with its text if that says more; None if infinite."""
    try:
        value: Number = int(text, 0)
    except ValueError:
        value = float(text)
        if not math.isfinite(value):
            return None
    return value if str(value) == text else NumberLiteral(value, text)


def find_end(text: str, position: int) -> int:
    """Return the index after the bracket that begins here; -1 if it is not closed."""
    return skip_brackets(text, position)[0]


def skip_brackets(text: str, position: int) -> tuple[int, bool]:
    """Find the end of the bracket that begins here.

    Returns:
        The index after it, -1 if it is not closed; and whether it is clear where each string and
        comment in it begins and ends.
    """
    closers: list[str] = []
    is_clear, before = True, ""
    while token := TOKEN.match(text, position):
        start, position = token.span()
        character = token[0][0]
        if string_end := find_string_end(text, start):
            if string_end < 0:
                return -1, False
            position = string_end
            is_clear = is_clear and not is_beside_word(text, position, before)
        elif character in CLOSERS:
            closers.append(CLOSERS[character])
        elif closers and character == closers[-1]:
            closers.pop()
        elif character in "'\"#":
            is_clear = is_clear and character == "#" and text[start - 1] == "="
        before = before if character.isspace() else token[0]
        if not closers:
            return position, is_clear
    return -1, False


def is_beside_word(text: str, end: int, before: str) -> bool:
    """Whether a word that is not an operator touches a string: it may end somewhere else.

    Args:
        text: The text.
        end: Where the string ends.
        before: The token before the string.
    """
    is_after_word = before[-1:].isalnum() and before not in OPERATORS
    return is_after_word or bool(WORD_AFTER_STRING.match(text, end))


def is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and dicts are nested in more than so many levels."""
    parts = [value]
    for _ in range(levels + 1):
        parts = [
            inner
            for part in parts
            if isinstance(part, dict | list)
            for inner in (part.values() if isinstance(part, dict) else part)
        ]
    return bool(parts)


def iterate_leaves(value: Any) -> Iterator[Any]:
    """Yield the parts of a value that are neither lists nor dicts, in any order."""
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            pending += part.values()
        elif isinstance(part, list):
            pending += part
        else:
            yield part
