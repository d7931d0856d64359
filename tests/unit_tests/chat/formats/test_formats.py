"""What holds for all formats: any history is a valid body, any reply is read by its structure."""

import copy
import json
from contextlib import suppress
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
)

from langchain_segmind._api.json_body import ANSWER_KEYS
from langchain_segmind._api.usage import create_usage_metadata
from langchain_segmind._chat.formats import FORMATS, decode
from langchain_segmind._chat.request import create_request
from langchain_segmind._chat.response import Completion
from langchain_segmind._output.response_format import ResponseFormat
from langchain_segmind._settings.call_settings import NO_TOOLS, CallSettings
from langchain_segmind._tools import convert_tools, create_toolset
from langchain_segmind.data._profiles import APIFormat, find_model
from langchain_segmind.gateway import Request, contract
from langchain_segmind.gateway.formats import FORMATS as GATEWAY_FORMATS
from tests.support.bodies import check_body
from tests.support.histories import HISTORIES, check_error
from tests.support.images import BLOCKS, URL_BLOCKS
from tests.support.replies import SLUGS, read_reply, write_body
from tests.support.scripts import write_answer
from tests.support.shapes import nest


def test_every_format_is_written_read_and_answered() -> None:
    """By the models, by the gateway, and in the tests of all formats."""
    assert FORMATS.keys() == set(get_args(APIFormat))
    assert GATEWAY_FORMATS.keys() == SLUGS.keys() == FORMATS.keys()
    assert {name: find_model(slug).api_format for name, slug in SLUGS.items()} == {
        name: name for name in FORMATS
    }


@pytest.mark.parametrize("api_format", SLUGS)
def test_what_a_model_wrote_is_under_an_answer_key(api_format) -> None:
    """A number in it that Python cannot read is an error, not lost."""
    assert ANSWER_KEYS & write_answer(api_format)["body"].keys()


TOOLS = create_toolset(convert_tools([{"title": "add", "type": "object", "properties": {}}]))


@pytest.mark.parametrize("api_format", SLUGS)
@pytest.mark.parametrize("profile", [{}, {"image_inputs": False}], ids=["images", "text only"])
@given(HISTORIES, st.sampled_from([TOOLS, NO_TOOLS]))
def test_any_history_is_a_valid_body_or_an_error(api_format, profile, history, tools) -> None:
    """The strict gateway accepts it, or the error names the message; no message is changed."""
    before = copy.deepcopy(history)
    try:
        body = write_body(history, api_format, profile=profile, tools=tools)
    except ValueError as error:
        check_error(error, history)
    else:
        check_body(body, api_format)
        check_acceptance(body, api_format)
        assert ("image_inputs" not in profile) or "image/png" not in json.dumps(body)
    assert repr(history) == repr(before)  # NaN is not equal to itself


def check_acceptance(body, api_format) -> None:
    """Check that the strict gateway takes a body."""
    headers = {"content-type": "application/json"}
    path = f"/v1/{SLUGS[api_format]}"
    request = Request("POST", path, headers, json=body, api_format=api_format)
    contract.check_body(request)
    contract.check_parameters(request)
    contract.check_strictly(request, ())


MISTRAL_PARTS = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "SECRET"}]},
    {"type": "text", "text": "Hi."},
]


@pytest.mark.parametrize("api_format", SLUGS)
def test_the_reasoning_of_a_reply_is_not_sent_back(api_format) -> None:
    """Wherever it came from."""
    for body in (
        {"content": [{"type": "thinking", "thinking": "SECRET"}, {"type": "text", "text": "Hi."}]},
        {"candidates": [{"content": {"parts": [{"text": "SECRET", "thought": True}]}}]},
        {"choices": [{"message": {"content": "Hi.", "reasoning_content": "SECRET"}}]},
        {"choices": [{"message": {"content": "<think>SECRET</think>\n\nHi."}}]},
        {"choices": [{"message": {"content": MISTRAL_PARTS}}]},
    ):
        message = read_reply(body)
        assert message.content_blocks[0] == {"type": "reasoning", "reasoning": "SECRET"}
        assert "SECRET" not in message.text
        written = AIMessage("<think>SECRET</think>Hi.")
        for shown in (message, AIMessage(content_blocks=message.content_blocks), written):
            sent = write_body([HumanMessage("1"), shown, HumanMessage("2")], api_format)
            assert "SECRET" not in json.dumps(sent)


@pytest.mark.parametrize(
    ("text", "shown", "reasoning"),
    [
        pytest.param("<think>Hm.</think>Hi.", "Hi.", "Hm.", id="thoughts"),
        pytest.param("\n<think>\nHm.\n</think>\n\nHi.\n", "Hi.\n", "Hm.", id="line feeds"),
        pytest.param("<think>\n\n</think>\n\nHi.", "Hi.", None, id="no thoughts"),
        pytest.param("<think></think>", "", None, id="nothing"),
        pytest.param("So: <think>Hm.</think>", "So: <think>Hm.</think>", None, id="not at first"),
        pytest.param("<think> is a tag.", "<think> is a tag.", None, id="no end"),
        pytest.param("\ufeff<THINK>Hm.</Think >Hi.", "Hi.", "Hm.", id="capitals"),
        pytest.param("<think>A</think>\n<think>B</think>Hi.", "Hi.", "A\nB", id="two"),
        pytest.param(
            "<think>A <think> tag.</think>It ends with </think>.",
            "It ends with </think>.",
            "A <think> tag.",
            id="tags in both",
        ),
        pytest.param("<think>A<think>B</think>Hi.", "Hi.", "A<think>B", id="an end is missing"),
        pytest.param("It says </think>.", "It says </think>.", None, id="only an end"),
        pytest.param("<thinker>Hm.</thinker>", "<thinker>Hm.</thinker>", None, id="another tag"),
    ],
)
def test_thoughts_that_begin_a_reply_are_reasoning(text, shown, reasoning) -> None:
    """In any format."""
    for body in (
        {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]},
        {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"},
        {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]},
    ):
        message = read_reply(body)
        assert message.text == shown
        assert message.additional_kwargs.get("reasoning_content") == reasoning


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_reply_cut_within_its_thoughts_has_no_text(reason) -> None:
    """All of it is reasoning, after what was reported as such."""
    choice = {
        "message": {"content": "<think>A</think><think>Hm", "reasoning_content": "A"},
        "finish_reason": reason,
    }
    message = read_reply({"choices": [choice]})
    assert message.text == ""
    assert message.additional_kwargs["reasoning_content"] == "A\nHm"


def test_thoughts_that_a_stop_string_cuts_are_reasoning() -> None:
    """The server ends the reply before their end; a stop string in them cuts nothing."""
    body = {"choices": [{"message": {"content": "<think>Hm"}, "finish_reason": "stop"}]}
    message = read_reply(body, stop=["END"])
    assert (message.text, message.additional_kwargs) == ("", {"reasoning_content": "Hm"})
    choice = {"message": {"content": "<think>END</think>Hi."}, "finish_reason": "stop"}
    assert read_reply({"choices": [choice]}, stop=["END"]).text == "Hi."


def test_a_tag_in_an_argument_or_in_json_is_a_part_of_it() -> None:
    """No thought ends there."""
    body = {"choices": [{"message": {"content": "[add(a='x</think>y')]"}}]}
    (call,) = read_reply(body, tools=TOOLS).tool_calls
    assert call["args"] == {"a": "x</think>y"}
    body = {"choices": [{"message": {"content": '{"a": "x</think>y"}'}}]}
    message = read_reply(body, response_format=ResponseFormat())
    assert message.text == '{"a": "x</think>y"}'


@pytest.mark.parametrize(
    "body",
    [
        {
            "choices": [
                {
                    "message": {
                        "content": "\ud83d",
                        "reasoning_content": "\ud83d",
                        "refusal": "\ud83d",
                    }
                }
            ],
            "model": "\ud83d",
            "id": "\ud83d",
        },
        {"content": [{"type": "thinking", "thinking": "\ud83d"}], "stop_reason": "\ud83d"},
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "\ud83d"}}]}}]},
    ],
    ids=["openai", "anthropic", "gemini"],
)
@pytest.mark.parametrize("is_escaped", [True, False])
def test_half_of_a_character_becomes_a_replacement_character(body, is_escaped) -> None:
    """In every field: a message with one cannot be written as JSON."""
    text = json.dumps(body, ensure_ascii=is_escaped).encode("utf-8", "surrogatepass")
    written = read_reply(text).model_dump_json()
    assert "\ufffd" in written


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"message": {"content": ["H", {"type": "text", "text": "i."}]}}]},
        {"choices": [{"message": {"content": [{"text": "no", "thought": True}, "Hi."]}}]},
        {"content": ["H", {"type": "text", "text": "i."}]},
        {"candidates": [{"content": "Hi."}]},
        {"candidates": [{"content": {"parts": {"text": "Hi."}}}]},
        {"candidates": [{"content": {"parts": ["H", {"text": "i."}]}}]},
    ],
    ids=str,
)
def test_a_text_or_a_single_block_is_read_where_a_list_belongs(body) -> None:
    """No answer vanishes."""
    assert read_reply(body).text == "Hi."


def test_what_is_nested_too_deeply_is_never_kept() -> None:
    """A message with it cannot be written as JSON."""
    function = {"name": "add", "arguments": {"a": nest(300)}}
    choice = {"message": {"content": "", "tool_calls": [{"function": function}]}}
    message = read_reply({"choices": [choice]}, tools=TOOLS, output_retries=0)
    assert message.invalid_tool_calls[0]["error"] == "values are nested more than 50 levels deep"
    message.model_dump_json()
    text = json.dumps({"name": "add", "arguments": {"a": nest(300)}})
    read_reply(
        {"choices": [{"message": {"content": text}}]}, tools=TOOLS, output_retries=0
    ).model_dump_json()
    for levels, is_kept in ((90, True), (300, False)):
        message = read_reply(
            {"choices": [{"message": {"content": "Hi."}, "logprobs": nest(levels)}]}
        )
        assert ("logprobs" in message.response_metadata) is is_kept
        message.model_dump_json()


def test_a_body_that_is_not_utf_8_is_an_error() -> None:
    """JSON is UTF-8."""
    body = '{"choices": [{"message": {"content": "Hi."}}]}'
    assert decode(b"\xef\xbb\xbf" + body.encode()).text == "Hi."
    with pytest.raises(ValueError, match="is not JSON"):
        decode(body.encode("utf-16"))


@pytest.mark.parametrize("api_format", SLUGS)
def test_a_reply_is_read_by_its_own_structure(api_format) -> None:
    """Whatever the format of the request was."""
    for body in (
        {"choices": [{"message": {"content": "Hi."}}], "content": [], "candidates": []},
        {"content": [{"type": "text", "text": "Hi."}], "candidates": []},
        {"candidates": [{"content": {"parts": [{"text": "Hi."}]}}], "content": None},
        {"choices": None, "content": [{"type": "text", "text": "Hi."}]},
        {"choices": [], "candidates": [{"content": {"parts": [{"text": "Hi."}]}}]},
        {"choices": None, "candidates": [{"content": {"parts": [{"text": "Hi."}]}}]},
        {"type": "message", "content": "Hi."},
    ):
        message = read_reply(body, model=SLUGS[api_format])
        assert message.text == "Hi."
        assert message.response_metadata["model_name"] == SLUGS[api_format]


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 3},
        {"input_tokens": "3", "output_tokens": 4},
        {"output_tokens": 4},
        {"promptTokenCount": 3},
        {"promptTokenCount": -3, "candidatesTokenCount": 4},
        {"candidatesTokenCount": 4, "totalTokenCount": 7},
    ],
    ids=str,
)
def test_incomplete_usage_is_dropped(usage) -> None:
    """A partial count would make totals wrong."""
    assert create_usage_metadata(usage) is None


KEYED_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([
            "choices", "message", "content", "type", "text", "thinking", "candidates", "parts",
            "thought", "functionCall", "name", "args", "input", "finishReason", "promptFeedback",
            "blockReason", "usage", "usageMetadata", "input_tokens", "output_tokens",
            "promptTokenCount", "candidatesTokenCount", "totalTokenCount", "tool_calls",
        ]) | st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(
    KEYED_JSON
    | st.dictionaries(
        st.sampled_from(["content", "candidates", "usage", "promptFeedback"]), KEYED_JSON
    )
    | st.builds(
        lambda blocks: {"content": blocks},
        st.lists(
            st.dictionaries(st.sampled_from(["type", "text", "thinking", "input"]), KEYED_JSON)
            | st.builds(
                lambda kind, fields: {**fields, "type": kind},
                st.sampled_from(["text", "thinking", "tool_use"]),
                st.dictionaries(st.sampled_from(["text", "thinking", "name", "input"]), KEYED_JSON),
            )
        ),
    )
)
def test_any_json_is_a_completion_or_a_value_error(body) -> None:
    """However odd it is."""
    with suppress(ValueError):
        completion = decode(json.dumps(body).encode())
        assert isinstance(completion, Completion)
        assert isinstance(completion.text, str)


class TestSettings:
    """What decides the format, and whether images are taken."""

    @pytest.mark.parametrize(
        ("settings", "api_format"),
        [
            ({"model": "gpt-4-turbo"}, "openai"),
            ({"model": "claude-4.5-sonnet"}, "anthropic"),
            ({"model": "gemini-3-flash"}, "gemini"),
            ({"model": "claude-9"}, "anthropic"),
            ({"model": "new"}, "openai"),
            ({"model": "new", "api_format": "gemini"}, "gemini"),
            ({"model": "claude-4.5-sonnet", "api_format": "openai"}, "openai"),
        ],
    )
    def test_the_format_is_the_users_or_the_models(self, settings, api_format) -> None:
        """The user's choice wins."""
        assert CallSettings(**settings).request_format == api_format

    @pytest.mark.parametrize(
        ("settings", "takes_images"),
        [
            ({"model": "gpt-4-turbo"}, False),
            ({"model": "gpt-4o"}, True),
            ({"model": "new"}, True),
            ({"model": "gpt-4-turbo", "profile": {"image_inputs": True}}, True),
            ({"model": "gpt-4o", "profile": {"image_inputs": False}}, False),
            ({"model": "gpt-4-turbo", "profile": {"max_input_tokens": 5}}, False),
            ({"model": "new", "profile": {"max_input_tokens": 5}}, True),
        ],
    )
    def test_images_are_taken_by_the_profile_or_the_data(self, settings, takes_images) -> None:
        """The user's profile wins; what it does not say is as in the data."""
        assert CallSettings(**settings).takes_images is takes_images

    def test_a_profile_can_refuse_urls(self) -> None:
        """And the images that are Base64 are sent."""
        settings = CallSettings(model="new", profile={"image_url_inputs": False})
        with pytest.raises(ValueError, match="'new' takes images as Base64 only"):
            create_request([HumanMessage([URL_BLOCKS["v1"]])], settings)
        assert create_request([HumanMessage([BLOCKS["v1"]])], settings)
