"""What the environment says about connections: proxies and certificates."""

import os
from functools import lru_cache
from importlib.util import find_spec
from ssl import SSLContext, SSLError
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpx

from langchain_segmind._api.secrets import has_broken_credentials, strip_url_credentials
from langchain_segmind._http.shortages import is_shortage

ROUTE_CACHE_SIZE = 64
"""Hosts whose proxy settings are cached."""

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


class Route(NamedTuple):
    """The key of a pool: what requests that share connections have in common.

    Attributes:
        is_encrypted: Whether certificates are needed: to check the server or the proxy.
        proxy: The proxy's URL; None if there is none.
    """

    is_encrypted: bool
    proxy: str | None


def find_route(url: httpx.URL) -> Route:
    """Return the route to a URL's host.

    Raises:
        ValueError: The environment's proxy for it cannot be used.
    """
    return find_host_route(url.scheme, url.host, url.port)


@lru_cache(maxsize=ROUTE_CACHE_SIZE)
def find_host_route(scheme: str, host: str, port: int | None) -> Route:
    """Return the route to a host; cached, since reading the environment is slow."""
    is_encrypted = scheme == "https"
    if proxy_bypass(host if port is None else f"{host}:{port}"):
        return Route(is_encrypted, None)
    proxies = getproxies()
    kind = scheme if proxies.get(scheme) else "all"
    if not (proxy := proxies.get(kind)):
        return Route(is_encrypted, None)
    checked = normalize_proxy_url(proxy, find_variable(f"{kind}_proxy"))
    return Route(is_encrypted or checked.lower().startswith("https:"), checked)


def normalize_proxy_url(proxy: str, variable: str) -> str:
    """Return a proxy's URL as httpx takes it.

    Args:
        proxy: As the environment has it.
        variable: Where it stands there, for the error.

    Raises:
        ValueError: It cannot be used.
    """
    scheme, separator, rest = proxy.partition("://")
    if not separator:
        scheme, rest = "http", proxy
    scheme = "socks5" if scheme.lower() == "socks" else scheme.lower()
    prefix = f"{variable} is not a usable proxy URL"
    hidden = f"{prefix} (it is not shown here, since it may contain a password)."
    if not scheme.isalnum() or has_broken_credentials(f"{scheme}://{rest}"):
        raise ValueError(hidden)
    if scheme not in PROXY_SCHEMES:
        raise ValueError(
            f"{prefix}: its scheme is {scheme!r}, not one of {', '.join(PROXY_SCHEMES)}."
        )
    try:
        has_host = bool(httpx.Proxy(f"{scheme}://{rest}").url.host)
    except Exception:  # noqa: BLE001 - httpx fails in many ways
        has_host = False
    if not has_host:
        raise ValueError(hidden)
    if scheme.startswith("socks") and find_spec("socksio") is None:
        shown = strip_url_credentials(f"{scheme}://{rest}")
        raise ValueError(f"{variable}={shown} needs socksio: pip install 'httpx[socks]'.")
    return f"{scheme}://{rest}"


def find_variable(name: str) -> str:
    """Return how the environment spells a variable; proxies may come from the system instead."""
    found = (variable for variable in os.environ if variable.lower() == name)
    return next(found, "The system's proxy setting")


@lru_cache(maxsize=1)
def get_ssl_context() -> SSLContext:
    """Read the certificates that servers are checked against, once per process.

    Raises:
        MemoryError: There is no memory for them.
        OSError: They cannot be read; those of the environment for a shortage only.
        ValueError: The environment names certificates that cannot be read.
    """
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        if isinstance(error, SSLError) and error.library != "X509":
            raise MemoryError(str(error)) from None  # OpenSSL's errors for it have many names
        if is_shortage(error) or not os.environ.get("SSL_CERT_FILE"):
            raise
        raise ValueError(
            f"SSL_CERT_FILE cannot be read as certificates ({type(error).__name__}): correct its "
            "path, or unset it."
        ) from None


def clear_environment_caches() -> None:
    """Read the environment's proxies and certificates again at the next call."""
    find_host_route.cache_clear()
    get_ssl_context.cache_clear()
