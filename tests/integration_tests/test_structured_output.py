"""Objects instead of messages, over HTTP: all methods, schemas and kinds of replies."""

import json
import pickle
from dataclasses import dataclass
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, get_usage_metadata_callback
from langchain_core.exceptions import OutputParserException
from langchain_core.load import dumps
from langchain_core.messages import AIMessage
from langchain_core.messages.tool import tool_call
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel
from typing_extensions import TypedDict

from langchain_segmind import SegmindOutputError, SegmindRateLimitError
from langchain_segmind._output.structured_output import create_structured_output
from langchain_segmind._tools import render_calls
from tests.conftest import SECRET
from tests.support.limiters import CountingLimiter
from tests.support.schemas import FITTING, PERSON, UNTITLED, Even, Node, Numbers, Person

METHODS = ["function_calling", "json_schema", "json_mode"]


class City(BaseModel):
    """A place."""

    name: str
    people: int


class CityDict(TypedDict):
    """A place."""

    name: str
    people: int


@dataclass
class CityData:
    """A place."""

    name: str
    people: int


OSLO = {"name": "Oslo", "people": 7}
CITIES = [
    pytest.param(City, City(**OSLO), id="pydantic"),
    pytest.param(CityDict, OSLO, id="TypedDict"),
    pytest.param(CityData, CityData(**OSLO), id="dataclass"),
    pytest.param({**UNTITLED, "required": ["name", "people"]}, OSLO, id="JSON schema"),
]


def write(schema: Any, value: dict[str, Any], method: str) -> str:
    """Write an answer as a model does that follows its instructions."""
    if method != "function_calling":
        return json.dumps(value)
    return render_calls([tool_call(name=create_structured_output(schema).name, args=value, id="")])


class Starts(BaseCallbackHandler):
    """Keeps what is told when a model starts."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.told.append(kwargs)


class TestObjects:
    """Replies that fit."""

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(("schema", "value", "wanted"), FITTING)
    def test_a_good_reply_is_an_object_of_every_schema(
        self, caller, create_model, gateway, schema, value, wanted, method
    ) -> None:
        """By every method, at once, with nothing on the wire but messages."""
        gateway.script([write(schema, value, method)] * 2)
        model = create_model()
        assert caller.invoke(model.with_structured_output(schema, method=method), "hi") == wanted
        structured = model.with_structured_output(schema, method=method, include_raw=True)
        result = caller.invoke(structured, "hi")
        assert (result["parsed"], result["parsing_error"]) == (wanted, None)
        assert isinstance(result["raw"], AIMessage)
        assert result["raw"].usage_metadata["total_tokens"] > 0
        assert result["raw"].response_metadata["remaining_credits"] is not None
        assert [request.json.keys() for request in gateway.requests] == [{"messages"}] * 2

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(("schema", "wanted"), CITIES)
    def test_a_stream_gives_the_same_object(
        self, caller, create_model, gateway, schema, wanted, method
    ) -> None:
        """Once, and whole."""
        gateway.script([write(schema, OSLO, method)] * 2)
        model = create_model()
        structured = model.with_structured_output(schema, method=method)
        assert caller.stream(structured, "hi") == [wanted]
        structured = model.with_structured_output(schema, method=method, include_raw=True)
        (result,) = caller.stream(structured, "hi")
        assert (result["parsed"], result["parsing_error"]) == (wanted, None)
        assert result["raw"].usage_metadata["total_tokens"] > 0

    @pytest.mark.parametrize("method", METHODS)
    def test_a_model_that_streams_gives_the_same_object(
        self, caller, create_model, gateway, method
    ) -> None:
        """`streaming=True`, and another version of the output, change nothing."""
        gateway.script([write(City, OSLO, method)] * 2)
        for fields in ({"streaming": True}, {"output_version": "v1"}):
            structured = create_model(**fields).with_structured_output(City, method=method)
            assert caller.invoke(structured, "hi") == City(**OSLO)

    def test_json_mode_needs_no_schema(self, caller, create_model, gateway) -> None:
        """Any object, as the prompt describes it."""
        gateway.script(['{"any": [1, null]}'])
        structured = create_model().with_structured_output(method="json_mode")
        assert caller.invoke(structured, "hi") == {"any": [1, None]}
        (told, _) = gateway.requests[0].json["messages"]
        assert told["content"].startswith("Always answer with one JSON object and nothing else")

    def test_a_list_can_be_asked_for_as_json(self, caller, create_model, gateway) -> None:
        """What is no object is no function's arguments."""
        gateway.script(["[1, 2]"])
        structured = create_model().with_structured_output(Numbers, method="json_schema")
        assert caller.invoke(structured, "hi") == Numbers([1, 2])
        with pytest.raises(ValueError, match="method='json_schema'"):
            create_model().with_structured_output(Numbers)

    @pytest.mark.parametrize("name", ["auto", "none", "any", "required", "Box[int]", "my answer"])
    def test_a_schema_may_have_any_name(self, caller, create_model, gateway, name) -> None:
        """Also one that means something as a `tool_choice`."""
        schema = {**UNTITLED, "title": name}
        gateway.script([write(schema, OSLO, "function_calling")])
        structured = create_model().with_structured_output(schema)
        assert caller.invoke(structured, "hi") == OSLO
        assert "Now call" in gateway.requests[0].json["messages"][0]["content"]


GOOD, BAD = "an object", "an error"
CALL = "City(name='Oslo', people=7)"
BARE = '{"name": "Oslo", "people": 7}'


class TestReplies:
    """Every kind of reply is an object or an error, never None."""

    @pytest.mark.parametrize(("schema", "wanted"), CITIES)
    @pytest.mark.parametrize(
        ("reply", "call", "bare"),
        [
            pytest.param(f"[{CALL}]", GOOD, BAD, id="a call"),
            pytest.param(f"```python\n[{CALL}]\n```", GOOD, BAD, id="a fenced call"),
            pytest.param(f"Sure:\n[{CALL}]", GOOD, BAD, id="a call behind text"),
            pytest.param(f"[{CALL}, {CALL}]", GOOD, BAD, id="two calls"),
            pytest.param(f"[nope(x=1), {CALL}]", GOOD, BAD, id="a call behind another"),
            pytest.param("[City(name='Oslo', people='7')]", GOOD, BAD, id="a text for a number"),
            pytest.param('{"name": "City", "arguments": ' + BARE + "}", GOOD, BAD, id="OpenAI's"),
            pytest.param("[City(name='Oslo')]", BAD, BAD, id="an argument is missing"),
            pytest.param("[City(name='Oslo', people='many')]", BAD, BAD, id="a wrong argument"),
            pytest.param("[City(name='Oslo', people=", BAD, BAD, id="half a call"),
            pytest.param("[nope(x=1)]", BAD, BAD, id="another call"),
            pytest.param(BARE, GOOD, GOOD, id="JSON"),
            pytest.param(f"\n {BARE}\n", GOOD, GOOD, id="JSON with blanks"),
            pytest.param(f"```json\n{BARE}\n```", GOOD, GOOD, id="fenced JSON"),
            pytest.param(f"Here:\n```\n{BARE}\n```\nOK?", GOOD, GOOD, id="a fence in text"),
            pytest.param("{'name': 'Oslo', 'people': 7}", GOOD, GOOD, id="Python"),
            pytest.param('{"name": "Oslo", "people": "7"}', GOOD, GOOD, id="a number as text"),
            pytest.param('{"name": "Oslo", "people": 7.0}', GOOD, GOOD, id="7.0"),
            pytest.param(f"Here: {BARE}", BAD, BAD, id="JSON behind prose"),
            pytest.param(f"{BARE} There.", BAD, BAD, id="prose behind JSON"),
            pytest.param('{"name": "Oslo", "people": ', BAD, BAD, id="broken JSON"),
            pytest.param('{"name": "Oslo", "people": many}', BAD, BAD, id="a bare word"),
            pytest.param('{"name": "Oslo", "people": "many"}', BAD, BAD, id="a wrong type"),
            pytest.param('{"name": "Oslo"}', BAD, BAD, id="a field is missing"),
            pytest.param('{"name": "Oslo", "people": null}', BAD, BAD, id="null for a number"),
            pytest.param(f"{BARE}\n{BARE}", BAD, BAD, id="two objects"),
            pytest.param(f"```\n{BARE}\n```\n```\n{BARE}\n```", BAD, BAD, id="two fences"),
            pytest.param(f"[{BARE}]", BAD, BAD, id="a list"),
            pytest.param("[]", BAD, BAD, id="an empty list"),
            pytest.param("{}", BAD, BAD, id="an empty object"),
            pytest.param("null", BAD, BAD, id="null"),
            pytest.param("None", BAD, BAD, id="None"),
            pytest.param("7", BAD, BAD, id="a number"),
            pytest.param("", BAD, BAD, id="nothing"),
            pytest.param("Oslo has 7 people.", BAD, BAD, id="prose"),
            pytest.param("[" * 2_000, BAD, BAD, id="nonsense"),
        ],
    )
    @pytest.mark.parametrize("method", METHODS)
    def test_a_reply_parses_or_raises(
        self, create_model, gateway, schema, wanted, reply, call, bare, method
    ) -> None:
        """With the raw reply, the error stands beside it."""
        reply = reply.replace("City", create_structured_output(schema).name)
        gateway.script([reply, reply])
        model = create_model(output_retries=0)
        structured = model.with_structured_output(schema, method=method)
        is_good = (call if method == "function_calling" else bare) == GOOD
        if is_good:
            assert structured.invoke("hi") == wanted
        else:
            with pytest.raises(OutputParserException) as caught:
                structured.invoke("hi")
            assert isinstance(caught.value, SegmindOutputError)
            assert caught.value.replies[0].usage_metadata
        beside = model.with_structured_output(schema, method=method, include_raw=True).invoke("hi")
        assert beside["parsed"] == (wanted if is_good else None)
        assert isinstance(beside["parsing_error"], type(None) if is_good else OutputParserException)
        assert beside["raw"].usage_metadata
        assert len(gateway.requests) == 2

    def test_what_the_server_leaves_out_is_an_error_too(
        self, caller, create_model, gateway
    ) -> None:
        """A filtered reply has no content."""
        body = {"choices": [{"message": {"content": None}, "finish_reason": "content_filter"}]}
        gateway.script(lambda request: {"status": 200, "body": body})
        structured = create_model().with_structured_output(City)
        with pytest.raises(OutputParserException):
            caller.invoke(structured, "hi")


class TestAskingAgain:
    """Replies that do not fit are shown to the model."""

    @pytest.mark.parametrize("include_raw", [False, True], ids=["parsed", "with raw"])
    @pytest.mark.parametrize(
        ("method", "first", "fault"),
        [
            pytest.param("function_calling", "Two.", "it does not call Even", id="text"),
            pytest.param("function_calling", "[Even(number=3)]", "it is odd", id="a bad call"),
            pytest.param("function_calling", '{"number": 3}', "it is odd", id="JSON for a call"),
            pytest.param("json_schema", "Two.", "it is no JSON", id="text for JSON"),
            pytest.param("json_schema", '{"number": 3}', "it is odd", id="bad JSON"),
            pytest.param("json_mode", "[2]", "Input should be an object", id="a list"),
            pytest.param("json_mode", '{"number": 3}', "it is odd", id="any JSON"),
        ],
    )
    def test_the_second_reply_counts(
        self, caller, create_model, gateway, method, first, fault, include_raw
    ) -> None:
        """One start, one limit per request, one sum, and the last balance."""
        gateway.script([first, write(Even, {"number": 2}, method)])
        starts, limiter = Starts(), CountingLimiter()
        structured = create_model(rate_limiter=limiter).with_structured_output(
            Even, method=method, include_raw=include_raw
        )
        with get_usage_metadata_callback() as usage:
            result = caller.invoke(structured, "hi", {"callbacks": [starts]})
        assert (result["parsed"] if include_raw else result) == Even(number=2)
        assert len(starts.told) == 1
        assert limiter.asked == len(gateway.requests) == 2
        shown, question = gateway.requests[1].json["messages"][-2:]
        assert shown == {"role": "assistant", "content": first}
        assert question["role"] == "user"
        assert fault in question["content"]
        tokens = [sum(len(m["content"]) > 0 for m in r.json["messages"]) for r in gateway.requests]
        assert tokens == [2, 4]
        (total,) = usage.usage_metadata.values()
        if include_raw:
            assert result["parsing_error"] is None
            assert result["raw"].usage_metadata == total
            left = result["raw"].response_metadata["remaining_credits"]
            assert left == pytest.approx(float(gateway.credits()))
            assert result["raw"].response_metadata["cost"] == pytest.approx(1_000 - left)

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("retries", [0, 1, 3])
    def test_it_is_asked_at_most_so_often(
        self, caller, create_model, gateway, method, retries
    ) -> None:
        """Then the error holds all replies, and is LangChain's own."""
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
        result = caller.invoke(structured, "hi")
        assert result["raw"].text == replies[-1]
        assert result["parsed"] is None
        assert isinstance(result["parsing_error"], OutputParserException)
        assert len(gateway.requests) == 2 * len(replies)

    @pytest.mark.parametrize("method", METHODS)
    def test_a_stream_asks_again_as_well(self, caller, create_model, gateway, method) -> None:
        """And gives one object, or the error."""
        gateway.script(["no", write(Even, {"number": 2}, method), "no", "no", "no", "no"])
        starts = Starts()
        structured = create_model().with_structured_output(Even, method=method)
        assert caller.stream(structured, "hi", {"callbacks": [starts]}) == [Even(number=2)]
        assert len(starts.told) == 1
        with pytest.raises(SegmindOutputError):
            caller.stream(structured, "hi")
        structured = create_model().with_structured_output(Even, method=method, include_raw=True)
        (result,) = caller.stream(structured, "hi")
        assert result["parsed"] is None
        assert isinstance(result["parsing_error"], OutputParserException)

    def test_a_streams_error_says_what_was_wrong(self, caller, create_model, gateway) -> None:
        """Also where merging chunks loses the reason."""
        gateway.script(["[City(name='Oslo')]"] * 2)
        structured = create_model().with_structured_output(City, include_raw=True)
        (result,) = caller.stream(structured, "hi")
        assert "City: the required 'people' is missing" in str(result["parsing_error"])

    def test_the_recursion_of_a_schema_is_checked_at_every_level(
        self, caller, create_model, gateway
    ) -> None:
        """A wrong grandchild is found, and mended."""
        wrong = "[Node(value=1, children=[{'value': 2, 'children': [{'value': 'x'}]}])]"
        gateway.script([wrong, wrong.replace("'x'", "3")])
        node = caller.invoke(create_model().with_structured_output(Node), "hi")
        assert node.children[0].children[0].value == 3
        question = gateway.requests[1].json["messages"][-1]["content"]
        assert "children.0.children.0.value" in question


class TestArguments:
    """What `with_structured_output` takes."""

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("strict", [None, True, False])
    def test_strict_changes_no_reply(self, caller, create_model, gateway, method, strict) -> None:
        """Replies are always checked; traces are told."""
        gateway.script([write(Person, PERSON, method)])
        starts = Starts()
        structured = create_model().with_structured_output(Person, method=method, strict=strict)
        assert caller.invoke(structured, "hi", {"callbacks": [starts]}).name == "Ann"
        kwargs = starts.told[0]["options"]["ls_structured_output_format"]["kwargs"]
        expected = {"method": method} if strict is None else {"method": method, "strict": strict}
        assert kwargs == expected

    @pytest.mark.parametrize(
        ("arguments", "error", "words"),
        [
            pytest.param({"method": "yaml"}, ValueError, "'json_schema' or 'json_mode'", id="yaml"),
            pytest.param({"schema": None}, ValueError, "needs a schema", id="no schema"),
            pytest.param(
                {"schema": None, "method": "json_schema"}, ValueError, "needs a schema", id="none"
            ),
            pytest.param({"schema": 5}, ValueError, "cannot be used as a schema", id="a number"),
            pytest.param({"include_row": True}, TypeError, "'include_row'", id="misspelt"),
            pytest.param({"temperature": 0}, TypeError, "'temperature'", id="of the call"),
            pytest.param({"tools": []}, TypeError, "'tools'", id="tools"),
        ],
    )
    def test_what_is_wrong_is_told_before_any_request(
        self, create_model, gateway, arguments, error, words
    ) -> None:
        """When the runnable is made."""
        with pytest.raises(error, match=words):
            create_model().with_structured_output(**{"schema": City, **arguments})
        assert gateway.requests == []

    def test_the_models_own_settings_count(self, caller, create_model, gateway) -> None:
        """Parameters are sent, and a call may override them."""
        gateway.script([write(City, OSLO, "function_calling")] * 2)
        structured = create_model(temperature=0.5, seed=3).with_structured_output(City)
        caller.invoke(structured, "hi")
        bound = structured.first.bind(seed=4) | structured.last
        assert caller.invoke(bound, "hi") == City(**OSLO)
        assert [request.json["seed"] for request in gateway.requests] == [3, 4]
        assert gateway.requests[0].json["temperature"] == 0.5


class TestTracing:
    """What callbacks and traces see."""

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(("schema", "wanted"), CITIES)
    def test_the_schema_is_told_as_langchain_writes_it(
        self, caller, create_model, gateway, schema, wanted, method
    ) -> None:
        """Once a call, and nothing that is no JSON stands in the traced settings."""
        gateway.script([write(schema, OSLO, method)] * 2)
        starts = Starts()
        structured = create_model().with_structured_output(schema, method=method)
        caller.invoke(structured, "hi", {"callbacks": [starts]})
        caller.stream(structured, "hi", {"callbacks": [starts]})
        assert len(starts.told) == 2
        for told in starts.told:
            assert told["options"]["ls_structured_output_format"] == {
                "kwargs": {"method": method},
                "schema": convert_to_json_schema(
                    {"title": "answer", **schema} if isinstance(schema, dict) else schema
                ),
            }
            assert "structured_output" not in told["options"]
            assert json.dumps(told["invocation_params"])

    def test_the_runnable_can_be_dumped(self, create_model) -> None:
        """Tracers write what runs."""
        structured = create_model().with_structured_output(City)
        assert "RunnableSequence" in dumps(structured)
        assert SECRET not in dumps(structured) + repr(structured)
        assert "parse_structured_output" in structured.get_graph().draw_mermaid()

    async def test_events_end_with_the_object(self, create_model, gateway) -> None:
        """The event streams of LangChain."""
        gateway.script([write(City, OSLO, "function_calling")])
        structured = create_model().with_structured_output(City)
        events = [event async for event in structured.astream_events("hi", version="v2")]
        names = [event["event"] for event in events]
        assert names.count("on_chat_model_start") == 1
        assert events[-1]["data"]["output"] == City(**OSLO)


class TestRunnables:
    """Chains of LangChain."""

    @pytest.mark.parametrize("method", METHODS)
    def test_a_prompt_comes_before_it(self, caller, create_model, gateway, method) -> None:
        """The prompt's system message stays, and what the model is told joins it."""
        gateway.script([write(City, OSLO, method)] * 2)
        prompt = ChatPromptTemplate([("system", "Be brief."), ("user", "{place}")])
        chain = prompt | create_model().with_structured_output(City, method=method)
        assert caller.invoke(chain, {"place": "Oslo"}) == City(**OSLO)
        assert caller.stream(chain, {"place": "Oslo"}) == [City(**OSLO)]
        system, user = gateway.requests[0].json["messages"]
        assert system["content"].startswith("Be brief.\n\n")
        assert user["content"] == "Oslo"

    def test_a_batch_keeps_its_order(self, caller, create_model, gateway) -> None:
        """Each prompt has its own object, or its own error."""
        gateway.script(
            lambda request: (
                "no"
                if "bad" in str(request.json)
                else write(City, {**OSLO, "name": request.last_message}, "function_calling")
            )
        )
        structured = create_model().with_structured_output(City)
        names = [str(number) for number in range(8)]
        cities = caller.batch(structured, names)
        assert [city.name for city in cities] == names
        mixed = caller.batch(structured, ["1", "bad"], return_exceptions=True)
        assert mixed[0].name == "1"
        assert isinstance(mixed[1], SegmindOutputError)

    def test_a_fallback_takes_over(self, caller, create_model, gateway) -> None:
        """Where no reply fits, and where the server refuses."""
        gateway.script(
            lambda request: (
                write(City, OSLO, "function_calling") if request.slug == "gpt-4o" else "no"
            )
        )
        fallback = create_model(model="gpt-4o").with_structured_output(City)
        structured = create_model().with_structured_output(City).with_fallbacks([fallback])
        assert caller.invoke(structured, "hi") == City(**OSLO)
        assert [request.slug for request in gateway.requests] == ["gpt-4-turbo"] * 2 + ["gpt-4o"]
        gateway.script([{"status": 429}, write(City, OSLO, "function_calling")])
        structured = create_model(max_retries=0).with_structured_output(City)
        assert caller.invoke(structured.with_fallbacks([fallback]), "hi") == City(**OSLO)

    def test_a_retry_runs_it_anew(self, caller, create_model, gateway) -> None:
        """LangChain's own retries, for a parser's error or a server's."""
        gateway.script(["no", "no", {"status": 429}, write(City, OSLO, "json_schema")])
        model = create_model(max_retries=0)
        structured = model.with_structured_output(City, method="json_schema").with_retry(
            retry_if_exception_type=(OutputParserException, SegmindRateLimitError),
            wait_exponential_jitter=False,
        )
        assert caller.invoke(structured, "hi") == City(**OSLO)
        assert len(gateway.requests) == 4

    @pytest.mark.parametrize("include_raw", [False, True], ids=["parsed", "with raw"])
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(("schema", "wanted"), CITIES)
    def test_it_survives_pickling(
        self, caller, create_model, gateway, schema, wanted, method, include_raw
    ) -> None:
        """Workers get it whole."""
        gateway.script([write(schema, OSLO, method)])
        structured = create_model().with_structured_output(
            schema, method=method, include_raw=include_raw
        )
        result = caller.invoke(pickle.loads(pickle.dumps(structured)), "hi")
        assert (result["parsed"] if include_raw else result) == wanted

    @pytest.mark.parametrize("method", METHODS)
    def test_a_cache_is_asked_first(self, caller, create_model, gateway, method) -> None:
        """Equal questions are paid for once; another schema or method is another question."""
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

    def test_a_schema_is_part_of_the_caches_key(self, create_model) -> None:
        """In JSON mode, too, where the prompt does not show it."""
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


class TestResponseFormat:
    """`response_format`, bound directly."""

    @pytest.mark.parametrize(
        ("wanted", "reply", "value"),
        [
            pytest.param(AS_CITY, BARE, OSLO, id="JSON"),
            pytest.param(AS_CITY, f"Here:\n```json\n{BARE}\n```", OSLO, id="a fence"),
            pytest.param(AS_CITY, "{'name': 'Oslo', 'people': '7'}", OSLO, id="Python, bent"),
            pytest.param(AS_ANY, BARE, OSLO, id="any JSON"),
            pytest.param(AS_ANY, "```\n{'a': (1, None)}\n```", {"a": [1, None]}, id="any Python"),
        ],
    )
    def test_the_text_is_bare_json(
        self, caller, create_model, gateway, wanted, reply, value
    ) -> None:
        """`json.loads` reads it, on every path, and nothing but messages is sent."""
        gateway.script([reply] * 3)
        model = create_model()
        bound = model.bind_tools([], response_format=wanted)
        assert json.loads(caller.invoke(bound, "hi").text) == value
        chunks = caller.stream(bound, "hi")
        assert json.loads("".join(chunk.text for chunk in chunks)) == value
        assert json.loads(caller.invoke(model, "hi", response_format=wanted).text) == value
        assert [request.json.keys() for request in gateway.requests] == [{"messages"}] * 3
        assert "nothing else" in gateway.requests[0].json["messages"][0]["content"]

    @pytest.mark.parametrize("wanted", [None, {"type": "text"}])
    def test_text_asks_for_nothing(self, caller, create_model, gateway, wanted) -> None:
        """As OpenAI has it."""
        gateway.script(["Five."])
        assert caller.invoke(create_model().bind(response_format=wanted), "hi").text == "Five."
        assert len(gateway.requests[0].json["messages"]) == 1

    def test_an_unknown_one_is_refused_before_any_request(
        self, caller, create_model, gateway
    ) -> None:
        """The message says what is known."""
        with pytest.raises(ValueError, match="response_format=.* is unknown"):
            caller.invoke(create_model(), "hi", response_format={"type": "yaml"})
        assert gateway.requests == []

    @pytest.mark.parametrize("wanted", [AS_CITY, AS_ANY], ids=["a schema", "any"])
    def test_text_is_asked_for_again_then_an_error(
        self, caller, create_model, gateway, wanted
    ) -> None:
        """JSON that was asked for and is not there is no answer."""
        gateway.script(["Oslo.", BARE, "Oslo.", "Oslo."])
        bound = create_model().bind(response_format=wanted)
        message = caller.invoke(bound, "hi")
        assert json.loads(message.text) == OSLO
        assert message.usage_metadata["output_tokens"] > 2
        with pytest.raises(SegmindOutputError, match="it is no JSON"):
            caller.invoke(bound, "hi")

    def test_a_call_goes_first_where_there_are_tools(self, caller, create_model, gateway) -> None:
        """An agent calls its tools before it answers."""

        @tool
        def count(place: str) -> int:
            """Count the people of a place."""
            return 7

        gateway.script(["[count(place='Oslo')]", BARE])
        bound = create_model().bind_tools([count], response_format=AS_CITY, strict=True)
        message = caller.invoke(bound, "hi")
        assert message.tool_calls[0]["args"] == {"place": "Oslo"}
        assert json.loads(caller.invoke(bound, "hi").text) == OSLO
        told = gateway.requests[0].json["messages"][0]["content"]
        assert "count(" in told
        assert "Unless you call functions, answer with one JSON value of the type below" in told

    def test_a_forced_call_leaves_no_choice(self, caller, create_model, gateway) -> None:
        """JSON is not spoken of where a call must come."""

        def count(place: str) -> int:
            """Count."""
            return 7

        gateway.script([BARE, "[count(place='Oslo')]"])
        bound = create_model().bind_tools([count], tool_choice="any", response_format=AS_CITY)
        assert caller.invoke(bound, "hi").tool_calls
        assert "JSON" not in gateway.requests[0].json["messages"][0]["content"]

    def test_a_call_that_cannot_be_run_is_asked_for_again(
        self, caller, create_model, gateway
    ) -> None:
        """It is neither a call nor JSON, and the model is told what is wrong with the call."""

        def count(place: str) -> int:
            """Count."""
            return 7

        gateway.script(["[count()]", "[count(place='Oslo')]"])
        bound = create_model().bind_tools([count], response_format=AS_CITY)
        assert caller.invoke(bound, "hi").tool_calls
        question = gateway.requests[1].json["messages"][-1]["content"]
        assert "count: the required 'place' is missing" in question

    def test_half_a_character_can_be_sent_back(self, caller, create_model, gateway) -> None:
        """JSON can spell it, and the next turn carries it."""
        gateway.script(['{"name": "half \\ud83d"}', "{}"])
        bound = create_model().bind(response_format=AS_ANY)
        message = caller.invoke(bound, "hi")
        assert json.loads(message.text) == {"name": "half \ufffd"}
        assert caller.invoke(bound, ["hi", message, "go on"]).text == "{}"


class TestAgents:
    """LangChain's agents ask for objects in both ways."""

    @pytest.mark.parametrize(
        ("strategy", "answer"),
        [
            pytest.param(ProviderStrategy(City), BARE, id="JSON text"),
            pytest.param(ProviderStrategy(City, strict=True), f"```\n{BARE}\n```", id="strict"),
            pytest.param(ToolStrategy(City), f"[{CALL}]", id="a call"),
            pytest.param(City, f"[{CALL}]", id="a class alone"),
        ],
    )
    def test_an_agent_ends_with_an_object(
        self, caller, create_model, gateway, strategy, answer
    ) -> None:
        """After a call of a tool."""

        @tool
        def count(place: str) -> int:
            """Count the people of a place."""
            return 7

        gateway.script(["[count(place='Oslo')]", answer])
        agent = create_agent(create_model(), tools=[count], response_format=strategy)
        state = caller.invoke(agent, {"messages": [("user", "How many live in Oslo?")]})
        assert state["structured_response"] == City(**OSLO)
        assert [request.json.keys() for request in gateway.requests] == [{"messages"}] * 2
