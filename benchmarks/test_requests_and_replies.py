"""How encoding requests and decoding replies scales with their size."""

import json

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatResult

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._chat.formats import decode, encode
from langchain_segmind._chat.request import create_request
from langchain_segmind._chat.response import (
    convert_result_to_chunks,
    create_chat_result,
    read_completion,
)
from langchain_segmind._settings.call_settings import CallSettings


@pytest.mark.parametrize("count", [10, 1_000, 10_000])
@pytest.mark.benchmark(group="requests")
def test_encode_request(benchmark, count) -> None:
    """Time from messages to the bytes of a request."""
    messages = [HumanMessage("What is this?"), AIMessage("A question.")] * (count // 2)
    settings = CallSettings(model="gpt-4-turbo", temperature=0)
    body = benchmark(lambda: encode(create_request(messages, settings), "openai"))
    assert len(json.loads(body)["messages"]) == count


def read_reply(reply: APIResponse) -> ChatResult:
    """Return the result of a response."""
    completion, settings = decode(reply.body), CallSettings(model="gpt-4-turbo")
    parsed = read_completion(completion, settings)
    return create_chat_result(completion, parsed, reply.headers, settings)


@pytest.mark.parametrize("size", [1_000, 30_000, 1_000_000])
@pytest.mark.benchmark(group="replies")
def test_decode_reply(benchmark, size) -> None:
    """Time from the bytes of a reply to a message."""
    text = "Nothing much. " * (size // 14)
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": size // 4, "total_tokens": 9 + size // 4}
    body = json.dumps({"id": "1", "model": "gpt-4-turbo", "choices": [choice], "usage": usage})
    reply = APIResponse(200, {"x-remaining-credits": "9.5"}, body.encode())
    result = benchmark(read_reply, reply)
    assert result.generations[0].message.text == text


@pytest.mark.parametrize("size", [1_000, 30_000, 1_000_000])
@pytest.mark.benchmark(group="streamed replies")
def test_convert_reply_to_chunks(benchmark, size) -> None:
    """Time from a message to its chunks."""
    choice = {"message": {"role": "assistant", "content": "x" * size}}
    reply = APIResponse(200, {}, json.dumps({"choices": [choice]}).encode())
    chunks = benchmark(convert_result_to_chunks, read_reply(reply))
    assert len(chunks) == 1
