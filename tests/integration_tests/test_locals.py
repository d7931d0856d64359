"""The key is in no local variable of a traceback: loguru, structlog and rich can log them all."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain_core.messages import HumanMessage
from rich.pretty import pretty_repr

from langchain_segmind import (
    ChatSegmindGPT4Turbo,
    SegmindCreditsCallbackHandler,
    SegmindEmbeddings,
)
from tests.conftest import SECRET, Caller
from tests.support.servers import EchoServer

if TYPE_CHECKING:
    from types import TracebackType

TESTS = str(Path(__file__).parents[1])

Fail = Callable[[Caller, Any, str], Any]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def answer(**reply: Any) -> Fail:
    """Fail by what the server answers."""

    def fail(caller: Caller, gateway: Any, base_url: str) -> None:
        gateway.script(lambda _: reply)
        model = ChatSegmindGPT4Turbo(base_url=base_url, api_key=SECRET, max_retries=1)
        caller.invoke(model, "hi")

    return fail


def call(text: Any = "hi", config: Any = None, arguments: Any = None, **fields: Any) -> Fail:
    """Fail in a call."""

    def fail(caller: Caller, gateway: Any, base_url: str) -> None:
        given = {"base_url": base_url, "api_key": SECRET, "max_retries": 0, **fields}
        caller.invoke(ChatSegmindGPT4Turbo(**given), text, config, **(arguments or {}))

    return fail


def construct(**fields: Any) -> Fail:
    """Fail in the constructor."""

    def fail(caller: Caller, gateway: Any, base_url: str) -> None:
        ChatSegmindGPT4Turbo(base_url=base_url, **fields)

    return fail


def assign(name: str, value: object) -> Fail:
    """Fail where a field is assigned."""

    def fail(caller: Caller, gateway: Any, base_url: str) -> None:
        model = ChatSegmindGPT4Turbo(base_url=base_url, api_key=SECRET)
        setattr(model, name, value)

    return fail


def call_without_a_tool(caller: Caller, gateway: Any, base_url: str) -> None:
    """Fail since the model does not call what it must."""
    gateway.script(lambda _: "No.")
    model = ChatSegmindGPT4Turbo(base_url=base_url, api_key=SECRET)
    caller.invoke(model.bind_tools([add], tool_choice="any"), "hi")


def call_by_a_client(caller: Caller, gateway: Any, base_url: str) -> None:
    """Fail in a client of the user's own."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    clients = {
        "http_client": httpx.Client(transport=httpx.MockTransport(refuse)),
        "http_async_client": httpx.AsyncClient(transport=httpx.MockTransport(refuse)),
    }
    call(**clients)(caller, gateway, base_url)


def exceed_a_budget(caller: Caller, gateway: Any, base_url: str) -> None:
    """Fail since the budget is used up."""
    handler = SegmindCreditsCallbackHandler(budget=0)
    call(config={"callbacks": [handler]})(caller, gateway, base_url)


def embed(*texts: Any, fault: str = "", **fields: Any) -> Fail:
    """Fail where texts are embedded."""

    def fail(caller: Caller, gateway: Any, base_url: str) -> None:
        gateway.faults(*[fault] if fault else [])
        given = {"base_url": base_url, "api_key": SECRET, "max_retries": 0, **fields}
        caller.embed_documents(SegmindEmbeddings(**given), [*texts])

    return fail


def assign_key_of_embeddings(caller: Caller, gateway: Any, base_url: str) -> None:
    """Fail where a key is assigned."""
    SegmindEmbeddings(api_key=SECRET).api_key = f"{SECRET} x"


def return_a_key_with_a_space() -> str:
    """Return a key that cannot be sent."""
    return f"{SECRET} "


FAILURES = [
    pytest.param(call(base_url="http://127.0.0.1:9/v1"), id="refused connection"),
    pytest.param(answer(status=401, body="no"), id="401"),
    pytest.param(answer(status=404, body="no"), id="404"),
    pytest.param(answer(status=406, body="no"), id="406"),
    pytest.param(answer(status=429, body="no", headers={"retry-after": "0"}), id="429"),
    pytest.param(answer(status=500, body=SECRET), id="echoed key"),
    pytest.param(answer(status=302, body="", headers={"location": "/"}), id="redirect"),
    pytest.param(answer(status=200, body="<html>"), id="page"),
    pytest.param(answer(status=200, body={"choices": []}), id="no choices"),
    pytest.param(call(text=[]), id="no messages"),
    pytest.param(call(text=[HumanMessage([{"type": "image"}])]), id="image"),
    pytest.param(call(arguments={"temprature": 1}), id="misspelt argument of a call"),
    pytest.param(call(arguments={"temperature": 99}), id="invalid argument of a call"),
    pytest.param(call(api_key=return_a_key_with_a_space), id="malformed key"),
    pytest.param(call(api_key=lambda: 5), id="key of another type"),
    pytest.param(call_without_a_tool, id="required call"),
    pytest.param(call_by_a_client, id="client of the user's own"),
    pytest.param(exceed_a_budget, id="budget"),
    pytest.param(construct(api_key=SECRET, temprature=1), id="misspelt field"),
    pytest.param(construct(api_key=SECRET, temperature=99), id="invalid field"),
    pytest.param(construct(api_key=f"{SECRET} x"), id="invalid key"),
    pytest.param(construct(api_key=[SECRET]), id="key in a list"),
    pytest.param(embed("one", "two", fault="401@1"), id="embeddings: 401"),
    pytest.param(embed("one", "two", fault="html@1"), id="embeddings: page"),
    pytest.param(embed("one", ""), id="embeddings: empty text"),
    pytest.param(embed("one", api_key=return_a_key_with_a_space), id="embeddings: malformed key"),
    pytest.param(embed("one", dimensions=5), id="embeddings: dimensions"),
    pytest.param(embed("one", api_key=[SECRET]), id="embeddings: key in a list"),
    pytest.param(assign_key_of_embeddings, id="embeddings: invalid assigned key"),
    pytest.param(assign("api_key", {"key": SECRET}), id="assigned key in a dict"),
    pytest.param(assign("temperature", 99), id="invalid assignment"),
    pytest.param(assign("api_key", f"{SECRET} x"), id="invalid assigned key"),
    pytest.param(assign("segmind_api_key", f"{SECRET}\n"), id="key with a line feed"),
]


@pytest.mark.parametrize("fail", FAILURES)
def test_no_frame_of_a_failure_shows_the_key(caller: Caller, gateway: Any, fail: Fail) -> None:
    """Whatever fails, sync and async, neither `repr` nor rich finds the key in any frame."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any class
        fail(caller, gateway, gateway.base_url)
    frames = [*walk_frames(caught.value)]
    assert frames
    shown = [
        (filename, name)
        for filename, name, value in frames
        if SECRET in repr(value) or SECRET in pretty_repr(value, max_depth=5)
    ]
    assert shown == []


async def test_no_frame_of_a_cancelled_call_shows_the_key() -> None:
    """Cancelled while it waits for the response."""
    with EchoServer(latency=None) as server:
        model = ChatSegmindGPT4Turbo(base_url=server.base_url, api_key=SECRET)
        task = asyncio.ensure_future(model.ainvoke("hi"))
        await asyncio.to_thread(server.wait_for_requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        await model.aclose()
    shown = [name for _, name, value in walk_frames(caught.value) if SECRET in repr(value)]
    assert shown == []


def walk_frames(error: BaseException | None) -> Iterator[tuple[str, str, Any]]:
    """Yield file, name and value of each local variable of an error and of its causes."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback: TracebackType | None = error.__traceback__
        while traceback is not None:
            filename = traceback.tb_frame.f_code.co_filename
            if not filename.startswith(TESTS):
                for name, value in traceback.tb_frame.f_locals.items():
                    yield filename, name, value
            traceback = traceback.tb_next
        error = error.__cause__ or error.__context__
