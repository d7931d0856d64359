"""By when a call must be over."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic


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
