"""SegmindCreditsMiddleware stops an agent at a limit, and records its costs in the state."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware
from langgraph.checkpoint.memory import InMemorySaver

from langchain_segmind import SegmindBudgetExceededError
from langchain_segmind.middleware import SegmindCreditsMiddleware
from tests.support.scripts import add, ask

pytestmark = pytest.mark.every_format

THREAD = {"configurable": {"thread_id": "1"}}
QUESTION = ask("1 + 1?")
CALL = "[add(a=1, b=1)]"


@pytest.fixture
def reply(write_answer) -> Callable[[str, str], dict[str, Any]]:
    """Return a function that writes a reply that costs 0.25 credits."""
    return lambda text, left: write_answer(text, x_cost="0.25", x_remaining_credits=left)


def test_state_has_the_costs_and_the_balance(caller, create_model, gateway, write_answer) -> None:
    """Of all model calls of the run, without rounding errors; the last known balance is kept."""
    gateway.script(
        [
            write_answer(CALL, x_cost="0.1", x_remaining_credits="9.75"),
            write_answer(CALL, x_cost="0.2", x_remaining_credits="9.5"),
            write_answer("Two.", x_cost="0.25"),
        ]
    )
    agent = create_agent(create_model(), [add], middleware=[SegmindCreditsMiddleware()])
    state = caller.invoke(agent, QUESTION)
    assert state["messages"][-1].text == "Two."
    assert (state["credits_spent"], state["credits_remaining"]) == (0.55, 9.5)
    assert state["run_credits_spent"] == 0.55


LIMITS = [
    pytest.param({"budget": 0.5}, "the budget of 0.5 credits is used up (0.5 spent)", id="budget"),
    pytest.param(
        {"thread_budget": 0.5},
        "this thread's budget of 0.5 credits is used up (0.5 spent)",
        id="thread_budget",
    ),
    pytest.param(
        {"min_remaining": 9.6}, "only 9.5 credits remain (minimum 9.6)", id="min_remaining"
    ),
]


@pytest.mark.parametrize(("limits", "reason"), LIMITS)
def test_run_ends_at_a_limit(caller, create_model, gateway, reply, limits, reason) -> None:
    """With a message after the last tool's result, or with an error of the same text."""
    replies = [reply(CALL, "9.75"), reply(CALL, "9.5")]
    gateway.script(replies * 2)
    ending, raising = (
        create_agent(create_model(), [add], middleware=[SegmindCreditsMiddleware(**one)])
        for one in (limits, {**limits, "exit_behavior": "error"})
    )
    *_, result, last = caller.invoke(ending, QUESTION)["messages"]
    assert (result.type, last.type, last.tool_calls) == ("tool", "ai", [])
    with pytest.raises(SegmindBudgetExceededError) as caught:
        caller.invoke(raising, QUESTION)
    error = caught.value
    assert last.text == str(error) == f"Stopped: {reason}."
    assert (error.spent, error.remaining_credits) == (0.5, 9.5)
    assert error.budget == limits.get("budget", limits.get("thread_budget"))
    assert error.min_remaining == limits.get("min_remaining")
    assert len(gateway.requests) == 4


BLIND_LIMITS = [
    pytest.param({"budget": 0.5}, {}, id="budget"),
    pytest.param({"thread_budget": 0.5}, {}, id="thread budget"),
    pytest.param({"min_remaining": 1}, {"x_cost": "0.25"}, id="min remaining"),
]
"""A limit, and what replies report."""


@pytest.mark.parametrize(("limit", "reported"), BLIND_LIMITS)
@pytest.mark.parametrize("choice", ["warn", "refuse"])
def test_limit_that_sees_no_costs_warns_or_ends_the_run(
    caller, create_model, gateway, write_answer, caplog, limit, reported, choice
) -> None:
    """It would not stop anything."""
    gateway.script([write_answer(text, **reported) for text in (CALL, CALL, "Two.")])
    guard = SegmindCreditsMiddleware(**limit, on_unknown_cost=choice)
    state = caller.invoke(create_agent(create_model(), [add], middleware=[guard]), QUESTION)
    last, logged = state["messages"][-1].text, [r.getMessage() for r in caplog.records]
    assert state["credits_spent"] == len(gateway.requests) * float(reported.get("x_cost", 0))
    if choice == "refuse":
        assert "cannot be kept" in last
        assert (len(gateway.requests), logged) == (1, [])
    else:
        assert (last, len(gateway.requests)) == ("Two.", 3)
        assert len(logged) == 1
        assert logged[0].startswith("From a reply of Segmind: ")
        assert "cannot be kept" in logged[0]


def test_an_unknown_cost_ends_later_runs_of_a_thread_budget_only(
    caller, create_model, gateway, write_answer
) -> None:
    """A run's own budget begins anew with each run."""
    for limit, requests in (("budget", 2), ("thread_budget", 1)):
        gateway.reset()
        gateway.script([write_answer("Hi.")] * 2)
        guard = SegmindCreditsMiddleware(**{limit: 5}, on_unknown_cost="refuse")
        agent = create_agent(create_model(), middleware=[guard], checkpointer=InMemorySaver())
        for _ in range(2):
            caller.invoke(agent, QUESTION, config=THREAD)
        assert len(gateway.requests) == requests


@pytest.mark.parametrize(("minimum", "balance"), [(9.5, "9.5"), (-0.5, "-0.25")])
def test_run_continues_while_min_remaining_remains(
    caller, create_model, gateway, reply, minimum, balance
) -> None:
    """It ends below the minimum, not at it. A running call can overdraw an account."""
    gateway.script([reply(CALL, balance), reply("Two.", "-1")])
    guard = SegmindCreditsMiddleware(min_remaining=minimum)
    agent = create_agent(create_model(), [add], middleware=[guard])
    assert caller.invoke(agent, QUESTION)["messages"][-1].text == "Two."


def test_budget_is_per_run_and_thread_budget_per_thread(
    caller, create_model, gateway, reply
) -> None:
    """A checkpointer keeps the thread's costs; each run starts from 0."""
    gateway.script([reply("Two.", "9.75")] * 3)
    guard = SegmindCreditsMiddleware(budget=0.25, thread_budget=0.5)
    agent = create_agent(create_model(), [add], middleware=[guard], checkpointer=InMemorySaver())
    states = [caller.invoke(agent, QUESTION, config=THREAD) for _ in range(3)]
    assert [state["messages"][-1].text for state in states[:2]] == ["Two.", "Two."]
    assert "this thread's budget" in states[2]["messages"][-1].text
    assert states[2]["credits_spent"] == 0.5
    assert len(gateway.requests) == 2


def test_retries_are_in_the_costs(caller, create_model, gateway, reply) -> None:
    """Those of the model, and of a middleware that comes later in the list."""
    failed = {"status": 503, "headers": {"x-cost": "0.5", "retry-after": "0"}, "body": ""}
    gateway.script([failed, failed, reply("Two.", "9.5")])
    retry = ModelRetryMiddleware(max_retries=1, initial_delay=0, on_failure="error")
    agent = create_agent(
        create_model(max_retries=1), [add], middleware=[SegmindCreditsMiddleware(), retry]
    )
    assert caller.invoke(agent, QUESTION)["credits_spent"] == 1.25


def test_min_remaining_lets_a_run_start_after_a_top_up(
    caller, create_model, gateway, reply
) -> None:
    """The first call of a run is made whatever the last run's balance was."""
    gateway.script([reply("Two.", "0.5"), reply("Two.", "20")])
    guard = SegmindCreditsMiddleware(min_remaining=1)
    agent = create_agent(create_model(), [add], middleware=[guard], checkpointer=InMemorySaver())
    for _ in range(2):
        state = caller.invoke(agent, QUESTION, config=THREAD)
        assert state["messages"][-1].text == "Two."
    assert state["credits_remaining"] == 20


def test_streamed_updates_have_the_costs(caller, create_model, gateway, reply) -> None:
    """As an update of the model's node."""
    gateway.script([reply("Two.", "9.75")])
    agent = create_agent(create_model(), [add], middleware=[SegmindCreditsMiddleware()])
    updates = caller.stream(agent, QUESTION, stream_mode="updates")
    costs = {"credits_spent": 0.25, "run_credits_spent": 0.25, "credits_remaining": 9.75}
    assert costs in [
        {name: value for name, value in update.get("model", {}).items() if name in costs}
        for update in updates
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"budget": -1}, "budget must be", id="budget"),
        pytest.param({"thread_budget": "1"}, "thread_budget must be", id="thread_budget"),
        pytest.param({"min_remaining": "1"}, "min_remaining must be", id="min_remaining"),
        pytest.param({"exit_behavior": "explode"}, '"end" or "error"', id="exit_behavior"),
    ],
)
def test_invalid_limit_raises_value_error(arguments, message) -> None:
    """At construction, before anything is spent."""
    with pytest.raises(ValueError, match=message):
        SegmindCreditsMiddleware(**arguments)
