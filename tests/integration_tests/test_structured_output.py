"""Structured output over HTTP: every method, schema and kind of reply."""

import json
import pickle
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.exceptions import OutputParserException
from langchain_core.load import dumps
from langchain_core.messages import AIMessage
from langchain_core.messages.tool import tool_call
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel
from typing_extensions import TypedDict

from langchain_segmind import SegmindOutputError
from langchain_segmind._output.structured_output import create_structured_output
from langchain_segmind._tools import render_calls
from langchain_segmind.data._profiles import find_model
from langchain_segmind.gateway import Request
from tests.conftest import SECRET
from tests.support.bodies import check_body
from tests.support.limiters import CountingLimiter
from tests.support.schemas import JSON_SCHEMA, OSLO, Even, Node, Numbers
from tests.support.scripts import Starts, add, get_offered

pytestmark = pytest.mark.every_format

METHODS = ["function_calling", "json_schema", "json_mode"]


class City(BaseModel):
    """A place."""

    name: str
    people: int


class CityDict(TypedDict):
    """A place."""

    name: str
    people: int


UNTITLED = {"type": "object", "properties": JSON_SCHEMA["properties"], "required": [*OSLO]}
CITIES = [
    pytest.param(City, City(**OSLO), id="pydantic"),
    pytest.param(CityDict, OSLO, id="TypedDict"),
    pytest.param(UNTITLED, OSLO, id="JSON schema"),
]


def write(schema: Any, value: dict[str, Any], method: str) -> str:
    """Write the reply of a model that follows its instructions."""
    if method != "function_calling":
        return json.dumps(value)
    return render_calls([tool_call(name=create_structured_output(schema).name, args=value, id="")])


def check_formats(requests: Sequence[Request], json_type: str) -> None:
    """Check that the bodies hold messages, and this format if the model is known to take it."""
    for request in requests:
        check_body(request.json, request.api_format)
        model = find_model(request.slug)
        takes = {"json_object": model.json_object, "json_schema": model.json_schema}
        assert ("response_format" in request.json) == bool(takes.get(json_type))


class TestObjects:
    """Replies that match the schema."""

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(("schema", "wanted"), CITIES)
    def test_a_matching_reply_becomes_an_object_of_the_schema(
        self, caller, create_model, gateway, schema, wanted, method
    ) -> None:
        """At the first request; a stream yields it once, whole."""
        gateway.script([write(schema, OSLO, method)] * 6)
        for fields in ({"streaming": True}, {"output_version": "v1"}):
            structured = create_model(**fields).with_structured_output(schema, method=method)
            assert caller.invoke(structured, "hi") == wanted
        model = create_model()
        structured = model.with_structured_output(schema, method=method)
        assert caller.invoke(structured, "hi") == wanted
        assert caller.stream(structured, "hi") == [wanted]
        structured = model.with_structured_output(schema, method=method, include_raw=True)
        for result in (caller.invoke(structured, "hi"), *caller.stream(structured, "hi")):
            assert (result["parsed"], result["parsing_error"]) == (wanted, None)
            assert isinstance(result["raw"], AIMessage)
            assert result["raw"].usage_metadata["total_tokens"] > 0
            assert result["raw"].response_metadata["remaining_credits"] is not None
        check_formats(gateway.requests, {"json_mode": "json_object"}.get(method, method))
        assert len(gateway.requests) == 6

    def test_json_mode_needs_no_schema(self, caller, create_model, gateway) -> None:
        """Any JSON object is accepted; the user's prompt describes it."""
        gateway.script(['{"any": [1, null]}'])
        structured = create_model().with_structured_output(method="json_mode")
        assert caller.invoke(structured, "hi") == {"any": [1, None]}
        (system, _) = gateway.requests[0].messages
        assert system["content"].startswith("Always answer with one JSON object and nothing else")

    def test_a_list_needs_the_json_schema_method(self, caller, create_model, gateway) -> None:
        """A function's arguments are an object."""
        gateway.script(["[1, 2]"])
        structured = create_model().with_structured_output(Numbers, method="json_schema")
        assert caller.invoke(structured, "hi") == Numbers([1, 2])
        with pytest.raises(ValueError, match="method='json_schema'"):
            create_model().with_structured_output(Numbers, method="function_calling")

    @pytest.mark.parametrize("name", ["auto", "none", "any", "required", "Box[int]", "my answer"])
    def test_a_schema_can_have_any_name(self, caller, create_model, gateway, name) -> None:
        """Even one that is a `tool_choice`, or not a Python name."""
        schema = {**UNTITLED, "title": name}
        gateway.script([write(schema, OSLO, "function_calling")])
        structured = create_model().with_structured_output(schema, method="function_calling")
        assert caller.invoke(structured, "hi") == OSLO
        assert "Now call" in gateway.requests[0].messages[0]["content"]


CALL = "City(name='Oslo', people=7)"
BARE = '{"name": "Oslo", "people": 7}'
OBJECT, ERROR = True, False


class TestReplies:
    """A reply is an object or an error, never None. How JSON and calls are read: unit tests."""

    @pytest.mark.parametrize(
        ("reply", "as_call", "as_json"),
        [
            pytest.param(f"Sure:\n[{CALL}]", OBJECT, ERROR, id="call after text"),
            pytest.param(f"[nope(x=1), {CALL}, {CALL}]", OBJECT, ERROR, id="three calls"),
            pytest.param("[City(name='Oslo')]", ERROR, ERROR, id="missing argument"),
            pytest.param("[City(name='Oslo', people='many')]", ERROR, ERROR, id="wrong argument"),
            pytest.param("[City(name='Oslo', people=", ERROR, ERROR, id="truncated call"),
            pytest.param("[nope(x=1)]", ERROR, ERROR, id="unknown function"),
            pytest.param("{'name': 'Oslo', 'people': '7'}", OBJECT, OBJECT, id="Python dict"),
            pytest.param('{"name": "Oslo"}', ERROR, ERROR, id="missing field"),
            pytest.param(f"[{BARE}]", OBJECT, OBJECT, id="list of one"),
            pytest.param(f"[{BARE}, {{}}]", ERROR, ERROR, id="list of two"),
            pytest.param("", ERROR, ERROR, id="empty reply"),
            pytest.param("Oslo has 7 people.", ERROR, ERROR, id="prose"),
        ],
    )
    @pytest.mark.parametrize("schema", [City, CityDict, UNTITLED], ids=["class", "dict", "JSON"])
    @pytest.mark.parametrize("method", METHODS)
    def test_a_reply_becomes_an_object_or_an_error(
        self, create_model, gateway, reply, as_call, as_json, schema, method
    ) -> None:
        """With `include_raw` the error is returned beside the raw reply."""
        reply = reply.replace("City", create_structured_output(schema).name)
        gateway.script([reply, reply])
        model = create_model(output_retries=0)
        structured = model.with_structured_output(schema, method=method)
        result = model.with_structured_output(schema, method=method, include_raw=True).invoke("hi")
        assert result["raw"].usage_metadata
        if as_call if method == "function_calling" else as_json:
            parsed = City(**OSLO) if schema is City else OSLO
            assert structured.invoke("hi") == result["parsed"] == parsed
            assert result["parsing_error"] is None
        else:
            with pytest.raises(OutputParserException) as caught:
                structured.invoke("hi")
            assert isinstance(caught.value, SegmindOutputError)
            assert caught.value.replies[0].usage_metadata
            assert result["parsed"] is None
            assert isinstance(result["parsing_error"], OutputParserException)
        assert len(gateway.requests) == 2


def test_a_filtered_reply_is_an_error(caller, create_model, gateway) -> None:
    """It has no content, or in Gemini's format not even a candidate."""
    gateway.script([{"content": None, "finish_reason": "content_filter"}] * 2)
    with pytest.raises(OutputParserException):
        caller.invoke(create_model().with_structured_output(City), "hi")


class TestReask:
    """Replies that do not match are shown to the model, which is asked again."""

    @pytest.mark.parametrize("include_raw", [False, True], ids=["parsed", "with raw"])
    @pytest.mark.parametrize(
        ("method", "first", "reason"),
        [
            pytest.param("function_calling", "Two.", "does not call Even", id="prose for a call"),
            pytest.param("function_calling", "[Even(number=3)]", "it is odd", id="invalid call"),
            pytest.param("json_schema", "Two.", "not valid JSON", id="prose for JSON"),
            pytest.param("json_mode", '{"number": 3}', "it is odd", id="invalid JSON in JSON mode"),
        ],
    )
    def test_a_second_reply_that_matches_is_returned(
        self, caller, create_model, gateway, method, first, reason, include_raw
    ) -> None:
        """As one call: one start, usage and cost summed, the last balance; two limiter slots."""
        gateway.script([first, write(Even, {"number": 2}, method)])
        starts, limiter = Starts(), CountingLimiter()
        structured = create_model(rate_limiter=limiter).with_structured_output(
            Even, method=method, include_raw=include_raw
        )
        with get_usage_metadata_callback() as usage:
            result = caller.invoke(structured, "hi", {"callbacks": [starts]})
        assert (result["parsed"] if include_raw else result) == Even(number=2)
        assert len(starts.models) == 1
        assert limiter.asked == len(gateway.requests) == 2
        shown, question = gateway.requests[1].messages[-2:]
        assert shown == {"role": "assistant", "content": first}
        assert question["role"] == "user"
        assert reason in question["content"]
        assert [len(request.messages) for request in gateway.requests] == [2, 4]
        (total,) = usage.usage_metadata.values()
        if include_raw:
            assert result["parsing_error"] is None
            assert result["raw"].usage_metadata == total
            left = result["raw"].response_metadata["remaining_credits"]
            assert left == pytest.approx(float(gateway.credits()))
            assert result["raw"].response_metadata["cost"] == pytest.approx(1_000 - left)

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("retries", [0, 3])
    def test_output_retries_limits_the_requests(
        self, caller, create_model, gateway, method, retries
    ) -> None:
        """Then the error holds all replies, and is LangChain's `OutputParserException`."""
        replies = [f"reply {number}" for number in range(retries + 1)]
        gateway.script([*replies, *replies])
        model = create_model(output_retries=retries)
        with pytest.raises(SegmindOutputError) as caught:
            caller.invoke(model.with_structured_output(City, method=method), "hi")
        assert [reply.text for reply in caught.value.replies] == replies
        assert isinstance(caught.value, OutputParserException)
        assert caught.value.llm_output == replies[-1]
        assert caught.value.remaining_credits == pytest.approx(float(gateway.credits()))
        structured = model.with_structured_output(City, method=method, include_raw=True)
        assert caller.invoke(structured, "hi")["raw"].text == replies[-1]
        assert len(gateway.requests) == 2 * len(replies)

    @pytest.mark.parametrize("method", METHODS)
    def test_a_stream_is_asked_again(self, caller, create_model, gateway, method) -> None:
        """It yields one object, or raises."""
        gateway.script(["no", write(Even, {"number": 2}, method), "no", "no"])
        starts = Starts()
        structured = create_model().with_structured_output(Even, method=method)
        assert caller.stream(structured, "hi", {"callbacks": [starts]}) == [Even(number=2)]
        assert len(starts.models) == 1
        with pytest.raises(SegmindOutputError):
            caller.stream(structured, "hi")

    @pytest.mark.parametrize(
        ("reply", "reason"),
        [
            pytest.param("[City(name='Oslo', people=)]", "City: a value is missing", id="call"),
            pytest.param("[City(name='Oslo')]", "people: Field required", id="argument"),
            pytest.param(
                "[Town(name='Oslo')]", "Town: no such function was offered", id="function"
            ),
        ],
    )
    def test_a_streams_error_gives_the_reason(
        self, caller, create_model, gateway, reply, reason
    ) -> None:
        """Although merging chunks drops it from an invalid call."""
        gateway.script([reply] * 2)
        structured = create_model().with_structured_output(
            City, method="function_calling", include_raw=True
        )
        (result,) = caller.stream(structured, "hi")
        assert result["parsed"] is None
        assert isinstance(result["parsing_error"], OutputParserException)
        assert reason in str(result["parsing_error"])

    def test_an_error_in_a_recursive_schema_is_located(self, caller, create_model, gateway) -> None:
        """The model is told the path to the wrong value."""
        wrong = "[Node(value=1, children=[{'value': 2, 'children': [{'value': 'x'}]}])]"
        gateway.script([wrong, wrong.replace("'x'", "3")])
        node = caller.invoke(
            create_model().with_structured_output(Node, method="function_calling"), "hi"
        )
        assert node.children[0].children[0].value == 3
        question = gateway.requests[1].messages[-1]["content"]
        assert "children.0.children.0.value" in question


class TestArguments:
    """The arguments of `with_structured_output`."""

    @pytest.mark.parametrize(
        ("arguments", "error", "words"),
        [
            pytest.param({"method": "yaml"}, ValueError, "or 'json_mode'", id="unknown method"),
            pytest.param({"schema": None}, ValueError, "needs a schema", id="no schema"),
            pytest.param({"schema": 5}, ValueError, "cannot be used as a schema", id="number"),
            pytest.param({"include_row": True}, TypeError, "'include_row'", id="misspelt name"),
            pytest.param(
                {"tools": [add], "method": "function_calling"}, ValueError, "tools need", id="tools"
            ),
        ],
    )
    def test_a_wrong_argument_is_an_error_before_any_request(
        self, create_model, gateway, arguments, error, words
    ) -> None:
        """It is raised when the runnable is created."""
        with pytest.raises(error, match=words):
            create_model().with_structured_output(**{"schema": City, **arguments})
        assert gateway.requests == []

    def test_the_model_can_call_tools_before_it_answers(self, caller, create_model, gateway):
        """A reply that calls them has no object yet, which is no error."""
        gateway.script(["[add(a=1, b=2)]", '{"name": "Oslo", "people": 700000}'] * 2)
        for include_raw in (True, False):
            structured = create_model().with_structured_output(
                City, tools=[add], include_raw=include_raw
            )
            first, second = caller.invoke(structured, "hi"), caller.invoke(structured, "hi")
            if include_raw:
                assert (first["parsed"], first["parsing_error"]) == (None, None)
                assert first["raw"].tool_calls[0]["args"] == {"a": 1, "b": 2}
                first, second = first["parsed"], second["parsed"]
            assert first is None
            assert isinstance(second, City)
        for request in gateway.requests:
            assert get_offered(request) == ["add"]

    @pytest.mark.openai_only("other formats have no place for a seed")
    def test_the_models_parameters_are_sent(self, caller, create_model, gateway) -> None:
        """A call can override them."""
        gateway.script([write(City, OSLO, "function_calling")] * 2)
        structured = create_model(temperature=0.5, seed=3).with_structured_output(City)
        caller.invoke(structured, "hi")
        bound = structured.first.bind(seed=4) | structured.last
        assert caller.invoke(bound, "hi") == City(**OSLO)
        assert [request.json["seed"] for request in gateway.requests] == [3, 4]
        assert gateway.requests[0].json["temperature"] == 0.5


class TestTracing:
    """Callbacks and traces."""

    @pytest.mark.parametrize("strict", [None, True, False])
    @pytest.mark.parametrize("method", METHODS)
    def test_a_trace_holds_the_arguments_and_the_schema(
        self, caller, create_model, gateway, method, strict
    ) -> None:
        """Once a call, as LangChain writes it; the traced settings can be written as JSON."""
        gateway.script([write(City, OSLO, method)] * 2)
        starts = Starts()
        structured = create_model().with_structured_output(City, method=method, strict=strict)
        assert caller.invoke(structured, "hi", {"callbacks": [starts]}) == City(**OSLO)
        caller.stream(structured, "hi", {"callbacks": [starts]})
        kwargs = {"method": method} if strict is None else {"method": method, "strict": strict}
        assert len(starts.models) == 2
        for event in starts.models:
            traced = event["options"]["ls_structured_output_format"]
            assert traced == {"kwargs": kwargs, "schema": convert_to_json_schema(City)}
            assert "structured_output" not in event["options"]
            assert json.dumps(event["invocation_params"])

    def test_the_runnable_can_be_dumped(self, create_model) -> None:
        """Tracers do so; the key is not in it."""
        structured = create_model().with_structured_output(City)
        assert "RunnableSequence" in dumps(structured)
        assert SECRET not in dumps(structured) + repr(structured)
        assert "parse_structured_output" in structured.get_graph().draw_mermaid()

    async def test_events_end_with_the_object(self, create_model, gateway) -> None:
        """`astream_events` reports one start of the model."""
        gateway.script([write(City, OSLO, "function_calling")])
        structured = create_model().with_structured_output(City, method="function_calling")
        events = [event async for event in structured.astream_events("hi", version="v2")]
        names = [event["event"] for event in events]
        assert names.count("on_chat_model_start") == 1
        assert events[-1]["data"]["output"] == City(**OSLO)


class TestRunnables:
    """LangChain's runnables around structured output."""

    @pytest.mark.parametrize("method", METHODS)
    def test_instructions_follow_the_prompts_system_message(
        self, caller, create_model, gateway, method
    ) -> None:
        """They are one message."""
        gateway.script([write(City, OSLO, method)] * 2)
        prompt = ChatPromptTemplate([("system", "Be brief."), ("user", "{place}")])
        chain = prompt | create_model().with_structured_output(City, method=method)
        assert caller.invoke(chain, {"place": "Oslo"}) == City(**OSLO)
        assert caller.stream(chain, {"place": "Oslo"}) == [City(**OSLO)]
        system, user = gateway.requests[0].messages
        assert system["content"].startswith("Be brief.\n\n")
        assert user["content"] == "Oslo"

    def test_a_fallback_answers_where_the_model_fails(
        self, caller, create_model, gateway, slug
    ) -> None:
        """Because no reply matches, which is an error of LangChain's parsers."""
        gateway.script(["no", "no", BARE])
        fallback = create_model(model="gpt-4o").with_structured_output(City)
        structured = create_model().with_structured_output(City).with_fallbacks([fallback])
        assert caller.invoke(structured, "hi") == City(**OSLO)
        assert [request.slug for request in gateway.requests] == [slug, slug, "gpt-4o"]

    @pytest.mark.parametrize("method", METHODS)
    def test_a_pickled_runnable_returns_the_same_object(
        self, create_model, gateway, method
    ) -> None:
        """So it can be sent to a worker."""
        gateway.script([write(City, OSLO, method)] * 2)
        structured = create_model().with_structured_output(City, method=method)
        assert pickle.loads(pickle.dumps(structured)).invoke("hi") == City(**OSLO)
        raw = create_model().with_structured_output(City, method=method, include_raw=True)
        assert pickle.loads(pickle.dumps(raw)).invoke("hi")["parsed"] == City(**OSLO)

    @pytest.mark.parametrize("method", METHODS)
    def test_an_equal_question_is_cached(self, caller, create_model, gateway, method) -> None:
        """`include_raw` is part of the question."""
        gateway.script(lambda request: write(City, OSLO, method))
        model = create_model(cache=InMemoryCache())
        for _ in range(2):
            structured = model.with_structured_output(City, method=method)
            assert caller.invoke(structured, "hi") == City(**OSLO)
        assert len(gateway.requests) == 1
        other = model.with_structured_output(City, method=method, include_raw=True)
        for _ in range(2):
            assert caller.invoke(other, "hi")["parsed"] == City(**OSLO)
        assert len(gateway.requests) == 2

    def test_the_cache_key_holds_the_schema(self, create_model) -> None:
        """Even in JSON mode, where the prompt does not describe it."""
        model = create_model()
        keys = set()
        for schema in (City, CityDict, Even, Node, UNTITLED, None):
            bound = model.with_structured_output(schema, method="json_mode").first
            kwargs = dict(bound.kwargs)
            del kwargs["ls_structured_output_format"]  # as LangChain does
            keys.add(model._get_llm_string(**kwargs))
        assert len(keys) == 6


AS_CITY = {
    "type": "json_schema",
    "json_schema": {"name": "City", "strict": True, "schema": City.model_json_schema()},
}
AS_ANY = {"type": "json_object"}


def count(place: str) -> int:
    """Count the people of a place."""
    return len(place)


class TestResponseFormat:
    """`response_format`, bound by hand."""

    @pytest.mark.parametrize(
        ("wanted", "reply", "value"),
        [
            pytest.param(AS_CITY, BARE, OSLO, id="JSON"),
            pytest.param(
                AS_CITY, "{'name': 'Oslo', 'people': '7'}", OSLO, id="Python dict with a coercion"
            ),
            pytest.param(
                AS_ANY, "```\n{'a': (1, None)}\n```", {"a": [1, None]}, id="any Python dict"
            ),
        ],
    )
    def test_the_text_is_bare_json(
        self, caller, create_model, gateway, wanted, reply, value
    ) -> None:
        """From `invoke`, `stream` and a call's argument."""
        gateway.script([reply] * 3)
        model = create_model()
        bound = model.bind_tools([], response_format=wanted)
        assert json.loads(caller.invoke(bound, "hi").text) == value
        chunks = caller.stream(bound, "hi")
        assert json.loads("".join(chunk.text for chunk in chunks)) == value
        assert json.loads(caller.invoke(model, "hi", response_format=wanted).text) == value
        check_formats(gateway.requests, wanted["type"])
        assert len(gateway.requests) == 3
        assert "nothing else" in gateway.requests[0].messages[0]["content"]

    @pytest.mark.parametrize("wanted", [None, {"type": "text"}])
    def test_the_format_text_changes_nothing(self, caller, create_model, gateway, wanted) -> None:
        """The prompt has no instructions."""
        gateway.script(["Five."])
        assert caller.invoke(create_model().bind(response_format=wanted), "hi").text == "Five."
        assert len(gateway.requests[0].messages) == 1

    def test_tools_can_be_called_before_the_json(self, caller, create_model, gateway) -> None:
        """The prompt offers both; an invalid call is shown to the model with the reason."""
        gateway.script(["[count()]", "[count(place='Oslo')]", BARE])
        bound = create_model().bind_tools([count], response_format=AS_CITY, strict=True)
        message = caller.invoke(bound, "hi")
        assert message.tool_calls[0]["args"] == {"place": "Oslo"}
        assert json.loads(caller.invoke(bound, "hi").text) == OSLO
        prompt = gateway.requests[0].messages[0]["content"]
        assert "count(" in prompt
        assert "Unless you call functions, answer with one JSON value of the type below" in prompt
        question = gateway.requests[1].messages[-1]["content"]
        assert "count: required 'place' is missing" in question

    def test_a_forced_call_drops_the_format(self, caller, create_model, gateway) -> None:
        """JSON is not a call, so it is asked for again."""
        gateway.script([BARE, "[count(place='Oslo')]"])
        bound = create_model().bind_tools([count], tool_choice="any", response_format=AS_CITY)
        assert caller.invoke(bound, "hi").tool_calls
        assert "JSON" not in gateway.requests[0].messages[0]["content"]

    def test_a_lone_surrogate_can_be_sent_back(self, caller, create_model, gateway) -> None:
        """JSON can escape one; the next turn sends a replacement character."""
        gateway.script(['{"name": "half \\ud83d"}', "{}"])
        bound = create_model().bind(response_format=AS_ANY)
        message = caller.invoke(bound, "hi")
        assert json.loads(message.text) == {"name": "half \ufffd"}
        assert caller.invoke(bound, ["hi", message, "go on"]).text == "{}"


class Price(BaseModel):
    """A price."""

    total: Decimal
    version: str


PRICE = '{"total": 12345678901234567.89, "version": 3.10}'
NO_PRICE = '{"total": 1, "version": "0"}'
READ_PRICE = Price(total=Decimal("12345678901234567.89"), version="3.10")


class TestAnswersInText:
    """JSON counts whatever surrounds it, if it is the only JSON of the schema."""

    @pytest.mark.parametrize(
        "reply",
        [
            pytest.param(f"<think>Maybe {NO_PRICE}?</think>\n\n{PRICE}", id="reasoning"),
            pytest.param(f"So {NO_PRICE}? No.\n</think>\n{PRICE}", id="end of reasoning"),
            pytest.param(f"The price:\n```json\n{PRICE}\n```\nSee [1].", id="prose and a fence"),
            pytest.param(f"<!-- {NO_PRICE} -->\n[{PRICE}]", id="comment and a list"),
            pytest.param(f'Sure: {{"price": {PRICE}}}', id="name"),
            pytest.param(PRICE.replace(", ", ",  // in euros\n"), id="comment within"),
        ],
    )
    @pytest.mark.parametrize("method", METHODS)
    def test_the_only_matching_object_is_the_answer(
        self, caller, create_model, gateway, method, reply
    ) -> None:
        """At the first request, by `invoke` and as a stream, with all digits."""
        gateway.script([reply] * 3)
        structured = create_model().with_structured_output(Price, method=method)
        assert caller.invoke(structured, "hi") == READ_PRICE
        assert caller.stream(structured, "hi") == [READ_PRICE]
        structured = create_model().with_structured_output(Price, method=method, include_raw=True)
        result = caller.invoke(structured, "hi")
        assert result["parsed"] == READ_PRICE
        assert "12345678901234567.89" in result["raw"].text
        if method != "function_calling":
            assert json.loads(result["raw"].text, parse_float=str).keys() == {"total", "version"}
        assert len(gateway.requests) == 3

    @pytest.mark.parametrize("method", METHODS)
    def test_two_different_objects_are_asked_again(
        self, caller, create_model, gateway, method
    ) -> None:
        """With the reason; neither is chosen."""
        gateway.script([f"{PRICE} or {NO_PRICE}", PRICE])
        structured = create_model().with_structured_output(Price, method=method)
        assert caller.invoke(structured, "hi") == READ_PRICE
        question = gateway.requests[1].messages[-1]["content"]
        assert "two different objects match" in question

    def test_two_different_calls_are_asked_again(self, caller, create_model, gateway) -> None:
        """As two different objects are."""
        price = "Price(total=1.10, version='3.10')"
        gateway.script([f"[{price}, Price(total=2, version='3.10')]", f"[{price}]"])
        structured = create_model().with_structured_output(Price, method="function_calling")
        assert str(caller.invoke(structured, "hi").total) == "1.10"
        question = gateway.requests[1].messages[-1]["content"]
        assert "two different objects match" in question

    @pytest.mark.parametrize("method", METHODS)
    def test_a_part_of_an_object_is_asked_again(
        self, caller, create_model, gateway, method
    ) -> None:
        """Though it matches the schema."""
        cut = '{"value": 1, "children": [{"value": 2}, {"va'
        gateway.script([cut, write(Node, {"value": 3}, method)])
        structured = create_model().with_structured_output(Node, method=method)
        assert caller.invoke(structured, "hi") == Node(value=3)
        assert len(gateway.requests) == 2

    @pytest.mark.parametrize("number", ["3.10", "1e5", "00501"])
    @pytest.mark.parametrize("method", METHODS)
    def test_a_number_for_a_text_keeps_its_spelling(
        self, caller, create_model, gateway, method, number
    ) -> None:
        """In a call and in JSON, for a class and for a dict."""
        replies = [f'{{"total": 1, "version": {number}}}'] * 2
        if method == "function_calling":
            replies += [f"[Price(total=1, version={number})]"] * 2
        gateway.script(replies)
        for _ in range(0, len(replies), 2):
            structured = create_model().with_structured_output(Price, method=method)
            assert caller.invoke(structured, "hi").version == number
            schema = Price.model_json_schema()
            structured = create_model().with_structured_output(schema, method=method)
            assert caller.invoke(structured, "hi")["version"] == number

    def test_the_text_of_a_message_keeps_all_digits(self, caller, create_model, gateway) -> None:
        """`response_format` makes it bare JSON."""
        gateway.script([f"So: {PRICE}"])
        bound = create_model().bind(response_format=AS_ANY)
        assert caller.invoke(bound, "hi").text == PRICE
