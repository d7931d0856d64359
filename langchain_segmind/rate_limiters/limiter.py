"""One account's rate limit, shared by threads, event loops, processes and machines.

Needs the extra `limits`.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from typing import Any, Literal, Self, TypeVar, get_args
from weakref import WeakSet

from langchain_core.rate_limiters import BaseRateLimiter

from langchain_segmind._api.secrets import strip_url_credentials
from langchain_segmind.exceptions import SegmindRateLimiterStorageError
from langchain_segmind.rate_limiters import queue as _rate_queue
from langchain_segmind.rate_limiters.queue import Queue
from langchain_segmind.rate_limiters.window import StorageError, Window, get_share, open_storage

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

LONG_WAIT = 5.0
"""Seconds of a wait that the log tells of."""

REFUSALS = frozenset({"AuthenticationError", "NoPermissionError", "ResponseError"})
"""Failures of a Redis that is there, and will not be mended by waiting."""

STORAGE_PAUSE = 5.0
"""Seconds for which a storage that failed is not asked again."""

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
            `"raise"` fails the call with a `SegmindRateLimiterStorageError`.
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
            SegmindRateLimiterStorageError: The storage cannot be reached and `on_storage_error`
                is `"raise"`.
        """
        if not blocking:
            return self._queue.is_empty and not self._try()
        place: Future[None] = Future()
        try:
            self._queue.join(place)
            while True:
                futures.wait([place], _rate_queue.LONGEST_STANDSTILL)
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
                await asyncio.wait([turn], timeout=_rate_queue.LONGEST_STANDSTILL)
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
        with suppress(SegmindRateLimiterStorageError):
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
            raise SegmindRateLimiterStorageError(
                f"The rate limit's storage at {self._address} cannot be used ({self._failure}). "
                f"{SegmindRateLimiterStorageError.advice}"
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
