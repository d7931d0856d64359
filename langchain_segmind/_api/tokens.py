"""Tokens of texts in cl100k_base, the vocabulary of GPT-4 Turbo and OpenAI's embedding models.

`bpe-openai` (extra `tokens`) counts them; it ships the vocabulary, so nothing is downloaded.
Without it they are estimated from the pieces into which the vocabulary splits a text.
"""

import functools
import re
import warnings
from collections.abc import Callable

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
