"""The ledger charges exactly, with concurrent calls too."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_segmind.gateway.contract import RefusedError
from langchain_segmind.gateway.ledger import Ledger
from langchain_segmind.gateway.pricing import (
    compute_cost,
    count_prompt_tokens,
    count_tokens,
    estimate_cost,
    parse_credits,
)

AMOUNTS = st.decimals(0, 1, places=6)
CALLS = st.lists(st.tuples(AMOUNTS, st.none() | AMOUNTS))
MICRO = Decimal("0.000001")


@settings(deadline=None)
@given(opening=st.decimals(0, 10, places=6), calls=CALLS)
def test_balance_falls_by_the_sum_of_the_costs(opening, calls):
    """Only charged calls change it, and a cost can exceed its estimate and the balance."""
    ledger = Ledger(["key"], opening)
    spent = Decimal(0)
    for estimate, cost in calls:
        try:
            with ledger.reserve("key", estimate) as charge:
                assert ledger.reserved("key") == estimate
                if cost is not None:
                    spent += cost
                    assert charge(cost) == opening - spent
        except RefusedError:
            assert estimate > opening - spent

    assert ledger.balance("key") == opening - spent
    assert ledger.reserved("key") == 0


def test_concurrent_calls_are_charged_exactly(serve, ask):
    """The costs in the response headers sum to the fall of the balance."""
    gateway = serve(credits="0.0100")

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(ask, gateway, "x" * n, max_tokens=50) for n in range(40)]
    responses = [call.result() for call in calls]

    assert {response.status_code for response in responses} <= {200, 406}
    costs = [Decimal(r.headers["x-cost"]) for r in responses if r.status_code == 200]
    assert sum(costs) == Decimal("0.0100") - gateway.credits()
    assert gateway.ledger.reserved("SG_local") == 0


def test_reserved_credits_are_not_available():
    """Another call cannot use them, but they remain part of the balance."""
    ledger = Ledger(["key"], "0.000100")
    with ledger.reserve("key", 80 * MICRO):
        with (
            pytest.raises(RefusedError, match=r"is 0\.000020 and this request needs 0\.000021"),
            ledger.reserve("key", 21 * MICRO),
        ):
            pass
        with ledger.reserve("key", 20 * MICRO):
            assert ledger.reserved("key") == 100 * MICRO
    assert ledger.balance("key") == Decimal("0.000100")
    assert ledger.reserved("key") == 0


def test_balances_can_be_set_and_reset():
    """`reset` restores the opening balance."""
    ledger = Ledger(["key"], 1)
    ledger.set_balance("key", "0.5")
    ledger.set_balance("new", 2)
    assert (ledger.balance("key"), ledger.balance("new")) == (Decimal("0.5"), 2)

    ledger.reset()
    assert ledger.balance("key") == 1
    assert ledger.api_keys == ["key", "new"]


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        pytest.param(1, "1.000000", id="int"),
        pytest.param(0.03, "0.030000", id="float"),
        pytest.param("0.0000006", "0.000001", id="rounded"),
        pytest.param("-1e12", "-1000000000000.000000", id="minimum"),
        pytest.param(Decimal(0), "0.000000", id="zero"),
    ],
)
def test_credits_have_six_decimals(amount, text):
    """Amounts are exact to a millionth, and are never written with an exponent."""
    assert str(parse_credits(amount)) == text


@pytest.mark.parametrize("amount", ["many", "nan", float("inf"), 10**12 + 1])
def test_credits_must_be_a_finite_number(amount):
    """Other values are refused at the start."""
    with pytest.raises(ValueError, match="credits must be a finite number"):
        Ledger(["key"], amount)


def test_price_is_that_of_gpt_4_turbo():
    """A million tokens cost 10 credits as input and 30 as output."""
    assert (compute_cost(10**6, 0), compute_cost(0, 10**6)) == (10, 30)


def test_tokens_are_estimated_from_the_text():
    """Four characters are a token, and each message adds four tokens."""
    assert [count_tokens("x" * n) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]
    assert count_prompt_tokens([{"content": "12345"}, {"content": [{"text": "1"}]}]) == 11


@pytest.mark.parametrize(
    ("max_tokens", "output"),
    [
        pytest.param(None, 128, id="default"),
        pytest.param(10, 10, id="requested"),
        pytest.param(10**9, 4096, id="capped"),
    ],
)
def test_estimate_covers_the_longest_output(max_tokens, output):
    """The estimate assumes that the model writes as much as it can."""
    assert estimate_cost([], max_tokens) == 30 * output * MICRO
