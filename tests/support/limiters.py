"""A rate limiter that tests share."""

from langchain_core.rate_limiters import BaseRateLimiter


class CountingLimiter(BaseRateLimiter):
    """Lets everything pass, and counts how often it is asked, and by which path."""

    def __init__(self) -> None:
        self.sync_calls = self.async_calls = 0

    @property
    def asked(self) -> int:
        """How often it was asked, by either path."""
        return self.sync_calls + self.async_calls

    def acquire(self, *, blocking: bool = True) -> bool:
        self.sync_calls += 1
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.async_calls += 1
        return True
