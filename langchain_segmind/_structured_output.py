"""Schemas of any kind -> a JSON schema for the model, and its reply -> an object of the schema."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from enum import Enum
from functools import partial
from operator import itemgetter
from typing import Any

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda, RunnableMap, RunnablePassthrough
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import (
    convert_to_json_schema,
    convert_to_openai_function,
)
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel, TypeAdapter
from pydantic import ValidationError as PydanticValidationError

from langchain_segmind._response_format import NotJSONError, read_json
from langchain_segmind._tool_calling import fits, resolve

DEFAULT_NAME = "answer"
"""The name of a schema without a title."""

Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class StructuredOutput:
    """What a reply is read as.

    Attributes:
        name: The schema's name, which is the name of the function that the model calls.
        description: What it is; may be empty.
        schema: The JSON schema.
        convert: Makes an object of the schema from JSON values; raises ValueError.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    convert: Convert

    @property
    def openai_tool(self) -> dict[str, Any]:
        """The schema as a function that the model calls with the answer."""
        parameters = {**resolve(self.schema, self.schema)}
        if "$defs" in self.schema:
            parameters["$defs"] = self.schema["$defs"]
        for key in ("title", "description"):
            parameters.pop(key, None)
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        # Else values of a wrong type would be for a tool to judge, and there is none.
        return {"type": "function", "function": {**function, "strict": True}}

    @property
    def response_format(self) -> dict[str, Any]:
        """The schema as OpenAI's `response_format`."""
        inner = {"name": self.name, "schema": dict(self.schema)}
        return {"type": "json_schema", "json_schema": inner}


def create_structured_output(schema: Any) -> StructuredOutput:
    """Read a schema.

    Args:
        schema: A pydantic class (v2 or v1), dataclass, TypedDict, function, JSON schema, or
            OpenAI's dict of a tool, function or `response_format`.

    Raises:
        ValueError: If it is none of these.
    """
    if isinstance(schema, Mapping):
        return _create_from_dict(schema)
    if isinstance(schema, type) and issubclass(schema, Enum):
        raise ValueError(_explain(schema, "an Enum is no object; put it into a field of one"))
    try:
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            return _create(schema.__name__, schema.model_json_schema(), schema.model_validate_json)
        if isinstance(schema, type) and is_basemodel_subclass(schema):
            return _create(schema.__name__, schema.schema(), schema.parse_raw)  # type: ignore[attr-defined] # pydantic 1
        if isinstance(schema, type) and is_dataclass(schema):
            adapter = TypeAdapter(schema)
            return _create(schema.__name__, adapter.json_schema(), adapter.validate_json)
        if callable(schema) or isinstance(schema, BaseTool):
            return _create_from_dict(convert_to_openai_function(schema))
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(_explain(schema, str(error))) from error
    raise ValueError(_explain(schema, "it is of no kind that can be"))


def _explain(schema: Any, reason: str) -> str:
    return (
        f"{schema!r:.200} cannot be used as a schema: {reason}. Pass a pydantic class, a "
        "dataclass, a TypedDict or a JSON schema of an object."
    )


def _create(name: str, schema: Mapping[str, Any], validate_json: Convert) -> StructuredOutput:
    return StructuredOutput(
        name=name,
        description=str(resolve(schema, schema).get("description") or ""),
        schema=schema,
        convert=lambda value: validate_json(json.dumps(value)),
    )


def _create_from_dict(given: Mapping[str, Any]) -> StructuredOutput:
    """Read a JSON schema, whichever of OpenAI's dicts it stands in."""
    outer = given
    for key in ("function", "json_schema"):
        if isinstance(given.get(key), Mapping):
            outer = given[key]
    schema = next((outer[key] for key in ("parameters", "schema") if key in outer), outer)
    if not isinstance(schema, Mapping):
        raise ValueError(_explain(given, "its schema is no dict"))
    resolved = resolve(schema, schema)
    if not {"properties", "type", "anyOf", "oneOf"} & resolved.keys():
        raise ValueError(_explain(given, "it has no properties"))
    described = outer if schema is not outer else resolved
    return StructuredOutput(
        name=str(outer.get("name") or resolved.get("title") or DEFAULT_NAME)
        if schema is not outer
        else str(resolved.get("title") or DEFAULT_NAME),
        description=str(described.get("description") or ""),
        schema=schema,
        convert=partial(_check, schema=schema),
    )


def _check(value: Any, schema: Mapping[str, Any]) -> Any:
    bent, is_fitting = fits(value, schema, schema)
    if not is_fitting:
        raise ValueError("it does not fit the schema")
    return bent


def parse_structured_output(message: AIMessage, output: StructuredOutput | None) -> Any:
    """Read the object that a reply holds, in a call or as JSON.

    Args:
        message: The reply.
        output: What it is read as; None for any JSON object.

    Raises:
        OutputParserException: If there is none, or it does not fit.
    """
    text = str(message.text)
    try:
        value = message.tool_calls[0]["args"] if message.tool_calls else read_json(text)
        if output is None and not isinstance(value, dict):
            raise NotJSONError("it is no JSON object")
        return value if output is None else output.convert(value)
    except (ValueError, PydanticValidationError) as error:
        reasons = [str(call["error"]) for call in message.invalid_tool_calls]
        reason = "; ".join(reasons) or str(error)
        written = text or "; ".join(str(call["args"]) for call in message.invalid_tool_calls)
        raise OutputParserException(
            f"The reply holds no {output.name if output else 'JSON object'}: {reason}",
            llm_output=written,
        ) from error


def create_parser(output: StructuredOutput | None) -> Runnable[AIMessage, Any]:
    """Create the runnable that reads replies."""
    return RunnableLambda(
        partial(parse_structured_output, output=output), name="parse_structured_output"
    )


def keep_raw(
    model: Runnable[Any, AIMessage], parser: Runnable[AIMessage, Any]
) -> Runnable[Any, dict[str, Any]]:
    """Give the reply beside what is read of it: `raw`, `parsed` and `parsing_error`."""
    read = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=model) | read.with_fallbacks([failed], exception_key="parsing_error")


def create_tracing_format(
    output: StructuredOutput | None, given: Any, *, method: str, strict: bool | None
) -> dict[str, Any]:
    """Tell traces what is asked for, as LangChain's own packages do."""
    try:
        schema: Any = convert_to_json_schema(given)
    except (TypeError, ValueError, AttributeError, KeyError):
        schema = output.schema if output else None
    kwargs = {"method": method} if strict is None else {"method": method, "strict": strict}
    return {"kwargs": kwargs, "schema": schema}
