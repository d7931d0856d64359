"""JSON formats of chat completions: one module each, with two pure functions."""

from collections.abc import Mapping
from typing import Protocol

from langchain_segmind._chat.formats import openai
from langchain_segmind._chat.request import ChatRequest
from langchain_segmind._chat.response import Completion


class ChatFormat(Protocol):
    """What a module of a format defines."""

    def encode(self, request: ChatRequest) -> bytes:
        """Return the body of a request.

        Raises:
            ValueError: The request cannot be encoded.
        """

    def decode(self, body: bytes) -> Completion:
        """Return the completion in a response's body.

        Raises:
            ValueError: The body is not a completion; the message says what it lacks.
        """


FORMATS: Mapping[str, ChatFormat] = {"openai": openai}
