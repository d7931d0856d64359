"""No secret is shown, stored, traced or logged, wherever a user might look."""

import base64
import logging
import pickle
import traceback
from functools import partial
from typing import Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd, dumps
from langchain_core.tracers import BaseTracer
from pydantic import ValidationError

from langchain_segmind import ChatSegmindGPT4Turbo, SegmindError
from tests.conftest import SECRET, Caller
from tests.support.raw_server import Connection, RawServer, answer

TOKEN = "fake-header-token"
PASSWORD = "fake-url-password"
BEARER = "fake/bearer+token=="
SECRETS = (SECRET, TOKEN, PASSWORD, BEARER)


def assert_hidden(*shown: object) -> None:
    """Assert that no secret stands in what was shown."""
    text = "\n".join(str(item) for item in shown)
    assert [secret for secret in SECRETS if secret in text] == []


@pytest.fixture
def model(create_model, gateway) -> ChatSegmindGPT4Turbo:
    """Create a model with a secret in every place that can hold one."""
    return create_model(
        base_url=gateway.base_url.replace("http://", f"http://user:{PASSWORD}@"),
        default_headers={"x-token": TOKEN, "proxy-token": f"Bearer {BEARER}"},
        max_retries=1,
    )


class Keeper(BaseCallbackHandler):
    """Keeps the text of all that handlers are told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_chat_model_start(self, serialized, messages, **kwargs) -> None:
        self.told += [str(serialized), str(messages), str(kwargs)]

    def on_llm_end(self, response, **kwargs) -> None:
        self.told += [str(response), str(kwargs)]

    def on_llm_error(self, error, **kwargs) -> None:
        self.told += [repr(error), str(kwargs)]

    def on_retry(self, retry_state, **kwargs) -> None:
        self.told += [repr(retry_state), str(retry_state.args), str(retry_state.kwargs)]


class KeepingTracer(BaseTracer):
    """Keeps the runs that a tracer sends to its service."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []

    def _persist_run(self, run: Any) -> None:
        self.runs.append(str(run.model_dump() if hasattr(run, "model_dump") else run.dict()))


def test_a_model_shows_no_secret(model) -> None:
    """Neither on a screen nor in what is written to disk."""
    assert_hidden(
        repr(model),
        str(model),
        model.model_dump(),
        model.model_dump_json(),
        model.asdict(),
        dumps(model),
        dumpd(model),
        model._serialized,
        model._get_ls_params(),
        model._get_invocation_params(),
        model._get_llm_string(),
        repr(model.bind(temperature=1)),
        model.get_lc_namespace(),
        model.lc_attributes,
    )


def test_a_callable_shows_nothing_of_what_it_holds(model) -> None:
    """A `partial` shows its arguments where it is shown."""
    model.segmind_api_key = partial(str, SECRET)
    assert_hidden(repr(model), model.model_dump(), dumps(model))


def test_a_call_tells_no_secret(caller, model, gateway, caplog) -> None:
    """Handlers, tracers, caches and logs see the call without its secrets."""
    keeper, tracer, cache = Keeper(), KeepingTracer(), InMemoryCache()
    model.cache = cache
    caplog.set_level(logging.DEBUG)
    message = caller.invoke(model, "hi", config={"callbacks": [keeper, tracer]})
    assert caplog.records
    assert tracer.runs
    assert_hidden(message, *keeper.told, *tracer.runs, cache._cache, caplog.text)


ECHOES = [
    pytest.param(401, id="refused"),
    pytest.param(200, id="no answer"),
    pytest.param(429, id="retried"),
    pytest.param(500, id="failed"),
]


@pytest.mark.parametrize("status", ECHOES)
def test_what_a_server_echoes_is_masked(caller, model, gateway, caplog, status) -> None:
    """In the message, the body, the headers, the traceback, the pickle, the trace and the log."""
    echo = f"bad key {SECRET}, {TOKEN}, {PASSWORD}, {BEARER}"
    gateway.script(
        lambda request: {
            "status": status,
            "headers": {"x-echo": echo, "x-request-id": SECRET, "retry-after-ms": "1"},
            "body": {"error": echo + str(dict(request.headers))},
        }
    )
    caplog.set_level(logging.DEBUG)
    keeper, tracer = Keeper(), KeepingTracer()
    with pytest.raises(SegmindError) as caught:
        caller.invoke(model, "hi", config={"callbacks": [keeper, tracer]})
    error = caught.value
    assert "bad key" in str(error)
    assert "dXNlcjp" not in str(error) + str(error.body)
    ours = [record.getMessage() for record in caplog.records if "segmind" in record.name]
    assert_hidden(
        *(repr(error), error.args, error.body, error.headers, error.request_id),
        *(error.__cause__, error.__context__, vars(error), pickle.dumps(error)),
        "".join(traceback.format_exception(error)),
        *(*keeper.told, *tracer.runs, *ours),
    )


@pytest.mark.parametrize("argument", ["api_key", "default_headers"])
def test_a_secret_given_to_a_call_is_not_traced(caller, model, argument) -> None:
    """It is refused before any handler or tracer is told of the call."""
    keeper, tracer = Keeper(), KeepingTracer()
    with pytest.raises(TypeError, match=argument):
        caller.invoke(model, "hi", config={"callbacks": [keeper, tracer]}, **{argument: SECRET})
    assert_hidden(*keeper.told, *tracer.runs)


def test_a_proxys_password_is_not_shown(caller) -> None:
    """A proxy that cannot be reached is an error without its password."""
    proxy = f"http://user:{PASSWORD}@127.0.0.1:9"
    model = ChatSegmindGPT4Turbo(
        api_key=SECRET,
        base_url="http://127.0.0.1:1/v1",
        max_retries=0,
        http_client=httpx.Client(proxy=proxy),
        http_async_client=httpx.AsyncClient(proxy=proxy),
    )
    with pytest.raises(SegmindError) as caught:
        caller.invoke(model, "hi")
    assert_hidden(repr(caught.value), *traceback.format_exception(caught.value), repr(model))


@pytest.mark.filterwarnings("ignore:.*deprecated and will be removed:DeprecationWarning")
def test_a_proxys_password_is_not_shown_where_it_sends_it_back(caller: Caller, monkeypatch) -> None:
    """One that the environment names may answer with all that it was sent."""

    def echo(connection: Connection) -> None:
        connection.send(answer(connection.server.requests[-1].head, status="407 Log in"))

    with RawServer([echo]) as server:
        proxy = server.get_url().replace("://", f"://user:{PASSWORD}@").removesuffix("/v1")
        monkeypatch.setenv("HTTP_PROXY", proxy)
        model = caller.connect(f"http://{server.port}.test/v1", api_key=SECRET, max_retries=0)
        with pytest.raises(SegmindError) as caught:
            caller.invoke(model, "hi")
    assert "roxy-" in str(caught.value.body)
    assert_hidden(repr(caught.value), caught.value.body, *traceback.format_exception(caught.value))
    assert base64.b64encode(f"user:{PASSWORD}".encode()).decode() not in str(caught.value.body)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"segmind_api_key": SECRET, "temperature": "x"}, id="another field"),
        pytest.param({"api_key": SECRET + "\n"}, id="the key itself"),
        pytest.param({"base_url": f"ftp://u:{PASSWORD}@host"}, id="the base URL"),
        pytest.param({"default_headers": {"a": TOKEN + "\n"}}, id="a header"),
        pytest.param({"default_headers": [TOKEN]}, id="headers of another type"),
        pytest.param({"api_keys": SECRET}, id="a misspelt name"),
    ],
)
def test_a_refused_argument_is_not_shown(fields) -> None:
    """Pydantic would show the input; it is told not to."""
    with pytest.raises((ValueError, TypeError)) as caught:
        ChatSegmindGPT4Turbo(**fields)
    assert_hidden(caught.value, repr(caught.value), *traceback.format_exception(caught.value))
    if isinstance(caught.value, ValidationError) and "api_key" in str(fields):
        assert_hidden(caught.value.errors())
