"""A model that has called is copied, pickled and forked, and holds on to nothing."""

import asyncio
import copy
import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import SECRET
from tests.support.children import call_both_ways


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def by_pickle(thing: Any, library: str = "pickle") -> Any:
    """Write it with a library, and read it with the standard one."""
    return pickle.loads(pytest.importorskip(library).dumps(thing))


def run_script(source: str, gateway, *, seconds: float = 60, **variables: str) -> None:
    """Run a program in a fresh process, with the gateway in its environment."""
    root = Path(__file__).parent.parent.parent
    own = {"SEGMIND_API_BASE": gateway.base_url, "SEGMIND_API_KEY": SECRET, "PYTHONPATH": str(root)}
    subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, **own, **variables},
        check=True,
        timeout=seconds,
    )


# --- Copies ---

COPIES = [
    pytest.param(by_pickle, id="pickle"),
    pytest.param(partial(by_pickle, library="cloudpickle"), id="cloudpickle"),
    pytest.param(copy.copy, id="copy"),
    pytest.param(copy.deepcopy, id="deepcopy"),
    pytest.param(lambda model: model.model_copy(), id="model_copy"),
    pytest.param(lambda model: model.model_copy(deep=True), id="model_copy, deep"),
    pytest.param(lambda model: model.model_copy(update={"seed": 1}), id="model_copy, updated"),
]


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("duplicate", COPIES)
async def test_a_copy_of_a_model_that_has_called_can_call(create_model, gateway, duplicate) -> None:
    """So can the model that it was made from, while its connections are open."""
    model = create_model(max_retries=0)
    model.invoke("hi")
    await model.ainvoke("hi")
    other = duplicate(model)
    for each in (other, model):
        assert each.invoke("sync").text == "sync"
        assert (await each.ainvoke("async")).text == "async"
    assert len(gateway.requests) == 6


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("library", ["pickle", "cloudpickle"])
async def test_a_model_with_tools_can_be_pickled(create_model, gateway, library) -> None:
    """After a call, which its copy repeats."""
    gateway.script(lambda request: "[add(a=1, b=2)]")
    bound = create_model().bind_tools([add])
    bound.invoke("hi")
    await bound.ainvoke("hi")
    other = by_pickle(bound, library)
    for message in (other.invoke("hi"), await other.ainvoke("hi")):
        assert [call["args"] for call in message.tool_calls] == [{"a": 1, "b": 2}]


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("duplicate", COPIES[2:])
async def test_a_copy_shares_the_users_clients(create_model, gateway, duplicate) -> None:
    """A client cannot be copied, and is the user's to close."""
    with httpx.Client(headers={"x-mine": "fake-sync"}) as client:
        async with httpx.AsyncClient(headers={"x-mine": "fake-async"}) as async_client:
            model = create_model(http_client=client, http_async_client=async_client)
            model.invoke("hi")
            await model.ainvoke("hi")
            other = duplicate(model)
            assert other.http_client is client
            assert other.http_async_client is async_client
            other.invoke("hi")
            await other.ainvoke("hi")
    seen = [request.headers["x-mine"] for request in gateway.requests]
    assert seen == ["fake-sync", "fake-async"] * 2


# --- Other processes ---


@pytest.fixture(scope="module")
def spawned() -> Iterator[ProcessPoolExecutor]:
    """Give a process that is no copy of this one."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def test_a_spawned_process_can_call_with_the_model_it_is_given(
    create_model, gateway, spawned
) -> None:
    """With or without tools, though the model has called before."""
    model = create_model()
    call_both_ways(model, "parent")
    for runnable in (model, model.bind_tools([add])):
        heard = spawned.submit(call_both_ways, runnable, "child").result(timeout=60)
        assert heard == ["child", "child"]
    assert call_both_ways(model, "parent") == ["parent", "parent"]
    ports = {text: ports_of(gateway, text) for text in ("parent", "child")}
    assert not ports["parent"] & ports["child"]


def ports_of(gateway, text: str) -> set:
    """Get the clients that said it."""
    return {request.client for request in gateway.requests if request.last_message == text}


FORK_IN_A_LOOP = """
import asyncio, gc, os, sys, traceback
from langchain_segmind import ChatSegmindGPT4Turbo

model = ChatSegmindGPT4Turbo(max_retries=0, timeout=10)

async def call(name):
    assert model.invoke(f"{name}, sync").text == f"{name}, sync"
    assert (await model.ainvoke(f"{name}, async")).text == f"{name}, async"

def be_the_child():
    try:
        gc.collect()
        for _ in range(3):
            asyncio.run(call("child"))
        gc.collect()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

async def main():
    await call("parent")
    child = os.fork()
    if not child:
        be_the_child()
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    await call("parent")
    return os.waitstatus_to_exitcode(status)

sys.exit(asyncio.run(main()))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_fork_in_a_running_loop_takes_nothing_from_its_parent(gateway) -> None:
    """The child opens connections of its own, and the parent's are still the same and work."""
    run_script(FORK_IN_A_LOOP, gateway)
    by_way = {
        (name, way): ports_of(gateway, f"{name}, {way}")
        for name in ("parent", "child")
        for way in ("sync", "async")
    }
    assert len(by_way["parent", "sync"]) == len(by_way["parent", "async"]) == 1
    assert len(by_way["child", "sync"]) == 1
    assert len(by_way["child", "async"]) == 3  # one a loop
    assert len(set.union(*by_way.values())) == 6


# --- What a model holds ---


def count_descriptors() -> int:
    """Count what this process has open."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="this system does not list what is open"
)


@needs_proc
@pytest.mark.usefixtures("nothing_left")
async def test_500_models_leave_nothing_open(create_model, gateway) -> None:
    """Models come and go, connections stay: few, and no task."""

    async def live() -> None:
        model = create_model()
        model.invoke("hi")
        await model.ainvoke("hi")

    await live()
    before = count_descriptors()
    for _ in range(500):
        await live()
    assert count_descriptors() <= before + 5
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len({request.client for request in gateway.requests}) == 2


@needs_proc
@pytest.mark.usefixtures("nothing_left")
def test_100_loops_leave_nothing_open(create_model) -> None:
    """The end of a loop closes its connections."""
    model = create_model()
    asyncio.run(model.ainvoke("hi"))
    before = count_descriptors()
    for _ in range(100):
        asyncio.run(model.ainvoke("hi"))
    assert count_descriptors() <= before + 5


@needs_proc
def test_building_a_model_opens_nothing(create_model, gateway) -> None:
    """No connection, no file, no request."""
    create_model()
    before = count_descriptors()
    models = [create_model().bind_tools([add]) for _ in range(20)]
    assert count_descriptors() == before
    assert len(models) == 20
    assert gateway.requests == []


# --- The very first call ---

FIRST = """
import asyncio, os
import time
from blockbuster import BlockingError, blockbuster_ctx
from langchain_segmind import ChatSegmindGPT4Turbo

def add(a: int, b: int) -> int:
    "Add two numbers."
    return a + b

async def main():
    model = ChatSegmindGPT4Turbo()
    if os.environ["TOOLS"]:
        model = model.bind_tools([add])
    if os.environ["FIRST"] == "ainvoke":
        assert (await model.ainvoke("hi")).text == "hi"
    assert [chunk.text async for chunk in model.astream("hi")][0] == "hi"
    assert [reply.text for reply in await model.abatch(["a", "b", "c"])] == ["a", "b", "c"]
    assert (await model.ainvoke("hi")).text == "hi"
    await ChatSegmindGPT4Turbo().aget_credits()
    try:
        time.sleep(0)
    except BlockingError:
        return
    raise AssertionError("blockbuster does not watch")

with blockbuster_ctx():
    asyncio.run(main())
    os._exit(0)  # a process does not always survive the undoing of blockbuster's patches
"""


def test_the_first_call_of_a_process_holds_up_no_loop(gateway) -> None:
    """Certificates and modules are read elsewhere, whatever is called first."""
    pytest.importorskip("blockbuster")

    def run(tools: str, first: str) -> None:
        run_script(FIRST, gateway, TOOLS=tools, FIRST=first)

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, "", "ainvoke"), pool.submit(run, "tools", "astream")]
    assert [each.result() for each in runs] == [None, None]
