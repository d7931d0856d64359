"""What one call uses: the model's fields, overlaid by the call's arguments and validated once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Literal, cast

from langchain_core.language_models import ModelProfile
from pydantic import ConfigDict, InstanceOf, SkipValidation

from langchain_segmind._output.native_format import create_native_format
from langchain_segmind._output.response_format import ResponseFormat, parse_response_format
from langchain_segmind._output.structured_output import StructuredOutput
from langchain_segmind._settings.arguments import check_names
from langchain_segmind._settings.parameters import BodyParameters, CallParameters
from langchain_segmind._settings.validation import validate
from langchain_segmind._tools import (
    ToolChoice,
    Toolset,
    convert_tools,
    create_toolset,
    parse_tool_choice,
    render_instructions,
)
from langchain_segmind.data._profiles import APIFormat, find_model, load_models

BODY_FIELDS = tuple(BodyParameters.model_fields)

NO_TOOLS = Toolset(())

SLOW_SECONDS = 30.0
"""A model that takes longer on average is run in the queue."""

QUEUE_TIMEOUT_SECONDS = 600
"""The default timeout of a call that uses the queue."""

BASE64_FORMATS: frozenset[APIFormat] = frozenset({"gemini"})
"""Formats that have no place for an image's URL."""


class CallSettings(CallParameters):
    """What one call uses."""

    model_config = ConfigDict(defer_build=False, frozen=True, use_attribute_docstrings=False)

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

    fills_function_call: bool = False
    """Whether the call is in `additional_kwargs` too, where code for `functions` reads it."""

    on_unmet_requirement: Literal["raise", "return"] = "raise"
    """Whether a reply that lacks what was required raises an error."""

    profile: SkipValidation[ModelProfile | None] = None
    """A profile of the user's own; what it leaves open is as in the data."""

    @cached_property
    def request_format(self) -> APIFormat:
        """The JSON format of the requests."""
        return self.api_format or find_model(self.model).api_format

    @cached_property
    def is_queued(self) -> bool:
        """Whether the requests are jobs of the queue."""
        if self.use_queue is not None:
            return self.use_queue
        return (find_model(self.model).average_seconds or 0) > SLOW_SECONDS

    @cached_property
    def takes_images(self) -> bool:
        """Whether the model takes images; one that is not known does."""
        return self._takes("image_inputs")

    @cached_property
    def takes_image_urls(self) -> bool:
        """Whether the model takes the URL of an image."""
        return self.request_format not in BASE64_FORMATS and self._takes("image_url_inputs")

    def _takes(self, key: Literal["image_inputs", "image_url_inputs"]) -> bool:
        for profile in (self.profile, find_model(self.model).profile):
            if profile is not None and key in profile:
                return profile[key]
        return True

    @property
    def max_input_tokens(self) -> int | None:
        """The size of the model's context, if it is known; a user's profile replaces the data."""
        profile = find_model(self.model).profile if self.profile is None else self.profile
        return (profile or {}).get("max_input_tokens")

    def takes_format(self, kind: Literal["json_object", "json_schema"]) -> bool:
        """Whether the model is sent a `response_format` of a type; one that is not known is not.

        Claude has no JSON without a schema.
        """
        if kind == "json_object" and self.request_format == "anthropic":
            return False
        if self.native_response_format is not None:
            return self.native_response_format
        if kind == "json_schema" and "structured_output" in (self.profile or {}):
            return bool(cast("ModelProfile", self.profile)["structured_output"])
        return bool(getattr(find_model(self.model), kind))

    @cached_property
    def native_format(self) -> dict[str, Any] | None:
        """The `response_format` to send; None for none.

        A model that can call tools is sent none: its calls are text, which a reply that is held to
        JSON cannot contain. The prompt of any other has the word JSON, without which OpenAI and
        DeepSeek refuse `json_object`. A format in the user's `model_kwargs` takes precedence.
        """
        wanted = self.response_format
        if wanted is None or self.callable_tools or "response_format" in self.model_kwargs:
            return None
        kind: Literal["json_object", "json_schema"] = (
            "json_object" if wanted.schema is None else "json_schema"
        )
        return create_native_format(wanted) if self.takes_format(kind) else None

    @property
    def stop_strings(self) -> list[str]:
        """The stop strings as a list."""
        return cast("list[str]", self.stop or [])

    @property
    def callable_tools(self) -> Toolset:
        """The tools that a reply may call."""
        if self.tool_choice.mode == "none":
            return NO_TOOLS
        return (
            self.tools
            if self.tool_choice.name is None
            else self.tools.select(self.tool_choice.name)
        )

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The keys of the request's body beside `messages` and `stop`."""
        values = {name: getattr(self, name) for name in BODY_FIELDS}
        chosen = {name: value for name, value in values.items() if value is not None}
        return chosen | self.model_kwargs

    @property
    def cache_key(self) -> dict[str, Any]:
        """What changes a reply, as JSON: everything but the timeout and the endpoint."""
        return {
            **self.model_dump(include={*SHARED_FIELDS} - {"timeout", "use_queue"}),
            "api_format": self.request_format,
            "takes_images": self.takes_images,
            "takes_image_urls": self.takes_image_urls,
            "stop": self.stop_strings,
            "tools": self.tools.fingerprint,
            "tool_choice": self.tool_choice.convert_to_openai(),
            "parallel_tool_calls": self.parallel_tool_calls,
            "response_format": self.response_format and repr(self.response_format),
            "structured_output": self.structured_output and self.structured_output.identity,
            "native_format": self.native_format,
            "on_unmet_requirement": self.on_unmet_requirement,
            "fills_function_call": self.fills_function_call,
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


SHARED_FIELDS = tuple(CallParameters.model_fields)
"""What can be set on the model and in a call."""

INTERNAL_ARGUMENTS = frozenset({"structured_output", "on_unmet_requirement"})
"""What `with_structured_output` binds for its own call."""

CALL_ARGUMENTS = {
    *CallSettings.model_fields,
    "function_call",
    "functions",
    "model_name",
    "n",
    "strict",
} - {*INTERNAL_ARGUMENTS, "fills_function_call", "profile"}
"""What a user can pass to a call."""

IGNORED_ARGUMENTS = frozenset({"stream", "stream_options", "stream_usage"})
"""What LangChain, or code for ChatOpenAI, passes that changes nothing here."""


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


def find_own_profile(fields: Mapping[str, Any]) -> ModelProfile | None:
    """Return a model's profile unless it comes from the data.

    Core resolves it at construction: copies of a model with another slug, and configurable ones,
    keep the profile of the old slug.
    """
    profile = cast("ModelProfile | None", fields.get("profile"))
    if profile is None or profile == find_model(fields["model"]).profile:
        return None
    is_known = any(profile == known.profile for known in load_models().values())
    return None if is_known else profile


def translate_arguments(given: dict[str, Any]) -> dict[str, Any]:
    """Return a call's arguments with those that ChatOpenAI takes under their names here.

    Raises:
        TypeError: The tools are an iterator, or the choice of one is given twice.
        ValueError: Several replies are asked for.
    """
    given = {**given}
    if given.pop("n", 1) != 1:
        raise ValueError("n must be 1: a call has one reply. Use batch for several.")
    if "model_name" in given:
        given["model"] = given.pop("model_name")
    if given.keys() >= {"function_call", "tool_choice"}:
        raise TypeError("This call takes 'tool_choice' or 'function_call', not both.")
    if "function_call" in given:
        given["tool_choice"] = given.pop("function_call")
    if isinstance(given.get("tools"), Iterator):
        raise TypeError("tools of a call must be a list: an iterator can be read only once.")
    if functions := given.pop("functions", None):
        given["tools"] = [*given.get("tools", ()), *functions]
        given |= {"parallel_tool_calls": False, "fills_function_call": True}
    return given


def create_call_settings(
    fields: Mapping[str, Any],
    stop: str | Sequence[str] | None,
    arguments: Mapping[str, Any],
    *,
    has_timeout: bool = True,
) -> CallSettings:
    """Overlay a model's fields with a call's arguments; one that is None changes nothing.

    Without a `timeout` of the user's, in the fields or the arguments, a call that uses the queue
    has a longer one.

    The fields `api_format` and `profile`, and a `native_response_format` of True, describe the
    field `model`: a call with another model uses what is known of that one.

    Raises:
        TypeError: An argument is unknown.
        ValueError: A value is invalid.
    """
    check_call_arguments(arguments, fields)
    given = arguments if stop is None else {**arguments, "stop": stop}
    given = {name: value for name, value in given.items() if value is not None}
    chosen = {name: fields[name] for name in SHARED_FIELDS}
    chosen["profile"] = find_own_profile(fields)
    if not given:
        return _lengthen_timeout(_validate(chosen), is_own=has_timeout)
    given = translate_arguments(given)
    if given.get("model", chosen["model"]) != chosen["model"]:
        chosen |= {"api_format": None, "profile": None}
        if chosen["native_response_format"]:
            chosen["native_response_format"] = None
    if "model_kwargs" in given:
        given["model_kwargs"] = {**fields["model_kwargs"], **given["model_kwargs"]}
    tools = given.pop("tools", ())
    toolset = (
        create_toolset(convert_tools(tools, strict=given.get("strict"))) if tools else NO_TOOLS
    )
    chosen |= {
        **given,
        "tools": toolset,
        "tool_choice": parse_tool_choice(given.get("tool_choice"), toolset),
        "response_format": parse_response_format(given.get("response_format")),
    }
    return _lengthen_timeout(_validate(chosen), is_own=has_timeout or "timeout" in given)


def _validate(settings: Mapping[str, Any]) -> CallSettings:
    # A call takes no secrets.
    return validate(partial(CallSettings.model_validate, settings), shows_input=True)


def _lengthen_timeout(settings: CallSettings, *, is_own: bool) -> CallSettings:
    if is_own or not settings.is_queued:
        return settings
    return settings.model_copy(update={"timeout": QUEUE_TIMEOUT_SECONDS})
