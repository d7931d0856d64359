"""A call as the model wrote it, before its tool's schema is applied."""

from dataclasses import dataclass, field
from typing import Any

from langchain_segmind._tools.tools import Toolset

NAMESPACE = "functions."
"""OpenAI's models are trained to write this before a function's name."""

PARALLEL = "multi_tool_use.parallel"
"""OpenAI's models call this to make several calls."""


class NoCallError(ValueError):
    """The text at this position is not a call."""


@dataclass(slots=True)
class RawCall:
    """A call as the model wrote it.

    Attributes:
        name: The tool's name; empty if it cannot be read.
        text: The call's text.
        arguments: Values by name, not yet coerced to the tool's schema.
        problem: Why the call cannot be run; empty if it can.
        repairs: Names of the repairs made, in order.
        is_open: Whether it is unclear where it ends: nothing after it was read.
    """

    name: str
    text: str
    arguments: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    repairs: list[str] = field(default_factory=list)
    is_open: bool = field(default=False, compare=False)


def strip_namespace(name: str, tools: Toolset) -> str:
    """Return a tool's name without OpenAI's namespace, unless the tool is named so."""
    return name if name in tools else name.removeprefix(NAMESPACE)
