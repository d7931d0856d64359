"""Injected faults: their syntax, their order and their HTTP responses."""

import re
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from http.client import responses
from random import Random

from langchain_segmind._api.endpoint import RATE_LIMIT_RESET_HEADER, APIResponse
from langchain_segmind.gateway.contract import (
    HTML_TYPE,
    INVALID_KEY,
    JSON_TYPE,
    RATE_LIMITED,
    create_error_response,
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
    429: RATE_LIMITED,
    500: "Internal server error",
}
_BROKEN_RESPONSES = {
    "html": APIResponse(200, {"content-type": HTML_TYPE}, b"<html><body>Welcome</body></html>\n"),
    "not-json": APIResponse(200, {"content-type": JSON_TYPE}, b'{"choices": [{"index": 0, '),
    "no-choices": create_json_response({"choices": []}),
    "error-body": create_json_response(
        {"error": {"message": "The model failed", "type": "server_error"}}
    ),
    "empty": APIResponse(200, {"content-type": JSON_TYPE}, b""),
}
_NAMES = sorted({"ok", "drop", "late-drop", "cut", *_BROKEN_RESPONSES})
_STATUS = re.compile(r"[345]\d\d", re.ASCII)
_LATENCY = re.compile(r"latency:(\d+(?:\.\d+)?)", re.ASCII)
_POLL_PREFIX = "poll:"
_RATE = re.compile(r"\d*\.?\d+", re.ASCII)


def parse_fault(spec: str) -> tuple[list[str], float | None]:
    """Return the actions of a fault, and the probability if it has the form `action@rate`.

    The prefix `poll:`, which says that it is for polls, makes no difference here.

    Raises:
        ValueError: An action or the rate is not valid.
    """
    unprefixed = spec.lstrip().removeprefix(_POLL_PREFIX)
    body, at, rate = (part.strip() for part in unprefixed.partition("@"))
    actions = [body] if at else [action.strip() for action in body.split(",")]
    for action in actions:
        if not (_STATUS.fullmatch(action) or _LATENCY.fullmatch(action) or action in _NAMES):
            raise ValueError(
                f"fault {spec!r}: {action!r} is not a status from 300 to 599, latency:SECONDS, "
                f"or one of {', '.join(_NAMES)}"
            )
    if not at:
        return actions, None
    if not _RATE.fullmatch(rate) or float(rate) > 1:
        raise ValueError(f"fault {spec!r}: the rate must be a number from 0 to 1")
    return actions, float(rate)


def create_fault_response(action: str, now: float) -> APIResponse | None:
    """Return the response that an action sends in place of a reply, or None if it sends none."""
    if not _STATUS.fullmatch(action):
        return _BROKEN_RESPONSES.get(action)
    status = int(action)
    text = _STATUS_TEXTS.get(status) or responses.get(status, f"Status {status}")
    is_rate_limit = status == HTTPStatus.TOO_MANY_REQUESTS
    headers = {RATE_LIMIT_RESET_HEADER: str(int(now) + 1)} if is_rate_limit else {}
    return create_error_response(status, text, headers)


class Faults:
    """The faults to play. A seed makes those with a rate repeatable."""

    def __init__(self, specs: Iterable[str], seed: int | None = None) -> None:
        self._seed = seed
        self.set(specs)

    def set(self, specs: Iterable[str]) -> None:
        """Replace the faults.

        Raises:
            ValueError: A fault is malformed.
        """
        random = Random(self._seed)  # noqa: S311 - chance, not secrecy
        schedules: list[tuple[bool, Iterator[str]]] = []
        for spec in specs:
            is_for_polls = spec.lstrip().startswith(_POLL_PREFIX)
            schedules.append((is_for_polls, _play(*parse_fault(spec), random)))
        self._schedules = schedules

    def next(self, *, is_poll: bool = False) -> tuple[float, str]:
        """Return the seconds of latency and the other action for the next request or poll."""
        actions = [
            next(schedule) for is_for_polls, schedule in self._schedules if is_for_polls == is_poll
        ]
        latencies = [match for action in actions if (match := _LATENCY.fullmatch(action))]
        others = (each for each in actions if each != "ok" and not _LATENCY.fullmatch(each))
        return sum(float(match[1]) for match in latencies), next(others, "ok")


def _play(actions: Sequence[str], rate: float | None, random: Random) -> Iterator[str]:
    """Yield the actions once, or the only one at random; and `ok` for all other requests."""
    if rate is None:
        yield from actions
    while True:
        yield actions[0] if random.random() < (rate or 0) else "ok"
