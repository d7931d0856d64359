"""What every backend is."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind.gateway.contract import PARAMETERS
from langchain_segmind.gateway.replies import Completion
from langchain_segmind.gateway.request import Request


class BackendError(Exception):
    """A backend could not answer; its text goes to the client as a 500."""


class Backend(ABC):
    """Something that answers requests. Subclass it and override `reply`."""

    @abstractmethod
    async def reply(self, request: Request) -> Completion | APIResponse:
        """Answer one request that has passed all checks.

        Args:
            request: The request.

        Returns:
            What the model said, which is billed; or an answer to send byte for byte,
            which is not.

        Raises:
            BackendError: There is no answer.
        """

    def reset(self) -> None:  # noqa: B027 - a backend without memory has nothing to do
        """Begin anew, as if nothing had been asked yet."""

    def close(self) -> None:  # noqa: B027 - likewise
        """Let go of what the backend holds."""


def model_parameters(request: Request, extra_body_keys: Collection[str]) -> dict[str, Any]:
    """The part of a request that a model may see, its messages included.

    As with the real service, `tools`, `stream` and other keys do not reach the model.
    """
    allowed = PARAMETERS | set(extra_body_keys)
    body = {key: value for key, value in request.json.items() if key in allowed}
    return {**body, "messages": request.messages}
