"""What a model must call: every spelling of `tool_choice` -> one of four forms."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

SPELLINGS: Mapping[Any, Literal["auto", "any", "none"]] = {
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
    """What a model must call.

    Attributes:
        mode: "auto" leaves it to the model, "any" asks for a call, "none" forbids them.
        name: The tool that must be called, or None; with the mode "any" only.
    """

    mode: Literal["auto", "any", "none"] = "auto"
    name: str | None = None

    @property
    def is_forced(self) -> bool:
        """Whether the reply must hold a call."""
        return self.mode == "any"

    def convert_to_openai(self) -> str | dict[str, Any]:
        """Write the choice as OpenAI does, which tracing and LangGraph know."""
        if self.name is not None:
            return {"type": "function", "function": {"name": self.name}}
        return "required" if self.mode == "any" else self.mode


def parse_tool_choice(choice: Any, names: Collection[str]) -> ToolChoice:
    """Read a `tool_choice` of any spelling.

    Args:
        choice: What the user passed.
        names: The names of the bound tools.

    Raises:
        ValueError: If it names no bound tool, or asks for a call where there are none.
    """
    if isinstance(choice, ToolChoice):
        return choice
    if isinstance(choice, dict):
        choice = _get_name(choice)
    elif isinstance(choice, str | bool | None) and choice in SPELLINGS:
        mode = SPELLINGS[choice]
        if mode == "any" and not names:
            raise ValueError(f"tool_choice={choice!r} asks for a call, but no tools are bound.")
        return ToolChoice(mode)
    if not isinstance(choice, str) or choice not in names:
        known = ", ".join(map(repr, names)) or "none"
        raise ValueError(
            f"tool_choice names {choice!r:.200}, which is no bound tool (bound: {known}); pass "
            "one of them, 'auto', 'any' or 'none'."
        )
    return ToolChoice("any", choice)


def _get_name(choice: dict[str, Any]) -> Any:
    """Get the name in `{"type": "function", "function": {"name": ...}}` or `{"name": ...}`."""
    function = choice.get("function", choice)
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str):
        raise ValueError(
            f"tool_choice={choice!r:.200} names no tool; pass "
            "{'type': 'function', 'function': {'name': ...}} or the name alone."
        )
    return name
