"""A moving window for each key."""

import math
from collections import defaultdict, deque
from collections.abc import Callable

WINDOW_SECONDS = 60.0


class RateLimiter:
    """Counts the requests of the last minute.

    Args:
        rpm: Requests that a key may make within any window; None for no limit.
        clock: Seconds since the epoch.
        window: Seconds.
    """

    def __init__(
        self, rpm: int | None, clock: Callable[[], float], window: float = WINDOW_SECONDS
    ) -> None:
        if rpm is not None and rpm < 1:
            raise ValueError(f"rpm must be at least 1, not {rpm}")
        if not 0 < window < math.inf:
            raise ValueError(f"rate_window must be a positive number of seconds, not {window}")
        self._window = window
        self._rpm = rpm
        self._clock = clock
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)

    def hit(self, api_key: str) -> int | None:
        """Count one request, unless it is one too many.

        Args:
            api_key: Whose request.

        Returns:
            None where it may go ahead; else the epoch second, rounded up, at which the
            oldest request leaves the window.
        """
        if self._rpm is None:
            return None
        now = self._clock()
        times = self._times[api_key]
        while times and times[0] <= now - self._window:
            times.popleft()
        if len(times) >= self._rpm:
            return math.ceil(times[0] + self._window)
        times.append(now)
        return None

    def reset(self) -> None:
        """Forget all requests."""
        self._times.clear()
