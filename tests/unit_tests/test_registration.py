"""Registering Segmind in LangChain's tables of providers."""

import pickle
import runpy
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import pytest
from langchain.chat_models import base, init_chat_model
from langchain.embeddings import base as embeddings_base
from langchain.embeddings import init_embeddings
from pydantic import SecretStr

from langchain_segmind import (
    ChatSegmind,
    ChatSegmindGPT4Turbo,
    SegmindEmbeddings,
    _registration,
    register_init_chat_model,
    register_init_embeddings,
)
from tests.conftest import SECRET

ENTRY = ("langchain_openai", "ChatOpenAI", lambda cls, **kwargs: cls(**kwargs))
"""An entry of LangChain's table."""


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict]:
    """Give LangChain a table without Segmind for each test."""
    table = {name: entry for name, entry in base._BUILTIN_PROVIDERS.items() if name != "segmind"}
    base._get_chat_model_creator.cache_clear()
    monkeypatch.setattr(base, "_BUILTIN_PROVIDERS", table)
    yield table
    base._get_chat_model_creator.cache_clear()


@pytest.mark.parametrize(
    ("model", "model_class"),
    [
        pytest.param("gpt-4-turbo", ChatSegmindGPT4Turbo, id="GPT-4 Turbo"),
        pytest.param("gpt-4o", ChatSegmind, id="other slug"),
    ],
)
def test_the_slug_decides_the_class(model: str, model_class: type) -> None:
    """Prefix and argument both create what the constructor would."""
    register_init_chat_model()
    expected = model_class(model=model)
    for named in (
        init_chat_model(f"segmind:{model}"),
        init_chat_model(model, model_provider="segmind"),
    ):
        assert type(named) is model_class
        assert named == expected


def test_further_arguments_reach_the_constructor() -> None:
    """Aliases too."""
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
    """It names the closest argument, as the constructor does."""
    register_init_chat_model()
    with pytest.raises(TypeError, match="temperature"):
        init_chat_model("segmind:gpt-4-turbo", temprature=0)


def test_a_model_by_name_can_be_pickled() -> None:
    """So it can be sent to another process."""
    register_init_chat_model()
    model = init_chat_model("segmind:gpt-4-turbo", temperature=0)
    assert pickle.loads(pickle.dumps(model)) == model


def test_registering_again_changes_nothing(table: dict) -> None:
    """Even from many threads at once; nothing warns."""
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


def test_an_import_registers_nothing(table: dict) -> None:
    """LangChain's table changes only when it is asked for."""
    runpy.run_path(_registration.__file__)
    assert "segmind" not in table


@pytest.mark.parametrize(
    "providers",
    [
        pytest.param(None, id="None"),
        pytest.param({}, id="empty table"),
        pytest.param({"openai", "anthropic"}, id="names only"),
        pytest.param({"openai": "langchain_openai"}, id="modules only"),
        pytest.param({"openai": ("langchain_openai", "ChatOpenAI")}, id="no creators"),
        pytest.param({"openai": (*ENTRY, "more")}, id="longer entries"),
        pytest.param({"openai": [*ENTRY]}, id="lists"),
        pytest.param({"openai": ("langchain_openai", "ChatOpenAI", "call")}, id="named creators"),
        pytest.param(MappingProxyType({"openai": ENTRY}), id="read-only table"),
    ],
)
def test_a_table_of_another_shape_is_not_changed(providers: object, monkeypatch) -> None:
    """The table is private to LangChain and can change; the warning says what works instead."""
    before = repr(providers)
    monkeypatch.setattr(base, "_BUILTIN_PROVIDERS", providers)
    with pytest.warns(UserWarning, match=r"ChatSegmindGPT4Turbo\(\)") as warned:
        register_init_chat_model()
    assert repr(base._BUILTIN_PROVIDERS) == before
    assert [warning.filename for warning in warned] == [__file__]


def test_a_missing_table_is_not_created(monkeypatch) -> None:
    """LangChain would not read it."""
    monkeypatch.delattr(base, "_BUILTIN_PROVIDERS")
    with pytest.warns(UserWarning, match="no table of providers"):
        register_init_chat_model()
    assert not hasattr(base, "_BUILTIN_PROVIDERS")


@pytest.mark.parametrize("missing", ["langchain", "langchain.chat_models.base"])
def test_a_missing_langchain_is_a_warning(missing: str, monkeypatch) -> None:
    """The package itself needs langchain-core only."""
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.warns(UserWarning, match="langchain cannot be imported") as warned:
        register_init_chat_model()
    assert "ChatSegmindGPT4Turbo()" in str(warned[0].message)
    assert warned[0].filename == __file__


# --- Embeddings ---


@pytest.fixture
def embeddings_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict]:
    """Give LangChain a table of embeddings without Segmind."""
    providers = embeddings_base._BUILTIN_PROVIDERS
    table = {name: entry for name, entry in providers.items() if name != "segmind"}
    embeddings_base._get_embeddings_class_creator.cache_clear()
    monkeypatch.setattr(embeddings_base, "_BUILTIN_PROVIDERS", table)
    yield table
    embeddings_base._get_embeddings_class_creator.cache_clear()


def test_embeddings_can_be_created_by_name(embeddings_table: dict) -> None:
    """With the arguments of the constructor, by either name; twice changes nothing."""
    register_init_embeddings()
    once = dict(embeddings_table)
    register_init_embeddings()
    assert embeddings_table == once
    arguments = {"api_key": SECRET, "base_url": "https://host/v1", "max_concurrency": 2}
    for named in (
        init_embeddings("segmind:text-embedding-3-large", **arguments),
        init_embeddings("text-embedding-3-large", provider="segmind", **arguments),
    ):
        assert named == SegmindEmbeddings(model="text-embedding-3-large", **arguments)


def test_a_table_of_embeddings_of_another_shape_is_not_changed(monkeypatch) -> None:
    """The warning says what works instead."""
    monkeypatch.setattr(embeddings_base, "_BUILTIN_PROVIDERS", {"openai": "langchain_openai"})
    with pytest.warns(UserWarning, match=r"init_embeddings.*SegmindEmbeddings\(model") as warned:
        register_init_embeddings()
    assert embeddings_base._BUILTIN_PROVIDERS == {"openai": "langchain_openai"}
    assert warned[0].filename == __file__
