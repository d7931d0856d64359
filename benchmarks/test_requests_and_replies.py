"""How encoding requests and decoding replies scales with their size."""

import json

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._chat.formats import decode, encode
from langchain_segmind._chat.request import create_request
from langchain_segmind._chat.response import convert_result_to_chunks, create_chat_result
from langchain_segmind._settings.call_settings import CallSettings


@pytest.mark.parametrize("count", [10, 1_000, 10_000])
@pytest.mark.benchmark(group="requests")
def test_encode_request(benchmark, count) -> None:
    """Time from messages to the bytes of a request."""
    messages = [HumanMessage("What is this?"), AIMessage("A question.")] * (count // 2)
    settings = CallSettings(model="gpt-4-turbo", temperature=0)
    body = benchmark(lambda: encode(create_request(messages, settings), "openai"))
    assert len(json.loads(body)["messages"]) == count


@pytest.mark.parametrize("size", [1_000, 30_000, 1_000_000])
@pytest.mark.benchmark(group="replies")
def test_decode_reply(benchmark, size) -> None:
    """Time from the bytes of a reply to a message."""
    text = "Nothing much. " * (size // 14)
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": size // 4, "total_tokens": 9 + size // 4}
    body = json.dumps({"id": "1", "model": "gpt-4-turbo", "choices": [choice], "usage": usage})
    reply = APIResponse(200, {"x-remaining-credits": "9.5"}, body.encode())
    settings = CallSettings(model="gpt-4-turbo")
    result = benchmark(lambda: create_chat_result(decode(reply.body), reply.headers, settings))
    assert result.generations[0].message.text == text


@pytest.mark.parametrize("size", [1_000, 30_000, 1_000_000])
@pytest.mark.benchmark(group="streamed replies")
def test_convert_reply_to_chunks(benchmark, size) -> None:
    """Time from a message to its chunks."""
    choice = {"message": {"role": "assistant", "content": "x" * size}}
    reply = APIResponse(200, {}, json.dumps({"choices": [choice]}).encode())
    result = create_chat_result(decode(reply.body), {}, CallSettings(model="gpt-4-turbo"))
    chunks = benchmark(lambda: convert_result_to_chunks(result))
    assert len(chunks) == 1
