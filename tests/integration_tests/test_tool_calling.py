"""Tools over HTTP: what is sent, what is read, and what happens to other replies."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool

from langchain_segmind import SegmindOutputError
from tests.support.bodies import check_body
from tests.support.limiters import CountingLimiter
from tests.support.replies import NATIVE_REASONS
from tests.support.schemas import INTEGER, make_tool
from tests.support.scripts import Starts, add

pytestmark = pytest.mark.every_format


@tool
def search(query: str, limit: int = 5) -> str:
    """Search the web."""
    return f"{query} {limit}"


def read(message: AIMessage) -> list[tuple[str, dict]]:
    """Return a message's calls without their ids."""
    return [(call["name"], call["args"]) for call in message.tool_calls]


SUM, TOKYO = ("add", {"a": 1, "b": 2}), ("search", {"query": "東京 'x' \n"})
OWN = {"id", "request_id", "remaining_credits", "generation_time"}
"""What two calls tell differently."""


class TestCalls:
    """What is sent with tools bound, and what is read from the reply."""

    def test_round_trip_of_a_call_and_its_result(
        self, caller, create_model, gateway, api_format
    ) -> None:
        """As every agent does it."""
        model = create_model().bind_tools([add])
        gateway.script(["[add(a=2, b=3)]", "It is 5."])
        question = HumanMessage("2 + 3?")
        message = caller.invoke(model, [question])
        assert read(message) == [("add", {"a": 2, "b": 3})]
        assert message.content == ""
        assert message.response_metadata["finish_reason"] == "tool_calls"
        assert (
            message.response_metadata["native_finish_reason"] == NATIVE_REASONS[api_format]["stop"]
        )
        result = ToolMessage("5", tool_call_id=message.tool_calls[0]["id"])
        answer = caller.invoke(model, [question, message, result])
        assert (answer.content, answer.tool_calls) == ("It is 5.", [])
        assert answer.response_metadata["finish_reason"] == "stop"
        for request in gateway.requests:
            check_body(request.json, api_format)
        first, second = (request.messages for request in gateway.requests)
        assert "# Add two numbers.\nadd(\n a: int,\n b: int,\n)" in first[0]["content"]
        roles = [message["role"] for message in second]
        assert roles == ["system", "user", "assistant", "user"]
        assert second[2]["content"] == "[add(a=2, b=3)]"
        assert second[3]["content"].endswith("\n5\n</tool_result>")

    @pytest.mark.parametrize(
        ("reply", "calls", "content"),
        [
            pytest.param("[add(a=1, b=2), add(a=1, b=2)]", [SUM, SUM], "", id="two"),
            pytest.param(
                "<think>I add.</think>\n[add(a=1, b=2)]\nWait.", [SUM], "Wait.", id="text around"
            ),
            pytest.param(" Just text. ", [], " Just text. ", id="text"),
            pytest.param("[search(query='東京 \\'x\\' \\n')]", [TOKYO], "", id="escapes"),
        ],
    )
    def test_every_path_returns_the_same_calls_and_text(
        self, caller, create_model, gateway, reply, calls, content
    ) -> None:
        """Invoke and stream, sync and async."""
        model = create_model().bind_tools([add, search])
        gateway.script([reply, reply])
        message = caller.invoke(model, "go")
        chunks = caller.stream(model, "go")
        merged = sum(chunks[1:], chunks[0])
        for one in (message, merged):
            assert (read(one), one.content, one.invalid_tool_calls) == (calls, content, [])
        invoked, streamed = (
            {key: value for key, value in one.response_metadata.items() if key not in OWN}
            for one in (message, merged)
        )
        assert invoked == streamed
        assert merged.usage_metadata == message.usage_metadata
        assert [chunk.chunk_position for chunk in chunks][-1] == "last"
        ids = [call["id"] for call in message.tool_calls + merged.tool_calls]
        assert len(set(ids)) == len(ids)
        assert all(ids)

    def test_without_tools_every_reply_is_text(self, create_model, gateway) -> None:
        """No call was offered."""
        gateway.script(["[add(a=1, b=2)]"] * 2)
        for model in (create_model(), create_model().bind_tools([])):
            message = model.invoke("Write a list of calls.")
            assert (message.content, message.tool_calls) == ("[add(a=1, b=2)]", [])
        assert [len(request.messages) for request in gateway.requests] == [1, 1]

    @pytest.mark.parametrize("name", ["math.add", "get weather", "a'b\"c", "f(x)"])
    @pytest.mark.parametrize("argument", ["user-id", "my arg", "名", "a=b"])
    def test_names_are_not_changed(self, create_model, gateway, name: str, argument: str) -> None:
        """The model writes a name as the prompt shows it."""

        def answer(request: Any) -> str:
            signature, first = request.messages[0]["content"].splitlines()[-3:-1]
            return f"[{signature}{first.strip().removesuffix('?: int,')}=5)]"

        gateway.script(answer)
        model = create_model().bind_tools([make_tool(name, **{argument: INTEGER})])
        assert read(model.invoke("go")) == [(name, {argument: 5})]

    def test_coercion_is_logged(self, create_model, gateway, caplog) -> None:
        """At DEBUG."""
        gateway.script(["[add(a='1', b=2.0)]"])
        with caplog.at_level(logging.DEBUG, "langchain_segmind"):
            message = create_model().bind_tools([add]).invoke("go")
        assert read(message) == [SUM]
        assert "text_to_number, float_to_integer" in caplog.text

    def test_stop_string_ends_the_text_but_not_a_call(self, create_model, gateway) -> None:
        """An argument can contain any string."""
        gateway.script(["[search(query='a STOP b')]\nx STOP y", "one STOP two"])
        model = create_model(stop=["STOP"]).bind_tools([search])
        call, text = model.invoke("go"), model.invoke("go")
        assert (call.content, read(call)) == ("x", [("search", {"query": "a STOP b"})])
        assert call.response_metadata["finish_reason"] == "tool_calls"
        assert (text.content, read(text)) == ("one ", [])
        assert text.response_metadata["finish_reason"] == "stop"


class TestChoices:
    """What a model must or must not call."""

    @pytest.mark.parametrize("choice", ["none", False])
    def test_tool_choice_none_never_yields_a_call(self, create_model, gateway, choice) -> None:
        """Every reply is text."""
        gateway.script(["[add(a=1, b=2)]"])
        message = create_model().bind_tools([add], tool_choice=choice).invoke("go")
        assert (message.content, message.tool_calls) == ("[add(a=1, b=2)]", [])
        assert "add(" not in gateway.requests[0].messages[0]["content"]

    @pytest.mark.parametrize("choice", ["any", {"name": "add"}])
    def test_missing_forced_call_is_asked_for_again(
        self, caller, create_model, gateway, choice
    ) -> None:
        """Within one run, with the reply and the reason; usage and cost are those of both."""
        usages = ({"prompt_tokens": 100 * n, "completion_tokens": n} for n in (1, 2))
        texts = ["I would rather talk.", "[add(a=1, b=2)]"]
        gateway.script([{"content": text, "usage": next(usages)} for text in texts])
        starts, limiter, before = Starts(), CountingLimiter(), gateway.credits()
        model = create_model(callbacks=[starts], rate_limiter=limiter)
        message = caller.invoke(model.bind_tools([add, search], tool_choice=choice), "go")
        assert read(message) == [SUM]
        assert (len(starts.models), limiter.asked) == (1, 2)
        *_, reply, question = gateway.requests[1].messages
        assert reply == {"role": "assistant", "content": "I would rather talk."}
        assert question["role"] == "user"
        assert "does not call" in question["content"]
        usage = {"input_tokens": 300, "output_tokens": 3, "total_tokens": 303}
        assert usage.items() <= message.usage_metadata.items()
        left = gateway.credits()
        assert message.response_metadata["cost"] == pytest.approx(float(before - left))
        assert message.response_metadata["remaining_credits"] == pytest.approx(float(left))

    def test_missing_forced_call_raises_after_the_retries(
        self, caller, create_model, gateway
    ) -> None:
        """The error has the replies."""
        gateway.script(["No.", "[search(query='x')]", ""])
        model = create_model(output_retries=2).bind_tools([add, search], tool_choice="add")
        with pytest.raises(SegmindOutputError, match="does not call add") as caught:
            caller.invoke(model, "go")
        error = caught.value
        assert [reply.content for reply in error.replies] == ["No.", "[search(query='x')]", ""]
        [other] = error.replies[1].invalid_tool_calls
        assert (other["name"], other["args"]) == ("search", "search(query='x')")
        assert "offered are: add" in other["error"]
        assert not error.is_retryable
        assert len(gateway.requests) == 3
        assert gateway.requests[2].messages[-2]["content"] == "[search(query='x')]"

    def test_calls_that_are_not_wanted_are_dropped(self, create_model, gateway) -> None:
        """They stay visible in the metadata, as plain JSON."""
        gateway.script(["[add(a=1, b=2), add(a=3, b=4)]"])
        message = create_model().bind_tools([add], parallel_tool_calls=False).invoke("go")
        assert read(message) == [SUM]
        [dropped] = json.loads(json.dumps(message.response_metadata["dropped_tool_calls"]))
        assert dropped["args"] == {"a": 3, "b": 4}
        assert "one call only" in gateway.requests[0].messages[0]["content"]

    @pytest.mark.parametrize("on_invalid", ["retry", "return"])
    def test_another_call_than_the_forced_one_is_invalid(
        self, caller, create_model, gateway, on_invalid
    ) -> None:
        """It is asked for again; the forced call beside it is kept if it is returned."""
        both = "[search(query='x'), add(a=1, b=2)]"
        gateway.script([both, "[add(a=1, b=2)]"])
        model = create_model(on_invalid_tool_call=on_invalid)
        message = caller.invoke(model.bind_tools([add, search], tool_choice="add"), "go")
        assert read(message) == [SUM]
        assert "dropped_tool_calls" not in message.response_metadata
        if on_invalid == "retry":
            assert message.invalid_tool_calls == []
            assert "search: no such function was offered" in gateway.requests[1].last_message
        else:
            [other] = message.invalid_tool_calls
            assert (other["name"], other["args"]) == ("search", "search(query='x')")
        assert len(gateway.requests) == (2 if on_invalid == "retry" else 1)

    def test_binding_errors_are_raised_at_once(self, create_model, gateway) -> None:
        """Before the model is called."""
        with pytest.raises(ValueError, match="'sub'"):
            create_model().bind_tools([add], tool_choice="sub")
        with pytest.raises(ValueError, match="web_search"):
            create_model().bind_tools([{"type": "web_search"}])
        assert gateway.requests == []

    def test_tools_can_be_passed_to_a_call(self, create_model, gateway) -> None:
        """Without bind_tools, like any argument."""
        gateway.script(["[add(a=1, b=2)]"])
        assert read(create_model().invoke("go", tools=[add], tool_choice="any")) == [SUM]

    def test_bound_tools_are_in_openais_format(self, create_model) -> None:
        """In the binding, with the choice."""
        bound = create_model().bind_tools([add], tool_choice="add", temperature=0)
        assert [one["function"]["name"] for one in bound.kwargs["tools"]] == ["add"]
        assert bound.kwargs["tool_choice"] == {"type": "function", "function": {"name": "add"}}
        assert bound.kwargs["temperature"] == 0
        assert bound.kwargs.keys() == {"tools", "tool_choice", "temperature"}


INVALID = [
    pytest.param("[add(a=1, b=", "length", "ends inside", id="a cut call"),
    pytest.param("[add(a=1, b=)]", "stop", "a value is missing", id="a missing value"),
    pytest.param("[add(a=1, b=add(a=1, b=1))]", "stop", "call add first", id="a call as a value"),
    pytest.param("[add(1, 2, 3)]", "stop", "an argument has no name", id="too many values"),
    pytest.param("[add(a=..., b=2)]", "stop", "not a placeholder", id="a placeholder"),
    pytest.param('[{"name": "add", "arguments": {"a": 1, "b"', "length", "ends", id="cut JSON"),
]


class TestInvalidCalls:
    """Calls of known tools that cannot be run."""

    @pytest.fixture(params=[None, "v1"])
    def messages(self, request, caller, create_model, gateway) -> Iterator[Any]:
        """Return the messages of one reply on every path, with either output version."""
        model = create_model(output_version=request.param, on_invalid_tool_call="return")
        model = model.bind_tools([add])

        def get(reply: str, finish_reason: str) -> list[AIMessage]:
            entry = {"content": reply, "finish_reason": finish_reason}
            gateway.script([entry] * 3)
            chunks = caller.stream(model, "go")
            merged = sum(chunks[1:], chunks[0])
            last = AIMessageChunk(content="", chunk_position="last")
            events = model.stream_events("go", version="v3").output
            return [caller.invoke(model, "go"), merged, merged + last, events]

        return get

    @pytest.mark.parametrize(("reply", "finish_reason", "reason"), INVALID)
    def test_invalid_call_is_not_runnable_on_any_path(
        self, messages, reply, finish_reason, reason
    ) -> None:
        """It has an id, its whole text and the reason."""
        for message in messages(reply, finish_reason):
            assert message.tool_calls == []
            [call] = message.invalid_tool_calls
            assert call["id"]
            assert call["name"] == "add"
            assert reply.strip("[]").strip() in call["args"]
            assert message.text == reply
            [error] = message.response_metadata["invalid_tool_call_errors"].values()
            assert reason in error
            assert message.response_metadata["finish_reason"] == finish_reason

    def test_complete_calls_of_a_cut_reply_are_kept(self, messages, api_format) -> None:
        """They can be run."""
        for message in messages("[add(a=1, b=2), add(a=3, b=", "length"):
            assert read(message) == [SUM]
            assert [call["args"] for call in message.invalid_tool_calls] == ["add(a=3, b="]
            assert message.response_metadata["finish_reason"] == "length"
            reason = message.response_metadata.get("native_finish_reason", "length")
            assert reason == NATIVE_REASONS[api_format]["length"]

    @pytest.mark.parametrize(
        ("strict", "wrong", "reason"),
        [
            pytest.param(None, "add(a=1, b=)", "add: a value is missing", id="unreadable"),
            pytest.param(True, "add(a=1)", "required 'b' is missing", id="strict"),
            pytest.param(None, "sub(a=1)", "sub: no such function was offered", id="unknown"),
        ],
    )
    def test_invalid_calls_are_retried(
        self, caller, create_model, gateway, strict, wrong, reason
    ) -> None:
        """The model sees what was wrong, and the whole list is replaced."""
        gateway.script([f"[add(a=9, b=9), {wrong}]", "[add(a=1, b=2)]"])
        message = caller.invoke(create_model().bind_tools([add], strict=strict), "go")
        assert (read(message), message.invalid_tool_calls) == ([SUM], [])
        *_, reply, question = gateway.requests[1].messages
        assert reply["content"] == f"[add(a=9, b=9), {wrong}]"
        assert reason in question["content"]

    def test_calls_that_stay_invalid_are_returned(self, caller, create_model, gateway) -> None:
        """With the whole reply as content, and the usage of all requests."""
        replies = [{"content": f"[add(a={n}, b=)]\nSo.",
                    "usage": {"prompt_tokens": 100, "completion_tokens": 1}}
                   for n in range(3)]  # fmt: skip
        gateway.script(replies)
        model = create_model(output_retries=2).bind_tools([add])
        message = caller.invoke(model, "go")
        assert (message.text, message.tool_calls) == ("[add(a=2, b=)]\nSo.", [])
        assert [call["args"] for call in message.invalid_tool_calls] == ["add(a=2, b=)"]
        assert message.usage_metadata["total_tokens"] == 303
        rejected = message.response_metadata["rejected_replies"]
        assert [one["content"] for one in rejected] == [one["content"] for one in replies[:2]]
        assert len(gateway.requests) == 3

    def test_arguments_that_do_not_fit_go_to_the_tool(self, caller, create_model, gateway) -> None:
        """As the model wrote them; the tool's own validation answers."""
        gateway.script(["[add(a=1), add(a='one', b=2), add(a=1, b=2, c=3), add(x=1)]"])
        message = caller.invoke(create_model().bind_tools([add]), "go")
        arguments = [call["args"] for call in message.tool_calls]
        assert arguments == [{"a": 1}, {"a": "one", "b": 2}, {"a": 1, "b": 2, "c": 3}, {"x": 1}]
        assert message.invalid_tool_calls == []
        assert len(gateway.requests) == 1

    def test_next_turn_shows_invalid_calls_with_their_answers(self, create_model, gateway) -> None:
        """An agent answers them by id, like any call."""
        gateway.script(["[add(a=1)]", "Sorry."])
        model = create_model(on_invalid_tool_call="return").bind_tools([add], strict=True)
        message = model.invoke("go")
        [call] = message.invalid_tool_calls
        assert call["error"] == "required 'b' is missing"
        error = ToolMessage("b is missing", tool_call_id=call["id"], status="error")
        model.invoke([HumanMessage("go"), message, error])
        *_, reply, result = gateway.requests[1].messages
        assert reply["content"] == "[add(a=1)]"
        assert result["content"].startswith(f'<tool_result name="add" id="{call["id"]}" status')
