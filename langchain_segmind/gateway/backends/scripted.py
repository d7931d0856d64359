"""Replies from a script: a list, a file or a function; without one, an echo."""

import asyncio
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind.gateway.backends import Backend, BackendError
from langchain_segmind.gateway.completion import Completion
from langchain_segmind.gateway.contract import HTML_TYPE, create_json_response
from langchain_segmind.gateway.request import Request, parse_json

ScriptEntry: TypeAlias = str | Mapping[str, Any] | Completion | APIResponse
Replies: TypeAlias = (
    str
    | Path
    | Sequence[ScriptEntry]
    | Callable[[Request], ScriptEntry]
    | Callable[[Request], Awaitable[ScriptEntry]]
)
"""A path, a list of entries, or a function of the request."""

_COMPLETION_KEYS = frozenset({"content", "finish_reason", "usage", "model"})
_RAW_KEYS = frozenset({"status", "headers", "body"})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Entry(NamedTuple):
    """One entry of a script.

    Attributes:
        outcome: A completion, or a raw response that is sent byte for byte.
        match: A substring or regular expression that the last message must match; None if
            the entry is played in order.
    """

    outcome: Completion | APIResponse
    match: str | None = None


class ScriptedBackend(Backend):
    """Plays a script.

    Entries with `match` answer every request whose last message matches; the first match
    wins. Other requests get the remaining entries in order, then a 500.

    Args:
        replies: The script; None echoes the last message.

    Raises:
        ValueError: The script is malformed.
    """

    def __init__(self, replies: Replies | None = None) -> None:
        self._function = replies if callable(replies) else None
        self._echoes = replies is None
        entries = _load(replies)
        self._rules = [entry for entry in entries if entry.match is not None]
        self._sequence = [entry.outcome for entry in entries if entry.match is None]
        self._played = 0

    async def reply(self, request: Request) -> Completion | APIResponse:
        """Answer from the script."""
        if self._echoes:
            return Completion(request.last_message)
        if self._function is not None:
            return await _call(self._function, request)
        for outcome, pattern in self._rules:
            if pattern is not None and _matches(pattern, request.last_message):
                return outcome
        if self._played < len(self._sequence):
            self._played += 1
            return self._sequence[self._played - 1]
        if self._sequence or not self._rules:
            raise BackendError(f"The script has run out after {len(self._sequence)} replies")
        raise BackendError(f"No entry of the script matches {request.last_message!r}")

    def reset(self) -> None:
        """Go back to the first entry."""
        self._played = 0


def parse_entry(value: Any) -> Entry:
    """Parse one entry of a script.

    Args:
        value: A string, a `Completion`, an `APIResponse`, or a mapping with either `content`
            (optionally `finish_reason`, `usage`, `model`) or `status` (optionally
            `headers`, `body`). A mapping can also hold `match`.

    Raises:
        ValueError: The entry has another form.
    """
    if isinstance(value, Completion | APIResponse):
        return Entry(value)
    if isinstance(value, str):
        return Entry(Completion(value))
    if not isinstance(value, Mapping):
        raise ValueError(f"a script entry must be a string or an object, not {value!r}")
    match = value.get("match")
    if match is not None and not isinstance(match, str):
        raise ValueError(f"match must be a string, not {match!r}")
    rest = {key: item for key, item in value.items() if key != "match"}
    if "status" in rest:
        return Entry(_parse_raw(rest), match)
    _check_keys(rest, _COMPLETION_KEYS)
    return Entry(Completion(**{**rest, "usage": rest.get("usage") or {}}), match)


def _parse_raw(entry: Mapping[str, Any]) -> APIResponse:
    _check_keys(entry, _RAW_KEYS)
    status = entry["status"]
    if type(status) is not int or not 200 <= status <= 599:  # noqa: PLR2004 - final statuses
        raise ValueError(f"status must be a number from 200 to 599, not {status!r}")
    headers = _parse_headers(entry.get("headers") or {})
    body = entry.get("body", b"")
    if isinstance(body, bytes):
        return APIResponse(status, headers, body)
    if isinstance(body, str):
        media_type = HTML_TYPE if body.lstrip()[:1] == "<" else "text/plain; charset=utf-8"
        return APIResponse(status, {"content-type": media_type, **headers}, body.encode())
    return create_json_response(body, status, headers)


def _parse_headers(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError(f"headers must be an object, not {value!r}")
    headers = {str(name).lower(): str(text) for name, text in value.items()}
    for name, text in headers.items():
        if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(text)):
            raise ValueError(f"{name!r}: {text!r} cannot be sent as a header")
    return headers


def _check_keys(entry: Mapping[str, Any], allowed: Iterable[str]) -> None:
    shown = json.dumps(dict(entry), default=repr)
    if not entry.keys() & {"content", "status"}:
        raise ValueError(f"a script entry must hold content or status: {shown}")
    if unknown := sorted(set(entry) - set(allowed)):
        raise ValueError(f"a script entry has unknown keys {', '.join(unknown)}: {shown}")


def _load(replies: Replies | None) -> list[Entry]:
    if replies is None or callable(replies):
        return []
    path = f"{replies}, " if isinstance(replies, str | Path) else ""
    values = _read(Path(replies)) if isinstance(replies, str | Path) else replies
    entries = []
    for number, value in enumerate(values, start=1):
        try:
            entries.append(parse_entry(value))
        except ValueError as error:
            raise ValueError(f"{path}entry {number}: {error}") from error
    return entries


def _read(path: Path) -> list[Any]:
    """Read a script: a JSON array, one JSON value, or one JSON value per line."""
    text = path.read_text(encoding="utf-8")
    try:
        whole = parse_json(text.encode())
    except ValueError:
        lines = enumerate(text.splitlines(), start=1)
        return [_parse_line(path, number, line) for number, line in lines if line.strip()]
    return whole if isinstance(whole, list) else [whole]


def _parse_line(path: Path, number: int, line: str) -> Any:
    try:
        return parse_json(line.encode())
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: not valid JSON ({error})") from error


def _matches(pattern: str, text: str) -> bool:
    if pattern in text:
        return True
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


async def _call(function: Callable[[Request], Any], request: Request) -> Completion | APIResponse:
    """Call the function; a synchronous one runs in a thread, so that it can block."""
    try:
        if inspect.iscoroutinefunction(function):
            value = await function(request)
        else:
            value = await asyncio.to_thread(function, request)
            if inspect.isawaitable(value):
                value = await value
        return parse_entry(value).outcome
    except Exception as error:
        raise BackendError(f"The script failed: {type(error).__name__}: {error}") from error
