"""Normalizes `tool_choice`: which tool the model must call."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

MODES: Mapping[Any, Literal["auto", "any", "none"]] = {
    None: "auto",
    "auto": "auto",
    "any": "any",
    "required": "any",
    True: "any",
    "none": "none",
    False: "none",
}


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Which tool the model must call.

    Attributes:
        mode: "auto" leaves it to the model, "any" requires a call, "none" forbids calls.
        name: The tool that must be called, or None; only with the mode "any".
    """

    mode: Literal["auto", "any", "none"] = "auto"
    name: str | None = None

    @property
    def is_forced(self) -> bool:
        """Whether the reply must contain a call."""
        return self.mode == "any"

    def convert_to_openai(self) -> str | dict[str, Any]:
        """Return the choice in OpenAI's format, which tracing and LangGraph expect."""
        if self.name is not None:
            return {"type": "function", "function": {"name": self.name}}
        return "required" if self.mode == "any" else self.mode


def parse_tool_choice(choice: Any, names: Collection[str]) -> ToolChoice:
    """Return a `tool_choice` of any form, normalized.

    Args:
        choice: What the user passed.
        names: The names of the bound tools.

    Raises:
        ValueError: If it names a tool that is not bound, or requires a call without tools.
    """
    if isinstance(choice, ToolChoice):
        return choice
    if isinstance(choice, dict):
        choice = _get_name(choice)
    elif isinstance(choice, str | bool | None) and choice in MODES:
        mode = MODES[choice]
        if mode == "any" and not names:
            raise ValueError(f"tool_choice={choice!r} requires a call, but no tools are bound.")
        return ToolChoice(mode)
    if not isinstance(choice, str) or choice not in names:
        known = ", ".join(map(repr, names)) or "none"
        raise ValueError(
            f"tool_choice names {choice!r:.200}, which is not bound (bound: {known}). Pass one of "
            "these names, 'auto', 'any' or 'none'."
        )
    return ToolChoice("any", choice)


def _get_name(choice: dict[str, Any]) -> Any:
    """Return the name in `{"type": "function", "function": {"name": ...}}` or `{"name": ...}`."""
    function = choice.get("function", choice)
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str):
        raise ValueError(
            f"tool_choice={choice!r:.200} names no tool. Pass "
            "{'type': 'function', 'function': {'name': ...}} or just the name."
        )
    return name
