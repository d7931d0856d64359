"""Mask keys, tokens and passwords in everything that is shown, logged or stored."""

import html
import re
from collections.abc import Iterable

from langchain_segmind._api.endpoint import KEY_SHAPE

MASK = "**********"
MIN_SECRET_CHARS = 6
"""Shorter secrets are not masked: that would garble ordinary words."""

URL_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]*@")


def mask_secrets(text: str, secrets: Iterable[str]) -> str:
    """Mask secrets in a text, also where they are escaped for JSON, HTML or a URL.

    Anything shaped like a Segmind key and the credentials in URLs are masked as well.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= MIN_SECRET_CHARS:
            text = re.sub("".join(map(_match_any_spelling, secret)), MASK, text)
    return mask_url_credentials(KEY_SHAPE.sub(MASK, text))


def _match_any_spelling(character: str) -> str:
    if character.isalnum():
        return character
    code = ord(character)
    plain, entity = re.escape(character), re.escape(html.escape(character))
    return rf"(?:\\?{plain}|{entity}|(?i:\\u{code:04x}|%{code:02x}|&#0*{code};|&#x0*{code:x};))"


def mask_url_credentials(text: str) -> str:
    """Mask `user:password@` in the URLs of a text."""
    return URL_CREDENTIALS.sub(f"{MASK}@", text)


def strip_url_credentials(url: str) -> str:
    """Remove `user:password@` from a URL."""
    return re.sub(r"(?<=://)[^/?#]*@", "", url)
