"""Segmind's language and embedding models for LangChain."""

import importlib
from typing import TYPE_CHECKING, Any

from langchain_segmind import exceptions
from langchain_segmind._api.balance import SegmindCredits
from langchain_segmind._registration import register_init_chat_model, register_init_embeddings
from langchain_segmind._version import __version__
from langchain_segmind.callbacks import (
    SegmindCreditsCallbackHandler,
    get_segmind_credits_callback,
)
from langchain_segmind.callbacks.usage import SegmindUsage
from langchain_segmind.chat_models import ChatSegmind, ChatSegmindGPT4Turbo
from langchain_segmind.exceptions import *  # noqa: F403 - it lists its public names itself
from langchain_segmind.jobs import SegmindJob

__all__ = [
    "ChatSegmind",
    "ChatSegmindGPT4Turbo",
    "SegmindCredits",
    "SegmindCreditsCallbackHandler",
    "SegmindEmbeddings",
    "SegmindJob",
    "SegmindUsage",
    "__version__",
    "get_segmind_credits_callback",
    "register_init_chat_model",
    "register_init_embeddings",
]
__all__ += exceptions.__all__

_NAMES_OF_EXTRAS = {
    "Gateway": ("gateway", "gateway"),
    "SegmindCreditsMiddleware": ("middleware", "agents"),
    "SegmindCreditsState": ("middleware", "agents"),
    "SegmindRateLimiter": ("rate_limiters", "limits"),
    "SegmindTestGateway": ("testing", "gateway"),
}
"""Public names of modules that need an extra: the module and the extra."""

if TYPE_CHECKING:  # or type checkers would accept every name
    from langchain_segmind.embeddings import SegmindEmbeddings
else:

    def __getattr__(name: str) -> Any:
        """Return the embeddings, which a program without them need not load.

        For a name of an extra, raise an error that says where it is.
        """
        if name == "SegmindEmbeddings":
            return importlib.import_module("langchain_segmind.embeddings").SegmindEmbeddings
        if name not in _NAMES_OF_EXTRAS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, extra = _NAMES_OF_EXTRAS[name]
        # `from ... import` replaces the text of an AttributeError.
        raise ImportError(
            f"{name} is in {__name__}.{module}: from {__name__}.{module} import {name}. "
            f"Install its extra with: pip install 'langchain-segmind[{extra}]'."
        )
