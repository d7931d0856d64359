"""The chat models that are compared, and how each is pointed at a local server.

Each sends a request once (no retries) and otherwise keeps its defaults, such as the
number of connections.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.peers.server import TEXT

OURS = "langchain-segmind"
RAW = "raw httpx"
FLOOR = "core's floor"
"""What LangChain itself costs: a model that answers from a list, without a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A package and how to create a model of it.

    Attributes:
        distribution: Its name on the package index.
        module: What a user imports.
        class_module: The module of the class, where it is another one.
        class_name: The class of its models.
        url_field: The constructor's name for the base URL; empty where nothing is sent.
        fields: Further arguments of the constructor.
    """

    distribution: str
    module: str
    class_name: str
    class_module: str = ""
    url_field: str = "base_url"
    fields: Mapping[str, Any] = field(default_factory=dict)

    def load_class(self) -> type:
        """Import the class."""
        return getattr(importlib.import_module(self.class_module or self.module), self.class_name)

    def create_arguments(self, base_url: str) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**({self.url_field: base_url} if self.url_field else {}), **self.fields}


NO_RETRIES = {"api_key": "fake", "max_retries": 0}


def create_peer(name: str, class_name: str, **changes: Any) -> Contender:
    """Return the contender for one of LangChain's packages."""
    fields = {**NO_RETRIES, "model": changes.pop("model", "gpt-4-turbo")}
    module = name.replace("-", "_")
    return Contender(
        distribution=name, module=module, class_name=class_name, fields=fields, **changes
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
CONTENDERS = {
    OURS: Contender(
        distribution=OURS,
        module="langchain_segmind",
        class_name="ChatSegmindGPT4Turbo",
        fields=NO_RETRIES,
    ),
    **PEERS,
    RAW: Contender(
        distribution="httpx",
        module="httpx",
        class_module="benchmarks.peers.raw_httpx",
        class_name="RawHttpx",
    ),
    FLOOR: Contender(
        distribution="langchain-core",
        module="langchain_core.language_models.chat_models",
        class_module="langchain_core.language_models",
        class_name="FakeListChatModel",
        url_field="",
        fields={"responses": [TEXT]},
    ),
}
