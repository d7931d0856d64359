"""How much of a model's context a conversation takes."""

from collections.abc import Callable, Sequence

from langchain_segmind._chat.images import Image
from langchain_segmind._chat.tokens import count_tokens, is_exact
from langchain_segmind._chat.turns import Turn
from langchain_segmind.exceptions import SegmindContextOverflowError

TOKENS_PER_MESSAGE = 4
"""What a message takes beside its text: its role and separators."""

REPLY_TOKENS = 3
"""What every reply begins with."""


def count_turn_tokens(
    turns: Sequence[Turn],
    count: Callable[[str], int],
    count_image: Callable[[Image], int] = lambda _: 0,
) -> int:
    """Return the number of input tokens of a conversation.

    Args:
        turns: The conversation.
        count: Counts the tokens of a text.
        count_image: Counts the tokens of an image; by default images count nothing.

    Source: https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken
    """
    parts = sum(
        count(part) if isinstance(part, str) else count_image(part)
        for turn in turns
        for part in turn.parts
    )
    return TOKENS_PER_MESSAGE * len(turns) + parts + REPLY_TOKENS


def check_context(turns: Sequence[Turn], size: int, max_input_tokens: int | None) -> None:
    """Refuse a conversation whose text is known not to fit; an estimate is not enough.

    Args:
        turns: The conversation.
        size: The size of the request's body, in bytes.
        max_input_tokens: The model's limit; None if it is unknown.

    Raises:
        SegmindContextOverflowError: It does not fit.
    """
    # A token has at least one byte: short texts need no counting.
    if max_input_tokens is None or size <= max_input_tokens or not is_exact():
        return
    tokens = count_turn_tokens(turns, count_tokens)
    if tokens > max_input_tokens:
        raise SegmindContextOverflowError(
            f"The messages have {tokens:,} tokens, but the model accepts {max_input_tokens:,}; "
            f"nothing was sent. {SegmindContextOverflowError.advice} "
            "(check_context=False sends them anyway.)"
        )
