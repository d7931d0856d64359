"""A fair queue for threads and event loops."""

import time
from collections import deque
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from threading import Lock

LONGEST_STANDSTILL = 5.0
"""Seconds after which one looks for a place out of turn."""


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
