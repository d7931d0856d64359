"""Costs and balances add up correctly, in whatever order the responses arrive."""

import itertools
import pickle
from dataclasses import replace

import pytest

from langchain_segmind import (
    SegmindBudgetExceededError,
    SegmindCreditsCallbackHandler,
    SegmindUsage,
)
from langchain_segmind.callbacks.usage import Balance, Receipt, Spending

MODEL = "gpt-4-turbo"


def succeed(sent: float, received: float, **reported: float) -> Receipt:
    """Create the receipt of a success; times in seconds."""
    return Receipt(model=MODEL, sent_at=sent, received_at=received, is_success=True, **reported)


def fail(sent: float, received: float, **reported: float) -> Receipt:
    """Create the receipt of an error."""
    return replace(succeed(sent, received, **reported), is_success=False)


def spend(*receipts: Receipt) -> Spending:
    """Add receipts up in the order in which they arrive."""
    spending = Spending({})
    for receipt in receipts:
        spending = spending.add_receipt(receipt)
    return spending


# --- The cost ---


def test_cost_is_the_reported_price() -> None:
    """A larger drop of the balance is ignored if the price is known."""
    spending = spend(succeed(0, 1, cost=0.1, balance=9.9), succeed(2, 3, cost=0.2, balance=5.0))
    assert spending.total == SegmindUsage(cost=0.3)


def test_total_cost_has_no_rounding_error() -> None:
    """Ten times 0.1 is 1.0, so that a budget of 1 is used up."""
    assert spend(*[succeed(0, 1, cost=0.1)] * 10).total.cost == 1.0


def test_first_reply_without_a_price_is_estimated_as_free() -> None:
    """No earlier balance is known."""
    assert spend(succeed(0, 1, balance=10.0)).total == SegmindUsage(is_cost_estimated=True)


@pytest.mark.parametrize(
    ("receipts", "is_unknown"),
    [
        pytest.param([succeed(0, 1)], True, id="nothing"),
        pytest.param([succeed(0, 1, cost=0.1)], False, id="price"),
        pytest.param([succeed(0, 1, balance=9.0)], False, id="balance"),
        pytest.param([fail(0, 1)], False, id="error"),
        pytest.param([succeed(0, 1), succeed(2, 3, cost=0.1)], True, id="earlier reply"),
    ],
)
def test_cost_is_unknown_without_price_and_balance(receipts, is_unknown) -> None:
    """An estimate needs a balance."""
    assert spend(*receipts).has_unknown_cost == is_unknown


def test_cost_of_a_request_without_a_response_is_unknown_without_a_balance() -> None:
    """At once: later replies cannot tell it, and there may be none."""
    assert Spending({}).record_no_response(MODEL).has_unknown_cost
    known = spend(succeed(0, 1, balance=10.0)).record_no_response(MODEL)
    assert not known.has_unknown_cost
    assert known.add_receipt(succeed(2, 3, cost=0.1)).has_unknown_cost
    assert not known.add_receipt(succeed(2, 3, cost=0.1, balance=9.0)).has_unknown_cost


def test_top_up_is_not_a_cost() -> None:
    """The drop is measured from the new balance, whether a reply or the user reports it."""
    spending = spend(succeed(0, 1, balance=1.0))
    for topped_up in (
        spending.add_receipt(succeed(2, 3, balance=51.0)),
        spending.add_balance(Balance(51.0, 2), 2),
    ):
        after = topped_up.add_receipt(succeed(4, 5, balance=50.5))
        assert after.total.cost == 0.5
        assert (after.balance.credits, after.lowest) == (50.5, 1.0)


def test_error_is_not_charged_for_concurrent_requests() -> None:
    """The balance that it reports dropped because of a request in progress."""
    spending = spend(
        succeed(0, 1, cost=0.25, balance=9.75),
        fail(2, 3, balance=9.5),
        succeed(2, 4, cost=0.25, balance=9.5),
    )
    assert spending.total == SegmindUsage(cost=0.5)


def test_drop_that_an_error_reports_is_charged_to_the_next_success() -> None:
    """If no reply has a price."""
    spending = spend(
        succeed(0, 1, balance=10.0), fail(2, 3, balance=9.5), succeed(2, 4, balance=9.5)
    )
    assert spending.total == SegmindUsage(cost=0.5, is_cost_estimated=True)


def test_request_without_a_response_is_charged_the_unexplained_drop() -> None:
    """The next success adds what the balance dropped beyond its price, once."""
    spending = spend(succeed(0, 1, cost=0.25, balance=9.75)).record_no_response(MODEL)
    assert spending.total == SegmindUsage(cost=0.25, is_cost_estimated=True)
    spending = spending.add_receipt(succeed(4, 5, cost=0.25, balance=9.25))
    assert spending.total == SegmindUsage(cost=0.75, is_cost_estimated=True)
    spending = spending.add_receipt(succeed(6, 7, cost=0.25, balance=8.0))
    assert spending.total.cost == 1.0


def test_price_is_charged_in_full_after_a_request_without_a_response() -> None:
    """Even if the balance did not drop, or was not reported."""
    spending = spend(succeed(0, 1, cost=0.25, balance=9.75)).record_no_response(MODEL)
    assert spending.add_receipt(succeed(4, 5, cost=0.25)).total.cost == 0.5


def test_other_users_of_the_account_are_not_charged_for() -> None:
    """Drops before a request without a response do not count as its cost."""
    spending = spend(succeed(0, 1, cost=0.1, balance=10), succeed(2, 3, cost=0.1, balance=5))
    spending = spending.record_no_response(MODEL).add_receipt(succeed(6, 7, cost=0.1, balance=4.9))
    assert spending.total.cost == 0.3


# --- The order ---


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_order_of_concurrent_responses_does_not_matter(order) -> None:
    """The lowest of four balances is the most recent, and no drop counts twice."""
    concurrent = [succeed(0, 1, balance=balance) for balance in (9.9, 9.8, 9.7, 9.6)]
    spending = spend(succeed(-2, -1, balance=10.0), *(concurrent[number] for number in order))
    assert spending.balance.credits == 9.6
    assert spending.total.cost == 0.4


def test_late_response_does_not_restore_an_old_balance() -> None:
    """A slow request was sent before the others were answered."""
    slow = succeed(0, 9, balance=10.0)
    spending = spend(succeed(0, 1, balance=9.0), succeed(2, 3, balance=8.0), slow)
    assert spending.balance.credits == 8.0


@pytest.mark.parametrize("sent", [9, 10])
def test_request_that_is_sent_after_a_response_reports_a_newer_balance(sent) -> None:
    """A higher balance is a top-up then, even within one tick of the clock."""
    spending = spend(succeed(0, 9, balance=10.0), succeed(sent, 11, balance=20.0))
    assert spending.balance.credits == 20.0


def test_response_from_before_a_top_up_does_not_undo_it() -> None:
    """Its balance is lower, but older; the top-up does not count as spent."""
    before = succeed(2, 6, balance=0.45)
    spending = spend(succeed(0, 1, balance=0.5), succeed(4, 5, balance=100.45), before)
    assert spending.balance.credits == 100.45
    assert spending.total.cost == 0.0
    updated = spend(succeed(0, 1, balance=0.5)).add_balance(Balance(100.5, 4), 4)
    updated = updated.add_receipt(before)
    assert (updated.balance.credits, updated.lowest) == (100.5, 0.45)
    assert updated.add_receipt(succeed(7, 8, balance=100.25)).total.cost == 0.25


def test_top_up_is_remembered_across_later_responses() -> None:
    """A response from before it is still ignored, after later and concurrent ones."""
    spending = spend(
        succeed(0, 1, balance=0.5),
        succeed(4, 5, balance=100.5),
        succeed(6, 9, balance=100.25),
        succeed(7, 10, balance=100.0),
        succeed(2, 11, balance=0.45),
    )
    assert spending.balance.credits == 100.0
    assert spending.total.cost == 0.5


# --- Usages ---


def test_usages_add_up_field_by_field() -> None:
    """In either order; one estimate makes the sum an estimate."""
    one = SegmindUsage(calls=1, retried_requests=2, input_tokens=3, output_tokens=4, cost=0.1)
    other = SegmindUsage(calls=1, input_tokens=1, cost=0.2, is_cost_estimated=True)
    total = one + other
    assert total == other + one
    assert (total.calls, total.retried_requests, total.total_tokens) == (2, 2, 8)
    assert (total.input_tokens, total.output_tokens) == (4, 4)
    assert (total.cost, total.is_cost_estimated) == (0.3, True)


# --- The handler ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"budget": -1}, "budget must be a number of credits, 0 or", id="negative"),
        pytest.param({"budget": "0.5"}, "budget must be", id="string"),
        pytest.param(
            {"on_unknown_cost": "stop"},
            'on_unknown_cost must be "warn" or "refuse", not \'stop\'',
            id="unknown cost",
        ),
        pytest.param({"budget": True}, "budget must be", id="bool"),
        pytest.param(
            {"low_credits": "1", "on_low_credits": print}, "low_credits must be", id="threshold"
        ),
        pytest.param({"low_credits": 1.0}, "passed together", id="threshold alone"),
    ],
)
def test_invalid_limit_raises_value_error(arguments, message) -> None:
    """At construction, before anything is spent."""
    with pytest.raises(ValueError, match=message):
        SegmindCreditsCallbackHandler(**arguments)


def test_thresholds_of_the_balance_can_be_negative() -> None:
    """As a balance can."""
    SegmindCreditsCallbackHandler(min_remaining=-1, low_credits=-0.5, on_low_credits=print)


class Notifier:
    """An object whose call is asynchronous."""

    async def __call__(self, handler, remaining) -> None: ...


@pytest.mark.parametrize("function", [Notifier().__call__, Notifier()], ids=["method", "object"])
def test_asynchronous_on_low_credits_raises_value_error(function) -> None:
    """Its result would never be awaited."""
    with pytest.raises(ValueError, match="must not be async"):
        SegmindCreditsCallbackHandler(low_credits=1, on_low_credits=function)


def test_calls_are_allowed_again_after_update_balance() -> None:
    """From the minimum on; a handler that refuses calls gets no replies that report a top-up."""
    warned: list[float] = []
    handler = SegmindCreditsCallbackHandler(
        min_remaining=1, low_credits=2, on_low_credits=lambda handler, left: warned.append(left)
    )
    handler.add_receipt(succeed(0, 1, cost=0.5, balance=0.5))
    with pytest.raises(SegmindBudgetExceededError, match=r"update_balance\("):
        handler.check()
    handler.update_balance(0.999)
    with pytest.raises(SegmindBudgetExceededError, match=r"0\.999 credits remain"):
        handler.check()
    handler.update_balance(1.0)
    handler.check()
    handler.update_balance(20.0)
    assert (handler.remaining_credits, handler.total.cost, warned) == (20.0, 0.5, [0.5])


def test_a_balance_can_be_negative() -> None:
    """Segmind lets a running call overdraw an account. An error for NaN names the argument."""
    handler = SegmindCreditsCallbackHandler()
    handler.update_balance(-0.25)
    assert handler.remaining_credits == -0.25
    with pytest.raises(ValueError, match=r"^remaining must be a number of credits, or None, not"):
        handler.update_balance(float("nan"))


def test_pickled_handler_counts_independently() -> None:
    """It starts from the counts of the original, and changes only its own."""
    handler = SegmindCreditsCallbackHandler(budget=1)
    handler.add_receipt(succeed(0, 1, cost=0.5, balance=3.0))
    copy = pickle.loads(pickle.dumps(handler))
    copy.add_receipt(succeed(2, 3, cost=0.25, balance=2.5))
    assert (handler.total.cost, copy.total.cost) == (0.5, 0.75)
    assert "cost=0.75" in repr(copy)


def test_reset_clears_the_counts_and_keeps_the_limits() -> None:
    """A budget can be used again from the start."""
    handler = SegmindCreditsCallbackHandler(budget=1)
    handler.add_receipt(succeed(0, 1, cost=1.0, balance=3.0))
    handler.reset()
    assert (handler.total, handler.remaining_credits) == (SegmindUsage(), None)
    assert handler.budget == 1
    handler.check()
