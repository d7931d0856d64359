"""The URLs that requests go to."""

import logging
import os
import re
from functools import lru_cache

import httpx

from langchain_segmind._api.endpoint import API_BASE, API_BASE_ENV
from langchain_segmind._api.secrets import has_broken_credentials

logger = logging.getLogger(__name__)

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
        # Programs disagree about which host a backslash or a percent sign leads to.
        is_plain = not re.search(
            r"[\\%]", base.partition("//")[2].partition("/")[0].rpartition("@")[2]
        )
        is_plain &= not has_broken_credentials(base)
        is_host = is_plain and bool(url.host) and 0 < (url.port or 1) < PORTS
        if url.scheme in {"http", "https"} and is_host:
            warn_of_plain_text(url.scheme, url.host)
            return url
    raise ValueError(
        f"base_url (or {API_BASE_ENV}) is not a base URL; it is not shown here, since it may "
        "contain a password, whose special characters must be percent-encoded (/ as %2F). It needs "
        f"a scheme and a host, and no spaces and no query, as in {API_BASE}."
    )


@lru_cache(maxsize=URL_CACHE_SIZE)
def warn_of_plain_text(scheme: str, host: str) -> None:
    """Log once that a key can be read on the way to a host."""
    if scheme == "http" and not is_loopback(host):
        logger.warning(
            "The base URL %s://%s is not encrypted: the API key can be read on the way.",
            scheme,
            host,
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    return host in {"localhost", "::1"} or re.fullmatch(r"127(?:\.\d{1,3}){3}", host) is not None


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
