"""What the formats share: checks of bodies, and OpenAI's content parts."""

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from typing import Any


class InvalidBodyError(Exception):
    """The body of a request is not valid; the text says why."""


def require(condition: object, problem: str) -> None:
    """Raise an error with this text unless the condition holds.

    Raises:
        InvalidBodyError: The condition does not hold.
    """
    if not condition:
        raise InvalidBodyError(problem)


def check_keys(
    value: Any, name: str, required: Collection[str], optional: Collection[str] = ()
) -> None:
    """Check strictly that a value is an object with these keys.

    Raises:
        InvalidBodyError: It is not.
    """
    is_exact = isinstance(value, dict) and set(required) <= set(value)
    is_exact = is_exact and set(value) <= {*required, *optional}
    also = f", and optionally {' and '.join(optional)}" if optional else ""
    require(is_exact, f"strict: {name} must hold exactly {' and '.join(required)}{also}")


def check_text(value: Any, name: str) -> None:
    """Check strictly that a value is a string.

    Raises:
        InvalidBodyError: It is not.
    """
    require(isinstance(value, str), f"strict: {name} must be a string")


def check_image(media_type: Any, data: Any, name: str) -> None:
    """Check strictly that an image has an image's media type and base64.

    Raises:
        InvalidBodyError: It has not.
    """
    is_image = isinstance(media_type, str) and media_type.startswith("image/")
    require(is_image, f"strict: {name} must have a media type of image/*, not {media_type!r}")
    try:
        is_data = isinstance(data, str) and base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        is_data = False
    require(is_data, f"strict: {name} must be an image in base64")


def check_url(value: Any, name: str) -> None:
    """Check strictly that a value is a URL of an image on the web.

    Raises:
        InvalidBodyError: It is not.
    """
    is_url = isinstance(value, str) and value.lower().startswith(("http://", "https://"))
    require(is_url, f"strict: {name} must be an http or https URL")


def check_chat_messages(messages: Any, roles: Sequence[str]) -> None:
    """Check a list of messages with a role and a text or a list of parts.

    Raises:
        InvalidBodyError: It is not one.
    """
    is_filled = isinstance(messages, list) and messages
    require(is_filled, "messages: at least one message is required")
    for index, message in enumerate(messages):
        name = f"messages[{index}]"
        require(isinstance(message, dict), f"{name} must be an object")
        require(message.get("role") in roles, f"{name}.role must be one of {', '.join(roles)}")
        content = message.get("content")
        if not isinstance(content, str):
            require(isinstance(content, list), f"{name}.content must be a string or a list")
            require(are_objects(content), f"{name}.content must be a list of content parts")


def are_objects(values: Any) -> bool:
    """Whether a value is a list of objects that is not empty."""
    return isinstance(values, list) and bool(values) and all(isinstance(v, dict) for v in values)


def get_text(content: Any) -> str:
    """Return the text of a message's content: a string, or a list of content parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def create_image_part(url: Any) -> dict[str, Any]:
    """Return OpenAI's content part of an image."""
    return {"type": "image_url", "image_url": {"url": url}}


def join_parts(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return OpenAI's content parts as one text where they hold nothing else."""
    is_text = all(part.get("type") == "text" for part in parts)
    return get_text(parts) if is_text else parts


def select_other_counts(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a usage holds beside the counts with OpenAI's names."""
    return {key: value for key, value in usage.items() if key not in _OPENAI_COUNTS}


_OPENAI_COUNTS = frozenset(
    {
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
    }
)
