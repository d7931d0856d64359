"""Who is measured, and how each of them is pointed at a server of our own.

Each sends its request once (no retries) and keeps its own defaults for everything else, such as
the number of connections.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.peers.server import TEXT

OURS = "langchain-segmind"
RAW = "raw httpx"
FLOOR = "core's floor"
"""What LangChain does for every model: a model that answers from a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A package and how a model of it is made.

    Attributes:
        kind: What it is here.
        distribution: Its name on the package index.
        module: What a user imports.
        maker: The module that holds the class, where it is another.
        class_name: The class of its models.
        url_field: The constructor's name for the base URL; empty where nothing is sent.
        fields: What else the constructor takes.
    """

    kind: Literal["ours", "peer", "yardstick"]
    distribution: str
    module: str
    class_name: str
    maker: str = ""
    url_field: str = "base_url"
    fields: Mapping[str, Any] = field(default_factory=dict)

    def load_class(self) -> type:
        """Import the class."""
        return getattr(importlib.import_module(self.maker or self.module), self.class_name)

    def create_arguments(self, base_url: str) -> dict[str, Any]:
        """Make the constructor's arguments."""
        return {**({self.url_field: base_url} if self.url_field else {}), **self.fields}


ONCE = {"api_key": "fake", "max_retries": 0}


def create_peer(name: str, class_name: str, **changes: Any) -> Contender:
    """Make a contender of one of LangChain's packages."""
    fields = {**ONCE, "model": changes.pop("model", "gpt-4-turbo")}
    module = name.replace("-", "_")
    return Contender(
        kind="peer",
        distribution=name,
        module=module,
        class_name=class_name,
        fields=fields,
        **changes,
    )


def create_ours(**fields: Any) -> Contender:
    """Make a contender of this package."""
    return Contender(
        kind="ours",
        distribution="langchain-segmind",
        module="langchain_segmind",
        class_name="ChatSegmindGPT4Turbo",
        fields={**ONCE, **fields},
    )


PEERS = {
    "langchain-openai": create_peer("langchain-openai", "ChatOpenAI"),
    "langchain-mistralai": create_peer("langchain-mistralai", "ChatMistralAI"),
    "langchain-groq": create_peer("langchain-groq", "ChatGroq"),
    "langchain-deepseek": create_peer("langchain-deepseek", "ChatDeepSeek", url_field="api_base"),
    "langchain-openrouter": create_peer("langchain-openrouter", "ChatOpenRouter"),
    "langchain-litellm": create_peer(
        "langchain-litellm", "ChatLiteLLM", model="openai/gpt-4-turbo", url_field="api_base"
    ),
}
YARDSTICKS = {
    RAW: Contender(
        kind="yardstick",
        distribution="httpx",
        module="httpx",
        maker="benchmarks.peers.raw_httpx",
        class_name="RawHttpx",
    ),
    FLOOR: Contender(
        kind="yardstick",
        distribution="langchain-core",
        module="langchain_core.language_models.chat_models",
        maker="langchain_core.language_models",
        class_name="FakeListChatModel",
        url_field="",
        fields={"responses": [TEXT]},
    ),
}
VARIANTS = {
    f"{OURS} ({transport})": create_ours(async_transport=transport)
    for transport in ("httpx", "aiohttp")
}
"""This package with each of the ways to send that it can choose from."""

CONTENDERS = {OURS: create_ours(), **VARIANTS, **PEERS, **YARDSTICKS}
