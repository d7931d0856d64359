"""The JSON formats of requests and replies, one module each, without HTTP.

Whatever the format, backends and scripts see messages as OpenAI's format has them: a role and a
text, or content parts where there are images.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from langchain_segmind.data._profiles import APIFormat
from langchain_segmind.gateway.completion import Completion
from langchain_segmind.gateway.formats import anthropic, gemini, openai


class Format(Protocol):
    """What a format's module has."""

    MESSAGE_KEYS: frozenset[str]
    """The keys of the body that hold the messages."""

    PARAMETERS: frozenset[str]
    """The keys of the body that reach the model beside the messages."""

    def check_messages(self, body: Mapping[str, Any]) -> None:
        """Check that the messages can be read.

        Raises:
            InvalidBodyError: They cannot.
        """

    def check_strictly(self, body: Mapping[str, Any]) -> None:
        """Check that readable messages hold only what the format documents.

        Raises:
            InvalidBodyError: They hold something else.
        """

    def check_json_object(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Check whether a reply to these messages can be held to JSON without a schema.

        Raises:
            InvalidBodyError: It cannot.
        """

    def read_messages(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return checked messages in OpenAI's format."""

    def render(self, completion: Completion) -> dict[str, Any]:
        """Return the body of a reply whose model and usage are complete."""


FORMATS: Mapping[APIFormat, Format] = {
    "openai": openai,
    "anthropic": anthropic,
    "gemini": gemini,
}
