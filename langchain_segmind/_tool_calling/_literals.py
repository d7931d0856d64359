"""Text -> values: the literals of Python, and what models write in their place.

A scanner that goes over the text once and runs none of it. What is strictly Python passes in
silence; each leniency has a name, which is noted. What has no value here, such as a variable, is
kept as its own text, a `Source`: whether a text will do is for the tool's schema to say.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

DEEPEST = 50
"""Levels of nesting that are read."""

LONGEST_NUMBER = 100
"""Characters of a number, or of a calculation with numbers, that is read."""

LARGEST_EXPONENT = 64
"""Of a power that is calculated."""

BLANKS = re.compile(r"\s+")
BARE_KEY = re.compile(r"(?!(?:True|False|None|true|false|null)\b)[^\W\d][\w$-]*(?=\s*:)")
WORD = re.compile(r"[^\W\d]\w*")
NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F]+|(?:(?:0|[1-9][\d_]*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
)
NUMBER_SUFFIX = re.compile(r"[lLfFdDn](?!\w)")
CALCULATION = re.compile(r"[\d\s.+\-*/()]+")
STRING_START = re.compile("([rRuU]?)('''|\"\"\"|'|\"|\u201c|\u2018)")
STRING_ENDS = {"\u201c": "\u201d", "\u2018": "\u2019"}
ESCAPE = re.compile(
    r"\\(?:(\r?\n)|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|(.))",
    re.DOTALL,
)
ESCAPED = {**dict(zip("ntrbfva", "\n\t\r\b\f\v\a", strict=True)), **{c: c for c in "\\'\"/"}}
NEXT_ARGUMENT = re.compile(r",\s*[^\W\d][\w.$-]*\s*=\s*['\"\d\[{]")
"""What must not stand inside a string whose end was guessed."""
CONSTANTS: Mapping[str, Any] = {"True": True, "False": False, "None": None}
FOREIGN_CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
MARK = re.compile(r"[()\[\]{},'\"]")
"""What matters in an expression that is no literal."""
CLOSERS: Mapping[str, str] = {"(": ")", "[": "]", "{": "}"}
AFTER_A_VALUE = ("", ",", ")", "]", "}", ":")

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
        if len(self) > LONGEST_NUMBER or not CALCULATION.fullmatch(self):
            return None
        try:
            return _calculate(ast.parse(self, mode="eval").body)
        except (SyntaxError, ArithmeticError, MemoryError, RecursionError, UnreadableError):
            return None


class Scanner:
    """Reads values from a text, one after the other.

    Attributes:
        text: The text.
        position: Where it stands.
        leniencies: The names of the leniencies that were needed, in order.
    """

    def __init__(self, text: str, position: int = 0) -> None:
        self.text = text
        self.position = position
        self.leniencies: list[str] = []
        self._depth = 0

    def peek(self) -> str:
        """Pass over blanks and give the next character, empty at the end."""
        self.position = self._skip_blanks(self.position)
        return self.text[self.position : self.position + 1]

    def take(self, character: str) -> bool:
        """Pass over a character if it comes next."""
        if self.peek() != character:
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
        self.peek()
        start, noted = self.position, len(self.leniencies)
        self._depth += 1
        try:
            value = self._read_literal()
        finally:
            self._depth -= 1
        if self.peek() in AFTER_A_VALUE and not isinstance(value, _NoLiteral):
            return value
        self.position = start
        del self.leniencies[noted:]
        return self._read_source()

    def _read_literal(self) -> Any:
        match self.peek():
            case "[":
                return self._read_items("[")
            case "{":
                return self._read_braces()
            case "(":
                return self._read_parentheses()
        if start := STRING_START.match(self.text, self.position):
            return self._read_string(start)
        if number := self.take_match(NUMBER):
            return self._convert_number(number)
        return self._convert_word(self.take_match(WORD))

    def _convert_word(self, word: str) -> Any:
        if word in CONSTANTS:
            return CONSTANTS[word]
        if word in FOREIGN_CONSTANTS:
            self.leniencies.append("foreign_constant")
            return FOREIGN_CONSTANTS[word]
        return _NoLiteral()

    def _read_items(self, opener: str) -> list[Any]:
        self.take(opener)
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

    def _read_braces(self) -> Any:
        self.take("{")
        pairs: dict[str, Any] = {}
        items: list[Any] = []
        while not self.take("}"):
            self.peek()
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

    def _convert_key(self, key: Any) -> str:
        if isinstance(key, str):
            return str(key)
        self.leniencies.append("key_to_text")
        return "null" if key is None else str(key).lower() if isinstance(key, bool) else str(key)

    def _convert_number(self, text: str) -> Any:
        if len(text) > LONGEST_NUMBER:
            raise UnreadableError(f"a number has more than {LONGEST_NUMBER} characters")
        if self.take_match(NUMBER_SUFFIX):
            self.leniencies.append("number_suffix")
        try:
            return int(text, 16) if "x" in text.lower() else int(text)
        except ValueError:
            return float(text)

    def _read_string(self, start: re.Match[str]) -> str:
        parts = [self._read_string_part(start)]
        while again := STRING_START.match(self.text, self._skip_blanks(self.position)):
            parts.append(self._read_string_part(again))
        return "".join(parts)

    def _read_string_part(self, start: re.Match[str]) -> str:
        prefix, opener = start.groups()
        closer = STRING_ENDS.get(opener, opener)
        if closer != opener:
            self.leniencies.append("curly_quotes")
        end = self._find_end(start.end(), closer)
        raw = self.text[start.end() : end]
        self.position = end + len(closer)
        if len(closer) == 1 and "\n" in raw.replace("\\\n", ""):
            self.leniencies.append("line_feed_in_string")
        return raw if prefix in {"r", "R"} else unescape(raw)

    def _find_end(self, position: int, closer: str) -> int:
        """Find the quote that ends a string: one that something can follow."""
        start, quoted = position, False
        while (end := self.text.find(closer, position)) >= 0:
            after = self._skip_blanks(end + len(closer))
            if self.text[end - 1] == "\\" and self._is_escaped(position, end):
                position = end + 1
            elif self.text[after : after + 1] in AFTER_A_VALUE or STRING_START.match(
                self.text, after
            ):
                if quoted:
                    self._allow_unescaped_quotes(self.text[start:end])
                return end
            else:
                quoted = True
                position = end + len(closer)
        raise UnreadableError("a string does not end")

    def _is_escaped(self, start: int, end: int) -> bool:
        content = self.text[start:end]
        return (len(content) - len(content.rstrip("\\"))) % 2 == 1

    def _allow_unescaped_quotes(self, content: str) -> None:
        if NEXT_ARGUMENT.search(content):
            raise UnreadableError("it cannot be told where a string ends")
        self.leniencies.append("unescaped_quote")

    def _skip_blanks(self, position: int) -> int:
        if not self.text[position : position + 1].isspace():
            return position
        blanks = BLANKS.match(self.text, position)
        return blanks.end() if blanks else position

    def _read_source(self) -> Source:
        """Read up to the end of an expression: a comma or a closer outside all brackets."""
        start = self.position
        closers: list[str] = []
        while match := MARK.search(self.text, self.position):
            self.position, character = match.start(), match[0]
            if not closers and character in ",)]}":
                break
            if character in CLOSERS:
                closers.append(CLOSERS[character])
            elif closers and character == closers[-1]:
                closers.pop()
            elif character in "'\"":
                self._skip_string(character)
            self.position += 1
        else:
            self.position = len(self.text)
        text = self.text[start : self.position].strip()
        if closers or not text:
            raise UnreadableError("a value does not end" if text else "a value is missing")
        self.leniencies.append("source")
        return Source(text)

    def _skip_string(self, quote: str) -> None:
        end = self.text.find(quote, self.position + 1)
        if end >= 0:
            self.position = end

    def _expect(self, character: str) -> None:
        if not self.take(character):
            found = repr(self.peek()) if self.peek() else "the end"
            raise UnreadableError(f"{character!r} was expected, not {found}")


class _NoLiteral:
    """Tells that what comes next is no literal."""


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
        return OPERATORS[type(node.op)](left, right)
    raise UnreadableError("no calculation with numbers")
