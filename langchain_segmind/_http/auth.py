"""Where the API key comes from, read anew for each request so that it can be rotated."""

import asyncio
import inspect

from pydantic import SecretStr

from langchain_segmind._api.api_key import ApiKey, ApiKeySource, find_api_key_fault
from langchain_segmind._http.deadline import Deadline
from langchain_segmind.exceptions import SegmindAuthenticationError, SegmindTimeoutError


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
