"""JSON that the model is held to: what is sent, and what happens if it is refused."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.caches import InMemoryCache
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from langchain_segmind import (
    ChatSegmind,
    SegmindCreditsCallbackHandler,
    SegmindInvalidRequestError,
    SegmindOutputError,
)
from langchain_segmind._chat.refusals import REFUSALS, Refusals
from langchain_segmind.gateway import Gateway, Request
from tests.conftest import SECRET
from tests.support.limiters import CountingLimiter
from tests.support.replies import SLUGS
from tests.support.scripts import add, get_last_message, show_result

MODELS = {**SLUGS, "prompted": "llama-v3p1-8b-instruct"}
"""A model of each format that has JSON schemas, and one of which nobody says so."""

NATIVE = [*SLUGS.values()]


class City(BaseModel):
    """A place."""

    name: str
    people: int


class Deep(BaseModel):
    """Another schema."""

    city: City


OSLO = City(name="Oslo", people=7)
REPLY = '{"name": "Oslo", "people": 7}'
CALL = "[City(name='Oslo', people=7)]"
AS_CITY = {
    "type": "json_schema",
    "json_schema": {
        "name": "City",
        "strict": True,
        "schema": {
            "description": "A place.",
            "type": "object",
            "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
            "required": ["name", "people"],
            "additionalProperties": False,
        },
    },
}
"""What is sent for `City`."""

ANY = {"type": "json_object"}

REFUSED = (
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."
)
BAD_SCHEMA = (
    "Invalid schema for response_format 'City': In context=(), 'additionalProperties' is required "
    "to be supplied and to be false."
)


@pytest.fixture(autouse=True)
def forget_refusals() -> Iterator[None]:
    """Begin each test with nothing refused: the gateway's URL is the same in all."""
    REFUSALS.clear()
    yield
    REFUSALS.clear()


@pytest.fixture
def create(gateway: Gateway) -> Callable[..., ChatSegmind]:
    """Return a function that creates any model for the gateway."""

    def create(model: str = "gpt-4o", **fields: Any) -> ChatSegmind:
        return ChatSegmind(
            **{"model": model, "base_url": gateway.base_url, "api_key": SECRET, **fields}
        )

    return create


def get_formats(gateway: Gateway) -> list[Any]:
    """Return the `response_format` of each request."""
    return [request.json.get("response_format") for request in gateway.requests]


def refuse(text: str, reply: str = REPLY) -> Callable[[Request], Any]:
    """Return a script of a server that refuses every `response_format`."""

    def answer(request: Request) -> Any:
        if "response_format" in request.json:
            return {"status": 400, "body": {"error": text}}
        return reply

    return answer


class TestSending:
    """To which models what is sent."""

    @pytest.mark.parametrize("slug", NATIVE)
    def test_a_model_of_each_format_is_held_to_the_schema(
        self, caller, create, gateway, slug
    ) -> None:
        """By default; the prompt describes it as well, and a stream is the same."""
        gateway.script([REPLY] * 2)
        structured = create(slug).with_structured_output(City)
        assert caller.invoke(structured, "hi") == OSLO
        assert caller.stream(structured, "hi") == [OSLO]
        assert get_formats(gateway) == [AS_CITY] * 2
        for request in gateway.requests:
            assert "Always answer with one JSON" in request.messages[0]["content"]
            assert "people" in request.messages[0]["content"]

    @pytest.mark.parametrize("slug", ["gpt-4-turbo", "deepseek-chat", "qvq-max", "new", "claude-9"])
    def test_other_models_call_a_function(self, create, gateway, slug) -> None:
        """Those without JSON schemas, and unknown ones; nothing is sent beside the messages."""
        gateway.script([CALL, REPLY])
        assert create(slug).with_structured_output(City).invoke("hi") == OSLO
        structured = create(slug).with_structured_output(City, method="json_schema")
        assert structured.invoke("hi") == OSLO
        assert get_formats(gateway) == [None] * 2

    def test_the_users_profile_and_field_win(self, create, gateway) -> None:
        """A user need not wait for a release."""
        known = create("new", profile={"structured_output": True})
        assert known._get_settings().takes_format("json_schema")
        forced = create("gpt-4-turbo", native_response_format=True)
        assert forced._get_settings().takes_format("json_schema")
        gateway.script([CALL, CALL, REPLY])
        for model in (
            create(native_response_format=False),
            create(profile={"structured_output": False}),
        ):
            assert model.with_structured_output(City).invoke("hi") == OSLO
        structured = create().with_structured_output(City)
        assert structured.invoke("hi", native_response_format=False) == OSLO
        assert get_formats(gateway) == [None] * 3

    def test_true_describes_the_models_own_slug_only(self, create) -> None:
        """False is a wish, which holds for every model."""
        model = create("new", native_response_format=True)
        other = model._get_settings(arguments={"model": "newer"})
        assert not other.takes_format("json_schema")
        model = create("new", native_response_format=False)
        other = model._get_settings(arguments={"model": "gpt-4o"})
        assert not other.takes_format("json_schema")

    @pytest.mark.parametrize(
        ("slug", "sent"),
        [("gpt-4-turbo", ANY), ("gemini-3-flash", ANY), ("claude-4.5-sonnet", None), ("new", None)],
    )
    def test_any_json_object_is_native_where_the_model_has_it(
        self, caller, create, gateway, slug, sent
    ) -> None:
        """Claude has no JSON without a schema, not even on request."""
        gateway.script(['{"a": 1}'] * 2)
        structured = create(slug).with_structured_output(method="json_mode")
        assert caller.invoke(structured, "hi") == {"a": 1}
        if slug != "new":
            caller.invoke(structured.bind(native_response_format=True), "hi")
        assert {*map(json.dumps, get_formats(gateway))} == {json.dumps(sent)}
        for request in gateway.requests:
            assert "JSON" in request.messages[0]["content"]  # or OpenAI and DeepSeek refuse it

    def test_no_format_is_sent_while_tools_can_be_called(self, create, gateway) -> None:
        """Calls are text; with `tool_choice="none"` there are none."""
        gateway.script([REPLY] * 3)
        create().bind_tools([add], response_format=AS_CITY).invoke("hi")
        create().bind_tools([add], response_format=AS_CITY, tool_choice="none").invoke("hi")
        create().bind_tools([], response_format=AS_CITY).invoke("hi")
        assert get_formats(gateway) == [None, AS_CITY, AS_CITY]

    def test_a_body_key_of_the_users_wins(self, create, gateway) -> None:
        """In `model_kwargs`; the reply is checked by the schema all the same."""
        gateway.script([REPLY])
        model = create(model_kwargs={"response_format": {"type": "text"}})
        assert model.with_structured_output(City).invoke("hi") == OSLO
        assert get_formats(gateway) == [{"type": "text"}]

    def test_a_list_is_asked_for_in_the_prompt(self, create, gateway) -> None:
        """The makers' APIs take objects only."""
        gateway.script(["[1, 2]"])
        schema = {"title": "Numbers", "type": "array", "items": {"type": "integer"}}
        assert create().with_structured_output(schema).invoke("hi") == [1, 2]
        assert get_formats(gateway) == [None]

    def test_the_format_is_part_of_the_cache_key(self, create, gateway) -> None:
        """What is sent, not only what is asked for."""
        gateway.script([REPLY] * 2)
        model = create(cache=InMemoryCache())
        structured = model.with_structured_output(City)
        for native in (None, None, False, False):
            assert structured.invoke("hi", native_response_format=native) == OSLO
        assert get_formats(gateway) == [AS_CITY, None]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    reply=st.sampled_from([REPLY, CALL, "no", "", "{}", '{"name": "Oslo"}', f"Here: {REPLY}"])
    | st.builds(json.dumps, st.fixed_dictionaries({"name": st.text(), "people": st.integers()})),
    slug=st.sampled_from(NATIVE),
)
def test_a_reply_is_checked_the_same_whether_the_format_is_sent(
    create: Any, gateway: Gateway, reply: str, slug: str
) -> None:
    """An unknown key is dropped silently, so a 200 proves nothing."""
    outcomes = []
    for native in (True, False):
        gateway.script(lambda request: reply)
        model = create(slug, native_response_format=native, output_retries=0)
        structured = model.with_structured_output(City, method="json_schema")
        try:
            outcomes.append(structured.invoke("hi"))
        except SegmindOutputError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


class TestRefusal:
    """A 400 that names the format."""

    def test_it_is_asked_again_without_the_format(self, caller, create, gateway, caplog) -> None:
        """Within one call; its handler and the limiter count both requests. Then never again."""
        caplog.set_level("INFO", "langchain_segmind")
        gateway.script(refuse(REFUSED))
        limiter = CountingLimiter()
        handler = SegmindCreditsCallbackHandler()
        model = create(rate_limiter=limiter, callbacks=[handler])
        structured = model.with_structured_output(City, include_raw=True)
        result = caller.invoke(structured, "hi")
        assert result["parsed"] == OSLO
        assert (handler.total.calls, handler.total.retried_requests) == (1, 1)
        assert limiter.asked == 2
        assert "rejected_replies" not in result["raw"].response_metadata
        [line] = [r.getMessage() for r in caplog.records if r.name.endswith("refusals")]
        assert line.startswith("gpt-4o does not take this response_format; it is asked without.")
        assert REFUSED in line
        assert get_formats(gateway) == [AS_CITY, None]
        caller.invoke(create().with_structured_output(Deep, include_raw=True), "hi")
        assert "response_format" not in gateway.requests[2].json
        assert (handler.total.calls, handler.total.retried_requests) == (1, 1)

    def test_it_holds_for_the_slug_the_type_and_the_server(self, create, gateway) -> None:
        """Another model, `json_object` and another server may take it."""
        gateway.script(refuse(REFUSED))
        create().with_structured_output(City).invoke("hi")
        gateway.script([REPLY] * 3)
        create("gpt-5").with_structured_output(City).invoke("hi")
        create().with_structured_output(method="json_mode").invoke("hi")
        create().with_structured_output(City).invoke("hi")
        other = gateway.base_url.replace("127.0.0.1", "localhost")
        assert get_formats(gateway)[2:] == [AS_CITY, ANY, None]
        gateway.script([REPLY])
        create(base_url=other).with_structured_output(City).invoke("hi")
        assert get_formats(gateway)[-1] == AS_CITY

    @pytest.mark.parametrize(
        ("said", "holds_for_all"),
        [
            (REFUSED, True),
            ("response_format json_schema is not supported by this model", True),
            ("Unknown parameter: 'response_format'.", True),
            ("Claude has no schema-less JSON mode", True),
            (BAD_SCHEMA, False),
            ("output_config.format.schema: 'additionalProperties' must be false", False),
            ("response_format: the schema is too complex", False),
            ("generation_config.response_schema.properties[a]: should be non-empty", False),
            ("Schema is too complex for compilation", False),
            ("The compiled grammar is too large", False),
            ("Too many recursive definitions in schema", False),
            ("Schemas contains too many optional parameters", False),
            ("For 'array' type, property 'minItems' is not supported", False),
            ("The specified schema produces a constraint with too many states for serving", False),
            ("A schema in GenerationConfig in the request is nested too deeply", False),
        ],
    )
    def test_a_refused_schema_is_remembered_alone(
        self, create, gateway, said, holds_for_all
    ) -> None:
        """The model takes another one, unless the server says that it takes none."""
        gateway.script(refuse(said))
        create().with_structured_output(City).invoke("hi")
        gateway.script([REPLY, '{"city": {"name": "Oslo", "people": 7}}'])
        create().with_structured_output(City).invoke("hi")
        create().with_structured_output(Deep).invoke("hi")
        sent = [bool(sent) for sent in get_formats(gateway)]
        assert sent == [True, False, False, not holds_for_all]

    @pytest.mark.parametrize("slug", ["gpt-4-turbo", "claude-4-sonnet", "qvq-max", "new"])
    def test_the_gateway_refuses_as_the_models_do(self, caller, create, gateway, slug) -> None:
        """In OpenAI's words, and strictly."""
        gateway.script([REPLY])
        model = create(slug, native_response_format=True)
        assert caller.invoke(model.with_structured_output(City), "hi") == OSLO
        assert get_formats(gateway) == [AS_CITY, None]

    @pytest.mark.parametrize(
        "said", ["The body is not valid JSON", "temperature must be a number", "maximum context"]
    )
    def test_another_400_is_raised_at_once(self, caller, create, gateway, said) -> None:
        """Nothing is remembered."""
        gateway.script(refuse(said))
        with pytest.raises(SegmindInvalidRequestError, match=said) as caught:
            caller.invoke(create().with_structured_output(City), "hi")
        assert caught.value.__context__ is None
        assert get_formats(gateway) == [AS_CITY]

    def test_a_request_that_fails_without_the_format_is_not_remembered(
        self, caller, create, gateway
    ) -> None:
        """Something else is wrong; its error is raised, and names the last answer."""
        answers = iter(["'response_format' is odd", "The messages are odd"])
        gateway.script(lambda request: {"status": 400, "body": {"error": next(answers)}})
        with pytest.raises(SegmindInvalidRequestError, match="messages are odd"):
            caller.invoke(create().with_structured_output(City), "hi")
        gateway.script([REPLY])
        caller.invoke(create().with_structured_output(City), "hi")
        assert get_formats(gateway) == [AS_CITY, None, AS_CITY]

    def test_the_memory_is_bounded(self) -> None:
        """What was not used for longest is forgotten."""
        refusals = Refusals(size=2)
        for key in ("a", "b"):
            refusals.add(key)
        assert "a" in refusals
        refusals.add("c")
        assert [key in refusals for key in "abc"] == [True, False, True]

    def test_threads_share_the_memory(self, create, gateway) -> None:
        """A batch asks with the format until the first refusal is known, and then never again."""
        gateway.script(refuse(REFUSED))
        structured = create().with_structured_output(City)
        assert structured.batch(["hi"] * 8) == [OSLO] * 8
        asked = len(gateway.requests)
        assert structured.batch(["hi"] * 8) == [OSLO] * 8
        assert get_formats(gateway)[asked:] == [None] * 8

    def test_the_memory_holds_no_password(self, create, gateway) -> None:
        """Of the base URL."""
        gateway.script(refuse(REFUSED))
        url = gateway.base_url.replace("://", "://me:hunter2@")
        create(base_url=url).with_structured_output(City).invoke("hi")
        assert len(REFUSALS._known) == 1
        assert "hunter2" not in repr(REFUSALS._known)


class TestAgents:
    """`create_agent` with a model of each kind."""

    @pytest.mark.parametrize("slug", MODELS.values())
    @pytest.mark.parametrize("strict", [None, True])
    def test_provider_strategy(self, caller, create, gateway, slug, strict) -> None:
        """Without tools the format is sent; with tools the prompt asks for it."""
        lines = {"hi": REPLY, "1 + 1?": "[add(a=1, b=1)]", show_result("2", "add"): REPLY}
        gateway.script(lambda request: lines[get_last_message(request)])
        strategy = ProviderStrategy(City, strict=strict)
        agent = create_agent(create(slug), tools=[], response_format=strategy)
        state = caller.invoke(agent, {"messages": [HumanMessage("hi")]})
        assert state["structured_response"] == OSLO
        assert get_formats(gateway) == [AS_CITY if slug in NATIVE else None]
        agent = create_agent(create(slug), tools=[add], response_format=strategy)
        state = caller.invoke(agent, {"messages": [HumanMessage("1 + 1?")]})
        assert state["structured_response"] == OSLO
        assert get_formats(gateway)[1:] == [None, None]

    @pytest.mark.parametrize("slug", MODELS.values())
    def test_tool_strategy(self, caller, create, gateway, slug) -> None:
        """It asks for a call, whatever the model has."""
        gateway.script([CALL])
        agent = create_agent(create(slug), tools=[], response_format=ToolStrategy(City))
        state = caller.invoke(agent, {"messages": [HumanMessage("hi")]})
        assert state["structured_response"] == OSLO
        assert get_formats(gateway) == [None]

    @pytest.mark.parametrize("slug", MODELS.values())
    def test_a_bare_class_is_the_strategy_of_the_model(self, caller, create, gateway, slug) -> None:
        """Core chooses it by the profile."""
        gateway.script([REPLY if slug in NATIVE else CALL])
        agent = create_agent(create(slug), tools=[], response_format=City)
        state = caller.invoke(agent, {"messages": [HumanMessage("hi")]})
        assert state["structured_response"] == OSLO
        assert get_formats(gateway) == [AS_CITY if slug in NATIVE else None]


class TestCutReplies:
    """Replies that end at the maximum length."""

    @pytest.mark.parametrize("slug", MODELS.values())
    def test_the_error_says_that_the_reply_was_cut(self, caller, create, gateway, slug) -> None:
        """And what to do; the model is told as well."""
        cut = {"content": '{"name": "Oslo", "peo', "finish_reason": "length"}
        gateway.script([cut] * 4)
        structured = create(slug).with_structured_output(City)
        with pytest.raises(SegmindOutputError) as caught:
            caller.invoke(structured, "hi")
        assert "it was cut off at its maximum length: " in str(caught.value)
        assert "Raise max_tokens if it is set, or ask for a shorter answer." in str(caught.value)
        assert "cut off at its maximum length" in gateway.requests[1].last_message
        structured = create(slug).with_structured_output(City, include_raw=True)
        error = caller.invoke(structured, "hi")["parsing_error"]
        assert "it was cut off at its maximum length: " in str(error)
        assert "Raise max_tokens" in str(error)

    def test_a_whole_answer_is_no_error(self, caller, create, gateway) -> None:
        """Only what comes after it was cut."""
        gateway.script([{"content": REPLY, "finish_reason": "length"}])
        assert caller.invoke(create().with_structured_output(City), "hi") == OSLO

    def test_other_replies_do_not_say_so(self, create, gateway) -> None:
        """They ended by themselves."""
        gateway.script(["no", "no"])
        with pytest.raises(SegmindOutputError) as caught:
            create().with_structured_output(City).invoke("hi")
        assert "cut off" not in str(caught.value)
        assert "max_tokens" not in str(caught.value)
