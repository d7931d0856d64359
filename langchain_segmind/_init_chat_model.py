"""Register Segmind with LangChain's `init_chat_model`, so that a string can name a model."""

import importlib
import warnings
from typing import Any

from langchain_segmind._api.endpoint import PROVIDER
from langchain_segmind.chat_models import ChatSegmind, ChatSegmindGPT4Turbo

TABLE_MODULE = "langchain.chat_models.base"
TABLE_NAME = "_BUILTIN_PROVIDERS"
"""LangChain's table, since 1.2.10: provider -> (module, class, creator). It is private; there is no
public API to add a provider."""


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
    try:
        table = getattr(importlib.import_module(TABLE_MODULE), TABLE_NAME, None)
    except ImportError as error:
        _warn(f"langchain cannot be imported ({error})")
        return
    if isinstance(table, dict) and any(map(_is_entry, list(table.values()))):
        table[PROVIDER] = ("langchain_segmind", ChatSegmind.__name__, _create_model)
    else:
        _warn("this version of langchain has no table of providers in the expected form")


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


def _warn(reason: str) -> None:
    warnings.warn(
        f"Segmind is not registered with init_chat_model: {reason}. Construct the model yourself: "
        'pass ChatSegmindGPT4Turbo() or ChatSegmind(model="<slug>") in place of a name.',
        stacklevel=3,
    )
