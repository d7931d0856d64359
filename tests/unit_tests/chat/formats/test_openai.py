"""OpenAI's format: what is sent with images, and how replies are read."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from tests.support.images import BLOCKS, DATA, URL, URL_BLOCKS
from tests.support.replies import read_reply, write_body


def write(*messages) -> list[dict]:
    """Return the messages of a request."""
    return write_body(messages, "openai")["messages"]


def test_a_turn_with_an_image_is_a_list_of_parts() -> None:
    """Texts and images in their order; other turns stay strings."""
    sent = write(
        SystemMessage("Be brief."),
        HumanMessage(["What is this?", BLOCKS["v1"], URL_BLOCKS["v1"]]),
        AIMessage("A cat."),
    )
    assert sent == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
                {"type": "image_url", "image_url": {"url": URL}},
            ],
        },
        {"role": "assistant", "content": "A cat."},
    ]


def test_an_image_alone_has_no_empty_text_beside_it() -> None:
    """Some servers refuse empty text."""
    [sent] = write(HumanMessage(["", BLOCKS["v1"], {"type": "text", "text": ""}]))
    assert [part["type"] for part in sent["content"]] == ["image_url"]


def test_the_level_of_detail_is_sent() -> None:
    """It is OpenAI's own key."""
    block = {"type": "image_url", "image_url": {"url": URL, "detail": "low"}}
    [sent] = write(HumanMessage([block]))
    assert sent["content"][0]["image_url"] == {"url": URL, "detail": "low"}


def test_an_image_of_a_tool_is_in_the_turn_of_its_result() -> None:
    """After the text of the result."""
    [sent] = write(ToolMessage(["A cat:", BLOCKS["v1"]], tool_call_id="a"))
    assert [part["type"] for part in sent["content"]] == ["text", "image_url"]
    assert sent["content"][0]["text"] == '<tool_result id="a">\nA cat:\n</tool_result>'


def reply(message: dict, finish_reason: str | None = "stop") -> dict:
    """Return a body with this message."""
    return {"choices": [{"message": message, "finish_reason": finish_reason}]}


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_is_shown_as_a_block(key) -> None:
    """And is not a part of the text."""
    message = read_reply(reply({"content": "Hi.", key: "Hm."}))
    assert message.content == "Hi."
    assert message.content_blocks == [
        {"type": "reasoning", "reasoning": "Hm."},
        {"type": "text", "text": "Hi."},
    ]


def test_reasoning_parts_are_not_text() -> None:
    """Whatever key they have."""
    parts = [{"type": "reasoning", "text": "Hm."}, {"type": "text", "text": "Hi."}]
    assert read_reply(reply({"content": parts})).content == "Hi."


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "stop"),
        ("function_call", "stop"),
        ("eos", "stop"),
        ("insufficient_system_resource", "length"),
        (None, None),
    ],
)
def test_the_finish_reason_is_one_of_four(native, reason) -> None:
    """Without a call it is not `tool_calls`; another word of the server's is kept."""
    metadata = read_reply(reply({"content": "Hi."}, native)).response_metadata
    assert metadata["finish_reason"] == reason
    assert metadata.get("native_finish_reason") == (None if native == reason else native)
