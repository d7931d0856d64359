"""Segmind's language models for LangChain."""

from langchain_segmind._credits import SegmindCredits
from langchain_segmind._registration import register_init_chat_model
from langchain_segmind._version import __version__
from langchain_segmind.chat_models import ChatSegmind, ChatSegmindGPT4Turbo
from langchain_segmind.exceptions import (
    SegmindAPIError,
    SegmindAuthenticationError,
    SegmindConnectionError,
    SegmindContextOverflowError,
    SegmindError,
    SegmindInsufficientCreditsError,
    SegmindInvalidRequestError,
    SegmindModelNotFoundError,
    SegmindPermissionDeniedError,
    SegmindRateLimitError,
    SegmindResponseError,
    SegmindTimeoutError,
    SegmindToolChoiceError,
)

__all__ = [
    "ChatSegmind",
    "ChatSegmindGPT4Turbo",
    "SegmindAPIError",
    "SegmindAuthenticationError",
    "SegmindConnectionError",
    "SegmindContextOverflowError",
    "SegmindCredits",
    "SegmindError",
    "SegmindInsufficientCreditsError",
    "SegmindInvalidRequestError",
    "SegmindModelNotFoundError",
    "SegmindPermissionDeniedError",
    "SegmindRateLimitError",
    "SegmindResponseError",
    "SegmindTimeoutError",
    "SegmindToolChoiceError",
    "__version__",
    "register_init_chat_model",
]
