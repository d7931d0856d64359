"""Functions that child processes of tests import by name."""

import asyncio
from typing import Any


def call_both_ways(model: Any, text: str) -> list[str]:
    """Return a synchronous call's text and that of an asynchronous one on a new event loop."""
    return [model.invoke(text).text, asyncio.run(model.ainvoke(text)).text]
