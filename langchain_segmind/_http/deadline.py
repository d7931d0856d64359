"""By when a call must be over."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic


class Moment(float):
    """A timeout that is a moment on the clock of `time.monotonic`."""

    __slots__ = ()


class Deadline:
    """The moment by which a call must be over; it moves on while the call waits for its turn.

    Args:
        seconds: From now; None for never.
    """

    __slots__ = ("_moment",)

    def __init__(self, seconds: float | None = None) -> None:
        self._moment = math.inf if seconds is None else monotonic() + seconds

    @property
    def is_set(self) -> bool:
        """Whether there is one."""
        return self._moment != math.inf

    @property
    def moment(self) -> float:
        """On the clock of `time.monotonic`; infinite where there is none."""
        return self._moment

    @property
    def remaining(self) -> float:
        """Seconds until then; negative once it is past, infinite where there is none."""
        return self._moment - monotonic()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let time pass that does not count: for a connection, or for a rate limiter."""
        start = monotonic()
        try:
            yield
        finally:
            self._moment += monotonic() - start
