"""Where the model of an example is: behind a local gateway, or with `LIVE=1` at Segmind."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langchain_segmind import ChatSegmindGPT4Turbo

if TYPE_CHECKING:
    from langchain_segmind.gateway import Gateway, Request

Script = Callable[["Request"], str]
"""What the gateway answers: a function of the request."""


@contextmanager
def connect(
    script: Script, *, real_model: bool = False, budget: float = 1, **fields: Any
) -> Iterator[ChatSegmindGPT4Turbo]:
    """Give a model, and stop the gateway in the end.

    Args:
        script: What the gateway answers.
        real_model: Whether to let a small model answer instead, where one runs.
        budget: Credits that the gateway's account holds.
        fields: Fields of the model.
    """
    if is_live():
        print("Segmind answers, and bills the account of SEGMIND_API_KEY.\n")
        yield ChatSegmindGPT4Turbo(**fields)
        return
    with create_gateway(script, real_model=real_model, budget=budget) as gateway:
        print(f"It listens at {gateway.base_url} on this machine; LIVE=1 asks Segmind.\n")
        yield ChatSegmindGPT4Turbo(base_url=gateway.base_url, api_key=gateway.api_key, **fields)


def is_live() -> bool:
    """Tell whether to spend real credits."""
    live = os.environ.get("LIVE") == "1"
    if live and not os.environ.get("SEGMIND_API_KEY"):
        sys.exit("LIVE=1 needs SEGMIND_API_KEY, from https://platform.segmind.com/api-keys.")
    return live


def create_gateway(script: Script, *, real_model: bool, budget: float) -> "Gateway":
    """Create a gateway with a real small model behind it, else with a script."""
    # An extra, so that live examples run without it.
    from langchain_segmind.gateway import Gateway  # noqa: PLC0415

    if real_model:
        try:
            gateway = Gateway(backend="llama", credits=budget)
        except ValueError as reason:
            print(f"Scripted replies, no real model: {reason}")
        else:
            print("A real model, SmolLM2-135M, answers.")
            return gateway
    else:
        print("A script answers in place of GPT-4 Turbo.")
    return Gateway(replies=script, credits=budget)
