"""One of several processes that share a limit. Prints how many of 10 requests may go at once.

python tests/support/pacing_worker.py STORAGE REQUESTS_PER_MINUTE
"""

import sys

from langchain_segmind.rate_limiters import SegmindRateLimiter

if __name__ == "__main__":
    limiter = SegmindRateLimiter(int(sys.argv[2]), sys.argv[1])
    print(sum(limiter.acquire(blocking=False) for _ in range(10)))  # noqa: T201 - its output
