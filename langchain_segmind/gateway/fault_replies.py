"""What the faults look like on the wire. Pure."""

from http import HTTPStatus

from langchain_segmind._api.endpoint import RATE_LIMIT_RESET_HEADER, APIResponse
from langchain_segmind.gateway.contract import (
    HTML_TYPE,
    INVALID_KEY,
    error_reply,
    html_reply,
    insufficient_credits_text,
    json_reply,
)
from langchain_segmind.gateway.faults import Action

_TEXTS = {
    400: "Bad request",
    401: INVALID_KEY,
    403: "You do not have access to this model",
    404: "Model not found",
    406: insufficient_credits_text("0.000000", "0.004000"),
    410: "This model has been retired",
    422: "Validation Error: invalid or missing parameters in the request body",
    429: "Rate limit exceeded",
    500: "Internal server error",
}
_HTML_STATUSES = frozenset({405, 502, 503, 504})
"""405 is a page at Segmind; so are what the usual proxies in front of a service say."""


def fault_reply(action: Action, now: float) -> APIResponse | None:
    """The answer that an action sends in place of a reply.

    Args:
        action: The action.
        now: Seconds since the epoch.

    Returns:
        The answer; None where the action sends none of its own.
    """
    if action.name == "status":
        return _status_reply(int(action.value), now)
    return _BROKEN_REPLIES.get(action.name)


def _status_reply(status: int, now: float) -> APIResponse:
    if status in _HTML_STATUSES:
        return html_reply(status)
    known = _TEXTS.get(status) or _phrase(status)
    headers = (
        {RATE_LIMIT_RESET_HEADER: str(int(now) + 1)}
        if status == HTTPStatus.TOO_MANY_REQUESTS
        else {}
    )
    return error_reply(status, known, headers)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


_BROKEN_REPLIES = {
    "html": APIResponse(200, {"content-type": HTML_TYPE}, b"<html><body>Welcome</body></html>\n"),
    "not-json": APIResponse(
        200, {"content-type": "application/json"}, b'{"choices": [{"index": 0, '
    ),
    "no-choices": json_reply({"choices": []}),
    "error-body": json_reply({"error": {"message": "The model failed", "type": "server_error"}}),
    "empty": APIResponse(200, {"content-type": "application/json"}, b""),
}
