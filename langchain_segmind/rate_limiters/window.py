"""A moving window in a storage of the library limits; the only room that knows it."""

import math
import time
from importlib import import_module
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

try:
    from limits.errors import ConfigurationError, StorageError
    from limits.storage import MovingWindowSupport, Storage, storage_from_string
except ImportError as error:
    raise ImportError(
        "SegmindRateLimiter needs the library limits: pip install 'langchain-segmind[limits]'"
    ) from error

__all__ = ["StorageError", "Window", "get_share", "open_storage"]

MARGIN = 1
"""Seconds by which the window is longer than the server's: requests travel, and clocks differ."""

SHORTEST_WAIT = 0.01
"""Seconds: several may wait for the same moment, and only one gets the place."""

STORAGE_TIMEOUT = 2.0
"""Seconds that one question to a Redis may take; it is asked twice."""

UNKNOWN_STORAGE = (
    "storage must be one of the library limits that knows moving windows, such as memory:// or "
    "redis://localhost:6379, not {!r}."
)


def get_share(requests: int, period: int, workers: int = 1) -> tuple[int, int]:
    """Get one part of a limit, as places and the seconds of their window."""
    places = requests // workers
    return (places, period + MARGIN) if places else (1, period * workers // requests + MARGIN)


class Windows(Protocol):
    """What is asked of a storage."""

    def acquire_entry(self, key: str, limit: int, expiry: int) -> bool: ...
    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]: ...
    def get_expiry(self, key: str) -> float: ...
    def clear(self, key: str) -> None: ...
    def incr(self, key: str, expiry: int) -> int: ...


class Window:
    """A moving window in a storage.

    Args:
        storage: The storage.
        places: Requests that fit in.
        seconds: How long it is.
        account: Whose requests.
    """

    def __init__(self, storage: Windows, places: int, seconds: int, account: str) -> None:
        self.places = places
        self._storage = storage
        self._seconds = seconds
        # Without the limit in it: who is told another one shares the window all the same.
        self._key = f"segmind/{account}"
        self._hold_key = f"segmind-hold/{account}"

    def enter(self) -> float:
        """Take a place, or get the seconds until there may be one; 0 for a place."""
        held = self._storage.get_expiry(self._hold_key) - time.time()
        if held > 0:
            return max(held, SHORTEST_WAIT)
        window = (self._key, self.places, self._seconds)
        if self._storage.acquire_entry(*window):
            return 0
        oldest, _ = self._storage.get_moving_window(*window)
        return max(oldest + self._seconds - time.time(), SHORTEST_WAIT)

    def hold(self, seconds: float) -> None:
        """Let everybody wait."""
        until = time.time() + seconds
        if until > self._storage.get_expiry(self._hold_key):
            self._storage.clear(self._hold_key)  # the expiry is that of the first who counts
            self._storage.incr(self._hold_key, math.ceil(seconds) + 1)  # Redis tells it rounded


def get_options(scheme: str) -> dict[str, Any]:
    """Get the options of a storage's client: it must answer soon, or not at all."""
    if not scheme.startswith(("redis", "valkey")):
        return {}
    library = import_module("valkey" if scheme.startswith("valkey") else "redis")
    once_more = import_module(f"{library.__name__}.retry").Retry(
        import_module(f"{library.__name__}.backoff").NoBackoff(), 1
    )
    return {
        "socket_timeout": STORAGE_TIMEOUT,
        "socket_connect_timeout": STORAGE_TIMEOUT,
        "retry": once_more,
    }


def open_storage(uri: str) -> Windows:
    """Open a storage; to a Redis, nothing is sent yet.

    Raises:
        ValueError: If it is unknown, knows no moving windows, or the address is malformed.
        ImportError: If its library is missing.
    """
    try:
        scheme = urlsplit(uri).scheme
        storage = storage_from_string(uri, wrap_exceptions=True, **get_options(scheme))
    except ImportError as error:
        raise ImportError(f"The storage's library is missing: {error}") from None
    except ConfigurationError as error:
        if "prerequisite" in str(error):
            raise ImportError(f"The storage's library is missing: {error}") from None
        raise ValueError(UNKNOWN_STORAGE.format(scheme)) from None
    except Exception as error:  # noqa: BLE001 - each library has its own
        raise ValueError(
            f"storage cannot be opened ({type(error).__name__}; it is not shown, since it may hold "
            "a password): check the address, and write special characters of a password as %40."
        ) from None
    # An asynchronous one would belong to one event loop.
    if not isinstance(storage, Storage) or not isinstance(storage, MovingWindowSupport):
        raise ValueError(UNKNOWN_STORAGE.format(scheme))
    return cast("Windows", storage)
