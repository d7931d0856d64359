"""One call asks until the reply is what was asked for, and counts as one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from pydantic import BaseModel, field_validator

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._chat.formats import openai
from langchain_segmind._chat.reask import WRITE_CALLS, WRITE_JSON, Call, run_call
from langchain_segmind._chat.request import Turn
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
        """Refuse odd numbers."""
        if number % 2:
            raise ValueError("it is odd.")
        return number


TOOLS = create_toolset(convert_tools([add, sub]))
CITY = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
EVEN = create_structured_output(Even)
QUESTION = [HumanMessage("2 + 3?")]
ASKED = Turn("user", "2 + 3?")


def reply(text: str | None, usage: object = None, **headers: str) -> APIResponse:
    """Build the server's answer."""
    body = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return APIResponse(200, names, json.dumps(body).encode())


def start(settings: Mapping[str, Any], messages: Sequence[BaseMessage] = QUESTION) -> Call:
    """Start a call."""
    return run_call(messages, CallSettings(model="slug", **settings), openai.decode)


def run(
    settings: Mapping[str, Any], *replies: APIResponse | str
) -> tuple[list[list[Turn]], AIMessage]:
    """Return what was asked each time, without instructions, and the message in the end."""
    asked = []
    call = start(settings)
    request = next(call)
    for answer in replies:
        asked.append([turn for turn in request.turns if turn.role != "system"])
        try:
            request = call.send(reply(answer) if isinstance(answer, str) else answer)
        except StopIteration as end:
            assert answer is replies[-1]
            return asked, end.value.generations[0].message
    raise AssertionError("it asks for more replies")


FORCED = {"tools": TOOLS, "tool_choice": ToolChoice("any")}
FORCED_ADD = {"tools": TOOLS, "tool_choice": ToolChoice("any", "add")}
JSON = {"response_format": ResponseFormat()}
CITY_JSON = {"response_format": ResponseFormat(CITY)}
TOOLS_OR_JSON = {"tools": TOOLS, "response_format": ResponseFormat(CITY)}
REPAIRS = {"tools": TOOLS, "on_invalid_tool_call": "retry"}
EVEN_CALL = {
    "tools": create_toolset([EVEN.openai_tool]),
    "tool_choice": ToolChoice("any", "Even"),
    "structured_output": EVEN,
}
EVEN_JSON = {"response_format": ResponseFormat(EVEN.schema), "structured_output": EVEN}


class TestEnough:
    """Replies that end the call at once."""

    @pytest.mark.parametrize(
        ("settings", "text"),
        [
            pytest.param({}, "Five.", id="text"),
            pytest.param({}, "", id="nothing at all"),
            pytest.param({"tools": TOOLS}, "Five.", id="text beside tools"),
            pytest.param({"tools": TOOLS}, "[add(a=2)]", id="a call that cannot be run"),
            pytest.param({"tools": TOOLS}, "[add(a=2, b=3)]", id="a call"),
            pytest.param(FORCED, "[sub(a=2, b=3)]", id="any call"),
            pytest.param(FORCED_ADD, "[sub(a=2, b=3), add(a=2, b=3)]", id="the call among others"),
            pytest.param(FORCED, "[add(a=2, b=3), add(a=2)]", id="a call beside one that is not"),
            pytest.param(JSON, '{"a": 1}', id="any object"),
            pytest.param(CITY_JSON, "```json\n{'name': 'Oslo'}\n```", id="JSON in a fence"),
            pytest.param(TOOLS_OR_JSON, '{"name": "Oslo"}', id="JSON beside tools"),
            pytest.param(TOOLS_OR_JSON, "[add(a=2, b=3)]", id="a call in place of JSON"),
            pytest.param(REPAIRS, "[add(a=2, b=3)]", id="a call that can be run"),
            pytest.param(
                {**REPAIRS, "parallel_tool_calls": False},
                "[add(a=2, b=3), add(a=2)]",
                id="the one call that is kept",
            ),
            pytest.param(REPAIRS, "Five.", id="text, where calls are repaired"),
            pytest.param(EVEN_CALL, "[Even(number=2)]", id="an object in a call"),
            pytest.param(EVEN_CALL, "[Even(number='2')]", id="an object that is bent"),
            pytest.param(EVEN_CALL, '{"number": 2}', id="JSON in place of the call"),
            pytest.param(EVEN_JSON, '{"number": 2}', id="an object in JSON"),
        ],
    )
    def test_what_was_asked_for_is_asked_for_once(self, settings, text) -> None:
        """The first reply is the answer."""
        asked, message = run(settings, text)
        assert asked == [[ASKED]]
        assert message.response_metadata["model_provider"] == "segmind"

    def test_the_callers_messages_are_not_changed(self) -> None:
        """The second question stands in a list of its own."""
        messages = list(QUESTION)
        conversation = start(FORCED, messages)
        next(conversation)
        conversation.send(reply("Five."))
        assert messages == QUESTION

    def test_a_reply_that_is_no_completion_is_an_error_at_once(self) -> None:
        """Asking again would cost money for the same answer."""
        conversation = start(FORCED)
        next(conversation)
        with pytest.raises(SegmindResponseError):
            conversation.send(APIResponse(200, {}, b"<html>"))


class TestAskingAgain:
    """Replies that are shown to the model with the reason."""

    @pytest.mark.parametrize(
        ("settings", "first", "fault", "wanted", "second"),
        [
            pytest.param(
                FORCED,
                "Five.",
                "it does not call a function",
                WRITE_CALLS,
                "[add(a=2, b=3)]",
                id="text for a call",
            ),
            pytest.param(
                FORCED_ADD,
                "[sub(a=2, b=3)]",
                "it does not call add",
                WRITE_CALLS,
                "[add(a=2, b=3)]",
                id="another function",
            ),
            pytest.param(
                FORCED,
                "[add(a=2)]",
                "add: required 'b' is missing",
                WRITE_CALLS,
                "[add(a=2, b=3)]",
                id="half a call",
            ),
            pytest.param(
                REPAIRS,
                "[add(a=2, b=3), add(a=)]",
                "add: a value is missing",
                WRITE_CALLS,
                "[add(a=2, b=3)]",
                id="one call that cannot be run",
            ),
            pytest.param(
                JSON, "Five.", "not valid JSON", WRITE_JSON, '{"a": 5}', id="text for JSON"
            ),
            pytest.param(
                JSON, "[5]", "not a JSON object", WRITE_JSON, '{"a": 5}', id="a list for JSON"
            ),
            pytest.param(
                CITY_JSON,
                '{"city": "Oslo"}',
                "does not match the schema: required 'name' is missing",
                WRITE_JSON,
                '{"name": "Oslo"}',
                id="another type",
            ),
            pytest.param(
                TOOLS_OR_JSON,
                "[add(a=2)]",
                "add: required 'b' is missing",
                WRITE_CALLS,
                "[add(a=2, b=3)]",
                id="half a call where JSON would do",
            ),
            pytest.param(
                EVEN_CALL,
                "Two.",
                "it does not call Even",
                WRITE_CALLS,
                "[Even(number=2)]",
                id="text for an object",
            ),
            pytest.param(
                EVEN_CALL,
                "[Even(number=3)]",
                "number: Value error, it is odd",
                WRITE_CALLS,
                "[Even(number=2)]",
                id="a call that a validator refuses",
            ),
            pytest.param(
                EVEN_CALL,
                "[Even(number='many')]",
                "number: Input should be a valid integer, unable to parse string as an integer",
                WRITE_CALLS,
                "[Even(number=2)]",
                id="a call of another type",
            ),
            pytest.param(
                EVEN_CALL,
                "[Even()]",
                "Even: required 'number' is missing",
                WRITE_CALLS,
                "[Even(number=2)]",
                id="a call without its argument",
            ),
            pytest.param(
                EVEN_JSON,
                '{"number": 3}',
                "number: Value error, it is odd",
                WRITE_JSON,
                '{"number": 2}',
                id="JSON that a validator refuses",
            ),
            pytest.param(
                EVEN_JSON,
                "null",
                "Input should be an object",
                WRITE_JSON,
                '{"number": 2}',
                id="null",
            ),
        ],
    )
    def test_the_model_is_told_why(self, settings, first, fault, wanted, second) -> None:
        """It sees its own reply and one sentence about it, behind the conversation."""
        asked, message = run(settings, first, second)
        assert asked[0] == [ASKED]
        question = Turn("user", f"That reply cannot be used: {fault}. {wanted}")
        assert asked[1] == [ASKED, Turn("assistant", first), question]
        assert message.tool_calls or json.loads(message.text)

    def test_an_empty_reply_is_not_shown(self) -> None:
        """There is nothing to show, and some servers refuse a message without text."""
        asked, _ = run(JSON, reply(None), '{"a": 1}')
        assert asked[1] == [
            ASKED,
            Turn("user", f"That reply cannot be used: the reply is empty. {WRITE_JSON}"),
        ]

    def test_a_call_that_was_dropped_is_shown(self) -> None:
        """The model sees all that it wrote."""
        asked, _ = run(FORCED_ADD, "[sub(a=1, b=2), sub(a=3, b=4)]", "[add(a=2, b=3)]")
        assert asked[1][1].text == "[sub(a=1, b=2), sub(a=3, b=4)]"

    def test_it_is_asked_as_often_as_the_settings_say(self) -> None:
        """Each question stands behind the last."""
        replies = ["one", "two", "three", '{"a": 1}']
        asked, message = run({**JSON, "output_retries": 3}, *replies)
        assert [len(one) for one in asked] == [1, 3, 5, 7]
        assert [one.text for one in asked[3][1::2]] == ["one", "two", "three"]
        assert message.text == '{"a": 1}'

    def test_a_call_that_stays_wrong_is_returned(self) -> None:
        """Where no call was forced, what cannot be run is no error."""
        asked, message = run(REPAIRS, "[add(a=2)]", "[add(b=3)]")
        assert len(asked) == 2
        (call,) = message.invalid_tool_calls
        assert call["error"] == "required 'a' is missing"


class TestGivingUp:
    """Replies that are never what was asked for."""

    @pytest.mark.parametrize(
        ("settings", "texts", "times", "fault"),
        [
            pytest.param(FORCED, ["a", "b"], "2 times", "it does not call a function", id="calls"),
            pytest.param(JSON, ["a", "b"], "2 times", "not valid JSON", id="JSON"),
            pytest.param(
                {**JSON, "output_retries": 0}, ["a"], "once", "not valid JSON", id="never"
            ),
            pytest.param(
                EVEN_CALL,
                ["[Even(number=1)]", "[Even(number=3)]"],
                "2 times",
                "number: Value error, it is odd. Reword",
                id="a validator",
            ),
            pytest.param(
                TOOLS_OR_JSON,
                ["a", "[add(a=2)]"],
                "2 times",
                "add: required 'b' is missing",
                id="half a call",
            ),
        ],
    )
    def test_the_error_holds_all_replies(self, settings, texts, times, fault) -> None:
        """They were paid for, and show what went wrong."""
        replies = [reply(text, x_remaining_credits="4", x_request_id=text) for text in texts]
        with pytest.raises(SegmindOutputError) as caught:
            run(settings, *replies)
        error = caught.value
        assert str(error).startswith(f"The model was asked {times}, but its reply cannot be used")
        assert fault in str(error)
        assert ".." not in str(error)
        assert len(error.replies) == len(texts)
        assert error.remaining_credits == 4
        assert error.request_id == texts[-1]
        assert error.is_retryable is False

    def test_it_may_be_returned_all_the_same(self) -> None:
        """Who asks for the raw reply judges it."""
        settings = {**JSON, "on_unmet_requirement": "return"}
        asked, message = run(settings, "one", "two")
        assert len(asked) == 2
        assert message.text == "two"


class TestRejectedReplies:
    """What the model wrote before its last reply."""

    def test_nothing_that_was_asked_for_again_is_lost(self) -> None:
        """Where the model gives up its call, the call is still there to be seen."""
        settings = {"tools": TOOLS, "on_invalid_tool_call": "retry"}
        _, message = run(settings, "Let me see.\n[add(a=2)]", "I cannot.")
        assert (message.text, message.invalid_tool_calls) == ("I cannot.", [])
        [rejected] = message.response_metadata["rejected_replies"]
        assert rejected["content"] == "Let me see."
        assert rejected["invalid_tool_calls"][0]["args"] == "add(a=2)"
        assert rejected["reason"] == "add: required 'b' is missing"

    def test_a_call_of_one_reply_has_none(self) -> None:
        """It says nothing where there is nothing to say."""
        _, message = run({"tools": TOOLS}, "[add(a=2, b=3)]")
        assert "rejected_replies" not in message.response_metadata


class TestCosts:
    """What several requests cost."""

    def test_usage_and_cost_are_summed_and_credits_are_the_last(self) -> None:
        """The call's bill is that of all its requests."""
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

    @pytest.mark.parametrize("missing", [0, 1])
    def test_what_one_request_does_not_tell_has_no_sum(self, missing) -> None:
        """Half a bill would be a wrong bill."""
        usage = {"prompt_tokens": 1, "completion_tokens": 1}
        told = [(usage, {"x_cost": "0.5"}), (usage, {"x_cost": "0.5"})]
        told[missing] = (None, {})
        replies = [
            reply(text, usage, **headers)
            for text, (usage, headers) in zip(("five", '{"a": 5}'), told, strict=True)
        ]
        _, message = run(JSON, *replies)
        assert message.usage_metadata is None
        assert "cost" not in message.response_metadata

    def test_the_replies_of_an_error_keep_their_own(self) -> None:
        """They are told one by one."""
        usage = {"prompt_tokens": 1, "completion_tokens": 1}
        with pytest.raises(SegmindOutputError) as caught:
            run(JSON, reply("a", usage, x_cost="0.5"), reply("b", usage, x_cost="0.5"))
        assert [one.usage_metadata["total_tokens"] for one in caught.value.replies] == [2, 2]
        assert [one.response_metadata["cost"] for one in caught.value.replies] == [0.5, 0.5]
