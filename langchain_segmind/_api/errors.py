"""A reply that is no answer -> the error that says so; pure.

Segmind's error bodies are free text in a few envelopes (`{"error": "..."}`,
`{"error": {"message": "..."}}`, `{"html-message": "..."}`, an HTML page, nothing), so some
causes can be told apart by their wording only.
"""

import html
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from langchain_segmind._api.endpoint import REMAINING_CREDITS_HEADER, REQUEST_ID_HEADER, APIResponse
from langchain_segmind._api.headers import parse_number, parse_retry_after
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
"""Single statuses. Any other 4xx is an invalid request, 5xx a failure of the server."""

CONTEXT_OVERFLOW_STATUSES = frozenset({400, 406, 413, 500})
CONTEXT_OVERFLOW = re.compile(
    r"context[ _-](length|size|window)|maximum context|too many (input |prompt )?tokens"
    r"|(prompt|input|messages?) (is|are) too long|reduce the length of the (messages|prompt|input)",
    re.IGNORECASE,
)
INVALID_REQUEST = re.compile(r"content[ -]type|parameter", re.IGNORECASE)
ABOUT_CREDITS = re.compile(r"credit|balance|spend", re.IGNORECASE)

LONGEST_EXCERPT = 500
"""Characters of a server's text that a message quotes."""
LONGEST_BODY = 2_000
"""Characters of a body that an error keeps."""
LONGEST_SCAN = 100_000
"""Bytes of a body that are looked at."""
LONGEST_PAGE = 4_000
"""Characters of an HTML page that are searched for words: they stand at its top."""


def create_error(
    reply: APIResponse,
    error_class: type[SegmindError] | None = None,
    problem: str = "",
    phase: Phase | None = None,
) -> SegmindError:
    """Build the error for a reply, with its secrets masked.

    Args:
        reply: The server's answer.
        error_class: The class; by default the status and the text decide.
        problem: What is wrong with it; by default the status says so.
        phase: Where the connection failed, if it did.
    """
    body = reply.mask(reply.body[:LONGEST_SCAN].decode(errors="replace"))
    chosen = error_class or get_error_class(reply.status_code, body)
    headers = {name: reply.mask(value) for name, value in reply.headers.items()}
    if not problem:
        problem = f"The server answered {reply.status_code}"
        problem += f" and points to {headers['location']}" if "location" in headers else ""
    retry_after = parse_retry_after(reply.headers, time.time())
    said = body if chosen is SegmindResponseError else reply.mask(parse_error_text(body))
    return chosen(
        f"{problem}{f': {said[:LONGEST_EXCERPT]!r}' if said else ''}. {chosen.advice}"
        f"{f' It asks to wait {retry_after:g} seconds.' if retry_after else ''}",
        status_code=reply.status_code,
        body=body[:LONGEST_BODY],
        headers=headers,
        request_id=headers.get(REQUEST_ID_HEADER),
        retry_after=retry_after,
        remaining_credits=parse_number(reply.headers.get(REMAINING_CREDITS_HEADER)),
        phase=phase,
    )


def get_error_class(status_code: int, body: str) -> type[SegmindError]:
    """Choose the class by the status, and by the body's wording where the status is shared."""
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
    """Find the server's own words in a body: JSON in its envelopes, HTML, or plain text."""
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
    text = re.sub(r"(?is)<(script|style)\b.*?</\1>|<[^<>]*>", " ", text[:LONGEST_PAGE])
    return " ".join(html.unescape(text).split())
