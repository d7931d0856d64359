"""A call that is given up ends at once, is told once, and leaves nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from tests.support.servers import EchoServer


class Recorder(BaseCallbackHandler):
    """Keeps what LangChain tells of calls."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_chat_model_start(self, *args, **kwargs) -> None:
        self.told.append("start")

    def on_llm_end(self, *args, **kwargs) -> None:
        self.told.append("end")

    def on_llm_error(self, error, **kwargs) -> None:
        self.told.append(type(error).__name__)


def is_asked(server: EchoServer) -> bool:
    """Tell whether a request has arrived."""
    return bool(server.arrivals)


def is_left(server: EchoServer) -> bool:
    """Tell whether all connections are closed."""
    return not server.connections


@pytest.fixture
def silent(echo_server) -> EchoServer:
    """Run a server that does not answer."""
    echo_server.latency = None
    return echo_server


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("method", "fields"),
    [
        pytest.param("ainvoke", {}, id="ainvoke"),
        pytest.param("ainvoke", {"streaming": True}, id="ainvoke by astream"),
        pytest.param("astream", {}, id="astream"),
        pytest.param("abatch", {}, id="abatch"),
    ],
)
async def test_a_call_that_takes_too_long_is_given_up(create_model, silent, method, fields) -> None:
    """Its connection is closed at once, and LangChain hears of one start and one error."""
    recorder = Recorder()
    config = {"callbacks": [recorder]}
    model = create_model(base_url=silent.base_url, **fields)
    silent.latency = 0
    await model.ainvoke("warm up")
    silent.latency = None

    async def call() -> None:
        if method == "astream":
            async for _ in model.astream("hi", config):
                pass
        else:
            await getattr(model, method)(["hi"] if method == "abatch" else "hi", config)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call(), 0.1)
    assert await silent.await_until(is_left, seconds=0.5)
    assert len(silent.arrivals) <= 2  # not tried again
    assert recorder.told == ["start", "CancelledError"]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    silent.latency = 0
    assert (await model.ainvoke("again")).text == "again"
    await model.aclose()


@pytest.mark.usefixtures("nothing_left")
async def test_a_cancelled_group_of_calls_leaves_nothing_behind(create_model, silent) -> None:
    """No task, no connection, and no turn: more calls are given up than have one at a time."""
    model = create_model(base_url=silent.base_url)

    async def fail_once_asked() -> None:
        assert await silent.await_until(lambda server: len(server.arrivals) >= 400)
        raise LookupError

    async def call_in_a_group() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(600):
                group.create_task(model.ainvoke(str(number)))
            group.create_task(fail_once_asked())

    with pytest.raises(ExceptionGroup) as caught:
        await call_in_a_group()
    assert caught.group_contains(LookupError)
    assert await silent.await_until(is_left, seconds=5)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    silent.latency = 0
    texts = [str(number) for number in range(20)]
    replies = await asyncio.gather(*(model.ainvoke(text) for text in texts))
    assert [reply.text for reply in replies] == texts
    await model.aclose()


@pytest.mark.usefixtures("nothing_left")
async def test_a_call_may_be_cancelled_at_any_moment(create_model, echo_server) -> None:
    """Whichever round of the loop it comes in, connections are closed and the next call works."""
    model = create_model(base_url=echo_server.base_url)
    for rounds in range(40):
        task = asyncio.create_task(model.ainvoke("hi"))
        for _ in range(rounds):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (await model.ainvoke("again")).text == "again"
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await model.aclose()
    assert await echo_server.await_until(is_left, seconds=5)


@pytest.mark.usefixtures("nothing_left")
def test_the_end_of_a_loop_ends_its_calls(create_model, silent) -> None:
    """A task that nobody waits for is cancelled by `asyncio.run`, and its connection closed."""
    model = create_model(base_url=silent.base_url)

    async def leave() -> None:
        task = asyncio.create_task(model.ainvoke("hi"))
        await silent.await_until(is_asked)
        assert not task.done()

    asyncio.run(leave())
    assert silent.wait_until(is_left, seconds=5)


# --- Ctrl-C ---

INTERRUPTED = """
import signal
from langchain_segmind import ChatSegmindGPT4Turbo

signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent has set
ChatSegmindGPT4Turbo().invoke("hi")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no SIGINT")
def test_an_interrupt_ends_a_call(silent) -> None:
    """Ctrl-C ends the process as it ends any other, soon, and is not tried again."""
    own = {
        "SEGMIND_API_BASE": silent.base_url,
        "SEGMIND_API_KEY": "fake-key-for-tests",
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
    }
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        env={**os.environ, **own},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert silent.wait_until(is_asked)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=10)
            assert time.monotonic() - began < 5
        finally:
            process.kill()
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT
    assert silent.wait_until(is_left, seconds=5)
    assert len(silent.arrivals) == 1
