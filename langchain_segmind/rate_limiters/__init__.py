"""One account's rate limit, shared by threads, event loops, processes and machines."""

from langchain_segmind.rate_limiters.limiter import SegmindRateLimiter

__all__ = ["SegmindRateLimiter"]
