"""A cancelled call ends at once, fires one error callback and leaves nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from langchain_segmind._http import pools
from tests.conftest import SECRET
from tests.support.servers import EchoServer


class Recorder(BaseCallbackHandler):
    """Records the callbacks of calls."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_chat_model_start(self, *args, **kwargs) -> None:
        self.events.append("start")

    def on_llm_end(self, *args, **kwargs) -> None:
        self.events.append("end")

    def on_llm_error(self, error, **kwargs) -> None:
        self.events.append(type(error).__name__)


@pytest.fixture
def silent_server(echo_server) -> EchoServer:
    """Run a server that does not answer."""
    echo_server.latency = None
    return echo_server


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize(
    ("method", "fields"),
    [
        pytest.param("ainvoke", {}, id="ainvoke"),
        pytest.param("ainvoke", {"streaming": True}, id="ainvoke by astream"),
        pytest.param("astream", {}, id="astream"),
        pytest.param("abatch", {}, id="abatch"),
    ],
)
async def test_cancelling_a_call_closes_its_connection(
    create_model, echo_server, method, fields
) -> None:
    """At once, without a retry, and with one start and one error for LangChain's handlers."""
    recorder = Recorder()
    config = {"callbacks": [recorder]}
    model = create_model(base_url=echo_server.base_url, **fields)
    await model.ainvoke("warm up")
    echo_server.latency = None

    async def call() -> None:
        if method == "astream":
            async for _ in model.astream("hi", config):
                pass
        else:
            await getattr(model, method)(["hi"] if method == "abatch" else "hi", config)

    task = asyncio.create_task(call())
    await asyncio.to_thread(echo_server.wait_for_requests, 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(echo_server.wait_for_open_connections, 0)
    assert recorder.events == ["start", "CancelledError"]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    echo_server.latency = 0
    assert (await model.ainvoke("again")).text == "again"
    assert [request.text for request in echo_server.requests] == ["warm up", "hi", "again"]
    await model.aclose()


@pytest.mark.usefixtures("no_leaks")
async def test_cancelling_a_task_group_leaves_nothing_behind(
    create_model, silent_server, monkeypatch
) -> None:
    """No task, no connection and no slot; some of the calls still wait for one."""
    monkeypatch.setattr(pools, "MAX_REQUESTS_IN_FLIGHT", 60)
    model = create_model(base_url=silent_server.base_url)

    async def fail() -> None:
        await asyncio.to_thread(silent_server.wait_for_requests, 60)
        raise LookupError

    async def call_in_a_group() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(model.ainvoke(str(number)))
            group.create_task(fail())

    with pytest.raises(ExceptionGroup) as caught:
        await call_in_a_group()
    assert caught.group_contains(LookupError)
    await asyncio.to_thread(silent_server.wait_for_open_connections, 0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    silent_server.latency = 0
    texts = [str(number) for number in range(100)]
    assert [reply.text for reply in await model.abatch(texts)] == texts
    await model.aclose()


@pytest.mark.usefixtures("no_leaks")
async def test_a_call_can_be_cancelled_at_any_await(create_model, silent_server) -> None:
    """Of 600 calls, each in another iteration of the loop, none runs on to its timeout."""
    model = create_model(base_url=silent_server.base_url, max_retries=0, timeout=10)
    outcomes = []
    for iterations in [*range(100)] * 6:
        task = asyncio.create_task(model.ainvoke("hi"))
        for _ in range(iterations):
            await asyncio.sleep(0)
        task.cancel()
        outcomes += await asyncio.gather(task, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await asyncio.to_thread(silent_server.wait_for_open_connections, 0)
    silent_server.latency = 0
    assert (await model.ainvoke("again")).text == "again"
    await model.aclose()


@pytest.mark.usefixtures("no_leaks")
def test_the_end_of_an_event_loop_closes_its_connections(create_model, silent_server) -> None:
    """`asyncio.run` cancels a task that is not awaited."""
    model = create_model(base_url=silent_server.base_url)

    async def leave() -> None:
        task = asyncio.create_task(model.ainvoke("hi"))
        await asyncio.to_thread(silent_server.wait_for_requests)
        assert not task.done()

    asyncio.run(leave())
    silent_server.wait_for_open_connections(0)


# --- Ctrl-C ---

INTERRUPTED = """
from langchain_segmind import ChatSegmindGPT4Turbo

ChatSegmindGPT4Turbo().invoke("hi")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no SIGINT")
def test_ctrl_c_ends_a_call(silent_server, root) -> None:
    """It ends the process as it ends any other, without a retry."""
    environment = {
        "SEGMIND_API_BASE": silent_server.base_url,
        "SEGMIND_API_KEY": SECRET,
        "PYTHONPATH": str(root),
    }
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            silent_server.wait_for_requests()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=10)
        finally:
            process.kill()
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT
    silent_server.wait_for_open_connections(0)
    assert len(silent_server.requests) == 1
