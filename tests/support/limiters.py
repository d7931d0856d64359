"""A rate limiter that counts how it is called."""

from langchain_core.rate_limiters import BaseRateLimiter


class CountingLimiter(BaseRateLimiter):
    """Lets every request pass.

    Attributes:
        sync_calls: Calls of `acquire`.
        async_calls: Calls of `aacquire`.
    """

    def __init__(self) -> None:
        self.sync_calls = self.async_calls = 0

    @property
    def asked(self) -> int:
        """Calls of both."""
        return self.sync_calls + self.async_calls

    def acquire(self, *, blocking: bool = True) -> bool:
        self.sync_calls += 1
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.async_calls += 1
        return True
