"""What answers behind the gateway, and what it answers."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind.gateway.completion import Completion
from langchain_segmind.gateway.request import Request


class BackendError(Exception):
    """A backend cannot answer; the client gets a 500 with this text."""


class Backend(ABC):
    """Answers requests. Subclass it and override `reply`."""

    @abstractmethod
    async def reply(self, request: Request) -> Completion | APIResponse:
        """Answer a request that has passed all checks.

        Returns:
            The model's reply, which is charged; or a raw HTTP response, which is not.

        Raises:
            BackendError: There is no reply.
        """

    def reset(self) -> None:  # noqa: B027 - optional: some backends keep no state
        """Go back to the initial state."""

    def close(self) -> None:  # noqa: B027 - optional: some backends hold no resources
        """Release resources."""


def select_parameters(request: Request, extra_body_keys: Collection[str]) -> dict[str, Any]:
    """Return the part of the body that a model sees, in OpenAI's format.

    As with the real service, `tools`, `stream` and other keys do not reach the model.
    """
    extra = {key: value for key, value in request.json.items() if key in extra_body_keys}
    return {**request.parameters, **extra, "messages": request.messages}
