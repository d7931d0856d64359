"""One account's rate limit, shared by threads, event loops, processes and machines.

Needs the extra `limits`; the only room that knows it.
"""

import asyncio
import logging
import math
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from threading import Lock
from typing import Any, Literal, Protocol, Self, TypeVar, cast, get_args
from urllib.parse import urlsplit
from weakref import WeakSet

from langchain_core.rate_limiters import BaseRateLimiter

from langchain_segmind._masking import strip_url_credentials
from langchain_segmind.exceptions import SegmindRateLimiterError

try:
    from limits.errors import ConfigurationError, StorageError
    from limits.storage import MovingWindowSupport, Storage, storage_from_string
except ImportError as error:
    raise ImportError(
        "SegmindRateLimiter needs the library limits: pip install 'langchain-segmind[limits]'"
    ) from error

__all__ = ["SegmindRateLimiter"]

SETTINGS = (
    "requests_per_minute",
    "storage",
    "account",
    "on_storage_error",
    "workers",
    "period",
)
"""What makes a limiter, and is pickled."""

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)

OnStorageError = Literal["raise", "local"]

MARGIN = 1
"""Seconds by which the window is longer than the server's: requests travel, and clocks differ."""

LONG_WAIT = 5.0
"""Seconds of a wait that the log tells of."""

LONGEST_STANDSTILL = 5.0
"""Seconds after which one looks for a place out of turn."""

REFUSALS = frozenset({"AuthenticationError", "NoPermissionError", "ResponseError"})
"""Failures of a Redis that is there, and will not be mended by waiting."""

SHORTEST_WAIT = 0.01
"""Seconds: several may wait for the same moment, and only one gets the place."""

STORAGE_PAUSE = 5.0
"""Seconds for which a storage that failed is not asked again."""

STORAGE_TIMEOUT = 2.0
"""Seconds that one question to a Redis may take; it is asked twice."""

UNKNOWN_STORAGE = (
    "storage must be one of the library limits that knows moving windows, such as memory:// or "
    "redis://localhost:6379, not {!r}."
)

LONGEST_HOLD = 300.0
"""Seconds for which one answer can hold up everybody: limits are by the minute."""


class SegmindRateLimiter(BaseRateLimiter):
    """Keeps all who share an account within its requests per minute.

    Goes into a model's `rate_limiter`. Every request takes a place in a moving window, retries
    included; who finds none waits until the oldest leaves it, first come, first served within a
    process. After a 429 that tells when the limit resets, everybody waits for that moment.

    One limiter may serve any number of models, threads and event loops. With
    `storage="redis://..."` every process and machine that names the same storage and account
    shares one window; their clocks must agree to about a second.

    Args:
        requests_per_minute: What the account's plan allows; at least 1. Segmind publishes 5 to
            1,000, by plan.
        storage: Where the window is kept: `"memory://"` in this object, so that models share it by
            sharing the object; `"redis://host:6379"` for all who name it. Others of the library
            limits that know moving windows may do, but are not tested.
        account: Tells accounts that share a storage apart. No API key: it is written there.
        on_storage_error: What happens while the storage cannot be reached. `"local"` lets each
            process keep to its own share of the limit, and logs a warning once for each outage;
            `"raise"` fails the call with a `SegmindRateLimiterError`.
        workers: How many processes share the account: the share of each is one part in so many,
            while the storage is down. It begins with an empty window, so that for a minute up to
            twice the limit may be sent.
        period: Seconds in which the requests may be made; 60 but for tests.

    Raises:
        ValueError: If a value cannot be right, or the storage is unknown.
        ImportError: If the storage's own library is missing.

    Source: https://docs.segmind.com/docs/serverless-api

    Example:
        ```python
        from langchain_segmind import ChatSegmindGPT4Turbo
        from langchain_segmind.rate_limiters import SegmindRateLimiter

        limiter = SegmindRateLimiter(requests_per_minute=50)
        model = ChatSegmindGPT4Turbo(rate_limiter=limiter)
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
                raise ValueError(f"{name} must be a whole number from 1, not {number!r}.")
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
        self._open()

    def _open(self) -> None:
        self._window = Window(
            open_storage(self.storage),
            *get_share(self.requests_per_minute, self.period),
            self.account,
        )
        for name in ("_local_window", "_executor"):
            self.__dict__.pop(name, None)
        self._is_remote = not self.storage.startswith("memory:")
        self._failure = ""
        self._down_until = 0.0
        self._queue = Queue()
        limiters.add(self)

    @cached_property
    def _executor(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(thread_name_prefix="segmind-rate-limit")

    @cached_property
    def _local_window(self) -> "Window":
        """This process's share, while the storage is down."""
        places, seconds = get_share(self.requests_per_minute, self.period, self.workers)
        return Window(open_storage("memory://"), places, seconds, self.account)

    def acquire(self, *, blocking: bool = True) -> bool:
        """Take a place for one request.

        Args:
            blocking: Whether to wait for one.

        Returns:
            Whether there is one: always, if it waits.

        Raises:
            SegmindRateLimiterError: If the storage cannot be reached, and `on_storage_error` is
                `"raise"`.
        """
        if not blocking:
            return self._queue.is_empty and not self._try()
        place: Future[None] = Future()
        try:
            self._queue.join(place)
            while True:
                futures.wait([place], LONGEST_STANDSTILL)
                if not (place.done() or self._queue.stands_still):
                    continue
                if not (wait := self._try()):
                    break
                if place.done():
                    self._note_wait(wait)
                    time.sleep(wait)
            if not place.done():
                self._queue.pass_by()
        finally:
            self._queue.leave(place)
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        """Take a place for one request; see `acquire`. The event loop goes on meanwhile.

        Args:
            blocking: Whether to wait for one.
        """
        if not blocking:
            return self._queue.is_empty and not await self._atry()
        place: Future[None] = Future()
        turn = asyncio.wrap_future(place)
        try:
            self._queue.join(place)
            while True:
                await asyncio.wait([turn], timeout=LONGEST_STANDSTILL)
                if not (place.done() or self._queue.stands_still):
                    continue
                if not (wait := await self._atry()):
                    break
                if place.done():
                    self._note_wait(wait)
                    await asyncio.sleep(wait)
            if not place.done():
                self._queue.pass_by()
        finally:
            turn.cancel()
            self._queue.leave(place)
        return True

    def hold(self, seconds: float) -> None:
        """Let everybody wait; the models say so after a 429.

        Args:
            seconds: For how long, five minutes at most.
        """
        # The error that told of it says more than that nobody else will hear of it.
        with suppress(SegmindRateLimiterError):
            self._ask(lambda window: window.hold(min(seconds, LONGEST_HOLD)))

    async def ahold(self, seconds: float) -> None:
        """Let everybody wait; see `hold`.

        Args:
            seconds: For how long.
        """
        await self._run(lambda: self.hold(seconds))

    def _try(self) -> float:
        """Take a place, or get the seconds to wait before it is worth to try again."""
        return self._ask(Window.enter)

    async def _atry(self) -> float:
        return await self._run(self._try)

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        # An asynchronous client of the storage would belong to one event loop.
        if not self._is_remote:
            return work()
        # Threads of the event loop's own pool may all be waiting for a place.
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _ask(self, question: Callable[["Window"], Answer]) -> Answer:
        if self._is_remote and time.monotonic() < self._down_until:
            return question(self._get_substitute())
        try:
            answer = question(self._window)
        except StorageError as failure:
            self._note_failure(type(failure.__cause__ or failure).__name__)
            return question(self._get_substitute())
        if self._failure:
            self._failure = ""
            logger.info("The rate limit's storage is back.")
        return answer

    def _get_substitute(self) -> "Window":
        if self.on_storage_error == "raise" or self._failure in REFUSALS:
            raise SegmindRateLimiterError(
                f"The rate limit's storage at {self._address} cannot be used ({self._failure}). "
                f"{SegmindRateLimiterError.advice}"
            ) from None
        return self._local_window

    def _note_wait(self, seconds: float) -> None:
        self._queue.expect_move(seconds)
        if seconds >= LONG_WAIT:
            logger.info("The next place for a request is free in %.0f s.", seconds)

    def _note_failure(self, failure: str) -> None:
        self._down_until = time.monotonic() + STORAGE_PAUSE
        is_new, self._failure = not self._failure, failure
        if is_new and self.on_storage_error == "local" and failure not in REFUSALS:
            logger.warning(
                "The rate limit's storage at %s cannot be used (%s). Until it is back, this "
                "process keeps to one part in %d (workers) of %d requests in %d s by itself.",
                self._address,
                failure,
                self.workers,
                self.requests_per_minute,
                self.period,
            )

    @property
    def _address(self) -> str:
        return strip_url_credentials(self.storage)

    def __repr__(self) -> str:
        """Show the limit; the storage's address may hold a password."""
        return (
            f"{type(self).__name__}(requests_per_minute={self.requests_per_minute}, "
            f"storage={self._address!r}, account={self.account!r})"
        )

    def __copy__(self) -> Self:
        """Share: copies of a model are on the same account."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Share, likewise."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the settings. Where the window is in memory, another process has its own."""
        return {name: self.__dict__[name] for name in SETTINGS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the window that the settings name."""
        self.__dict__.update(state)
        self._open()


def open_again() -> None:
    """Open all windows anew: in a forked process nobody stands in the queues of the other."""
    for limiter in limiters:
        limiter._open()  # noqa: SLF001 - of this room


limiters: WeakSet[SegmindRateLimiter] = WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=open_again)


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


class Queue:
    """A queue in which threads and the tasks of any event loop stand alike: first come, first.

    The first may stand still for ever, in an event loop that does not run, or is closed: then the
    others look for a place out of turn.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: deque[Future[None]] = deque()
        self._moves_at = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits."""
        return not self._waiting

    @property
    def stands_still(self) -> bool:
        """Whether the first is late."""
        return time.monotonic() > self._moves_at + LONGEST_STANDSTILL

    def expect_move(self, seconds: float) -> None:
        """Tell in how many seconds the first will move."""
        self._moves_at = time.monotonic() + seconds

    def join(self, place: Future[None]) -> None:
        """Join the end; the future is done once it is one's turn."""
        with self._lock:
            self._waiting.append(place)
        self.call_next()

    def leave(self, place: Future[None]) -> None:
        """Leave, from wherever one stands."""
        with self._lock, suppress(ValueError):
            self._waiting.remove(place)
        self.call_next()

    def pass_by(self) -> None:
        """Go before the first, who stands still: it is called, and had a place to take."""
        with self._lock, suppress(IndexError):
            self._waiting.popleft()
        self.call_next()

    def call_next(self) -> None:
        """Call the first; one that is cancelled leaves by itself, and the next is called then."""
        with self._lock, suppress(InvalidStateError, IndexError):
            self._waiting[0].set_result(None)
            self.expect_move(0)


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
