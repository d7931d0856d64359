"""No secret is shown, stored, traced or logged."""

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
from tests.conftest import SECRET, Caller, own_client
from tests.support.raw_server import Connection, RawServer, answer

TOKEN = "fake-header-token"
PASSWORD = "fake-url-password"
BEARER = "fake/bearer+token=="
SECRETS = (SECRET, TOKEN, PASSWORD, BEARER)


def assert_hidden(*shown: object) -> None:
    """Assert that the texts contain no secret."""
    text = "\n".join(str(item) for item in shown)
    assert [secret for secret in SECRETS if secret in text] == []


@pytest.fixture
def model(create_model, gateway) -> ChatSegmindGPT4Turbo:
    """Create a model with a secret wherever it can have one."""
    return create_model(
        base_url=gateway.base_url.replace("http://", f"http://user:{PASSWORD}@"),
        default_headers={"x-token": TOKEN, "proxy-token": f"Bearer {BEARER}"},
        max_retries=1,
    )


class Recorder(BaseCallbackHandler):
    """Records the arguments of all callbacks as text."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def on_chat_model_start(self, serialized, messages, **kwargs) -> None:
        self.texts += [str(serialized), str(messages), str(kwargs)]

    def on_llm_end(self, response, **kwargs) -> None:
        self.texts += [str(response), str(kwargs)]

    def on_llm_error(self, error, **kwargs) -> None:
        self.texts += [repr(error), str(kwargs)]

    def on_retry(self, retry_state, **kwargs) -> None:
        self.texts += [repr(retry_state), str(retry_state.args), str(retry_state.kwargs)]


class RecordingTracer(BaseTracer):
    """Records the runs that a tracer would send to its service."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []

    def _persist_run(self, run: Any) -> None:
        self.runs.append(str(run.model_dump() if hasattr(run, "model_dump") else run.dict()))


def test_a_models_representations_contain_no_secret(model) -> None:
    """Neither those on a screen nor those on a disk."""
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


def test_the_arguments_of_a_key_callable_are_not_shown(model) -> None:
    """The representation of a `partial` contains its arguments."""
    model.segmind_api_key = partial(str, SECRET)
    assert_hidden(repr(model), model.model_dump(), dumps(model))


def test_callbacks_traces_caches_and_logs_contain_no_secret(caller, model, gateway, caplog) -> None:
    """Those of a call that succeeds."""
    recorder, tracer, cache = Recorder(), RecordingTracer(), InMemoryCache()
    model.cache = cache
    caplog.set_level(logging.DEBUG)
    message = caller.invoke(model, "hi", config={"callbacks": [recorder, tracer]})
    assert caplog.records
    assert tracer.runs
    assert recorder.texts
    assert_hidden(message, *recorder.texts, *tracer.runs, cache._cache, caplog.text)


@pytest.mark.parametrize("status", [200, 401, 429, 500])
def test_secrets_in_an_error_response_are_masked(caller, model, gateway, caplog, status) -> None:
    """In the message, body, headers, traceback, pickle, traces and logs."""
    echo = f"bad key {SECRET}, {TOKEN}, {PASSWORD}, {BEARER}"
    gateway.script(
        lambda request: {
            "status": status,
            "headers": {"x-echo": echo, "x-request-id": SECRET, "retry-after-ms": "1"},
            "body": {"error": echo + str(dict(request.headers))},
        }
    )
    caplog.set_level(logging.DEBUG)
    recorder, tracer = Recorder(), RecordingTracer()
    with pytest.raises(SegmindError) as caught:
        caller.invoke(model, "hi", config={"callbacks": [recorder, tracer]})
    error = caught.value
    assert "bad key" in str(error)
    assert "dXNlcjp" not in str(error) + str(error.body)
    logged = [record.getMessage() for record in caplog.records if "segmind" in record.name]
    assert logged
    assert tracer.runs
    assert recorder.texts
    assert_hidden(
        *(repr(error), error.args, error.body, error.headers, error.request_id),
        *(error.__cause__, error.__context__, vars(error), pickle.dumps(error)),
        "".join(traceback.format_exception(error)),
        *(*recorder.texts, *tracer.runs, *logged),
    )


def test_what_the_users_own_client_adds_is_masked(caller) -> None:
    """Headers, cookies, a query and authentication; no error keeps the server's cookies."""
    added = ["fake-header-1", "fake-cookie-1", "fake-query-1", "fake-password-1"]
    options: dict[str, Any] = {
        "headers": {"x-tenant": added[0]},
        "cookies": {"sid": added[1]},
        "params": {"k": added[2]},
        "auth": ("user", added[3]),
    }

    def echo(connection: Connection) -> None:
        head = connection.server.requests[-1].head
        connection.send(answer(head, "set-cookie: sid=fake-cookie-2", status="400 Bad Request"))

    with RawServer([echo]) as server, own_client(caller, **options) as fields:
        model = ChatSegmindGPT4Turbo(api_key=SECRET, base_url=server.get_url(), **fields)
        with pytest.raises(SegmindError) as caught:
            caller.invoke(model, "hi")
    error = caught.value
    shown = f"{error!r} {error.body} {error.headers}"
    basic = base64.b64encode(f"user:{added[3]}".encode()).decode()
    assert "x-tenant" in shown
    assert [text for text in [*added, basic, "fake-cookie-2", "sid=f"] if text in shown] == []


def test_a_token_as_the_user_of_a_base_url_is_masked(caller, gateway, create_model) -> None:
    """It has no password then."""
    gateway.script(lambda request: {"status": 400, "body": {"error": f"no {TOKEN}"}})
    model = create_model(base_url=gateway.base_url.replace("http://", f"http://{TOKEN}@"))
    with pytest.raises(SegmindError) as caught:
        caller.invoke(model, "hi")
    assert_hidden(repr(caught.value), caught.value.body)


@pytest.mark.parametrize("argument", ["api_key", "default_headers"])
def test_a_secret_passed_to_a_call_is_not_traced(caller, model, argument) -> None:
    """The call is refused before its callbacks start."""
    recorder, tracer = Recorder(), RecordingTracer()
    with pytest.raises(TypeError, match=argument):
        caller.invoke(model, "hi", config={"callbacks": [recorder, tracer]}, **{argument: SECRET})
    assert recorder.texts == tracer.runs == []


def test_the_password_of_the_users_own_proxy_is_not_shown(caller) -> None:
    """In the error for a proxy that cannot be reached."""
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
def test_the_password_of_the_environments_proxy_is_masked(caller: Caller, monkeypatch) -> None:
    """In the body of a proxy that echoes the request."""

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
        pytest.param({"segmind_api_key": SECRET, "temperature": "x"}, id="invalid temperature"),
        pytest.param({"api_key": SECRET + "\n"}, id="invalid key"),
        pytest.param({"base_url": f"ftp://u:{PASSWORD}@host"}, id="invalid base URL"),
        pytest.param({"default_headers": {"a": TOKEN + "\n"}}, id="invalid header"),
        pytest.param({"default_headers": [TOKEN]}, id="headers of a wrong type"),
        pytest.param({"api_keys": SECRET}, id="misspelt argument"),
    ],
)
def test_the_error_for_an_invalid_argument_contains_no_secret(fields) -> None:
    """By default pydantic shows the input."""
    with pytest.raises((ValueError, TypeError)) as caught:
        ChatSegmindGPT4Turbo(**fields)
    assert_hidden(caught.value, repr(caught.value), *traceback.format_exception(caught.value))
    if isinstance(caught.value, ValidationError) and "api_key" in str(fields):
        assert_hidden(caught.value.errors())
