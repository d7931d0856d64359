"""A model that has made calls can be copied, pickled and forked, and leaks nothing."""

import asyncio
import contextlib
import copy
import gc
import multiprocessing
import os
import pickle
import weakref
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from langchain_segmind import ChatSegmindGPT4Turbo, SegmindAuthenticationError, SegmindEmbeddings
from tests.conftest import SECRET
from tests.support.children import call_both_ways, embed_both_ways


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def pickle_and_load(thing: Any, library: str = "pickle") -> Any:
    """Return a copy, pickled by a library and loaded by the standard one."""
    return pickle.loads(
        pytest.importorskip(library, reason=f"{library} is not installed").dumps(thing)
    )


# --- Copies ---

COPIES = [
    pytest.param(pickle_and_load, id="pickle"),
    pytest.param(partial(pickle_and_load, library="cloudpickle"), id="cloudpickle"),
    pytest.param(copy.copy, id="copy"),
    pytest.param(copy.deepcopy, id="deepcopy"),
    pytest.param(lambda model: model.model_copy(), id="model_copy"),
    pytest.param(lambda model: model.model_copy(deep=True), id="deep model_copy"),
    pytest.param(lambda model: model.model_copy(update={"seed": 1}), id="updated model_copy"),
]


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("duplicate", COPIES)
async def test_a_copy_of_a_used_model_makes_calls(create_model, gateway, duplicate) -> None:
    """And so does the original, whose connections are still open."""
    model = create_model(max_retries=0)
    model.invoke("hi")
    await model.ainvoke("hi")
    other = duplicate(model)
    for each in (other, model):
        assert each.invoke("sync").text == "sync"
        assert (await each.ainvoke("async")).text == "async"
    assert len(gateway.requests) == 6


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("library", ["pickle", "cloudpickle"])
async def test_a_used_model_with_tools_can_be_pickled(create_model, gateway, library) -> None:
    """The copy has the same tools."""
    gateway.script(lambda request: "[add(a=1, b=2)]")
    bound = create_model().bind_tools([add])
    bound.invoke("hi")
    await bound.ainvoke("hi")
    other = pickle_and_load(bound, library)
    for message in (other.invoke("hi"), await other.ainvoke("hi")):
        assert [call["args"] for call in message.tool_calls] == [{"a": 1, "b": 2}]


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("duplicate", COPIES[2:])
async def test_a_copy_shares_the_users_own_clients(create_model, gateway, duplicate) -> None:
    """They cannot be copied, and the user closes them."""
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


# --- Keys in pickles ---


@pytest.fixture(params=["pickle", "cloudpickle"])
def dump(request) -> Callable[[Any], bytes]:
    """Return each library's function that pickles."""
    library = request.param
    return pytest.importorskip(library, reason=f"{library} is not installed").dumps


@pytest.fixture
def keyless(gateway, monkeypatch) -> ChatSegmindGPT4Turbo:
    """Create a model whose key comes from the environment, as `SEGMIND_API_KEY`."""
    monkeypatch.setenv("SEGMIND_API_KEY", SECRET)
    return ChatSegmindGPT4Turbo(base_url=gateway.base_url)


def test_a_key_from_the_environment_is_not_pickled(caller, keyless, monkeypatch, dump) -> None:
    """Neither with the model nor with what is built of it; it is read where the model is loaded."""
    chain = keyless.with_structured_output({"title": "Answer", "type": "object"})
    for thing in (keyless, keyless.bind_tools([add]), chain, keyless.segmind_api_key):
        assert SECRET.encode() not in dump(thing)
    monkeypatch.setenv("SEGMIND_API_KEY", "another-fake-key")
    loaded = pickle.loads(dump(keyless))
    assert loaded.segmind_api_key == SecretStr("another-fake-key")
    monkeypatch.setenv("SEGMIND_API_KEY", SECRET)
    loaded = pickle.loads(dump(loaded))
    assert loaded == keyless
    assert caller.invoke(loaded, "hi").text == "hi"


def test_a_model_loaded_without_its_key_sends_nothing(
    caller, keyless, gateway, monkeypatch, dump
) -> None:
    """It loads: an error there can end a worker. Its first call says which variable to set."""
    pickled = dump(keyless)
    monkeypatch.delenv("SEGMIND_API_KEY")
    loaded = pickle.loads(pickled)
    for model in (loaded, pickle.loads(dump(loaded))):
        with pytest.raises(SegmindAuthenticationError, match="pickled.* from SEGMIND_API_KEY"):
            caller.invoke(model, "hi")
    assert gateway.requests == []


def test_a_key_that_was_passed_is_pickled(create_model) -> None:
    """So are headers and the base URL, as docs/security.md says."""
    pickled = pickle.dumps(create_model(default_headers={"x-token": "fake-token"}))
    assert SECRET.encode() in pickled
    assert b"fake-token" in pickled


@pytest.mark.parametrize("duplicate", COPIES[2:])
def test_a_copy_needs_no_environment(caller, keyless, monkeypatch, duplicate) -> None:
    """It keeps the key that its original has read."""
    monkeypatch.delenv("SEGMIND_API_KEY")
    copied = duplicate(keyless)
    assert copied.segmind_api_key == keyless.segmind_api_key == SecretStr(SECRET)
    assert hash(copied.segmind_api_key) == hash(SecretStr(SECRET))
    assert caller.invoke(copied, "hi").text == "hi"


# --- Other processes ---


def get_ports(gateway, text: str) -> set:
    """Return the client's addresses of the requests with this text."""
    return {request.client for request in gateway.requests if request.last_message == text}


def test_a_spawned_process_calls_with_a_pickled_model(create_model, gateway) -> None:
    """With and without tools, although the model was used before."""
    model = create_model()
    call_both_ways(model, "parent")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for runnable in (model, model.bind_tools([add])):
            texts = pool.submit(call_both_ways, runnable, "child").result(timeout=60)
            assert texts == ["child", "child"]
    assert call_both_ways(model, "parent") == ["parent", "parent"]
    assert not get_ports(gateway, "parent") & get_ports(gateway, "child")


def test_a_spawned_process_reads_the_key_from_its_own_environment(keyless, monkeypatch) -> None:
    """A pool whose processes have none reports the error of the call, and goes on."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(call_both_ways, keyless, "hi").result(timeout=60) == ["hi", "hi"]
    pickled = pickle.dumps(keyless)
    monkeypatch.delenv("SEGMIND_API_KEY")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        for _ in range(2):
            future = pool.submit(call_both_ways, pickle.loads(pickled), "hi")
            with pytest.raises(SegmindAuthenticationError, match="SEGMIND_API_KEY"):
                future.result(timeout=60)


FORK = """
import asyncio, gc, os, sys, traceback
from langchain_segmind import ChatSegmindGPT4Turbo

model = ChatSegmindGPT4Turbo(max_retries=0, timeout=10)

async def call(name):
    assert model.invoke(f"{name}, sync").text == f"{name}, sync"
    assert (await model.ainvoke(f"{name}, async")).text == f"{name}, async"

def fork(run):
    child = os.fork()
    if child:
        return child
    try:
        gc.collect()
        for _ in range(3):
            run(call("child"))
        gc.collect()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
"""
FORK_IN_A_LOOP = f"""{FORK}
async def main():
    await call("parent")
    _, status = await asyncio.to_thread(os.waitpid, fork(asyncio.run), 0)
    await call("parent")
    return os.waitstatus_to_exitcode(status)

sys.exit(asyncio.run(main()))
"""
FORK_BETWEEN_RUNS = f"""{FORK}
runner = asyncio.Runner()
runner.run(call("parent"))
_, status = os.waitpid(fork(runner.run), 0)
runner.run(call("parent"))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize(
    ("code", "child_loops"),
    [
        pytest.param(FORK_IN_A_LOOP, 3, id="in a running event loop"),
        pytest.param(FORK_BETWEEN_RUNS, 1, id="between runs of an event loop"),
    ],
)
def test_a_forked_process_shares_no_connection_with_its_parent(
    run_script, gateway, code, child_loops
) -> None:
    """Not even in an event loop that it inherits; the parent keeps its connections."""
    run_script(code, gateway.base_url)
    ports = {
        (process, mode): get_ports(gateway, f"{process}, {mode}")
        for process in ("parent", "child")
        for mode in ("sync", "async")
    }
    assert len(ports["parent", "sync"]) == len(ports["parent", "async"]) == 1
    assert len(ports["child", "sync"]) == 1
    assert len(ports["child", "async"]) == child_loops
    assert len(set.union(*ports.values())) == 3 + child_loops


# --- Embeddings ---


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("duplicate", [one for one in COPIES if one.id != "updated model_copy"])
async def test_a_copy_of_used_embeddings_makes_calls(gateway, duplicate) -> None:
    """And so does the original, whose connections are still open."""
    embeddings = SegmindEmbeddings(base_url=gateway.base_url, api_key=SECRET)
    expected = embeddings.embed_documents(["one", "two"])
    await embeddings.aembed_documents(["one", "two"])
    other = duplicate(embeddings)
    assert other == embeddings
    for each in (other, embeddings):
        assert each.embed_documents(["one", "two"]) == expected
        assert await each.aembed_documents(["one", "two"]) == expected


def test_a_key_of_embeddings_from_the_environment_is_not_pickled(
    gateway, monkeypatch, dump
) -> None:
    """It is read where they are loaded; the first call says if it is missing."""
    monkeypatch.setenv("SEGMIND_API_KEY", SECRET)
    pickled = dump(SegmindEmbeddings(base_url=gateway.base_url))
    assert SECRET.encode() not in pickled
    assert len(pickle.loads(pickled).embed_query("one")) == 1536
    monkeypatch.delenv("SEGMIND_API_KEY")
    with pytest.raises(SegmindAuthenticationError, match="SEGMIND_API_KEY"):
        pickle.loads(pickled).embed_query("one")


def test_a_spawned_process_embeds_texts(gateway) -> None:
    """With pickled embeddings that were used before."""
    embeddings = SegmindEmbeddings(base_url=gateway.base_url, api_key=SECRET)
    expected = embed_both_ways(embeddings, "one")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(embed_both_ways, embeddings, "one").result(timeout=60) == expected


FORK_EMBEDDINGS = """
import asyncio, os, sys, traceback
from langchain_segmind import SegmindEmbeddings

embeddings = SegmindEmbeddings(max_retries=0, timeout=10, max_concurrency=2)

def embed(name):
    texts = [f"{name} {number}" for number in range(6)]
    vectors = embeddings.embed_documents(texts)
    assert asyncio.run(embeddings.aembed_documents(texts)) == vectors

embed("parent")
child = os.fork()
if not child:
    try:
        embed("child")
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
embed("parent")
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_embeds_over_its_own_connections(run_script, gateway) -> None:
    """The parent goes on meanwhile."""
    run_script(FORK_EMBEDDINGS, gateway.base_url)
    ports = {
        name: {each.client for each in gateway.requests if each.json["prompt"].startswith(name)}
        for name in ("parent", "child")
    }
    assert not ports["parent"] & ports["child"]
    assert len(gateway.requests) == 3 * 12


# --- Leaks ---


def list_open_files() -> set[str]:
    """Return the files and sockets that this process has open."""
    gc.collect()
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.add(str(path.readlink()))
    return found


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="this system does not list open files"
)


@needs_proc
@pytest.mark.usefixtures("no_leaks")
async def test_100_models_leave_nothing_open(create_model, gateway) -> None:
    """They share the connections, and leave no task."""

    async def use_model() -> None:
        model = create_model()
        model.invoke("hi")
        await model.ainvoke("hi")

    await use_model()
    before = len(list_open_files())
    for _ in range(100):
        await use_model()
    assert len(list_open_files()) <= before + 5
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len({request.client for request in gateway.requests}) == 2


@needs_proc
@pytest.mark.usefixtures("no_leaks")
def test_30_event_loops_leave_nothing_open(create_model) -> None:
    """The end of a loop closes its connections."""
    model = create_model()
    asyncio.run(model.ainvoke("hi"))
    before = len(list_open_files())
    for _ in range(30):
        asyncio.run(model.ainvoke("hi"))
    assert len(list_open_files()) <= before + 5


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_an_event_loop_that_was_not_shut_down_is_freed(create_model) -> None:
    """Once another loop makes a call."""
    model = create_model()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(model.ainvoke("hi"))
    loop.close()
    reference = weakref.ref(loop)
    del loop
    asyncio.run(model.ainvoke("hi"))
    gc.collect()
    assert reference() is None


@needs_proc
def test_creating_a_model_opens_nothing(create_model, gateway) -> None:
    """No connection, no file, no request."""
    create_model()
    before = list_open_files()
    models = [create_model().bind_tools([add]) for _ in range(20)]
    assert list_open_files() <= before | {f"/proc/{os.getpid()}/fd"}
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
    raise AssertionError("blockbuster does not detect blocking calls")

with blockbuster_ctx():
    asyncio.run(main())
    os._exit(0)  # removing blockbuster's patches can crash the process
"""


@pytest.mark.parametrize(
    ("tools", "first"),
    [pytest.param("", "ainvoke", id="ainvoke"), pytest.param("yes", "astream", id="astream")],
)
def test_the_first_call_of_a_process_does_not_block_its_event_loop(
    run_script, gateway, tools, first
) -> None:
    """Certificates and modules are read in a thread, whichever method is called first."""
    pytest.importorskip("blockbuster", reason="blockbuster is not installed")
    run_script(FIRST, gateway.base_url, TOOLS=tools, FIRST=first)


FIRST_VECTORS = """
import asyncio, os, time
from blockbuster import BlockingError, blockbuster_ctx
from langchain_segmind import SegmindEmbeddings, get_segmind_credits_callback

async def main():
    embeddings = SegmindEmbeddings(max_concurrency=2)
    with get_segmind_credits_callback() as credits:
        assert len(await embeddings.aembed_documents(["a", "b", "c", "a"])) == 4
        assert len(await embeddings.aembed_query("a")) == 1536
    assert credits.total.calls == 4
    try:
        time.sleep(0)
    except BlockingError:
        return
    raise AssertionError("blockbuster does not detect blocking calls")

with blockbuster_ctx():
    asyncio.run(main())
    os._exit(0)  # removing blockbuster's patches can crash the process
"""


def test_the_first_vectors_of_a_process_do_not_block_its_event_loop(run_script, gateway) -> None:
    """As the first call of a chat model does not."""
    pytest.importorskip("blockbuster", reason="blockbuster is not installed")
    run_script(FIRST_VECTORS, gateway.base_url)
