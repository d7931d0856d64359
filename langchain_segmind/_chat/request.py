"""LangChain messages to a request that no provider's JSON has shaped yet."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from langchain_core.messages import BaseMessage

from langchain_segmind._chat.conversation import convert_messages
from langchain_segmind._chat.images import Image
from langchain_segmind._chat.turns import Turn
from langchain_segmind._settings.call_settings import CallSettings
from langchain_segmind.exceptions import SegmindInvalidRequestError

IMAGE_URL_ADVICE = (
    "If the URL of an image is the reason, pass the image as Base64: Segmind cannot download from "
    "every host."
)


REFUSED_STATUSES = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
"""Statuses of a request that is refused for an image; the second is that of a failed job."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation and how to answer it.

    Its turns are independent of LangChain and of any provider's format; its `parameters` still have
    OpenAI's names.

    Attributes:
        turns: The conversation, oldest first; calls and results of tools are text.
        parameters: Further keys of the request's body.
        stop: Strings that end the reply.
        model: The slug, for errors.
        response_format: OpenAI's `response_format`, to be sent; None for none.
    """

    turns: Sequence[Turn]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stop: Sequence[str] = ()
    model: str = ""
    response_format: Mapping[str, Any] | None = None

    @property
    def speakers(self) -> frozenset[str]:
        """The names of the model's messages, where several speak."""
        names = (turn.name for turn in self.turns if turn.role == "assistant")
        return frozenset(filter(None, names))


@contextmanager
def explain_image_urls(request: ChatRequest) -> Iterator[None]:
    """Add to the error for a refused request that its image URLs may be the reason.

    Source: https://github.com/segmind/segmind-python (the URLs of some hosts are refused)
    """
    try:
        yield
    except SegmindInvalidRequestError as error:
        is_refused = error.status_code in REFUSED_STATUSES
        images = (part for turn in request.turns for part in turn.parts if isinstance(part, Image))
        if is_refused and any(image.url for image in images):
            error.args = (f"{error} {IMAGE_URL_ADVICE}",)
        raise


def create_request(messages: Sequence[BaseMessage], settings: CallSettings) -> ChatRequest:
    """Create the request for a call.

    Raises:
        ValueError: A message cannot be sent; the error names its index, from 0.
    """
    turns = convert_messages(
        messages,
        settings.instructions,
        model=settings.model,
        takes_images=settings.takes_images,
        takes_image_urls=settings.takes_image_urls,
        include_names=settings.include_names,
    )
    return ChatRequest(
        turns,
        settings.parameters,
        settings.stop_strings,
        settings.model,
        settings.native_format,
    )
