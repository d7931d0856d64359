"""What a model replies, before it is written in a format."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_CALL_KEYS = frozenset({"name", "args", "id", "type"})


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's reply, for any format.

    Attributes:
        content: The text; None for none. A list is sent unchanged, as the format's own blocks.
        finish_reason: Why the model stopped: `stop`, `length`, `content_filter` or `tool_calls`,
            which each format has its own word for. Other words are sent unchanged.
        usage: Token counts that replace or extend the estimates, with OpenAI's names. Output
            includes reasoning.
        model: The model's name in the response; defaults to the slug of the request.
        reasoning: What the model thought before it replied.
        tool_calls: Native calls: `name`, `args`, and an `id` unless any will do.
        result: Keys that replace or extend those of a job's result in the queue, such as `output`.

    Raises:
        ValueError: `usage` is not a mapping, or its token counts are not whole numbers from 0;
            or `reasoning`, `tool_calls` or `result` are malformed.
    """

    content: Any = None
    finish_reason: str = "stop"
    usage: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    reasoning: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    result: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the token counts: a negative one would add credits."""
        if not isinstance(self.usage, Mapping):
            raise ValueError(f"usage must be an object, not {self.usage!r}")
        counts = [self.usage.get(name, 0) for name in ("prompt_tokens", "completion_tokens")]
        if not all(type(count) is int and count >= 0 for count in counts):
            raise ValueError(f"usage must hold whole numbers of tokens, not {self.usage!r}")
        if not isinstance(self.reasoning, str):
            raise ValueError(f"reasoning must be a string, not {self.reasoning!r}")
        calls = self.tool_calls if isinstance(self.tool_calls, list | tuple) else [None]
        if not all(_is_call(call) for call in calls):
            raise ValueError(f"tool_calls must be a list of name and args, not {calls!r}")
        if not _is_json_object(self.result):
            raise ValueError(f"result must be an object of JSON, not {self.result!r}")
        if calls and self.finish_reason == "stop":
            object.__setattr__(self, "finish_reason", "tool_calls")

    @property
    def is_blocked(self) -> bool:
        """Whether the prompt was blocked: the filter left nothing of the reply."""
        is_empty = self.content is None and not self.reasoning and not self.tool_calls
        return is_empty and self.finish_reason == "content_filter"

    def count_details(self, name: str, detail: str) -> int:
        """Return a count within the usage's details, or 0."""
        details = self.usage.get(name)
        count = details.get(detail) if isinstance(details, Mapping) else None
        return count if type(count) is int else 0


def _is_json_object(value: Any) -> bool:
    try:
        json.dumps(value)
    except (ValueError, TypeError):
        return False
    return isinstance(value, dict)


def _is_call(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("name"), str)
        and isinstance(value.get("args"), Mapping)
        and set(value) <= _CALL_KEYS
    )
