"""Anthropic's format: what is sent, and how replies are read."""

import pytest
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
    trim_messages,
)

from langchain_segmind._chat.formats import shared
from langchain_segmind._tools import convert_tools, create_toolset
from tests.support.bodies import check_body
from tests.support.images import BLOCKS, DATA, URL, URL_BLOCKS
from tests.support.replies import read_reply, write_body


def write(*messages, **settings) -> dict:
    """Return the body of a request, whose structure is checked."""
    body = write_body(messages, "anthropic", **settings)
    check_body(body, "anthropic", frozenset(settings.get("model_kwargs", ())))
    return body


def test_system_text_is_the_instruction() -> None:
    """All of it, in order; without any there is no instruction."""
    assert write(
        SystemMessage("Be brief."),
        HumanMessage("Hi."),
        SystemMessage(""),
        SystemMessage("Be kind."),
    ) == {
        "instruction": "Be brief.\n\nBe kind.",
        "messages": [{"role": "user", "content": "Hi."}],
    }
    assert write(HumanMessage("Hi.")) == {"messages": [{"role": "user", "content": "Hi."}]}


def test_neighbours_of_one_role_are_one_turn() -> None:
    """Also if system text or an empty message was between them."""
    body = write(
        HumanMessage("1"),
        SystemMessage("S"),
        HumanMessage("2"),
        AIMessage(" \n"),
        HumanMessage("3"),
        AIMessage("4"),
        AIMessage("5"),
    )
    assert body["messages"] == [
        {"role": "user", "content": "1\n\n2\n\n3"},
        {"role": "assistant", "content": "4\n\n5"},
    ]


def test_a_turn_with_an_image_is_a_list_of_blocks() -> None:
    """Merged with its neighbours; other turns stay strings."""
    body = write(
        HumanMessage("Look."),
        HumanMessage([BLOCKS["OpenAI"], "What is this?", URL_BLOCKS["v1"]]),
        AIMessage("A cat."),
    )
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look."},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": DATA},
                },
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "url", "url": URL}},
            ],
        },
        {"role": "assistant", "content": "A cat."},
    ]


def test_tool_calls_and_results_are_turns_of_text() -> None:
    """The instructions come before the system text of later messages."""
    tools = create_toolset(convert_tools([{"title": "add", "type": "object", "properties": {}}]))
    body = write(
        SystemMessage("Be brief."),
        HumanMessage("Go."),
        AIMessage("", tool_calls=[ToolCall(name="add", args={}, id="a")]),
        ToolMessage("5", tool_call_id="a"),
        HumanMessage("Well?"),
        tools=tools,
    )
    assert body["instruction"].startswith("Be brief.\n\n")
    assert "add()" in body["instruction"]
    assert body["messages"][1:] == [
        {"role": "assistant", "content": "[add()]"},
        {
            "role": "user",
            "content": '<tool_result name="add" id="a">\n5\n</tool_result>\n\nWell?',
        },
    ]


def test_the_first_turn_must_be_a_users() -> None:
    """The error names the message and how to trim; what it names works."""
    history = [HumanMessage("1"), AIMessage("2"), HumanMessage("3")]
    with pytest.raises(
        ValueError, match="^Message 1 is the model's.*'claude-4.5-sonnet'"
    ) as caught:
        write(SystemMessage("S"), *history[1:])
    assert "'claude-4.5-sonnet'" in str(caught.value)
    assert "trim_messages(..., start_on='human')" in str(caught.value)
    trimmed = trim_messages(history, max_tokens=2, token_counter=len, start_on="human")
    assert write(*trimmed)["messages"] == [{"role": "user", "content": "3"}]


@pytest.mark.parametrize("messages", [[SystemMessage("S")], [HumanMessage(" ")], [AIMessage("")]])
def test_a_conversation_without_a_word_is_an_error(messages) -> None:
    """Anthropic refuses it."""
    with pytest.raises(ValueError, match="No message has anything to say to 'claude-4.5-sonnet'"):
        write(*messages)


def test_only_what_is_set_is_sent() -> None:
    """Stop strings are applied to the reply here; body keys of the user's own are sent as well."""
    settings = {"temperature": 0, "max_tokens": 5, "top_p": 0.5, "stop": ["END"]}
    body = write(HumanMessage("Hi."), model_kwargs={"thinking": {"type": "enabled"}}, **settings)
    assert body == {
        "messages": [{"role": "user", "content": "Hi."}],
        "temperature": 0,
        "max_tokens": 5,
        "top_p": 0.5,
        "thinking": {"type": "enabled"},
    }
    reply = {"content": [{"type": "text", "text": "a END b"}], "stop_reason": "max_tokens"}
    assert read_reply(reply, stop=["END"]).content == "a "


def test_a_seed_is_not_sent_with_one_warning() -> None:
    """Anthropic has none."""
    shared._warn.cache_clear()
    with pytest.warns(UserWarning, match="Not sent to 'claude-4.5-sonnet': seed.*model_kwargs"):
        assert write(HumanMessage("Hi."), seed=1).keys() == {"messages"}
    write(HumanMessage("Hi."), seed=1)


def test_all_parts_of_a_reply_are_read() -> None:
    """Thoughts are no text; tokens read from and written to the cache are input."""
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "x"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "It is "},
            {"type": "server_tool_use", "name": "web_search"},
            {"type": "text", "text": "5."},
        ],
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": 7,
            "output_tokens": 5,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 20,
            "service_tier": "standard",
        },
    }
    message = read_reply(body)
    assert message.content == "It is 5."
    assert message.content_blocks[0] == {"type": "reasoning", "reasoning": "Hm."}
    assert message.response_metadata == {
        "id": "msg_1",
        "model_name": "claude-sonnet-4-5-20250929",
        "model_provider": "segmind",
        "finish_reason": "stop",
        "native_finish_reason": "end_turn",
        "remaining_credits": None,
        "token_usage": {"prompt_tokens": 127, "completion_tokens": 5, "total_tokens": 132},
    }
    assert message.usage_metadata == {
        "input_tokens": 127,
        "output_tokens": 5,
        "total_tokens": 132,
        "input_token_details": {"cache_read": 100, "cache_creation": 20},
    }


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("tool_use", "stop"),
        ("odd", "stop"),
        (None, None),
    ],
)
def test_the_finish_reason_is_one_of_four(native, reason) -> None:
    """Without a call it is not `tool_calls`; the server's word is kept."""
    metadata = read_reply({"content": [], "stop_reason": native}).response_metadata
    assert metadata["finish_reason"] == reason
    assert metadata.get("native_finish_reason") == native


def test_native_calls_are_calls() -> None:
    """Although no tools were sent natively."""
    tools = create_toolset(
        convert_tools(
            [{"title": "add", "type": "object", "properties": {"a": {"type": "integer"}}}]
        )
    )
    content = [
        {"type": "text", "text": "I add."},
        {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": "1"}},
        {"type": "tool_use", "id": "toolu_2", "name": "add", "input": {}},
    ]
    message = read_reply({"content": content, "stop_reason": "tool_use"}, tools=tools)
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [
        ("add", {"a": 1}),
        ("add", {}),
    ]
    assert message.content == "I add."
    assert message.response_metadata["finish_reason"] == "tool_calls"
    assert message.response_metadata["native_finish_reason"] == "tool_use"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([], id="no blocks"),
        pytest.param([{"type": "thinking", "thinking": "Hm."}], id="cut while thinking"),
        pytest.param([{"type": "text"}], id="text without text"),
    ],
)
def test_a_reply_can_be_empty(content) -> None:
    """A model can end its turn, or reach its maximum length, without a word."""
    assert read_reply({"content": content}).content == ""
