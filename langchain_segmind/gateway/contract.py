"""What the API accepts and refuses, and in which words. Pure functions."""

import json
from collections.abc import Collection, Container, Mapping
from http import HTTPStatus
from typing import Any, Literal

from langchain_segmind._api.endpoint import API_KEY_HEADER, CREDITS_PATH, ROLES, SLUG, APIResponse
from langchain_segmind.gateway.request import Request

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=utf-8"

MISSING_KEY = "Missing Authorization or x-api-key in header"
INVALID_KEY = "Unauthorized. API key is invalid or may have expired."

Route = Literal["chat", "credits"]


class RefusedError(Exception):
    """The request is answered with an error.

    Attributes:
        response: The error response.
    """

    def __init__(self, response: APIResponse) -> None:
        super().__init__(response.status_code, response.body)
        self.response = response


def create_json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> APIResponse:
    """Return a JSON response. Its body is ASCII, so that any string can be sent."""
    body = json.dumps(value, separators=(",", ":")).encode("ascii")
    return APIResponse(status, {"content-type": JSON_TYPE, **(headers or {})}, body)


def create_error_response(
    status: int, text: str, headers: Mapping[str, str] | None = None
) -> APIResponse:
    """Return an error in Segmind's form: a string under the key `error`."""
    return create_json_response({"error": text}, status, headers)


def create_html_response(status: int, headers: Mapping[str, str] | None = None) -> APIResponse:
    """Return a bare HTML page that shows the status."""
    title = f"{status} {HTTPStatus(status).phrase}"
    page = (
        f"<html>\n<head><title>{title}</title></head>\n"
        f"<body><center><h1>{title}</h1></center></body>\n</html>\n"
    )
    return APIResponse(status, {"content-type": HTML_TYPE, **(headers or {})}, page.encode())


def format_insufficient_credits(balance: object, need: object) -> str:
    """Return the text of a 406 response to a call that the balance does not cover."""
    return f"Insufficient credits. Your balance is {balance} and this request needs {need}."


def check_route(request: Request) -> Route:
    """Return what the request asks for. Any slug of the right form is a model.

    Raises:
        RefusedError: 404 for an unknown path, 405 (an HTML page) for a wrong method.
    """
    prefix, _, name = request.path.rpartition("/")
    if prefix != "/v1" or not SLUG.fullmatch(name):
        raise RefusedError(create_error_response(404, f"No such path: {request.path}"))
    route: Route = "credits" if name == CREDITS_PATH else "chat"
    allowed = "GET" if route == "credits" else "POST"
    if request.method != allowed:
        raise RefusedError(create_html_response(405, {"allow": allowed}))
    return route


def check_key(request: Request, known: Container[str]) -> str:
    """Return the request's API key.

    Raises:
        RefusedError: 401 if the key is missing, unknown, or sent as `Authorization: Bearer`.
    """
    key = request.headers.get(API_KEY_HEADER)
    if key and key in known:
        return key
    is_missing = not key and "authorization" not in request.headers
    raise RefusedError(create_error_response(401, MISSING_KEY if is_missing else INVALID_KEY))


def check_chat(request: Request) -> None:
    """Check the content type and body of a chat request.

    Raises:
        RefusedError: 406 if the content type is not JSON, 400 if the body is not valid.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() != JSON_TYPE:
        raise RefusedError(create_error_response(406, "Invalid content type"))
    if problem := _find_problem(request.json):
        raise RefusedError(create_error_response(400, problem))


def check_strictly(request: Request, extra_body_keys: Collection[str]) -> None:
    """Check a valid chat request for anything that this package's client never sends.

    Args:
        request: The request.
        extra_body_keys: Body keys to accept besides `PARAMETERS`.

    Raises:
        RefusedError: 400 for unknown keys, and for content other than a string.
    """
    problem = ""
    if unknown := sorted(set(request.json) - PARAMETERS - set(extra_body_keys)):
        problem = f"unknown keys {', '.join(unknown)}"
    for index, message in enumerate(request.messages):
        if set(message) != {"role", "content"}:
            problem = problem or f"messages[{index}] must hold exactly role and content"
        elif not isinstance(message["content"], str):
            problem = problem or f"messages[{index}].content must be a string"
    if problem:
        raise RefusedError(create_error_response(400, f"strict: {problem}"))


def _find_problem(body: Any) -> str | None:
    if body is None:
        return "The body is not valid JSON"
    if not isinstance(body, dict):
        return "The body must be a JSON object"
    if "messages" not in body and "prompt" in body:
        is_text = isinstance(body["prompt"], str)
        return _find_parameter_problem(body) if is_text else "prompt must be a string"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "messages: at least one message is required"
    problems = (_find_message_problem(i, message) for i, message in enumerate(messages))
    return next(filter(None, problems), None) or _find_parameter_problem(body)


def _find_message_problem(index: int, message: Any) -> str | None:
    if not isinstance(message, dict):
        return f"messages[{index}] must be an object"
    if message.get("role") not in ROLES:
        return f"messages[{index}].role must be one of {', '.join(ROLES)}"
    content = message.get("content")
    if isinstance(content, list):
        if content and all(isinstance(part, dict) for part in content):
            return None
        return f"messages[{index}].content must be a list of content parts"
    if not isinstance(content, str):
        return f"messages[{index}].content must be a string or a list"
    return None


def _find_parameter_problem(body: Mapping[str, Any]) -> str | None:
    for name, (is_valid, expected) in _PARAMETER_RULES.items():
        if body.get(name) is not None and not is_valid(body[name]):
            return f"{name} must be {expected}"
    return None


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_integer(value) or isinstance(value, float)


def _is_stop(value: Any) -> bool:
    return all(isinstance(stop, str) for stop in (value if isinstance(value, list) else [value]))


_PARAMETER_RULES = {
    "temperature": (_is_number, "a number"),
    "top_p": (_is_number, "a number"),
    "max_tokens": (lambda value: _is_integer(value) and value > 0, "a whole number above 0"),
    "seed": (_is_integer, "a whole number"),
    "stop": (_is_stop, "a string or a list of strings"),
}

PARAMETERS = frozenset({"messages", *_PARAMETER_RULES})
"""The body keys that a backend sees; others are ignored."""
