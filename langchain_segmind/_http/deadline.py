"""By when a call must be over."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic

GRACE_SECONDS = 0.2
"""How long the event loop waits past the deadline, so that the transport reports its phase."""

NO_EVENT_LOOP = (
    "The model's asynchronous methods need asyncio, but no asyncio event loop is running. Under "
    'trio, call a synchronous one in a thread: await trio.to_thread.run_sync(model.invoke, "Hi").'
)


class Deadline:
    """The time by which a call must be over.

    Args:
        seconds: Seconds from now; None for no deadline.
    """

    __slots__ = ("_at",)

    def __init__(self, seconds: float | None = None) -> None:
        self._at = math.inf if seconds is None else monotonic() + seconds

    @property
    def is_set(self) -> bool:
        """Whether there is a deadline."""
        return self._at != math.inf

    @property
    def remaining(self) -> float:
        """Seconds left; negative once it has passed, infinite without a deadline."""
        return self._at - monotonic()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Exclude the time spent in the block from the deadline."""
        start = monotonic()
        try:
            yield
        finally:
            self._at += monotonic() - start


def get_running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop.

    Raises:
        RuntimeError: There is none, as under trio; the message says what to do.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(NO_EVENT_LOOP) from None


@asynccontextmanager
async def limit_time(seconds: float | None) -> AsyncIterator[None]:
    """End the block with a `TimeoutError` after some seconds and a grace; None for no limit.

    The grace begins when the event loop notices that the time is over: after the process was
    stopped, an answer that has arrived is read first.
    """
    loop = get_running_loop()
    async with asyncio.timeout(None) as scope:
        if seconds is None:
            yield
            return
        timer = loop.call_later(seconds, lambda: scope.reschedule(loop.time() + GRACE_SECONDS))
        try:
            yield
        finally:
            timer.cancel()
