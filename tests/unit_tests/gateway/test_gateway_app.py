"""The ASGI application by itself, with no server around it."""

import importlib
import sys

import httpx
import pytest

from langchain_segmind.gateway import Backend, Completion, create_app

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
KEY = {"x-api-key": "SG_local"}


def client_of(app):
    """A client that calls the application in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway/v1")


async def test_app_answers_in_process():
    """`create_app` is all that an ASGI server or a test client needs."""
    app = create_app(replies=["Hi"])
    async with client_of(app) as client:
        response = await client.post("/gpt-4-turbo", json=HELLO, headers=KEY)

    assert response.json()["choices"][0]["message"]["content"] == "Hi"
    assert len(app.state.service.requests) == 1


@pytest.mark.parametrize("fault", ["drop", "cut"])
async def test_breaking_off_needs_a_connection(fault):
    """Where the server has no connection to break, the application raises instead."""
    async with client_of(create_app(fault=fault)) as client:
        with pytest.raises(ConnectionResetError, match=f"asked to {fault}"):
            await client.post("/gpt-4-turbo", json=HELLO, headers=KEY)


class Parrot(Backend):
    """Says one thing, until it is closed."""

    closed = False

    async def reply(self, request):
        """Answer with the slug."""
        return Completion(f"I am {request.slug}")

    def close(self):
        """Remember that it was closed."""
        self.closed = True


async def test_backends_of_ones_own():
    """Any `Backend` answers, and the end of the lifespan closes it."""
    parrot = Parrot()
    app = create_app(backend=parrot)
    async with app.router.lifespan_context(app), client_of(app) as client:
        response = await client.post("/gpt-4", json=HELLO, headers=KEY)
        assert response.json()["choices"][0]["message"]["content"] == "I am gpt-4"
    assert parrot.closed


async def test_a_backend_need_only_reply():
    """A subclass must say how it replies; the rest is optional."""

    class Mute(Backend):
        pass

    class Quiet(Backend):
        async def reply(self, request):
            return Completion("...")

    with pytest.raises(TypeError, match="reply"):
        Mute()
    quiet = Quiet()
    quiet.reset()
    quiet.close()
    async with client_of(create_app(backend=quiet)) as client:
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
        pytest.param({"model_path": "/no/such.gguf"}, "xllamacpp|no model at", id="model"),
    ],
)
def test_malformed_options_are_refused(options, text):
    """A mistake in the options is told of at the start."""
    with pytest.raises(ValueError, match=text):
        create_app(**options)


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_missing_extra_says_what_to_install(monkeypatch, missing):
    """Without the extra, the import error names the command that installs it."""
    for name in list(sys.modules):
        if name.startswith("langchain_segmind.gateway"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(ImportError, match=r"pip install 'langchain-segmind\[gateway\]'"):
        importlib.import_module("langchain_segmind.gateway")
