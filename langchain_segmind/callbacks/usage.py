"""What requests took and cost, and how the parts add up; pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from langchain_core.messages.ai import UsageMetadata

COST_DIGITS = 9
"""Decimal places of credits that mean something: sums of floats end in dust."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmindUsage:
    """What calls took and cost.

    Attributes:
        calls: Calls that began a request. A cached reply and a refused call begin none.
        retried_requests: Requests beyond the first one of a call: sent again after an error, or
            to ask again for a reply that could not be used.
        input_tokens: Tokens of all prompts, as the replies report them.
        output_tokens: Tokens of all replies, likewise.
        cost: Credits (1 credit = 1 US dollar).
        is_cost_estimated: Whether a part of the cost was not sent (`x-cost`), but taken from the
            fall of the balance: of a reply without a price, or of a request without an answer,
            such as one that timed out. Others who draw on the account are in it too, and a first
            reply has nothing to fall from.

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
        risen_at: When they were found to have risen by a top-up, likewise.
    """

    credits: float
    told_at: float
    risen_at: float = -math.inf

    def update(self, told: "Balance", asked_at: float) -> "Balance":
        """Take another balance if it is the later one.

        Answers overtake each other. One whose request was begun after this balance was told is
        later; of two that were under way together, the lower: they only took from the account,
        but for a top-up, of which what was asked before tells nothing.
        """
        if asked_at >= self.told_at:
            has_risen = told.credits > self.credits
            return replace(told, risen_at=told.told_at if has_risen else self.risen_at)
        if told.credits <= self.credits and asked_at >= self.risen_at:
            return replace(told, risen_at=self.risen_at)
        return self


@dataclass(frozen=True, slots=True)
class Spending:
    """All that was spent so far.

    Attributes:
        by_model: What each model took, by its slug.
        balance: The latest balance, if one was told.
        lowest: The lowest one.
        unclaimed: By how much the balance fell since the last success, in credits.
        is_unanswered: Whether a request since then had no answer, and may have cost something.
    """

    by_model: Mapping[str, SegmindUsage]
    balance: Balance | None = None
    lowest: float | None = None
    unclaimed: float = 0.0
    is_unanswered: bool = False

    @property
    def total(self) -> SegmindUsage:
        """What all models took."""
        return sum(self.by_model.values(), SegmindUsage())

    def add(self, model: str, usage: SegmindUsage) -> "Spending":
        """Add what a model took."""
        known = self.by_model.get(model, SegmindUsage())
        return replace(self, by_model={**self.by_model, model: known + usage})

    def add_unanswered(self, model: str) -> "Spending":
        """Add a request without an answer, whose price nobody told."""
        spending = self.add(model, SegmindUsage(is_cost_estimated=True))
        return replace(spending, is_unanswered=True)

    def add_balance(self, told: Balance, asked_at: float) -> "Spending":
        """Take note of a balance; what it fell is claimed by the next success."""
        latest = told if self.balance is None else self.balance.update(told, asked_at)
        fall = 0.0 if self.balance is None else self.balance.credits - latest.credits
        return replace(
            self,
            balance=latest,
            lowest=told.credits if self.lowest is None else min(self.lowest, told.credits),
            unclaimed=self.unclaimed + max(fall, 0.0),
        )

    def add_receipt(self, receipt: Receipt) -> "Spending":
        """Add what an answer tells.

        A price is the cost. Without one, or where a request before had no answer, what the balance
        fell is; an error has no share in it, since its neighbours may have been charged meanwhile.
        """
        spending = self
        if receipt.balance is not None:
            told = Balance(receipt.balance, receipt.answered_at)
            spending = self.add_balance(told, receipt.asked_at)
        cost, is_estimate = receipt.cost or 0.0, False
        if receipt.is_success:
            is_estimate = receipt.cost is None or self.is_unanswered
            if is_estimate:
                cost = max(cost, spending.unclaimed)
            spending = replace(spending, unclaimed=0.0, is_unanswered=False)
        tokens = receipt.tokens
        usage = SegmindUsage(
            input_tokens=tokens["input_tokens"] if tokens else 0,
            output_tokens=tokens["output_tokens"] if tokens else 0,
            cost=cost,
            is_cost_estimated=is_estimate,
        )
        return spending.add(receipt.model, usage)


def check_credits(name: str, amount: float | None, *, is_negative_allowed: bool = False) -> None:
    """Check an amount of credits that a user gave.

    Raises:
        ValueError: If it is none.
    """
    if amount is None:
        return
    is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
    if not is_number or not math.isfinite(amount) or (amount < 0 and not is_negative_allowed):
        kind = "a number of credits" if is_negative_allowed else "a number of credits from 0"
        raise ValueError(f"{name} must be {kind}, or None, not {amount!r}.")
