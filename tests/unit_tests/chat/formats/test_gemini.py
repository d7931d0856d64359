"""Google's format: what is sent, and how replies are read."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_segmind._chat.formats import shared
from langchain_segmind._tools import convert_tools, create_toolset
from tests.support.bodies import check_body
from tests.support.images import BLOCKS, DATA, URL_BLOCKS
from tests.support.replies import read_reply, write_body


def write(*messages, **settings) -> dict:
    """Return the body of a request, whose structure is checked."""
    body = write_body(messages, "gemini", **settings)
    check_body(body, "gemini", frozenset(settings.get("model_kwargs", ())))
    return body


def test_messages_are_an_object() -> None:
    """Its system text is an object with one text, not a list; roles are user and model."""
    body = write(
        SystemMessage("Be brief."),
        HumanMessage("Hi."),
        AIMessage("Hello."),
        SystemMessage("Be kind."),
        HumanMessage(["What is this?", BLOCKS["v1"]]),
    )
    assert body == {
        "messages": {
            "system_instruction": {"parts": {"text": "Be brief.\n\nBe kind."}},
            "contents": [
                {"role": "user", "parts": [{"text": "Hi."}]},
                {"role": "model", "parts": [{"text": "Hello."}]},
                {
                    "role": "user",
                    "parts": [
                        {"text": "What is this?"},
                        {"inlineData": {"mimeType": "image/png", "data": DATA}},
                    ],
                },
            ],
        }
    }


def test_without_system_text_there_is_no_instruction() -> None:
    """An empty one is not sent."""
    body = write(SystemMessage(" "), HumanMessage("Hi."))
    assert body == {"messages": {"contents": [{"role": "user", "parts": [{"text": "Hi."}]}]}}


def test_neighbours_are_merged_and_empty_turns_left_out() -> None:
    """A result of a tool is a user's turn."""
    body = write(
        AIMessage("[look()]"), ToolMessage("A cat.", tool_call_id="a"), HumanMessage("And?"),
        AIMessage(""),
    )  # fmt: skip
    assert [turn["role"] for turn in body["messages"]["contents"]] == ["model", "user"]
    assert body["messages"]["contents"][1]["parts"] == [
        {"text": '<tool_result id="a">\nA cat.\n</tool_result>\n\nAnd?'}
    ]


def test_a_conversation_without_a_word_is_an_error() -> None:
    """Google refuses it."""
    with pytest.raises(ValueError, match="No message has anything to say to 'gemini-3-flash'"):
        write(SystemMessage("S"), HumanMessage(""))


@pytest.mark.parametrize(
    "block", [pytest.param(block, id=name) for name, block in URL_BLOCKS.items()]
)
def test_an_image_behind_a_url_is_an_error(block) -> None:
    """Also with a profile that says otherwise: the format has no place for one."""
    for settings in ({}, {"profile": {"image_url_inputs": True}}, {"model": "gemini-9"}):
        with pytest.raises(ValueError, match="Message 1 .*'gemini.*' takes images as Base64 only"):
            write(HumanMessage("Hi."), HumanMessage([block]), **settings)


def test_sampling_parameters_are_not_sent_with_one_warning() -> None:
    """It names them and how to send a key; stop strings are applied to the reply here."""
    shared._warn.cache_clear()
    settings = {"temperature": 0, "max_tokens": 5, "top_p": 0.5, "seed": 1, "stop": ["END"]}
    own = {"generationConfig": {"temperature": 0}}
    with pytest.warns(UserWarning, match="Not sent to 'gemini-3-flash': ") as caught:
        body = write(HumanMessage("Hi."), model_kwargs=own, **settings)
    write(HumanMessage("Hi."), **settings)  # a warning would be an error
    assert body.keys() == {"messages", "generationConfig"}
    [warning] = caught
    assert "temperature, max_tokens, top_p, seed" in str(warning.message)
    assert "model_kwargs" in str(warning.message)
    reply = {"candidates": [{"content": {"parts": [{"text": "a END b"}]}, "finishReason": "STOP"}]}
    assert read_reply(reply, stop=["END"]).content == "a "


def test_all_parts_of_a_reply_are_read() -> None:
    """Thoughts are no text, and their tokens are output."""
    grounding = {"webSearchQueries": ["cats"]}
    body = {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "Hm, ", "thought": True},
                        {"text": "so.", "thought": True},
                        {"text": "It is "},
                        {"executableCode": {"code": "2 + 3"}},
                        {"text": "5.", "thoughtSignature": "x"},
                    ],
                },
                "finishReason": "STOP",
                "groundingMetadata": grounding,
            },
            {"content": {"parts": [{"text": "another"}]}},
        ],
        "usageMetadata": {
            "promptTokenCount": 100,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 20,
            "toolUsePromptTokenCount": 3,
            "cachedContentTokenCount": 60,
            "totalTokenCount": 128,
        },
        "modelVersion": "gemini-3-flash-preview",
        "responseId": "r_1",
    }
    message = read_reply(body)
    assert message.content == "It is 5."
    assert message.content_blocks[0] == {"type": "reasoning", "reasoning": "Hm, so."}
    assert message.response_metadata == {
        "id": "r_1",
        "grounding_metadata": grounding,
        "model_name": "gemini-3-flash-preview",
        "model_provider": "segmind",
        "finish_reason": "stop",
        "native_finish_reason": "STOP",
        "remaining_credits": None,
        "token_usage": {"prompt_tokens": 103, "completion_tokens": 25, "total_tokens": 128},
    }
    assert message.usage_metadata == {
        "input_tokens": 103,
        "output_tokens": 25,
        "total_tokens": 128,
        "input_token_details": {"cache_read": 60},
        "output_token_details": {"reasoning": 20},
    }


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "stop"),
        ("OTHER", "stop"),
    ],
)
def test_the_finish_reason_is_one_of_four(native, reason) -> None:
    """The server's word is kept. A reply that is cut or filtered can lack content."""
    message = read_reply({"candidates": [{"finishReason": native}]})
    assert message.content == ""
    assert message.response_metadata["finish_reason"] == reason
    assert message.response_metadata["native_finish_reason"] == native


@pytest.mark.parametrize("candidates", [{}, {"candidates": []}], ids=["none", "empty list"])
def test_a_blocked_prompt_is_a_filtered_reply(candidates) -> None:
    """With its reason; the prompt's tokens are counted."""
    message = read_reply(
        {
            **candidates,
            "promptFeedback": {"blockReason": "SAFETY", "safetyRatings": []},
            "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7},
        }
    )
    assert message.content == ""
    assert message.response_metadata["finish_reason"] == "content_filter"
    assert message.response_metadata["native_finish_reason"] == "SAFETY"
    assert message.response_metadata["block_reason"] == "SAFETY"
    assert message.usage_metadata == {"input_tokens": 7, "output_tokens": 0, "total_tokens": 7}


@pytest.mark.parametrize(
    ("counts", "tokens"),
    [
        ({"promptTokenCount": 0, "candidatesTokenCount": 4}, (0, 4, 4)),
        ({"promptTokenCount": 7, "totalTokenCount": 10}, (7, 3, 10)),
        ({"promptTokenCount": 7, "thoughtsTokenCount": 2, "totalTokenCount": 10}, (7, 3, 10)),
        ({"promptTokenCount": 7, "thoughtsTokenCount": 2, "totalTokenCount": 8}, (7, 2, 8)),
        (
            {"promptTokenCount": 7, "toolUsePromptTokenCount": 2, "totalTokenCount": 10},
            (9, 1, 10),
        ),
    ],
    ids=str,
)
def test_counts_that_are_left_out_follow_from_the_total(counts, tokens) -> None:
    """Gemini leaves out those that are 0."""
    message = read_reply({"candidates": [{"finishReason": "STOP"}], "usageMetadata": counts})
    assert tuple(message.usage_metadata.values())[:3] == tokens


def test_native_calls_are_calls() -> None:
    """Although no tools were sent natively."""
    tools = create_toolset(convert_tools([{"title": "stop", "type": "object", "properties": {}}]))
    parts = [
        {"functionCall": {"name": "stop", "args": {"a": 1}}, "thoughtSignature": "x"},
        {"functionCall": {"id": "1", "name": "stop"}},
    ]
    body = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}
    message = read_reply(body, tools=tools)
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [
        ("stop", {"a": 1}),
        ("stop", {}),
    ]
    assert message.response_metadata["finish_reason"] == "tool_calls"
    assert message.response_metadata["native_finish_reason"] == "STOP"
