"""Fields describe themselves, and an unknown argument gets a hint."""

import re

import httpx
import pytest
from pydantic import BaseModel

from langchain_segmind import ChatSegmind, ChatSegmindGPT4Turbo, SegmindEmbeddings
from langchain_segmind._embeddings.parameters import EmbeddingParameters
from langchain_segmind._settings.parameters import ModelParameters
from tests.conftest import SECRET


@pytest.mark.parametrize(
    ("cls", "parameters"),
    [
        (ChatSegmind, ModelParameters),
        (ChatSegmindGPT4Turbo, ModelParameters),
        (SegmindEmbeddings, EmbeddingParameters),
    ],
)
def test_every_field_has_a_description(cls: type[BaseModel], parameters: type[BaseModel]) -> None:
    """Editors and `model_fields` show it."""
    undescribed = [n for n in parameters.model_fields if not cls.model_fields[n].description]
    assert undescribed == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("modle", "did you mean 'model'?"),
        ("output_dimensionality", "did you mean 'dimensions'?"),
        ("openai_api_key", "did you mean 'api_key'?"),
        ("chunk_size", "it takes api_key, base_url, "),
        ("top_k", "it takes api_key, base_url, "),
    ],
)
def test_an_unknown_argument_of_embeddings_gets_a_hint(name: str, hint: str) -> None:
    """There is no `model_kwargs`, since the service ignores unknown keys."""
    with pytest.raises(TypeError, match=re.escape(f"has no argument {name!r}; {hint}")):
        SegmindEmbeddings(**{name: 1})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_concurrency", 0),
        ("dimensions", 0),
        ("task_type", "SEARCH"),
        ("timeout", 0),
        ("rate_limiter", "fast"),
        ("model", "a/b"),
    ],
)
def test_an_invalid_value_of_embeddings_is_refused(name: str, value: object) -> None:
    """In the constructor, and where it is assigned."""
    with pytest.raises(ValueError, match=name):
        SegmindEmbeddings(**{name: value})
    embeddings = SegmindEmbeddings()
    with pytest.raises(ValueError, match=name):
        setattr(embeddings, name, value)


def test_embeddings_have_the_other_names_of_a_chat_model() -> None:
    """In the constructor, and as attributes."""
    embeddings = SegmindEmbeddings(model_name="a", api_key=SECRET, base_url="http://host/v1")
    assert (embeddings.model, embeddings.model_name) == ("a", "a")
    embeddings.base_url = "https://other/v1"
    assert embeddings.segmind_api_base == embeddings.base_url == "https://other/v1"
    with pytest.raises(TypeError, match="not both"):
        SegmindEmbeddings(model="a", model_name="a")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("request_timeout", "did you mean 'timeout'?", id="another package's name"),
        pytest.param("max_output_tokens", "did you mean 'max_tokens'?", id="Gemini's name"),
        pytest.param("reasoning_efort", "did you mean 'reasoning_effort'?", id="misspelt effort"),
        pytest.param("temprature", "did you mean 'temperature'?", id="misspelling"),
        pytest.param("top_k", "pass model_kwargs={'top_k': ...}.", id="body key"),
        pytest.param("use_responses_api", "there is no equivalent", id="OpenAI only"),
        pytest.param("qwerty", "to send it in the request's body", id="unknown word"),
    ],
)
def test_an_unknown_argument_gets_a_hint(name: str, hint: str) -> None:
    """In the constructor and in a call, in one short sentence."""
    with pytest.raises(TypeError) as caught:
        ChatSegmindGPT4Turbo(**{name: 1})
    assert str(caught.value).startswith(f"ChatSegmindGPT4Turbo has no argument {name!r}; {hint}")
    with pytest.raises(TypeError) as caught:
        ChatSegmindGPT4Turbo(api_key=SECRET).invoke("hi", **{name: 1})
    assert str(caught.value).startswith(f"This call has no argument {name!r}; {hint}")
    assert len(str(caught.value)) < 150


def test_the_constructor_takes_no_number_of_replies() -> None:
    """A call takes 1, for code that was written for ChatOpenAI."""
    with pytest.raises(TypeError, match="'n'; a call has one reply. Use batch"):
        ChatSegmindGPT4Turbo(n=1)


@pytest.mark.parametrize("name", ["max_retries", "default_headers", "api_key", "check_context"])
def test_a_field_passed_to_a_call_names_the_constructor(name: str) -> None:
    """It exists, but not for one call."""
    with pytest.raises(TypeError, match=rf"set it on the model: ChatSegmind\({name}=\.\.\.\)"):
        ChatSegmindGPT4Turbo(api_key=SECRET).invoke("hi", **{name: 1})


def test_a_timeout_of_httpx2_is_taken(monkeypatch) -> None:
    """The SDKs of OpenAI and Anthropic use that package, and rename what they export."""
    httpx2 = pytest.importorskip("httpx2", reason="a dependency of other packages")
    monkeypatch.setattr(httpx2.Timeout, "__module__", "openai")
    model = ChatSegmindGPT4Turbo(timeout=httpx2.Timeout(5, read=60))
    assert model.timeout == httpx.Timeout(5, read=60)


@pytest.mark.parametrize(
    ("name", "field"), [("Client", "http_client"), ("AsyncClient", "http_async_client")]
)
def test_the_error_for_a_client_of_httpx2_names_the_right_one(name: str, field: str) -> None:
    """Its errors are not those of httpx, which decide what is sent again."""
    httpx2 = pytest.importorskip("httpx2", reason="a dependency of other packages")
    with pytest.raises(ValueError, match=rf"an httpx2\.{name} cannot be used.*httpx\.{name}\."):
        ChatSegmindGPT4Turbo(**{field: getattr(httpx2, name)()})
    default = type("DefaultHttpxClient", (getattr(httpx2, name),), {"__module__": "openai"})
    with pytest.raises(ValueError, match="cannot be used"):
        ChatSegmindGPT4Turbo(**{field: default()})
    with pytest.raises(ValueError, match="a timeout is a number"):
        ChatSegmindGPT4Turbo(timeout=default())


def test_a_logit_bias_has_one_spelling() -> None:
    """Of its tokens; a bias is a number that JSON can write."""
    biased = ChatSegmindGPT4Turbo(logit_bias={"5": 1, 6: 2}, api_key="fake")
    assert biased.logit_bias == {"5": 1.0, "6": 2.0}
    assert biased._get_llm_string()
    with pytest.raises(ValueError, match="logit_bias must be finite"):
        ChatSegmindGPT4Turbo(logit_bias={"5": float("nan")})
