"""What requests took and cost, and how the parts add up; pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from langchain_core.messages.ai import UsageMetadata

COST_DIGITS = 9
"""Decimal places of credits that mean something: sums of floats end in dust."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmindUsage:
    """What calls took and cost.

    Attributes:
        calls: Calls that sent a request. A cached reply sends none.
        retried_requests: Requests beyond the first one of a call: sent again after an error, or
            to ask again for a reply that could not be used.
        input_tokens: Tokens of all prompts, as the replies report them.
        output_tokens: Tokens of all replies, likewise.
        cost: Credits (1 credit = 1 US dollar).
        is_cost_estimated: Whether a part of the cost was not sent (`x-cost`), but taken from the
            fall of the balance. Others who draw on the account are in it too, and a first reply
            has nothing to fall from.

    Example:
        ```python
        from langchain_segmind import SegmindUsage

        usage = SegmindUsage(calls=1, cost=0.25) + SegmindUsage(calls=2, cost=0.5)
        assert (usage.calls, usage.cost) == (3, 0.75)
        ```
    """

    calls: int = 0
    retried_requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    is_cost_estimated: bool = False

    @property
    def total_tokens(self) -> int:
        """Tokens of prompts and replies."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "SegmindUsage") -> "SegmindUsage":
        """Add up two usages."""
        return SegmindUsage(
            calls=self.calls + other.calls,
            retried_requests=self.retried_requests + other.retried_requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=round(self.cost + other.cost, COST_DIGITS),
            is_cost_estimated=self.is_cost_estimated or other.is_cost_estimated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What one answer tells of its request.

    Attributes:
        model: The slug.
        asked_at: When the request was begun, in seconds of a monotonic clock.
        answered_at: When the answer was there, likewise.
        is_success: Whether it was a success, which has a price.
        tokens: The tokens, if told.
        cost: The price in credits, if told.
        balance: The credits that remain, if told.
    """

    model: str
    asked_at: float
    answered_at: float
    is_success: bool
    tokens: UsageMetadata | None = None
    cost: float | None = None
    balance: float | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """The credits that remain, and when they were told.

    Attributes:
        credits: The credits.
        told_at: When, in seconds of a monotonic clock.
    """

    credits: float
    told_at: float

    def update(self, receipt: Receipt) -> "Balance":
        """Take the balance of an answer if it is the later one.

        Answers overtake each other. One whose request was begun after this balance was told is
        later; of two that were under way together, the lower: they only took from the account.
        """
        if receipt.balance is None:
            return self
        is_later = receipt.asked_at >= self.told_at or receipt.balance <= self.credits
        return Balance(receipt.balance, receipt.answered_at) if is_later else self


@dataclass(frozen=True, slots=True)
class Spending:
    """All that was spent so far.

    Attributes:
        by_model: What each model took, by its slug.
        balance: The latest balance, if one was told.
        lowest: The lowest one.
    """

    by_model: Mapping[str, SegmindUsage]
    balance: Balance | None = None
    lowest: float | None = None

    @property
    def total(self) -> SegmindUsage:
        """What all models took."""
        return sum(self.by_model.values(), SegmindUsage())

    def add(self, model: str, usage: SegmindUsage) -> "Spending":
        """Add what a model took."""
        known = self.by_model.get(model, SegmindUsage())
        return Spending({**self.by_model, model: known + usage}, self.balance, self.lowest)

    def add_receipt(self, receipt: Receipt) -> "Spending":
        """Add what an answer tells."""
        tokens, balance = receipt.tokens, self.balance
        if receipt.balance is not None:
            told = Balance(receipt.balance, receipt.answered_at)
            balance = told if self.balance is None else self.balance.update(receipt)
        fall = self.balance.credits - balance.credits if self.balance and balance else 0.0
        usage = SegmindUsage(
            input_tokens=tokens["input_tokens"] if tokens else 0,
            output_tokens=tokens["output_tokens"] if tokens else 0,
            cost=max(fall, 0.0) if receipt.cost is None else receipt.cost,
            is_cost_estimated=receipt.cost is None and (receipt.is_success or fall > 0),
        )
        spending = self.add(receipt.model, usage)
        lowest = min(
            (one for one in (self.lowest, receipt.balance) if one is not None), default=None
        )
        return Spending(spending.by_model, balance, lowest)


def check_credits(name: str, amount: float | None, *, is_negative_allowed: bool = False) -> None:
    """Check an amount of credits that a user gave.

    Raises:
        ValueError: If it is none.
    """
    if amount is None:
        return
    is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
    if not is_number or not math.isfinite(amount) or (amount < 0 and not is_negative_allowed):
        kind = "a number" if is_negative_allowed else "a number that is not negative"
        raise ValueError(f"{name} must be {kind} of credits, or None, not {amount!r}.")
