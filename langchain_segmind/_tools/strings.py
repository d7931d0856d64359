"""String literals: where they end, and what they mean."""

import re
import unicodedata

from langchain_segmind._tools.syntax import WINDOWS_PATH

STRING_START = re.compile("([rR]?[bBfFuU]?[rR]?)('''|\"\"\"|'|\")")
ESCAPE = re.compile(
    r"\\(?:(\r?\n)|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|N\{([^{}\n]{1,100})\}"
    r"|([0-7]{1,3})|([\s\S]))"
)
ESCAPED = dict(zip("ntrbfva\\'\"", "\n\t\r\b\f\v\a\\'\"", strict=True))
BRACE = re.compile(r"(\{\{|\}\})|[{}]")


class UnreadableError(ValueError):
    """Text that cannot be read; the message is the reason."""


class UnclosedStringError(UnreadableError):
    """It is unclear where a string ends.

    Attributes:
        quote: The quote that begins it.
    """

    def __init__(self, quote: str) -> None:
        super().__init__("it is unclear where a string ends: escape the quotes in it")
        self.quote = quote


def is_apostrophe(text: str, position: int) -> bool:
    """Whether the quote at a position is one within a word, as in `it's`."""
    return (
        text[position] == "'"
        and text[position - 1 : position].isalnum()
        and text[position + 1 : position + 2].isalpha()
    )


def find_quote(text: str, quote: str, position: int) -> int:
    """Return the index of the next unescaped quote; -1 if there is none."""
    while (end := text.find(quote, position)) >= 0:
        before = text[position:end]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            break
        position = end + 1
    return end


def find_string_end(text: str, position: int) -> int:
    """Return the index after the string that begins here; 0 if there is none, -1 if it is open."""
    start = STRING_START.match(text, position)
    if start is None or (not start[1] and is_apostrophe(text, position)):
        return 0
    end = find_quote(text, start[2], start.end())
    return end + len(start[2]) if end >= 0 else -1


def unescape(text: str) -> str:
    """Return a string's value: its escapes as Python reads them.

    A Windows path, and a string with an escape that Python refuses, keeps all its backslashes: its
    writer did not escape any.
    """
    if "\\" not in text or WINDOWS_PATH.match(text):
        return text
    try:
        unescaped = ESCAPE.sub(_unescape_one, text)
    except UnreadableError:
        return text
    # JSON writes characters beyond U+FFFF as surrogate pairs.
    return unescaped.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescape_one(match: re.Match[str]) -> str:
    line_feed, *codes, name, octal, other = match.groups()
    code = next((code for code in codes if code), None)
    if line_feed:
        return ""
    if octal:
        return chr(int(octal, 8))
    try:
        if code:
            return chr(int(code, 16))
        if name:
            return unicodedata.lookup(name)
    except (ValueError, KeyError):
        raise UnreadableError from None
    if other in "xuUN":
        raise UnreadableError
    return ESCAPED.get(other, match[0])


def read_f_string(text: str) -> str:
    """Return the text of an f-string without values."""

    def replace(brace: re.Match[str]) -> str:
        if brace[1] is None:
            raise UnreadableError("an f-string contains a value in braces: write the text itself")
        return brace[0][0]

    return BRACE.sub(replace, text)
