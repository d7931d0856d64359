"""Under trio, asynchronous methods say what to do, and synchronous ones work in a thread."""

from typing import Any

import pytest

from langchain_segmind import ChatSegmind, SegmindEmbeddings

trio = pytest.importorskip("trio", reason="trio is not installed")


async def stream(model: ChatSegmind) -> None:
    """Read a stream."""
    async for _ in model.astream("hi"):
        pass


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda model: model.ainvoke("hi"), id="ainvoke"),
        pytest.param(lambda model: model.bind(seed=1).ainvoke("hi"), id="bound ainvoke"),
        pytest.param(lambda model: model.abatch(["hi", "hi"]), id="abatch"),
        pytest.param(stream, id="astream"),
        pytest.param(lambda model: model.aget_credits(), id="aget_credits"),
        pytest.param(lambda model: model.aclose(), id="aclose"),
    ],
)
def test_an_asynchronous_method_says_that_it_needs_asyncio(model, gateway, call: Any) -> None:
    """And which method to call instead; nothing is sent."""
    with pytest.raises(RuntimeError, match=r"need asyncio.*trio\.to_thread\.run_sync\(model\.inv"):
        trio.run(call, model)
    assert gateway.requests == []


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda one: one.aembed_documents(["one", "two"]), id="aembed_documents"),
        pytest.param(lambda one: one.aembed_query("one"), id="aembed_query"),
    ],
)
def test_embeddings_say_that_they_need_asyncio(gateway, call: Any) -> None:
    """As a chat model does."""
    embeddings = SegmindEmbeddings(base_url=gateway.base_url, api_key="fake")
    with pytest.raises(RuntimeError, match="need asyncio"):
        trio.run(call, embeddings)
    assert gateway.requests == []


def test_a_synchronous_method_works_in_a_thread_of_trio(model) -> None:
    """As the error proposes."""

    async def call() -> Any:
        return await trio.to_thread.run_sync(model.invoke, "Hi")

    assert trio.run(call).text == "Hi"
