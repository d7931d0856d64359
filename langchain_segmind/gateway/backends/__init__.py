"""What answers behind the gateway."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind.gateway.completion import Completion
from langchain_segmind.gateway.contract import PARAMETERS
from langchain_segmind.gateway.request import Request


class BackendError(Exception):
    """A backend cannot answer; the client gets a 500 with this text."""


class Backend(ABC):
    """Answers requests. Subclass it and override `reply`."""

    @abstractmethod
    async def reply(self, request: Request) -> Completion | APIResponse:
        """Answer a request that has passed all checks.

        Args:
            request: The request.

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
    """Return the part of the body that a model sees.

    As with the real service, `tools`, `stream` and other keys do not reach the model.
    """
    allowed = PARAMETERS | set(extra_body_keys)
    body = {key: value for key, value in request.json.items() if key in allowed}
    return {**body, "messages": request.messages}
