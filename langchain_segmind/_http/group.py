"""Requests that belong to one call, and end together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import copy_context
from threading import Condition, Thread


class GroupEndedError(Exception):
    """The call has ended before the request was sent."""


class RequestGroup:
    """Requests of one call, which threads or the tasks of one event loop send.

    After its end, no request is sent, and waits for a rate limiter or for another attempt are
    over. Requests whose bodies are already being sent continue.

    Attributes:
        is_ended: Whether the group has ended.
    """

    __slots__ = ("_changed", "_scopes", "_threads", "_waiting", "_working", "is_ended")

    def __init__(self) -> None:
        self.is_ended = False
        self._changed = Condition()
        self._scopes: set[asyncio.Timeout] = set()
        self._threads: list[Thread] = []
        self._waiting = self._working = 0

    def end(self) -> None:
        """End the group: no further request is sent."""
        with self._changed:
            if self.is_ended:
                return  # a timeout that is running out cannot be rescheduled
            self.is_ended = True
            self._changed.notify_all()
        for scope in self._scopes:
            scope.reschedule(0)

    def start(self, work: Callable[[], None], name: str) -> None:
        """Run a function in a new thread, with the caller's context variables.

        End the group if this raises: after an interrupt, the thread may run nevertheless.

        Args:
            work: The function; it must not raise.
            name: The thread's name.
        """
        thread = Thread(
            target=copy_context().run,
            args=(self._work, work),
            name=name,
            daemon=True,  # one that waits for a rate limiter does not keep the process
        )
        self._count(waiting=1)
        thread.start()
        self._threads.append(thread)

    def _work(self, work: Callable[[], None]) -> None:
        with self._changed:
            if self.is_ended:
                return
            self._count(working=1, waiting=-1)
        try:
            work()
        finally:
            self._count(working=-1)

    def join(self) -> None:
        """Wait for the threads; after the end, only for those whose requests are being sent."""
        with self._changed:
            self._changed.wait_for(self._is_idle)
        if not self.is_ended:
            for thread in self._threads:
                thread.join()

    def _is_idle(self) -> bool:
        return not self._working and (self.is_ended or not self._waiting)

    def _count(self, *, working: int = 0, waiting: int = 0) -> None:
        with self._changed:
            self._working += working
            self._waiting += waiting
            self._changed.notify_all()

    def check(self) -> None:
        """Check that the group has not ended.

        Raises:
            GroupEndedError: The group has ended.
        """
        if self.is_ended:
            raise GroupEndedError

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Mark the thread as waiting for its turn in the block; `join` need not wait for it.

        Raises:
            GroupEndedError: The group has ended.
        """
        self.check()
        self._count(working=-1, waiting=1)
        try:
            yield
        finally:
            self._count(working=1, waiting=-1)
        self.check()

    @asynccontextmanager
    async def awaiting(self) -> AsyncIterator[None]:
        """Interrupt the block, in which a task waits for its turn, when the group ends.

        Raises:
            GroupEndedError: The group has ended.
        """
        self.check()
        try:
            async with asyncio.timeout(None) as scope:
                self._scopes.add(scope)
                try:
                    yield
                finally:
                    self._scopes.discard(scope)
        except TimeoutError:
            self.check()
            raise  # of the rate limiter
        self.check()

    def sleep(self, seconds: float) -> None:
        """Sleep before a request is sent; the end of the group interrupts it.

        Raises:
            GroupEndedError: The group has ended.
        """
        with self.waiting(), self._changed:
            self._changed.wait_for(lambda: self.is_ended, seconds)

    async def asleep(self, seconds: float) -> None:
        """Sleep before a request is sent; see `sleep`."""
        async with self.awaiting():
            await asyncio.sleep(seconds)
