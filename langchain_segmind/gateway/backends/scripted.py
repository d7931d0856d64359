"""Replies from a script: a list, a file or a callable; an echo where there is none."""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind.gateway.backends._base import Backend, BackendError
from langchain_segmind.gateway.replies import Completion, Entry, parse_entry, read_entries
from langchain_segmind.gateway.request import Request

Say: TypeAlias = str | Mapping[str, Any] | Completion | APIResponse
Replies: TypeAlias = (
    str | Path | Sequence[Say] | Callable[[Request], Say] | Callable[[Request], Awaitable[Say]]
)
"""A path, a list of entries, or a function of the request."""


class ScriptedBackend(Backend):
    """Plays a script.

    Entries with `match` answer every request whose last message they match; the first
    such entry wins. All other requests take the remaining entries in order, and are
    refused with a 500 that says so once these have run out.

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
        self._turns = [entry.answer for entry in entries if entry.match is None]
        self._played = 0

    async def reply(self, request: Request) -> Completion | APIResponse:
        """Answer from the script."""
        if self._echoes:
            return Completion(request.last_message)
        if self._function is not None:
            return await _call(self._function, request)
        for rule in self._rules:
            if rule.match is not None and _matches(rule.match, request.last_message):
                return rule.answer
        return self._next(request)

    def reset(self) -> None:
        """Go back to the first entry."""
        self._played = 0

    def _next(self, request: Request) -> Completion | APIResponse:
        if self._played < len(self._turns):
            self._played += 1
            return self._turns[self._played - 1]
        if self._turns or not self._rules:
            raise BackendError(f"The script has run out after {len(self._turns)} replies")
        raise BackendError(f"No entry of the script matches {request.last_message!r}")


def _load(replies: Replies | None) -> list[Entry]:
    if replies is None or callable(replies):
        return []
    if isinstance(replies, str | Path):
        path = Path(replies)
        return [_parse(entry, f"{path}, ") for entry in enumerate(read_entries(path), start=1)]
    return [_parse(entry, "") for entry in enumerate(replies, start=1)]


def _parse(numbered: tuple[int, Any], where: str) -> Entry:
    number, value = numbered
    try:
        return parse_entry(value)
    except ValueError as error:
        raise ValueError(f"{where}entry {number}: {error}") from error


def _matches(pattern: str, text: str) -> bool:
    if pattern in text:
        return True
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


async def _call(function: Callable[[Request], Any], request: Request) -> Completion | APIResponse:
    """Ask the callable; a plain one runs in a thread, so that it may block."""
    try:
        if inspect.iscoroutinefunction(function):
            said = await function(request)
        else:
            said = await asyncio.to_thread(function, request)
            if inspect.isawaitable(said):
                said = await said
        return parse_entry(said).answer
    except Exception as error:
        raise BackendError(f"The script failed: {type(error).__name__}: {error}") from error
