"""How much of a model's context a conversation takes; pure."""

from collections.abc import Callable, Sequence

from langchain_segmind._chat.request import WireMessage
from langchain_segmind._chat.tokens import count_tokens, is_exact
from langchain_segmind.exceptions import SegmindContextOverflowError

TOKENS_PER_MESSAGE = 4
"""Of a message without a text: its role and what separates it."""

TOKENS_OF_THE_REPLY = 3
"""With which every reply begins."""


def count_wire_tokens(wire: Sequence[WireMessage], count: Callable[[str], int]) -> int:
    """Count the input tokens of a conversation.

    Source: https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken
    """
    texts = sum(TOKENS_PER_MESSAGE + count(message["content"]) for message in wire)
    return texts + TOKENS_OF_THE_REPLY


def check_context(wire: Sequence[WireMessage], size: int, max_input_tokens: int | None) -> None:
    """Refuse a conversation that is known not to fit; an estimate is no knowledge.

    Args:
        wire: The conversation as it is sent.
        size: Bytes of the request's body.
        max_input_tokens: The model's limit; None where it is unknown.

    Raises:
        SegmindContextOverflowError: If it does not fit.
    """
    # A token is a byte at least: what is short needs no counting.
    if max_input_tokens is None or size <= max_input_tokens or not is_exact():
        return
    tokens = count_wire_tokens(wire, count_tokens)
    if tokens > max_input_tokens:
        raise SegmindContextOverflowError(
            f"The messages take {tokens:,} tokens, but the model's context holds "
            f"{max_input_tokens:,}; nothing was sent. {SegmindContextOverflowError.advice} "
            "(check_context=False sends them all the same.)"
        )
