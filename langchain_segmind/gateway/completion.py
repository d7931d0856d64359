"""What a model wrote."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_segmind.gateway.pricing import count_prompt_tokens, count_tokens
from langchain_segmind.gateway.request import Request, get_text


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

    def get_usage(self, request: Request) -> dict[str, Any]:
        """Return the token counts: the given ones, or estimates."""
        usage = {
            "prompt_tokens": count_prompt_tokens(request.messages),
            "completion_tokens": count_tokens(get_text(self.content)),
            **self.usage,
        }
        usage.setdefault("total_tokens", usage["prompt_tokens"] + usage["completion_tokens"])
        return usage

    def get_choice(self) -> dict[str, Any]:
        """Return the choice in OpenAI's format."""
        message = {"role": "assistant", "content": self.content}
        return {"index": 0, "message": message, "finish_reason": self.finish_reason}
