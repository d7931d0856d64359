"""Resolve the API key for a request. It is read for each one, so that it can be rotated.

Keys stay `SecretStr` until the header is written: tools that log the local variables of a
traceback must not find one.
"""

import asyncio
import inspect

from pydantic import SecretStr

from langchain_segmind._api.api_key import ApiKeySource, find_api_key_problem
from langchain_segmind._http.deadline import Deadline
from langchain_segmind.exceptions import SegmindAuthenticationError, SegmindTimeoutError


def resolve_api_key(source: ApiKeySource) -> SecretStr:
    """Return the key for one request.

    Raises:
        SegmindAuthenticationError: The key is missing or malformed.
        TypeError: The source is asynchronous.
    """
    if not callable(source):
        return _check_api_key(_wrap(source))
    key: object = source()
    if inspect.isawaitable(key):
        if inspect.iscoroutine(key):
            key.close()
        raise TypeError(
            "segmind_api_key is an async callable, which a synchronous call cannot await: "
            "call ainvoke, astream or abatch, or pass a synchronous callable."
        )
    key = _wrap(key)
    return _check_api_key(key)


async def aresolve_api_key(source: ApiKeySource, deadline: Deadline) -> SecretStr:
    """Return the key for one request; the source may be asynchronous.

    Raises:
        SegmindAuthenticationError: The key is missing or malformed.
        SegmindTimeoutError: The source took longer than the call may.
    """
    if not callable(source):
        return _check_api_key(_wrap(source))
    key: object = source()
    if inspect.isawaitable(key):
        limit = asyncio.timeout(deadline.remaining if deadline.is_set else None)
        try:
            async with limit:
                key = _wrap(await key)
        except TimeoutError:
            if not limit.expired():
                raise
            raise SegmindTimeoutError(
                "The segmind_api_key callable returned no key within the call's timeout. "
                f"{SegmindTimeoutError.advice}",
                phase="connect",
            ) from None
    key = _wrap(key)
    return _check_api_key(key)


def _wrap(key: object) -> object:
    return SecretStr(key) if isinstance(key, str) else key


def _check_api_key(key: object) -> SecretStr:
    if not isinstance(key, SecretStr | None):
        raise SegmindAuthenticationError(
            f"The segmind_api_key callable returned {type(key).__name__}, not str or SecretStr."
        )
    if problem := find_api_key_problem(key):
        raise SegmindAuthenticationError(f"{problem} {SegmindAuthenticationError.advice}")
    assert key is not None  # noqa: S101 - a missing key is a problem
    return key
