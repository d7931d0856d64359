"""Types and checks of what the constructor and a call take.

The endpoint documents `messages` only and forwards further body keys unchanged, so the ranges are
those of the models behind it (https://platform.openai.com/docs/api-reference/chat/create).
"""

import difflib
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, cast

import httpx
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from langchain_segmind._api.api_key import (
    ApiKeySource,
    find_api_key_problem,
    hide_api_key,
    read_api_key_env,
)
from langchain_segmind._api.endpoint import API_KEY_ENV, API_KEY_HEADER, SLUG
from langchain_segmind._api.url import check_api_base, read_api_base_env

RESERVED_HEADERS: Mapping[str, str] = {
    API_KEY_HEADER: "pass segmind_api_key=... instead",
    "content-type": "the endpoint takes application/json only",
    "host": "it follows from base_url",
    **dict.fromkeys(
        ("connection", "content-length", "expect", "transfer-encoding", "upgrade"),
        "the connection sets it",
    ),
}
"""Headers that `default_headers` cannot set, and why."""

MAX_TIMEOUT_SECONDS = 86_400

TIMEOUT_PHASES = ("connect", "read", "write", "pool")

DEFAULT_TIMEOUT_SECONDS = 120
DEFAULT_RETRIES = 2

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110."""

NO_EQUIVALENT: Mapping[str, str] = {
    "default_query": "there is no equivalent; a query can be set by an http_client of your own.",
    "n": "a call has one reply. Use batch for several.",
    "organization": "there is no equivalent.",
    "stream_usage": "leave it out: streams always have the usage.",
    "use_responses_api": "there is no equivalent: Segmind has one kind of endpoint.",
}
"""Arguments of ChatOpenAI's constructor that nothing here corresponds to."""

FOREIGN_NAMES: Mapping[str, str] = {
    "api_base": "base_url",
    "endpoint_url": "base_url",
    "extra_body": "model_kwargs",
    "max_new_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "max_tokens_to_sample": "max_tokens",
    "model_id": "model",
    "openai_api_base": "base_url",
    "openai_api_key": "api_key",
    "output_dimensionality": "dimensions",
    "request_timeout": "timeout",
    "stop_sequences": "stop",
}
"""What other packages call an argument -> its name here."""

BODY_KEYS = frozenset({"min_p", "repetition_penalty", "top_k"})
"""Keys of the request's body that other packages take as arguments."""


def check_api_key(key: ApiKeySource) -> ApiKeySource:
    """Return a key; the one of the environment for None.

    Raises:
        ValueError: The key cannot be sent; the error does not show it.
    """
    if key is None:
        return read_api_key_env()
    if isinstance(key, SecretStr) and (problem := find_api_key_problem(key)):
        raise ValueError(f"{problem} Set {API_KEY_ENV}, or pass segmind_api_key=....")
    return key


def check_slug(model: str) -> str:
    """Return a model's slug if it can stand in the URL's path.

    Raises:
        ValueError: It cannot.
    """
    if not SLUG.fullmatch(model):
        raise ValueError(
            f"{model!r} is not a model slug: a slug consists of letters, digits, dots, hyphens "
            "and underscores, such as 'gpt-4-turbo'."
        )
    return model


def check_stop(stop: Sequence[str]) -> list[str]:
    """Return stop strings as a list.

    Raises:
        ValueError: One is empty, which would cut every reply to nothing.
    """
    if "" in stop:
        raise ValueError("a stop string is empty; pass stop=[] for no stop strings.")
    return list(stop)


def check_json(body_keys: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of body keys as JSON.

    Raises:
        ValueError: They cannot be written as JSON.
    """
    if not body_keys:
        return {}
    try:
        return cast("dict[str, Any]", json.loads(json.dumps(body_keys, allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"model_kwargs cannot be written as JSON: {error}.") from None


def check_logit_bias(biases: dict[str, float]) -> dict[str, float]:
    """Return biases by token, as JSON writes their keys.

    Raises:
        ValueError: One is not a finite number.
    """
    if not all(map(math.isfinite, biases.values())):
        raise ValueError("logit_bias must be finite numbers.")
    return {str(token): bias for token, bias in biases.items()}


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Return additional headers if they can be sent; errors do not show their values.

    Raises:
        ValueError: One is reserved or malformed.
    """
    for name, value in headers.items():
        if reason := RESERVED_HEADERS.get(name.lower()):
            raise ValueError(f"default_headers cannot set {name!r}: {reason}.")
        if not HEADER_NAME.fullmatch(name):
            raise ValueError(
                "default_headers: a header name has a character that none has, such as a space or "
                "a colon (it is not shown here)."
            )
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            raise ValueError(
                f"default_headers: the value of {name!r} contains a line feed, a space at its "
                "start or end, or a character outside ASCII (it is not shown here)."
            )
    return headers


def check_timeout(timeout: Any) -> Any:
    """Return a timeout if it is one.

    Raises:
        ValueError: It is not.
    """
    if _find_httpx2_class(timeout, "Timeout"):
        return httpx.Timeout(**{name: getattr(timeout, name) for name in TIMEOUT_PHASES})
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if isinstance(timeout, httpx.Timeout) or (is_number and 0 < timeout <= MAX_TIMEOUT_SECONDS):
        return timeout
    raise ValueError(
        f"a timeout is a number of seconds above 0 and up to {MAX_TIMEOUT_SECONDS:,}, an "
        "httpx.Timeout, or None for no limit."
    )


def check_client(client: Any) -> Any:
    """Return an HTTP client if it is not one of the package httpx2, whose errors are others.

    Raises:
        ValueError: It is.
    """
    if name := _find_httpx2_class(client, "Client", "AsyncClient"):
        raise ValueError(f"an httpx2.{name} cannot be used here: pass an httpx.{name}.")
    return client


def _find_httpx2_class(value: Any, *names: str) -> str:
    """Return which of these classes of httpx2 a value is; empty for none."""
    # By the classes, if that package is imported: other packages rename those that they export.
    httpx2 = sys.modules.get("httpx2")
    classes = ((name, getattr(httpx2, name, None)) for name in names)
    found = (name for name, cls in classes if isinstance(cls, type) and isinstance(value, cls))
    return next(found, "")


def _default_base(base: Any) -> Any:
    return read_api_base_env() if base is None else base


def _default_retries(retries: Any) -> Any:
    return DEFAULT_RETRIES if retries is None else retries


def _as_list(stop: Any) -> Any:
    return [stop] if isinstance(stop, str) else stop


# Type checkers read what the constructor takes from a field's type: `str` is in some only for them.
ApiKey = Annotated[ApiKeySource, BeforeValidator(hide_api_key), AfterValidator(check_api_key)]
Slug = Annotated[str, AfterValidator(check_slug)]
Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
TopP = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
MaxTokens = Annotated[int, Field(ge=1)]
LogitBias = Annotated[dict[str | int, float], AfterValidator(check_logit_bias)]
MaxRetries = Annotated[int, BeforeValidator(_default_retries), Field(ge=0)]
Stop = Annotated[str | list[str], BeforeValidator(_as_list), AfterValidator(check_stop)]
Timeout = Annotated[float | httpx.Timeout, BeforeValidator(check_timeout)]
BodyKeys = Annotated[dict[str, Any], AfterValidator(check_json)]
Headers = Annotated[dict[str, str], AfterValidator(check_headers)]
HTTPClient = Annotated[httpx.Client | None, BeforeValidator(check_client)]
HTTPAsyncClient = Annotated[httpx.AsyncClient | None, BeforeValidator(check_client)]
OnInvalidToolCall = Literal["return", "retry"]
OutputRetries = Annotated[int, Field(ge=0, le=10)]
ApiBase = Annotated[str | None, BeforeValidator(_default_base), AfterValidator(check_api_base)]


def check_names(
    given: Iterable[str], known: Iterable[str], where: str, elsewhere: Iterable[str] = ()
) -> None:
    """Refuse unknown argument names with a hint at what was probably meant.

    Args:
        given: The names that were passed.
        known: The names that exist.
        where: What takes them, such as "ChatSegmind".
        elsewhere: Names that exist on the model instead.

    Raises:
        TypeError: A name is unknown.
    """
    known = sorted(known)
    for name in sorted(given):
        if name in known:
            continue
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        if name in elsewhere:
            hint = f"set it on the model: ChatSegmind({name}=...)."
        elif name in NO_EQUIVALENT:
            hint = NO_EQUIVALENT[name]
        elif name in BODY_KEYS and "model_kwargs" in known:
            hint = f"pass model_kwargs={{{name!r}: ...}}."
        elif FOREIGN_NAMES.get(name) in known:
            hint = f"did you mean {FOREIGN_NAMES[name]!r}?"
        elif nearest:
            hint = f"did you mean {nearest[0]!r}?"
        elif "model_kwargs" in known:
            hint = f"to send it in the request's body, pass model_kwargs={{{name!r}: ...}}."
        else:
            hint = f"it takes {', '.join(known)}."
        raise TypeError(f"{where} has no argument {name!r}; {hint}")
