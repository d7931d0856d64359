"""Finds the parts of a reply that ask for something: not its reasoning, examples or quotations."""

import re
from collections.abc import Callable

from langchain_segmind._tools.syntax import RESULT

REASONING = ("think", "thinking", "reasoning", "scratchpad")
EXAMPLES = ("example", "pre", "code")

EVENT = re.compile(
    rf"<(?P<close>/?)(?P<name>{'|'.join((*REASONING, *EXAMPLES))})\b[^<>]*+>"
    rf"|<(?P<comment>!--)|<(?P<result>{RESULT})\b|(?:^|(?<=>))[ \t]*+(?P<list>\[)",
    re.IGNORECASE | re.MULTILINE,
)

Piece = tuple[int, int]
"""Where a part of a text begins and ends."""


def find_asked(text: str, skip_list: Callable[[int], int]) -> list[Piece]:
    """Return the pieces of a reply that are neither reasoning nor example, comment or result.

    Args:
        text: The reply.
        skip_list: Returns where a list of calls that begins at a position ends, 0 if there is
            none: what looks like markup within a call is a part of its values.
    """
    pieces: list[Piece] = []
    start = position = 0
    while event := EVENT.search(text, position):
        if event["list"]:
            position = skip_list(event.start("list")) or event.end()
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
