"""The ledger: exact, whatever happens at once."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_segmind.gateway.ledger import InsufficientCreditsError, Ledger
from langchain_segmind.gateway.pricing import (
    cost_micros,
    count_prompt_tokens,
    count_tokens,
    estimate_micros,
    to_credits,
    to_micros,
)

RUNS = st.lists(st.tuples(st.integers(0, 10**6), st.none() | st.integers(0, 10**6)))


@given(opening=st.integers(0, 10**7), runs=RUNS)
def test_costs_sum_to_the_fall_of_the_balance(opening, runs):
    """Whatever is reserved, settled, released or refused, the balance falls by the costs."""
    ledger = Ledger(["key"], to_credits(opening))
    spent = 0
    for estimate, cost in runs:
        try:
            with ledger.reserve("key", estimate) as reservation:
                assert to_micros(ledger.reserved("key")) == estimate
                if cost is not None:
                    spent += cost
                    assert reservation.settle(cost) == opening - spent
        except InsufficientCreditsError:
            assert estimate > opening - spent

    assert ledger.balance("key") == to_credits(opening - spent)
    assert ledger.reserved("key") == 0


def test_threads_never_lose_a_charge():
    """Runs in many threads at once are all charged, exactly once."""
    ledger = Ledger(["key"], 1)

    def run(cost):
        for _ in range(200):
            with ledger.reserve("key", 10) as reservation:
                reservation.settle(cost)
                reservation.release()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))

    assert ledger.balance("key") == 1 - to_credits(200 * sum(range(8)))
    assert ledger.reserved("key") == 0


def test_concurrent_calls_are_charged_exactly(serve, ask):
    """Over HTTP, the costs told to the clients sum to the fall of the balance."""
    gateway = serve(credits="0.0100")

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(ask, gateway, "x" * n, max_tokens=50) for n in range(40)]
    responses = [call.result() for call in calls]

    assert {response.status_code for response in responses} <= {200, 406}
    costs = [Decimal(r.headers["x-cost"]) for r in responses if r.status_code == 200]
    assert sum(costs) == Decimal("0.0100") - gateway.credits()
    assert gateway.ledger.reserved("SG_local") == 0


def test_reservations_hold_credits_back():
    """What one run has set aside, another cannot use."""
    ledger = Ledger(["key"], "0.000100")
    with ledger.reserve("key", 80):
        with pytest.raises(InsufficientCreditsError, match=r"0\.000020 does not cover 0\.000021"):
            ledger.reserve("key", 21)
        ledger.reserve("key", 20).release()
    assert ledger.balance("key") == Decimal("0.000100")


def test_actual_cost_may_exceed_the_balance():
    """The estimate is a guess: the actual cost is charged, even below zero."""
    ledger = Ledger(["key"], "0.000010")
    assert ledger.reserve("key", 10).settle(25) == -15


def test_balances_can_be_set_and_reset():
    """A test may give a key any balance, and a reset takes it back."""
    ledger = Ledger(["key"], 1)
    ledger.set_balance("key", "0.5")
    ledger.set_balance("new", 2)
    assert (ledger.balance("key"), ledger.balance("new")) == (Decimal("0.5"), 2)

    ledger.reset()
    assert ledger.balance("key") == 1
    assert ledger.api_keys == ["key", "new"]


@given(amount=st.integers(-(10**12), 10**12))
def test_micros_and_credits_are_inverse(amount):
    """No amount changes on its way to credits and back."""
    assert to_micros(to_credits(amount)) == amount


@pytest.mark.parametrize("amount", ["many", "nan", float("inf")])
def test_credits_must_be_a_finite_number(amount):
    """Anything else is refused at the start."""
    with pytest.raises(ValueError, match="credits must be a finite number"):
        Ledger(["key"], amount)


def test_price_is_that_of_gpt_4_turbo():
    """A million tokens cost 10 credits going in and 30 coming out."""
    assert to_credits(cost_micros(10**6, 0)) == 10
    assert to_credits(cost_micros(0, 10**6)) == 30


def test_tokens_are_estimated_from_the_text():
    """A token is four characters begun, and a message adds four."""
    assert [count_tokens("x" * n) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]
    assert count_prompt_tokens([{"content": "12345"}, {"content": [{"text": "1"}]}]) == 11


@pytest.mark.parametrize(
    ("max_tokens", "output"),
    [
        pytest.param(None, 128, id="default"),
        pytest.param(10, 10, id="asked"),
        pytest.param(10**9, 4096, id="capped"),
    ],
)
def test_estimates_assume_all_the_output_allowed(max_tokens, output):
    """The estimate covers the longest reply there can be."""
    assert estimate_micros([], max_tokens) == 30 * output
