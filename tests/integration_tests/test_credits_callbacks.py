"""Whoever makes the calls, their cost is counted once, and a limit ends them before a request."""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.tracers._streaming import _StreamingCallbackHandler
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel

from langchain_segmind import (
    ChatSegmindGPT4Turbo,
    SegmindBudgetExceededError,
    SegmindCreditsCallbackHandler,
    SegmindError,
    SegmindOutputError,
    SegmindTimeoutError,
    SegmindUsage,
    get_segmind_credits_callback,
)
from tests.support.scripts import play, show_result, write_answer

SLUG = "gpt-4-turbo"
RATE_LIMITED = {"status": 429, "headers": {"retry-after": "0"}, "body": {"error": "Slow down."}}


def spent(gateway: Any) -> float:
    """Get what the gateway charged."""
    return float(Decimal(1_000) - gateway.credits())


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


AGENT_SCRIPT = {
    "1 + 1?": "[add(a=1, b=1)]",
    show_result("2", "add"): "Two.",
}


# --- Everything is counted, once ---


def use_batch(caller, model) -> int:
    """Make several calls at once."""
    caller.batch(model, ["a", "b", "c"])
    return 3


def use_chain(caller, model) -> int:
    """Make a call inside a chain."""
    caller.invoke(ChatPromptTemplate.from_template("Say {word}.") | model, {"word": "hello"})
    return 1


def use_stream(caller, model) -> int:
    """Read a reply as a stream."""
    assert caller.stream(model, "Hi")
    return 1


def use_agent(caller, model) -> int:
    """Let LangChain's agent call a tool."""
    caller.invoke(create_agent(model, [add]), {"messages": [HumanMessage("1 + 1?")]})
    return 2


def use_graph(caller, model) -> int:
    """Call the model in two nodes of LangGraph that run side by side."""

    class State(TypedDict):
        left: str
        right: str

    graph = StateGraph(State)
    for side in ("left", "right"):

        def node(state: State, side: str = side) -> dict[str, str]:
            return {side: str(model.invoke(side).text)}

        graph.add_node(f"{side} node", node)
        graph.add_edge(START, f"{side} node")
        graph.add_edge(f"{side} node", END)
    caller.invoke(graph.compile(), {"left": "", "right": ""})
    return 2


USES = pytest.mark.parametrize(
    "use", [use_batch, use_chain, use_stream, use_agent, use_graph], ids=lambda use: use.__name__
)


@USES
def test_a_block_counts_whatever_is_called_in_it(caller, create_model, gateway, use) -> None:
    """The sum is what the gateway charged; the balance is the one that it has."""
    gateway.script(play(AGENT_SCRIPT) if use is use_agent else lambda request: "Fine.")
    with get_segmind_credits_callback() as credits_:
        calls = use(caller, create_model())
    assert credits_.total.calls == calls == len(gateway.requests)
    assert credits_.total.cost == pytest.approx(spent(gateway)) != 0
    assert credits_.remaining_credits == float(gateway.credits())
    assert credits_.lowest_remaining_credits == credits_.remaining_credits
    assert not credits_.total.is_cost_estimated
    assert list(credits_.by_model) == [SLUG]


@USES
def test_a_handler_counts_where_it_is_passed(caller, create_model, gateway, use) -> None:
    """One that the model carries is there in every call."""
    gateway.script(play(AGENT_SCRIPT) if use is use_agent else lambda request: "Fine.")
    handler = SegmindCreditsCallbackHandler()
    calls = use(caller, create_model(callbacks=[handler]))
    assert handler.total.calls == calls
    assert handler.total.cost == pytest.approx(spent(gateway))


def test_a_call_that_is_seen_on_two_ways_counts_once(caller, create_model) -> None:
    """The same handler may be passed, carried and open at once."""
    with get_segmind_credits_callback() as credits_:
        model = create_model(callbacks=[credits_])
        caller.invoke(model, "Hi", config={"callbacks": [credits_]})
    assert credits_.total.calls == 1


def test_a_stream_counts_for_the_handlers_that_it_is_passed(caller, create_model) -> None:
    """And the next one, without them, does not, in the same thread or task."""
    model, handlers = create_model(), [SegmindCreditsCallbackHandler() for _ in range(2)]

    def stream(*passed: SegmindCreditsCallbackHandler) -> None:
        assert caller.stream(model, "Hi", config={"callbacks": list(passed)})

    stream(*handlers)
    stream()
    stream(handlers[1])
    assert [handler.total.calls for handler in handlers] == [1, 2]


async def test_streams_side_by_side_count_for_their_own_handlers(create_model) -> None:
    """Also in one task, where the first has not come to its end."""
    model, handlers = create_model(), [SegmindCreditsCallbackHandler() for _ in range(2)]
    streams = [model.astream("Hi", config={"callbacks": [handler]}) for handler in handlers]
    for parts in streams:
        await anext(parts)
    async for _ in model.astream("Hi"):
        pass
    for parts in streams:
        assert [part async for part in parts] == []
    assert [handler.total.calls for handler in handlers] == [1, 1]


def test_an_agent_that_is_streamed_counts(caller, create_model, gateway) -> None:
    """LangGraph turns the model's calls into streams then."""
    gateway.script(play(AGENT_SCRIPT))
    handler = SegmindCreditsCallbackHandler()
    agent = create_agent(create_model(), [add])
    question = {"messages": [HumanMessage("1 + 1?")]}
    config = {"callbacks": [handler]}
    assert caller.stream(agent, question, config=config, stream_mode="messages")
    assert handler.total.calls == len(gateway.requests) == 2


def test_blocks_in_blocks_all_count(caller, create_model) -> None:
    """Each counts what happens while it is open."""
    model = create_model()
    with get_segmind_credits_callback() as outer:
        caller.invoke(model, "one")
        with get_segmind_credits_callback() as inner:
            caller.invoke(model, "two")
        caller.invoke(model, "three")
    caller.invoke(model, "four")
    assert (outer.total.calls, inner.total.calls) == (3, 1)


def test_a_block_ends_where_an_error_leaves_it(create_model) -> None:
    """What is called after it is not counted."""
    model = create_model()
    with pytest.raises(ZeroDivisionError), get_segmind_credits_callback() as credits_:
        raise ZeroDivisionError
    model.invoke("Hi")
    assert credits_.total.calls == 0


async def test_concurrent_blocks_know_only_their_own_calls(create_model) -> None:
    """Two tasks on one event loop each have a block."""
    model = create_model()

    async def work(calls: int) -> SegmindUsage:
        with get_segmind_credits_callback() as credits_:
            await model.abatch(["Hi"] * calls)
        return credits_.total

    totals = await asyncio.gather(work(2), work(5))
    assert [total.calls for total in totals] == [2, 5]


def test_threads_count_in_a_block_whose_context_they_are_given(create_model) -> None:
    """A thread without it counts by a handler that it is passed."""
    model = create_model()
    with get_segmind_credits_callback() as credits_:
        config = {"callbacks": [credits_]}
        works = [
            lambda: contextvars.copy_context().run(model.invoke, "not seen"),
            lambda: model.invoke("seen", config=config),
        ]
        context = contextvars.copy_context()
        works.append(lambda: context.run(model.invoke, "seen"))
        threads = [threading.Thread(target=work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert credits_.total.calls == 2


def test_each_model_has_a_sum_of_its_own(caller, create_model, gateway) -> None:
    """The name is the slug that was called, also where a call names another one."""
    model = create_model()
    with get_segmind_credits_callback() as credits_:
        caller.invoke(model, "Hi")
        caller.invoke(model, "Hi", model="gpt-4o")
        caller.invoke(FakeListChatModel(responses=["I am no model of Segmind's."]), "Hi")
    assert {name: usage.calls for name, usage in credits_.by_model.items()} == {
        SLUG: 1,
        "gpt-4o": 1,
    }
    assert credits_.total == credits_.by_model[SLUG] + credits_.by_model["gpt-4o"]


def test_a_cached_reply_costs_nothing_and_is_no_call(caller, create_model, gateway) -> None:
    """It passes a guard too: it spends nothing."""
    model = create_model(cache=InMemoryCache())
    caller.invoke(model, "Hi")
    with get_segmind_credits_callback(budget=0) as credits_:
        caller.invoke(model, "Hi")
    assert credits_.total == SegmindUsage()
    assert len(gateway.requests) == 1


# --- What a call takes beyond its reply ---


def test_what_is_sent_again_is_counted(caller, create_model, gateway) -> None:
    """One call, three requests, one of them paid."""
    gateway.script(
        [RATE_LIMITED, RATE_LIMITED, write_answer(x_cost="0.25", x_remaining_credits="9")]
    )
    with get_segmind_credits_callback() as credits_:
        caller.invoke(create_model(), "Hi")
    assert credits_.total == SegmindUsage(
        calls=1, retried_requests=2, input_tokens=10, output_tokens=5, cost=0.25
    )


def test_what_is_sent_again_in_a_stream_is_counted(caller, create_model, gateway) -> None:
    """LangChain tells no handler of retries there."""
    gateway.script([RATE_LIMITED, write_answer(x_cost="0.25")])
    with get_segmind_credits_callback() as credits_:
        assert caller.stream(create_model(), "Hi")
    assert credits_.total.retried_requests == 1


class Joke(BaseModel):
    """A joke."""

    setup: str


def test_replies_that_could_not_be_used_were_paid(caller, create_model, gateway) -> None:
    """The call fails, and what both of its requests cost is known."""
    gateway.script([write_answer("No.", x_cost="0.25"), write_answer("Never.", x_cost="0.5")])
    teller = create_model().with_structured_output(Joke)
    with get_segmind_credits_callback() as credits_, pytest.raises(SegmindOutputError):
        caller.invoke(teller, "Tell me a joke.")
    assert credits_.total == SegmindUsage(
        calls=1, retried_requests=1, input_tokens=20, output_tokens=10, cost=0.75
    )


def test_an_odd_reply_was_paid(caller, create_model, gateway) -> None:
    """Success without a completion raises, and its price is known."""
    gateway.script([{"status": 200, "headers": {"x-cost": "0.25"}, "body": "<html>"}])
    with get_segmind_credits_callback() as credits_, pytest.raises(SegmindError):
        caller.invoke(create_model(), "Hi")
    assert credits_.total.cost == 0.25


def test_errors_tell_the_balance(caller, create_model, gateway) -> None:
    """A refusal costs nothing."""
    gateway.script([{"status": 406, "headers": {"x-remaining-credits": "0.5"}, "body": "No."}])
    with get_segmind_credits_callback() as credits_, pytest.raises(SegmindError):
        caller.invoke(create_model(), "Hi")
    assert (credits_.remaining_credits, credits_.total) == (0.5, SegmindUsage(calls=1))


def test_without_a_price_the_balance_tells_it(caller, create_model, gateway) -> None:
    """The sum is marked as an estimate."""
    gateway.script([write_answer(x_remaining_credits=left) for left in ("10", "9.5", "9.25")])
    with get_segmind_credits_callback() as credits_:
        for _ in range(3):
            caller.invoke(create_model(), "Hi")
    assert (credits_.total.cost, credits_.total.is_cost_estimated) == (0.75, True)


def test_a_negative_price_is_none(caller, create_model, gateway) -> None:
    """It would let the budget grow."""
    gateway.script([write_answer(x_cost="-5")])
    with get_segmind_credits_callback() as credits_:
        caller.invoke(create_model(), "Hi")
    assert credits_.total.cost == 0


def test_a_call_that_is_not_answered_in_time_is_marked(caller, create_model, gateway) -> None:
    """It may have been paid for; the next balance tells."""
    gateway.faults("ok,latency:60,ok")
    gateway.script(
        [write_answer(x_cost="0.25", x_remaining_credits=left) for left in ("9.75", "9")]
    )
    model = create_model(max_retries=0)
    with get_segmind_credits_callback() as credits_:
        caller.invoke(model, "Hi")
        with pytest.raises(SegmindTimeoutError):
            caller.invoke(model, "Hi", timeout=0.2)
        assert credits_.total == SegmindUsage(
            calls=2, input_tokens=10, output_tokens=5, cost=0.25, is_cost_estimated=True
        )
        caller.invoke(model, "Hi")
    assert credits_.total.cost == 1.0


def test_a_call_that_reached_nobody_cost_nothing(caller) -> None:
    """There was no connection."""
    model = ChatSegmindGPT4Turbo(api_key="fake", base_url="http://127.0.0.1:9/v1", max_retries=0)
    with get_segmind_credits_callback() as credits_, pytest.raises(SegmindError):
        caller.invoke(model, "Hi")
    assert not credits_.total.is_cost_estimated


async def test_a_stream_that_never_began_leaves_no_handler_behind(create_model) -> None:
    """LangChain tells nobody of its end: the rate limiter is asked outside of all that."""
    model = create_model(rate_limiter=FullLimiter())
    handler = SegmindCreditsCallbackHandler()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            async for part in model.astream("Hi", config={"callbacks": [handler]}):
                pytest.fail(f"The limiter lets nobody pass, but there is {part}.")
    free = create_model()
    await free.ainvoke("Hi")
    assert [part async for part in free.astream("Hi")]
    assert handler.total.calls == 0


class FullLimiter(BaseRateLimiter):
    """Lets nobody pass."""

    def acquire(self, *, blocking: bool = True) -> bool:
        return False

    async def aacquire(self, *, blocking: bool = True) -> bool:
        await asyncio.Event().wait()
        return False


async def test_a_stream_that_is_read_later_has_its_own_handlers(create_model) -> None:
    """Another one, of the same task, failed between its making and its reading."""
    stream = create_model().astream("Hi")
    guard = SegmindCreditsCallbackHandler(budget=0)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            model = create_model(rate_limiter=FullLimiter())
            await anext(model.astream("Hi", config={"callbacks": [guard]}))
    assert [part async for part in stream]


def test_a_model_of_another_provider_that_waits_is_not_taken_for_ours(create_model) -> None:
    """Its stream is read while ours is called."""
    handler = SegmindCreditsCallbackHandler()
    other = FakeListChatModel(responses=["several letters"])
    for _ in other.stream("Hi", config={"callbacks": [handler]}):
        create_model().invoke("Hi")
    assert handler.total.calls == 0


def test_several_prompts_that_become_streams_all_count(caller, create_model) -> None:
    """A handler that reads tokens turns `generate` into streams."""

    class Reader(BaseCallbackHandler, _StreamingCallbackHandler):
        """Reads tokens."""

        def tap_output_iter(self, run_id, output):
            return output

        def tap_output_aiter(self, run_id, output):
            return output

    handler = SegmindCreditsCallbackHandler()
    prompts = [[HumanMessage(word)] for word in ("one", "two", "three")]
    caller.generate(create_model(), prompts, callbacks=[handler, Reader()])
    assert handler.total.calls == 3


def test_a_block_may_end_in_another_context_than_it_began() -> None:
    """As in a generator that a web framework closes."""

    def generate() -> Iterator[SegmindCreditsCallbackHandler]:
        with get_segmind_credits_callback() as credits_:
            yield credits_

    generator = contextvars.copy_context().run(lambda: (made := generate(), next(made))[0])
    generator.close()


# --- The low-water mark ---


def test_running_low_is_told_once_for_each_crossing(caller, create_model, gateway) -> None:
    """A top-up in between makes it a new one."""
    balances = ["3", "1.5", "1", "5", "1.9", "2"]
    gateway.script([write_answer(x_remaining_credits=balance) for balance in balances])
    told: list[float] = []

    def listen(handler: SegmindCreditsCallbackHandler, remaining: float) -> None:
        assert handler.remaining_credits == remaining
        told.append(remaining)

    with get_segmind_credits_callback(low_credits=2, on_low_credits=listen):
        for _ in balances:
            caller.invoke(create_model(), "Hi")
    assert told == [1.5, 1.9]


def test_running_low_is_told_where_the_first_balance_is_low(caller, create_model, gateway) -> None:
    """Who begins below the mark is told so."""
    gateway.script([write_answer(x_remaining_credits="0.5")])
    told: list[float] = []
    low = SegmindCreditsCallbackHandler(
        low_credits=2, on_low_credits=lambda handler, remaining: told.append(remaining)
    )
    caller.invoke(create_model(), "Hi", config={"callbacks": [low]})
    assert told == [0.5]


def test_a_listener_that_fails_fails_no_call(caller, create_model, gateway, caplog) -> None:
    """The call was paid for; the failure is in the log."""
    gateway.script([write_answer("Paid.", x_remaining_credits="0.5")])

    def fail(handler: SegmindCreditsCallbackHandler, remaining: float) -> None:
        raise ZeroDivisionError

    with get_segmind_credits_callback(low_credits=2, on_low_credits=fail):
        assert caller.invoke(create_model(), "Hi").text == "Paid."
    assert "on_low_credits failed" in caplog.text


# --- The guard ---


def test_a_call_past_the_budget_is_not_sent(caller, create_model, gateway) -> None:
    """The error says what was spent, and that it is no use to try again."""
    gateway.script([write_answer(x_cost="0.25", x_remaining_credits="9.5")] * 3)
    with get_segmind_credits_callback(budget=0.5) as credits_:
        for _ in range(2):
            caller.invoke(create_model(), "Hi")
        with pytest.raises(SegmindBudgetExceededError) as caught:
            caller.invoke(create_model(), "Hi")
    assert len(gateway.requests) == credits_.total.calls == 2
    error = caught.value
    assert (error.spent, error.budget, error.remaining_credits) == (0.5, 0.5, 9.5)
    assert not error.is_retryable
    assert "the budget of 0.5 credits is used up (0.5 spent)" in str(error)


def test_a_call_below_the_reserve_is_not_sent(caller, create_model, gateway) -> None:
    """The first call is sent: nobody knows the balance before."""
    gateway.script([write_answer(x_remaining_credits="0.75")] * 2)
    with get_segmind_credits_callback(min_remaining=1):
        caller.invoke(create_model(), "Hi")
        with pytest.raises(SegmindBudgetExceededError, match=r"0\.75 credits remain") as caught:
            caller.invoke(create_model(), "Hi")
    assert (caught.value.min_remaining, len(gateway.requests)) == (1, 1)


def test_a_refused_call_is_seen_by_traces_as_failed(caller, create_model) -> None:
    """Other handlers see the start and the error of the same run."""
    collector = RunCollectorCallbackHandler()
    with get_segmind_credits_callback(budget=0), pytest.raises(SegmindBudgetExceededError):
        caller.invoke(create_model(), "Hi", config={"callbacks": [collector]})
    assert "SegmindBudgetExceededError" in str(collector.traced_runs[0].error)


def test_an_agent_ends_at_its_budget(caller, create_model, gateway) -> None:
    """The run raises the error of the call that was not sent."""
    gateway.script(lambda request: "[add(a=1, b=1)]")
    agent = create_agent(create_model(), [add])
    with (
        get_segmind_credits_callback(budget=0.01) as credits_,
        pytest.raises(SegmindBudgetExceededError),
    ):
        caller.invoke(agent, {"messages": [HumanMessage("1 + 1?")]}, {"recursion_limit": 1_000})
    assert 0.01 <= credits_.total.cost < 0.01 + 0.01
    assert credits_.total.calls == len(gateway.requests) > 1


def test_running_calls_finish_and_bound_what_is_spent_beyond(create_model, gateway) -> None:
    """64 workers share a budget: beyond it is spent at most what 64 calls cost."""
    workers, price = 64, 0.25
    gateway.script(lambda request: write_answer(x_cost=str(price)))
    model = create_model()
    handler = SegmindCreditsCallbackHandler(budget=20)

    def work() -> None:
        with contextlib.suppress(SegmindBudgetExceededError):
            while True:
                model.invoke("Hi", config={"callbacks": [handler]})

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 20 <= handler.total.cost <= 20 + workers * price
    assert handler.total.cost == len(gateway.requests) * price


async def test_concurrent_calls_on_one_loop_share_a_budget(create_model, gateway) -> None:
    """Those that began are answered, the rest is refused."""
    gateway.script(lambda request: write_answer(x_cost="0.25"))
    with get_segmind_credits_callback(budget=5) as credits_:
        replies = await create_model().abatch(
            ["Hi"] * 100, config={"max_concurrency": 8}, return_exceptions=True
        )
    answered = [reply for reply in replies if isinstance(reply, AIMessage)]
    refused = [reply for reply in replies if isinstance(reply, SegmindBudgetExceededError)]
    assert len(answered) + len(refused) == 100
    assert 20 <= len(answered) == len(gateway.requests) <= 20 + 8
    assert credits_.total.cost == len(answered) * 0.25
