"""Moving windows that count requests: one in memory, one in Redis."""

import math
import random
import re
import time
from abc import ABC, abstractmethod
from collections import deque
from importlib import import_module
from typing import Any

from langchain_segmind._api.secrets import has_broken_credentials

__all__ = ["MemoryWindow", "RedisWindow", "StorageError", "Window", "get_share", "open_window"]

MARGIN_SECONDS = 1
"""Added to the server's window, since requests take time to arrive."""

MAX_JITTER_SECONDS = 0.02
"""Random delay when processes wait for the same slot, so that the process with the lowest latency
does not win every time."""

STORAGE_TIMEOUT_SECONDS = 2.0
"""Timeout of a command to Redis; it is sent twice at most."""

REFUSALS = frozenset({"AuthenticationError", "NoPermissionError"})
"""Errors that do not go away by waiting."""

REDIS_SCHEMES = frozenset(
    f"{server}{variant}"
    for server in ("redis", "valkey")
    for variant in ("", "s", "+cluster", "+sentinel", "+unix")
)

ENTER_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local slots, window, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local held = redis.call('PTTL', KEYS[2])
if held > 0 then
    local length = tonumber(redis.call('GET', KEYS[2])) or held
    if held > length then
        redis.call('PEXPIRE', KEYS[2], length)
        held = length
    end
    return held
end
local newest = tonumber(redis.call('LINDEX', KEYS[1], 0))
if newest and newest > now and newest - now < 1000 then
    now = newest
elseif newest and newest > now then
    redis.call('DEL', KEYS[1])
    redis.call('SET', KEYS[2], window, 'PX', window)
    return window
end
local entered = redis.call('LINDEX', KEYS[1], slots - 1 - ahead)
if entered and entered + window > now then return entered + window - now end
redis.call('LPUSH', KEYS[1], now)
redis.call('LTRIM', KEYS[1], 0, slots - 1)
redis.call('PEXPIRE', KEYS[1], window)
return 0
"""
"""Enter the window, or return the milliseconds to wait.

The list holds the times of the last requests, newest first, by the clock of Redis alone: the
clocks of its clients need not agree. If that clock was set back by less than a second, it stands
still. By more, the times say nothing any more: all wait for one window, from now. A hold, whose
value is its length, never gets longer by it.

Needs Redis 5: older versions refuse a write after TIME.
"""

HOLD_SCRIPT = """
local length = tonumber(redis.call('GET', KEYS[1])) or 0
if math.min(redis.call('PTTL', KEYS[1]), length) < tonumber(ARGV[1]) then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[1])
end
"""
"""Set the hold, unless a longer one is set."""


class StorageError(Exception):
    """The storage failed.

    Args:
        reason: The name of its library's error class, and the error code of Redis if it sent one.
        is_refusal: Whether the storage refused the user or the password.
    """

    def __init__(self, reason: str, *, is_refusal: bool) -> None:
        super().__init__(reason)
        self.is_refusal = is_refusal


def get_share(requests: int, period: int, workers: int = 1) -> tuple[int, int]:
    """Return one worker's share of a limit: slots, and the seconds of their window."""
    slots = requests // workers
    if slots:
        return slots, period + MARGIN_SECONDS
    return 1, period * workers // requests + MARGIN_SECONDS


class Window(ABC):
    """A moving window.

    Args:
        slots: Requests that fit into it.
        seconds: Its length.
    """

    def __init__(self, slots: int, seconds: float) -> None:
        self.slots = slots
        self.seconds = seconds

    @abstractmethod
    def enter(self, ahead: int) -> float:
        """Take a slot if more than `ahead` are free.

        Args:
            ahead: Callers that come first; fewer than `slots`, except in the local window right
                after the one in Redis failed.

        Returns:
            0 if the slot was taken, else the seconds until it can be free at the earliest.

        Raises:
            StorageError: The storage failed.
        """

    @abstractmethod
    def hold(self, seconds: float) -> None:
        """Block all callers for `seconds`; a longer hold stays.

        Raises:
            StorageError: The storage failed.
        """


class MemoryWindow(Window):
    """A window of this process. Not thread-safe."""

    def __init__(self, slots: int, seconds: float) -> None:
        super().__init__(slots, seconds)
        self._entered: deque[float] = deque(maxlen=slots)
        self._held_until = 0.0

    def enter(self, ahead: int) -> float:
        """Take a slot; see `Window.enter`."""
        now = time.monotonic()
        if now < self._held_until:
            return self._held_until - now
        # `ahead` was counted against the Redis window, which has more slots.
        if ahead >= self.slots:
            return self.seconds
        last = len(self._entered) - (self.slots - ahead)
        if last >= 0 and (wait := self._entered[last] + self.seconds - now) > 0:
            return wait
        self._entered.append(now)
        return 0

    def hold(self, seconds: float) -> None:
        """Block all callers; see `Window.hold`."""
        self._held_until = max(self._held_until, time.monotonic() + seconds)


class RedisWindow(Window):
    """A window that all processes with the same Redis and account share.

    Args:
        storage: A Redis storage of the package `limits`.
        slots: Requests that fit into it.
        seconds: Its length.
        account: The account's name. The limit is not part of the key, so callers with different
            limits share the window.
    """

    def __init__(self, storage: Any, slots: int, seconds: float, account: str) -> None:
        super().__init__(slots, seconds)
        self._errors = storage.base_exceptions
        client = storage.get_connection()
        self._enter_script = client.register_script(ENTER_SCRIPT)
        self._hold_script = client.register_script(HOLD_SCRIPT)
        # The braces put both keys on the same node of a cluster.
        self._keys = [f"segmind:{{{account}}}:requests", f"segmind:{{{account}}}:hold"]

    def enter(self, ahead: int) -> float:
        """Take a slot; see `Window.enter`."""
        milliseconds = math.ceil(self.seconds * 1000)
        wait = self._run(self._enter_script, self._keys, [self.slots, milliseconds, ahead])
        jitter = random.uniform(0, MAX_JITTER_SECONDS)  # noqa: S311 - not a secret
        return wait / 1000 + jitter if wait else 0

    def hold(self, seconds: float) -> None:
        """Block all callers; see `Window.hold`."""
        self._run(self._hold_script, self._keys[1:], [math.ceil(seconds * 1000)])

    def _run(self, script: Any, keys: list[str], values: list[int]) -> Any:
        try:
            return script(keys=keys, args=values)
        except self._errors as error:
            # Only the code: the rest can quote what was sent.
            code = re.match(r"[A-Z]{2,}\b", str(error))
            reason = type(error).__name__ + (f" {code[0]}" if code else "")
            is_refusal = type(error).__name__ in REFUSALS
        raise StorageError(reason, is_refusal=is_refusal)  # without the error as its context


def open_window(uri: str, slots: int, seconds: float, account: str) -> Window:
    """Return a window in the storage that `uri` names. Nothing is sent to a Redis yet.

    Raises:
        ValueError: The storage is unknown, or the address malformed.
        ImportError: The package `limits`, `redis` or `valkey` is not installed.
    """
    # An unset environment variable is None.
    match = re.match(r"([\w+-]+)://", str(uri))
    scheme = match[1] if match else ""
    if scheme == "memory":
        return MemoryWindow(slots, seconds)
    if scheme not in REDIS_SCHEMES:
        found = f"{scheme}://" if scheme else "an address without a scheme"
        raise ValueError(f"storage must start with memory://, redis:// or valkey://, not {found}.")
    library = "valkey" if scheme.startswith("valkey") else "redis"
    return RedisWindow(open_storage(uri, library), slots, seconds, account)


def open_storage(uri: str, library: str) -> Any:
    """Return a Redis storage of the package `limits`; see `open_window`."""
    try:
        from limits.storage import storage_from_string  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "A rate limit in Redis needs the package `limits`: "
            "pip install 'langchain-segmind[limits]'"
        ) from error
    try:
        options = get_client_options(library)
    except ImportError as error:
        raise ImportError(
            f"The storage needs the package `{library}`, which is missing or too old ({error}): "
            f"pip install --upgrade {library}"
        ) from None
    problem = "a character is not encoded"
    if "#" not in uri and not has_broken_credentials(uri.partition("?")[0]):
        try:
            return storage_from_string(uri, **options)
        except Exception as error:  # noqa: BLE001 - each library raises its own
            problem = type(error).__name__
    # `limits` and the client quote the address in their errors: none is the context of this one.
    raise ValueError(
        f"storage cannot be opened ({problem}). Check the address, which is not shown since it can "
        "hold a password: its special characters must be percent-encoded (@ as %40). Check also "
        f"that the package `{library}` is not too old."
    )


def get_client_options(library: str) -> dict[str, Any]:
    """Return options of the storage's client that bound the time of a command."""
    backoff = import_module(f"{library}.backoff").NoBackoff()
    return {
        "socket_timeout": STORAGE_TIMEOUT_SECONDS,
        "socket_connect_timeout": STORAGE_TIMEOUT_SECONDS,
        "retry": import_module(f"{library}.retry").Retry(backoff, 1),
    }
