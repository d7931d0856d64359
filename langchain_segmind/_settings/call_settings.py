"""What one call uses: the model's fields, overlaid by the call's own arguments; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_segmind._output.response_format import ResponseFormat, parse_response_format
from langchain_segmind._output.structured_output import StructuredOutput
from langchain_segmind._settings.arguments import (
    BODY_PARAMETERS,
    OnInvalidToolCall,
    Timeout,
    as_list,
    check_model_kwargs,
    check_slug,
    check_stop,
    parse_call_arguments,
)
from langchain_segmind._tools import (
    ToolChoice,
    Toolset,
    convert_tools,
    create_toolset,
    parse_tool_choice,
    render_instructions,
)

NO_TOOLS = Toolset(())
FREE_CHOICE = ToolChoice()


@dataclass(frozen=True, kw_only=True)
class CallSettings:
    """What one call uses: the model's fields, overlaid by the call's own arguments.

    Attributes:
        model: The slug.
        parameters: The body's keys beside `messages` and `stop`.
        stop: Strings that end the reply.
        timeout: As the field.
        tools: The bound tools.
        tool_choice: What must be called.
        parallel_tool_calls: Whether one reply may hold several calls.
        response_format: What an answer must be that calls nothing; None for any text.
        structured_output: What every answer is read as; None for a message.
        on_invalid_tool_call: As the field.
        output_retries: As the field.
        raises_unmet_requirement: Whether a reply that lacks what was forced is an error.
    """

    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stop: Sequence[str] = ()
    timeout: Timeout | None = None
    tools: Toolset = NO_TOOLS
    tool_choice: ToolChoice = FREE_CHOICE
    parallel_tool_calls: bool = True
    response_format: ResponseFormat | None = None
    structured_output: StructuredOutput | None = None
    on_invalid_tool_call: OnInvalidToolCall = "return"
    output_retries: int = 1
    raises_unmet_requirement: bool = True

    @property
    def callable_tools(self) -> Toolset:
        """The tools that a reply may call."""
        return NO_TOOLS if self.tool_choice.mode == "none" else self.tools

    @property
    def cache_key(self) -> dict[str, Any]:
        """What changes a reply, as JSON: all of it but the timeout."""
        return {
            "model": self.model,
            "parameters": self.parameters,
            "stop": list(self.stop),
            "tools": self.tools.fingerprint,
            "tool_choice": self.tool_choice.convert_to_openai(),
            "parallel_tool_calls": self.parallel_tool_calls,
            "response_format": self.response_format and repr(self.response_format),
            "structured_output": self.structured_output and self.structured_output.identity,
            "on_invalid_tool_call": self.on_invalid_tool_call,
            "output_retries": self.output_retries,
            "raises_unmet_requirement": self.raises_unmet_requirement,
        }

    @property
    def instructions(self) -> str:
        """What the model is told about its tools and the format of its answer."""
        told = [
            render_instructions(self.tools, self.tool_choice, parallel=self.parallel_tool_calls)
        ]
        if self.response_format and not self.tool_choice.is_forced:
            with_tools = bool(self.callable_tools)
            told.append(self.response_format.render_instructions(with_tools=with_tools))
        return "\n\n".join(filter(None, told))


def create_call_settings(
    fields: Mapping[str, Any], stop: str | Sequence[str] | None, arguments: Mapping[str, Any]
) -> CallSettings:
    """Overlay a model's fields with a call's arguments; one that is None changes nothing.

    Raises:
        TypeError: If an argument is unknown.
        ValueError: If a value cannot be right.
    """
    given = parse_call_arguments(arguments if stop is None else {**arguments, "stop": stop})
    chosen = {**fields, **{name: value for name, value in given.items() if value is not None}}
    parameters = {name: chosen[name] for name in BODY_PARAMETERS if chosen[name] is not None}
    if body_keys := fields["model_kwargs"] | chosen["model_kwargs"]:
        parameters |= check_model_kwargs(body_keys)
    tools = chosen.get("tools")
    toolset = (
        create_toolset(convert_tools(tools, strict=chosen.get("strict"))) if tools else NO_TOOLS
    )
    return CallSettings(
        # Fields can be assigned without validation.
        model=check_slug(chosen["model"]),
        parameters=parameters,
        stop=check_stop(as_list(chosen["stop"] or [])),
        timeout=chosen["timeout"],
        tools=toolset,
        tool_choice=parse_tool_choice(chosen.get("tool_choice"), toolset),
        parallel_tool_calls=chosen.get("parallel_tool_calls", True),
        response_format=parse_response_format(chosen.get("response_format")),
        structured_output=chosen.get("structured_output"),
        on_invalid_tool_call=chosen["on_invalid_tool_call"],
        output_retries=chosen["output_retries"],
        raises_unmet_requirement=chosen.get("on_unmet_requirement") != "return",
    )
