"""An agent stops at its budget, and its state says what it spent."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from langchain_segmind import SegmindBudgetExceededError
from langchain_segmind.middleware import SegmindCreditsMiddleware
from tests.support.scripts import write_answer

THREAD = {"configurable": {"thread_id": "1"}}
QUESTION = {"messages": [HumanMessage("1 + 1?")]}
CALL = "[add(a=1, b=1)]"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def reply(text: str, left: str) -> dict[str, Any]:
    """Write a reply that costs a quarter of a credit."""
    return write_answer(text, x_cost="0.25", x_remaining_credits=left)


def test_the_state_says_what_was_spent_and_what_remains(caller, create_model, gateway) -> None:
    """Retries and all calls of the run are in it."""
    gateway.script([reply(CALL, "9.75"), reply("Two.", "9.5")])
    agent = create_agent(create_model(), [add], middleware=[SegmindCreditsMiddleware()])
    state = caller.invoke(agent, QUESTION)
    assert state["messages"][-1].text == "Two."
    assert (state["credits_spent"], state["credits_remaining"]) == (0.5, 9.5)
    assert state["run_credits_spent"] == 0.5


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        pytest.param(
            {"budget": 0.5}, "the budget of 0.5 credits is used up (0.5 spent).", id="a budget"
        ),
        pytest.param({"thread_budget": 0.5}, "this thread's budget of 0.5", id="a thread's"),
        pytest.param(
            {"min_remaining": 9.6},
            "Stopped: only 9.5 credits remain (minimum 9.6).",
            id="a reserve",
        ),
    ],
)
def test_a_run_ends_gracefully_at_a_limit(caller, create_model, gateway, limits, told) -> None:
    """The last message says why; the tools that were called have answered."""
    gateway.script([reply(CALL, "9.75"), reply(CALL, "9.5"), reply(CALL, "9.25")])
    agent = create_agent(create_model(), [add], middleware=[SegmindCreditsMiddleware(**limits)])
    state = caller.invoke(agent, QUESTION)
    last = state["messages"][-1]
    assert isinstance(last, AIMessage)
    assert told in last.text
    assert last.tool_calls == []
    assert state["messages"][-2].type == "tool"
    assert len(gateway.requests) == 2


@pytest.mark.parametrize("limit", ["budget", "thread_budget"])
def test_a_run_ends_with_the_error_where_that_is_asked_for(
    caller, create_model, gateway, limit
) -> None:
    """It is the error of the guard, with its figures."""
    gateway.script([reply(CALL, "9.75")] * 2)
    guard = SegmindCreditsMiddleware(**{limit: 0.25}, exit_behavior="error")
    agent = create_agent(create_model(), [add], middleware=[guard])
    with pytest.raises(SegmindBudgetExceededError, match=r"budget of 0\.25") as caught:
        caller.invoke(agent, QUESTION)
    error = caught.value
    assert (error.spent, error.budget, error.remaining_credits) == (0.25, 0.25, 9.75)
    assert len(gateway.requests) == 1


def test_a_budget_is_for_one_run_and_a_threads_for_all(caller, create_model, gateway) -> None:
    """With a checkpointer, the thread's sum goes on and the run's begins anew."""
    gateway.script([reply("Two.", "9.75")] * 3)
    guard = SegmindCreditsMiddleware(budget=0.25, thread_budget=0.5)
    agent = create_agent(create_model(), [add], middleware=[guard], checkpointer=InMemorySaver())
    states = [caller.invoke(agent, QUESTION, config=THREAD) for _ in range(3)]
    assert [state["messages"][-1].text for state in states[:2]] == ["Two.", "Two."]
    assert "this thread's budget" in states[2]["messages"][-1].text
    assert states[2]["credits_spent"] == 0.5
    assert len(gateway.requests) == 2


def test_requests_that_are_sent_again_are_counted(caller, create_model, gateway) -> None:
    """Whether the model sends them again, or another middleware."""
    failed = {"status": 503, "headers": {"x-cost": "0.5", "retry-after": "0"}, "body": ""}
    gateway.script([failed, failed, reply("Two.", "9.5")])
    retry = ModelRetryMiddleware(max_retries=1, initial_delay=0, on_failure="error")
    agent = create_agent(
        create_model(max_retries=1), [add], middleware=[SegmindCreditsMiddleware(), retry]
    )
    assert caller.invoke(agent, QUESTION)["credits_spent"] == 1.25


def test_a_reserve_does_not_outlast_a_top_up(caller, create_model, gateway) -> None:
    """The first call of a run tells how many credits there are."""
    gateway.script([reply("Two.", "0.5"), reply("Two.", "20")])
    guard = SegmindCreditsMiddleware(min_remaining=1)
    agent = create_agent(create_model(), [add], middleware=[guard], checkpointer=InMemorySaver())
    for _ in range(2):
        state = caller.invoke(agent, QUESTION, config=THREAD)
        assert state["messages"][-1].text == "Two."
    assert state["credits_remaining"] == 20


def test_streams_carry_the_sums(caller, create_model, gateway) -> None:
    """They are a part of the updates."""
    gateway.script([reply("Two.", "9.75")])
    agent = create_agent(create_model(), [add], middleware=[SegmindCreditsMiddleware()])
    updates = caller.stream(agent, QUESTION, stream_mode="updates")
    assert any("credits_spent" in str(update) for update in updates)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param({"budget": -1}, "budget must be", id="a negative budget"),
        pytest.param({"thread_budget": "1"}, "thread_budget must be", id="a text"),
        pytest.param({"exit_behavior": "explode"}, '"end" or "error"', id="no way to end"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(arguments, told) -> None:
    """It is refused where it is written."""
    with pytest.raises(ValueError, match=told):
        SegmindCreditsMiddleware(**arguments)
