"""All methods return the same text, usage and metadata; a stream has OpenAI's layout."""

import asyncio
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler, get_usage_metadata_callback
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from tests.support.replies import NATIVE_REASONS
from tests.support.scripts import add

pytestmark = pytest.mark.every_format

HEADERS = {"x-remaining-credits": "4.5", "x-cost": "0.01", "x-request-id": "r-1"}
BODIES: dict[str, Any] = {
    "openai": {
        "id": "chat_1",
        "choices": [{"message": {"content": "one two"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    },
    "anthropic": {
        "id": "chat_1",
        "content": [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    },
    "gemini": {
        "responseId": "chat_1",
        "candidates": [
            {"content": {"parts": [{"text": "one "}, {"text": "two"}]}, "finishReason": "STOP"}
        ],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
    },
}
"""The response to every request, by format."""


@pytest.fixture(autouse=True)
def same_reply(gateway, api_format) -> None:
    """Answer every request with the same response."""
    response = {"status": 200, "headers": HEADERS, "body": BODIES[api_format]}
    gateway.script(lambda request: response)


def merge(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    """Return the sum of chunks."""
    merged = chunks[0]
    for chunk in chunks[1:]:
        merged += chunk
    return merged


def get_facts(message: AIMessage) -> dict[str, Any]:
    """Return what must be the same in all messages; only v1 events add an output version."""
    metadata = {k: v for k, v in message.response_metadata.items() if k != "output_version"}
    return {"text": message.text, "usage": message.usage_metadata, "metadata": metadata}


async def collect_v2(model) -> AIMessage:
    """Return the last message of the v2 events."""
    events = [event async for event in model.astream_events("hi", version="v2")]
    assert [event["event"] for event in events] == [
        "on_chat_model_start",
        "on_chat_model_stream",
        "on_chat_model_stream",
        "on_chat_model_end",
    ]
    return events[-1]["data"]["output"]


async def collect_v3(model) -> AIMessage:
    """Return the message of the asynchronous v3 events."""
    stream = await model.astream_events("hi", version="v3")
    return await stream.output


@pytest.mark.parametrize("output_version", [None, "v1"])
def test_all_methods_return_the_same_message(
    create_model, slug, api_format, output_version
) -> None:
    """Nothing is lost or doubled by any of them."""
    model = create_model(output_version=output_version)
    expected = get_facts(model.invoke("hi"))
    native_reason = NATIVE_REASONS[api_format]["stop"]
    assert expected["metadata"] == {
        **({} if native_reason == "stop" else {"native_finish_reason": native_reason}),
        "id": "chat_1",
        "model_name": slug,
        "model_provider": "segmind",
        "finish_reason": "stop",
        "remaining_credits": 4.5,
        "cost": 0.01,
        "request_id": "r-1",
        "token_usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }

    async def astream() -> AIMessageChunk:
        return merge([chunk async for chunk in model.astream("hi")])

    messages = {
        "ainvoke": asyncio.run(model.ainvoke("hi")),
        "batch": model.batch(["hi"])[0],
        "abatch": asyncio.run(model.abatch(["hi"]))[0],
        "stream": merge(list(model.stream("hi"))),
        "astream": asyncio.run(astream()),
        "streaming=True": create_model(streaming=True).invoke("hi"),
        "stream=True": model.invoke("hi", stream=True),
        "disable_streaming": next(create_model(disable_streaming=True).stream("hi")),
        "astream_events v2": asyncio.run(collect_v2(model)),
        "stream_events v3": model.stream_events("hi", version="v3").output,
        "astream_events v3": asyncio.run(collect_v3(model)),
    }
    assert {name: get_facts(message) for name, message in messages.items()} == dict.fromkeys(
        messages, expected
    )


def test_a_stream_is_a_text_and_an_end(caller, create_model) -> None:
    """As OpenAI's: clients take a chunk with a finish reason for the end."""
    text, end = caller.stream(create_model(), "hi")
    assert isinstance(text, AIMessageChunk)
    assert (text.text, text.response_metadata, text.usage_metadata) == ("one two", {}, None)
    assert (end.text, end.chunk_position) == ("", "last")
    assert end.response_metadata["finish_reason"] == "stop"
    assert end.usage_metadata["total_tokens"] == 5


def test_each_call_of_a_stream_is_a_start_and_its_arguments(caller, create_model, gateway) -> None:
    """Clients such as AG-UI's begin a call at its name, and show the arguments that follow."""
    gateway.script(["Let me see.\n[add(a=1, b=2), add(a=3, b=4)]"])
    model = create_model(output_retries=0).bind_tools([add])
    first, *middle, end = caller.stream(model, "hi")
    assert (first.text, first.tool_call_chunks) == ("Let me see.", [])
    assert (end.tool_call_chunks, end.response_metadata["finish_reason"]) == ([], "tool_calls")
    parts = [chunk.tool_call_chunks[0] for chunk in middle]
    assert [(part["index"], part["name"], part["args"]) for part in parts] == [
        (0, "add", ""),
        (0, None, '{"a": 1, "b": 2}'),
        (1, "add", ""),
        (1, None, '{"a": 3, "b": 4}'),
    ]
    assert [bool(part["id"]) for part in parts] == [True, False] * 2


@pytest.mark.parametrize("output_version", [None, "v1"])
@pytest.mark.parametrize(
    "text", ["[add(a=1, b=2)]\nhi", "<think>hm</think>[add(a=1, b=2), add(a=3, b=4)]", "Hello."]
)
def test_a_merged_stream_has_the_content_of_the_reply(
    caller, create_model, gateway, output_version, text
) -> None:
    """With text, reasoning and calls, in both versions of LangChain's content."""
    gateway.script([text, text])
    model = create_model(output_retries=0, output_version=output_version).bind_tools([add])
    message, merged = caller.invoke(model, "hi"), merge(caller.stream(model, "hi"))

    def get_blocks(message: AIMessage) -> list[dict[str, Any]]:
        own = {"id", "index"}
        return [
            {name: value for name, value in block.items() if name not in own}
            for block in message.content_blocks
        ]

    assert get_blocks(merged) == get_blocks(message)
    assert type(merged.content) is type(message.content)


CUT_CALLS = ["[add(a=1, b=", '{"name": "add", "arguments": {"a": 1, "b"', '[add({"a": 1, "b": ']


@pytest.mark.parametrize("text", CUT_CALLS)
def test_a_call_that_cannot_be_run_stays_so_when_chunks_are_merged(
    caller, create_model, gateway, text
) -> None:
    """LangChain repairs arguments that look like JSON that was cut off."""
    gateway.script([text, text])
    model = create_model(on_invalid_tool_call="return", output_retries=0).bind_tools([add])
    message, merged = caller.invoke(model, "hi"), merge(caller.stream(model, "hi"))
    assert (merged.content, merged.tool_calls) == (message.content, [])
    assert [call["args"] for call in merged.invalid_tool_calls] == [
        call["args"] for call in message.invalid_tool_calls
    ]
    assert message.invalid_tool_calls


class Tokens(BaseCallbackHandler):
    """Records the tokens that LangChain reports."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
        self.tokens.append(token)


def test_on_llm_new_token_fires_once_with_the_reply(caller, create_model) -> None:
    """And with an empty text at the end, as OpenAI's."""
    tokens = Tokens()
    caller.stream(create_model(), "hi", config={"callbacks": [tokens]})
    assert tokens.tokens == ["one two", ""]


def test_on_llm_new_token_fires_under_v3_events(create_model) -> None:
    """Where LangChain leaves it to the model, sync and async."""
    tokens = Tokens()
    model = create_model(callbacks=[tokens])
    assert model.stream_events("hi", version="v3").output.text == "one two"
    asyncio.run(collect_v3(model))
    assert tokens.tokens == ["one two", ""] * 2


def test_usage_callbacks_count_each_call_once(caller, create_model, slug) -> None:
    """Whichever method makes it."""
    model = create_model()
    chain = ChatPromptTemplate.from_template("{text}") | model | StrOutputParser()
    with get_usage_metadata_callback() as usage:
        caller.invoke(model, "hi")
        caller.stream(model, "hi")
        caller.batch(model, ["hi", "hi"])
        assert caller.invoke(chain, {"text": "hi"}) == "one two"
    assert usage.usage_metadata[slug]["total_tokens"] == 5 * 5


async def test_asynchronous_calls_use_no_thread(create_model, monkeypatch) -> None:
    """Once the certificates are read."""
    await create_model().ainvoke("hi")
    loop = asyncio.get_running_loop()
    thread_calls: list[object] = []
    monkeypatch.setattr(loop, "run_in_executor", lambda *args: thread_calls.append(args))
    await create_model().ainvoke("hi")
    async for _ in create_model().astream("hi"):
        pass
    assert thread_calls == []
