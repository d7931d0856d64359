"""Segmind in LangChain's table of providers, so that a model can be named by a string."""

import importlib
import warnings
from typing import Any

from langchain_segmind._api.endpoint import PROVIDER
from langchain_segmind.chat_models import ChatSegmind, ChatSegmindGPT4Turbo

TABLE_MODULE = "langchain.chat_models.base"
TABLE_NAME = "_BUILTIN_PROVIDERS"
"""LangChain's private table, from 1.2.10 on: provider to module, class and creator. It has no
public way in."""


def register_init_chat_model() -> None:
    """Make LangChain's `init_chat_model` and `create_agent` take Segmind's models by name.

    From then on, in this process, `"segmind:gpt-4-turbo"` makes a `ChatSegmindGPT4Turbo` and
    `"segmind:<slug>"` a `ChatSegmind`, with the further arguments of `init_chat_model`. Call it
    once at the start; again does no harm. It needs `langchain` 1.2.11 or newer, which is imported
    here and nowhere else.

    Warns:
        UserWarning: If `langchain` is not installed, or has no table of providers that Segmind
            fits in: the table is private, so a release may change it. Nothing is changed then,
            and a model that you construct yourself works everywhere as before.

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
        _warn("this version of langchain has no table of providers that Segmind fits in")


def _is_entry(entry: object) -> bool:
    match entry:
        case (str(), str(), creator):
            return isinstance(entry, tuple) and callable(creator)
    return False


def _create_model(cls: type[ChatSegmind], model: str, **arguments: Any) -> ChatSegmind:
    """Create a model as LangChain asks for it; the slug decides on the class."""
    if model == ChatSegmindGPT4Turbo.model_fields["model"].default:
        cls = ChatSegmindGPT4Turbo
    return cls(model=model, **arguments)


def _warn(reason: str) -> None:
    warnings.warn(
        f"init_chat_model does not know Segmind, since {reason}. Construct the model yourself: "
        'ChatSegmindGPT4Turbo(), or ChatSegmind(model="<slug>"), goes wherever a string would.',
        stacklevel=3,
    )
