"""Convert a failed response to an error.

Segmind's error bodies are free text in a few envelopes (`{"error": "..."}`,
`{"error": {"message": "..."}}`, `{"html-message": "..."}`, an HTML page, nothing), so some
causes differ only by their wording.
"""

import html
import json
import re
import time
from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from langchain_segmind._api.endpoint import (
    REMAINING_CREDITS_HEADER,
    REQUEST_ID_HEADER,
    TIMEOUT_STATUSES,
    APIResponse,
)
from langchain_segmind._api.headers import parse_number, parse_retry_after
from langchain_segmind._api.missing_model import describe_missing_model
from langchain_segmind.exceptions import (
    Phase,
    SegmindAPIError,
    SegmindAuthenticationError,
    SegmindContextOverflowError,
    SegmindError,
    SegmindInsufficientCreditsError,
    SegmindInvalidRequestError,
    SegmindModelNotFoundError,
    SegmindPermissionDeniedError,
    SegmindRateLimitError,
    SegmindResponseError,
    SegmindTimeoutError,
)

ERROR_BY_STATUS: Mapping[int, type[SegmindError]] = {
    401: SegmindAuthenticationError,
    402: SegmindInsufficientCreditsError,
    403: SegmindPermissionDeniedError,
    404: SegmindModelNotFoundError,
    406: SegmindInsufficientCreditsError,
    408: SegmindTimeoutError,
    410: SegmindModelNotFoundError,
    429: SegmindRateLimitError,
}
"""Any other 4xx is an invalid request, any other 5xx a server error."""

MISSING = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
"""Statuses whose cause can be the URL."""

REDIRECT_ADVICE = "Check base_url: redirects are not followed."

SLOW_MODEL_ADVICE = (
    "The model took longer than the server waits, and may have been billed. If a chat model often "
    "does, run it in the queue: use_queue=True."
)

CONTEXT_OVERFLOW_STATUSES = frozenset({400, 406, 413, 500})
CONTEXT_OVERFLOW = re.compile(
    r"context[ _-](length|size|window)|maximum context|too many (input |prompt )?tokens"
    r"|(prompt|input|messages?) (is|are) too long|reduce the length of the (messages|prompt|input)",
    re.IGNORECASE,
)
INVALID_REQUEST = re.compile(r"content[ -]type|parameter", re.IGNORECASE)
ABOUT_CREDITS = re.compile(r"credit|balance|spend", re.IGNORECASE)

LONG_WORD = re.compile(r"([A-Za-z0-9+/_-]{80})[A-Za-z0-9+/_=-]{80,}+")
"""Matches data in Base64, such as an image that the server quotes from the request."""

SECRET_HEADERS = frozenset({"set-cookie", "set-cookie2"})
"""Headers of a response that an error does not keep."""

MAX_EXCERPT_CHARS = 500
"""How much of the server's text a message quotes."""
MAX_KEPT_BODY_CHARS = 2_000
"""How much of the body an error keeps."""
MAX_SCANNED_BYTES = 100_000
"""How much of the body is read."""
MAX_SECRET_CHARS = 10_000
"""How much of a longer body is left out at its end, where a secret can be cut in two and so not be
masked."""
MAX_PAGE_CHARS = 4_000
"""How much of an HTML page is searched: its message is at the top."""


def create_error(
    response: APIResponse,
    error_class: type[SegmindError] | None = None,
    problem: str = "",
    phase: Phase | None = None,
) -> SegmindError:
    """Return the error for a response, with secrets masked.

    Args:
        response: The response.
        error_class: The class; by default the status and the body decide.
        problem: What is wrong; by default the status.
        phase: Where the connection failed, if it did.
    """
    masked = response.mask(response.body[:MAX_SCANNED_BYTES].decode(errors="replace"))
    if len(response.body) > MAX_SCANNED_BYTES:
        masked = masked[:-MAX_SECRET_CHARS]
    body = LONG_WORD.sub(r"\1...", masked)
    chosen = error_class or get_error_class(response.status_code, body)
    headers = {
        response.mask(name): response.mask(value)
        for name, value in response.headers.items()
        if name not in SECRET_HEADERS
    }
    if not problem:
        problem = f"The server answered {response.status_code}"
        if response.status_code in MISSING and response.url:
            problem += f" for {response.url}"
        if "location" in headers:
            problem += f" with a redirect to {headers['location']}"
    is_redirect = HTTPStatus.MULTIPLE_CHOICES <= response.status_code < HTTPStatus.BAD_REQUEST
    advice = REDIRECT_ADVICE if is_redirect else chosen.advice
    is_slow = response.status_code in TIMEOUT_STATUSES
    if is_slow:
        advice = SLOW_MODEL_ADVICE
    if chosen is SegmindModelNotFoundError:
        slug = urlsplit(response.url).path.rpartition("/")[2]
        advice = f"{describe_missing_model(slug, date.today())} {advice}".strip()  # noqa: DTZ011 - a day
    retry_after = parse_retry_after(response.headers, time.time())
    is_unexpected = chosen is SegmindResponseError
    text = body if is_unexpected else response.mask(parse_error_text(body))
    error = chosen(
        f"{problem}{f': {text[:MAX_EXCERPT_CHARS]!r}' if text else ''}. {advice}"
        f"{f' The server asks to wait {retry_after:g} s.' if retry_after else ''}",
        status_code=response.status_code,
        body=body[:MAX_KEPT_BODY_CHARS],
        headers=headers,
        request_id=headers.get(REQUEST_ID_HEADER),
        retry_after=retry_after,
        remaining_credits=parse_number(response.headers.get(REMAINING_CREDITS_HEADER)),
        phase=phase,
    )
    if is_slow:
        error.advice = advice  # so that `replace_advice` finds it
    return error


def replace_advice(error: SegmindError, advice: str) -> None:
    """Replace what an error's message says to do, or add it if the message says nothing."""
    message, own = str(error), f" {error.advice}"
    new = f" {advice}" if advice else ""
    replaced = message.replace(own, new) if own.strip() and own in message else f"{message}{new}"
    error.args = (replaced,)


def get_error_class(status_code: int, body: str) -> type[SegmindError]:
    """Return the class for a status, or by the body where a status has several causes."""
    if status_code in CONTEXT_OVERFLOW_STATUSES and CONTEXT_OVERFLOW.search(body):
        return SegmindContextOverflowError
    if status_code == 406 and INVALID_REQUEST.search(body) and not ABOUT_CREDITS.search(body):  # noqa: PLR2004 - 406 has this name only
        return SegmindInvalidRequestError
    if status_code in ERROR_BY_STATUS:
        return ERROR_BY_STATUS[status_code]
    if 400 <= status_code < 500:  # noqa: PLR2004 - the range that RFC 9110 calls client errors
        return SegmindInvalidRequestError
    if 500 <= status_code < 600:  # noqa: PLR2004 - likewise, server errors
        return SegmindAPIError
    return SegmindResponseError


def parse_error_text(body: str) -> str:
    """Return the message in a body: JSON in one of the envelopes, HTML, or plain text."""
    try:
        return _find_text(json.loads(body)) or body.strip()
    except (ValueError, RecursionError):
        return _strip_html(body)


def _find_text(parsed: Any) -> str:
    if isinstance(parsed, str):
        return _strip_html(parsed)
    if isinstance(parsed, dict):
        keys = ("error", "html-message", "message", "error_description", "detail")
        return next((text for key in keys if (text := _find_text(parsed.get(key)))), "")
    return ""


def _strip_html(text: str) -> str:
    text = re.sub(r"(?is)<(script|style)\b.*?</\1>|<[^<>]*>", " ", text[:MAX_PAGE_CHARS])
    return " ".join(html.unescape(text).split())
