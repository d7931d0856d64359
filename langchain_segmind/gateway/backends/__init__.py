"""What answers behind the gateway, and what it answers."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind.gateway.contract import PARAMETERS
from langchain_segmind.gateway.request import Request


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's reply.

    Attributes:
        content: The text; other JSON values are sent unchanged.
        finish_reason: Why the model stopped.
        usage: Token counts that replace or extend the estimates.
        model: The model's name in the response; defaults to the slug of the request.

    Raises:
        ValueError: `usage` is not a mapping, or its token counts are not whole numbers
            from 0.
    """

    content: Any
    finish_reason: str = "stop"
    usage: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None

    def __post_init__(self) -> None:
        """Check the token counts: a negative one would add credits."""
        if not isinstance(self.usage, Mapping):
            raise ValueError(f"usage must be an object, not {self.usage!r}")
        counts = [self.usage.get(name, 0) for name in ("prompt_tokens", "completion_tokens")]
        if not all(type(count) is int and count >= 0 for count in counts):
            raise ValueError(f"usage must hold whole numbers of tokens, not {self.usage!r}")


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
    """Return the part of the body that a model sees.

    As with the real service, `tools`, `stream` and other keys do not reach the model.
    """
    allowed = PARAMETERS | set(extra_body_keys)
    body = {key: value for key, value in request.json.items() if key in allowed}
    return {**body, "messages": request.messages}
