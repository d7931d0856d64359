"""What the constructor and a call may be given: names, ranges, and errors that help.

The endpoint documents `messages` only and forwards further body keys as they are, so the
ranges are those of the models behind it
(https://platform.openai.com/docs/api-reference/chat/create).
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypedDict, cast

import httpx
from langchain_core.caches import BaseCache
from langchain_core.callbacks import Callbacks
from langchain_core.language_models import ModelProfile
from langchain_core.rate_limiters import BaseRateLimiter
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
)

from langchain_segmind._api.api_key import ApiKeySource
from langchain_segmind._api.endpoint import API_KEY_HEADER, SLUG
from langchain_segmind._api.url import check_api_base, read_api_base_env
from langchain_segmind._output.structured_output import StructuredOutput

BODY_PARAMETERS = ("temperature", "max_tokens", "top_p", "seed")
"""Fields that are sent as body keys of the same name when they are set."""

RESERVED_BODY_KEYS: Mapping[str, str] = {
    "messages": "they are the input of the call",
    "model": "pass model=... instead",
    "stop": "pass stop=... instead",
    "stream": "the endpoint does not stream",
    "n": "use batch for several replies",
    **{name: f"pass {name}=... instead" for name in BODY_PARAMETERS},
}
"""Body keys that `model_kwargs` may not hold, and what to do instead."""

RESERVED_HEADERS: Mapping[str, str] = {
    API_KEY_HEADER: "pass segmind_api_key=... instead",
    "content-type": "the endpoint takes application/json only",
    "host": "it follows from base_url",
    **dict.fromkeys(
        ("connection", "content-length", "expect", "transfer-encoding", "upgrade"),
        "the connection is this package's own affair",
    ),
}

LONGEST_TIMEOUT = 86_400
"""Seconds."""

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110."""


def check_slug(model: str) -> str:
    """Check that a model's name can stand in the URL's path."""
    if not SLUG.fullmatch(model):
        raise ValueError(
            f"{model!r} is no model slug: a slug holds letters, digits, dots, hyphens and "
            "underscores, such as 'gpt-4-turbo'."
        )
    return model


def check_stop(stop: Sequence[str]) -> list[str]:
    """Check stop strings: an empty one would cut every reply to nothing."""
    if "" in stop:
        raise ValueError("a stop string is empty; pass stop=[] for no stop strings.")
    return list(stop)


def check_model_kwargs(body_keys: dict[str, Any]) -> dict[str, Any]:
    """Check further body keys: none that has a place of its own, all of them JSON."""
    for key in body_keys.keys() & RESERVED_BODY_KEYS.keys():
        raise ValueError(f"model_kwargs may not hold {key!r}: {RESERVED_BODY_KEYS[key]}.")
    try:
        return cast("dict[str, Any]", json.loads(json.dumps(body_keys, allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"model_kwargs cannot be written as JSON: {error}.") from None


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Check additional headers, without showing their values."""
    for name, value in headers.items():
        if reason := RESERVED_HEADERS.get(name.lower()):
            raise ValueError(f"default_headers may not hold {name!r}: {reason}.")
        if not HEADER_NAME.fullmatch(name):
            raise ValueError(f"default_headers: {name!r} is no header name.")
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            raise ValueError(
                f"default_headers: the value of {name!r} holds a line feed, a blank at its end or "
                "a character outside ASCII (it is not shown here)."
            )
    return headers


def check_timeout(timeout: Any) -> Any:
    """Check that a timeout is one."""
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if isinstance(timeout, httpx.Timeout) or (is_number and 0 < timeout <= LONGEST_TIMEOUT):
        return timeout
    raise ValueError(
        f"a timeout is a number of seconds above 0 and up to {LONGEST_TIMEOUT:,}, an "
        "httpx.Timeout, or None for any time."
    )


def _default_base(base: Any) -> Any:
    return read_api_base_env() if base is None else base


def as_list(stop: Any) -> Any:
    return [stop] if isinstance(stop, str) else stop


Slug = Annotated[str, AfterValidator(check_slug)]
Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
TopP = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
MaxTokens = Annotated[int, Field(ge=1)]
Stop = Annotated[list[str], BeforeValidator(as_list), AfterValidator(check_stop)]
Timeout = Annotated[float | httpx.Timeout, BeforeValidator(check_timeout)]
ModelKwargs = Annotated[dict[str, Any], AfterValidator(check_model_kwargs)]
Headers = Annotated[dict[str, str], AfterValidator(check_headers)]
OnInvalidToolCall = Literal["return", "retry"]
OutputRetries = Annotated[int, Field(ge=0, le=10)]
ApiBase = Annotated[str, BeforeValidator(_default_base), AfterValidator(check_api_base)]


class Arguments(TypedDict, total=False):
    """What the constructor takes, by name and by alias, for type checkers and editors."""

    model: str
    model_name: str
    segmind_api_key: ApiKeySource | str
    api_key: ApiKeySource | str
    segmind_api_base: str | None
    base_url: str | None
    temperature: float | None
    max_tokens: int | None
    top_p: float | None
    seed: int | None
    stop: str | Sequence[str] | None
    timeout: float | httpx.Timeout | None
    max_retries: int
    retry_read_timeouts: bool
    default_headers: Mapping[str, str] | None
    http_client: httpx.Client | None
    http_async_client: httpx.AsyncClient | None
    model_kwargs: dict[str, Any]
    streaming: bool | None
    on_invalid_tool_call: OnInvalidToolCall
    output_retries: int
    check_context: bool
    cache: BaseCache | bool | None
    callbacks: Callbacks
    custom_get_token_ids: Callable[[str], list[int]] | None
    disable_streaming: bool | Literal["tool_calling"]
    metadata: dict[str, Any] | None
    name: str | None
    output_version: str | None
    profile: ModelProfile | None
    rate_limiter: BaseRateLimiter | None
    tags: list[str] | None
    verbose: bool


class CallArguments(BaseModel):
    """What one call may set anew, each as the field of the same name."""

    model_config = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True)

    model: Slug | None = None
    temperature: Temperature | None = None
    max_tokens: MaxTokens | None = None
    top_p: TopP | None = None
    seed: int | None = None
    stop: Stop | None = None
    timeout: Timeout | None = None
    model_kwargs: ModelKwargs | None = None
    tools: Sequence[Any] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    strict: bool | None = None
    response_format: Any = None
    structured_output: InstanceOf[StructuredOutput] | None = None
    on_invalid_tool_call: OnInvalidToolCall | None = None
    output_retries: OutputRetries | None = None
    on_unmet_requirement: Literal["raise", "return"] | None = None


INTERNAL_ARGUMENTS = frozenset({"structured_output", "on_unmet_requirement"})
"""What `with_structured_output` binds for the call that it makes."""

TOLERATED_ARGUMENTS = frozenset({"stream"})
"""What LangChain passes on that changes nothing here."""


def parse_call_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Check what a call is given beside its messages.

    Raises:
        TypeError: If an argument is unknown.
        ValueError: If a value is out of range.
    """
    given = {name: value for name, value in arguments.items() if name not in TOLERATED_ARGUMENTS}
    if not given:
        return given
    if given.keys() >= {"model", "model_name"}:
        raise TypeError("This call takes 'model' or 'model_name', not both.")
    if "model_name" in given:
        given["model"] = given.pop("model_name")
    known = [name for name in CallArguments.model_fields if name not in INTERNAL_ARGUMENTS]
    check_names([name for name in given if name not in INTERNAL_ARGUMENTS], known, "This call")
    return dict(CallArguments(**given))


def check_names(given: Iterable[str], known: Iterable[str], where: str) -> None:
    """Refuse unknown argument names, naming the nearest known one.

    Raises:
        TypeError: If a name is unknown.
    """
    known = list(known)
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"it takes {', '.join(known)}."
            raise TypeError(
                f"{where} has no argument {name!r} (further keys of the request's body go into "
                f"model_kwargs={{...}}); {hint}"
            )
