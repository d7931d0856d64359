"""What several formats need."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from langchain_segmind._chat.request import ChatRequest
from langchain_segmind._chat.response import FinishReason
from langchain_segmind._chat.turns import Part, Turn, join_texts
from langchain_segmind._tools import is_deeper

MAX_FACT_DEPTH = 100
"""Levels of nested lists and objects in a fact that is kept in the metadata."""


def encode_parts(
    parts: Sequence[Part], encode_part: Callable[[Part], dict[str, Any]]
) -> str | list[dict[str, Any]]:
    """Return a turn's content: a string, or a list if there are images."""
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0]
    return [encode_part(part) for part in parts]


def join_system_text(turns: Sequence[Turn]) -> str:
    """Return the text of all system turns, in order."""
    return "\n\n".join(turn.text for turn in turns if turn.role == "system" and turn.text.strip())


def merge_turns(request: ChatRequest) -> list[Turn]:
    """Return the turns of user and model: neighbours of one role as one, blank texts left out.

    Raises:
        ValueError: Nothing is left.
    """
    merged: list[Turn] = []
    for turn in request.turns:
        parts = [part for part in turn.parts if not isinstance(part, str) or part.strip()]
        if turn.role == "system" or not parts:
            continue
        if merged and merged[-1].role == turn.role:
            merged[-1].parts += parts
        else:
            merged.append(Turn(turn.role, parts, turn.index))
    for turn in merged:
        turn.parts = join_texts(turn.parts, "\n\n")
    if not merged:
        raise ValueError(
            f"No message has anything to say to {request.model!r} beside system text: add a human "
            "message that is not empty."
        )
    return merged


def select_parameters(request: ChatRequest, unsent: frozenset[str]) -> dict[str, Any]:
    """Return the parameters without those that the format has no place for; warn of these once.

    Args:
        request: The request.
        unsent: Names of parameters that the format has no place for.
    """
    parameters = request.parameters
    if left_out := [name for name in parameters if name in unsent]:
        _warn(request.model, ", ".join(left_out))
    return {name: value for name, value in parameters.items() if name not in unsent}


@cache
def _warn(model: str, names: str) -> None:
    warnings.warn(
        f"Not sent to {model!r}: {names}. Segmind documents no place for this in the model's "
        "requests. If it has one under another name, pass model_kwargs={'another_name': ...}.",
        stacklevel=2,
    )


def get_text(fields: Mapping[str, Any], name: str) -> str | None:
    """Return a field if it is a text that is not empty."""
    value = fields.get(name)
    return value if isinstance(value, str) and value else None


def map_reason(
    reasons: Mapping[str, FinishReason], native_reason: str | None
) -> FinishReason | None:
    """Return the finish reason for a provider's word: "stop" for an unknown one."""
    return None if native_reason is None else reasons.get(native_reason, "stop")


def keep_facts(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are not None, nor nested too deeply to be written as JSON."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None and not is_deeper(value, MAX_FACT_DEPTH)
    }


def iterate_blocks(content: Any) -> Iterator[dict[str, Any]]:
    """Yield the blocks of a content: a list, or a single one; a string is a block of text."""
    for block in content if isinstance(content, list) else [content]:
        if isinstance(block, str):
            yield {"type": "text", "text": block}
        elif isinstance(block, dict):
            yield block
