"""The ASGI application without a server, and the options."""

import importlib
import inspect
import sys

import httpx
import pytest

from langchain_segmind.gateway import Backend, Completion, Gateway, Options, create_app


async def ask(app, slug="gpt-4-turbo"):
    """Call the application in this process; return the reply's text."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway/v1") as client:
        body = {"messages": [{"role": "user", "content": "Hello"}]}
        response = await client.post(f"/{slug}", json=body, headers={"x-api-key": "SG_local"})
    return response.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize("arguments", [(), (Options(),)], ids=["factory", "options"])
async def test_app_answers_in_process(arguments):
    """An ASGI server or test client needs only `create_app`, as in `uvicorn --factory`."""
    app = create_app(*arguments)
    assert await ask(app) == "Hello"
    assert len(app.state.service.requests) == 1


@pytest.mark.parametrize("fault", ["drop", "cut"])
async def test_dropping_a_connection_without_one_raises(fault):
    """If the server offers no connection to close, the application raises."""
    with pytest.raises(ConnectionResetError, match=f"asked to {fault}"):
        await ask(create_app(Options(fault=fault)))


async def test_custom_backend_answers_and_is_closed():
    """A backend needs only `reply`; its `close` is called at the end of the lifespan."""

    class Parrot(Backend):
        async def reply(self, request):
            return Completion(f"I am {request.slug}")

    with pytest.raises(TypeError, match="reply"):
        Backend()
    closed, parrot = [], Parrot()
    parrot.close = lambda: closed.append(parrot)
    app = create_app(Options(backend=parrot))
    async with app.router.lifespan_context(app):
        app.state.service.reset()
        assert (await ask(app, "gpt-4"), closed) == ("I am gpt-4", [])
    assert closed == [parrot]


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
        pytest.param({"api_format": "xml"}, "api_format must be openai, anthropic", id="format"),
        pytest.param({"api_key": []}, "at least one key", id="no-key"),
        pytest.param({"api_key": [" "]}, "blank", id="blank-key"),
    ],
)
def test_malformed_options_are_refused(options, text):
    """A mistake in the options is reported before anything starts."""
    for create in (lambda **options: create_app(Options(**options)), Gateway):
        with pytest.raises(ValueError, match=text):
            create(**options)


def test_unknown_option_is_a_type_error():
    """A misspelt option is not ignored; the signature shows the right ones."""
    with pytest.raises(TypeError, match="'replise'"):
        Gateway(replise=["Hi"])
    assert inspect.signature(Gateway) == inspect.signature(Options)


def test_options_do_not_show_keys():
    """The repr of options is safe to log."""
    shown = repr(Options(api_key="fake-key", upstream="http://h", upstream_api_key="fake-key-2"))
    assert "fake" not in shown


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_missing_extra_names_the_install_command(monkeypatch, missing):
    """Without the extra, the import error says what to install."""
    for name in list(sys.modules):
        if name.startswith("langchain_segmind.gateway"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(ImportError, match=r"pip install 'langchain-segmind\[gateway\]'"):
        importlib.import_module("langchain_segmind.gateway")
