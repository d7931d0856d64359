"""Thoughts that a model writes at the beginning of the reply itself, in `<think>` tags."""

import re

OPENER = re.compile(r"[\s\ufeff]*+<think\s*+>", re.IGNORECASE)
TAG = re.compile(r"<(?P<close>/?)think\s*+>", re.IGNORECASE)


def split_thoughts(text: str, *, is_cut: bool = False) -> tuple[list[str], str]:
    """Split a reply into the thoughts at its beginning and what follows them.

    Args:
        text: The reply.
        is_cut: Whether something may have ended the reply early: thoughts without an end are
            thoughts then. Otherwise their tag is a part of the text.
    """
    thoughts: list[str] = []
    position = 0
    while opener := OPENER.match(text, position):
        start, end, position_after = opener.end(), len(text), len(text)
        if closer := _find_closer(text, start):
            end, position_after = closer.span()
        elif not is_cut:
            break
        thoughts.append(text[start:end].strip())
        position = position_after
    return thoughts, text[position:].lstrip() if position else text


def _find_closer(text: str, start: int) -> re.Match[str] | None:
    """Return the tag that ends thoughts; the last one if those within them are not balanced."""
    depth, closer = 1, None
    for tag in TAG.finditer(text, start):
        depth += -1 if tag["close"] else 1
        closer = tag if tag["close"] else closer
        if not depth:
            break
    return closer
