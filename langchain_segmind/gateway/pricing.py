"""What a call costs here, in exact whole micro-credits (a millionth of a credit).

The price is the gateway's own: OpenAI's public list price of gpt-4-turbo, 10 USD per
million input tokens and 30 USD per million output tokens, for every model. Segmind
publishes no price per token. One credit is one US dollar.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from langchain_segmind.gateway.request import text_of

MICROS_PER_PROMPT_TOKEN = 10
MICROS_PER_COMPLETION_TOKEN = 30

DEFAULT_MAX_TOKENS = 128
"""How many output tokens a call may use where the request does not say."""

ESTIMATE_MAX_TOKENS = 4096
"""gpt-4-turbo writes no more than this, so no estimate assumes more."""

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4
_MICRO_DIGITS = 6
_MOST_CREDITS = 10**12


def count_tokens(text: str) -> int:
    """Estimate the tokens of a text: one for every four characters begun."""
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def count_prompt_tokens(messages: Iterable[Mapping[str, Any]]) -> int:
    """Estimate the tokens of a conversation: its texts, and four for each message."""
    return sum(
        count_tokens(text_of(message.get("content"))) + _TOKENS_PER_MESSAGE for message in messages
    )


def cost_micros(prompt_tokens: int, completion_tokens: int) -> int:
    """The price of a call, in micro-credits."""
    return prompt_tokens * MICROS_PER_PROMPT_TOKEN + completion_tokens * MICROS_PER_COMPLETION_TOKEN


def estimate_micros(messages: Iterable[Mapping[str, Any]], max_tokens: int | None) -> int:
    """The most that a call is expected to cost, in micro-credits."""
    limit = DEFAULT_MAX_TOKENS if max_tokens is None else max_tokens
    return cost_micros(count_prompt_tokens(messages), min(limit, ESTIMATE_MAX_TOKENS))


def to_micros(amount: Decimal | float | str) -> int:
    """Credits as micro-credits, rounded to the nearest.

    Raises:
        ValueError: The amount is not a number, or beyond a million million.
    """
    try:
        credits_ = Decimal(str(amount))
        if abs(credits_) <= _MOST_CREDITS:
            return int(credits_.scaleb(_MICRO_DIGITS).to_integral_value())
    except (ArithmeticError, ValueError):
        pass
    raise ValueError(f"credits must be a finite number up to {_MOST_CREDITS}, not {amount!r}")


def to_credits(micros: int) -> Decimal:
    """Micro-credits as credits, exactly."""
    return Decimal(micros).scaleb(-_MICRO_DIGITS)
