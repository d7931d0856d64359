"""Thoughts that a model writes at the beginning of the reply itself, in `<think>` tags."""

import re

THOUGHTS = re.compile(
    r"[\s\ufeff]*+<think\s*+>(?P<thoughts>(?:(?!</think\s*+>).)*+)(?P<close></think\s*+>)?",
    re.DOTALL | re.IGNORECASE,
)


def split_thoughts(text: str, *, is_cut: bool = False) -> tuple[list[str], str]:
    """Split a reply into the thoughts at its beginning and what follows them.

    The first closing tag ends the thoughts: a later one can be a part of the answer.

    Args:
        text: The reply.
        is_cut: Whether something may have ended the reply early: thoughts without an end are
            thoughts then. Otherwise their tag is a part of the text.
    """
    thoughts: list[str] = []
    position = 0
    while (match := THOUGHTS.match(text, position)) and (match["close"] or is_cut):
        thoughts.append(match["thoughts"].strip())
        position = match.end()
    return thoughts, text[position:].lstrip() if position else text
