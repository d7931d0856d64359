"""What requests cost adds up, whatever order their answers come in."""

import itertools
import pickle

import pytest

from langchain_segmind import (
    SegmindBudgetExceededError,
    SegmindCreditsCallbackHandler,
    SegmindUsage,
)
from langchain_segmind.callbacks.usage import Balance, Receipt, Spending

MODEL = "gpt-4-turbo"


def tell(asked: float, answered: float, **told: float) -> Receipt:
    """Create the receipt of a success; times in seconds."""
    return Receipt(model=MODEL, started_at=asked, finished_at=answered, is_success=True, **told)


def spend(*receipts: Receipt) -> Spending:
    """Add up receipts in the order in which they come."""
    spending = Spending({})
    for receipt in receipts:
        spending = spending.add_receipt(receipt)
    return spending


# --- The price ---


def test_a_price_that_is_sent_is_the_cost() -> None:
    """The balance, from which others draw too, does not matter then."""
    spending = spend(tell(0, 1, cost=0.1, balance=9.9), tell(2, 3, cost=0.2, balance=5.0))
    assert spending.total == SegmindUsage(cost=0.3)


def test_sums_hold_no_dust_of_floats() -> None:
    """Ten times a tenth is one, so that a budget of one is spent."""
    assert spend(*[tell(0, 1, cost=0.1)] * 10).total.cost == 1.0


def test_the_fall_of_the_balance_stands_in_for_a_price() -> None:
    """It is marked as an estimate."""
    spending = spend(tell(0, 1, balance=10.0), tell(2, 3, balance=9.5), tell(4, 5, balance=9.25))
    assert spending.total == SegmindUsage(cost=0.75, is_cost_estimated=True)


def test_a_first_reply_without_a_price_is_an_estimate_of_nothing() -> None:
    """There is nothing that the balance could have fallen from."""
    assert spend(tell(0, 1, balance=10.0)).total == SegmindUsage(is_cost_estimated=True)


def test_a_top_up_costs_nothing() -> None:
    """The fall is counted from the new height."""
    spending = spend(tell(0, 1, balance=1.0), tell(2, 3, balance=51.0), tell(4, 5, balance=50.5))
    assert spending.total.cost == 0.5
    assert spending.balance.credits == 50.5
    assert spending.lowest == 1.0


def refuse(asked: float, answered: float, balance: float) -> Receipt:
    """Create the receipt of an error without a price."""
    return Receipt(
        model=MODEL, started_at=asked, finished_at=answered, is_success=False, balance=balance
    )


def test_an_error_has_no_share_in_what_its_neighbours_cost() -> None:
    """The balance that it tells fell for one whose answer is on its way."""
    spending = spend(
        tell(0, 1, cost=0.25, balance=9.75),
        refuse(2, 3, balance=9.5),
        tell(2, 4, cost=0.25, balance=9.5),
    )
    assert spending.total == SegmindUsage(cost=0.5)


def test_what_fell_before_an_error_is_claimed_by_the_next_success() -> None:
    """Where no reply has a price."""
    spending = spend(tell(0, 1, balance=10.0), refuse(2, 3, balance=9.5), tell(2, 4, balance=9.5))
    assert spending.total == SegmindUsage(cost=0.5, is_cost_estimated=True)


def test_a_request_without_an_answer_is_paid_by_the_fall_of_the_next_balance() -> None:
    """It may have been run: the fall beyond the next price is taken for its own."""
    spending = spend(tell(0, 1, cost=0.25, balance=9.75)).record_no_response(MODEL)
    assert spending.total == SegmindUsage(cost=0.25, is_cost_estimated=True)
    spending = spending.add_receipt(tell(4, 5, cost=0.25, balance=9.25))
    assert spending.total == SegmindUsage(cost=0.75, is_cost_estimated=True)
    spending = spending.add_receipt(tell(6, 7, cost=0.25, balance=8.0))
    assert spending.total.cost == 1.0


def test_others_who_draw_on_the_account_are_not_charged_for() -> None:
    """Where every reply has a price, the balance does not matter, before or after."""
    spending = spend(tell(0, 1, cost=0.1, balance=10), tell(2, 3, cost=0.1, balance=5))
    spending = spending.record_no_response(MODEL).add_receipt(tell(6, 7, cost=0.1, balance=4.9))
    assert spending.total.cost == 0.3


# --- The order ---


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_answers_that_overtake_each_other_tell_the_same(order) -> None:
    """Four requests under way together; the lowest balance is the latest, no fall counts twice."""
    together = [tell(0, 1, balance=balance) for balance in (9.9, 9.8, 9.7, 9.6)]
    spending = spend(tell(-2, -1, balance=10.0), *(together[number] for number in order))
    assert spending.balance.credits == 9.6
    assert spending.total.cost == 0.4


def test_a_late_answer_does_not_bring_an_old_balance_back() -> None:
    """A slow request was begun before the others were answered."""
    slow = tell(0, 9, balance=10.0)
    spending = spend(tell(0, 1, balance=9.0), tell(2, 3, balance=8.0), slow)
    assert spending.balance.credits == 8.0
    later = spend(slow, tell(10, 11, balance=20.0))
    assert later.balance.credits == 20.0


def test_an_answer_from_before_a_top_up_does_not_undo_it() -> None:
    """Its balance is lower, and older all the same; what was topped up is not spent."""
    before = tell(2, 6, balance=0.45)
    spending = spend(tell(0, 1, balance=0.5), tell(4, 5, balance=100.45), before)
    assert spending.balance.credits == 100.45
    assert spending.total.cost == 0.0
    told = spend(tell(0, 1, balance=0.5)).add_balance(Balance(100.5, 4), 4).add_receipt(before)
    assert (told.balance.credits, told.lowest) == (100.5, 0.45)
    assert told.add_receipt(tell(7, 8, balance=100.25)).total.cost == 0.25


# --- Usages ---


def test_usages_add_up_field_by_field() -> None:
    """Tokens have a total of their own."""
    one = SegmindUsage(calls=1, retried_requests=2, input_tokens=3, output_tokens=4, cost=0.1)
    both = one + SegmindUsage(calls=1, input_tokens=1, cost=0.2, is_cost_estimated=True)
    assert both == SegmindUsage(
        calls=2,
        retried_requests=2,
        input_tokens=4,
        output_tokens=4,
        cost=0.3,
        is_cost_estimated=True,
    )
    assert both.total_tokens == 8


# --- The handler's arguments ---


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(
            {"budget": -1}, "budget must be a number of credits, 0 or more", id="negative"
        ),
        pytest.param({"budget": float("nan")}, "budget must be", id="no number"),
        pytest.param({"budget": "0.5"}, "budget must be", id="a text"),
        pytest.param({"budget": True}, "budget must be", id="a truth"),
        pytest.param({"min_remaining": float("inf")}, "min_remaining must be", id="endless"),
        pytest.param({"low_credits": 1.0}, "passed together", id="a mark and nobody to tell"),
        pytest.param(
            {"on_low_credits": print}, "passed together", id="somebody to tell and no mark"
        ),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(arguments, told) -> None:
    """It is refused where it is written, not once money is spent."""
    with pytest.raises(ValueError, match=told):
        SegmindCreditsCallbackHandler(**arguments)


def test_an_asynchronous_listener_is_refused() -> None:
    """Nobody would await what it returns."""

    async def listen(handler, remaining) -> None: ...

    with pytest.raises(ValueError, match="must not be async"):
        SegmindCreditsCallbackHandler(low_credits=1, on_low_credits=listen)


class Listener:
    """An object that can be called, and has to be awaited."""

    async def __call__(self, handler, remaining) -> None: ...


def test_an_object_that_is_to_be_awaited_is_refused() -> None:
    """As a function would be."""
    with pytest.raises(ValueError, match="must not be async"):
        SegmindCreditsCallbackHandler(low_credits=1, on_low_credits=Listener())


def test_a_guard_hears_of_a_top_up() -> None:
    """It cannot know: it lets no call through that would tell."""
    told: list[float] = []
    handler = SegmindCreditsCallbackHandler(
        min_remaining=1, low_credits=2, on_low_credits=lambda handler, left: told.append(left)
    )
    handler.add_receipt(tell(0, 1, cost=0.5, balance=0.5))
    with pytest.raises(SegmindBudgetExceededError, match=r"update_balance\("):
        handler.check()
    handler.update_balance(20.0)
    handler.check()
    assert (handler.remaining_credits, handler.total.cost, told) == (20.0, 0.5, [0.5])


def test_a_pickled_handler_goes_on_counting_by_itself() -> None:
    """A worker process counts what it spends."""
    handler = SegmindCreditsCallbackHandler(budget=1)
    handler.add_receipt(tell(0, 1, cost=0.5, balance=3.0))
    copy = pickle.loads(pickle.dumps(handler))
    copy.add_receipt(tell(2, 3, cost=0.25, balance=2.5))
    assert (handler.total.cost, copy.total.cost) == (0.5, 0.75)
    assert "cost=0.75" in repr(copy)
    copy.reset()
    assert (copy.total, copy.remaining_credits) == (SegmindUsage(), None)
