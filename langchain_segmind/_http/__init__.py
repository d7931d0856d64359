"""The only I/O: a request, a reply, and the connections between them. Knows nothing of chat."""

from langchain_segmind._http.attempt import Request
from langchain_segmind._http.client import aclose, asend, close, send

__all__ = ["Request", "aclose", "asend", "close", "send"]
