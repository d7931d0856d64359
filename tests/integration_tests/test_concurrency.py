"""Many calls of one model, from many threads and event loops: each is answered and sent once."""

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from langchain_segmind import SegmindAPIError
from langchain_segmind._http import pools
from tests.support.servers import EchoServer


def count_texts(requests) -> Counter:
    """Return how often each last message was sent."""
    return Counter(request.last_message for request in requests)


@pytest.mark.usefixtures("no_leaks")
def test_a_model_works_in_one_event_loop_after_the_other(create_model, gateway) -> None:
    """Connections of a closed loop are not used in the next one."""
    model = create_model(max_retries=0)
    texts = [str(number) for number in range(10)]
    assert [asyncio.run(model.ainvoke(text)).text for text in texts] == texts
    assert count_texts(gateway.requests) == Counter(texts)


@pytest.mark.usefixtures("no_leaks")
def test_threads_and_their_event_loops_share_a_model(create_model, gateway) -> None:
    """8 threads with 5 loops each, and synchronous calls inside and outside of the loops."""
    model = create_model(max_retries=0)
    start = threading.Barrier(8)

    async def call_in_loop(name: str) -> list[str]:
        calls = [model.ainvoke(f"{name} {number}") for number in range(3)]
        replies = [*await asyncio.gather(*calls), model.invoke(f"{name} sync in the loop")]
        return [reply.text for reply in replies]

    def call_in_thread(thread: int) -> list[str]:
        start.wait()
        texts = []
        for loop in range(5):
            name = f"thread {thread}, loop {loop}:"
            texts += [*asyncio.run(call_in_loop(name)), model.invoke(f"{name} sync").text]
        return texts

    with ThreadPoolExecutor(8) as pool:
        texts = [text for texts in pool.map(call_in_thread, range(8)) for text in texts]
    assert len(texts) == len(set(texts)) == 8 * 5 * 5
    assert count_texts(gateway.requests) == Counter(texts)


@pytest.mark.usefixtures("no_leaks")
def test_synchronous_calls_reuse_their_connection(create_model, gateway) -> None:
    """Inside and outside of event loops."""
    model = create_model(max_retries=0)

    async def call_in_loop() -> None:
        model.invoke("hi")

    for _ in range(5):
        asyncio.run(call_in_loop())
        model.invoke("hi")
    assert len({request.client for request in gateway.requests}) == 1


async def test_asynchronous_calls_reuse_their_connection(create_model, gateway) -> None:
    """Models in one event loop share it."""
    for _ in range(5):
        await create_model(max_retries=0).ainvoke("hi")
    assert len({request.client for request in gateway.requests}) == 1


@pytest.mark.usefixtures("no_leaks")
def test_a_batch_of_500_has_no_failure(caller, create_model) -> None:
    """Synchronous or not, up to `max_concurrency` calls are in flight at once, and no more."""
    texts = [str(number) for number in range(500)]
    with EchoServer(0.1, min_in_flight=250) as server:
        model = create_model(base_url=server.base_url, max_retries=0)
        replies = caller.batch(model, texts, {"max_concurrency": 250})
        assert [reply.text for reply in replies] == texts
        assert Counter(request.text for request in server.requests) == Counter(texts)
        assert server.max_in_flight == 250
        model.close()
        caller.close(model)


@pytest.mark.usefixtures("no_leaks")
async def test_calls_beyond_the_limit_of_an_event_loop_wait(create_model, monkeypatch) -> None:
    """MAX_REQUESTS_IN_FLIGHT are in flight at once, no more, and all are answered."""
    monkeypatch.setattr(pools, "MAX_REQUESTS_IN_FLIGHT", 100)
    texts = [str(number) for number in range(600)]
    with EchoServer(0.1, min_in_flight=100) as server:
        model = create_model(base_url=server.base_url, max_retries=0)
        replies = await model.abatch(texts)
        assert [reply.text for reply in replies] == texts
        assert Counter(request.text for request in server.requests) == Counter(texts)
        assert server.max_in_flight == 100
        await model.aclose()


def test_a_batch_returns_errors_at_their_positions(caller, create_model, gateway) -> None:
    """With `return_exceptions`; without, the first error is raised."""

    def answer(request):
        bad = request.last_message == "bad"
        return {"status": 500, "body": "no"} if bad else request.last_message

    gateway.script(answer)
    model = create_model(max_retries=0)
    texts = ["a", "bad", "b", "bad", "c"]
    results = caller.batch(model, texts, return_exceptions=True)
    shown = [type(r) if isinstance(r, Exception) else r.text for r in results]
    assert shown == ["a", SegmindAPIError, "b", SegmindAPIError, "c"]
    with pytest.raises(SegmindAPIError):
        caller.batch(model, texts)
