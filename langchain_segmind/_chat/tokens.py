"""The tokens of a text in cl100k_base, GPT-4 Turbo's vocabulary: counted, or estimated.

They are counted by the library `bpe-openai` (extra `tokens`), which carries the vocabulary: no
download. Without it they are estimated from the pieces that the vocabulary cuts a text into.
"""

import functools
import re
import warnings
from collections.abc import Callable

Encode = Callable[[str], list[int]]

LONGEST_PART = 40_000
"""Characters that the library is given at once: it refuses a million, and 200,000 tokens."""

PART = re.compile(
    rf".{{1,{LONGEST_PART}}}(?:\Z|(?<=\S)(?=[ \t])|(?<=\n)(?=\S))|.{{{LONGEST_PART}}}", re.DOTALL
)
"""As much as is given at once: up to where no token goes on, if there is such a place."""

PIECE = re.compile(r"[A-Za-z]+|\d{1,3}| +|[^\S ]+|[!-/:-@\[-`{-~]+|[^\x00-\x7f]+|.", re.DOTALL)

BYTES_PER_TOKEN = 2.4
"""Beyond ASCII, from 1.8 (emoji) to 3.1 (Russian, Japanese)."""


def count_tokens(text: str) -> int:
    """Count a text's tokens, or estimate them without `bpe-openai`.

    The estimate is within a third for prose and code (`tests/unit_tests/chat/test_tokens.py` holds
    it there), half of it for Base64, and up to twice as much for Russian. The text of a special
    token, such as `<|endoftext|>`, is text like any other.
    """
    encode_part = _load()
    return _estimate(text) if encode_part is None else len(_encode(text, encode_part))


def encode(text: str) -> list[int]:
    """Turn a text into its tokens.

    Raises:
        ImportError: If `bpe-openai` is missing: the number of tokens can be estimated, they not.
    """
    encode_part = _load()
    if encode_part is None:
        raise ImportError("Tokens need bpe-openai: pip install 'langchain-segmind[tokens]'")
    return _encode(text, encode_part)


def is_exact() -> bool:
    """Tell whether tokens are counted here, not estimated."""
    return _load() is not None


@functools.cache
def _load() -> Encode | None:
    try:
        with warnings.catch_warnings():
            # The library reads its data by a function that Python 3.11 and 3.12 deprecate.
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
        # One belongs to the word after it; a token holds 128.
        return 0 if piece == " " else 1 + len(piece) // 128
    return 1 if first.isalnum() or first.isspace() else max(1, len(piece) / 3)
