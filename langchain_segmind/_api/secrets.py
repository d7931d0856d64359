"""Mask keys, tokens and passwords in everything that is shown, logged or stored."""

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self
from urllib.parse import unquote_to_bytes

from langchain_segmind._api.endpoint import KEY_SHAPE

MASK = "**********"
MIN_SECRET_CHARS = 6
"""Shorter secrets are not masked: that would garble ordinary words."""

MAX_ESCAPE_LEVELS = 3
"""How often a secret can be escaped: JSON within JSON within HTML, for example."""

URL_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]*@")

ESCAPE = re.compile(
    r"""
    \s+
    | \\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}         # JSON, beyond 16 bits
    | \\u[0-9a-f]{4}
    | \\[^u]
    | %[cd][0-9a-f]%[89ab][0-9a-f]                      # a URL, in UTF-8
    | %e[0-9a-f](?:%[89ab][0-9a-f]){2}
    | %f[0-7](?:%[89ab][0-9a-f]){3}
    | %[0-9a-f]{2}
    | &(?:\#0*+[0-9]{1,7}|\#x0*+[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Matches whitespace, and what stands for one character; the search does not go back."""

BASE64_REST = re.compile(r"[A-Za-z0-9+/_=-]*+")
BASE64_ALPHABET = str.maketrans("-_", "+/")


class Decoded(NamedTuple):
    """A text without escapes and whitespace.

    Attributes:
        text: The text.
        starts: Where each of its characters begins in the original.
        ends: Where each ends there.
    """

    text: str
    starts: list[int]
    ends: list[int]

    def decode(self) -> Self:
        """Return the text after one more level of decoding."""
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        position = 0
        for match in ESCAPE.finditer(self.text):
            begin, end = match.span()
            character = _decode_escape(match[0])
            pieces += self.text[position:begin], character
            starts += self.starts[position:begin]
            starts += [self.starts[begin]] * len(character)
            ends += self.ends[position:begin]
            ends += [self.ends[end - 1]] * len(character)
            position = end
        pieces.append(self.text[position:])
        starts += self.starts[position:]
        ends += self.ends[position:]
        return type(self)("".join(pieces), starts, ends)


def mask_secrets(text: str, secrets: Iterable[str]) -> str:
    """Mask secrets in a text, in any case, broken over lines, and in hex or Base64.

    Also where they are escaped for JSON, HTML or a URL. Anything shaped like a Segmind key and the
    credentials in URLs are masked as well. The time is linear in the length of the text, whatever
    a server writes.
    """
    spellings = {spelling for secret in secrets for spelling in _decode_levels(secret)}
    spellings = {spelling for spelling in spellings if len(spelling) >= MIN_SECRET_CHARS}
    if spellings:
        text = _replace(text, sorted(_find_secrets(text, spellings)))
    return URL_CREDENTIALS.sub(f"{MASK}@", KEY_SHAPE.sub(MASK, text))


def _replace(text: str, spans: list[tuple[int, int]]) -> str:
    """Put a mask in place of each group of spans that overlap."""
    pieces: list[str] = []
    position = 0
    for begin, end in spans:
        if begin >= position:
            pieces += text[position:begin], MASK
        position = max(position, end)
    return "".join([*pieces, text[position:]])


def _decode_levels(text: str) -> Iterator[str]:
    yield text
    for _ in range(MAX_ESCAPE_LEVELS):
        decoded = ESCAPE.sub(lambda match: _decode_escape(match[0]), text)
        if decoded == text:
            return
        yield decoded
        text = decoded


def _find_secrets(text: str, spellings: set[str]) -> Iterator[tuple[int, int]]:
    """Yield where a secret begins and ends, at each level of decoding."""
    plain = {_fold(spelling) for spelling in spellings}
    encoded = [spelling.encode(errors="replace") for spelling in spellings]
    plain |= {secret.hex() for secret in encoded}
    in_base64 = {part for secret in encoded for part in _encode_base64(secret)}
    level = Decoded(text, list(range(len(text))), list(range(1, len(text) + 1)))
    for _ in range(MAX_ESCAPE_LEVELS + 1):
        folded = _fold(level.text)
        for part in plain:
            for begin in _find_all(folded, part):
                yield level.starts[begin], level.ends[begin + len(part) - 1]
        alphabet = level.text.translate(BASE64_ALPHABET)
        for part in in_base64:
            last = 0
            for begin in _find_all(alphabet, part):
                start, end = level.starts[begin], level.ends[begin + len(part) - 1]
                if end > last:
                    # The characters around it hold some bits of the secret.
                    start -= start > 0 and BASE64_REST.fullmatch(text[start - 1]) is not None
                    last = BASE64_REST.match(text, end).end()  # type: ignore[union-attr]  # of any length
                    yield start, last
        decoded = level.decode()
        if decoded.text == level.text:
            return
        level = decoded


def _find_all(text: str, part: str) -> Iterator[int]:
    begin = text.find(part)
    while begin >= 0:
        yield begin
        begin = text.find(part, begin + len(part))


def _fold(text: str) -> str:
    """Return a text of the same length in which case does not matter."""
    if text.isascii():
        return text.lower()
    folded = ((character, character.casefold()) for character in text)
    return "".join(lower if len(lower) == 1 else character for character, lower in folded)


def _encode_base64(secret: bytes) -> Iterator[str]:
    # Base64 encodes three bytes at once: what the secret becomes depends on where it begins.
    for before in range(3):
        whole = b64encode(b"?" * before + secret).decode().rstrip("=")
        yield whole[(8 * before + 5) // 6 : 8 * (before + len(secret)) // 6]


def _decode_escape(escape: str) -> str:
    """Return the character that an escape stands for; none for whitespace."""
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[0] == "%":
        encoded = unquote_to_bytes(escape)
        try:
            return encoded.decode()
        except UnicodeDecodeError:
            return encoded.decode("latin-1")
    if escape[:2].lower() == r"\u":
        return str(json.loads(f'"{escape.lower()}"'))
    if escape[0] == "\\":
        return "" if escape[1] in "nrtf" else escape[1]
    return ""


def strip_url_credentials(url: str, mask: str = "") -> str:
    """Remove `user:password@` from a URL without a query, or replace it."""
    return re.sub(r"(?<=://).*@", mask, url, flags=re.DOTALL)


def has_broken_credentials(url: str) -> bool:
    """Whether an at sign follows the host: a `/`, `?` or `#` in the password was not encoded.

    What follows it would be shown, as the path, and sent to a wrong host.
    """
    return re.search(r"://[^/?#]*[/?#].*@", url, re.DOTALL) is not None
