"""What child processes of tests do; they import it by its name."""

import asyncio
from typing import Any


def call_both_ways(model: Any, text: str) -> list[str]:
    """Call a model synchronously, then on an event loop of its own."""
    return [model.invoke(text).text, asyncio.run(model.ainvoke(text)).text]
