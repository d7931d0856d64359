"""The model is asked again until a reply meets the requirement; LangChain sees one call."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages.tool import tool_call
from pydantic import BaseModel, field_validator

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._chat.formats import decode
from langchain_segmind._chat.reask import KEPT, UNCLEAR, WRITE_CALLS, WRITE_JSON, Call, run_call
from langchain_segmind._chat.turns import Turn
from langchain_segmind._output.response_format import ResponseFormat
from langchain_segmind._output.structured_output import create_structured_output
from langchain_segmind._settings.call_settings import CallSettings
from langchain_segmind._tools import ToolChoice, convert_tools, create_toolset
from langchain_segmind.exceptions import SegmindOutputError, SegmindResponseError


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def sub(a: int, b: int) -> int:
    """Subtract."""
    return a - b


class Even(BaseModel):
    """An even number."""

    number: int

    @field_validator("number")
    @classmethod
    def check(cls, number: int) -> int:
        """Reject odd numbers."""
        if number % 2:
            raise ValueError("it is odd.")
        return number


TOOLS = create_toolset(convert_tools([add, sub]))
CITY = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
EVEN = create_structured_output(Even)
QUESTION = [HumanMessage("2 + 3?")]
FIRST_TURN = Turn("user", ["2 + 3?"])


def reply(text: str | None, usage: object = None, **headers: str) -> APIResponse:
    """Return a response with this text."""
    body = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return APIResponse(200, names, json.dumps(body).encode())


def start(settings: Mapping[str, Any], messages: Sequence[BaseMessage] = QUESTION) -> Call:
    """Start a call; the first `next` returns its request."""
    return run_call(messages, CallSettings(model="slug", **settings), decode)


def run(
    settings: Mapping[str, Any], *replies: APIResponse | str
) -> tuple[list[list[Turn]], AIMessage]:
    """Return the turns of each request, without instructions, and the call's message."""
    requests = []
    call = start(settings)
    request = next(call)
    for answer in replies:
        requests.append([turn for turn in request.turns if turn.role != "system"])
        try:
            request = call.send(reply(answer) if isinstance(answer, str) else answer)
        except StopIteration as end:
            assert answer is replies[-1]
            return requests, end.value.generations[0].message
    raise AssertionError("the call needs more replies")


FORCED = {"tools": TOOLS, "tool_choice": ToolChoice("any")}
FORCED_ADD = {"tools": TOOLS, "tool_choice": ToolChoice("any", "add")}
JSON = {"response_format": ResponseFormat()}
CITY_JSON = {"response_format": ResponseFormat(CITY)}
TOOLS_OR_JSON = {"tools": TOOLS, "response_format": ResponseFormat(CITY)}
RETRY_INVALID = {"tools": TOOLS, "on_invalid_tool_call": "retry"}
RETURN_INVALID = {"tools": TOOLS, "on_invalid_tool_call": "return"}
STRICT_TOOLS = create_toolset(convert_tools([add, sub], strict=True))
STRICT = {"tools": STRICT_TOOLS}
STRICT_FORCED = {"tools": STRICT_TOOLS, "tool_choice": ToolChoice("any")}
EVEN_CALL = {
    "tools": create_toolset([EVEN.openai_tool]),
    "tool_choice": ToolChoice("any", "Even"),
    "structured_output": EVEN,
}
EVEN_JSON = {"response_format": ResponseFormat(EVEN.schema), "structured_output": EVEN}
ADD = "[add(a=2, b=3)]"
ONLY_ADD = "sub: no such function was offered; offered are: add"


CALLING = AIMessage("", name="three", tool_calls=[tool_call(name="add", args={}, id="c")])
NAMED = [HumanMessage("Hi."), CALLING, AIMessage("A", name="one"), AIMessage("B", name="two")]


TWO = "<name>two</name><content>"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        pytest.param(f"{TWO}Five.</content>", "Five.", id="form"),
        pytest.param(
            "<name>three</name><content>Five.</content>", "Five.", id="speaker without a text"
        ),
        pytest.param("<name>two</name>\n<content>Five.\n</content>\n", "Five.\n", id="line feeds"),
        pytest.param(
            f"{TWO}Use <content>x</content> here.</content>",
            "Use <content>x</content> here.",
            id="tags within",
        ),
        pytest.param(f"{TWO}Five, cut o", "Five, cut o", id="cut off"),
        pytest.param(f"{TWO}Five.</content> Six.", "Five.\nSix.", id="more behind"),
        pytest.param(
            "<name>Widget</name><content>A widget</content>",
            "<name>Widget</name><content>A widget</content>",
            id="no speaker",
        ),
        pytest.param("Five.", "Five.", id="no form"),
        pytest.param(f"See {TWO}Five.</content>", f"See {TWO}Five.</content>", id="within"),
    ],
)
def test_a_reply_that_imitates_the_form_of_names_is_its_text(text, content) -> None:
    """Only where the model was shown its speaker in this form."""
    for messages, expected in ((NAMED, content), ([NAMED[0], NAMED[2]], text)):
        call = start({}, messages)
        next(call)
        with pytest.raises(StopIteration) as end:
            call.send(reply(text))
        assert end.value.value.generations[0].message.content == expected


@pytest.mark.parametrize(
    ("text", "content", "argument"),
    [
        (f"{TWO}Let me add.</content>\n[add(a=2, b=3)]", "Let me add.", 2),
        (f"{TWO}Let me add.</content>[add(a=2, b=3)]", "Let me add.", 2),
        (f"{TWO}[add(a='</content>', b=3)]</content>", "", "</content>"),
    ],
)
def test_a_call_in_the_form_of_names_is_read(text, content, argument) -> None:
    """The model imitates what it was shown of others."""
    call = start({"tools": TOOLS, "output_retries": 0}, NAMED)
    next(call)
    with pytest.raises(StopIteration) as end:
        call.send(reply(text))
    message = end.value.value.generations[0].message
    assert (message.content, message.tool_calls[0]["args"]["a"]) == (content, argument)


class TestAcceptedReplies:
    """Replies that meet the requirement."""

    @pytest.mark.parametrize(
        ("settings", "text"),
        [
            pytest.param({}, "Five.", id="text"),
            pytest.param({}, "", id="empty text"),
            pytest.param({"tools": TOOLS}, "Five.", id="text with tools"),
            pytest.param({"tools": TOOLS}, "[add(a=2)]", id="call without an argument"),
            pytest.param(RETURN_INVALID, "[add(a=2, b=)]", id="invalid call"),
            pytest.param(RETURN_INVALID, "[mul(a=2, b=3)]", id="unknown function"),
            pytest.param({"tools": TOOLS}, "[add(a=2, b=3)]", id="call"),
            pytest.param(FORCED, "[sub(a=2, b=3)]", id="any call"),
            pytest.param(
                {**FORCED_ADD, **RETURN_INVALID},
                "[sub(a=2, b=3), add(a=2, b=3)]",
                id="forced call beside another",
            ),
            pytest.param(FORCED, "[add(a=2, b=3), add(a=2)]", id="call beside an incomplete one"),
            pytest.param(
                {**FORCED, **RETURN_INVALID},
                "[add(a=2, b=3), add(a=)]",
                id="valid and invalid call",
            ),
            pytest.param(JSON, '{"a": 1}', id="any object"),
            pytest.param(CITY_JSON, "```json\n{'name': 'Oslo'}\n```", id="fenced JSON"),
            pytest.param(TOOLS_OR_JSON, '{"name": "Oslo"}', id="JSON with tools"),
            pytest.param(TOOLS_OR_JSON, "[add(a=2, b=3)]", id="call instead of JSON"),
            pytest.param(RETRY_INVALID, "[add(a=2, b=3)]", id="valid call with retry"),
            pytest.param(
                {**RETRY_INVALID, "parallel_tool_calls": False},
                "[add(a=2, b=3), add(a=)]",
                id="single kept call",
            ),
            pytest.param(RETRY_INVALID, "Five.", id="text with retry"),
            pytest.param(EVEN_CALL, "[Even(number=2)]", id="object in a call"),
            pytest.param(EVEN_CALL, "[Even(number='2')]", id="coerced object"),
            pytest.param(EVEN_CALL, '{"number": 2}', id="JSON instead of a call"),
            pytest.param(EVEN_JSON, '{"number": 2}', id="object in JSON"),
        ],
    )
    def test_a_reply_that_meets_the_requirement_ends_the_call(self, settings, text) -> None:
        """After one request."""
        requests, message = run(settings, text)
        assert requests == [[FIRST_TURN]]
        assert message.response_metadata["model_provider"] == "segmind"

    def test_the_callers_messages_are_not_changed(self) -> None:
        """The conversation is a copy."""
        messages = list(QUESTION)
        call = start(FORCED, messages)
        next(call)
        call.send(reply("Five."))
        assert messages == QUESTION

    def test_a_response_without_a_completion_ends_the_call(self) -> None:
        """Asking again would cost money for the same answer."""
        call = start(FORCED)
        next(call)
        with pytest.raises(SegmindResponseError) as caught:
            call.send(APIResponse(200, {}, b"<html>"))
        assert caught.value.__context__ is None, "the traceback shows the JSON decoder"


class TestReask:
    """Replies that are shown to the model with the reason."""

    @pytest.mark.parametrize(
        ("settings", "first", "reason", "second"),
        [
            pytest.param(FORCED, "Five.", "it does not call a function", ADD, id="text for a call"),
            pytest.param(FORCED_ADD, "Five.", "it does not call add", ADD, id="text for add"),
            pytest.param(FORCED_ADD, "[sub(a=2, b=3)]", ONLY_ADD, ADD, id="other function"),
            pytest.param(
                FORCED_ADD, "[add(a=2, b=3), sub(a=2, b=3)]", ONLY_ADD, ADD, id="one of two forced"
            ),
            pytest.param(
                {"tools": TOOLS},
                "[mul(a=2, b=3)]",
                "mul: no such function was offered; offered are: add, sub",
                ADD,
                id="unknown function",
            ),
            pytest.param(
                STRICT_FORCED,
                "[add(a=2)]",
                "add: required 'b' is missing",
                ADD,
                id="incomplete forced call",
            ),
            pytest.param(
                STRICT, "[add(a=2)]", "add: required 'b' is missing", ADD, id="incomplete call"
            ),
            pytest.param(FORCED, "[add(a=)]", "add: a value is missing", ADD, id="unreadable call"),
            pytest.param(
                RETRY_INVALID,
                "[add(a=2, b=3), add(a=)]",
                "add: a value is missing",
                ADD,
                id="invalid call",
            ),
            pytest.param(JSON, "Five.", "not valid JSON", '{"a": 5}', id="text for JSON"),
            pytest.param(JSON, "[5]", "not a JSON object", '{"a": 5}', id="list for JSON"),
            pytest.param(
                CITY_JSON,
                '{"city": "Oslo"}',
                "does not match the schema: required 'name' is missing",
                '{"name": "Oslo"}',
                id="other schema",
            ),
            pytest.param(
                {**TOOLS_OR_JSON, **STRICT},
                "[add(a=2)]",
                "add: required 'b' is missing",
                ADD,
                id="call or JSON",
            ),
            pytest.param(EVEN_CALL, "Two.", "it does not call Even", "[Even(number=2)]", id="text"),
            pytest.param(
                EVEN_CALL,
                "[Even(number=3)]",
                "number: Value error, it is odd",
                "[Even(number=2)]",
                id="call rejected by a validator",
            ),
            pytest.param(
                EVEN_CALL,
                "[Even(number='many')]",
                "number: Input should be a valid integer, unable to parse string as an integer",
                "[Even(number=2)]",
                id="argument of a wrong type",
            ),
            pytest.param(
                EVEN_CALL,
                "[Even()]",
                "number: Field required",
                "[Even(number=2)]",
                id="missing argument",
            ),
            pytest.param(
                EVEN_JSON,
                '{"number": 3}',
                "number: Value error, it is odd",
                '{"number": 2}',
                id="JSON rejected by a validator",
            ),
            pytest.param(
                EVEN_JSON, "null", "Input should be an object", '{"number": 2}', id="null"
            ),
        ],
    )
    def test_the_model_sees_its_reply_and_the_reason(self, settings, first, reason, second) -> None:
        """After the conversation, with the instruction to write calls or JSON."""
        requests, message = run(settings, first, second)
        assert requests[0] == [FIRST_TURN]
        instruction = WRITE_CALLS if second.startswith("[") else WRITE_JSON
        question = Turn("user", [f"That reply cannot be used: {reason}. {instruction}"])
        assert requests[1] == [FIRST_TURN, Turn("assistant", [first]), question]
        assert message.tool_calls or json.loads(message.text)

    def test_an_empty_reply_is_not_sent_back(self) -> None:
        """Some servers reject a message without text."""
        requests, _ = run(JSON, reply(None), '{"a": 1}')
        assert requests[1] == [
            FIRST_TURN,
            Turn("user", [f"That reply cannot be used: the reply is empty. {WRITE_JSON}"]),
        ]

    def test_the_model_sees_all_calls_that_it_wrote(self) -> None:
        """Including calls that the settings drop."""
        requests, _ = run(FORCED_ADD, "[sub(a=1, b=2), sub(a=3, b=4)]", "[add(a=2, b=3)]")
        assert requests[1][1].text == "[sub(a=1, b=2), sub(a=3, b=4)]"

    def test_output_retries_limits_the_requests(self) -> None:
        """Each reason follows the one before."""
        replies = ["one", "two", "three", '{"a": 1}']
        requests, message = run({**JSON, "output_retries": 3}, *replies)
        assert [len(one) for one in requests] == [1, 3, 5, 7]
        assert [one.text for one in requests[3][1::2]] == ["one", "two", "three"]
        assert message.text == '{"a": 1}'

    def test_a_call_that_stays_invalid_is_returned(self) -> None:
        """It is an error only if a call was forced."""
        requests, message = run(STRICT, "[add(a=2)]", "[add(b=3)]")
        assert len(requests) == 2
        (call,) = message.invalid_tool_calls
        assert call["error"] == "required 'a' is missing"
        assert message.text == "[add(b=3)]"


class TestOutputErrors:
    """Calls whose replies never meet the requirement."""

    @pytest.mark.parametrize(
        ("settings", "texts", "times", "reason"),
        [
            pytest.param(FORCED, ["a", "b"], "2 times", "it does not call a function", id="calls"),
            pytest.param(JSON, ["a", "b"], "2 times", "not valid JSON", id="JSON"),
            pytest.param(
                {**JSON, "output_retries": 0}, ["a"], "once", "not valid JSON", id="no retries"
            ),
            pytest.param(
                EVEN_CALL,
                ["[Even(number=1)]", "[Even(number=3)]"],
                "2 times",
                "number: Value error, it is odd. Reword",
                id="validator",
            ),
            pytest.param(
                {**TOOLS_OR_JSON, **STRICT},
                ["a", "[add(a=2)]"],
                "2 times",
                "add: required 'b' is missing",
                id="incomplete call",
            ),
        ],
    )
    def test_the_error_contains_all_replies(self, settings, texts, times, reason) -> None:
        """The replies were paid for, and show what went wrong."""
        replies = [reply(text, x_remaining_credits="4", x_request_id=text) for text in texts]
        with pytest.raises(SegmindOutputError) as caught:
            run(settings, *replies)
        error = caught.value
        assert str(error).startswith(f"The model was asked {times}, but its reply cannot be used")
        assert reason in str(error)
        assert ".." not in str(error)
        assert len(error.replies) == len(texts)
        assert error.remaining_credits == 4
        assert error.request_id == texts[-1]
        assert error.is_retryable is False

    def test_on_unmet_requirement_return_returns_the_last_reply(self) -> None:
        """For `include_raw`, whose caller checks the reply."""
        settings = {**JSON, "on_unmet_requirement": "return"}
        requests, message = run(settings, "one", "two")
        assert len(requests) == 2
        assert message.text == "two"


REFUSED = {"message": {"content": None, "refusal": "I can't help."}, "finish_reason": "stop"}
FILTERED = {"message": {"content": "{"}, "finish_reason": "content_filter"}
BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}}


def respond(body: Any) -> APIResponse:
    """Return a response with this body."""
    return APIResponse(200, {}, json.dumps(body).encode())


class TestBlockedReplies:
    """Replies that a filter stopped, or with which the model refused."""

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            pytest.param({"choices": [REFUSED]}, "the model refused: I can't help.", id="refusal"),
            pytest.param({"choices": [FILTERED]}, "a filter of the provider stopped it", id="cut"),
            pytest.param(BLOCKED, "a filter of the provider stopped it (SAFETY)", id="prompt"),
            pytest.param(
                {"content": [], "stop_reason": "refusal"},
                "a filter of the provider stopped it (refusal)",
                id="Claude",
            ),
        ],
    )
    @pytest.mark.parametrize("settings", [FORCED, CITY_JSON, EVEN_CALL])
    def test_a_blocked_reply_is_not_asked_for_again(self, settings, body, reason) -> None:
        """The same request gives the same answer; the error says why."""
        with pytest.raises(SegmindOutputError) as caught:
            run(settings, respond(body))
        assert f"once, but its reply cannot be used: {reason}" in str(caught.value)
        assert "Change the prompt" in str(caught.value)

    def test_a_blocked_reply_with_an_invalid_call_is_returned(self) -> None:
        """It was stopped within the call."""
        stopped = {"message": {"content": "[add(a=2"}, "finish_reason": "content_filter"}
        requests, message = run(RETRY_INVALID, respond({"choices": [stopped]}))
        assert len(requests) == 1
        assert len(message.invalid_tool_calls) == 1

    @pytest.mark.parametrize("ending", [{"finish_reason": "content_filter"}, {"refusal": "No."}])
    def test_a_blocked_reply_is_not_asked_about(self, ending) -> None:
        """Although a call stands beside its text."""
        fields = {"content": f"I add.\n{ADD}", "refusal": ending.get("refusal")}
        answer = {"message": fields, "finish_reason": ending.get("finish_reason", "stop")}
        requests, message = run({"tools": TOOLS}, respond({"choices": [answer]}))
        assert len(requests) == 1
        assert message.tool_calls == []

    def test_a_cut_reply_with_calls_says_that_it_was_cut(self) -> None:
        """The calls before the cut are no reason to forget it."""
        cut = {"message": {"content": "[add(a=2, b=3), add(a=4"}, "finish_reason": "length"}
        requests, _ = run(RETRY_INVALID, respond({"choices": [cut]}), ADD)
        assert "it was cut off at its maximum length" in requests[1][-1].text

    def test_what_meets_the_requirement_counts(self) -> None:
        """Although a filter stopped the text after it."""
        filtered = {"message": {"content": '{"name": "Oslo"}'}, "finish_reason": "content_filter"}
        _, message = run(CITY_JSON, respond({"choices": [filtered]}))
        assert message.text == '{"name": "Oslo"}'

    def test_a_native_call_without_tools_is_invalid_and_not_asked_about(self) -> None:
        """There is nothing to call."""
        function = {"name": "add", "arguments": "{}"}
        answer = {"message": {"content": "Hm.", "tool_calls": [{"function": function}]}}
        requests, message = run({}, respond({"choices": [answer]}))
        assert len(requests) == 1
        assert (message.text, message.tool_calls) == ("Hm.", [])
        assert message.invalid_tool_calls[0]["name"] == "add"


class TestRejectedReplies:
    """The metadata `rejected_replies`."""

    def test_rejected_replies_are_kept_with_their_reason(self) -> None:
        """Even if the last reply makes no call."""
        _, message = run(STRICT, "[add(a=2)]\nLet me see.", "I cannot.")
        assert (message.text, message.invalid_tool_calls) == ("I cannot.", [])
        [rejected] = message.response_metadata["rejected_replies"]
        assert rejected["content"] == "[add(a=2)]\nLet me see."
        assert rejected["invalid_tool_calls"][0]["args"] == "add(a=2)"
        assert rejected["reason"] == "add: required 'b' is missing"

    def test_a_call_with_one_reply_has_no_rejected_replies(self) -> None:
        """The key is absent."""
        _, message = run({"tools": TOOLS}, "[add(a=2, b=3)]")
        assert "rejected_replies" not in message.response_metadata


class TestUnclearReplies:
    """Calls beside other text, of which the model is asked once whether it meant them."""

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(f"I add.\n{ADD}", id="list after prose"),
            pytest.param(f"I add.\n{ADD}\nWait.", id="list between prose"),
            pytest.param(f"I add.\n```\n{ADD}\n```", id="fence after prose"),
            pytest.param(f"I add.\n```python\n{ADD}\n```\nWait.", id="fence between prose"),
            pytest.param(f"I add: {ADD}", id="list at the end of a line"),
            pytest.param(
                'I add.\n{"name": "add", "arguments": {"a": 2, "b": 3}}', id="JSON after prose"
            ),
            pytest.param(
                'I add.\n<tool_call>{"name": "add", "arguments": {"a": 2, "b": 3}}</tool_call>',
                id="tag after prose",
            ),
        ],
    )
    def test_an_unclear_reply_is_asked_about(self, text) -> None:
        """The second reply's calls count; the first is kept, with the question."""
        requests, message = run({"tools": TOOLS}, text, ADD)
        assert requests[1] == [FIRST_TURN, Turn("assistant", [text]), Turn("user", [UNCLEAR])]
        assert [call["args"] for call in message.tool_calls] == [{"a": 2, "b": 3}]
        assert message.content == ""
        [rejected] = message.response_metadata["rejected_replies"]
        assert rejected == {"content": text, "reason": UNCLEAR}

    @pytest.mark.parametrize(
        "second",
        [
            pytest.param("I did not mean to call.", id="text"),
            pytest.param("", id="empty"),
            pytest.param(f"Yes.\n{ADD}", id="unclear again"),
            pytest.param(f"```\n{ADD}\n```\nOr so.", id="unclear fence"),
        ],
    )
    def test_the_first_reply_stands_if_the_second_does_not_call(self, second) -> None:
        """It is asked about once, however many retries there are."""
        first = f"One could write\n{ADD}"
        requests, message = run({"tools": TOOLS, "output_retries": 5}, first, second)
        assert len(requests) == 2
        assert (message.text, message.tool_calls, message.invalid_tool_calls) == (first, [], [])
        [rejected] = message.response_metadata["rejected_replies"]
        assert rejected == {key: text for key, text in (("content", second), ("reason", KEPT))
                            if text}  # fmt: skip

    def test_calls_at_the_start_of_the_second_reply_count(self) -> None:
        """As they do in a first reply."""
        _, message = run({"tools": TOOLS}, f"I add.\n{ADD}", f"{ADD}\nThere.")
        assert [call["args"] for call in message.tool_calls] == [{"a": 2, "b": 3}]
        assert message.text == "There."

    def test_invalid_calls_of_the_second_reply_are_asked_for_again(self) -> None:
        """Within the retries that are left."""
        settings = {"tools": TOOLS, "output_retries": 2}
        requests, message = run(settings, f"I add.\n{ADD}", "[add(a=)]", ADD)
        assert [len(turns) for turns in requests] == [1, 3, 5]
        assert [call["args"] for call in message.tool_calls] == [{"a": 2, "b": 3}]
        rejected = message.response_metadata["rejected_replies"]
        assert [one["reason"] for one in rejected] == [UNCLEAR, "add: a value is missing"]

    def test_an_unclear_reply_after_an_invalid_one_is_asked_about(self) -> None:
        """If a retry is left; else it is text."""
        replies = ["[add(a=)]", f"Sorry.\n{ADD}"]
        requests, message = run({"tools": TOOLS, "output_retries": 2}, *replies, "No.")
        assert requests[2][-1] == Turn("user", [UNCLEAR])
        assert (message.text, message.tool_calls) == (replies[1], [])
        requests, message = run({"tools": TOOLS, "output_retries": 1}, *replies)
        assert (message.text, message.tool_calls) == (replies[1], [])

    @pytest.mark.parametrize(
        ("settings", "calls"),
        [
            pytest.param({"output_retries": 0}, 1, id="no retries"),
            pytest.param({"calls_in_text": False}, 0, id="no calls in text"),
            pytest.param({"response_format": ResponseFormat(),
                          "on_unmet_requirement": "return", "output_retries": 0}, 1, id="JSON"),
            pytest.param({"tool_choice": ToolChoice("any")}, 1, id="any call"),
            pytest.param({"tool_choice": ToolChoice("any", "add")}, 1, id="forced call"),
            pytest.param({"tool_choice": ToolChoice("none")}, 0, id="no call"),
        ],
    )  # fmt: skip
    def test_no_question_is_asked(self, settings, calls) -> None:
        """Where it is off, or clear what is wanted."""
        text = f"I add.\n{ADD}"
        requests, message = run({"tools": TOOLS, **settings}, text)
        assert len(requests) == 1
        assert len(message.tool_calls) == calls
        assert message.text == ("I add." if calls else text)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(f"I write {ADD} to add.", id="list within a sentence"),
            pytest.param(f"I write\n    {ADD}\nto add.", id="indented list"),
            pytest.param(f"So:\n```ruby\n{ADD}\n```", id="fence of another language"),
            pytest.param("I write\n[mul(a=2, b=3)]", id="unknown function"),
            pytest.param("I write\n```\n[mul(a=2, b=3)]\n```", id="unknown function in a fence"),
            pytest.param(f"So.\n<think>{ADD}</think>\nFive.", id="reasoning"),
            pytest.param(f"Write this:\n<example>\n{ADD}\n</example>", id="example"),
        ],
    )
    def test_text_that_is_clear_is_not_asked_about(self, text) -> None:
        """It costs one request."""
        requests, message = run({"tools": TOOLS}, text)
        assert len(requests) == 1
        assert (message.text, message.tool_calls, message.invalid_tool_calls) == (text, [], [])

    def test_a_list_before_text_is_run(self) -> None:
        """What follows the calls is the message's text."""
        requests, message = run({"tools": TOOLS}, f"{ADD}\nI add.")
        assert len(requests) == 1
        assert (message.text, len(message.tool_calls)) == ("I add.", 1)


class TestCosts:
    """Usage, cost and balance of several requests."""

    def test_usage_and_cost_are_summed_over_all_requests(self) -> None:
        """The balance and the request id are those of the last."""
        first = reply(
            "five",
            {
                "prompt_tokens": 10,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 4},
            },
            x_cost="0.25",
            x_remaining_credits="9.75",
            x_request_id="r-1",
        )
        second = reply(
            '{"a": 5}',
            {"prompt_tokens": 20, "completion_tokens": 3},
            x_cost="0.5",
            x_remaining_credits="9.25",
            x_request_id="r-2",
        )
        _, message = run(JSON, first, second)
        assert message.usage_metadata == {
            "input_tokens": 30,
            "output_tokens": 5,
            "total_tokens": 35,
            "input_token_details": {"cache_read": 4},
        }
        assert message.response_metadata["cost"] == 0.75
        assert message.response_metadata["remaining_credits"] == 9.25
        assert message.response_metadata["request_id"] == "r-2"

    @pytest.mark.parametrize(
        ("reported", "balance"),
        [({"x_remaining_credits": "9.25"}, 9.25), ({}, 9.75)],
        ids=["both", "first"],
    )
    def test_a_first_reply_that_stands_has_the_usage_and_cost_of_both(
        self, reported, balance
    ) -> None:
        """And the last balance that was reported."""
        usage = {"prompt_tokens": 10, "completion_tokens": 2}
        first = reply(f"I add.\n{ADD}", usage, x_cost="0.25", x_remaining_credits="9.75")
        second = reply("No call.", usage, x_cost="0.5", **reported)
        _, message = run({"tools": TOOLS}, first, second)
        assert message.text == f"I add.\n{ADD}"
        assert message.usage_metadata["total_tokens"] == 24
        assert message.response_metadata["cost"] == 0.75
        assert message.response_metadata["remaining_credits"] == balance

    @pytest.mark.parametrize("missing", [0, 1])
    def test_usage_and_cost_are_omitted_if_one_request_reports_none(self, missing) -> None:
        """A partial sum would be wrong."""
        usage = {"prompt_tokens": 1, "completion_tokens": 1}
        reported = [(usage, {"x_cost": "0.5"}), (usage, {"x_cost": "0.5"})]
        reported[missing] = (None, {})
        replies = [
            reply(text, usage, **headers)
            for text, (usage, headers) in zip(("five", '{"a": 5}'), reported, strict=True)
        ]
        _, message = run(JSON, *replies)
        assert message.usage_metadata is None
        assert "cost" not in message.response_metadata

    def test_each_reply_of_an_error_has_its_own_usage_and_cost(self) -> None:
        """They are not summed."""
        usage = {"prompt_tokens": 1, "completion_tokens": 1}
        with pytest.raises(SegmindOutputError) as caught:
            run(JSON, reply("a", usage, x_cost="0.5"), reply("b", usage, x_cost="0.5"))
        assert [one.usage_metadata["total_tokens"] for one in caught.value.replies] == [2, 2]
        assert [one.response_metadata["cost"] for one in caught.value.replies] == [0.5, 0.5]
