"""Reads values from text: Python literals, and what models write instead.

One pass over the text; nothing in it is run. Valid Python needs no repair. Every repair has a name
and is recorded. What has no value here, such as a variable, is kept as its own text, an
`Expression`; the tool's schema decides whether text is good enough.
"""

import ast
import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 50
"""Levels of nested values."""

MAX_NUMBER_CHARACTERS = 3_000
"""Python itself refuses to convert much longer ones."""

MAX_CALCULATION_CHARACTERS = 100
MAX_EXPONENT = 64
MAX_RESULT = 10**100
"""Limit of every step of a calculation."""

BLANKS = re.compile(r"\s+")
COMMENTS = re.compile(r"(?:\s*#[^\n]*\n)+\s*(?=\S)")
"""Python comments that something follows; a reply does not end in one."""
COMMENT_AT_END = re.compile(r"\s+#[^\n]*(?=\n|\Z)")
PLAIN_SCALAR = r"""(?:'([^'\\\n]*)'|"([^"\\\n]*)"|(0|-?[1-9][0-9]{0,15}))"""
"""Matches most values in one step."""
SCALAR = re.compile(rf"\s*{PLAIN_SCALAR}\s*(?=[,)\]}}:])")
BARE_KEY = re.compile(r"(?!(?:True|False|None|true|false|null)\b)[^\W\d][\w$-]*(?=\s*:)")
WORD = re.compile(r"[^\W\d]\w*")
NUMBER = re.compile(
    r"-?(?:0[xX][0-9a-fA-F]+|(?:(?:0|[1-9]\d*(?:_\d+)*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
)
DATE_OR_PHONE_NUMBER = re.compile(r"\d+(?:-\d+)+")
CALCULATION = re.compile(r"[\d\s.+\-*/()]+")
STRING_START = re.compile("([rRuU]?)('''|\"\"\"|'|\")")
ESCAPE = re.compile(
    r"\\(?:(\r?\n)|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|(.))",
    re.DOTALL,
)
ESCAPED = {**dict(zip("ntrbfva", "\n\t\r\b\f\v\a", strict=True)), **{c: c for c in "\\'\"/"}}
AMBIGUOUS = re.compile(r",\s*[^\W\d][\w.$-]*\s*=\s*['\"\d\[{]|['\"]\s*\+|\+\s*['\"]")
"""Not allowed in a string whose end was guessed: an argument, or a sum of strings."""
ASSIGNMENT = re.compile(r"(?:\A|\s)[^\W\d][\w.$-]*\s*=(?![=>])")
"""Not allowed in an expression: the next argument, after a missing comma."""
CONSTANTS: Mapping[str, Any] = {"True": True, "False": False, "None": None}
JSON_CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
MARK = re.compile(r"[()\[\]{},]|(?:(?<!\w\w)['\"]|['\"](?!\w))|(?<=\s)#[^\n]*(?=\n)")
"""What structures an expression: brackets, quotes, comments; not an apostrophe within a word."""
CLOSERS: Mapping[str, str] = {"(": ")", "[": "]", "{": "}"}
AFTER_A_VALUE = ",)]}:"
"""One of these, or nothing, follows a value."""
NOT_A_LITERAL = object()

Number = int | float
OPERATORS: Mapping[type, Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


class UnreadableError(ValueError):
    """Text that cannot be read; the message is the reason."""


class Expression(str):
    """The text of an expression that is not a literal, such as a variable or `1/6`."""

    __slots__ = ()

    def calculate(self) -> Number | None:
        """Return the result of a calculation with numbers only; None for anything else."""
        if len(self) > MAX_CALCULATION_CHARACTERS or not CALCULATION.fullmatch(self):
            return None
        if DATE_OR_PHONE_NUMBER.fullmatch(self):
            return None
        try:
            return _calculate(ast.parse(self, mode="eval").body)
        except (SyntaxError, ArithmeticError, MemoryError, RecursionError, UnreadableError):
            return None


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    """A number whose text says more than its value, such as a version: `3.10`.

    Attributes:
        value: The number.
        raw: Its text.
    """

    value: Number
    raw: str


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
        self._line_end = -1

    def peek(self) -> str:
        """Skip blanks and comments and return the next character; empty at the end."""
        character = self.text[self.position : self.position + 1]
        if character.isspace():
            self.take_match(BLANKS)
            character = self.text[self.position : self.position + 1]
        # `=#ff0000` is a color, not a comment.
        if character != "#" or not self.reads_comments or self.text[self.position - 1] == "=":
            return character
        if self.take_match(COMMENTS):
            self.repairs.append("comment")
        return self.text[self.position : self.position + 1]

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
        return self._read_expression(start)

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
            pairs[key] = self.read_value()
            if not self.take(","):
                self._expect("}")
                break
        return pairs

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
        number = match[0]
        if len(number) > MAX_NUMBER_CHARACTERS:
            raise UnreadableError(f"a number has more than {MAX_NUMBER_CHARACTERS} characters")
        self.position = match.end()
        try:
            value: Number = int(number, 16) if "x" in number.lower() else int(number)
        except ValueError:
            value = float(number)
            if math.isinf(value):
                return NOT_A_LITERAL
        return value if str(value) == number else NumberLiteral(value, number)

    def _read_string(self, start: re.Match[str] | None) -> str:
        parts = []
        while start is not None:
            parts.append(self._read_string_part(start))
            # Adjacent strings are one.
            start = STRING_START.match(self.text, self.position) if self.peek() else None
        return "".join(parts)

    def _read_string_part(self, start: re.Match[str]) -> str:
        prefix, quote = start.groups()
        end = self._find_string_end(start.end(), quote)
        raw = self.text[start.end() : end]
        if len(quote) == 1 and "\n" in raw.replace("\\\n", ""):
            self.repairs.append("line_feed_in_string")
        return raw if prefix in {"r", "R"} else unescape(raw)

    def _find_string_end(self, start: int, quote: str) -> int:
        """Find the quote that ends a string, the first that something can follow, and skip it."""
        end = find_quote(self.text, quote, start)
        is_guess = False
        while end >= 0:
            self.position = end + len(quote)
            if self._is_string_over(quote):
                if is_guess:
                    self._allow_unescaped_quotes(self.text[start:end])
                return end
            is_guess = True
            end = find_quote(self.text, quote, end + len(quote))
        raise UnreadableError("a string is not closed")

    def _is_string_over(self, quote: str) -> bool:
        """Whether a quote ends its string, judged by what follows it."""
        self.take_match(BLANKS)
        if self.text.startswith("#", self.position):
            # A comment, unless another quote on this line can end the string too.
            if self._line_end < self.position:
                line_end = self.text.find("\n", self.position)
                self._line_end = line_end if line_end >= 0 else len(self.text)
            if self.text.find(quote, self.position, self._line_end) >= 0:
                return False
        return self.peek() in AFTER_A_VALUE or bool(STRING_START.match(self.text, self.position))

    def _allow_unescaped_quotes(self, content: str) -> None:
        if AMBIGUOUS.search(content):
            raise UnreadableError("it is unclear where a string ends; escape the quotes in it")
        self.repairs.append("unescaped_quote")

    def _read_expression(self, start: int) -> Expression:
        """Read up to a comma or a closing bracket outside all brackets."""
        while match := MARK.search(self.text, self.position):
            self.position = match.start()
            if match[0] in ",)]}":
                break
            if match[0][0] == "#":
                self.position = match.end()
                continue
            self.position = find_end(self.text, self.position)
            if self.position < 0:
                raise UnreadableError("a bracket or a string is not closed")
        else:
            self.position = len(self.text)
        text = self.text[start : self.position].strip()
        if self.reads_comments:
            text = COMMENT_AT_END.sub("", text).strip()
        if not text:
            raise UnreadableError("a value is missing")
        if ASSIGNMENT.search(text):
            raise UnreadableError("a comma is missing")
        return Expression(text)

    def _expect(self, character: str) -> None:
        if not self.take(character):
            found = repr(self.peek()) if self.peek() else "the end"
            raise UnreadableError(f"expected {character!r}, not {found}")


def convert_scalar(single: str | None, double: str | None, number: str | None) -> str | int:
    """Return the value of a `PLAIN_SCALAR`, given its groups."""
    return int(number) if number else single or double or ""


def find_quote(text: str, quote: str, position: int) -> int:
    """Return the index of the next unescaped quote; -1 if there is none."""
    while (end := text.find(quote, position)) >= 0:
        before = text[position:end]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            break
        position = end + 1
    return end


def find_end(text: str, position: int) -> int:
    """Return the index after the bracket or string that begins here; -1 if it is not closed."""
    closers: list[str] = []
    while match := MARK.search(text, position):
        character, position = match[0], match.end()
        if character[0] == "#":
            continue
        if character in CLOSERS:
            closers.append(CLOSERS[character])
        elif character in "'\"":
            position = find_quote(text, character, position) + 1
            if not position:
                return -1
        elif closers and character == closers[-1]:
            closers.pop()
        if not closers:
            return position
    return -1


def unescape(text: str) -> str:
    """Replace the escapes of Python and JSON; unknown ones stay."""
    if "\\" not in text:
        return text
    text = ESCAPE.sub(_unescape_one, text)
    # JSON writes characters beyond U+FFFF as surrogate pairs.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescape_one(match: re.Match[str]) -> str:
    line_feed, *codes, octal, other = match.groups()
    code = next((code for code in codes if code), None)
    if line_feed:
        return ""
    if code:
        return chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else match[0]  # noqa: PLR2004 - the last code point
    return chr(int(octal, 8)) if octal else ESCAPED.get(other, match[0])


def _calculate(node: ast.expr) -> Number:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _calculate(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        left, right = _calculate(node.left), _calculate(node.right)
        if isinstance(node.op, ast.Pow) and abs(right) > MAX_EXPONENT:
            raise UnreadableError("the exponent is too large")
        result = OPERATORS[type(node.op)](left, right)
        if isinstance(result, complex) or abs(result) > MAX_RESULT:
            raise UnreadableError("the result is too large or not real")
        return result
    raise UnreadableError("not a calculation with numbers")
