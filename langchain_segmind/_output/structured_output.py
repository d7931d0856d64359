"""Structured output: converts schemas for the model, and its replies to objects."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cached_property, lru_cache, partial
from typing import Any, Generic, Literal, TypedDict, TypeVar

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import (
    convert_to_json_schema,
    convert_to_openai_function,
)
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import DecimalSchema
from typing_extensions import is_typeddict

from langchain_segmind._output.answers import Wanted, choose, find_answer, keep_digits
from langchain_segmind._output.endings import find_ending
from langchain_segmind._output.json_text import NotJSONError
from langchain_segmind._output.response_format import check_match, check_object, write_json
from langchain_segmind._output.typed_dict import convert_typed_dict
from langchain_segmind._tools import DECIMAL, SchemaCache, coerce_value, make_plain, resolve

DEFAULT_NAME = "answer"
"""The name of a schema without a title."""

SCHEMA_ERRORS = (TypeError, ValueError, AttributeError, NameError, RuntimeError, KeyError)
"""What LangChain and pydantic raise for an unusable schema."""


class QuietJsonSchema(GenerateJsonSchema):
    """Omits defaults that are not JSON, without a warning, and marks decimals."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as pydantic

    def decimal_schema(self, schema: DecimalSchema) -> JsonSchemaValue:
        """Return a decimal's schema; a number's text keeps the digits that JSON would lose."""
        decimal = super().decimal_schema(schema)
        for one in decimal.get("anyOf", []):
            if one.get("type") == "string":
                one[DECIMAL] = True
        return decimal


OutputMethod = Literal["function_calling", "json_schema", "json_mode"]

Answer = TypeVar("Answer")


AnyTool = dict[str, Any] | type | Callable[..., Any] | BaseTool


class OutputOptions(TypedDict, total=False):
    """Arguments of `with_structured_output` that do not change the type of its result."""

    method: OutputMethod | None
    strict: bool | None


class RawAnswer(TypedDict, Generic[Answer]):
    """A reply, the object in it if it has one, and why it has none."""

    raw: AIMessage
    parsed: Answer | None
    parsing_error: Exception | None


@dataclass(frozen=True)
class StructuredOutput:
    """What a reply is converted to.

    Attributes:
        name: The schema's name, also of the function that the model calls.
        description: The schema's description; can be empty.
        schema: The JSON schema.
        validate_json: Converts JSON text to an object, or raises; None for plain JSON values.
        class_name: The full name of the objects' class; empty for dicts.
        has_tools: Whether calls in a reply are those of tools, and no answer yet.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    validate_json: Callable[[str], Any] | None = None
    class_name: str = ""
    has_tools: bool = False

    @property
    def identity(self) -> str:
        """A string that is equal for equal conversions: the class, its name and its schema."""
        return f"{self.class_name} {self.name} {self.schema!r}"

    @property
    def openai_tool(self) -> dict[str, Any]:
        """The schema as an OpenAI tool, whose arguments are the answer.

        Raises:
            ValueError: If the answer is not an object.
        """
        parameters = {**resolve(self.schema, self.schema)}
        if parameters.get("type", "object") != "object" or parameters.keys() & {"anyOf", "oneOf"}:
            raise ValueError(
                f"{self.name} is not an object, so its fields cannot be a function's arguments. "
                "Wrap it in an object, or pass method='json_schema'."
            )
        for key in ("title", "description"):
            parameters.pop(key, None)
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}

    @property
    def response_format(self) -> dict[str, Any]:
        """The schema as OpenAI's `response_format`."""
        named = {"name": self.name, "description": self.description, "schema": dict(self.schema)}
        return {"type": "json_schema", "json_schema": named}

    def convert(self, value: Any) -> Any:
        """Return a value as an object of the schema.

        Raises:
            ValueError: If it does not match; the message, which the model can read, says why.
        """
        coerced = coerce_value(value, self.schema, self.schemas)
        text = write_json(keep_digits(value, coerced.value))
        if self.validate_json is None:
            check_match(coerced, self.schemas)
            return coerced.value
        try:
            return self.validate_json(text)
        except ValidationError as error:
            problem = _describe_error(error)
        except Exception as error:  # validators are the user's code
            raise ValueError(_describe_error(error)) from error
        # Raised after the block: pydantic's error hides those of validators from the garbage
        # collector, so as a cause it would keep all frames alive.
        # https://github.com/dapper91/pydantic-xml/issues/222
        raise ValueError(problem)

    def find(self, text: str) -> Any:
        """Return the object in a reply that is JSON.

        Raises:
            NotJSONError: If it contains no JSON.
            ValueError: If the JSON does not match, or two different values do.
        """
        return find_answer(text, self.wanted).converted

    def extract_json(self, text: str) -> str:
        """Return the JSON of the object in a reply, without any coercion.

        Raises:
            ValueError: As `find` does.
        """
        value = find_answer(text, self.wanted).value
        return write_json(keep_digits(value, make_plain(value)))

    @cached_property
    def schemas(self) -> SchemaCache:
        """The schema, resolved."""
        return SchemaCache(self.schema)

    @property
    def wanted(self) -> Wanted[Any]:
        """What an answer must be."""
        return Wanted(schemas=self.schemas, name=self.name, convert=self.convert)


def _describe_error(error: Exception) -> str:
    """Return what is wrong with a value; for pydantic's errors, where and what."""
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    problems = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
    return "; ".join(": ".join(filter(None, problem)) for problem in problems)


def create_structured_output(schema: Any) -> StructuredOutput:
    """Return a schema of any kind as a `StructuredOutput`.

    Args:
        schema: A pydantic class (v2 or v1), dataclass, TypedDict, function, JSON schema, or
            OpenAI's dict for a tool, a function or a `response_format`.

    Raises:
        ValueError: If it is something else.
    """
    try:
        if isinstance(schema, Mapping):
            return _create_from_dict(schema)
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            json_schema = schema.model_json_schema(schema_generator=QuietJsonSchema)
            return _create(schema, json_schema, schema.model_validate_json)
        if isinstance(schema, type) and is_basemodel_subclass(schema):
            return _create(schema, schema.schema(), schema.parse_raw)  # type: ignore[attr-defined] # pydantic 1
        if is_typeddict(schema) or (isinstance(schema, type) and is_dataclass(schema)):
            json_schema = _get_adapter(schema).json_schema(schema_generator=QuietJsonSchema)
            return _create(schema, json_schema, partial(_validate_json, schema))
        if isinstance(schema, BaseTool) or inspect.isroutine(schema):
            return _create_from_dict(convert_to_openai_function(schema))
    except SCHEMA_ERRORS as error:
        raise ValueError(_explain(schema, str(error).rstrip("."))) from error
    raise ValueError(_explain(schema, "it is an unknown kind of schema"))


def _explain(schema: Any, reason: str) -> str:
    return (
        f"{schema!r:.200} cannot be used as a schema: {reason}. Pass a pydantic class, a "
        "dataclass, a TypedDict or a JSON schema of an object; wrap a list or a scalar in one."
    )


@lru_cache
def _get_adapter(schema: type) -> TypeAdapter[Any]:
    return TypeAdapter(convert_typed_dict(schema) if is_typeddict(schema) else schema)


def _validate_json(schema: type, text: str) -> Any:
    return _get_adapter(schema).validate_json(text)


def _create(
    given: type, schema: Mapping[str, Any], validate_json: Callable[[str], Any]
) -> StructuredOutput:
    description = str(resolve(schema, schema).get("description") or "")
    class_name = f"{given.__module__}.{given.__qualname__}"
    return StructuredOutput(given.__name__, description, schema, validate_json, class_name)


def _create_from_dict(given: Mapping[str, Any]) -> StructuredOutput:
    """Return the output of a JSON schema, alone or in any of OpenAI's dicts."""
    inner = (given.get(key) for key in ("function", "json_schema"))
    outer = next((part for part in inner if isinstance(part, Mapping)), given)
    schema = next((outer[key] for key in ("parameters", "schema") if key in outer), outer)
    if not isinstance(schema, Mapping):
        raise ValueError("its schema is not a dict")
    resolved = resolve(schema, schema)
    if not {"properties", "type", "anyOf", "oneOf"} & resolved.keys():
        raise ValueError("it has no properties")
    return StructuredOutput(
        name=str(outer.get("name") or resolved.get("title") or DEFAULT_NAME),
        description=str(outer.get("description") or resolved.get("description") or ""),
        schema=schema,
    )


def create_requirement(
    output: StructuredOutput | None, method: str, *, strict: bool | None = None
) -> dict[str, Any]:
    """Return the call arguments that require an object as the answer.

    Raises:
        ValueError: If the method is unknown, or needs a schema and there is none.
    """
    match method:
        case "json_mode":
            return {"response_format": {"type": "json_object"}}
        case "function_calling" | "json_schema" if output is None:
            raise ValueError(f"method={method!r} needs a schema; only 'json_mode' does not.")
        case "function_calling" if output:
            return {
                "tools": [output.openai_tool],
                "tool_choice": {"type": "function", "function": {"name": output.name}},
                "parallel_tool_calls": False,
            }
        case "json_schema" if output:
            wanted = output.response_format
            if strict is not None:
                wanted["json_schema"]["strict"] = strict
            return {"response_format": wanted}
        case _:
            raise ValueError(
                f"method={method!r} is unknown. Pass 'function_calling', 'json_schema' or "
                "'json_mode'."
            )


def read_structured_output(message: AIMessage, output: StructuredOutput | None) -> Any:
    """Return the object in a reply: the arguments of a call, or JSON; None if it calls tools.

    Args:
        message: The reply.
        output: What to convert it to; None for any JSON object.

    Raises:
        NotJSONError: If there is neither a call nor JSON.
        ValueError: If it cannot be used, or two different objects match; the message says why.
    """
    wanted = output.wanted if output else Wanted(schemas=None, name="", convert=check_object)
    if message.tool_calls and output and output.has_tools:
        return None
    if message.tool_calls:
        dropped = message.response_metadata.get("dropped_tool_calls", [])
        return choose([call["args"] for call in [*message.tool_calls, *dropped]], wanted).converted
    if problems := describe_invalid_calls(message):
        raise ValueError(problems)
    text = str(message.text)
    if output is None:
        return make_plain(find_answer(text, wanted).converted)
    try:
        return output.find(text)
    except NotJSONError:
        raise NotJSONError("neither a function call nor valid JSON") from None


def describe_invalid_calls(message: AIMessage) -> str:
    """Return what is wrong with a reply's invalid calls; empty if it has none."""
    # LangChain drops the errors when it merges chunks.
    recorded = message.response_metadata.get("invalid_tool_call_errors", {})
    described = (
        (call["name"], call["error"] or recorded.get(call["id"], ""))
        for call in message.invalid_tool_calls
    )
    return "; ".join(f"{name}: {error}" if name else error for name, error in described)


def parse_structured_output(message: AIMessage, output: StructuredOutput | None) -> Any:
    """Return the object in a reply.

    Raises:
        OutputParserException: If there is none, or it does not match the schema.
    """
    try:
        return read_structured_output(message, output)
    except ValueError as error:
        text = str(message.text) or str([call["args"] for call in message.invalid_tool_calls])
        name = output.name if output else "JSON object"
        ending = find_ending(message)
        problem = f"The reply contains no {name}: {ending.explain(str(error))}"
        if ending.advice:
            problem = f"{problem.rstrip('.')}. {ending.advice}"
        raise OutputParserException(problem, llm_output=text) from error


def parse_beside_raw(message: AIMessage, output: StructuredOutput | None) -> RawAnswer[Any]:
    """Return a reply as `raw`, with its object as `parsed` or the `parsing_error`."""
    try:
        parsed = parse_structured_output(message, output)
    except OutputParserException as error:
        return {"raw": message, "parsed": None, "parsing_error": error}
    return {"raw": message, "parsed": parsed, "parsing_error": None}


def create_parser(
    output: StructuredOutput | None, *, include_raw: bool
) -> Runnable[AIMessage, Any]:
    """Return the runnable that converts replies."""
    parse = parse_beside_raw if include_raw else parse_structured_output
    return RunnableLambda(partial(parse, output=output), name=parse.__name__)


def create_tracing_format(
    output: StructuredOutput | None, given: Any, *, method: str, strict: bool | None
) -> dict[str, Any]:
    """Return the requested format for traces, like LangChain's own packages."""
    try:
        with warnings.catch_warnings(action="ignore"):
            schema: Any = convert_to_json_schema(given)
    except SCHEMA_ERRORS:
        schema = {"title": output.name, **output.schema} if output else None
    kwargs = {"method": method} if strict is None else {"method": method, "strict": strict}
    return {"kwargs": kwargs, "schema": schema}
