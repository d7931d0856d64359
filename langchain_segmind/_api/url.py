"""Where requests go: the base URL and what may stand in it."""

import os
import re
from functools import lru_cache

import httpx

from langchain_segmind._api.endpoint import API_BASE, API_BASE_ENV

PORTS = 65_536


@lru_cache(maxsize=256)
def create_url(base: str, path: str) -> httpx.URL:
    """Join the base URL and a path below it.

    Raises:
        ValueError: If the base is no URL to put a path behind.
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
        f"base_url, or {API_BASE_ENV}, is no base URL (it is not shown here, since it may hold a "
        "password): it needs a scheme and a host and takes no blanks and no query, as in "
        f"{API_BASE}."
    )


def read_api_base_env() -> str:
    """Read the base URL from the environment; blank is as good as unset."""
    return os.environ.get(API_BASE_ENV, "").strip() or API_BASE


def check_api_base(base: str) -> str:
    """Check a base URL."""
    create_url(base, "")
    return base
