"""Injected faults: their syntax, their order and their HTTP responses."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from random import Random

from langchain_segmind._api.endpoint import RATE_LIMIT_RESET_HEADER, APIResponse
from langchain_segmind.gateway.contract import (
    HTML_TYPE,
    INVALID_KEY,
    JSON_TYPE,
    create_error_response,
    create_html_response,
    create_json_response,
    format_insufficient_credits,
)

_STATUS_TEXTS = {
    400: "Bad request",
    401: INVALID_KEY,
    403: "You do not have access to this model",
    404: "Model not found",
    406: format_insufficient_credits("0.000000", "0.004000"),
    410: "This model has been retired",
    422: "Validation Error: invalid or missing parameters in the request body",
    429: "Rate limit exceeded",
    500: "Internal server error",
}
_HTML_STATUSES = frozenset({405, 502, 503, 504})
"""Segmind sends a page with 405; proxies in front of a service send one with the others."""

_BROKEN_RESPONSES = {
    "html": APIResponse(200, {"content-type": HTML_TYPE}, b"<html><body>Welcome</body></html>\n"),
    "not-json": APIResponse(200, {"content-type": JSON_TYPE}, b'{"choices": [{"index": 0, '),
    "no-choices": create_json_response({"choices": []}),
    "error-body": create_json_response(
        {"error": {"message": "The model failed", "type": "server_error"}}
    ),
    "empty": APIResponse(200, {"content-type": JSON_TYPE}, b""),
}
_NAMES = frozenset({"ok", "drop", "cut", *_BROKEN_RESPONSES})
_STATUS = re.compile(r"[345]\d\d", re.ASCII)
_LATENCY = re.compile(r"latency:(\d+(?:\.\d+)?)", re.ASCII)
_RATE = re.compile(r"\d*\.?\d+", re.ASCII)


@dataclass(slots=True)
class Schedule:
    """Actions for successive requests, or one action at random.

    Attributes:
        actions: The actions in order.
        rate: The probability of the only action; None plays each action once, in order.
        position: How many actions have been played.
    """

    actions: tuple[str, ...]
    rate: float | None = None
    position: int = 0

    def next(self, random: Random) -> str:
        """Return the action for the next request."""
        if self.rate is not None:
            return self.actions[0] if random.random() < self.rate else "ok"
        if self.position == len(self.actions):
            return "ok"
        self.position += 1
        return self.actions[self.position - 1]


def parse_fault(spec: str) -> Schedule:
    """Parse a fault.

    Args:
        spec: Comma-separated actions for successive requests, or one action followed by `@`
            and a probability from 0 to 1. An action is a status from 300 to 599,
            `latency:SECONDS`, `drop`, `cut`, `html`, `not-json`, `no-choices`,
            `error-body`, `empty` or `ok`.

    Returns:
        The schedule.

    Raises:
        ValueError: The fault does not have this form.
    """
    body, at, rate = spec.partition("@")
    actions = (body,) if at else tuple(spec.split(","))
    actions = tuple(action.strip() for action in actions)
    for action in actions:
        if not (_STATUS.fullmatch(action) or _LATENCY.fullmatch(action) or action in _NAMES):
            raise ValueError(
                f"fault {spec!r}: {action!r} is not a status from 300 to 599, latency:SECONDS, "
                f"or one of {', '.join(sorted(_NAMES))}"
            )
    if not at:
        return Schedule(actions)
    if not _RATE.fullmatch(rate.strip()) or float(rate) > 1:
        raise ValueError(f"fault {spec!r}: the rate must be a number from 0 to 1")
    return Schedule(actions, float(rate))


def create_fault_response(action: str, now: float) -> APIResponse | None:
    """Return the response that an action sends in place of a reply.

    Args:
        action: The action.
        now: Seconds since the epoch.

    Returns:
        The response; None for `ok`, `latency`, `drop` and `cut`.
    """
    if not _STATUS.fullmatch(action):
        return _BROKEN_RESPONSES.get(action)
    status = int(action)
    if status in _HTML_STATUSES:
        return create_html_response(status)
    is_rate_limit = status == HTTPStatus.TOO_MANY_REQUESTS
    headers = {RATE_LIMIT_RESET_HEADER: str(int(now) + 1)} if is_rate_limit else {}
    return create_error_response(status, _STATUS_TEXTS.get(status) or _get_phrase(status), headers)


def _get_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


class Faults:
    """The faults to play; each has its own position.

    Args:
        specs: See `parse_fault`.
        seed: Makes faults with a rate repeatable.

    Raises:
        ValueError: A fault is malformed.
    """

    def __init__(self, specs: Iterable[str] = (), seed: int | None = None) -> None:
        self._seed = seed
        self.set(specs)

    def set(self, specs: Iterable[str]) -> None:
        """Replace the faults."""
        self._schedules = [parse_fault(spec) for spec in specs]
        self._random = Random(self._seed)  # noqa: S311 - chance, not secrecy

    def next(self) -> tuple[float, str]:
        """Return the seconds of latency and the other action for the next request."""
        actions = [schedule.next(self._random) for schedule in self._schedules]
        latencies = [match for action in actions if (match := _LATENCY.fullmatch(action))]
        others = (each for each in actions if each != "ok" and not _LATENCY.fullmatch(each))
        return sum(float(match[1]) for match in latencies), next(others, "ok")
