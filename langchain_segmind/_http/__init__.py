"""The only I/O: a request, a reply, and the connections between them. Knows nothing of chat."""

from langchain_segmind._http._client import aclose, asend, close, send
from langchain_segmind._http._exchange import Request

__all__ = ["Request", "aclose", "asend", "close", "send"]
