"""What one call uses: the model's fields, overlaid by the call's arguments and validated once."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, field_validator

from langchain_segmind._output.response_format import ResponseFormat, parse_response_format
from langchain_segmind._output.structured_output import StructuredOutput
from langchain_segmind._settings.arguments import (
    BodyKeys,
    MaxTokens,
    OnInvalidToolCall,
    OutputRetries,
    Slug,
    Stop,
    Temperature,
    Timeout,
    TopP,
    check_names,
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


def _require_model() -> str:
    raise TypeError(
        "ChatSegmind needs model=..., a slug such as 'gpt-4-turbo' "
        "(https://www.segmind.com/models); ChatSegmindGPT4Turbo has one."
    )


class BodyParameters(BaseModel):
    """Parameters that are sent as keys of the request's body when they are set."""

    model_config = ConfigDict(
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )

    temperature: Temperature | None = None
    """Sampling temperature, 0 to 2. Defaults to the model's own."""

    max_tokens: MaxTokens | None = None
    """The maximum number of tokens in the reply. Defaults to the model's own."""

    top_p: TopP | None = None
    """Nucleus sampling: the probability mass that is sampled from, 0 to 1. Defaults to the model's
    own."""

    seed: int | None = None
    """A seed for sampling. Equal seeds ask for equal replies; no model guarantees them."""


class CallParameters(BodyParameters):
    """What can be set on the model and in a call."""

    model: Slug = Field(default_factory=_require_model)
    """The model's slug, as on https://www.segmind.com/models."""

    stop: Stop | None = None
    """Strings (or one) that end the reply before them. They are sent, and the reply is cut here as
    well. A call's `stop` replaces the model's; `[]` means none."""

    timeout: Timeout | None = 120
    """Seconds that one call may take, including retries and the waits between them; None for no
    limit. Waiting for a connection or for the `rate_limiter` does not count. An `httpx.Timeout`
    bounds the phases of each attempt instead. Replies take 10 s on average and sometimes a
    minute."""

    model_kwargs: BodyKeys = Field(default_factory=dict)
    """Further keys of the request's body, such as `{"presence_penalty": 0.5}`."""

    on_invalid_tool_call: OnInvalidToolCall = "return"
    """What happens with a tool call that cannot be run: "return" puts it into
    `invalid_tool_calls`; "retry" shows it to the model with the reason and asks again."""

    output_retries: OutputRetries = 1
    """How many times one call may ask again, 0 to 10: for invalid tool calls as above, and if a
    tool call or JSON was required and the reply has none. Each request is billed."""

    @field_validator("model_kwargs")
    @classmethod
    def _check_model_kwargs(cls, body_keys: dict[str, Any]) -> dict[str, Any]:
        reserved = {
            "messages": "they are the input of the call",
            "model": "pass model=... instead",
            "stop": "pass stop=... instead",
            "stream": "the endpoint does not stream",
            "n": "use batch for several replies",
            **{name: f"pass {name}=... instead" for name in BodyParameters.model_fields},
        }
        for key in body_keys.keys() & reserved.keys():
            raise ValueError(f"model_kwargs cannot hold {key!r}: {reserved[key]}.")
        return body_keys


class CallSettings(CallParameters):
    """What one call uses."""

    model_config = ConfigDict(frozen=True)

    tools: InstanceOf[Toolset] = NO_TOOLS
    """The bound tools."""

    tool_choice: InstanceOf[ToolChoice] = ToolChoice()
    """What must be called."""

    parallel_tool_calls: bool = True
    """Whether one reply may hold several calls."""

    response_format: InstanceOf[ResponseFormat] | None = None
    """What an answer without calls must be; None for any text."""

    structured_output: InstanceOf[StructuredOutput] | None = None
    """What every answer is parsed as; None for a message."""

    on_unmet_requirement: Literal["raise", "return"] = "raise"
    """Whether a reply that lacks what was required raises an error."""

    @property
    def stop_strings(self) -> list[str]:
        """The stop strings as a list."""
        return cast("list[str]", self.stop or [])

    @property
    def callable_tools(self) -> Toolset:
        """The tools that a reply may call."""
        return NO_TOOLS if self.tool_choice.mode == "none" else self.tools

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The keys of the request's body beside `messages` and `stop`."""
        values = {name: getattr(self, name) for name in BodyParameters.model_fields}
        chosen = {name: value for name, value in values.items() if value is not None}
        return chosen | self.model_kwargs

    @property
    def cache_key(self) -> dict[str, Any]:
        """What changes a reply, as JSON: everything but the timeout."""
        return {
            "model": self.model,
            "parameters": self.parameters,
            "stop": self.stop_strings,
            "tools": self.tools.fingerprint,
            "tool_choice": self.tool_choice.convert_to_openai(),
            "parallel_tool_calls": self.parallel_tool_calls,
            "response_format": self.response_format and repr(self.response_format),
            "structured_output": self.structured_output and self.structured_output.identity,
            "on_invalid_tool_call": self.on_invalid_tool_call,
            "output_retries": self.output_retries,
            "on_unmet_requirement": self.on_unmet_requirement,
        }

    @property
    def instructions(self) -> str:
        """What the prompt says about the tools and the format of the answer."""
        parts = [
            render_instructions(self.tools, self.tool_choice, parallel=self.parallel_tool_calls)
        ]
        if self.response_format and not self.tool_choice.is_forced:
            with_tools = bool(self.callable_tools)
            parts.append(self.response_format.render_instructions(with_tools=with_tools))
        return "\n\n".join(filter(None, parts))


INTERNAL_ARGUMENTS = frozenset({"structured_output", "on_unmet_requirement"})
"""What `with_structured_output` binds for its own call."""

CALL_ARGUMENTS = {*CallSettings.model_fields, "model_name", "strict"} - INTERNAL_ARGUMENTS
"""What a user can pass to a call."""

IGNORED_ARGUMENTS = frozenset({"stream"})
"""What LangChain passes that changes nothing here."""


def check_call_arguments(arguments: Mapping[str, Any], fields: Iterable[str]) -> None:
    """Refuse unknown arguments of a call.

    Args:
        arguments: What the call was passed.
        fields: The names that the model's constructor takes.

    Raises:
        TypeError: An argument is unknown.
    """
    if unknown := arguments.keys() - CALL_ARGUMENTS - INTERNAL_ARGUMENTS - IGNORED_ARGUMENTS:
        check_names(unknown, CALL_ARGUMENTS, "This call", fields)
    if arguments.keys() >= {"model", "model_name"}:
        raise TypeError("This call takes 'model' or 'model_name', not both.")


def create_call_settings(
    fields: Mapping[str, Any], stop: str | Sequence[str] | None, arguments: Mapping[str, Any]
) -> CallSettings:
    """Overlay a model's fields with a call's arguments; one that is None changes nothing.

    Raises:
        TypeError: An argument is unknown.
        ValueError: A value is invalid.
    """
    check_call_arguments(arguments, fields)
    given = {**arguments, "stop": arguments.get("stop") if stop is None else stop}
    given["model"] = given.get("model") or given.pop("model_name", None)
    given = {name: value for name, value in given.items() if value is not None}
    model_kwargs = {**fields["model_kwargs"], **given.get("model_kwargs", {})}
    toolset = NO_TOOLS
    if tools := given.get("tools"):
        toolset = create_toolset(convert_tools(tools, strict=given.get("strict")))
    chosen = {name: fields[name] for name in CallParameters.model_fields} | given
    chosen |= {
        "model_kwargs": model_kwargs,
        "tools": toolset,
        "tool_choice": parse_tool_choice(given.get("tool_choice"), toolset),
        "response_format": parse_response_format(given.get("response_format")),
    }
    return CallSettings.model_validate(chosen)
