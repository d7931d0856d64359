"""Register Segmind with LangChain's `init_chat_model` and `init_embeddings`.

Then a string can name a model.
"""

import importlib
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from langchain_segmind._api.endpoint import PROVIDER
from langchain_segmind.chat_models import ChatSegmind, ChatSegmindGPT4Turbo

if TYPE_CHECKING:
    from langchain_segmind.embeddings import SegmindEmbeddings

TABLE_NAME = "_BUILTIN_PROVIDERS"
"""LangChain's tables, since 1.2.10: provider -> (module, class, creator). They are private; there
is no public API to add a provider."""

Entry = tuple[str, str, Callable[..., Any]]
"""An entry of such a table."""


def register_init_chat_model() -> None:
    """Let LangChain's `init_chat_model` and `create_agent` create Segmind's models by name.

    Afterwards, in this process, `"segmind:gpt-4-turbo"` creates a `ChatSegmindGPT4Turbo` and
    `"segmind:<slug>"` a `ChatSegmind`, with the other arguments of `init_chat_model`. Call it once
    when your program starts; further calls change nothing. Needs `langchain` 1.2.11 or newer,
    which only this function imports.

    Warns:
        UserWarning: If `langchain` is not installed, or its private table of providers has changed.
            Nothing is registered then; pass a model that you construct yourself instead.

    Example:
        ```python
        from langchain.chat_models import init_chat_model

        from langchain_segmind import register_init_chat_model

        register_init_chat_model()
        model = init_chat_model("segmind:gpt-4-turbo", temperature=0)
        print(model.invoke("Name a prime number above 100.").text)
        ```
    """
    entry = ("langchain_segmind", ChatSegmind.__name__, _create_model)
    advice = 'ChatSegmindGPT4Turbo() or ChatSegmind(model="<slug>")'
    _register("chat_models", "init_chat_model", entry, advice)


def register_init_embeddings() -> None:
    """Let LangChain's `init_embeddings` create Segmind's embedding models by name.

    Afterwards, in this process, `"segmind:<slug>"` creates a `SegmindEmbeddings` with the other
    arguments of `init_embeddings`. Call it once when your program starts; further calls change
    nothing. Needs `langchain` 1.2.11 or newer, which only this function imports.

    Warns:
        UserWarning: If `langchain` is not installed, or its private table of providers has changed.
            Nothing is registered then; pass a model that you construct yourself instead.

    Example:
        ```python
        from langchain.embeddings import init_embeddings

        from langchain_segmind import register_init_embeddings

        register_init_embeddings()
        embeddings = init_embeddings("segmind:text-embedding-3-small")
        print(len(embeddings.embed_query("Which tea is green?")))
        ```
    """
    entry = ("langchain_segmind", "SegmindEmbeddings", _create_embeddings)
    advice = 'SegmindEmbeddings(model="<slug>")'
    _register("embeddings", "init_embeddings", entry, advice)


def _register(package: str, function: str, entry: Entry, advice: str) -> None:
    """Add an entry to a table of LangChain's, or warn that it cannot be added.

    Args:
        package: The package of LangChain with the table.
        function: The function that reads it.
        entry: The entry.
        advice: How a user creates a model without the table.
    """
    try:
        table = getattr(importlib.import_module(f"langchain.{package}.base"), TABLE_NAME, None)
    except ImportError as error:
        problem = f"langchain cannot be imported ({error})"
    else:
        if isinstance(table, dict) and any(map(_is_entry, list(table.values()))):
            table[PROVIDER] = entry
            return
        problem = "this version of langchain has no table of providers in the expected form"
    warnings.warn(
        f"Segmind is not registered with {function}: {problem}. Construct the model yourself: "
        f"pass {advice} in place of a name.",
        stacklevel=3,
    )


def _is_entry(entry: object) -> bool:
    match entry:
        case (str(), str(), creator):
            return isinstance(entry, tuple) and callable(creator)
    return False


def _create_model(cls: type[ChatSegmind], model: str, **arguments: Any) -> ChatSegmind:
    """Create a model for LangChain; the slug decides the class."""
    if model == ChatSegmindGPT4Turbo.model_fields["model"].default:
        cls = ChatSegmindGPT4Turbo
    return cls(model=model, **arguments)


def _create_embeddings(
    cls: "type[SegmindEmbeddings]", model: str, **arguments: Any
) -> "SegmindEmbeddings":
    return cls(model=model, **arguments)
