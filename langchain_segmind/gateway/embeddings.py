"""Embedding models: what their requests may hold, and vectors in which shared words are near.

A vector is the sum of what each of its words adds at a few places, which a hash of the word
chooses, and of a little that a hash of the whole text adds at all places. So texts with the same
words are near, and no two texts have the same vector. The models of Segmind behave like this:

- One text for each request. Of a list, only the first text is embedded.
- Keys that a model does not know are ignored. Without the key for the text, every request gets the
  same vector, with the status 200.
"""

import math
import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b, shake_256
from typing import Any, get_args

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind.data._embedding_models import EmbeddingFormat, EmbeddingModel, TaskType
from langchain_segmind.gateway.contract import create_json_response
from langchain_segmind.gateway.formats.common import require
from langchain_segmind.gateway.pricing import count_tokens
from langchain_segmind.gateway.request import Request

TEXT_KEYS: Mapping[EmbeddingFormat, str] = {"openai": "prompt", "gemini": "input"}

OPTIONAL_KEYS: Mapping[EmbeddingFormat, frozenset[str]] = {
    "openai": frozenset(),
    "gemini": frozenset({"task_type", "output_dimensionality"}),
}

MEDIA_KEYS = frozenset({"images", "audio", "video", "pdf"})
"""Of models that take media. The vectors of the gateway come from the text alone."""

DEFAULT_DIMENSIONS = 1536
DEFAULT_PRICE = "0.02"
"""Of models that are not known."""

WORD = re.compile(r"\w+")
STEM_CHARS = 5
"""Words are compared by their beginnings, so that "return" and "returned" are the same."""

PLACES_PER_WORD = 8
TEXT_WEIGHT = 0.2
"""How much of a vector comes from the text as a whole, compared with its words."""

DIGITS = 8
"""Decimal places of the numbers in a reply."""

WORD_CACHE_SIZE = 10_000


def check_body(body: Mapping[str, Any], model: EmbeddingModel) -> None:
    """Check the body of a request.

    Raises:
        InvalidBodyError: The text, the task or the length is not valid.
    """
    key = TEXT_KEYS[model.api_format]
    text = body.get(key, "")
    is_text = isinstance(text, str) or (
        isinstance(text, list) and text and all(isinstance(part, str) for part in text)
    )
    require(bool(is_text), f"{key} must be a string")
    if model.max_tokens is not None:
        tokens = count_tokens(_get_text(body, model))
        problem = f"maximum context length is {model.max_tokens} tokens, but {key} has {tokens}"
        require(tokens <= model.max_tokens, f"This model's {problem}")
    if model.api_format == "gemini":
        task = body.get("task_type")
        tasks = get_args(TaskType)
        require(task is None or task in tasks, f"task_type must be one of {', '.join(tasks)}")
        length = body.get("output_dimensionality")
        is_length = type(length) is int and length > 0
        if model.lengths:
            is_length = type(length) is int and length in model.lengths
        require(length is None or is_length, f"output_dimensionality cannot be {length!r}")


def check_strictly(
    body: Mapping[str, Any], model: EmbeddingModel, extra_body_keys: Collection[str]
) -> None:
    """Check a valid body for anything that Segmind does not document.

    Raises:
        InvalidBodyError: The text is missing, empty or a list, or a key is unknown.
    """
    key = TEXT_KEYS[model.api_format]
    text = body.get(key)
    require(isinstance(text, str) and bool(text), f"strict: {key} must be a string with a text")
    media = MEDIA_KEYS if model.takes_media else frozenset[str]()
    known = {key} | OPTIONAL_KEYS[model.api_format] | media | set(extra_body_keys)
    unknown = sorted(body.keys() - known)
    require(not unknown, f"strict: unknown keys {', '.join(unknown)} beside {key}")


def create_response(request: Request, model: EmbeddingModel) -> APIResponse:
    """Return the response to a valid request, in the form of its model."""
    vector = embed(_get_text(request.json, model), _get_length(request.json, model))
    is_gemini = model.api_format == "gemini"
    return create_json_response({"embedding": {"values": vector} if is_gemini else vector})


def compute_cost(request: Request, model: EmbeddingModel) -> Decimal:
    """Return the price of a valid request in credits, by its maker's list."""
    return _compute_price(_get_text(request.json, model), model)


def estimate_cost(request: Request, model: EmbeddingModel) -> Decimal:
    """Return the expected maximum price of a request in credits, whatever its body is."""
    return _compute_price(request.body.decode(errors="replace"), model)


def _compute_price(text: str, model: EmbeddingModel) -> Decimal:
    return count_tokens(text) * Decimal(model.price or DEFAULT_PRICE) / 1_000_000


def embed(text: str, length: int) -> list[float]:
    """Return the vector of a text, of length 1 in space.

    Args:
        text: The text; an empty one has a vector too.
        length: How many numbers it has.
    """
    numbers = [0.0] * length
    for word in WORD.findall(text.lower()):
        # Longer words say more about what a text is about.
        for place, sign in _hash_word(word[:STEM_CHARS]):
            numbers[place % length] += sign * len(word)
    size = math.hypot(*numbers) or 1.0
    noise = shake_256(text.encode(errors="replace")).digest(length)
    scale = TEXT_WEIGHT * size / (74 * math.sqrt(length))  # 74 is the deviation of a random byte
    numbers = [n + scale * (byte - 127.5) for n, byte in zip(numbers, noise, strict=True)]
    size = math.hypot(*numbers)
    return [round(number / size, DIGITS) for number in numbers]


@lru_cache(maxsize=WORD_CACHE_SIZE)
def _hash_word(word: str) -> list[tuple[int, int]]:
    """Return the places of a word, and what it adds there."""
    digest = blake2b(word.encode(errors="replace"), digest_size=4 * PLACES_PER_WORD).digest()
    values = (int.from_bytes(digest[i : i + 4], "big") for i in range(0, len(digest), 4))
    return [(value >> 1, 1 if value & 1 else -1) for value in values]


def _get_text(body: Any, model: EmbeddingModel) -> str:
    text = body.get(TEXT_KEYS[model.api_format], "")
    return str(text[0] if isinstance(text, list) else text)


def _get_length(body: Mapping[str, Any], model: EmbeddingModel) -> int:
    length = body.get("output_dimensionality") if model.api_format == "gemini" else None
    return length or model.dimensions or DEFAULT_DIMENSIONS
