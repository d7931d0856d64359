"""Count what calls cost, and stop them at a limit."""

from langchain_segmind.callbacks.handler import (
    SegmindCreditsCallbackHandler,
    get_segmind_credits_callback,
)
from langchain_segmind.callbacks.usage import SegmindUsage

__all__ = ["SegmindCreditsCallbackHandler", "SegmindUsage", "get_segmind_credits_callback"]
