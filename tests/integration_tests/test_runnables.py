"""LangChain's runnables around the model, over HTTP: fallbacks, retries, batches, caches."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.exceptions import ModelRateLimitError
from langchain_core.output_parsers import JsonOutputParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import ConfigurableField
from langchain_core.runnables.history import RunnableWithMessageHistory

from langchain_segmind import (
    SegmindAPIError,
    SegmindInvalidRequestError,
    SegmindRateLimitError,
    SegmindResponseError,
)
from tests.support.scripts import ADDING, add, ask, get_offered, get_weather, meet, play, refuse

RATE_LIMITED = {"status": 429, "body": {"error": "Rate limit exceeded"}}
BUSY = {"status": 503, "body": "busy"}


@pytest.fixture
def other(create_model):
    """Create a model of another slug."""
    return create_model(model="gpt-4o", max_retries=0)


# --- Fallbacks and retries ---


def test_a_fallback_answers_where_the_first_model_fails(caller, model, other, gateway) -> None:
    """The message says which model answered."""
    gateway.script(lambda request: BUSY if request.slug == "gpt-4-turbo" else "Here.")
    message = caller.invoke(model.with_fallbacks([other]), "Hi")
    assert message.text == "Here."
    assert message.response_metadata["model_name"] == "gpt-4o"


def test_a_fallback_can_be_limited_to_a_langchain_error(caller, model, other, gateway) -> None:
    """A rate limit leads to the other model; any other error is raised."""
    failures = {"limited": RATE_LIMITED, "broken": BUSY}

    def answer(request) -> Any:
        return failures[request.last_message] if request.slug == "gpt-4-turbo" else "Here."

    gateway.script(answer)
    chain = model.with_fallbacks([other], exceptions_to_handle=(ModelRateLimitError,))
    assert caller.invoke(chain, "limited").text == "Here."
    with pytest.raises(SegmindAPIError, match="busy"):
        caller.invoke(chain, "broken")


def test_tools_can_be_bound_to_a_model_with_fallbacks(caller, model, other, gateway) -> None:
    """Both prompts offer them."""
    gateway.script(lambda request: BUSY if request.slug == "gpt-4-turbo" else "[add(a=1, b=2)]")
    chain = model.with_fallbacks([other]).bind_tools([add])
    (call,) = caller.invoke(chain, "1 + 2?").tool_calls
    assert (call["name"], call["args"]) == ("add", {"a": 1, "b": 2})
    assert [get_offered(request) for request in gateway.requests] == [["add"]] * 2


def test_with_retry_retries_a_langchain_error(caller, model, gateway) -> None:
    """And no other error; the last one is raised after `stop_after_attempt` requests."""
    gateway.script([RATE_LIMITED, RATE_LIMITED, "Here.", BUSY, *[RATE_LIMITED] * 3])
    chain = model.with_retry(
        retry_if_exception_type=(ModelRateLimitError,),
        wait_exponential_jitter=False,
        stop_after_attempt=3,
    )
    assert caller.invoke(chain, "Hi").text == "Here."
    with pytest.raises(SegmindAPIError):
        caller.invoke(chain, "Hi")
    with pytest.raises(SegmindRateLimitError):
        caller.invoke(chain, "Hi")
    assert len(gateway.requests) == 7


# --- Several at once ---


def test_a_batch_sends_its_requests_at_once(caller, model, gateway) -> None:
    """No reply is sent until all four have arrived."""
    gateway.script(meet(4, lambda request: request.last_message))
    replies = caller.batch(model, list("abcd"), config={"max_concurrency": 4})
    assert [reply.text for reply in replies] == list("abcd")


def test_a_batch_returns_failures_in_their_place(caller, model, gateway) -> None:
    """Without `return_exceptions` it raises."""
    gateway.script(lambda request: refuse("no") if request.last_message == "b" else "ok")
    first, second, third = caller.batch(model, list("abc"), return_exceptions=True)
    assert (first.text, third.text) == ("ok", "ok")
    assert isinstance(second, SegmindInvalidRequestError)
    with pytest.raises(SegmindInvalidRequestError):
        caller.batch(model, list("abc"))


class RecordingLimiter(InMemoryRateLimiter):
    """LangChain's rate limiter; records each request it lets through."""

    def __init__(self) -> None:
        super().__init__(requests_per_second=1000, check_every_n_seconds=0.001)
        self.grants: list[bool] = []

    def acquire(self, *, blocking: bool = True) -> bool:
        self.grants.append(super().acquire(blocking=blocking))
        return self.grants[-1]

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.grants.append(await super().aacquire(blocking=blocking))
        return self.grants[-1]


def test_langchains_rate_limiter_is_asked_for_each_request(caller, create_model, gateway) -> None:
    """Retries included."""
    limiter = RecordingLimiter()
    failures = iter([{**BUSY, "headers": {"retry-after-ms": "1"}}])
    gateway.script(lambda request: next(failures, request.last_message))
    replies = caller.batch(create_model(rate_limiter=limiter), list("abc"))
    assert [reply.text for reply in replies] == list("abc")
    assert len(limiter.grants) == len(gateway.requests) == 4


# --- Chains ---


def test_a_chain_streams_through_its_parsers(caller, model, gateway) -> None:
    """The reply arrives as one piece."""
    gateway.script(['{"city": "Rome"}', "Rome."])
    assert caller.stream(model | JsonOutputParser(), "Italy?")[-1] == {"city": "Rome"}
    assert "".join(caller.stream(model | StrOutputParser(), "Italy?")) == "Rome."


def test_a_calls_config_sets_fields(caller, model, gateway) -> None:
    """By `configurable_fields` and `configurable_alternatives`."""
    chain = model.configurable_fields(
        temperature=ConfigurableField(id="heat")
    ).configurable_alternatives(
        ConfigurableField(id="which"), default_key="turbo", mini=model.bind(model="gpt-4o")
    )
    caller.invoke(chain, "Hi")
    caller.invoke(chain, "Hi", config={"configurable": {"heat": 0.5}})
    caller.invoke(chain, "Hi", config={"configurable": {"which": "mini"}})
    assert [(r.slug, r.json.get("temperature")) for r in gateway.requests] == [
        ("gpt-4-turbo", None),
        ("gpt-4-turbo", 0.5),
        ("gpt-4o", None),
    ]


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainDeprecationWarning")
def test_a_sessions_history_is_sent(caller, model, gateway) -> None:
    """`RunnableWithMessageHistory` is deprecated but widely used."""
    histories: dict[str, InMemoryChatMessageHistory] = {}
    prompt = ChatPromptTemplate.from_messages(
        [("system", "Be kind."), MessagesPlaceholder("history"), ("human", "{text}")]
    )
    chain = RunnableWithMessageHistory(
        prompt | model,
        lambda session_id: histories.setdefault(session_id, InMemoryChatMessageHistory()),
        input_messages_key="text",
        history_messages_key="history",
    )
    for session, text in (("a", "I am Ann."), ("b", "I am Bob."), ("a", "Who am I?")):
        caller.invoke(chain, {"text": text}, config={"configurable": {"session_id": session}})
    sent = [message["content"] for message in gateway.requests[-1].messages]
    assert sent == ["Be kind.", "I am Ann.", "I am Ann.", "Who am I?"]


# --- Caches ---


def test_a_repeated_agent_run_is_answered_from_the_cache(caller, create_model, gateway) -> None:
    """Its calls have the ids of the first run, its messages ids of their own."""
    gateway.script(play(ADDING))
    agent = create_agent(create_model(cache=InMemoryCache()), [add])
    first, second = (caller.invoke(agent, ask("1 + 1?"))["messages"] for _ in range(2))
    assert len(gateway.requests) == 2
    assert [(m.type, m.text) for m in second] == [(m.type, m.text) for m in first]
    assert second[1].tool_calls == first[1].tool_calls
    assert {m.id for m in first} & {m.id for m in second} == set()


def test_the_cache_key_holds_the_tools(caller, create_model, gateway) -> None:
    """The same question with other tools is not a hit; an empty list equals none."""
    gateway.script(lambda request: f"{get_offered(request)}")
    model = create_model(cache=InMemoryCache())
    models = (model, model.bind_tools([add]), model.bind_tools([get_weather]), model.bind_tools([]))
    texts = [caller.invoke(each, "Hi").text for each in models * 2]
    assert texts == ["[]", "['add']", "['get_weather']", "[]"] * 2
    assert len(gateway.requests) == 3


def test_a_failed_call_is_not_cached(caller, create_model, gateway) -> None:
    """The next call sends a request."""
    gateway.script([BUSY, {"status": 200, "body": "<p>busy</p>"}, "Here."])
    model = create_model(cache=InMemoryCache(), max_retries=0)
    for error_class in (SegmindAPIError, SegmindResponseError):
        with pytest.raises(error_class):
            caller.invoke(model, "Hi")
    assert caller.invoke(model, "Hi").text == "Here."
    assert caller.invoke(model, "Hi").text == "Here."
    assert len(gateway.requests) == 3
