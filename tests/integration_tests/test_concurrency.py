"""Many calls, from many threads and event loops, by one model: each is answered, and sent once."""

import asyncio
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from langchain_segmind import SegmindAPIError
from tests.support.servers import EchoServer

RETRIES = pytest.mark.parametrize(
    "fields", [pytest.param({"max_retries": 0}, id="no retries"), pytest.param({}, id="retries")]
)


def count(requests) -> Counter:
    """Count what was said last."""
    return Counter(request.last_message for request in requests)


@RETRIES
@pytest.mark.usefixtures("nothing_left")
def test_one_model_serves_loop_after_loop(create_model, gateway, fields) -> None:
    """Connections of a loop that is over are not used in the next one."""
    model = create_model(**fields)
    texts = [str(number) for number in range(10)]
    assert [asyncio.run(model.ainvoke(text)).text for text in texts] == texts
    assert count(gateway.requests) == Counter(texts)


@RETRIES
@pytest.mark.usefixtures("nothing_left")
def test_one_model_serves_threads_and_their_loops_at_once(create_model, gateway, fields) -> None:
    """8 threads with 5 loops each, and synchronous calls inside and outside of them."""
    model = create_model(**fields)
    start = threading.Barrier(8)

    async def work(name: str) -> list[str]:
        asked = [model.ainvoke(f"{name} {number}") for number in range(3)]
        replies = [*await asyncio.gather(*asked), model.invoke(f"{name} sync in the loop")]
        return [reply.text for reply in replies]

    def run(thread: int) -> list[str]:
        start.wait()
        heard = []
        for loop in range(5):
            name = f"thread {thread}, loop {loop}:"
            heard += [*asyncio.run(work(name)), model.invoke(f"{name} sync").text]
        return heard

    with ThreadPoolExecutor(8) as pool:
        heard = [text for texts in pool.map(run, range(8)) for text in texts]
    assert len(heard) == len(set(heard)) == 8 * 5 * 5
    assert count(gateway.requests) == Counter(heard)


@pytest.mark.usefixtures("nothing_left")
def test_synchronous_calls_keep_their_connection_between_loops(create_model, gateway) -> None:
    """A connection is opened once, not once a call."""
    model = create_model(max_retries=0)

    async def work() -> None:
        model.invoke("hi")

    for _ in range(5):
        asyncio.run(work())
        model.invoke("hi")
    assert len({request.client for request in gateway.requests}) == 1


async def test_asynchronous_calls_keep_their_connection(create_model, gateway) -> None:
    """A connection is opened once, not once a call, and models of one loop share it."""
    for _ in range(5):
        await create_model(max_retries=0).ainvoke("hi")
    assert len({request.client for request in gateway.requests}) == 1


# --- Many at once ---

SERVE = """
import sys
from tests.support.servers import EchoServer

with EchoServer(float(sys.argv[1])) as server:
    print(server.base_url, flush=True)
    sys.stdin.read()
"""


@contextmanager
def serve_elsewhere(latency: float, root: Path) -> Iterator[str]:
    """Run a server in a process of its own, which takes no time of this one's; gives its URL."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(latency)],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


@pytest.mark.usefixtures("nothing_left")
def test_a_batch_of_500_has_no_failure(create_model) -> None:
    """In time, though a reply takes half of it, and at most as many at once as was asked for."""
    texts = [str(number) for number in range(500)]
    with EchoServer(0.8) as server:
        model = create_model(base_url=server.base_url, timeout=1.5, max_retries=0)
        replies = model.batch(texts, {"max_concurrency": 250})
        assert [reply.text for reply in replies] == texts
        assert len(server.arrivals) == 500
        assert server.most_under_way <= 250
        model.close()


@pytest.mark.usefixtures("nothing_left")
async def test_an_asynchronous_batch_of_500_has_no_failure(create_model, root) -> None:
    """All are in flight at once: one after the other they would take 400 s."""
    texts = [str(number) for number in range(500)]
    with serve_elsewhere(0.8, root) as base_url:
        model = create_model(base_url=base_url, timeout=20, max_retries=0)
        replies = await model.abatch(texts)
        assert [reply.text for reply in replies] == texts
        await model.aclose()


@pytest.mark.usefixtures("nothing_left")
async def test_2000_calls_at_once_are_all_answered(create_model, echo_server) -> None:
    """Each with its own answer; the wait for a turn is no part of the timeout."""
    model = create_model(base_url=echo_server.base_url, max_retries=0)
    texts = [str(number) for number in range(2000)]
    replies = await asyncio.gather(*(model.ainvoke(text) for text in texts))
    assert [reply.text for reply in replies] == texts
    assert Counter(arrival.text for arrival in echo_server.arrivals) == Counter(texts)
    await model.aclose()


def test_a_batch_is_as_wide_as_it_may_be(caller, create_model) -> None:
    """`max_concurrency` calls are under way at once, never more."""
    with EchoServer(0.05) as server:
        model = create_model(base_url=server.base_url)
        caller.batch(model, [str(number) for number in range(12)], {"max_concurrency": 4})
        assert server.most_under_way == 4


def test_a_batch_gives_errors_back_where_they_belong(caller, create_model, gateway) -> None:
    """With `return_exceptions` the others are answered all the same; without, the first raises."""

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
