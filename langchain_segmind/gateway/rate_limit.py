"""Requests per minute, counted in a sliding window for each API key."""

import math
from collections import defaultdict, deque


class RateLimiter:
    """Counts each key's requests within the last `window` seconds.

    Raises:
        ValueError: `rpm` or `window` is not positive.
    """

    def __init__(self, rpm: int | None, window: float = 60) -> None:
        if rpm is not None and rpm < 1:
            raise ValueError(f"rpm must be at least 1, not {rpm}")
        if not 0 < window < math.inf:
            raise ValueError(f"rate_window must be a positive number of seconds, not {window}")
        self._rpm = rpm
        self._window = window
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)

    def hit(self, api_key: str, now: float) -> int | None:
        """Count a request, or return the epoch second at which the key has another one left."""
        if self._rpm is None:
            return None
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
