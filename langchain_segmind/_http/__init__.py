"""All HTTP requests of the models, and their connections. Knows nothing of chat."""

from langchain_segmind._http.attempt import APIRequest
from langchain_segmind._http.client import Sender, aclose, close

__all__ = ["APIRequest", "Sender", "aclose", "close"]
