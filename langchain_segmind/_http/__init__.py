"""The only I/O: requests, responses and the connections between them. Knows nothing of chat."""

from langchain_segmind._http.attempt import APIRequest
from langchain_segmind._http.client import Sender, aclose, close

__all__ = ["APIRequest", "Sender", "aclose", "close"]
