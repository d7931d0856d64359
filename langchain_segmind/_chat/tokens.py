"""Tokens of texts in cl100k_base, GPT-4 Turbo's vocabulary, and of images by their makers' rules.

`bpe-openai` (extra `tokens`) counts them; it ships the vocabulary, so nothing is downloaded.
Without it they are estimated from the pieces into which the vocabulary splits a text.
"""

import functools
import re
import warnings
from collections.abc import Callable
from math import ceil

from langchain_segmind._chat.images import Image, read_size
from langchain_segmind.data._profiles import APIFormat

Encode = Callable[[str], list[int]]

MAX_PART_CHARS = 40_000
"""What the library is given at once: it refuses a million characters or 200,000 tokens."""

PART = re.compile(
    rf".{{1,{MAX_PART_CHARS}}}(?:\Z|(?<=\S)(?=[ \t])|(?<=\n)(?=\S))|.{{{MAX_PART_CHARS}}}",
    re.DOTALL,
)
"""One part: it ends where no token continues, if there is such a place."""

PIECE = re.compile(r"[A-Za-z]+|\d{1,3}| +|[^\S ]+|[!-/:-@\[-`{-~]+|[^\x00-\x7f]+|.", re.DOTALL)

BYTES_PER_TOKEN = 2.4
"""Outside ASCII: from 1.8 (emoji) to 3.1 (Russian, Japanese)."""

ASSUMED_PIXELS = (1024, 1024)
"""Width and height of an image whose size is unknown, such as one behind a URL."""


def count_tokens(text: str) -> int:
    """Return the number of tokens; an estimate without `bpe-openai`.

    The estimate is within a third for prose and code, half the number for Base64, and up to twice
    the number for Russian. Special tokens such as `<|endoftext|>` count as ordinary text.
    """
    encode_part = _load()
    return _estimate(text) if encode_part is None else len(_encode(text, encode_part))


def encode(text: str) -> list[int]:
    """Return the tokens of a text.

    Raises:
        ImportError: `bpe-openai` is missing; only the number of tokens can be estimated.
    """
    encode_part = _load()
    if encode_part is None:
        raise ImportError("Tokens need bpe-openai: pip install 'langchain-segmind[tokens]'")
    return _encode(text, encode_part)


def is_exact() -> bool:
    """Whether tokens are counted, not estimated."""
    return _load() is not None


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


@functools.cache
def _load() -> Encode | None:
    try:
        with warnings.catch_warnings():
            # The library reads its data with a function that Python 3.11 and 3.12 deprecate.
            warnings.simplefilter("ignore", DeprecationWarning)
            import bpe_openai  # noqa: PLC0415 - an optional extra, and slow to load
    except ImportError:
        return None
    encode_part: Encode = bpe_openai.get_encoding("cl100k_base").encode_ordinary
    return encode_part


def _encode(text: str, encode_part: Encode) -> list[int]:
    return [token for part in PART.findall(text) for token in encode_part(part)]


def _estimate(text: str) -> int:
    return round(sum(map(_weigh, PIECE.findall(text))))


def _weigh(piece: str) -> float:
    first = piece[0]
    if not first.isascii():
        return len(piece.encode(errors="replace")) / BYTES_PER_TOKEN
    if first.isalpha():
        return max(1, len(piece) / 6)
    if first == " ":
        # One space belongs to the word after it; a token holds 128.
        return 0 if piece == " " else 1 + len(piece) // 128
    return 1 if first.isalnum() or first.isspace() else max(1, len(piece) / 3)
