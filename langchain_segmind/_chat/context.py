"""How much of a model's context a conversation takes: texts, and images by their makers' rules."""

from collections.abc import Callable, Sequence
from math import ceil

from langchain_segmind._api.tokens import count_tokens, is_exact
from langchain_segmind._chat.images import Image, read_size
from langchain_segmind._chat.turns import Turn
from langchain_segmind.data._profiles import APIFormat
from langchain_segmind.exceptions import SegmindContextOverflowError

TOKENS_PER_MESSAGE = 4
"""What a message takes beside its text: its role and separators."""

REPLY_TOKENS = 3
"""What every reply begins with."""

ASSUMED_PIXELS = (1024, 1024)
"""Width and height of an image whose size is unknown, such as one behind a URL."""


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


def count_image_tokens(image: Image, api_format: APIFormat) -> int:
    """Return the number of tokens of an image, by the rule that its model's maker publishes.

    The rules are those of GPT-4o, Claude up to Opus 4.6 and Gemini 2. Newer models and those of
    other makers count in their own ways, which differ up to a few times. An image of unknown size
    counts as one of 1,024 x 1,024 pixels.

    Sources:
        - https://platform.openai.com/docs/guides/images-vision#calculating-costs
        - https://docs.anthropic.com/en/docs/build-with-claude/vision#calculate-image-costs
        - https://ai.google.dev/gemini-api/docs/tokens#multimodal-tokens
    """
    width, height = read_size(image) or ASSUMED_PIXELS
    if api_format == "anthropic":
        return _count_claude_tokens(width, height)
    if api_format == "gemini":
        return _count_gemini_tokens(width, height)
    return 85 if image.detail == "low" else _count_gpt_tokens(width, height)


def _count_gpt_tokens(width: int, height: int) -> int:
    """Scaled down to 2,048 pixels at most, and 768 on the shorter side; then in tiles of 512."""
    scale = min(1, 2048 / max(width, height))
    scale *= min(1, 768 / (min(width, height) * scale))
    return 85 + 170 * ceil(width * scale / 512) * ceil(height * scale / 512)


def _count_claude_tokens(width: int, height: int) -> int:
    """Scaled down to 1,568 pixels at most, and to 1,600 tokens."""
    scale = min(1, 1568 / max(width, height))
    return min(1600, ceil(width * height * scale * scale / 750))


def _count_gemini_tokens(width: int, height: int) -> int:
    """One tile if both sides have up to 384 pixels; else tiles of two thirds of the shorter one."""
    if max(width, height) <= 384:  # noqa: PLR2004 - Google's rule
        return 258
    tile = min(768, max(256, int(min(width, height) / 1.5)))
    return 258 * ceil(width / tile) * ceil(height / tile)
