"""LangChain's own middleware works with this model, over HTTP."""

import inspect
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    LLMToolSelectorMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
    TodoListMiddleware,
    ToolCallLimitMiddleware,
    wrap_model_call,
)
from langchain.agents.middleware.model_call_limit import ModelCallLimitExceededError
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from langchain_segmind import (
    SegmindAuthenticationError,
    SegmindContextOverflowError,
    SegmindRateLimitError,
)
from langchain_segmind.data._profiles import find_model
from tests.support.scripts import (
    ADDING,
    CALL_ID,
    add,
    ask,
    get_offered,
    get_weather,
    play,
    show_result,
    write_object,
)

pytestmark = pytest.mark.every_format

RATE_LIMITED = {"status": 429, "body": {"error": "Rate limit exceeded"}}
OVERFLOWN = {"status": 400, "body": {"error": "This model's maximum context length is exceeded."}}
THREAD = {"configurable": {"thread_id": "1"}}


# --- Failures ---

KNOWS_RETRYABLE_ERRORS = callable(
    inspect.signature(ModelRetryMiddleware).parameters["retry_on"].default
)
"""Older releases of LangChain retry every error by default."""


def test_model_retry_retries_a_rate_limit(caller, model, gateway) -> None:
    """The agent then continues normally, or raises the last error, with the server's words."""
    gateway.script(["[add(a=1, b=1)]", RATE_LIMITED, RATE_LIMITED, "Two.", *[RATE_LIMITED] * 3])
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, on_failure="error")
    agent = create_agent(model, [add], middleware=[retry])
    assert caller.invoke(agent, ask("1 + 1?"))["messages"][-1].text == "Two."
    with pytest.raises(SegmindRateLimitError, match="Rate limit exceeded"):
        caller.invoke(agent, ask("Hi"))
    assert len(gateway.requests) == 7


@pytest.mark.skipif(not KNOWS_RETRYABLE_ERRORS, reason="this LangChain retries every error")
def test_model_retry_does_not_retry_a_wrong_key(caller, create_model, gateway) -> None:
    """Its error is not retryable."""
    retry = ModelRetryMiddleware(initial_delay=0)
    agent = create_agent(create_model(api_key="another-fake-key"), middleware=[retry])
    with pytest.raises(SegmindAuthenticationError):
        caller.invoke(agent, ask("Hi"))
    assert len(gateway.requests) == 1


FALLBACKS = [
    pytest.param(RATE_LIMITED, id="rate limit"),
    pytest.param({"status": 503, "body": "busy"}, id="server error"),
]


@pytest.mark.parametrize("failure", FALLBACKS)
def test_model_fallback_calls_the_next_model(
    caller, create_model, model, gateway, slug, failure
) -> None:
    """With the same messages and tools."""
    script = play(ADDING)
    gateway.script(lambda request: failure if request.slug == slug else script(request))
    fallback = ModelFallbackMiddleware(create_model(model="gpt-4o", max_retries=0))
    state = caller.invoke(create_agent(model, [add], middleware=[fallback]), ask("1 + 1?"))
    assert state["messages"][-1].text == "Two."
    assert state["messages"][-1].response_metadata["model_name"] == "gpt-4o"
    assert [request.slug for request in gateway.requests] == [slug, "gpt-4o"] * 2
    assert gateway.requests[0].messages == gateway.requests[1].messages


# --- Long conversations ---

SUMMARY = "They talked about cats."


def summarize(request) -> Any:
    """Return a summary for LangChain's prompt, else a reply that reports 55 % of the context."""
    if "Messages to summarize:" in request.last_message:
        return SUMMARY
    context = find_model(request.slug).profile["max_input_tokens"]
    usage = {"prompt_tokens": context * 55 // 100, "completion_tokens": 10}
    return {"content": f"You said: {request.last_message}", "usage": usage}


TRIGGERS = [
    pytest.param({}, 0.5, True, id="reported tokens"),
    pytest.param({}, 0.75, False, id="fewer reported tokens"),
    pytest.param(
        {"profile": {"max_input_tokens": 20}, "check_context": False}, 0.9, True, id="estimate"
    ),
]


@pytest.mark.parametrize(("fields", "fraction", "triggers"), TRIGGERS)
def test_summarization_triggers_at_a_fraction_of_the_context(
    caller, create_model, gateway, fields, fraction, triggers
) -> None:
    """The profile has its size; earlier messages become a summary."""
    gateway.script(summarize)
    model = create_model(max_retries=0, **fields)
    summarization = SummarizationMiddleware(
        model, trigger=("fraction", fraction), keep=("messages", 1)
    )
    agent = create_agent(model, middleware=[summarization], checkpointer=InMemorySaver())
    caller.invoke(agent, ask("Cats purr."), THREAD)
    caller.invoke(agent, ask("What purrs?"), THREAD)
    first, *summarizing, last = gateway.requests
    assert first.last_message == "Cats purr."
    assert bool(summarizing) == triggers
    if triggers:
        assert "You said: Cats purr." in summarizing[0].last_message
        summary = f"Here is a summary of the conversation to date:\n\n{SUMMARY}"
        said = "\n\n".join(message["content"] for message in last.messages)
        assert said == f"{summary}\n\nWhat purrs?"
    else:
        assert last.last_message == "What purrs?"


@pytest.mark.skipif(
    "summarizer" not in inspect.signature(SummarizationMiddleware).parameters,
    reason="this LangChain does not retry a summary",
)
def test_summary_that_overflows_is_retried_with_less(caller, model, gateway) -> None:
    """LangChain recognizes the overflow error, and cuts out the middle once."""

    def answer(request) -> Any:
        if "Messages to summarize:" in request.last_message:
            is_cut = "[... middle of conversation omitted ...]" in request.last_message
            return SUMMARY if is_cut else OVERFLOWN
        return summarize(request)

    gateway.script(answer)
    summarization = SummarizationMiddleware(model, trigger=("messages", 3), keep=("messages", 1))
    agent = create_agent(model, middleware=[summarization], checkpointer=InMemorySaver())
    caller.invoke(agent, ask("Cats purr. " * 50), THREAD)
    state = caller.invoke(agent, ask("What purrs?"), THREAD)
    assert SUMMARY in state["messages"][0].text
    assert len(gateway.requests) == 4


@wrap_model_call
def keep_last_message_on_overflow(request, handler):
    """Retry with only the last message if the context overflows."""
    try:
        return handler(request)
    except ContextOverflowError:
        return handler(request.override(messages=request.messages[-1:]))


def test_overflow_is_caught_as_langchains_context_overflow_error(model, gateway) -> None:
    """Middleware need not know the provider."""
    gateway.script(lambda request: OVERFLOWN if len(request.messages) > 1 else "Short.")
    conversation = {"messages": [HumanMessage("Long."), AIMessage("Yes."), HumanMessage("Hm?")]}
    state = create_agent(model, middleware=[keep_last_message_on_overflow]).invoke(conversation)
    assert state["messages"][-1].text == "Short."
    with pytest.raises(SegmindContextOverflowError):
        create_agent(model).invoke(conversation)


@pytest.mark.parametrize("method", ["approximate", "model"])
def test_context_editing_clears_old_tool_results(caller, model, gateway, method) -> None:
    """In the request only: the state keeps all results, and the request the newest."""
    long = "sunny " * 200

    @tool
    def read(page: int) -> str:
        """Read a page."""
        return f"{page}: {long}"

    gateway.script(["[read(page=1)]", "[read(page=2)]", "Done."])
    editing = ContextEditingMiddleware(
        edits=[ClearToolUsesEdit(trigger=400, keep=1)], token_count_method=method
    )
    state = caller.invoke(create_agent(model, [read], middleware=[editing]), ask("Read."))
    results = [m["content"] for m in gateway.requests[-1].messages if "id=" in m["content"]]
    cleared, kept = (CALL_ID.sub("", result) for result in results)
    assert cleared == show_result("[cleared]", "read")
    assert kept == show_result(f"2: {long}", "read")
    assert state["messages"][2].text == f"1: {long}"


# --- Tool selection, limits and to-do lists ---


def test_tool_selector_reduces_the_offered_tools(caller, model, gateway) -> None:
    """It asks for a list of names as structured output."""
    selection = write_object(model, "ToolSelectionResponse", tools=["add"])
    gateway.script([selection, "[add(a=1, b=1)]", selection, "Two."])
    selector = LLMToolSelectorMiddleware(max_tools=1)
    agent = create_agent(model, [get_weather, add], middleware=[selector])
    state = caller.invoke(agent, ask("1 + 1?"))
    assert state["messages"][-1].text == "Two."
    offered = [get_offered(request) for request in gateway.requests]
    asked = [] if model.profile["structured_output"] else ["ToolSelectionResponse"]
    assert offered == [asked, ["add"]] * 2
    assert gateway.requests[0].last_message == "1 + 1?"
    assert "'add'" in gateway.requests[0].messages[0]["content"]


def test_tool_selector_asks_again_for_an_unknown_tool(caller, model, gateway) -> None:
    """A selection that does not match the schema is repeated."""
    selections = [
        write_object(model, "ToolSelectionResponse", tools=[name]) for name in ("subtract", "add")
    ]
    gateway.script([*selections, "Two."])
    agent = create_agent(model, [get_weather, add], middleware=[LLMToolSelectorMiddleware()])
    assert caller.invoke(agent, ask("1 + 1?"))["messages"][-1].text == "Two."
    assert get_offered(gateway.requests[-1]) == ["add"]


def test_tool_call_limit_is_reported_to_the_model(caller, model, gateway) -> None:
    """The first of two calls runs; the result of the other says that it was not run, and why."""
    limited = "Tool call limit exceeded. Do not make additional tool calls."
    results = [show_result(limited, "add", call=2, status="error"), show_result("3", "add", call=1)]
    script = {"Go.": "[add(a=1, b=2), add(a=3, b=4)]", "\n".join(results): "One of two."}
    gateway.script(play(script))
    limit = ToolCallLimitMiddleware(run_limit=1)
    state = caller.invoke(create_agent(model, [add], middleware=[limit]), ask("Go."))
    assert state["messages"][-1].text == "One of two."


def test_model_call_limit_ends_the_run(caller, model, gateway) -> None:
    """With a message, or with an error."""
    gateway.script(lambda request: "[add(a=1, b=2)]")
    limit = ModelCallLimitMiddleware(run_limit=2)
    state = caller.invoke(create_agent(model, [add], middleware=[limit]), ask("Go."))
    assert "Model call limits exceeded" in state["messages"][-1].text
    assert len(gateway.requests) == 2
    limit = ModelCallLimitMiddleware(run_limit=1, exit_behavior="error")
    with pytest.raises(ModelCallLimitExceededError):
        caller.invoke(create_agent(model, [add], middleware=[limit]), ask("Go."))
    assert len(gateway.requests) == 3


def test_to_do_list_is_written_by_a_tool_call(caller, model, gateway) -> None:
    """Its argument is a list of dicts with an enum."""
    todos = [
        {"content": "Add 1 and 1", "status": "in_progress"},
        {"content": 'Say "it\'s done"', "status": "pending"},
    ]
    gateway.script([f"[write_todos(todos={todos!r})]", "Two."])
    agent = create_agent(model, middleware=[TodoListMiddleware()])
    state = caller.invoke(agent, ask("1 + 1?"))
    assert state["todos"] == todos
    assert "'pending' | 'in_progress' | 'completed'" in gateway.requests[0].messages[0]["content"]
