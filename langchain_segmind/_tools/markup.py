"""Finds the parts of a reply that ask for something: not its reasoning, examples or quotations."""

import re
from collections.abc import Callable

from langchain_segmind._tools.syntax import RESULT

REASONING = ("think", "thinking", "reasoning", "scratchpad")
EXAMPLES = ("example", "pre", "code")

ATTRIBUTES = r"(?:\s[^<>]*+)?(?<!/)>"
"""Matches the rest of a tag after its name; one that closes itself contains nothing."""

MARKUP = (
    rf"<(?P<close>/?)(?P<name>{'|'.join((*REASONING, *EXAMPLES))}){ATTRIBUTES}"
    rf"|<(?P<comment>!--)|<(?P<result>{RESULT})\b"
)

REASONING_TAG = re.compile(rf"<(?P<close>/?)(?:{'|'.join(REASONING)}){ATTRIBUTES}", re.IGNORECASE)


def compile_events(value: str) -> re.Pattern[str]:
    """Return a pattern for markup, and for where values begin, in a group named `value`."""
    return re.compile(f"{MARKUP}|{value}", re.IGNORECASE | re.MULTILINE)


Piece = tuple[int, int]
"""Where a part of a text begins and ends."""


def find_asked(
    text: str, skip_value: Callable[[int], int], event_pattern: re.Pattern[str]
) -> list[Piece]:
    """Return the pieces of a reply that are neither reasoning nor example, comment or result.

    Args:
        text: The reply.
        skip_value: Returns where a value that begins at a position ends; 0 if there is none. What
            looks like markup within it is a part of it.
        event_pattern: Matches markup, and where a value can begin.
    """
    pieces: list[Piece] = []
    unclosed: set[str] = set()
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
        end = 0 if name in unclosed else _find_end(text, event, name)
        if not end and name in EXAMPLES and text[event.start() - 1 : event.start()].isalnum():
            unclosed.add(name)
            position = event.end()  # a type's parameter, such as `Map<Code>`
            continue
        pieces.append((start, event.start()))
        start = position = end or len(text)
    return [*pieces, (start, len(text))]


def _find_end(text: str, event: re.Match[str], name: str) -> int:
    """Return where markup ends; 0 if it is not closed."""
    if event["result"]:
        return 0  # the model invents a result, and goes on from it
    closer = re.compile("-->" if event["comment"] else rf"</{name}\s*+>", re.IGNORECASE)
    end = closer.search(text, event.end())
    return end.end() if end else 0
