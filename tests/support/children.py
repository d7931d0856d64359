"""Functions that child processes of tests import by name."""

import asyncio
from typing import Any


def call_both_ways(model: Any, text: str) -> list[str]:
    """Return a synchronous call's text and that of an asynchronous one on a new event loop."""
    return [model.invoke(text).text, asyncio.run(model.ainvoke(text)).text]


def embed_both_ways(embeddings: Any, text: str) -> list[list[list[float]]]:
    """Return the vectors of a synchronous call and of one on a new event loop."""
    texts = [text, f"{text} again"]
    return [embeddings.embed_documents(texts), asyncio.run(embeddings.aembed_documents(texts))]
