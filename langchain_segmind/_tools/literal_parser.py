"""Text -> values: the literals of Python, and what models write in their place.

A scanner that goes over the text once and runs none of it. What is strictly Python passes in
silence; each leniency has a name, which is noted. What has no value here, such as a variable, is
kept as its own text, a `Source`: whether a text will do is for the tool's schema to say.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

DEEPEST = 50
"""Levels of nesting that are read."""

LONGEST_NUMBER = 3_000
"""Characters of a number that is read."""

LONGEST_CALCULATION = 100
"""Characters of a calculation with numbers that is done."""

LARGEST_EXPONENT = 64
"""Of a power that is calculated."""

LARGEST_RESULT = 10**100
"""Of each step of a calculation."""

BLANKS = re.compile(r"\s+")
COMMENTS = re.compile(r"(?:\s*#[^\n]*\n)+\s*(?=\S)")
"""Comments as Python writes them, with what follows them: the end of a text is no comment."""
COMMENT_AT_END = re.compile(r"\s+#[^\n]*(?=\n|\Z)")
PLAIN_SCALAR = r"""(?:'([^'\\\n]*)'|"([^"\\\n]*)"|(0|-?[1-9][0-9]{0,15}))"""
"""What most values are; they are read in one step."""
SCALAR = re.compile(rf"\s*{PLAIN_SCALAR}\s*(?=[,)\]}}:])")
BARE_KEY = re.compile(r"(?!(?:True|False|None|true|false|null)\b)[^\W\d][\w$-]*(?=\s*:)")
WORD = re.compile(r"[^\W\d]\w*")
NUMBER = re.compile(
    r"(-?(?:0[xX][0-9a-fA-F]+|(?:(?:0|[1-9]\d*(?:_\d+)*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?))"
    r"([lLfFdDn](?!\w))?"
)
NO_CALCULATION = re.compile(r"\d+(?:-\d+)+")
"""A date, or a telephone number."""
CALCULATION = re.compile(r"[\d\s.+\-*/()]+")
STRING_START = re.compile("([rRuU]?)('''|\"\"\"|'|\"|\u201c|\u2018)")
STRING_ENDS = {"\u201c": "\u201d", "\u2018": "\u2019"}
ESCAPE = re.compile(
    r"\\(?:(\r?\n)|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|(.))",
    re.DOTALL,
)
ESCAPED = {**dict(zip("ntrbfva", "\n\t\r\b\f\v\a", strict=True)), **{c: c for c in "\\'\"/"}}
AMBIGUOUS = re.compile(r",\s*[^\W\d][\w.$-]*\s*=\s*['\"\d\[{]|['\"]\s*\+|\+\s*['\"]")
"""What must not stand inside a string whose end was guessed: an argument, or a sum of strings."""
ASSIGNMENT = re.compile(r"(?:\A|\s)[^\W\d][\w.$-]*\s*=(?![=>])")
"""What must not stand inside an expression: the next argument, after a comma that is missing."""
CONSTANTS: Mapping[str, Any] = {"True": True, "False": False, "None": None}
FOREIGN_CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
MARK = re.compile(r"[()\[\]{},]|(?:(?<!\w\w)['\"]|['\"](?!\w))|(?<=\s)#[^\n]*(?=\n)")
"""What matters in an expression that is no literal; an apostrophe within a word does not."""
CLOSERS: Mapping[str, str] = {"(": ")", "[": "]", "{": "}"}
AFTER_A_VALUE = ",)]}:"
"""One of these follows a value, or nothing."""
NO_LITERAL = object()
"""What is read where no literal stands."""

Number = int | float
OPERATORS: Mapping[type, Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


class UnreadableError(ValueError):
    """A text that cannot be read; the message says why."""


class Source(str):
    """An expression that is no literal, such as a variable's name or `1/6`: its own text."""

    __slots__ = ()

    def calculate(self) -> Number | None:
        """Get the value of a calculation with numbers only, or None."""
        if len(self) > LONGEST_CALCULATION or not CALCULATION.fullmatch(self):
            return None
        if NO_CALCULATION.fullmatch(self):
            return None
        try:
            return _calculate(ast.parse(self, mode="eval").body)
        except (SyntaxError, ArithmeticError, MemoryError, RecursionError, UnreadableError):
            return None


@dataclass(frozen=True, slots=True)
class Spelling:
    """A number whose spelling says more than its value, such as that of a version: `3.10`.

    Attributes:
        value: The number.
        text: As it was written.
    """

    value: Number
    text: str


class Scanner:
    """Reads values from a text, one after the other.

    Attributes:
        text: The text.
        position: Where it stands.
        leniencies: The names of the leniencies that were needed, in order.
        reads_comments: Whether a comment may stand between values.
    """

    def __init__(self, text: str, position: int = 0) -> None:
        self.text = text
        self.position = position
        self.leniencies: list[str] = []
        self.reads_comments = False
        self._depth = 0
        self._line_end = -1

    def peek(self) -> str:
        """Pass over blanks and comments and give the next character, empty at the end."""
        character = self.text[self.position : self.position + 1]
        if character.isspace():
            self.take_match(BLANKS)
            character = self.text[self.position : self.position + 1]
        # A color is no comment: `#ff0000` after an equals sign.
        if character != "#" or not self.reads_comments or self.text[self.position - 1] == "=":
            return character
        if self.take_match(COMMENTS):
            self.leniencies.append("comment")
        return self.text[self.position : self.position + 1]

    def take(self, character: str) -> bool:
        """Pass over a character if it comes next."""
        if not self.text.startswith(character, self.position) and self.peek() != character:
            return False
        self.position += 1
        return True

    def take_match(self, pattern: re.Pattern[str]) -> str:
        """Pass over what a pattern matches here; empty where it matches nothing."""
        match = pattern.match(self.text, self.position)
        if match is None:
            return ""
        self.position = match.end()
        return match[0]

    def read_value(self) -> Any:
        """Read the next value.

        Raises:
            UnreadableError: If there is none.
        """
        if self._depth == DEEPEST:
            raise UnreadableError(f"values are nested more than {DEEPEST} deep")
        if scalar := SCALAR.match(self.text, self.position):
            self.position = scalar.end()
            return convert_scalar(*scalar.groups())
        self._depth += 1
        try:
            character = self.peek()
            start, noted = self.position, len(self.leniencies)
            value = self._read_literal(character)
        finally:
            self._depth -= 1
        if value is not NO_LITERAL and self.peek() in AFTER_A_VALUE:
            return value
        self.leniencies[noted:] = ["source"]
        return self._read_source(start)

    def read_braces(self) -> Any:
        """Read a dict or a set."""
        self._expect("{")
        pairs: dict[str, Any] = {}
        items: list[Any] = []
        while not self.take("}"):
            if key := self.take_match(BARE_KEY):
                self.leniencies.append("bare_key")
            else:
                key = self.read_value()
            if self.take(":"):
                pairs[self._convert_key(key)] = self.read_value()
            else:
                items.append(key)
            if not self.take(","):
                self._expect("}")
                break
        if items and pairs:
            raise UnreadableError("braces hold both pairs and single values")
        if items:
            self.leniencies.append("set")
        return items or pairs

    def _read_literal(self, character: str) -> Any:
        if character == "[":
            return self._read_items("[")
        if character == "{":
            return self.read_braces()
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
        if word in FOREIGN_CONSTANTS:
            self.leniencies.append("foreign_constant")
            return FOREIGN_CONSTANTS[word]
        return NO_LITERAL

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
        self.leniencies.append("tuple")
        return items

    def _convert_key(self, key: Any) -> str:
        if isinstance(key, str):
            return str(key)
        if isinstance(key, Spelling):
            key = key.text
        self.leniencies.append("key_to_text")
        return "null" if key is None else str(key).lower() if isinstance(key, bool) else str(key)

    def _read_number(self, match: re.Match[str]) -> Any:
        number, suffix = match.groups()
        if len(number) > LONGEST_NUMBER:
            raise UnreadableError(f"a number has more than {LONGEST_NUMBER} characters")
        self.position = match.end()
        if suffix:
            self.leniencies.append("number_suffix")
        try:
            value: Number = int(number, 16) if "x" in number.lower() else int(number)
        except ValueError:
            value = float(number)
            if math.isinf(value):
                return NO_LITERAL
        return value if str(value) == match[0] else Spelling(value, match[0])

    def _read_string(self, start: re.Match[str] | None) -> str:
        parts = []
        while start is not None:
            parts.append(self._read_string_part(start))
            # Strings in a row are one.
            start = STRING_START.match(self.text, self.position) if self.peek() else None
        return "".join(parts)

    def _read_string_part(self, start: re.Match[str]) -> str:
        prefix, opener = start.groups()
        closer = STRING_ENDS.get(opener, opener)
        if closer != opener:
            self.leniencies.append("curly_quotes")
        end = self._find_string_end(start.end(), closer)
        raw = self.text[start.end() : end]
        if len(closer) == 1 and "\n" in raw.replace("\\\n", ""):
            self.leniencies.append("line_feed_in_string")
        return raw if prefix in {"r", "R"} else unescape(raw)

    def _find_string_end(self, start: int, closer: str) -> int:
        """Pass over the quote that ends a string: the first that something can follow."""
        end = find_quote(self.text, closer, start)
        is_guess = False
        while end >= 0:
            self.position = end + len(closer)
            if self._is_string_over(closer):
                if is_guess:
                    self._allow_unescaped_quotes(self.text[start:end])
                return end
            is_guess = True
            end = find_quote(self.text, closer, end + len(closer))
        raise UnreadableError("a string does not end")

    def _is_string_over(self, closer: str) -> bool:
        """Tell whether a quote ends its string, by what follows."""
        self.take_match(BLANKS)
        if self.text.startswith("#", self.position):
            # A comment: unless the line holds a quote that may end the string as well.
            if self._line_end < self.position:
                line_end = self.text.find("\n", self.position)
                self._line_end = line_end if line_end >= 0 else len(self.text)
            if self.text.find(closer, self.position, self._line_end) >= 0:
                return False
        return self.peek() in AFTER_A_VALUE or bool(STRING_START.match(self.text, self.position))

    def _allow_unescaped_quotes(self, content: str) -> None:
        if AMBIGUOUS.search(content):
            raise UnreadableError("it cannot be told where a string ends")
        self.leniencies.append("unescaped_quote")

    def _read_source(self, start: int) -> Source:
        """Read on to the end of an expression: a comma or a closer outside all brackets."""
        while match := MARK.search(self.text, self.position):
            self.position = match.start()
            if match[0] in ",)]}":
                break
            if match[0][0] == "#":
                self.position = match.end()
                continue
            self.position = find_end(self.text, self.position)
            if self.position < 0:
                raise UnreadableError("a value does not end")
        else:
            self.position = len(self.text)
        text = self.text[start : self.position].strip()
        if self.reads_comments:
            text = COMMENT_AT_END.sub("", text).strip()
        if not text:
            raise UnreadableError("a value is missing")
        if ASSIGNMENT.search(text):
            raise UnreadableError("a comma is missing")
        return Source(text)

    def _expect(self, character: str) -> None:
        if not self.take(character):
            found = repr(self.peek()) if self.peek() else "the end"
            raise UnreadableError(f"{character!r} was expected, not {found}")


def convert_scalar(single: str | None, double: str | None, number: str | None) -> str | int:
    """Get the value of a `PLAIN_SCALAR` from its groups."""
    return int(number) if number else single or double or ""


def find_quote(text: str, quote: str, position: int) -> int:
    """Find the next quote that no backslash escapes; -1 where there is none."""
    while (end := text.find(quote, position)) >= 0:
        before = text[position:end]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            break
        position = end + 1
    return end


def find_end(text: str, position: int) -> int:
    """Find where a bracket or a string that begins here is over; -1 where it is not."""
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
    """Replace the escapes of Python and JSON; an unknown one stays as it is."""
    if "\\" not in text:
        return text
    text = ESCAPE.sub(_unescape_one, text)
    # JSON spells characters beyond the basic plane as two halves.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescape_one(match: re.Match[str]) -> str:
    line_feed, *codes, octal, other = match.groups()
    code = next((code for code in codes if code), None)
    if line_feed:
        return ""
    if code:
        return chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else match[0]  # noqa: PLR2004 - Unicode's last
    return chr(int(octal, 8)) if octal else ESCAPED.get(other, match[0])


def _calculate(node: ast.expr) -> Number:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _calculate(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        left, right = _calculate(node.left), _calculate(node.right)
        if isinstance(node.op, ast.Pow) and abs(right) > LARGEST_EXPONENT:
            raise UnreadableError("a power is too large")
        result = OPERATORS[type(node.op)](left, right)
        if isinstance(result, complex) or abs(result) > LARGEST_RESULT:
            raise UnreadableError("a result is no number, or too large")
        return result
    raise UnreadableError("no calculation with numbers")
