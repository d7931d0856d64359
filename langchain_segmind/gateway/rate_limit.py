"""Requests per minute, counted in a sliding window for each API key."""

import math
from collections import defaultdict, deque
from collections.abc import Callable


class RateLimiter:
    """Counts each key's requests within the last `window` seconds.

    Args:
        rpm: Requests that a key can make within the window; None for no limit.
        clock: Returns seconds since the epoch.
        window: Length of the window in seconds.

    Raises:
        ValueError: `rpm` or `window` is not positive.
    """

    def __init__(self, rpm: int | None, clock: Callable[[], float], window: float = 60) -> None:
        if rpm is not None and rpm < 1:
            raise ValueError(f"rpm must be at least 1, not {rpm}")
        if not 0 < window < math.inf:
            raise ValueError(f"rate_window must be a positive number of seconds, not {window}")
        self._rpm = rpm
        self._clock = clock
        self._window = window
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)

    def hit(self, api_key: str) -> int | None:
        """Count a request if the limit allows it.

        Returns:
            None if the request is within the limit. Otherwise the epoch second, rounded up,
            at which the oldest request leaves the window.
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
