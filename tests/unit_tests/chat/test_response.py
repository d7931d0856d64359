"""A response becomes a message, whichever fields it has."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from langchain_segmind._api.balance import create_credits
from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.usage import create_usage_metadata
from langchain_segmind._chat.formats import decode
from langchain_segmind._chat.reask import run_call
from langchain_segmind._chat.response import (
    Completion,
    combine_outputs,
    convert_result_to_chunks,
    create_chat_result,
    read_completion,
)
from langchain_segmind._output.response_format import ResponseFormat
from langchain_segmind._settings.call_settings import CallSettings
from langchain_segmind.exceptions import SegmindError, SegmindResponseError


def read(body: object, headers: dict[str, str] | None = None, stop: tuple = ()) -> AIMessage:
    """Return the message of a response with this body."""
    response = APIResponse(200, headers or {}, json.dumps(body).encode())
    return read_response(response, stop=list(stop))


def read_response(response: APIResponse, **settings: object) -> AIMessage:
    """Return the message of a call that gets this response."""
    settings_ = CallSettings(model="slug", **settings)
    call = run_call([HumanMessage("hi")], settings_, decode)
    next(call)
    with pytest.raises(StopIteration) as end:
        call.send(response)
    message = end.value.value.generations[0].message
    assert isinstance(message, AIMessage)
    return message


def completion(content: object = "hi", **fields: object) -> dict:
    """Return the smallest completion with additional fields."""
    return {"choices": [{"message": {"content": content}}], **fields}


def test_four_metadata_keys_are_always_present() -> None:
    """Even if the server sends nothing for them."""
    message = read(completion())
    assert message.content == "hi"
    assert message.usage_metadata is None
    assert message.id is None
    assert message.response_metadata == {
        "model_name": "slug",
        "model_provider": "segmind",
        "finish_reason": None,
        "remaining_credits": None,
    }


def test_all_fields_of_a_response_are_kept() -> None:
    """Those of the body and those of the headers."""
    body = {
        "id": "chat_1",
        "model": "gpt-4-turbo-2024-04-09",
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "finish_reason": "length",
                "logprobs": {"content": []},
                "message": {"content": "hi", "refusal": "no", "reasoning_content": "hm"},
            }
        ],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 5,
            "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    }
    headers = {
        "x-remaining-credits": "-0.5",
        "x-cost": "0.0123",
        "x-request-id": "r-1",
        "x-generation-time": "1.25",
    }
    message = read(body, headers)
    assert message.response_metadata == {
        "id": "chat_1",
        "model_name": "gpt-4-turbo-2024-04-09",
        "model_provider": "segmind",
        "finish_reason": "length",
        "remaining_credits": -0.5,
        "cost": 0.0123,
        "request_id": "r-1",
        "generation_time": 1.25,
        "system_fingerprint": "fp_1",
        "token_usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
        "logprobs": {"content": []},
    }
    assert message.usage_metadata == {
        "input_tokens": 7,
        "output_tokens": 5,
        "total_tokens": 12,
        "input_token_details": {"cache_read": 3, "audio": 0},
        "output_token_details": {"reasoning": 2},
    }
    assert message.additional_kwargs == {"refusal": "no", "reasoning_content": "hm"}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("hi", "hi", id="string"),
        pytest.param(None, "", id="null"),
        pytest.param("", "", id="empty"),
        pytest.param([{"type": "text", "text": "a"}, {"text": "b"}, "c"], "abc", id="parts"),
        pytest.param([], "", id="empty list"),
        pytest.param([{"type": "text", "text": ""}], "", id="empty part"),
        pytest.param([{"type": "thinking"}, {"type": "text", "text": "a"}], "a", id="other parts"),
    ],
)
def test_a_content_can_be_a_string_parts_or_null(content: object, text: str) -> None:
    """Some backends reply in parts; a filtered reply is null."""
    assert read(completion(content)).content == text


@pytest.mark.parametrize(
    "usage",
    [
        pytest.param(None, id="null"),
        pytest.param([], id="list"),
        pytest.param({}, id="empty"),
        pytest.param({"prompt_tokens": 3}, id="one count"),
        pytest.param({"prompt_tokens": "3", "completion_tokens": 4}, id="string"),
        pytest.param({"prompt_tokens": -3, "completion_tokens": 4}, id="negative"),
        pytest.param({"prompt_tokens": 10**4299, "completion_tokens": 4}, id="too many digits"),
        pytest.param({"prompt_tokens": 1e300, "completion_tokens": 4}, id="absurd"),
        pytest.param({"prompt_tokens": True, "completion_tokens": 4}, id="bool"),
        pytest.param({"prompt_tokens": 0.5, "completion_tokens": 4}, id="fraction"),
    ],
)
def test_incomplete_or_invalid_usage_is_dropped(usage: object) -> None:
    """A partial count would make totals wrong."""
    assert create_usage_metadata(usage) is None


@pytest.mark.parametrize("digits", [4300, 5000])
def test_a_number_with_too_many_digits_loses_no_reply(digits: int) -> None:
    """The reply is paid for."""
    body = json.dumps(completion("hi", usage={"prompt_tokens": 1, "completion_tokens": 0}))
    body = body.replace("1", "9" * digits)
    message = read_response(APIResponse(200, {}, body.encode()))
    assert message.text == "hi"
    assert message.usage_metadata is None


@pytest.mark.parametrize(
    "body",
    [
        completion([{"type": "text", "text": "a", "index": 1}]),
        completion(1),
        completion(None, usage=None) | {"choices": [{"message": {"tool_calls": [
            {"id": "c", "function": {"name": "delete", "arguments": {"days": 1}}}
        ]}}]},
        {"content": [{"type": "tool_use", "id": "c", "name": "delete", "input": {"days": 1}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {"args": {"days": 1}}}]}}]},
    ],
    ids=["text", "content", "OpenAI", "Anthropic", "Gemini"],
)  # fmt: skip
def test_a_number_in_the_answer_is_never_lost(body: dict) -> None:
    """A tool that got None in its place could delete everything."""
    text = json.dumps(body).replace("1", "9" * 5000)
    with pytest.raises(SegmindResponseError, match="a number has too many digits"):
        read_response(APIResponse(200, {}, text.encode()))


def test_a_balance_beside_a_huge_number_is_read() -> None:
    """It is the account's."""
    body = b'{"credits": 1.5, "other": ' + b"9" * 5000 + b"}"
    assert create_credits(APIResponse(200, {}, body)).credits == 1.5


def test_the_total_is_the_reported_one() -> None:
    """A provider can count tokens that are neither of the prompt nor of the reply."""
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 9}
    assert create_usage_metadata(usage)["total_tokens"] == 9


@pytest.mark.parametrize("total", [None, "x", float("inf"), float("nan")])
def test_a_missing_or_invalid_total_is_the_sum(total: object) -> None:
    """Of the tokens of prompt and reply."""
    usage = {"prompt_tokens": 3, "completion_tokens": 4.0, "total_tokens": total}
    assert create_usage_metadata(usage) == {
        "input_tokens": 3,
        "output_tokens": 4,
        "total_tokens": 7,
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"<html>busy</html>", "is not JSON", id="HTML page"),
        pytest.param(b"", "is not JSON", id="empty body"),
        pytest.param(b"\xff\xfe", "is not JSON", id="invalid UTF-8"),
        pytest.param(b'{"choices": [{"mess', "is not JSON", id="truncated JSON"),
        pytest.param(b"[" * 100_000, "is not JSON", id="deep nesting"),
        pytest.param(b"[]", "is not a JSON object", id="list"),
        pytest.param(b'"hi"', "is not a JSON object", id="string"),
        pytest.param(b"null", "is not a JSON object", id="null"),
        pytest.param(b"{}", "has no choices", id="empty object"),
        pytest.param(b'{"error": {"message": "x"}}', "has no choices", id="error"),
        pytest.param(b'{"choices": []}', "has no choices", id="empty choices"),
        pytest.param(b'{"choices": {"0": 1}}', "has no choices", id="choices of a wrong type"),
        pytest.param(b'{"choices": [null]}', "choices[0].message.content", id="null choice"),
        pytest.param(b'{"choices": [{}]}', "choices[0].message.content", id="missing message"),
        pytest.param(b'{"choices": [{"message": "x"}]}', "content", id="message of a wrong type"),
        pytest.param(b'{"choices": [{"message": {}}]}', "content", id="missing content"),
        pytest.param(b'{"choices": [{"message": {"content": 5}}]}', "not text", id="number"),
        pytest.param(
            b'{"choices": [{"message": {"content": [{}]}}]}', "without text", id="other parts"
        ),
        pytest.param(b'{"content": "x"}', "has no choices, content list", id="content as text"),
        pytest.param(b'{"content": [{}]}', "has content without text", id="other blocks"),
        pytest.param(b'{"content": [5]}', "has content without text", id="numbers as content"),
        pytest.param(b'{"candidates": []}', "has no candidates", id="empty candidates"),
        pytest.param(b'{"candidates": [{}]}', "candidates[0].content", id="empty candidate"),
        pytest.param(b'{"promptFeedback": {}}', "no choices", id="empty feedback"),
        pytest.param(b'{"promptFeedback": {"x": 1}}', "has no candidates", id="other feedback"),
        pytest.param(b'{"choices": null, "content": null}', "no choices", id="nulls"),
    ],
)
def test_a_response_without_a_completion_is_a_typed_error(body: bytes, reason: str) -> None:
    """It quotes the start of the body, and is not retried."""
    with pytest.raises(SegmindResponseError) as caught:
        read_response(APIResponse(200, {"x-remaining-credits": "4"}, body))
    assert reason in str(caught.value)
    assert body[:20].decode(errors="replace") in str(caught.value)
    assert caught.value.remaining_credits == 4
    assert caught.value.is_retryable is False


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
COMPLETIONS = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON,
        "model": JSON,
        "usage": JSON | st.dictionaries(
            st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens",
                             "prompt_tokens_details"]), JSON),
        "choices": JSON | st.lists(
            st.fixed_dictionaries({}, optional={
                "finish_reason": JSON,
                "logprobs": JSON,
                "message": JSON | st.fixed_dictionaries(
                    {}, optional={"content": JSON, "refusal": JSON, "reasoning_content": JSON}
                ),
            }), max_size=2),
    },
)  # fmt: skip
HEADERS = st.dictionaries(
    st.sampled_from(["x-remaining-credits", "x-cost", "x-generation-time", "retry-after",
                     "x-rate-limit-reset-at-utc"]),
    st.text(max_size=10) | st.floats().map(str),
)  # fmt: skip


@given(COMPLETIONS | JSON, HEADERS)
def test_any_json_is_a_message_or_a_typed_error(body: object, headers: dict[str, str]) -> None:
    """Whatever the headers are."""
    reply = APIResponse(200, headers, json.dumps(body).encode())
    try:
        message = read_response(reply)
    except SegmindError:
        return
    assert isinstance(message.content, str)


@given(st.binary(max_size=50))
def test_any_bytes_are_a_message_or_a_typed_error(body: bytes) -> None:
    """And so are those of a balance."""
    for read_any in (read_response, create_credits):
        with suppress(SegmindError):
            read_any(APIResponse(200, {}, body))


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        pytest.param([], "one END two STOP", id="none"),
        pytest.param(["absent"], "one END two STOP", id="absent"),
        pytest.param(["STOP"], "one END two ", id="end of the text"),
        pytest.param(["STOP", "END"], "one ", id="first in the text"),
        pytest.param(["one"], "", id="start of the text"),
    ],
)
def test_a_text_ends_before_the_first_stop_string(stop: list[str], text: str) -> None:
    """The first in the text, not in the list."""
    assert read(completion("one END two STOP"), stop=stop).content == text


def test_the_finish_reason_of_a_shortened_reply_is_stop() -> None:
    """Whatever the server reports."""
    body = {"choices": [{"message": {"content": "a END b"}, "finish_reason": "length"}]}
    message = read(body, stop=("END",))
    assert (message.content, message.response_metadata["finish_reason"]) == ("a ", "stop")
    assert read(body).response_metadata["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        pytest.param('```json\n{"a": 1}\n```', '{"a": 1}', id="fence"),
        pytest.param('{"a": "half \\ud83d"}', '{"a": "half \ufffd"}', id="lone surrogate"),
        pytest.param("I cannot tell.", "I cannot tell.", id="text"),
    ],
)
def test_requested_json_has_no_fence_or_lone_surrogate(text: str, content: str) -> None:
    """Any other text is not changed."""
    settings = {"response_format": ResponseFormat(), "on_unmet_requirement": "return"}
    reply = APIResponse(200, {}, json.dumps(completion(text)).encode())
    message = read_response(reply, **settings, output_retries=0)
    assert message.content == content
    assert message.text.encode()


def test_a_streams_chunks_have_all_of_the_message() -> None:
    """The text first, the metadata last."""
    settings, completion_ = CallSettings(model="slug"), Completion(text="hi")
    parsed = read_completion(completion_, settings)
    result = create_chat_result(completion_, parsed, {}, settings)
    message = result.generations[0].message
    text, end = (chunk.message for chunk in convert_result_to_chunks(result))
    assert (text.content, text.chunk_position) == (message.content, None)
    assert (end.response_metadata, end.chunk_position) == (message.response_metadata, "last")


def test_callbacks_find_tokens_and_finish_reason() -> None:
    """In `llm_output` and `generation_info`, where ChatOpenAI has them."""
    body = completion(usage={"prompt_tokens": 3, "completion_tokens": 2}, id="chat-1")
    body["choices"][0] |= {"finish_reason": "stop", "logprobs": {"content": []}}
    call = run_call([HumanMessage("hi")], CallSettings(model="slug"), decode)
    next(call)
    with pytest.raises(StopIteration) as end:
        call.send(APIResponse(200, {}, json.dumps(body).encode()))
    result = end.value.value
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert result.llm_output == {"id": "chat-1", "model_name": "slug", "token_usage": usage}
    assert result.generations[0].generation_info == {
        "finish_reason": "stop",
        "logprobs": {"content": []},
    }


def test_the_outputs_of_several_prompts_are_added_up() -> None:
    """A reply without a usage adds nothing."""
    outputs = [
        {"id": "1", "model_name": "slug", "token_usage": {"prompt_tokens": 3, "total_tokens": 5}},
        {"id": "2", "model_name": "slug", "token_usage": {"prompt_tokens": 1, "total_tokens": 2}},
        {"id": "3", "model_name": "slug"},
        None,
    ]
    usage = {"prompt_tokens": 4, "total_tokens": 7}
    assert combine_outputs(outputs) == {"model_name": "slug", "token_usage": usage}
    assert combine_outputs([None]) == {}


@pytest.mark.parametrize(
    ("body", "bought", "free"),
    [
        pytest.param({"credits": 0.0, "free-credits": 0.0184921035}, 0.0, 0.0184921035, id="both"),
        pytest.param({"credits": "-1.5"}, -1.5, 0.0, id="string"),
    ],
)
def test_a_balance_has_bought_and_free_credits(body: object, bought: float, free: float) -> None:
    """And their sum."""
    balance = create_credits(APIResponse(200, {}, json.dumps(body).encode()))
    assert (balance.credits, balance.free_credits) == (bought, free)
    assert balance.total == bought + free


@pytest.mark.parametrize("body", [b"{}", b"[]", b"x", b'{"credits": "many"}', b'{"credits": null}'])
def test_a_response_without_a_balance_is_an_error(body: bytes) -> None:
    """A balance is not guessed."""
    with pytest.raises(SegmindResponseError, match="does not contain a balance"):
        create_credits(APIResponse(200, {}, body))
