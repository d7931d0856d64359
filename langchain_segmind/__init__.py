"""Segmind's language models for LangChain."""

from langchain_segmind._api.balance import SegmindCredits
from langchain_segmind._init_chat_model import register_init_chat_model
from langchain_segmind._version import __version__
from langchain_segmind.callbacks import (
    SegmindCreditsCallbackHandler,
    get_segmind_credits_callback,
)
from langchain_segmind.callbacks.usage import SegmindUsage
from langchain_segmind.chat_models import ChatSegmind, ChatSegmindGPT4Turbo
from langchain_segmind.exceptions import (
    SegmindAPIError,
    SegmindAuthenticationError,
    SegmindBudgetExceededError,
    SegmindConnectionError,
    SegmindContextOverflowError,
    SegmindError,
    SegmindInsufficientCreditsError,
    SegmindInvalidRequestError,
    SegmindModelNotFoundError,
    SegmindOutputError,
    SegmindPermissionDeniedError,
    SegmindRateLimitError,
    SegmindRateLimiterStorageError,
    SegmindResponseError,
    SegmindTimeoutError,
)

__all__ = [
    "ChatSegmind",
    "ChatSegmindGPT4Turbo",
    "SegmindAPIError",
    "SegmindAuthenticationError",
    "SegmindBudgetExceededError",
    "SegmindConnectionError",
    "SegmindContextOverflowError",
    "SegmindCredits",
    "SegmindCreditsCallbackHandler",
    "SegmindError",
    "SegmindInsufficientCreditsError",
    "SegmindInvalidRequestError",
    "SegmindModelNotFoundError",
    "SegmindOutputError",
    "SegmindPermissionDeniedError",
    "SegmindRateLimitError",
    "SegmindRateLimiterStorageError",
    "SegmindResponseError",
    "SegmindTimeoutError",
    "SegmindUsage",
    "__version__",
    "get_segmind_credits_callback",
    "register_init_chat_model",
]
