"""What calls used and cost, and how to add that up. Pure functions and data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from langchain_core.messages.ai import UsageMetadata

COST_DIGITS = 9
"""Decimal places that costs are rounded to, since float sums accumulate rounding error."""

OnUnknownCost = Literal["warn", "refuse"]
"""What happens if replies do not report what a limit needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmindUsage:
    """What calls used and cost.

    Attributes:
        calls: Calls whose request was sent. Cached replies, refused calls, and calls that were
            cancelled or failed before their request was written do not count.
        retried_requests: Requests beyond the first of each call: retries after an error, repeats
            without a `response_format` that was refused, and repeats because a reply could not be
            used.
        input_tokens: Prompt tokens, as reported by the replies.
        output_tokens: Reply tokens, as reported by the replies.
        cost: Credits (1 credit = 1 US dollar).
        is_cost_estimated: Whether part of the cost is estimated, because a reply had no price
            (`x-cost`) or a request got no response (a timeout, for example). The estimate is the
            drop of the account's balance up to the next successful reply. It includes what other
            users of the account spent, and is 0 if no earlier balance is known.

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
        """Prompt and reply tokens together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "SegmindUsage") -> "SegmindUsage":
        """Return the sum of two usages."""
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
    """What one response says about its request.

    Attributes:
        model: The model's slug.
        sent_at: When the request was sent, in seconds of a monotonic clock.
        received_at: When the response was complete, on the same clock.
        is_success: Whether the status is a success, which is billed.
        tokens: The token counts, if reported.
        cost: The price in credits, if reported.
        balance: The account's remaining credits, if reported.
        job_id: The job whose result was fetched, maybe not for the first time.
    """

    model: str
    sent_at: float
    received_at: float
    is_success: bool
    tokens: UsageMetadata | None = None
    cost: float | None = None
    balance: float | None = None
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """The account's remaining credits at a point in time.

    Attributes:
        credits: The remaining credits.
        observed_at: When they were reported, in seconds of a monotonic clock.
        topped_up_at: When a report last showed a rise, on the same clock.
    """

    credits: float
    observed_at: float
    topped_up_at: float = -math.inf

    def update(self, other: "Balance", sent_at: float) -> "Balance":
        """Return the more recent of this balance and another.

        Responses can overtake each other. A request that was sent after this balance was observed
        reports a more recent one. Of two concurrent requests the lower balance is more recent,
        since requests only take credits; but a request that was sent before a top-up does not
        know about it, and is ignored.

        Args:
            other: The balance that a response reports.
            sent_at: When the request of that response was sent.
        """
        if sent_at >= self.observed_at:
            has_risen = other.credits > self.credits
            return replace(
                other, topped_up_at=other.observed_at if has_risen else self.topped_up_at
            )
        if other.credits <= self.credits and sent_at >= self.topped_up_at:
            return replace(other, topped_up_at=self.topped_up_at)
        return self


@dataclass(frozen=True, slots=True)
class Spending:
    """Everything that was spent so far.

    Attributes:
        by_model: Usage of each model, by its slug.
        balance: The most recent balance, or None before the first.
        lowest: The lowest balance that was reported, in credits.
        unattributed: The drop of the balance since the last success, in credits.
        has_missing_response: Whether a request since then got no response. It may be billed.
        has_success: Whether there was a success.
        has_unknown_cost: Whether the cost of a request cannot be estimated: a success without a
            price and a balance, or a request without a response while no balance is known.
    """

    by_model: Mapping[str, SegmindUsage]
    balance: Balance | None = None
    lowest: float | None = None
    unattributed: float = 0.0
    has_missing_response: bool = False
    has_success: bool = False
    has_unknown_cost: bool = False

    @property
    def has_unknown_balance(self) -> bool:
        """Whether there were replies, but none that reported the balance."""
        return self.has_success and self.balance is None

    @property
    def total(self) -> SegmindUsage:
        """The usage of all models together."""
        return sum(self.by_model.values(), SegmindUsage())

    def add(self, model: str, usage: SegmindUsage) -> "Spending":
        """Return the spending with a model's usage added."""
        known = self.by_model.get(model, SegmindUsage())
        return replace(self, by_model={**self.by_model, model: known + usage})

    def record_no_response(self, model: str) -> "Spending":
        """Return the spending after a request without a response, whose price is unknown."""
        spending = self.add(model, SegmindUsage(is_cost_estimated=True))
        is_unknown = self.has_unknown_cost or self.balance is None
        return replace(spending, has_missing_response=True, has_unknown_cost=is_unknown)

    def add_balance(self, balance: Balance, sent_at: float) -> "Spending":
        """Return the spending with a reported balance, whose drop is not yet attributed."""
        latest = balance if self.balance is None else self.balance.update(balance, sent_at)
        drop = 0.0 if self.balance is None else self.balance.credits - latest.credits
        return replace(
            self,
            balance=latest,
            lowest=balance.credits if self.lowest is None else min(self.lowest, balance.credits),
            unattributed=self.unattributed + max(drop, 0.0),
        )

    def add_receipt(self, receipt: Receipt) -> "Spending":
        """Return the spending with a response added.

        A success costs its price. If it has none, or if an earlier request got no response, it
        costs the drop of the balance, if that is more. An error costs only its price: concurrent
        requests may have caused the drop.
        """
        spending = self
        if receipt.balance is not None:
            balance = Balance(receipt.balance, receipt.received_at)
            spending = spending.add_balance(balance, receipt.sent_at)
        cost, is_estimate = receipt.cost or 0.0, False
        if receipt.is_success:
            is_estimate = receipt.cost is None or self.has_missing_response
            if is_estimate:
                cost = max(cost, spending.unattributed)
            is_unknown = is_estimate and receipt.balance is None
            spending = replace(
                spending,
                unattributed=0.0,
                has_missing_response=False,
                has_success=True,
                has_unknown_cost=self.has_unknown_cost or is_unknown,
            )
        tokens = receipt.tokens
        usage = SegmindUsage(
            input_tokens=tokens["input_tokens"] if tokens else 0,
            output_tokens=tokens["output_tokens"] if tokens else 0,
            cost=cost,
            is_cost_estimated=is_estimate,
        )
        return spending.add(receipt.model, usage)


def describe_unknown_cost(
    *, has_budget: bool, has_unknown_cost: bool, has_floor: bool, has_unknown_balance: bool
) -> str | None:
    """Return why a limit cannot be kept, or None if it can.

    Args:
        has_budget: Whether there is a limit on what is spent.
        has_unknown_cost: Whether the cost of a call is unknown.
        has_floor: Whether there is a limit on what remains.
        has_unknown_balance: Whether no reply reported what remains.
    """
    if has_budget and has_unknown_cost:
        return (
            "the budget cannot be kept, since the cost of a request is unknown: neither its price "
            "(x-cost) nor the account's balance (x-remaining-credits) was reported"
        )
    if has_floor and has_unknown_balance:
        return (
            "min_remaining cannot be kept, since no reply reported the account's balance "
            "(x-remaining-credits)"
        )
    return None


def check_on_unknown_cost(value: str) -> None:
    """Check the value that a user passed.

    Raises:
        ValueError: If it is neither `"warn"` nor `"refuse"`.
    """
    if value not in get_args(OnUnknownCost):
        raise ValueError(f'on_unknown_cost must be "warn" or "refuse", not {value!r}.')


def check_credits(name: str, amount: float | None, *, is_negative_allowed: bool = False) -> None:
    """Check an amount of credits that a user passed.

    Raises:
        ValueError: If it is not a finite number, or negative where that is not allowed.
    """
    if amount is None:
        return
    is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
    if not is_number or not math.isfinite(amount) or (amount < 0 and not is_negative_allowed):
        kind = "a number of credits" if is_negative_allowed else "a number of credits, 0 or more"
        raise ValueError(f"{name} must be {kind}, or None, not {amount!r}.")
