"""No secret is shown, stored, traced or logged."""

import base64
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import httpx
import langsmith
import pytest
from langchain.chat_models import init_chat_model
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd, dumps, load
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_core.tracers import BaseTracer
from langchain_core.tracers.langchain import LangChainTracer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from langchain_segmind import (
    ChatSegmindGPT4Turbo,
    SegmindEmbeddings,
    SegmindError,
    register_init_chat_model,
)
from langchain_segmind._http.httpcore_log import LOGGERS
from langchain_segmind.rate_limiters import SegmindRateLimiter
from tests.conftest import SECRET, Caller, own_client
from tests.support.raw_server import ANSWER, Connection, RawServer, answer

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


CUT_HEADER = f"content-encoding: {'z' * 70}{SECRET}"
CUT_BODY = f"{'a' * 99_989} {SECRET}"


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        pytest.param(answer(ANSWER, CUT_HEADER), "z" * 70, id="header"),
        pytest.param(answer(CUT_BODY.encode(), status="400 Bad Request"), "a" * 80, id="body"),
    ],
)
def test_a_secret_that_a_limit_cuts_in_two_is_masked(caller, reply, shown) -> None:
    """At the end of what an error quotes of a header, and of what is read of a body."""
    with RawServer([reply]) as server:
        model = ChatSegmindGPT4Turbo(api_key=SECRET, base_url=server.get_url(), max_retries=0)
        with pytest.raises(SegmindError) as caught:
            caller.invoke(model, "hi")
    error = caught.value
    assert shown in str(error)
    assert SECRET[:6] not in f"{error!r} {error.body} {error.headers}"


def test_secrets_in_the_names_of_a_responses_headers_are_masked(caller) -> None:
    """The error keeps the headers."""
    reply = answer(b"no", f"x-{SECRET}: a", status="400 Bad Request")
    with RawServer([reply]) as server:
        model = ChatSegmindGPT4Turbo(api_key=SECRET, base_url=server.get_url())
        with pytest.raises(SegmindError) as caught:
            caller.invoke(model, "hi")
    assert caught.value.headers["x-**********"] == "a"
    assert_hidden(repr(caught.value), caught.value.headers)


def test_a_key_in_the_request_id_of_a_reply_is_masked(caller) -> None:
    """A server may echo it; the rest of the ID is kept."""
    with RawServer([answer(ANSWER, f"x-request-id: id {SECRET}")]) as server:
        model = ChatSegmindGPT4Turbo(api_key=SECRET, base_url=server.get_url())
        message = caller.invoke(model, "hi")
    assert message.response_metadata["request_id"] == "id **********"


def test_each_word_of_a_header_is_masked(caller) -> None:
    """A server can repeat the one that it does not accept."""
    reply = answer(f"no {TOKEN}".encode(), status="400 Bad Request")
    for value in (f"id {TOKEN}", f"id,{TOKEN}", f"id={TOKEN}; a=b"):
        with RawServer([reply]) as server:
            model = ChatSegmindGPT4Turbo(
                api_key=SECRET, base_url=server.get_url(), default_headers={"x": value}
            )
            with pytest.raises(SegmindError, match="'no ") as caught:
                caller.invoke(model, "hi")
        assert_hidden(repr(caught.value), caught.value.body)


def test_a_user_agent_of_ones_own_is_masked(caller) -> None:
    """It can hold a token; that of the package is shown."""
    for headers, shown in (({"user-agent": TOKEN}, "**********"), ({}, "langchain-segmind/")):

        def echo(connection: Connection) -> None:
            connection.send(answer(connection.server.requests[-1].head, status="400 Bad Request"))

        with RawServer([echo]) as server:
            model = ChatSegmindGPT4Turbo(
                api_key=SECRET, base_url=server.get_url(), default_headers=headers
            )
            with pytest.raises(SegmindError) as caught:
                caller.invoke(model, "hi")
        assert f"user-agent: {shown}" in str(caught.value)
        assert_hidden(repr(caught.value), caught.value.body)


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


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "410 Gone"])
def test_the_query_of_the_users_own_client_is_not_shown(caller, caplog, status) -> None:
    """The error for a missing model, and the log, contain the URL."""
    caplog.set_level(logging.DEBUG, "langchain_segmind")
    reply = answer(ANSWER, status=status)
    params = {"k": "fake-query-1", "s": "s3"}
    with RawServer([reply]) as server, own_client(caller, params=params) as fields:
        url = server.get_url()
        model = ChatSegmindGPT4Turbo(api_key=SECRET, base_url=url, max_retries=0, **fields)
        error = None
        try:
            caller.invoke(model, "hi")
        except SegmindError as raised:
            error = raised
    assert status[:3] == "200" or f"{url}/gpt-4-turbo:" in str(error)
    logged = [one.getMessage() for one in caplog.records if one.name.startswith("langchain_segm")]
    assert f"POST {url}/gpt-4-turbo: {status[:3]}" in logged
    shown = f"{error!r} {logged}"
    assert [secret for secret in params.values() if secret in shown] == []


@pytest.mark.parametrize("user", [TOKEN, f"{TOKEN}:{PASSWORD}"])
def test_the_user_of_a_base_url_is_masked(caller, gateway, create_model, user) -> None:
    """It can be a token, with a password and without."""
    gateway.script(lambda request: {"status": 400, "body": {"error": f"no {user}"}})
    model = create_model(base_url=gateway.base_url.replace("http://", f"http://{user}@"))
    with pytest.raises(SegmindError, match="'no ") as caught:
        caller.invoke(model, "hi")
    assert_hidden(repr(caught.value), caught.value.body)


def test_the_login_of_the_users_own_client_is_masked(caller) -> None:
    """A server may name it as it was before it was encoded."""
    reply = answer(f"no {TOKEN} with {PASSWORD}".encode(), status="401 Unauthorized")
    with RawServer([reply]) as server, own_client(caller, auth=(TOKEN, PASSWORD)) as fields:
        model = ChatSegmindGPT4Turbo(api_key=SECRET, base_url=server.get_url(), **fields)
        with pytest.raises(SegmindError, match="'no ") as caught:
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


@pytest.mark.parametrize("user", [f"user:{PASSWORD}", f"{TOKEN}:{PASSWORD}", TOKEN])
@pytest.mark.filterwarnings("ignore:.*deprecated and will be removed:DeprecationWarning")
def test_the_login_of_the_environments_proxy_is_masked(caller: Caller, monkeypatch, user) -> None:
    """In the body of a proxy that echoes the request, and names its user."""

    def echo(connection: Connection) -> None:
        head = connection.server.requests[-1].head
        connection.send(answer(head + f"no {user}".encode(), status="407 Log in"))

    with RawServer([echo]) as server:
        proxy = server.get_url().replace("://", f"://{user}@").removesuffix("/v1")
        monkeypatch.setenv("HTTP_PROXY", proxy)
        model = caller.connect(f"http://{server.port}.test/v1", api_key=SECRET, max_retries=0)
        with pytest.raises(SegmindError) as caught:
            caller.invoke(model, "hi")
    assert "roxy-" in str(caught.value.body)
    assert "**********no " in str(caught.value.body)
    assert_hidden(repr(caught.value), caught.value.body, *traceback.format_exception(caught.value))
    assert base64.b64encode(user.encode()).decode()[:-4] not in str(caught.value.body)


ISSUED_KEY = "SG_" + "0f" * 8
"""Of the shape of Segmind's keys; only those are known in a response's headers."""


def test_a_key_in_a_responses_headers_is_masked_in_the_log_of_httpcore(
    caller, gateway, caplog
) -> None:
    """A server may echo it."""
    echo = {"x-echo": f"{ISSUED_KEY}, and more", "location": f"http://user:{PASSWORD}@host"}
    gateway.script(lambda request: {"status": 400, "headers": echo, "body": "no"})
    model = ChatSegmindGPT4Turbo(base_url=gateway.base_url, api_key=SECRET, max_retries=0)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SegmindError):
        caller.invoke(model, "hi")
    assert "**********, and more" in caplog.text
    assert ISSUED_KEY not in caplog.text
    assert_hidden(caplog.text)


def greet_as_socks_proxy(connection: Connection) -> None:
    """Accept any user and connect to nothing: the connection itself answers."""
    for reply in (b"\x05\x02", b"\x01\x00", b"\x05\x00\x00\x01" + bytes(6)):
        connection.sock.recv(1000)
        connection.send(reply)


@pytest.mark.filterwarnings("ignore:.*deprecated and will be removed:DeprecationWarning")
def test_the_password_of_a_socks_proxy_is_masked_in_the_log_of_httpcore(
    caller: Caller, monkeypatch, caplog
) -> None:
    """The steps of a connection are logged with their arguments."""
    pytest.importorskip("socksio", reason="socksio is not installed")
    caplog.set_level(logging.DEBUG)
    with RawServer([answer()], greeting=[greet_as_socks_proxy]) as server:
        monkeypatch.setenv("ALL_PROXY", f"socks5://user:{PASSWORD}@127.0.0.1:{server.port}")
        model = caller.connect(f"http://{server.port}.test/v1", max_retries=0)
        assert caller.invoke(model, "hi").text == "pong"
    assert "setup_socks5_connection" in caplog.text
    assert_hidden(caplog.text)


def test_proxy_credentials_with_odd_characters_are_masked_in_the_log_of_httpcore(caplog) -> None:
    """A line as httpcore writes it, also where socksio is not installed."""
    caplog.set_level(logging.DEBUG)
    auth = (b"user", f"{PASSWORD})',\" {PASSWORD}".encode())
    logging.getLogger("httpcore.socks").debug(f"connect.started port=443 {auth=!r}")  # noqa: G004
    assert caplog.messages == ["connect.started port=443 auth=**********"]


class Unprintable:
    """An object without a text."""

    def __str__(self) -> str:
        """Raise an error that is no ValueError."""
        raise RuntimeError


@pytest.mark.parametrize(
    "record",
    [("%d items", "x"), ("%s %s", "x"), ("%(a)s", {"b": 1}), ("%s", Unprintable())],
    ids=["type", "number", "name", "object"],
)
@pytest.mark.parametrize("logger", LOGGERS)
def test_a_record_that_cannot_be_formatted_is_logged(caplog, logger, record) -> None:
    """The filter of httpcore's log never raises into the caller."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger(logger).debug(*record)
    assert "cannot be formatted" in caplog.text


class Credentials(BaseModel):
    """A pydantic object that holds a secret."""

    token: str


WRONG_TYPES = [
    pytest.param(lambda secret: [secret], id="list"),
    pytest.param(lambda secret: (secret,), id="tuple"),
    pytest.param(lambda secret: {"token": [secret]}, id="dict"),
    pytest.param(lambda secret: {secret: None}, id="dict key"),
    pytest.param(lambda secret: f"{secret}\n".encode(), id="bytes"),
    pytest.param(lambda secret: [SecretStr(secret)], id="secret in a list"),
    pytest.param(lambda secret: SecretStr([secret]), id="list in a secret"),
    pytest.param(lambda secret: Credentials(token=secret), id="pydantic object"),
]
CAN_HOLD_A_SECRET = {
    "api_key": SECRET,
    "segmind_api_key": SECRET,
    "base_url": f"http://user:{PASSWORD}@host/v1",
    "segmind_api_base": f"http://user:{PASSWORD}@host/v1",
    "default_headers": TOKEN,
    "http_client": TOKEN,
    "http_async_client": TOKEN,
}
VALID = {
    "api_key": SECRET,
    "base_url": CAN_HOLD_A_SECRET["base_url"],
    "default_headers": {"x-token": TOKEN},
}


def assert_refused_without_a_secret(act: Callable[[], Any]) -> None:
    """Assert that no part of an error shows a secret, nor the errors that it follows."""
    with pytest.raises((ValueError, TypeError)) as caught:
        act()
    errors: list[Any] = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert_hidden(*errors, *map(repr, errors), *traceback.format_exception(caught.value))
    for error in errors:
        if isinstance(error, ValidationError):
            assert_hidden(error.errors(), error.json())


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"segmind_api_key": SECRET, "temperature": "x"}, id="invalid temperature"),
        pytest.param({"api_key": SECRET + "\n"}, id="invalid key"),
        pytest.param({"base_url": f"ftp://u:{PASSWORD}@host"}, id="invalid base URL"),
        pytest.param({"base_url": f"http://u:/{PASSWORD}@host"}, id="slash in a password"),
        pytest.param({"default_headers": {"a": TOKEN + "\n"}}, id="invalid header"),
        pytest.param({"default_headers": {f"a: {TOKEN}": ""}}, id="header in one line"),
        pytest.param({"default_headers": {f"a: {TOKEN}": None}}, id="header without a value"),
        pytest.param({"default_headers": [TOKEN]}, id="headers of a wrong type"),
        pytest.param({"api_keys": SECRET}, id="misspelt argument"),
        pytest.param({"default_query": {"k": TOKEN}}, id="argument of another package"),
        pytest.param({"proxies": f"http://u:{PASSWORD}@host"}, id="proxies"),
        pytest.param({"segmind_api_key": SECRET, "api_key": SECRET}, id="key under both names"),
    ],
)
def test_the_error_for_an_invalid_argument_contains_no_secret(fields) -> None:
    """By default pydantic shows the input, and in `errors()` always."""
    assert_refused_without_a_secret(lambda: ChatSegmindGPT4Turbo(**fields))


@pytest.mark.parametrize("wrap", WRONG_TYPES)
@pytest.mark.parametrize("name", CAN_HOLD_A_SECRET)
def test_the_error_for_a_secret_of_a_wrong_type_does_not_show_it(name, wrap) -> None:
    """In the constructor, and where it is assigned."""
    value = wrap(CAN_HOLD_A_SECRET[name])
    model = ChatSegmindGPT4Turbo(api_key=SECRET)
    assert_refused_without_a_secret(lambda: ChatSegmindGPT4Turbo(**{name: value}))
    assert_refused_without_a_secret(lambda: setattr(model, name, value))


@pytest.mark.parametrize("wrap", WRONG_TYPES)
@pytest.mark.parametrize("name", CAN_HOLD_A_SECRET)
def test_embeddings_do_not_show_a_secret_of_a_wrong_type(name, wrap) -> None:
    """As a chat model does not."""
    value = wrap(CAN_HOLD_A_SECRET[name])
    embeddings = SegmindEmbeddings(api_key=SECRET)
    assert_refused_without_a_secret(lambda: SegmindEmbeddings(**{name: value}))
    assert_refused_without_a_secret(lambda: setattr(embeddings, name, value))


def test_embeddings_show_no_secret(caller, gateway, caplog) -> None:
    """In representations, logs, and the error for a server that echoes what it got."""
    gateway.faults("ok,400")
    caplog.set_level(logging.DEBUG)
    embeddings = SegmindEmbeddings(
        base_url=gateway.base_url.replace("http://", f"http://user:{PASSWORD}@"),
        default_headers={"x-token": TOKEN, "proxy-token": f"Bearer {BEARER}"},
        api_key=SECRET,
        max_concurrency=1,
    )
    with pytest.raises(SegmindError) as caught:
        caller.embed_documents(embeddings, ["one", "two"])
    assert caplog.records
    error = caught.value
    assert_hidden(*(repr(error), error.args, error.body, error.headers, pickle.dumps(error)))
    assert_hidden("".join(traceback.format_exception(error)), caplog.text)
    assert_hidden(
        *(repr(embeddings), str(embeddings), embeddings.model_dump(), embeddings.model_dump_json())
    )
    embeddings.api_key = partial(str, SECRET)
    assert_hidden(repr(embeddings), embeddings.model_dump())


class WithRegion(ChatSegmindGPT4Turbo):
    """A model with a required field."""

    region: str


class Refusing(ChatSegmindGPT4Turbo):
    """A model that a validator of its own refuses."""

    @model_validator(mode="after")
    def _refuse(self) -> Self:
        raise ValueError("refused")


class RefusingEarly(ChatSegmindGPT4Turbo):
    """A model whose arguments a validator of its own refuses."""

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, arguments: Any) -> Any:
        raise PydanticCustomError("refused", "refused in {place}", {"place": "here"})


class RefusingInOwnWords(ChatSegmindGPT4Turbo):
    """A model whose validator uses the name of an error of pydantic's."""

    @model_validator(mode="after")
    def _refuse(self) -> Self:
        raise PydanticCustomError("value_error", "in words of its own")


@pytest.mark.parametrize("model_class", [WithRegion, Refusing, RefusingEarly, RefusingInOwnWords])
def test_the_error_of_a_whole_model_does_not_show_its_arguments(model_class) -> None:
    """The input of such an error is all of them, however the model is created."""

    class Config(BaseModel):
        model: model_class

    for act in (
        lambda: model_class(**VALID),
        lambda: model_class.model_validate(VALID),
        lambda: model_class.model_validate_json(json.dumps(VALID)),
        lambda: TypeAdapter(model_class).validate_python(VALID),
        lambda: Config(model=VALID),
    ):
        assert_refused_without_a_secret(act)


@pytest.mark.parametrize("end", [",}", "", '}"', ', "temperature": "x"}'])
def test_the_error_for_json_does_not_contain_it(end) -> None:
    """Malformed, such as a file with a trailing comma, or with an invalid value."""
    text = json.dumps(VALID).removesuffix("}") + end
    assert_refused_without_a_secret(lambda: ChatSegmindGPT4Turbo.model_validate_json(text))
    assert ChatSegmindGPT4Turbo.model_validate_json(json.dumps(VALID)).segmind_api_key is not None


@pytest.mark.parametrize("wrap", WRONG_TYPES)
def test_init_chat_model_refuses_a_secret_without_showing_it(wrap) -> None:
    """Its errors are those of the constructor, also for a configurable model."""
    register_init_chat_model()
    for name, secret in (("api_key", SECRET), ("base_url", PASSWORD), ("default_headers", TOKEN)):
        fields = {name: wrap(secret)}
        assert_refused_without_a_secret(lambda: init_chat_model("segmind:gpt-4-turbo", **fields))  # noqa: B023
        model = init_chat_model("segmind:gpt-4-turbo", configurable_fields="any")
        assert_refused_without_a_secret(
            lambda: model.invoke("hi", config={"configurable": fields})  # noqa: B023
        )


def test_an_error_without_its_input_says_the_rest() -> None:
    """Where, what and why, as pydantic does; the types of validators of a user's own too."""
    with pytest.raises(ValidationError) as caught:
        ChatSegmindGPT4Turbo(temperature=99, stop=[1])
    temperature, *others = caught.value.errors()
    assert temperature == {
        "type": "less_than_equal",
        "loc": ("temperature",),
        "msg": "Input should be less than or equal to 2",
        "input": "**********",
        "ctx": {"le": 2.0},
        "url": temperature["url"],
    }
    assert ("stop", "list[str]", 0) in [one["loc"] for one in others]
    with pytest.raises(ValidationError, match="refused in here") as caught:
        RefusingEarly()
    assert caught.value.errors()[0]["type"] == "refused"
    with pytest.raises(ValidationError, match="in words of its own") as caught:
        RefusingInOwnWords()
    assert caught.value.errors()[0]["type"] == "value_error"
    with pytest.raises(ValidationError, match="API key is of type list, not str"):
        ChatSegmindGPT4Turbo(api_key=[SECRET])


def test_a_key_as_bytes_is_used(caller, gateway) -> None:
    """As pydantic reads a string from bytes."""
    model = ChatSegmindGPT4Turbo(base_url=gateway.base_url, api_key=SECRET.encode())
    assert caller.invoke(model, "hi").text == "hi"


# --- What docs/security.md says is not masked ---


def test_langsmith_gets_a_configurable_key_unless_its_id_is_api_key(caller, gateway) -> None:
    """LangChain puts what is under `configurable` into the metadata of a chain's traces."""
    model = ChatSegmindGPT4Turbo(base_url=gateway.base_url)
    holds_key = {}
    with RawServer([answer(b"{}")]) as server:
        url = server.get_url().removesuffix("/v1")
        client = langsmith.Client(api_url=url, api_key="fake", auto_batch_tracing=False)
        for name in ("api_key", "segmind_api_key"):
            field = ConfigurableField(id=name)
            chain = RunnableLambda(str) | model.configurable_fields(segmind_api_key=field)
            before = len(server.requests)
            config = {"callbacks": [LangChainTracer(client=client)], "configurable": {name: SECRET}}
            caller.invoke(chain, "hi", config=config)
            sent = b"".join(request.body for request in server.requests[before:])
            assert b"ChatSegmindGPT4Turbo" in sent
            holds_key[name] = SECRET.encode() in sent
    assert holds_key == {"api_key": False, "segmind_api_key": True}


def test_the_query_of_the_users_own_client_is_in_the_log_of_httpx(caller, gateway, caplog) -> None:
    """The URL is logged; without a client of the user's own, nothing."""
    caplog.set_level(logging.INFO)
    lines = []
    with own_client(caller, params={"k": "fake-query"}) as fields:
        for options in ({}, fields):
            model = ChatSegmindGPT4Turbo(base_url=gateway.base_url, api_key=SECRET, **options)
            caller.invoke(model, "hi")
            lines.append([one.getMessage() for one in caplog.records if one.name == "httpx"])
    without, [line] = lines
    assert without == []
    assert "k=fake-query" in line


def test_a_binding_shows_what_it_was_given(model) -> None:
    """A call refuses it, but a representation of the binding contains it."""
    assert SECRET in repr(model.bind(api_key=SECRET))
    assert SECRET in repr(model.with_config(configurable={"api_key": SECRET}))


def test_the_gateway_keeps_the_headers_of_requests(caller, model, gateway) -> None:
    """Its tests need them."""
    caller.invoke(model, "hi")
    assert gateway.requests[0].headers["x-api-key"] == SECRET
    assert gateway.requests[0].headers["x-token"] == TOKEN


ALLOWED: dict[str, Any] = {
    "allowed_objects": [ChatSegmindGPT4Turbo],
    "valid_namespaces": ["langchain_segmind"],
}


@pytest.mark.parametrize("name", ["segmind_api_base", "default_headers", "segmind_api_key"])
def test_a_configurable_field_shows_its_default_unless_it_is_the_key(model, name) -> None:
    """In LangChain's description of the configuration."""
    configurable = model.configurable_fields(**{name: ConfigurableField(id="field")})
    secret = {"segmind_api_base": PASSWORD, "default_headers": TOKEN}.get(name, SECRET)
    assert_hidden(repr(configurable))
    for shown in (configurable.config_specs, configurable.get_config_jsonschema()):
        assert (secret in str(shown)) == (name != "segmind_api_key")


def test_the_error_for_an_argument_of_a_call_shows_it(caller, model) -> None:
    """A call does not take secrets."""
    with pytest.raises(ValidationError) as caught:
        caller.invoke(model, "hi", temperature="fake-value")
    assert caught.value.errors()[0]["input"] == "fake-value"


def test_a_type_adapters_error_for_malformed_json_contains_it() -> None:
    """It is parsed before any code of the model runs."""
    text = json.dumps(VALID) + ","
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(ChatSegmindGPT4Turbo).validate_json(text)
    assert caught.value.errors()[0]["input"] == text


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_of_langgraph_contains_the_key_of_a_model(monkeypatch) -> None:
    """One from the environment too, which a pickle does not; the model's other secrets are not."""
    monkeypatch.setenv("SEGMIND_API_KEY", SECRET)
    url = f"https://user:{PASSWORD}@host.test/v1"
    model = ChatSegmindGPT4Turbo(default_headers={"x-token": TOKEN}, base_url=url)
    _, stored = JsonPlusSerializer().dumps_typed({"model": model})
    assert SECRET.encode() in stored
    assert b"host.test" in stored
    assert [secret for secret in (TOKEN, PASSWORD) if secret.encode() in stored] == []


def test_a_pickle_contains_a_key_that_load_read(monkeypatch) -> None:
    """LangChain passes it to the model, as a user would."""
    monkeypatch.setenv("SEGMIND_API_KEY", SECRET)
    model = ChatSegmindGPT4Turbo()
    assert SECRET.encode() not in pickle.dumps(model)
    assert SECRET.encode() in pickle.dumps(load(dumpd(model), secrets_from_env=True, **ALLOWED))


def test_a_pickle_contains_the_password_of_a_limiters_redis() -> None:
    """Another process needs it to share the limit."""
    pytest.importorskip("limits", reason="the extra limits is not installed")
    limiter = SegmindRateLimiter(storage=f"redis://:{PASSWORD}@127.0.0.1:1/0")
    assert PASSWORD.encode() in pickle.dumps(ChatSegmindGPT4Turbo(rate_limiter=limiter))
    assert_hidden(repr(limiter))


def test_a_functions_pickle_contains_its_arguments() -> None:
    """As Python pickles a `partial`."""
    pickled = pickle.dumps(ChatSegmindGPT4Turbo(api_key=partial(str, SECRET)))
    assert SECRET.encode() in pickled


@pytest.mark.filterwarnings("ignore:The default value of `allowed_objects` will change")
@pytest.mark.parametrize(
    "options", [{}, {"allowed_objects": "messages"}, {"allowed_objects": "core"}]
)
def test_load_refuses_models_by_default(options) -> None:
    """A text that describes one sets its base URL."""
    with pytest.raises(ValueError, match="not allowed"):
        load(dumpd(ChatSegmindGPT4Turbo(api_key=SECRET)), **options)


def test_a_forged_text_that_load_allows_gets_the_key_of_the_environment(
    caller, gateway, monkeypatch
) -> None:
    """A model without a key reads it, so only texts of a trusted source may describe one."""
    monkeypatch.setenv("SEGMIND_API_KEY", SECRET)
    monkeypatch.setenv("ANOTHER_SECRET", "fake-other")
    forged = dumpd(ChatSegmindGPT4Turbo(base_url=gateway.base_url))
    forged["kwargs"]["segmind_api_key"]["id"] = ["ANOTHER_SECRET"]
    loaded = load(forged, secrets_from_env=True, **ALLOWED)
    assert loaded.segmind_api_key == SecretStr("fake-other")
    del forged["kwargs"]["segmind_api_key"]
    caller.invoke(load(forged, secrets_from_env=False, **ALLOWED), "hi")
    assert gateway.requests[0].headers["x-api-key"] == SECRET


def test_load_can_be_given_the_key(caller, gateway) -> None:
    """Without a look at the environment."""
    dumped = dumpd(ChatSegmindGPT4Turbo(api_key="fake-key", base_url=gateway.base_url))
    loaded = load(dumped, secrets_map={"SEGMIND_API_KEY": SECRET}, **ALLOWED)
    assert caller.invoke(loaded, "hi").text == "hi"
