"""Header values as numbers; None if they cannot be read, never an error."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from langchain_segmind._api.endpoint import (
    RATE_LIMIT_RESET_HEADER,
    RETRY_AFTER_HEADER,
    RETRY_AFTER_MS_HEADER,
)

MAX_NUMBER = 1e15
"""A larger amount or time cannot be one."""

MIN_EPOCH_MILLISECONDS = 1e11
"""A larger epoch time is in milliseconds: in seconds it would be in the year 5138."""


def parse_number(text: str | None) -> float | None:
    """Return a number, such as a balance, which may be negative."""
    if text is None or "_" in text:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= MAX_NUMBER else None


def parse_amount(text: str | None) -> float | None:
    """Return a number that cannot be negative, such as a price."""
    number = parse_number(text)
    return None if number is None or number < 0 else number


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return how long the server asks to wait.

    Args:
        headers: The response's headers, names in lower case.
        now: The time in seconds since the epoch.

    Returns:
        Seconds from now; None if no readable time is sent or it has passed.
    """
    milliseconds = parse_number(headers.get(RETRY_AFTER_MS_HEADER))
    candidates = (
        None if milliseconds is None else milliseconds / 1000,
        parse_number(headers.get(RETRY_AFTER_HEADER)),
        _seconds_until(_parse_http_date(headers.get(RETRY_AFTER_HEADER)), now),
        _seconds_until(_parse_timestamp(headers.get(RATE_LIMIT_RESET_HEADER)), now),
    )
    return next((wait for wait in candidates if wait is not None and wait >= 0), None)


def _seconds_until(timestamp: float | None, now: float) -> float | None:
    return None if timestamp is None else timestamp - now


def _parse_http_date(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _parse_timestamp(text: str | None) -> float | None:
    """Return epoch seconds from seconds, milliseconds or ISO 8601: the format is undocumented."""
    number = parse_number(text)
    if number is not None:
        return number / 1000 if number > MIN_EPOCH_MILLISECONDS else number
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text.strip())
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
