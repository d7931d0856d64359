"""What a script may say, and how an entry of it becomes an answer. Pure but for `read_entries`."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind.gateway.contract import HTML_TYPE, JSON_TYPE, json_reply
from langchain_segmind.gateway.pricing import count_prompt_tokens, count_tokens
from langchain_segmind.gateway.request import Request, parse_json, text_of

_COMPLETION_KEYS = frozenset({"content", "finish_reason", "usage", "model"})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_RAW_KEYS = frozenset({"status", "headers", "body"})


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model said.

    Attributes:
        content: The text; anything else goes into the message as it is.
        finish_reason: Why the model stopped.
        usage: Token counts that replace or extend the estimated ones.
        model: The model's name in the answer; the slug of the request where it is None.
    """

    content: Any
    finish_reason: str = "stop"
    usage: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None

    def __post_init__(self) -> None:
        """Check the counts: a negative one would earn credits."""
        counts = [self.usage.get(name, 0) for name in ("prompt_tokens", "completion_tokens")]
        if not all(type(count) is int and count >= 0 for count in counts):
            raise ValueError(f"usage must hold whole numbers of tokens, not {self.usage!r}")

    def usage_for(self, request: Request) -> dict[str, Any]:
        """The token counts of this completion: those it states, else estimates."""
        usage = {
            "prompt_tokens": count_prompt_tokens(request.messages),
            "completion_tokens": count_tokens(text_of(self.content)),
            **self.usage,
        }
        total = usage["prompt_tokens"] + usage["completion_tokens"]
        return {**usage, "total_tokens": usage.get("total_tokens", total)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a script.

    Attributes:
        answer: A completion, or a raw answer that is sent byte for byte.
        match: What the last message must hold, as a regular expression or as it stands;
            None for an entry that is played in its turn.
    """

    answer: Completion | APIResponse
    match: str | None = None


def completion_body(
    completion: Completion, request: Request, *, reply_id: str, created: int
) -> dict[str, Any]:
    """A completion in the shape of OpenAI's `chat.completion`."""
    message = {"role": "assistant", "content": completion.content}
    choice = {"index": 0, "message": message, "finish_reason": completion.finish_reason}
    return {
        "id": reply_id,
        "object": "chat.completion",
        "created": created,
        "model": completion.model or request.slug,
        "choices": [choice],
        "usage": completion.usage_for(request),
    }


def parse_entry(value: Any) -> Entry:
    """Read one entry of a script.

    Args:
        value: A text, a `Completion`, or a mapping that holds either `content` (and
            perhaps `finish_reason`, `usage`, `model`) or `status` (and perhaps
            `headers`, `body`). A mapping may also hold `match`.

    Returns:
        The entry.

    Raises:
        ValueError: It is none of these.
    """
    if isinstance(value, Completion | APIResponse):
        return Entry(value)
    if isinstance(value, str):
        return Entry(Completion(value))
    if not isinstance(value, Mapping):
        raise ValueError(f"a script's entry must be a text or an object, not {value!r}")
    match = value.get("match")
    if match is not None and not isinstance(match, str):
        raise ValueError(f"match must be a text, not {match!r}")
    rest = {key: item for key, item in value.items() if key != "match"}
    if "status" in rest:
        return Entry(_parse_raw(rest), match)
    return Entry(_parse_completion(rest), match)


def read_entries(path: Path) -> list[Any]:
    """Read a script from a file: a JSON array, one JSON value, or one JSON value a line.

    Raises:
        ValueError: The file holds something else; the text names the file and the line.
    """
    text = path.read_text(encoding="utf-8")
    try:
        whole = parse_json(text.encode())
    except ValueError:
        return [
            _parse_line(path, number, line)
            for number, line in enumerate(text.splitlines(), start=1)
            if line.strip()
        ]
    return whole if isinstance(whole, list) else [whole]


def _parse_line(path: Path, number: int, line: str) -> Any:
    try:
        return parse_json(line.encode())
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: not JSON ({error})") from error


def _parse_completion(entry: Mapping[str, Any]) -> Completion:
    _check_keys(entry, _COMPLETION_KEYS, required="content")
    usage = entry.get("usage") or {}
    if not isinstance(usage, Mapping):
        raise ValueError(f"usage must be an object, not {usage!r}")
    return Completion(
        entry["content"],
        finish_reason=entry.get("finish_reason", "stop"),
        usage=usage,
        model=entry.get("model"),
    )


def _parse_raw(entry: Mapping[str, Any]) -> APIResponse:
    _check_keys(entry, _RAW_KEYS, required="status")
    status = entry["status"]
    if type(status) is not int or not 200 <= status <= 599:  # noqa: PLR2004 - final statuses
        raise ValueError(f"status must be a number from 200 to 599, not {status!r}")
    headers = _parse_headers(entry.get("headers") or {})
    body = entry.get("body", b"")
    if isinstance(body, bytes):
        return APIResponse(status, headers, body)
    if isinstance(body, str):
        is_page = body.lstrip()[:1] == "<"
        media_type = HTML_TYPE if is_page else "text/plain; charset=utf-8"
        return APIResponse(status, {"content-type": media_type, **headers}, body.encode())
    return APIResponse(status, {"content-type": JSON_TYPE, **headers}, json_reply(body).body)


def _parse_headers(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError(f"headers must be an object, not {value!r}")
    headers = {str(name).lower(): str(text) for name, text in value.items()}
    for name, text in headers.items():
        if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(text)):
            raise ValueError(f"{name!r}: {text!r} cannot be sent as a header")
    return headers


def _check_keys(entry: Mapping[str, Any], allowed: Iterable[str], *, required: str) -> None:
    unknown = sorted(set(entry) - set(allowed))
    if required not in entry:
        raise ValueError(f"a script's entry must hold content or status: {_show(entry)}")
    if unknown:
        raise ValueError(f"a script's entry has unknown keys {', '.join(unknown)}: {_show(entry)}")


def _show(entry: Mapping[str, Any]) -> str:
    return json.dumps(dict(entry), default=repr)
