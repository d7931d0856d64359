"""What the endpoint accepts, what it refuses, and in which words. Pure."""

import json
from collections.abc import Collection, Container, Mapping
from http import HTTPStatus
from typing import Any, Literal, get_args

from langchain_segmind._api.endpoint import API_KEY_HEADER, CREDITS_PATH, SLUG, APIResponse, Role
from langchain_segmind.gateway.request import Request

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=utf-8"
ROLES = get_args(Role)
PARAMETERS = frozenset({"messages", "temperature", "max_tokens", "top_p", "seed", "stop"})
"""The keys of a request that a backend may see; all others are ignored."""

MISSING_KEY = "Missing Authorization or x-api-key in header"
INVALID_KEY = "Unauthorized. API key is invalid or may have expired."
INVALID_CONTENT_TYPE = "Invalid content type"

Route = Literal["chat", "credits"]


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """An answer other than 200.

    Attributes:
        reply: The answer.
    """

    def __init__(self, reply: APIResponse) -> None:
        super().__init__(reply.status_code, reply.body)
        self.reply = reply


def json_reply(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> APIResponse:
    """An answer in JSON (plain ASCII, so that any text survives)."""
    body = json.dumps(value, separators=(",", ":")).encode("ascii")
    return APIResponse(status, {"content-type": JSON_TYPE, **(headers or {})}, body)


def error_reply(status: int, text: str, headers: Mapping[str, str] | None = None) -> APIResponse:
    """An error as Segmind words it: one text under the key `error`."""
    return json_reply({"error": text}, status, headers)


def html_reply(status: int, headers: Mapping[str, str] | None = None) -> APIResponse:
    """A bare HTML page that names the status."""
    title = f"{status} {HTTPStatus(status).phrase}"
    page = (
        f"<html>\n<head><title>{title}</title></head>\n"
        f"<body><center><h1>{title}</h1></center></body>\n</html>\n"
    )
    return APIResponse(status, {"content-type": HTML_TYPE, **(headers or {})}, page.encode())


def insufficient_credits_text(balance: object, need: object) -> str:
    """The words of a 406 for want of credits."""
    return f"Insufficient credits. Your balance is {balance} and this request needs {need}."


def check_route(request: Request) -> Route:
    """Find what a request is for.

    Raises:
        Refusal: 404 for an unknown path, 405 (an HTML page) for a wrong verb.
    """
    prefix, _, name = request.path.rpartition("/")
    if prefix != "/v1" or not SLUG.fullmatch(name):
        raise Refusal(error_reply(404, f"No such path: {request.path}"))
    route: Route = "credits" if name == CREDITS_PATH else "chat"
    allowed = "GET" if route == "credits" else "POST"
    if request.method != allowed:
        raise Refusal(html_reply(405, {"allow": allowed}))
    return route


def check_key(request: Request, known: Container[str]) -> str:
    """Find whose request it is.

    Raises:
        Refusal: 401, for a missing header or an unknown key. `Authorization: Bearer` is
            not accepted.
    """
    key = request.headers.get(API_KEY_HEADER)
    if not key:
        has_bearer = "authorization" in request.headers
        raise Refusal(error_reply(401, INVALID_KEY if has_bearer else MISSING_KEY))
    if key not in known:
        raise Refusal(error_reply(401, INVALID_KEY))
    return key


def check_slug(request: Request, known: Container[str]) -> None:
    """Refuse an unknown model with 404."""
    if request.slug not in known:
        raise Refusal(error_reply(404, f"Model '{request.slug}' not found"))


def check_content_type(request: Request) -> None:
    """Refuse anything but JSON with 406."""
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() != JSON_TYPE:
        raise Refusal(error_reply(406, INVALID_CONTENT_TYPE))


def check_body(request: Request) -> None:
    """Refuse a body that is no chat request with 400."""
    problem = _body_problem(request)
    if problem:
        raise Refusal(error_reply(400, problem))


def check_strictly(request: Request, extra_body_keys: Collection[str]) -> None:
    """Refuse with 400 what our own client never sends, in a body already checked.

    Args:
        request: The request.
        extra_body_keys: Top-level keys to accept beside `PARAMETERS`.
    """
    unknown = sorted(set(request.json) - PARAMETERS - set(extra_body_keys))
    if unknown:
        raise Refusal(error_reply(400, f"strict: unknown keys {', '.join(unknown)}"))
    for index, message in enumerate(request.messages):
        if set(message) != {"role", "content"}:
            text = f"strict: messages[{index}] must hold exactly role and content"
            raise Refusal(error_reply(400, text))
        if not isinstance(message["content"], str):
            text = f"strict: messages[{index}].content must be a string"
            raise Refusal(error_reply(400, text))


def _body_problem(request: Request) -> str | None:
    body = request.json
    if body is None:
        return "The body is not valid JSON"
    if not isinstance(body, dict):
        return "The body must be a JSON object"
    if "messages" not in body and "prompt" in body:
        is_text = isinstance(body["prompt"], str)
        return _parameter_problem(body) if is_text else "prompt must be a string"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "messages: at least one message is required"
    problems = (_message_problem(i, message) for i, message in enumerate(messages))
    return next(filter(None, problems), None) or _parameter_problem(body)


def _message_problem(index: int, message: Any) -> str | None:
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


def _parameter_problem(body: Mapping[str, Any]) -> str | None:
    for name, (is_valid, wanted) in _PARAMETER_RULES.items():
        if body.get(name) is not None and not is_valid(body[name]):
            return f"{name} must be {wanted}"
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
