"""Mask keys, tokens and passwords in everything that is shown, logged or stored."""

import html
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator

from langchain_segmind._api.endpoint import KEY_SHAPE

MASK = "**********"
MIN_SECRET_CHARS = 6
"""Shorter secrets are not masked: that would garble ordinary words."""

URL_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]*@")


def mask_secrets(text: str, secrets: Iterable[str]) -> str:
    """Mask secrets in a text, in any case, broken over lines, and in hex or Base64.

    Also where they are escaped for JSON, HTML or a URL. Anything shaped like a Segmind key and the
    credentials in URLs are masked as well.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= MIN_SECRET_CHARS:
            for pattern in _match_encodings(secret):
                text = re.sub(pattern, MASK, text)
    return mask_url_credentials(KEY_SHAPE.sub(MASK, text))


def _match_encodings(secret: str) -> Iterator[str]:
    yield "(?i:" + r"\s*+".join(map(_match_any_spelling, secret)) + ")"
    encoded = secret.encode(errors="replace")
    yield rf"(?i:{encoded.hex()})"
    # Base64 encodes three bytes at once: what the secret becomes depends on where it begins.
    for before in range(3):
        whole = b64encode(b"?" * before + encoded).decode().rstrip("=")
        inner = whole[(8 * before + 5) // 6 : 8 * (before + len(encoded)) // 6]
        yield (
            "[A-Za-z0-9+/_-]?" + "".join(map(_match_either_alphabet, inner)) + "[A-Za-z0-9+/_=-]*+"
        )


def _match_either_alphabet(character: str) -> str:
    return {"+": "[+-]", "/": "[/_]"}.get(character, character)


def _match_any_spelling(character: str) -> str:
    code = ord(character)
    plain, entity = re.escape(character), re.escape(html.escape(character))
    escaped = rf"\\u{code:04x}|%{code:02x}|&#0*{code};|&#x0*{code:x};"
    return rf"(?:\\?{plain}|{entity}|{escaped})"


def mask_url_credentials(text: str) -> str:
    """Mask `user:password@` in the URLs of a text."""
    return URL_CREDENTIALS.sub(f"{MASK}@", text)


def strip_url_credentials(url: str) -> str:
    """Remove `user:password@` from a URL."""
    return re.sub(r"(?<=://)[^/?#]*@", "", url)
