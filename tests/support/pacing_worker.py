"""One worker of several that share a limit: calls, and prints each call's outcome in a line.

python tests/support/pacing_worker.py BASE_URL KEY STORAGE CALLS [rpm=60] [period=60] [...]
"""

import sys

from langchain_segmind import ChatSegmindGPT4Turbo
from langchain_segmind.rate_limiters import SegmindRateLimiter


def main() -> None:
    """Make the calls, a few at a time."""
    base_url, api_key, storage, calls, *words = sys.argv[1:]
    options = dict(word.split("=") for word in words)
    limiter = SegmindRateLimiter(
        int(options.get("rpm", 60)),
        storage,
        period=int(options.get("period", 60)),
        workers=int(options.get("workers", 1)),
        on_storage_error="raise" if options.get("on_storage_error") == "raise" else "local",
    )
    model = ChatSegmindGPT4Turbo(
        base_url=base_url, api_key=api_key, rate_limiter=limiter, max_retries=0
    )
    replies = model.batch_as_completed(["Hi"] * int(calls), return_exceptions=True)
    for _, reply in replies:
        outcome = type(reply).__name__ if isinstance(reply, Exception) else "ok"
        sys.stdout.write(f"{outcome}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
