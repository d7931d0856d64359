"""What the API accepts and refuses in every format, and in which words. Pure functions."""

import json
from collections.abc import Collection, Container, Mapping
from http.client import responses
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from langchain_segmind._api.endpoint import API_KEY_HEADER, CREDITS_PATH, SLUG, APIResponse
from langchain_segmind.data._embedding_models import find_embedding_model
from langchain_segmind.data._profiles import find_model
from langchain_segmind.gateway.formats import FORMATS
from langchain_segmind.gateway.formats.common import require
from langchain_segmind.gateway.parameters import PARAMETER_RULES
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
    is_get = request.job_id is not None or request.path == f"/v1/{CREDITS_PATH}"
    is_model = prefix in {"/v1", "/v2"} and name != CREDITS_PATH and SLUG.fullmatch(name)
    if not (is_get or is_model):
        raise RefusedError(404, f"No such path: {request.path}")
    allowed = "GET" if is_get else "POST"
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


def check_head(
    request: Request, known: Container[str], host: str | None = None
) -> RefusedError | None:
    """Return why a request is refused whatever its body is; None if it is not.

    Args:
        request: The request, maybe without its body.
        known: The keys to accept.
        host: The name that it must be for, unless it is for an IP address or localhost; None for
            any.
    """
    if host is not None and not is_local_name(request.headers.get("host", ""), host):
        return RefusedError(403, "Forbidden host")
    try:
        check_route(request)
        check_key(request, known)
    except RefusedError as refusal:
        return refusal
    return None


def is_local_name(name: str, host: str) -> bool:
    """Whether the `Host` of a request is an IP address, localhost or the server's own name."""
    try:
        named = urlsplit(f"//{name}").hostname or ""
        return named in {"localhost", host.lower()} or bool(ip_address(named))
    except ValueError:
        return False


def check_body(request: Request) -> None:
    """Check the content type of a request, and the form of its body and messages.

    Raises:
        RefusedError: 406 if the content type is not JSON.
        InvalidBodyError: The body is not valid in the request's format.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() != JSON_TYPE:
        raise RefusedError(406, "Invalid content type")
    body = request.json
    require(body is not None, "The body is not valid JSON")
    require(isinstance(body, dict), "The body must be a JSON object")
    if find_embedding_model(request.slug):
        return  # parameters are all that it has
    if "prompt" in body and "messages" not in body:
        require(isinstance(body["prompt"], str), "prompt must be a string")
    else:
        FORMATS[request.api_format].check_messages(body)


def check_parameters(request: Request) -> None:
    """Check the parameters of a chat request whose body has the right form.

    Raises:
        InvalidBodyError: A parameter is not valid, or the model does not take it.
    """
    for name, value in request.parameters.items():
        is_valid, expected = PARAMETER_RULES[name]
        require(value is None or is_valid(value), f"{name} must be {expected}")
    if json_type := _get_json_type(request):
        if json_type == "json_object":
            FORMATS[request.api_format].check_json_object(request.messages)
        require(
            _takes_json(request.slug, json_type) is not False,
            f"Invalid parameter: 'response_format' of type '{json_type}' is not supported with "
            "this model.",
        )


def check_strictly(request: Request, extra_body_keys: Collection[str]) -> None:
    """Check a valid chat request for anything that its format or its model does not document.

    Raises:
        InvalidBodyError: It has unknown keys, messages with anything but texts and images, an
            image for a model that takes none, or a `response_format` that nobody documents.
    """
    own_format, slug = FORMATS[request.api_format], request.slug
    known = own_format.MESSAGE_KEYS | own_format.PARAMETERS | set(extra_body_keys)
    unknown = sorted(set(request.json) - known)
    require(
        not unknown, f"strict: unknown keys {', '.join(unknown)} in {request.api_format}'s format"
    )
    own_format.check_strictly(request.json)
    if (find_model(slug).profile or {}).get("image_inputs") is False:
        for index, message in enumerate(request.messages):
            is_text = isinstance(message["content"], str)
            problem = f"messages[{index}].content must be a string: {slug} takes no images"
            require(is_text, f"strict: {problem}")
    if (json_type := _get_json_type(request)) and "response_format" not in extra_body_keys:
        problem = f"nothing says that {slug} takes a response_format of type {json_type}"
        require(_takes_json(slug, json_type), f"strict: {problem}")


def _get_json_type(request: Request) -> str | None:
    """Return the type of the response format, or None where it asks for text."""
    response_format = request.parameters.get("response_format")
    json_type: str = response_format["type"] if response_format else "text"
    return None if json_type == "text" else json_type


def _takes_json(slug: str, json_type: str) -> bool | None:
    model = find_model(slug)
    return model.json_object if json_type == "json_object" else model.json_schema
