"""Every call is counted once, however it is made, and limits refuse calls before a request."""

import asyncio
import contextlib
import contextvars
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

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
from langgraph.graph import START, MessagesState, StateGraph

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
from tests.support.scripts import ADDING, add, ask, play

pytestmark = pytest.mark.every_format

RATE_LIMITED = {"status": 429, "headers": {"retry-after": "0"}, "body": {"error": "Slow down."}}


# --- Every call is counted once ---


def use_batch(caller, model) -> int:
    """Make three concurrent calls."""
    return len(caller.batch(model, ["a", "b", "c"]))


def use_chain(caller, model) -> int:
    """Make a call inside a chain."""
    caller.invoke(ChatPromptTemplate.from_template("Say {word}.") | model, {"word": "hello"})
    return 1


def use_stream(caller, model) -> int:
    """Read a reply as a stream."""
    assert caller.stream(model, "Hi")
    return 1


def use_agent(caller, model) -> int:
    """Run an agent that calls a tool."""
    caller.invoke(create_agent(model, [add]), ask("1 + 1?"))
    return 2


def use_graph(caller, model) -> int:
    """Call the model in two concurrent nodes of a LangGraph graph."""
    graph = StateGraph(MessagesState)
    for name in ("left", "right"):
        graph.add_node(name, lambda state: {"messages": model.invoke("Hi")})
        graph.add_edge(START, name)
    caller.invoke(graph.compile(), ask("Hi"))
    return 2


def use_streamed_agent(caller, model) -> int:
    """Stream an agent in LangGraph's `messages` mode, which turns model calls into streams."""
    assert caller.stream(create_agent(model, [add]), ask("1 + 1?"), stream_mode="messages")
    return 2


USES = [use_batch, use_chain, use_stream, use_agent, use_graph, use_streamed_agent]


@pytest.mark.parametrize("use", USES)
def test_every_kind_of_call_is_counted(caller, create_model, gateway, slug, use) -> None:
    """By a handler, and only once by one passed twice; cost and balance are the gateway's."""
    gateway.script(play(ADDING) if "agent" in use.__name__ else lambda request: "Fine.")
    handler = SegmindCreditsCallbackHandler()
    with get_segmind_credits_callback() as credits_:
        calls = use(caller, create_model(callbacks=[handler, credits_]))
    assert credits_.total == handler.total
    assert credits_.total.calls == calls == len(gateway.requests)
    assert credits_.total.cost == pytest.approx(1_000 - float(gateway.credits())) != 0
    assert credits_.remaining_credits == float(gateway.credits())
    assert credits_.lowest_remaining_credits == credits_.remaining_credits
    assert not credits_.total.is_cost_estimated
    assert list(credits_.by_model) == [slug]


def test_stream_counts_only_for_its_own_handlers(caller, create_model) -> None:
    """Handlers do not stay behind for the next stream of the same thread or task."""
    model, handlers = create_model(), [SegmindCreditsCallbackHandler() for _ in range(2)]

    def stream(*passed: SegmindCreditsCallbackHandler) -> None:
        assert caller.stream(model, "Hi", config={"callbacks": list(passed)})

    stream(*handlers)
    stream()
    stream(handlers[1])
    assert [handler.total.calls for handler in handlers] == [1, 2]


async def test_interleaved_streams_count_for_their_own_handlers(create_model) -> None:
    """In one task, before any of them has ended."""
    model, handlers = create_model(), [SegmindCreditsCallbackHandler() for _ in range(2)]
    streams = [model.astream("Hi", config={"callbacks": [handler]}) for handler in handlers]
    for parts in streams:
        await anext(parts)
    async for _ in model.astream("Hi"):
        pass
    for parts in streams:
        assert [part.text async for part in parts] == [""]
    assert [handler.total.calls for handler in handlers] == [1, 1]


def test_blocks_count_the_calls_made_while_they_are_open(caller, create_model) -> None:
    """Nested ones too, until their end or an error that leaves them."""
    model = create_model()
    with get_segmind_credits_callback() as outer:
        caller.invoke(model, "one")
        with contextlib.suppress(ZeroDivisionError), get_segmind_credits_callback() as inner:
            caller.invoke(model, "two")
            raise ZeroDivisionError
        caller.invoke(model, "three")
    caller.invoke(model, "four")
    assert (outer.total.calls, inner.total.calls) == (3, 1)


async def test_concurrent_blocks_count_only_their_own_calls(create_model) -> None:
    """In two tasks on one event loop."""
    model = create_model()

    async def work(calls: int) -> SegmindUsage:
        with get_segmind_credits_callback() as credits_:
            await model.abatch(["Hi"] * calls)
        return credits_.total

    totals = await asyncio.gather(work(2), work(5))
    assert [total.calls for total in totals] == [2, 5]


def test_threads_are_counted_if_they_get_the_context_or_the_handler(create_model) -> None:
    """A thread with neither is outside the block."""
    model = create_model()
    with get_segmind_credits_callback() as credits_, ThreadPoolExecutor() as pool:
        pool.submit(model.invoke, "not counted").result()
        pool.submit(model.invoke, "counted", config={"callbacks": [credits_]}).result()
        pool.submit(contextvars.copy_context().run, model.invoke, "counted").result()
    assert credits_.total.calls == 2


def test_usage_is_kept_by_slug(caller, create_model, gateway, slug) -> None:
    """By the slug of the call, if it overrides the model's. Other providers are not counted."""
    model = create_model()
    with get_segmind_credits_callback() as credits_:
        caller.invoke(model, "Hi")
        caller.invoke(model, "Hi", model="gpt-4o")
        caller.invoke(FakeListChatModel(responses=["Hello."]), "Hi")
    calls = {name: usage.calls for name, usage in credits_.by_model.items()}
    assert calls == {slug: 1, "gpt-4o": 1}
    assert credits_.total == credits_.by_model[slug] + credits_.by_model["gpt-4o"]


def test_cached_reply_is_free_and_not_refused(caller, create_model, gateway) -> None:
    """A budget of 0 lets it through, and it is not counted as a call."""
    model = create_model(cache=InMemoryCache())
    caller.invoke(model, "Hi")
    with get_segmind_credits_callback(budget=0) as credits_:
        caller.invoke(model, "Hi")
    assert credits_.total == SegmindUsage()
    assert len(gateway.requests) == 1


# --- Retries, errors and missing prices ---


@pytest.mark.parametrize("method", ["invoke", "stream"])
def test_retries_are_counted(caller, create_model, gateway, write_answer, method) -> None:
    """One call, three requests, one of them billed; LangChain fires no `on_retry` for a stream."""
    gateway.script([RATE_LIMITED, RATE_LIMITED, write_answer(x_cost="0.25")])
    with get_segmind_credits_callback() as credits_:
        assert getattr(caller, method)(create_model(), "Hi")
    assert credits_.total == SegmindUsage(
        calls=1, retried_requests=2, input_tokens=10, output_tokens=5, cost=0.25
    )


def test_unusable_replies_are_counted(caller, create_model, gateway, write_answer) -> None:
    """The call fails after two requests, and both are charged."""
    gateway.script([write_answer("No.", x_cost="0.25"), write_answer("Never.", x_cost="0.5")])
    model = create_model().bind_tools([add], tool_choice="any")
    with get_segmind_credits_callback() as credits_, pytest.raises(SegmindOutputError):
        caller.invoke(model, "Hi")
    assert credits_.total == SegmindUsage(
        calls=1, retried_requests=1, input_tokens=20, output_tokens=10, cost=0.75
    )


@pytest.mark.parametrize(
    ("status", "headers", "cost", "remaining"),
    [
        pytest.param(200, {"x-cost": "0.25"}, 0.25, None, id="a success"),
        pytest.param(200, {"x-cost": "-5"}, 0, None, id="a negative price"),
        pytest.param(406, {"x-remaining-credits": "0.5"}, 0, 0.5, id="an error"),
    ],
)
def test_reply_without_a_completion_is_counted(
    caller, create_model, gateway, status, headers, cost, remaining
) -> None:
    """The call raises, but its price and balance are read; a negative price is ignored."""
    gateway.script([{"status": status, "headers": headers, "body": "<html>"}])
    with get_segmind_credits_callback() as credits_, pytest.raises(SegmindError):
        caller.invoke(create_model(), "Hi")
    assert (credits_.total.calls, credits_.total.cost) == (1, cost)
    assert credits_.remaining_credits == remaining


def test_missing_price_is_estimated_from_the_balance(
    caller, create_model, gateway, write_answer
) -> None:
    """The total is marked as an estimate."""
    gateway.script([write_answer(x_remaining_credits=left) for left in ("10", "9.5", "9.25")])
    with get_segmind_credits_callback() as credits_:
        for _ in range(3):
            caller.invoke(create_model(), "Hi")
    assert (credits_.total.cost, credits_.total.is_cost_estimated) == (0.75, True)


def test_timeout_is_charged_by_the_next_balance(
    caller, create_model, gateway, write_answer
) -> None:
    """It may have been billed, so the cost is marked as an estimate."""
    gateway.faults("ok,latency:60,ok")
    gateway.script([write_answer(x_cost="0.25", x_remaining_credits=x) for x in ("9.75", "9")])
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


@pytest.mark.parametrize(("status", "cost"), [(408, 1.0), (504, 1.0), (524, 1.0), (503, 0.5)])
def test_timeout_status_is_charged_by_the_next_balance(
    caller, create_model, gateway, write_answer, status, cost
) -> None:
    """The model may have run behind a server that gave up waiting; other errors are free."""
    replies = [write_answer(x_cost="0.25", x_remaining_credits=left) for left in ("9.75", "9")]
    gateway.script([replies[0], {"status": status, "body": ""}, replies[1]])
    model = create_model(max_retries=0)
    with get_segmind_credits_callback() as credits_:
        caller.invoke(model, "Hi")
        with pytest.raises(SegmindError):
            caller.invoke(model, "Hi")
        caller.invoke(model, "Hi")
    assert credits_.total.cost == cost
    assert credits_.total.is_cost_estimated == (cost > 0.5)


def test_failed_connection_is_not_counted(caller) -> None:
    """No request was sent: no call is counted, and no cost is estimated."""
    model = ChatSegmindGPT4Turbo(api_key="fake", base_url="http://127.0.0.1:9/v1", max_retries=0)
    with get_segmind_credits_callback() as credits_, pytest.raises(SegmindError):
        caller.invoke(model, "Hi")
    assert credits_.total == SegmindUsage()


class BrokenLimiter(BaseRateLimiter):
    """A rate limiter that fails."""

    def acquire(self, *, blocking: bool = True) -> bool:
        raise ConnectionError

    async def aacquire(self, *, blocking: bool = True) -> bool:
        raise ConnectionError


async def test_stream_that_fails_before_its_request_leaves_no_handler_behind(create_model) -> None:
    """For calls and streams of the same task; LangChain fires no end event then."""
    handler = SegmindCreditsCallbackHandler(budget=0)
    failing, working = create_model(rate_limiter=BrokenLimiter()), create_model()
    created_before = working.astream("Hi")
    with pytest.raises(ConnectionError):
        await anext(failing.astream("Hi", config={"callbacks": [handler]}))
    await working.ainvoke("Hi")
    for stream in (created_before, working.astream("Hi")):
        assert [part async for part in stream]
    assert handler.total.calls == 0


def test_handler_of_another_providers_stream_does_not_count(create_model) -> None:
    """Segmind calls made while that stream is read are not its calls."""
    handler = SegmindCreditsCallbackHandler()
    other = FakeListChatModel(responses=["Hey"])
    for _ in other.stream("Hi", config={"callbacks": [handler]}):
        create_model().invoke("Hi")
        assert list(create_model().stream("Hi"))
    assert handler.total.calls == 0


def test_prompts_that_generate_streams_are_all_counted(caller, create_model) -> None:
    """A handler that reads tokens turns each prompt of `generate` into a stream."""

    class Reader(BaseCallbackHandler, _StreamingCallbackHandler):
        """A handler that reads tokens."""

        def tap_output_iter(self, run_id, output):
            return output

        def tap_output_aiter(self, run_id, output):
            return output

    handler = SegmindCreditsCallbackHandler()
    prompts = [[HumanMessage(word)] for word in ("one", "two", "three")]
    caller.generate(create_model(), prompts, callbacks=[handler, Reader()])
    assert handler.total.calls == 3


def test_overlapping_event_streams_keep_their_own_handlers(create_model) -> None:
    """A stream of events starts when it is read, not when it is created."""
    handler = SegmindCreditsCallbackHandler()
    model = create_model()
    first = model.stream_events("one", {"callbacks": [handler]}, version="v3")
    second = model.stream_events("two", version="v3")
    assert (str(first.text), str(second.text)) == ("one", "two")
    assert handler.total.calls == 1


class Guard(BaseCallbackHandler):
    """A handler that asks a model about each call."""

    run_inline = True

    def __init__(self, model: ChatSegmindGPT4Turbo) -> None:
        self.model = model

    def on_chat_model_start(self, *_: object, **__: object) -> None:
        self.model.invoke("Is this fine?")


@pytest.mark.parametrize("hits", [1, 2, 9])
def test_cached_calls_in_the_callbacks_of_a_call_hide_no_handler(create_model, hits) -> None:
    """However many there are: each call is counted, so a budget holds."""
    cached = create_model(cache=InMemoryCache())
    cached.invoke("warm")

    class Guard(BaseCallbackHandler):
        is_busy = False

        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            if not self.is_busy:
                self.is_busy = True
                for _ in range(hits):
                    cached.invoke("warm")
                self.is_busy = False

    model, credits_ = create_model(), SegmindCreditsCallbackHandler()
    for number in range(12):
        model.invoke(f"Hi {number}", config={"callbacks": [credits_, Guard()]})
    assert credits_.total.calls == 12


@pytest.mark.parametrize("is_last", [True, False], ids=["guard last", "guard first"])
@pytest.mark.parametrize("method", ["invoke", "stream"])
def test_call_within_the_callbacks_of_a_call_does_not_take_its_handlers(
    caller, create_model, method, is_last
) -> None:
    """The outer call counts; the inner one has no handler."""
    handler = SegmindCreditsCallbackHandler()
    callbacks = [handler, Guard(create_model())][:: 1 if is_last else -1]
    for _ in range(2):
        getattr(caller, method)(create_model(), "Hi", {"callbacks": callbacks})
    assert handler.total.calls == 2


def test_block_can_end_in_another_context() -> None:
    """A web framework can close a generator in another one; this raises no error."""

    def generate() -> Iterator[SegmindCreditsCallbackHandler]:
        with get_segmind_credits_callback() as credits_:
            yield credits_

    generator = contextvars.copy_context().run(lambda: (made := generate(), next(made))[0])
    generator.close()


# --- Low credits ---


def test_on_low_credits_is_called_once_per_fall(
    caller, create_model, gateway, write_answer
) -> None:
    """Below the threshold, not at it, and again after a top-up; also by the first balance."""
    balances = ["0.5", "3", "2", "1.5", "1", "5", "1.9"]
    gateway.script([write_answer(x_remaining_credits=balance) for balance in balances])
    warned: list[float] = []

    def warn(handler: SegmindCreditsCallbackHandler, remaining: float) -> None:
        assert handler.remaining_credits == remaining
        warned.append(remaining)

    with get_segmind_credits_callback(low_credits=2, on_low_credits=warn):
        for _ in balances:
            caller.invoke(create_model(), "Hi")
    assert warned == [0.5, 1.5, 1.9]


def test_error_in_on_low_credits_does_not_fail_the_call(
    caller, create_model, gateway, write_answer, caplog
) -> None:
    """The error is logged, and the reply is returned."""
    gateway.script([write_answer("Fine.", x_remaining_credits="0.5")])

    def fail(handler: SegmindCreditsCallbackHandler, remaining: float) -> None:
        raise ZeroDivisionError

    with get_segmind_credits_callback(low_credits=2, on_low_credits=fail):
        assert caller.invoke(create_model(), "Hi").text == "Fine."
    assert "on_low_credits failed" in caplog.text


# --- Limits ---


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"budget": 0.5}, "the budget of 0.5 credits is used up (0.5 spent)"),
        ({"min_remaining": 9.6}, "9.5 credits remain, below min_remaining=9.6"),
    ],
)
def test_call_beyond_a_limit_is_not_sent(
    caller, create_model, gateway, write_answer, limits, reason
) -> None:
    """The error says what was spent and what remains, and is not retryable."""
    gateway.script([write_answer(x_cost="0.25", x_remaining_credits=x) for x in ("9.75", "9.5")])
    with get_segmind_credits_callback(**limits) as credits_:
        for _ in range(2):
            caller.invoke(create_model(), "Hi")
        with pytest.raises(SegmindBudgetExceededError) as caught:
            caller.invoke(create_model(), "Hi")
    assert len(gateway.requests) == credits_.total.calls == 2
    error = caught.value
    assert (error.spent, error.remaining_credits) == (0.5, 9.5)
    assert error.budget == limits.get("budget")
    assert error.min_remaining == limits.get("min_remaining")
    assert not error.is_retryable
    assert reason in str(error)


BLIND_LIMITS = [
    pytest.param(
        {"budget": 0.5},
        {},
        "the budget cannot be kept, since the cost of a request is unknown: neither its price "
        "(x-cost) nor the account's balance (x-remaining-credits) was reported",
        id="budget",
    ),
    pytest.param(
        {"min_remaining": 1},
        {"x_cost": "0.25"},
        "min_remaining cannot be kept, since no reply reported the account's balance "
        "(x-remaining-credits)",
        id="floor",
    ),
]
"""A limit, what replies report, and what is said of it."""


@pytest.mark.parametrize(("limit", "reported", "reason"), BLIND_LIMITS)
def test_limit_that_sees_no_costs_warns_once(
    caller, create_model, gateway, write_answer, caplog, limit, reported, reason
) -> None:
    """It would not stop anything."""
    gateway.script([write_answer("Hi.", **reported)] * 2)
    with get_segmind_credits_callback(**limit) as credits_:
        for _ in range(2):
            caller.invoke(create_model(), "Hi")
    assert credits_.total.calls == 2
    logged = [record.getMessage() for record in caplog.records]
    assert logged == [f"From a reply of Segmind: {reason}."]


@pytest.mark.parametrize(("limit", "reported", "reason"), BLIND_LIMITS)
def test_limit_that_sees_no_costs_can_refuse(
    caller, create_model, gateway, write_answer, caplog, limit, reported, reason
) -> None:
    """After the first reply, until it is told the balance or reset."""
    gateway.script([write_answer("Hi.", **reported)] * 2)
    with get_segmind_credits_callback(**limit, on_unknown_cost="refuse") as credits_:
        caller.invoke(create_model(), "Hi")
        with pytest.raises(SegmindBudgetExceededError, match=re.escape(reason)):
            caller.invoke(create_model(), "Hi")
        credits_.reset()
        caller.invoke(create_model(), "Hi")
    assert len(gateway.requests) == 2
    assert not caplog.records


def test_refused_call_is_traced_as_failed(caller, create_model) -> None:
    """Other handlers get the start and the error of the same run."""
    collector = RunCollectorCallbackHandler()
    with get_segmind_credits_callback(budget=0), pytest.raises(SegmindBudgetExceededError):
        caller.invoke(create_model(), "Hi", config={"callbacks": [collector]})
    assert "SegmindBudgetExceededError" in str(collector.traced_runs[0].error)


def test_budget_stops_an_agent(caller, create_model, gateway) -> None:
    """The run raises the error of the refused call."""
    gateway.script(lambda request: "[add(a=1, b=1)]")
    agent = create_agent(create_model(), [add])
    with (
        get_segmind_credits_callback(budget=0.01) as credits_,
        pytest.raises(SegmindBudgetExceededError),
    ):
        caller.invoke(agent, ask("1 + 1?"), {"recursion_limit": 1_000})
    assert 0.01 <= credits_.total.cost < 0.01 + 0.01
    assert credits_.total.calls == len(gateway.requests) > 1


def test_threads_exceed_a_budget_by_calls_in_progress_only(
    create_model, gateway, write_answer
) -> None:
    """64 threads of one process share a budget, and exceed it by the cost of 64 calls at most."""
    count, price = 64, 0.25
    gateway.script(lambda request: write_answer(x_cost=str(price)))
    model = create_model()
    handler = SegmindCreditsCallbackHandler(budget=20)

    def work() -> None:
        with contextlib.suppress(SegmindBudgetExceededError):
            while True:
                model.invoke("Hi", config={"callbacks": [handler]})

    with ThreadPoolExecutor(count) as pool:
        for _ in range(count):
            pool.submit(work)
    assert 20 <= handler.total.cost <= 20 + count * price
    assert handler.total.cost == len(gateway.requests) * price


async def test_concurrent_calls_on_one_loop_share_a_budget(
    create_model, gateway, write_answer
) -> None:
    """Calls in progress are answered, the rest are refused."""
    gateway.script(lambda request: write_answer(x_cost="0.25"))
    with get_segmind_credits_callback(budget=5) as credits_:
        replies = await create_model().abatch(
            ["Hi"] * 100, config={"max_concurrency": 8}, return_exceptions=True
        )
    answered = sum(isinstance(reply, AIMessage) for reply in replies)
    refused = sum(isinstance(reply, SegmindBudgetExceededError) for reply in replies)
    assert answered + refused == 100
    assert 20 <= answered == len(gateway.requests) <= 20 + 8
    assert credits_.total.cost == answered * 0.25
