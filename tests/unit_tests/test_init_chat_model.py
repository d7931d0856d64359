"""Segmind in LangChain's table of providers."""

import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import pytest
from langchain.chat_models import base, init_chat_model
from pydantic import SecretStr

from langchain_segmind import ChatSegmind, ChatSegmindGPT4Turbo, register_init_chat_model
from tests.conftest import SECRET

ENTRY = ("langchain_openai", "ChatOpenAI", lambda cls, **kwargs: cls(**kwargs))
"""What LangChain's table holds of each provider."""


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict]:
    """Give LangChain a table for each test."""
    table = {name: entry for name, entry in base._BUILTIN_PROVIDERS.items() if name != "segmind"}
    base._get_chat_model_creator.cache_clear()
    monkeypatch.setattr(base, "_BUILTIN_PROVIDERS", table)
    yield table
    base._get_chat_model_creator.cache_clear()


@pytest.mark.parametrize(
    ("model", "model_class"),
    [
        pytest.param("gpt-4-turbo", ChatSegmindGPT4Turbo, id="GPT-4 Turbo"),
        pytest.param("gpt-4o", ChatSegmind, id="another slug"),
    ],
)
def test_the_slug_decides_on_the_class(model: str, model_class: type) -> None:
    """Both ways to name the provider make the model that a user would construct."""
    register_init_chat_model()
    expected = model_class(model=model)
    for named in (
        init_chat_model(f"segmind:{model}"),
        init_chat_model(model, model_provider="segmind"),
    ):
        assert type(named) is model_class
        assert named == expected


def test_further_arguments_arrive() -> None:
    """A model by name takes what the constructor takes, under both spellings."""
    register_init_chat_model()
    model = init_chat_model(
        "segmind:gpt-4-turbo",
        api_key=SECRET,
        base_url="https://host/v1",
        temperature=0.5,
        max_tokens=7,
        timeout=5,
        max_retries=0,
    )
    assert model.segmind_api_key == SecretStr(SECRET)
    assert model.segmind_api_base == "https://host/v1"
    assert (model.temperature, model.max_tokens) == (0.5, 7)
    assert (model.timeout, model.max_retries) == (5, 0)


def test_a_misspelt_argument_is_an_error() -> None:
    """The name of the nearest real one is told, as by the constructor."""
    register_init_chat_model()
    with pytest.raises(TypeError, match="temperature"):
        init_chat_model("segmind:gpt-4-turbo", temprature=0)


def test_a_model_by_name_is_a_model_like_any_other() -> None:
    """It can be sent to another process."""
    register_init_chat_model()
    model = init_chat_model("segmind:gpt-4-turbo", temperature=0)
    assert pickle.loads(pickle.dumps(model)) == model


def test_again_does_no_harm(table: dict) -> None:
    """Neither a second call nor many at once change anything more, or warn."""
    others = dict(table)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register_init_chat_model()
        once = dict(table)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: register_init_chat_model(), range(64)))
    assert table == once
    assert {name: table[name] for name in others} == others
    assert table.keys() - others.keys() == {"segmind"}


def test_nothing_is_registered_unasked() -> None:
    """Neither an import of ours changes LangChain's table, nor one of LangChain's ours."""
    code = (
        "import langchain_segmind\n"
        "from langchain.chat_models import base\n"
        "print('segmind' in base._BUILTIN_PROVIDERS)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


@pytest.mark.parametrize(
    "providers",
    [
        pytest.param(None, id="none"),
        pytest.param({}, id="an empty one"),
        pytest.param({"openai", "anthropic"}, id="names only"),
        pytest.param({"openai": "langchain_openai"}, id="modules only"),
        pytest.param({"openai": ("langchain_openai", "ChatOpenAI")}, id="no creators"),
        pytest.param({"openai": (*ENTRY, "more")}, id="longer entries"),
        pytest.param({"openai": [*ENTRY]}, id="lists"),
        pytest.param({"openai": ("langchain_openai", "ChatOpenAI", "call")}, id="named creators"),
        pytest.param(MappingProxyType({"openai": ENTRY}), id="one that takes no entries"),
    ],
)
def test_a_table_of_another_shape_is_left_alone(providers: object, monkeypatch) -> None:
    """LangChain may change what is private: the user is told what works instead."""
    before = repr(providers)
    monkeypatch.setattr(base, "_BUILTIN_PROVIDERS", providers)
    with pytest.warns(UserWarning, match=r"ChatSegmindGPT4Turbo\(\)") as warned:
        register_init_chat_model()
    assert repr(base._BUILTIN_PROVIDERS) == before
    assert [warning.filename for warning in warned] == [__file__]


def test_a_table_that_is_gone_is_not_made_anew(monkeypatch) -> None:
    """What LangChain does not read would mislead."""
    monkeypatch.delattr(base, "_BUILTIN_PROVIDERS")
    with pytest.warns(UserWarning, match="no table of providers"):
        register_init_chat_model()
    assert not hasattr(base, "_BUILTIN_PROVIDERS")


@pytest.mark.parametrize("missing", ["langchain", "langchain.chat_models.base"])
def test_without_langchain_the_user_is_told(missing: str, monkeypatch) -> None:
    """The package runs on langchain-core alone."""
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.warns(UserWarning, match="langchain cannot be imported") as warned:
        register_init_chat_model()
    assert "ChatSegmindGPT4Turbo()" in str(warned[0].message)
    assert warned[0].filename == __file__
