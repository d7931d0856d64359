"""What a call costs.

Segmind publishes no price per token, so the gateway charges every chat model OpenAI's list price of
gpt-4-turbo: 10 USD per million input tokens and 30 USD per million output tokens. One credit
is one US dollar. Amounts are exact to a millionth of a credit.
"""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from langchain_segmind.gateway.completion import Completion
from langchain_segmind.gateway.formats.common import get_text

PROMPT_TOKEN_PRICE = Decimal("0.000010")
COMPLETION_TOKEN_PRICE = Decimal("0.000030")

DEFAULT_MAX_TOKENS = 128
"""Output tokens that a call can use if the request sets no limit."""

MAX_ESTIMATED_TOKENS = 4096
"""The output limit of gpt-4-turbo, so no estimate assumes more."""

MAX_CREDITS = 10**12

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4


def count_tokens(text: str) -> int:
    """Estimate the tokens of a text: one per four characters, rounded up."""
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def count_prompt_tokens(messages: Iterable[Mapping[str, Any]]) -> int:
    """Estimate the tokens of a prompt: those of its texts, plus four per message."""
    texts = (get_text(message.get("content")) for message in messages)
    return sum(count_tokens(text) + _TOKENS_PER_MESSAGE for text in texts)


def count_usage(messages: Iterable[Mapping[str, Any]], completion: Completion) -> dict[str, Any]:
    """Return a completion's usage, estimated where the completion does not give it."""
    reasoning = count_tokens(completion.reasoning)
    calls = sum(count_tokens(json.dumps(dict(call))) for call in completion.tool_calls)
    usage = {
        "prompt_tokens": count_prompt_tokens(messages),
        "completion_tokens": count_tokens(get_text(completion.content)) + reasoning + calls,
        **completion.usage,
    }
    if reasoning:
        details = {"reasoning_tokens": min(reasoning, usage["completion_tokens"])}
        usage.setdefault("completion_tokens_details", details)
    usage.setdefault("total_tokens", usage["prompt_tokens"] + usage["completion_tokens"])
    return usage


def compute_cost(prompt_tokens: int, completion_tokens: int) -> Decimal:
    """Return the price of a call in credits."""
    return prompt_tokens * PROMPT_TOKEN_PRICE + completion_tokens * COMPLETION_TOKEN_PRICE


def estimate_cost(messages: Iterable[Mapping[str, Any]], max_tokens: int | None) -> Decimal:
    """Return the expected maximum price of a call in credits."""
    limit = DEFAULT_MAX_TOKENS if max_tokens is None else max_tokens
    return compute_cost(count_prompt_tokens(messages), min(limit, MAX_ESTIMATED_TOKENS))


def parse_credits(amount: Decimal | float | str) -> Decimal:
    """Return an amount of credits, rounded to a millionth.

    Raises:
        ValueError: The amount is not a number, or exceeds `MAX_CREDITS`.
    """
    try:
        number = Decimal(str(amount))
        if abs(number) <= MAX_CREDITS:
            return number.quantize(Decimal("0.000001"))
    except ArithmeticError:
        pass
    raise ValueError(f"credits must be a finite number up to {MAX_CREDITS}, not {amount!r}")
