"""Keeps keys, tokens and passwords out of whatever is shown, logged or stored."""

import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

from langchain_segmind._endpoint import KEY_SHAPE

MASK = "**********"
SHORTEST_SECRET = 6
"""Shorter secrets are no secrets, and masking them would garble ordinary words."""

URL_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s@]*@")


def mask_secrets(text: str, secrets: Iterable[str]) -> str:
    """Mask secrets in a text, also where they are escaped for JSON, HTML or a URL.

    Anything shaped like a Segmind key and any credentials in a URL are masked as well.
    """
    spellings = {
        spelling
        for secret in secrets
        if len(secret) >= SHORTEST_SECRET
        for spelling in (secret, json.dumps(secret)[1:-1], html.escape(secret), quote(secret, ""))
    }
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelling, MASK)
    return mask_url_credentials(KEY_SHAPE.sub(MASK, text))


def mask_url_credentials(text: str) -> str:
    """Mask `user:password@` in the URLs of a text."""
    return URL_CREDENTIALS.sub(f"{MASK}@", text)


def strip_url_credentials(url: str) -> str:
    """Take `user:password@` out of a URL."""
    return URL_CREDENTIALS.sub("", url)
