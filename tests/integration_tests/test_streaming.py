"""All ways to call agree on text, usage and metadata; the reply arrives as one last chunk."""

import asyncio
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler, get_usage_metadata_callback
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

REPLY = {
    "status": 200,
    "headers": {"x-remaining-credits": "4.5", "x-cost": "0.01", "x-request-id": "r-1"},
    "body": {
        "id": "chat_1",
        "model": "gpt-4-turbo",
        "choices": [{"message": {"content": "one two"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    },
}
"""The same to the byte for every way to call."""


@pytest.fixture(autouse=True)
def same_reply(gateway) -> None:
    """Answer every request alike."""
    gateway.script(lambda request: REPLY)


def merge(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    """Add chunks up."""
    merged = chunks[0]
    for chunk in chunks[1:]:
        merged += chunk
    return merged


def get_facts(message: AIMessage) -> dict[str, Any]:
    """Take what must agree out of a message; only v1 events add their format's version."""
    metadata = {k: v for k, v in message.response_metadata.items() if k != "output_version"}
    return {"text": message.text, "usage": message.usage_metadata, "metadata": metadata}


async def collect_v2(model) -> AIMessage:
    """Take the last message of the v2 events."""
    events = [event async for event in model.astream_events("hi", version="v2")]
    assert [event["event"] for event in events] == [
        "on_chat_model_start",
        "on_chat_model_stream",
        "on_chat_model_end",
    ]
    return events[-1]["data"]["output"]


async def collect_v3(model) -> AIMessage:
    """Take the message of the asynchronous v3 events."""
    stream = await model.astream_events("hi", version="v3")
    return await stream.output


@pytest.mark.parametrize("output_version", [None, "v1"])
def test_all_ways_to_call_agree(create_model, output_version) -> None:
    """Nothing is lost or doubled on any path."""
    model = create_model(output_version=output_version)
    expected = get_facts(model.invoke("hi"))
    assert expected["metadata"] == {
        "id": "chat_1",
        "model_name": "gpt-4-turbo",
        "model_provider": "segmind",
        "finish_reason": "stop",
        "remaining_credits": 4.5,
        "cost": 0.01,
        "request_id": "r-1",
    }

    async def astream() -> AIMessageChunk:
        return merge([chunk async for chunk in model.astream("hi")])

    ways = {
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
    assert {way: get_facts(message) for way, message in ways.items()} == dict.fromkeys(
        ways, expected
    )


def test_a_stream_is_one_chunk_that_is_the_last(caller, create_model) -> None:
    """The endpoint does not stream, and says so by its only chunk."""
    (chunk,) = caller.stream(create_model(), "hi")
    assert isinstance(chunk, AIMessageChunk)
    assert (chunk.text, chunk.chunk_position) == ("one two", "last")


class Tokens(BaseCallbackHandler):
    """Keeps the tokens that LangChain tells of."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
        self.tokens.append(token)


def test_the_reply_is_told_as_one_token(caller, create_model) -> None:
    """Handlers of tokens see the text once."""
    tokens = Tokens()
    caller.stream(create_model(), "hi", config={"callbacks": [tokens]})
    assert tokens.tokens == ["one two"]


def test_the_reply_is_told_under_v3_events_too(create_model) -> None:
    """LangChain leaves telling to the model there, sync and async."""
    tokens = Tokens()
    model = create_model(callbacks=[tokens])
    assert model.stream_events("hi", version="v3").output.text == "one two"
    asyncio.run(collect_v3(model))
    assert tokens.tokens == ["one two"] * 2


def test_usage_totals_are_right_on_every_path(caller, create_model) -> None:
    """LangChain's own counter sees each call once."""
    model = create_model()
    chain = ChatPromptTemplate.from_template("{text}") | model | StrOutputParser()
    with get_usage_metadata_callback() as usage:
        caller.invoke(model, "hi")
        caller.stream(model, "hi")
        caller.batch(model, ["hi", "hi"])
        assert caller.invoke(chain, {"text": "hi"}) == "one two"
    assert usage.usage_metadata["gpt-4-turbo"]["total_tokens"] == 5 * 5


async def test_the_async_path_is_native(create_model, monkeypatch) -> None:
    """No call is handed to a thread, once the certificates are read."""
    await create_model().ainvoke("hi")
    loop = asyncio.get_running_loop()
    handed_over: list[object] = []
    monkeypatch.setattr(loop, "run_in_executor", lambda *args: handed_over.append(args))
    await create_model().ainvoke("hi")
    async for _ in create_model().astream("hi"):
        pass
    assert handed_over == []
