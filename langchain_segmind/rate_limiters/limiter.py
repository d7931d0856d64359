"""One account's rate limit, shared by threads, event loops, processes and machines."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from threading import Lock
from typing import Any, Literal, Self, TypeVar, get_args
from weakref import WeakSet

from langchain_core.rate_limiters import BaseRateLimiter

from langchain_segmind._api.endpoint import MAX_HOLD_SECONDS
from langchain_segmind._api.secrets import strip_url_credentials
from langchain_segmind.exceptions import SegmindRateLimiterStorageError
from langchain_segmind.rate_limiters.window import (
    MemoryWindow,
    StorageError,
    Window,
    get_share,
    open_window,
)

__all__ = ["SegmindRateLimiter"]

Result = TypeVar("Result")

OnStorageError = Literal["raise", "local"]

SETTINGS = (
    "requests_per_minute",
    "storage",
    "account",
    "on_storage_error",
    "workers",
    "period",
)
"""Attributes that are pickled."""

TURN_TIMEOUT_SECONDS = 1.0
"""How late a waiter can wake before it is skipped."""

LONG_WAIT_SECONDS = 5.0
"""Waits above this are logged."""

MAX_SLEEP_SECONDS = 2.0
"""A waiter notices within this time that one ahead of it was cancelled."""

STORAGE_RETRY_SECONDS = 5.0
"""A storage that failed is tried again after this time."""

logger = logging.getLogger(__name__)


class SegmindRateLimiter(BaseRateLimiter):
    """Keeps all callers of an account within its requests per minute.

    Pass it to a model as `rate_limiter`. Each request, retries included, takes a slot in a moving
    window; when all are taken, callers wait until one is free. Within a process, callers get slots
    in FIFO order; one that wakes more than a second late, because its event loop is blocked or has
    ended, is skipped. Processes compete for each slot on equal terms. After a 429 with a reset
    time, all callers wait until then.

    One limiter can serve any number of models, threads and event loops. With
    `storage="redis://..."`, all processes and machines that use the same Redis and account share
    one window.

    Args:
        requests_per_minute: The limit of the account's plan, at least 1. Segmind publishes 5 to
            1,000, by plan.
        storage: Where the window is kept. `"memory://"` keeps it in this object: models share it
            by sharing the object. `"redis://host:6379"` shares it with all processes that use
            the same address; needs the extra `limits` and Redis 5. The other Redis and Valkey
            addresses of the package `limits` (TLS, socket, sentinel, cluster) are accepted but
            not tested.
        account: A name for the account, in case several share a Redis. It is stored there, so do
            not use the API key.
        on_storage_error: What happens while the storage cannot be reached, or cannot write.
            `"local"` keeps each process to its share of the limit, and logs one warning per
            outage; `"raise"` raises `SegmindRateLimiterStorageError`. A refused user or password
            always raises.
        workers: How many processes share the account. While the storage is down, each can send
            1/`workers` of the limit. These local windows start empty, so up to twice the limit
            can be sent in the first minute.
        period: The window's length in seconds, for tests.

    Raises:
        ValueError: An argument is not valid, or the storage is unknown.
        ImportError: The package `limits`, `redis` or `valkey` is not installed.

    Source: https://docs.segmind.com/docs/serverless-api

    Example:
        ```python
        from langchain_segmind import ChatSegmind
        from langchain_segmind.rate_limiters import SegmindRateLimiter

        limiter = SegmindRateLimiter(requests_per_minute=50)
        model = ChatSegmind(model="gpt-5.4-mini", rate_limiter=limiter)
        print(model.batch(["Say one.", "Say two."]))
        ```
    """

    def __init__(
        self,
        requests_per_minute: int = 50,
        storage: str = "memory://",
        *,
        account: str = "default",
        on_storage_error: OnStorageError = "local",
        workers: int = 10,
        period: int = 60,
    ) -> None:
        for name, number in {
            "requests_per_minute": requests_per_minute,
            "workers": workers,
            "period": period,
        }.items():
            if not isinstance(number, int) or isinstance(number, bool) or number < 1:
                raise ValueError(f"{name} must be an integer of at least 1, not {number!r}.")
        if on_storage_error not in get_args(OnStorageError):
            raise ValueError(
                f'on_storage_error must be "raise" or "local", not {on_storage_error!r}.'
            )
        self.requests_per_minute = requests_per_minute
        self.account = account
        self.on_storage_error = on_storage_error
        self.workers = workers
        self.period = period
        self.storage = storage
        self._reset()

    def _reset(self) -> None:
        """Open the window, without waiters."""
        share = get_share(self.requests_per_minute, self.period)
        self._window = open_window(self.storage, *share, self.account)
        local_share = get_share(self.requests_per_minute, self.period, self.workers)
        self._local_window = MemoryWindow(*local_share)
        self._outage: StorageError | None = None
        self._down_until = 0.0
        self._waiters: dict[Waiter, None] = {}
        self._last_abandoned_at = 0.0
        self._has_logged_wait = False
        # Serializes window operations, so that no waiter is counted while it acquires.
        self._lock = Lock()
        # The threads of the event loop's own executor can all be waiting for a slot.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="segmind-rate-limit")
        limiters.add(self)

    def acquire(self, *, blocking: bool = True) -> bool:
        """Take a slot for one request.

        Args:
            blocking: Whether to wait until a slot is free. If False, the call can still wait for
                Redis to answer.

        Returns:
            Whether a slot was taken; always True if `blocking`.

        Raises:
            SegmindRateLimiterStorageError: The storage cannot be used and `on_storage_error` is
                `"raise"`, or it refuses the user or password.
        """
        waiter = Waiter()
        if not blocking:
            return self._try_acquire(waiter)
        self._waiters[waiter] = None
        try:
            while not self._try_acquire(waiter):
                while sleep := self._plan_sleep(waiter):
                    time.sleep(sleep)
        finally:
            self._unregister(waiter)
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        """Take a slot for one request without blocking the event loop; see `acquire`.

        Args:
            blocking: Whether to wait until a slot is free.
        """
        waiter = Waiter()
        if not blocking:
            return await self._run(lambda: self._try_acquire(waiter))
        self._waiters[waiter] = None
        try:
            while not await self._run(lambda: self._try_acquire(waiter)):
                while sleep := self._plan_sleep(waiter):  # noqa: ASYNC110 - events belong to a loop
                    await asyncio.sleep(sleep)
        finally:
            self._unregister(waiter)
        return True

    def hold(self, seconds: float) -> None:
        """Block all callers for `seconds`; called by the model after a 429.

        A shorter hold does not end a longer one.

        Args:
            seconds: How long, 300 at most.
        """
        # Storage errors are suppressed: the 429 is the better error.
        if seconds > 0:
            with suppress(SegmindRateLimiterStorageError), self._lock:
                self._call_window(lambda window: window.hold(min(seconds, MAX_HOLD_SECONDS)))

    async def ahold(self, seconds: float) -> None:
        """Block all callers for `seconds`; see `hold`.

        Args:
            seconds: How long, 300 at most.
        """
        await self._run(lambda: self.hold(seconds))

    def _try_acquire(self, waiter: "Waiter") -> bool:
        """Try to acquire; otherwise schedule the next try."""
        with self._lock:
            waiter.last_tried_at = time.monotonic()
            window = self._get_window()
            ahead = self._count_ahead(waiter, 2 * window.slots)
            waiter.is_near = ahead < 2 * window.slots
            if ahead < window.slots:
                wait = self._call_window(lambda window: window.enter(ahead))
            else:
                wait = window.seconds  # the waiters ahead take every slot until then
            if not wait:
                self._waiters.pop(waiter, None)
                if not self._waiters:
                    self._has_logged_wait = False
                return True
            waiter.next_try_at = time.monotonic() + wait
            if waiter in self._waiters:
                self._log_wait(wait)
            return False

    def _count_ahead(self, waiter: "Waiter", max_count: int) -> int:
        """Count the waiters ahead of this one, without those to skip."""
        now, ahead = time.monotonic(), 0
        # A copy, since other threads change it; half of the first ones may have to be skipped.
        for other in list(islice(self._waiters, 2 * max_count)):
            if other is waiter or ahead == max_count:
                break
            ahead += now < other.wakes_at + TURN_TIMEOUT_SECONDS
        return ahead

    def _plan_sleep(self, waiter: "Waiter") -> float:
        """Set and return how long the waiter sleeps next, in seconds; 0 if it is time to try."""
        now = time.monotonic()
        # Those farther behind do not gain a slot: they need not all try again.
        has_gained = waiter.is_near and self._last_abandoned_at > waiter.last_tried_at
        next_try_at = now if has_gained else waiter.next_try_at
        sleep = min(max(next_try_at - now, 0.0), MAX_SLEEP_SECONDS)
        waiter.wakes_at = now + sleep
        return sleep

    def _unregister(self, waiter: "Waiter") -> None:
        """Remove a waiter. If it has no slot, those near behind it try again when they wake."""
        if waiter in self._waiters:
            del self._waiters[waiter]
            self._last_abandoned_at = time.monotonic()

    async def _run(self, work: Callable[[], Result]) -> Result:
        if isinstance(self._window, MemoryWindow):
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _get_window(self) -> Window:
        return self._get_fallback() if time.monotonic() < self._down_until else self._window

    def _get_fallback(self) -> Window:
        if self._outage and (self.on_storage_error == "raise" or self._outage.is_refusal):
            raise SegmindRateLimiterStorageError(
                f"The rate limit's storage at {self._address} cannot be used ({self._outage}). "
                f"{SegmindRateLimiterStorageError.advice}"
            ) from None
        return self._local_window

    def _call_window(self, operation: Callable[[Window], Result]) -> Result:
        """Run an operation on the window, or on the local one while the storage is down."""
        window = self._get_window()
        try:
            result = operation(window)
        except StorageError as error:
            self._start_outage(error)
            return operation(self._get_fallback())
        if self._outage and window is self._window:
            self._outage = None
            logger.info("The rate limit's storage is back.")
        return result

    def _start_outage(self, error: StorageError) -> None:
        self._down_until = time.monotonic() + STORAGE_RETRY_SECONDS
        is_new, self._outage = not self._outage, error
        if is_new and self.on_storage_error == "local" and not error.is_refusal:
            logger.warning(
                "The rate limit's storage at %s cannot be used (%s). Until it is back, this "
                "process keeps to its share of the limit: 1/%d (workers) of %d requests in %d s.",
                self._address,
                error,
                self.workers,
                self.requests_per_minute,
                self.period,
            )

    def _log_wait(self, seconds: float) -> None:
        if seconds > LONG_WAIT_SECONDS and not self._has_logged_wait:
            self._has_logged_wait = True
            logger.info(
                "The next request waits %.0f s for the limit of %d requests in %d s.",
                seconds,
                self.requests_per_minute,
                self.period,
            )

    @property
    def _address(self) -> str:
        """The storage's address without user, password and query."""
        return strip_url_credentials(self.storage.partition("?")[0])

    def __repr__(self) -> str:
        """Show the limit, and the storage's address without its password."""
        return (
            f"{type(self).__name__}(requests_per_minute={self.requests_per_minute}, "
            f"storage={self._address!r}, account={self.account!r})"
        )

    def __copy__(self) -> Self:
        """Return self: copies of a model share the limit."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return self: copies of a model share the limit."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Return the settings; a window in memory is not pickled."""
        return {name: self.__dict__[name] for name in SETTINGS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the settings and open the window."""
        self.__dict__.update(state)
        self._reset()


class Waiter:
    """A caller that waits for a slot.

    Attributes:
        last_tried_at: When it last tried to acquire, on the monotonic clock.
        next_try_at: When it tries again.
        wakes_at: When its current sleep ends.
        is_near: Whether one that gives up ahead of it can bring its turn nearer.
    """

    def __init__(self) -> None:
        self.last_tried_at = self.next_try_at = self.wakes_at = time.monotonic()
        self.is_near = True


def reset_limiters() -> None:
    """Reset all limiters: a forked child has none of the threads and event loops that wait."""
    for limiter in limiters:
        limiter._reset()  # noqa: SLF001 - of this module


limiters: WeakSet[SegmindRateLimiter] = WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=reset_limiters)
