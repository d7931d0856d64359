"""Faults on request: their grammar, and who plays which one next."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

FAULT_HEADER = "x-segmind-fault"
"""Request header that asks for a fault; it overrides the option `fault`."""

Name = Literal[
    "ok",
    "status",
    "latency",
    "drop",
    "cut",
    "html",
    "not-json",
    "no-choices",
    "error-body",
    "empty",
]

_PLAIN_NAMES = frozenset(get_args(Name)) - {"status", "latency"}
_STATUS = re.compile(r"[345]\d\d", re.ASCII)
_SECONDS = re.compile(r"latency:(\d+(?:\.\d+)?)", re.ASCII)
_RATE = re.compile(r"(0|1|[01]?\.\d+|0\.\d+|1\.0+)", re.ASCII)
_MAX_HEADER_VALUES = 10_000


class FaultError(ValueError):
    """A fault is not in the grammar."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do in place of, or before, a normal reply.

    Attributes:
        name: What to do.
        value: The status of `status`, the seconds of `latency`.
    """

    name: Name
    value: float = 0


OK = Action("ok")


@dataclass(slots=True)
class Schedule:
    """Actions to play one a request, or one action to play at random.

    Attributes:
        actions: The actions in their order.
        rate: The chance of the (only) action; None plays all of them once, in order.
        position: How many have been played.
    """

    actions: tuple[Action, ...]
    rate: float | None = None
    position: int = 0

    def next(self, random: Random) -> Action:
        """The action for the next request."""
        if self.rate is not None:
            return self.actions[0] if random.random() < self.rate else OK
        if self.position == len(self.actions):
            return OK
        self.position += 1
        return self.actions[self.position - 1]


def parse_fault(spec: str) -> Schedule:
    """Read a fault.

    Args:
        spec: Actions with commas between them, to be played over successive requests; or
            one action, `@` and a chance from 0 to 1. Text after `#` is ignored. An
            action is a status from 300 to 599, `latency:SECONDS`, `drop`, `cut`, `html`,
            `not-json`, `no-choices`, `error-body`, `empty` or `ok`.

    Returns:
        The schedule.

    Raises:
        FaultError: It is anything else.
    """
    text = spec.partition("#")[0].strip()
    action, at, rate = text.partition("@")
    if at:
        if not _RATE.fullmatch(rate.strip()) or not 0 <= float(rate) <= 1:
            raise FaultError(f"fault {text!r}: the rate must be a number from 0 to 1")
        return Schedule((_parse_action(action, text),), float(rate))
    return Schedule(tuple(_parse_action(part, text) for part in text.split(",")))


def _parse_action(part: str, spec: str) -> Action:
    word = part.strip()
    if _STATUS.fullmatch(word):
        return Action("status", int(word))
    if seconds := _SECONDS.fullmatch(word):
        return Action("latency", float(seconds[1]))
    for name in get_args(Name):
        if word == name and word in _PLAIN_NAMES:
            return Action(name)
    raise FaultError(
        f"fault {spec!r}: {word!r} is not a status from 300 to 599, latency:SECONDS, "
        f"or one of {', '.join(sorted(_PLAIN_NAMES))}"
    )


class FaultBook:
    """Remembers how far each schedule has been played.

    Args:
        specs: The faults of the option; each has its own turn on every request.
        seed: Makes the rates repeatable.

    Raises:
        FaultError: A spec is malformed.
    """

    def __init__(self, specs: Iterable[str] = (), seed: int | None = None) -> None:
        self._seed = seed
        self.set(specs)

    def set(self, specs: Iterable[str]) -> None:
        """Replace the faults of the option and begin anew."""
        self._specs = tuple(specs)
        self._schedules = [parse_fault(spec) for spec in self._specs]
        self._by_header: dict[str, Schedule] = {}
        self._random = Random(self._seed)  # noqa: S311 - chance, not secrecy

    def reset(self) -> None:
        """Go back to the start of every schedule."""
        self.set(self._specs)

    def next(self, header: str | None) -> list[Action]:
        """What to play on the next request.

        Args:
            header: The value of the request's fault header, which overrides the option.

        Returns:
            The actions other than `ok`.

        Raises:
            FaultError: The header is malformed.
        """
        schedules = self._schedules if header is None else [self._schedule_for(header)]
        actions = [schedule.next(self._random) for schedule in schedules]
        return [action for action in actions if action != OK]

    def _schedule_for(self, header: str) -> Schedule:
        if header not in self._by_header:
            schedule = parse_fault(header)
            if len(self._by_header) >= _MAX_HEADER_VALUES:
                del self._by_header[next(iter(self._by_header))]
            self._by_header[header] = schedule
        return self._by_header[header]
