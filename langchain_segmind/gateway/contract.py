"""What the API accepts and refuses, and in which words. Pure functions."""

import json
from collections.abc import Collection, Container, Mapping
from http.client import responses
from typing import Any

from langchain_segmind._api.endpoint import API_KEY_HEADER, CREDITS_PATH, ROLES, SLUG, APIResponse
from langchain_segmind.gateway.request import Request

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=utf-8"
HTML_STATUSES = frozenset({405, 502, 503, 504})
"""Segmind sends a page with 405; proxies in front of a service send one with the others."""

INVALID_KEY = "Unauthorized. API key is invalid or may have expired."
RATE_LIMITED = "Rate limit exceeded"


class RefusedError(Exception):
    """The request is answered with an error; `response` holds it."""

    def __init__(
        self, status: int, text: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, text)
        self.response = create_error_response(status, text, headers)


def create_json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> APIResponse:
    """Return a JSON response. Its body is ASCII, so that any string can be sent."""
    body = json.dumps(value, separators=(",", ":")).encode("ascii")
    return APIResponse(status, {"content-type": JSON_TYPE, **(headers or {})}, body)


def create_error_response(
    status: int, text: str, headers: Mapping[str, str] | None = None
) -> APIResponse:
    """Return JSON with the text under `error`, or for `HTML_STATUSES` a page with the status."""
    if status not in HTML_STATUSES:
        return create_json_response({"error": text}, status, headers)
    title = f"{status} {responses[status]}"
    page = (
        f"<html>\n<head><title>{title}</title></head>\n"
        f"<body><center><h1>{title}</h1></center></body>\n</html>\n"
    )
    return APIResponse(status, {"content-type": HTML_TYPE, **(headers or {})}, page.encode())


def format_insufficient_credits(balance: object, need: object) -> str:
    """Return the text of a 406 response to a call that the balance does not cover."""
    return f"Insufficient credits. Your balance is {balance} and this request needs {need}."


def check_route(request: Request) -> None:
    """Check the path and method. Any slug of the right form is a model.

    Raises:
        RefusedError: 404 for an unknown path, 405 for a wrong method.
    """
    prefix, _, name = request.path.rpartition("/")
    if prefix != "/v1" or not SLUG.fullmatch(name):
        raise RefusedError(404, f"No such path: {request.path}")
    allowed = "GET" if name == CREDITS_PATH else "POST"
    if request.method != allowed:
        raise RefusedError(405, headers={"allow": allowed})


def check_key(request: Request, known: Container[str]) -> str:
    """Return the request's API key.

    Raises:
        RefusedError: 401 if the key is missing, unknown, or sent as `Authorization: Bearer`.
    """
    key = request.headers.get(API_KEY_HEADER)
    if key and key in known:
        return key
    if not key and "authorization" not in request.headers:
        raise RefusedError(401, "Missing Authorization or x-api-key in header")
    raise RefusedError(401, INVALID_KEY)


def check_chat(request: Request) -> None:
    """Check the content type and body of a chat request.

    Raises:
        RefusedError: 406 if the content type is not JSON, 400 if the body is not valid.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() != JSON_TYPE:
        raise RefusedError(406, "Invalid content type")
    body = request.json
    _require(body is not None, "The body is not valid JSON")
    _require(isinstance(body, dict), "The body must be a JSON object")
    if "prompt" in body and "messages" not in body:
        _require(isinstance(body["prompt"], str), "prompt must be a string")
    else:
        _check_messages(body.get("messages"))
    for name, (is_valid, expected) in _PARAMETER_RULES.items():
        _require(body.get(name) is None or is_valid(body[name]), f"{name} must be {expected}")


def check_strictly(request: Request, extra_body_keys: Collection[str]) -> None:
    """Check a valid chat request for anything that this package's client never sends.

    Raises:
        RefusedError: 400 for unknown keys, and for content other than a string.
    """
    unknown = sorted(set(request.json) - PARAMETERS - set(extra_body_keys))
    _require(not unknown, f"strict: unknown keys {', '.join(unknown)}")
    for index, message in enumerate(request.messages):
        name = f"strict: messages[{index}]"
        _require(set(message) == {"role", "content"}, f"{name} must hold exactly role and content")
        _require(isinstance(message["content"], str), f"{name}.content must be a string")


def _require(condition: object, problem: str) -> None:
    if not condition:
        raise RefusedError(400, problem)


def _check_messages(messages: Any) -> None:
    is_filled = isinstance(messages, list) and messages
    _require(is_filled, "messages: at least one message is required")
    for index, message in enumerate(messages):
        name = f"messages[{index}]"
        _require(isinstance(message, dict), f"{name} must be an object")
        _require(message.get("role") in ROLES, f"{name}.role must be one of {', '.join(ROLES)}")
        content = message.get("content")
        if not isinstance(content, str):
            _require(isinstance(content, list), f"{name}.content must be a string or a list")
            are_parts = content and all(isinstance(part, dict) for part in content)
            _require(are_parts, f"{name}.content must be a list of content parts")


def _is_number(value: Any) -> bool:
    return type(value) in {int, float}  # not bool, which is a subclass


def _is_stop(value: Any) -> bool:
    return all(isinstance(stop, str) for stop in (value if isinstance(value, list) else [value]))


_PARAMETER_RULES = {
    "temperature": (_is_number, "a number"),
    "top_p": (_is_number, "a number"),
    "max_tokens": (lambda value: type(value) is int and value > 0, "a whole number above 0"),
    "seed": (lambda value: type(value) is int, "a whole number"),
    "stop": (_is_stop, "a string or a list of strings"),
}

PARAMETERS = frozenset({"messages", *_PARAMETER_RULES})
"""The body keys that a backend sees; others are ignored."""
