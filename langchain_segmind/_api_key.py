"""Where the API key comes from, read anew for each request so that it can be rotated."""

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable

from pydantic import SecretStr

from langchain_segmind._deadline import Deadline
from langchain_segmind._endpoint import API_KEY_ENV
from langchain_segmind.exceptions import SegmindAuthenticationError, SegmindTimeoutError

ApiKey = SecretStr | str | None
ApiKeySource = SecretStr | Callable[[], ApiKey | Awaitable[ApiKey]] | None


def read_api_key_env() -> SecretStr | None:
    """Read the key from the environment; blank is as good as unset."""
    key = os.environ.get(API_KEY_ENV, "").strip()
    return SecretStr(key) if key else None


def find_api_key_fault(key: ApiKey) -> str:
    """Say what is wrong with a key, without showing it; an empty text where nothing is."""
    text = key.get_secret_value() if isinstance(key, SecretStr) else key
    if text is None or not text.strip():
        return "No API key is given."
    if not text.isascii() or not text.isprintable() or " " in text:
        return (
            "The API key holds a line feed, a space or another character that "
            "no key has (it is not shown here)."
        )
    return ""


def resolve_api_key(source: ApiKeySource | str) -> str:
    """Get the key for one request.

    Raises:
        SegmindAuthenticationError: If there is no key, or it is malformed.
        TypeError: If the source is asynchronous.
    """
    key = source() if callable(source) else source
    if inspect.isawaitable(key):
        if inspect.iscoroutine(key):
            key.close()
        raise TypeError(
            "segmind_api_key is an async callable, which a synchronous call cannot await: "
            "call ainvoke, astream or abatch, or pass a synchronous callable."
        )
    return _check_api_key(key)


async def aresolve_api_key(source: ApiKeySource | str, deadline: Deadline) -> str:
    """Get the key for one request; see `resolve_api_key`.

    Raises:
        SegmindTimeoutError: If an asynchronous source takes longer than the call may.
    """
    key = source() if callable(source) else source
    if inspect.isawaitable(key):
        limit = asyncio.timeout(deadline.remaining if deadline.is_set else None)
        try:
            async with limit:
                key = await key
        except TimeoutError:
            if not limit.expired():
                raise
            problem = "segmind_api_key gave no key in the time of the call"
            raise SegmindTimeoutError(
                f"{problem}. {SegmindTimeoutError.advice}", phase="connect"
            ) from None
    return _check_api_key(key)


def _check_api_key(key: ApiKey) -> str:
    if not isinstance(key, SecretStr | str | None):
        raise SegmindAuthenticationError(
            f"segmind_api_key returned {type(key).__name__}, not a str or SecretStr."
        )
    if fault := find_api_key_fault(key):
        raise SegmindAuthenticationError(f"{fault} {SegmindAuthenticationError.advice}")
    return key.get_secret_value() if isinstance(key, SecretStr) else str(key)
