"""The URLs that requests go to."""

import os
import re
from functools import lru_cache

import httpx

from langchain_segmind._api.endpoint import API_BASE, API_BASE_ENV

PORTS = 65_536
URL_CACHE_SIZE = 256


@lru_cache(maxsize=URL_CACHE_SIZE)
def create_url(base: str, path: str) -> httpx.URL:
    """Join the base URL and a path below it.

    Raises:
        ValueError: The base is not a URL that a path can follow.
    """
    if isinstance(base, str) and not re.search(r"[\s?#]", base):
        try:
            url = httpx.URL(f"{base.rstrip('/')}/{path}")
            url.host.encode("idna")
        except (httpx.InvalidURL, UnicodeError):
            url = httpx.URL("")
        if url.scheme in {"http", "https"} and url.host and 0 < (url.port or 1) < PORTS:
            return url
    raise ValueError(
        f"base_url (or {API_BASE_ENV}) is not a base URL; it is not shown here, since it may "
        "contain a password. It needs a scheme and a host, and no spaces and no query, as in "
        f"{API_BASE}."
    )


def read_api_base_env() -> str:
    """Return the base URL from the environment; Segmind's own if it is unset or blank."""
    return os.environ.get(API_BASE_ENV, "").strip() or API_BASE


def check_api_base(base: str) -> str:
    """Return the base URL if it is one.

    Raises:
        ValueError: It is not.
    """
    create_url(base, "")
    return base
