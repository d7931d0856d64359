"""Connects an example's model to a local gateway, or with `LIVE=1` to Segmind.

SEGMIND_MODEL is the slug of the model: SEGMIND_MODEL=claude-opus-4.7 LIVE=1 make examples
"""

import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langchain_segmind import ChatSegmind

if TYPE_CHECKING:
    from langchain_segmind.gateway import Gateway, Request

MODEL = os.environ.get("SEGMIND_MODEL") or "gpt-5.4-mini"
"""The slug of the model."""

Script = Callable[["Request"], str]
"""Returns the gateway's reply to a request."""


@contextmanager
def connect(
    script: Script, *, real_model: bool = False, budget: float = 1, **fields: Any
) -> Iterator[ChatSegmind]:
    """Yield a model; the gateway stops when the block exits.

    Args:
        script: The gateway's replies.
        real_model: Whether a small local model replies instead, if one is installed.
        budget: Credits of the gateway's account.
        fields: Fields of the model.
    """
    if is_live():
        print(f"Segmind answers, and bills the account of SEGMIND_API_KEY. The model is {MODEL};")
        print("SEGMIND_MODEL chooses another.\n")
        yield ChatSegmind(model=MODEL, **fields)
        return
    with create_gateway(script, real_model=real_model, budget=budget) as gateway:
        print(f"The gateway runs at {gateway.base_url} on this machine.")
        print("LIVE=1 sends the requests to Segmind instead.\n")
        yield ChatSegmind(model=MODEL, base_url=gateway.base_url, api_key=gateway.api_key, **fields)


def is_live() -> bool:
    """Whether to spend real credits."""
    live = os.environ.get("LIVE") == "1"
    if live and not os.environ.get("SEGMIND_API_KEY"):
        sys.exit("LIVE=1 needs SEGMIND_API_KEY, from https://platform.segmind.com/api-keys.")
    return live


def create_gateway(script: Script, *, real_model: bool, budget: float) -> "Gateway":
    """Return a gateway with a small local model, or with the script."""
    # Imported here because live examples run without the extra `gateway`.
    from langchain_segmind.gateway import Gateway  # noqa: PLC0415

    if real_model:
        try:
            gateway = Gateway(backend="llama", credits=budget)
        except ValueError as error:
            text = f"Scripted replies, no real model: {error}"
            print(textwrap.fill(text, 79, break_on_hyphens=False))
        else:
            print("A real model, SmolLM2-135M, answers.")
            return gateway
    else:
        print(f"A script answers in place of {MODEL}.")
    return Gateway(replies=script, credits=budget)
