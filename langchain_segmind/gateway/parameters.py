"""The parameters of requests, and which values they take."""

from collections.abc import Callable, Mapping
from typing import Any


def _is_number(value: Any) -> bool:
    return type(value) in {int, float}  # not bool, which is a subclass


def _is_stop(value: Any) -> bool:
    return all(isinstance(stop, str) for stop in (value if isinstance(value, list) else [value]))


def _is_response_format(value: Any) -> bool:
    json_type = value.get("type") if isinstance(value, dict) else None
    if json_type != "json_schema":
        return json_type in ("text", "json_object")
    schema = value.get("json_schema")
    return (
        isinstance(schema, dict)
        and isinstance(schema.get("name"), str)
        and isinstance(schema.get("schema"), dict)
    )


def _is_whole_number(value: Any) -> bool:
    return type(value) is int


def _is_positive(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


PARAMETER_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "temperature": (_is_number, "a number"),
    "top_p": (_is_number, "a number"),
    "presence_penalty": (_is_number, "a number"),
    "frequency_penalty": (_is_number, "a number"),
    "max_tokens": (_is_positive, "a whole number above 0"),
    "max_completion_tokens": (_is_positive, "a whole number above 0"),
    "seed": (_is_whole_number, "a whole number"),
    "top_logprobs": (_is_whole_number, "a whole number"),
    "logprobs": (_is_flag, "true or false"),
    "store": (_is_flag, "true or false"),
    "logit_bias": (_is_object, "an object"),
    "metadata": (_is_object, "an object"),
    "reasoning_effort": (_is_text, "a string"),
    "service_tier": (_is_text, "a string"),
    "user": (_is_text, "a string"),
    "stop": (_is_stop, "a string or a list of strings"),
    "response_format": (
        _is_response_format,
        'an object with the type text, json_object, or json_schema with {"name", "schema"}',
    ),
}
"""Whether a value is valid, and what is: of each parameter of OpenAI's format."""
