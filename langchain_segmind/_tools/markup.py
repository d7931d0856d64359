"""Finds the parts of a reply that ask for something: not its reasoning, examples or quotations."""

import re
from collections.abc import Callable

from langchain_segmind._tools.syntax import RESULT

REASONING = ("think", "thinking", "reasoning", "scratchpad")
EXAMPLES = ("example", "pre", "code")

MARKUP = (
    rf"<(?P<close>/?)(?P<name>{'|'.join((*REASONING, *EXAMPLES))})\b[^<>]*+>"
    rf"|<(?P<comment>!--)|<(?P<result>{RESULT})\b"
)


def compile_events(value: str) -> re.Pattern[str]:
    """Return a pattern for markup, and for where values begin, in a group named `value`."""
    return re.compile(f"{MARKUP}|{value}", re.IGNORECASE | re.MULTILINE)


CALL_EVENT = compile_events(r"(?:^|(?<=>))[ \t]*+(?P<value>\[)")

Piece = tuple[int, int]
"""Where a part of a text begins and ends."""


def find_asked(
    text: str, skip_value: Callable[[int], int], event_pattern: re.Pattern[str] = CALL_EVENT
) -> list[Piece]:
    """Return the pieces of a reply that are neither reasoning nor example, comment or result.

    Args:
        text: The reply.
        skip_value: Returns where a list of calls, or another value, that begins at a position
            ends; 0 if there is none. What looks like markup within it is a part of it.
        event_pattern: Matches markup, and where a value can begin.
    """
    pieces: list[Piece] = []
    start = position = 0
    while event := event_pattern.search(text, position):
        if event["value"]:
            position = skip_value(event.start("value")) or event.end()
            continue
        name = (event["name"] or "").lower()
        if event["close"]:
            if name in REASONING:  # all before was reasoning
                pieces.clear()
                start = event.end()
            position = event.end()
            continue
        pieces.append((start, event.start()))
        start = position = _find_end(text, event, name)
    return [*pieces, (start, len(text))]


def _find_end(text: str, event: re.Match[str], name: str) -> int:
    """Return where markup ends: at the end of the text if it is not closed."""
    if event["result"]:
        return len(text)  # the model invents a result, and goes on from it
    closer = re.compile("-->" if event["comment"] else rf"</{name}\s*+>", re.IGNORECASE)
    end = closer.search(text, event.end())
    return end.end() if end else len(text)
