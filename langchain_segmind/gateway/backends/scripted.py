"""Replies from a script: a list, a file or a function; without one, an echo."""

import asyncio
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind.gateway.backends import Backend, BackendError
from langchain_segmind.gateway.completion import Completion
from langchain_segmind.gateway.contract import HTML_TYPE, create_json_response
from langchain_segmind.gateway.request import Request, parse_json

Outcome: TypeAlias = Completion | APIResponse
ScriptEntry: TypeAlias = str | Mapping[str, Any] | Outcome
Replies: TypeAlias = (
    str
    | Path
    | Sequence[ScriptEntry]
    | Callable[[Request], ScriptEntry]
    | Callable[[Request], Awaitable[ScriptEntry]]
)
"""A path, a list of entries, or a function of the request."""

_COMPLETION_KEYS = frozenset({"match", *(field.name for field in fields(Completion))})
_RAW_KEYS = frozenset({"match", "status", "headers", "body"})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class ScriptedBackend(Backend):
    """Plays a script.

    Entries with `match` answer every request whose last message matches; the first match
    wins. Other requests get the remaining entries in order, then a 500.

    Raises:
        ValueError: The script is malformed.
    """

    def __init__(self, replies: Replies | None = None) -> None:
        self._function: Callable[[Request], Any] | None = None
        entries: list[tuple[str | None, Outcome]] = []
        if replies is None or callable(replies):
            self._function = replies or _echo
        elif isinstance(replies, str | Path):
            entries = _parse_entries(_read(Path(replies)), f"{replies}, ")
        else:
            entries = _parse_entries(replies)
        self._rules = [(match, outcome) for match, outcome in entries if match is not None]
        self._sequence = [outcome for match, outcome in entries if match is None]
        self._played = 0

    async def reply(self, request: Request) -> Outcome:
        """Answer from the script."""
        if self._function is not None:
            return await _call(self._function, request)
        for match, outcome in self._rules:
            if _matches(match, request.last_message):
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


def _parse_entry(value: Any) -> tuple[str | None, Outcome]:
    """Return what the last message must match, or None for any message, and the outcome."""
    if isinstance(value, Completion | APIResponse):
        return None, value
    if isinstance(value, str):
        return None, Completion(value)
    if not isinstance(value, Mapping):
        raise ValueError(f"a script entry must be a string or an object, not {value!r}")
    shown = json.dumps(dict(value), default=repr)
    if not value.keys() & {"content", "tool_calls", "status"}:
        raise ValueError(f"a script entry must hold content, tool_calls or status: {shown}")
    allowed = _RAW_KEYS if "status" in value else _COMPLETION_KEYS
    if unknown := sorted(set(value) - allowed):
        raise ValueError(f"a script entry has unknown keys {', '.join(unknown)}: {shown}")
    rest = dict(value)
    match = rest.pop("match", None)
    if match is not None and not isinstance(match, str):
        raise ValueError(f"match must be a string, not {match!r}")
    if "status" in rest:
        return match, _create_raw_response(**rest)
    return match, Completion(**{**rest, "usage": rest.get("usage") or {}})


def _create_raw_response(status: Any, headers: Any = None, body: Any = b"") -> APIResponse:
    if type(status) is not int or not 200 <= status <= 599:  # noqa: PLR2004 - final statuses
        raise ValueError(f"status must be a number from 200 to 599, not {status!r}")
    headers = _parse_headers(headers or {})
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


def _parse_entries(values: Sequence[Any], file: str = "") -> list[tuple[str | None, Outcome]]:
    entries = []
    for number, value in enumerate(values, start=1):
        try:
            entries.append(_parse_entry(value))
        except ValueError as error:
            raise ValueError(f"{file}entry {number}: {error}") from error
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


async def _echo(request: Request) -> ScriptEntry:
    return Completion(request.last_message)


def _matches(pattern: str, text: str) -> bool:
    if pattern in text:
        return True
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


async def _call(function: Callable[[Request], Any], request: Request) -> Outcome:
    # A synchronous function runs in a thread, so that it can block.
    try:
        if inspect.iscoroutinefunction(function):
            value = await function(request)
        else:
            value = await asyncio.to_thread(function, request)
            if inspect.isawaitable(value):
                value = await value
        return _parse_entry(value)[1]
    except Exception as error:
        raise BackendError(f"The script failed: {type(error).__name__}: {error}") from error
