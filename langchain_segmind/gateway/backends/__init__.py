"""What answers behind the gateway."""

from langchain_segmind.gateway.backends._base import Backend, BackendError
from langchain_segmind.gateway.backends.llama import LlamaBackend
from langchain_segmind.gateway.backends.proxy import ProxyBackend
from langchain_segmind.gateway.backends.scripted import Replies, ScriptedBackend

__all__ = [
    "Backend",
    "BackendError",
    "LlamaBackend",
    "ProxyBackend",
    "Replies",
    "ScriptedBackend",
]
