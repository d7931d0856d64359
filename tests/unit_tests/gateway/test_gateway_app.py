"""The ASGI application without a server."""

import importlib
import sys

import httpx
import pytest

from langchain_segmind.gateway import Backend, Completion, Gateway, Options, create_app

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
KEY = {"x-api-key": "SG_local"}


def create_client(app):
    """Return a client that calls the application in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway/v1")


async def test_app_answers_in_process():
    """An ASGI server or test client needs only the result of `create_app`."""
    app = create_app(Options(replies=["Hi"]))
    async with create_client(app) as client:
        response = await client.post("/gpt-4-turbo", json=HELLO, headers=KEY)

    assert response.json()["choices"][0]["message"]["content"] == "Hi"
    assert len(app.state.service.requests) == 1


async def test_app_without_options_echoes():
    """`uvicorn --factory langchain_segmind.gateway:create_app` passes no options."""
    async with create_client(create_app()) as client:
        response = await client.post("/gpt-4-turbo", json=HELLO, headers=KEY)
    assert response.json()["choices"][0]["message"]["content"] == "Hello"


@pytest.mark.parametrize("fault", ["drop", "cut"])
async def test_dropping_a_connection_without_one_raises(fault):
    """If the server offers no connection to close, the application raises."""
    async with create_client(create_app(Options(fault=fault))) as client:
        with pytest.raises(ConnectionResetError, match=f"asked to {fault}"):
            await client.post("/gpt-4-turbo", json=HELLO, headers=KEY)


class Parrot(Backend):
    """Replies with the slug and remembers that it was closed."""

    closed = False

    async def reply(self, request):
        """Reply with the slug."""
        return Completion(f"I am {request.slug}")

    def close(self):
        """Remember the call."""
        self.closed = True


async def test_custom_backend_answers_and_is_closed():
    """Any `Backend` answers; the end of the lifespan closes it."""
    parrot = Parrot()
    app = create_app(Options(backend=parrot))
    async with app.router.lifespan_context(app), create_client(app) as client:
        response = await client.post("/gpt-4", json=HELLO, headers=KEY)
        assert response.json()["choices"][0]["message"]["content"] == "I am gpt-4"
    assert parrot.closed


async def test_only_reply_is_abstract():
    """A backend must override `reply`; `reset` and `close` are optional."""

    class Incomplete(Backend):
        pass

    class Minimal(Backend):
        async def reply(self, request):
            return Completion("...")

    with pytest.raises(TypeError, match="reply"):
        Incomplete()
    backend = Minimal()
    backend.reset()
    backend.close()
    async with create_client(create_app(Options(backend=backend))) as client:
        response = await client.post("/gpt-4", json=HELLO, headers=KEY)
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param({"backend": "oracle"}, "must be scripted, llama or proxy", id="backend"),
        pytest.param({"backend": "proxy"}, "needs upstream", id="upstream"),
        pytest.param(
            {"upstream": "http://127.0.0.1:1", "replies": ["a"]},
            "replies are for the scripted backend",
            id="replies",
        ),
        pytest.param({"rpm": 0}, "rpm must be at least 1", id="rpm"),
        pytest.param({"rate_window": 0}, "rate_window must be a positive", id="rate_window"),
        pytest.param({"credits": "lots"}, "credits must be a finite number", id="credits"),
        pytest.param({"fault": "boom"}, "fault 'boom'", id="fault"),
        pytest.param({"model_path": "/no/such.gguf"}, "xllamacpp|no model file", id="model"),
        pytest.param({"upstream_model": "x"}, "proxy backend", id="upstream-model-alone"),
        pytest.param({"backend": "scripted", "upstream": "http://h"}, "proxy", id="two-backends"),
        pytest.param({"upstream": "host/v1"}, "must be a URL", id="url"),
        pytest.param({"upstream": "http://u:p@host/v1"}, "upstream_api_key", id="password"),
        pytest.param(
            {"upstream": "http://host/v1", "upstream_api_key": "a\nb"}, "header", id="newline"
        ),
        pytest.param({"host": ""}, "every address", id="host"),
        pytest.param({"port": 99_999}, "port must be a number", id="port"),
        pytest.param({"api_key": []}, "at least one key", id="no-key"),
        pytest.param({"api_key": [" "]}, "blank", id="blank-key"),
        pytest.param({"credits": "1e400"}, "finite number", id="infinite-credits"),
        pytest.param({"credits": "nan"}, "finite number", id="nan-credits"),
    ],
)
def test_malformed_options_are_refused(options, text):
    """A mistake in the options is reported before anything starts."""
    for create in (lambda **options: create_app(Options(**options)), Gateway):
        with pytest.raises(ValueError, match=text):
            create(**options)


def test_unknown_option_is_a_type_error():
    """A misspelt option is not ignored."""
    with pytest.raises(TypeError, match="'replise'"):
        Gateway(replise=["Hi"])


def test_options_do_not_show_keys():
    """The repr of options is safe to log."""
    shown = repr(Options(api_key="fake-key", upstream="http://h", upstream_api_key="fake-key-2"))
    assert "fake" not in shown


def test_none_is_the_default():
    """None can be passed explicitly, for example by a fixture's parameter."""
    with Gateway(fault=None, rpm=None, replies=None) as gateway:
        assert gateway.base_url


def test_stopped_gateway_has_no_url():
    """The error shows how to run the gateway."""
    with pytest.raises(RuntimeError, match="with Gateway"):
        _ = Gateway().base_url


def test_negative_token_count_is_refused():
    """A negative count would add credits."""
    with pytest.raises(ValueError, match="whole numbers"):
        Completion("hi", usage={"prompt_tokens": -1})


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_missing_extra_names_the_install_command(monkeypatch, missing):
    """Without the extra, the import error says what to install."""
    for name in list(sys.modules):
        if name.startswith("langchain_segmind.gateway"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(ImportError, match=r"pip install 'langchain-segmind\[gateway\]'"):
        importlib.import_module("langchain_segmind.gateway")
