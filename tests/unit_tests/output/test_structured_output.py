"""Schemas of every kind are described to the model, and its values become objects."""

import json
import math
import pickle
import sys
import warnings
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel, RootModel, field_validator

from langchain_segmind._output.json_text import NotJSONError
from langchain_segmind._output.response_format import ResponseFormat, parse_response_format
from langchain_segmind._output.structured_output import (
    DEFAULT_NAME,
    create_parser,
    create_requirement,
    create_structured_output,
    create_tracing_format,
    describe_invalid_calls,
    parse_beside_raw,
    parse_structured_output,
    read_structured_output,
)
from langchain_segmind._tools import (
    ToolChoice,
    convert_tools,
    create_toolset,
    parse_reply,
    render_calls,
    render_instructions,
    resolve,
)
from langchain_segmind._tools.json_schema import get_properties
from tests.support.schemas import (
    FITTING,
    FUNCTION,
    JSON_SCHEMA,
    PERSON,
    UNTITLED,
    Album,
    Box,
    Cat,
    Dog,
    Even,
    Joke,
    Node,
    Numbers,
    Owner,
    Person,
    Point,
    Ring,
    Track,
)


def describe_function(schema: Any) -> str:
    """Return the function of a schema as the model sees it."""
    tools = create_toolset(convert_tools([create_structured_output(schema).openai_tool]))
    return render_instructions(tools, ToolChoice(), parallel=False).partition("\n\n")[2]


def describe_json(schema: Any) -> str:
    """Return the instructions for the JSON of a schema."""
    wanted = parse_response_format(create_structured_output(schema).response_format)
    return wanted.render_instructions(with_tools=False).partition("\n\n")[2]


class TestSchemas:
    """Schemas that can be passed."""

    @pytest.mark.parametrize(("schema", "value", "wanted"), FITTING)
    def test_matching_reply_becomes_an_object(self, schema, value, wanted) -> None:
        """From a call and from JSON, and in a worker process that gets a pickled copy."""
        output = create_structured_output(schema)
        copy = pickle.loads(pickle.dumps(output))
        written = render_calls([tool_call(name=output.name, args=value, id="1")])
        parsed = parse_reply(written, create_toolset(convert_tools([output.openai_tool])))
        assert (parsed.content, parsed.invalid_calls) == ("", [])
        text = parse_response_format(output.response_format).read(json.dumps(value))
        for message in (AIMessage("", tool_calls=list(parsed.calls)), AIMessage(text)):
            for read in (read_structured_output(message, one) for one in (output, copy)):
                assert read == wanted
                assert type(read) is type(wanted)

    @pytest.mark.parametrize(("schema", "value", "wanted"), FITTING)
    def test_every_schema_is_shown_with_all_its_names(self, schema, value, wanted) -> None:
        """For calls and for JSON."""
        described = create_structured_output(schema).schema
        names = get_properties(resolve(described, described)).keys() & value.keys()
        for description in (describe_function(schema), describe_json(schema)):
            assert all(f" {name}" in description for name in names)

    @pytest.mark.skipif(sys.version_info >= (3, 14), reason="pydantic 1 ends with Python 3.13")
    # pydantic before 2.12 resolves forward references in a way that Python 3.13 deprecates.
    @pytest.mark.filterwarnings("ignore:Failing to pass a value to the 'type_params'")
    def test_pydantic_1_classes_are_accepted(self) -> None:
        """Recursive ones, and their validators."""
        from pydantic import v1  # noqa: PLC0415 - not on every Python

        class OldPerson(v1.BaseModel):
            age: int = v1.Field(ge=0)
            friends: list["OldPerson"] = []

        OldPerson.update_forward_refs(OldPerson=OldPerson)
        output = create_structured_output(OldPerson)
        person = output.convert({"age": "5", "friends": [{"age": 6}]})
        assert isinstance(person.friends[0], OldPerson)
        assert "age: int" in describe_function(OldPerson)
        assert "friends: list[OldPerson] = []" in describe_json(OldPerson)
        with pytest.raises(ValueError, match="greater than or equal to 0"):
            output.convert({"age": -1})

    @pytest.mark.parametrize(
        ("schema", "name", "description"),
        [
            pytest.param(Person, "Person", "A person.\n\nWith an address.", id="a class"),
            pytest.param(Box[int], "Box[int]", "", id="a generic class"),
            pytest.param(Joke, "Joke", "A joke.", id="a TypedDict"),
            pytest.param(JSON_SCHEMA, "City", "A place.", id="a JSON schema"),
            pytest.param(UNTITLED, DEFAULT_NAME, "", id="an untitled one"),
            pytest.param({"properties": {}}, DEFAULT_NAME, "", id="properties without a type"),
            pytest.param(Node.model_json_schema(), "Node", "A tree.", id="a reference"),
        ],
    )
    def test_name_and_description_come_from_the_schema(self, schema, name, description) -> None:
        """They tell the model what the answer is."""
        output = create_structured_output(schema)
        assert (output.name, output.description) == (name, description)
        assert output.openai_tool["function"]["name"] == name
        assert output.response_format["json_schema"]["name"] == name
        for line in filter(None, description.split("\n\n")):
            assert f"# {line}" in describe_function(schema)
            assert describe_json(schema).count(f"# {line}") == 1

    def test_functions_own_name_and_description_take_precedence(self) -> None:
        """Over those of its parameters."""
        function = {"name": "f", "description": "Mine.", "parameters": JSON_SCHEMA}
        output = create_structured_output(function)
        assert (output.name, output.description, output.schema) == ("f", "Mine.", JSON_SCHEMA)

    @pytest.mark.parametrize("key", ["anyOf", "oneOf"])
    def test_schema_of_alternatives_is_accepted(self, key) -> None:
        """For JSON; a function has named arguments."""
        schema = {key: [JSON_SCHEMA, {"type": "null"}]}
        output = create_structured_output(schema)
        assert output.schema == schema
        with pytest.raises(ValueError, match="is not an object"):
            _ = output.openai_tool

    def test_equal_conversions_have_one_identity(self) -> None:
        """It holds the class, the name and the schema."""
        output = create_structured_output(Even)
        assert output.class_name == f"{Even.__module__}.Even"
        assert output.identity == f"{output.class_name} Even {output.schema!r}"
        assert create_structured_output(JSON_SCHEMA).class_name == ""

    def test_function_or_tool_is_a_schema(self) -> None:
        """It is not called."""

        def add(a: int, b: int = 0) -> int:
            """Add."""
            raise AssertionError

        for given in (add, tool(add)):
            output = create_structured_output(given)
            assert output.name == "add"
            assert output.convert({"a": "1"}) == {"a": 1}

    def test_dataclass_is_shown_with_its_fields(self) -> None:
        """And its docstring, with pydantic 2.11 and newer."""
        description = "Point(\n x: int,\n y: int = 0,\n labels?: list[str],\n)"
        assert describe_function(Point).removeprefix("# A point.\n") == description

    def test_langchains_annotations_are_shown(self) -> None:
        """The default and the description are in the annotation."""
        assert describe_function(Joke) == (
            "# A joke.\nJoke(\n setup: str, # The first line.\n"
            " rating: int | None = None, # From 1 to 10.\n)"
        )

    def test_optional_keys_of_a_typed_dict(self) -> None:
        """By `NotRequired` and `total`, of the class and its bases."""
        description = describe_function(Album)
        assert "\n title: str,\n seconds?: int,\n artist: str | None,\n" in description
        assert "\n kind?: 'CD' | 'LP',\n sold?: int, # (>= 0)\n" in description
        assert "tracks?: list[Track]" in description

    def test_default_that_is_not_json_is_omitted_without_a_warning(self) -> None:
        """The user did nothing wrong."""

        class Odd(BaseModel):
            x: Any = object()

        with warnings.catch_warnings(action="error"):
            assert describe_function(Odd).endswith("Odd(\n x?: any,\n)")

    @pytest.mark.parametrize(
        ("schema", "reason"),
        [
            pytest.param(5, "it is an unknown kind of schema", id="a number"),
            pytest.param(list[int], "it is an unknown kind of schema", id="a generic type"),
            pytest.param(Cat | Dog, "it is an unknown kind of schema", id="a union"),
            pytest.param(object, "it is an unknown kind of schema", id="a class without fields"),
            pytest.param(Point(1), "it is an unknown kind of schema", id="an object of a class"),
            pytest.param({}, "it has no properties", id="an empty dict"),
            pytest.param({"parameters": 5}, "its schema is not a dict", id="no schema"),
            pytest.param(
                Ring,
                "the TypedDict Ring contains itself; use a pydantic class",
                id="a recursive dict",
            ),
        ],
    )
    def test_other_values_are_refused(self, schema, reason) -> None:
        """The message says what to pass."""
        with pytest.raises(ValueError, match="cannot be used as a schema") as caught:
            create_structured_output(schema)
        assert str(caught.value) == (
            f"{schema!r} cannot be used as a schema: {reason}. Pass a pydantic class, a "
            "dataclass, a TypedDict or a JSON schema of an object; wrap a list or a scalar in one."
        )

    def test_class_without_a_json_schema_is_refused(self) -> None:
        """With a ValueError instead of pydantic's own error."""

        class Odd(BaseModel):
            run: type(len)

            model_config = {"arbitrary_types_allowed": True}

        with pytest.raises(ValueError, match="Odd.*cannot be used as a schema"):
            create_structured_output(Odd)

    @pytest.mark.parametrize(
        "schema",
        [
            pytest.param(Numbers, id="a list"),
            pytest.param(RootModel[Cat | Dog], id="a union"),
            pytest.param({"type": "array", "items": {"type": "integer"}}, id="a JSON schema"),
        ],
    )
    def test_schema_of_a_list_or_union_works_with_json_only(self, schema) -> None:
        """A function has named arguments."""
        output = create_structured_output(schema)
        assert output.response_format["json_schema"]["schema"]
        with pytest.raises(ValueError, match="is not an object") as caught:
            _ = output.openai_tool
        assert str(caught.value) == (
            f"{output.name} is not an object, so its fields cannot be a function's arguments. "
            "Wrap it in an object, or pass method='json_schema'."
        )


class TestMismatches:
    """Values that do not match the schema."""

    @pytest.mark.parametrize(
        ("schema", "value", "reason"),
        [
            pytest.param(Person, {**PERSON, "age": -1}, "^age: .* equal to 0$", id="a range"),
            pytest.param(Person, {**PERSON, "address": {}}, "^address.street: Field", id="nested"),
            pytest.param(Person, {"name": 5, "age": "x"}, "^age: .*; address: Field", id="several"),
            pytest.param(Person, [PERSON], "^Input should be an object$", id="a list"),
            pytest.param(Even, {"number": 3}, "^number: Value error, it is odd.$", id="validator"),
            pytest.param(Even, {"number": 7}, "^KeyError: 'seven'$", id="a validator that fails"),
            pytest.param(
                Owner,
                {"pet": {"kind": "cat", "lives": 9}, "other": {"kind": "bird"}},
                "other: Input tag 'bird'",
                id="an unknown alternative",
            ),
            pytest.param(Point, {"y": 1}, "^x: Field required$", id="a dataclass"),
            pytest.param(Track, {"title": "a"}, "^artist: Field required$", id="a TypedDict"),
            pytest.param(Box[float], {"value": math.inf}, "written as JSON", id="infinity"),
            pytest.param(JSON_SCHEMA, {}, "schema: required 'name' is missing", id="a JSON schema"),
        ],
    )
    def test_mismatch_says_where_and_why(self, schema, value, reason) -> None:
        """The model reads it: no URLs, and not the value."""
        with pytest.raises(ValueError, match=reason) as caught:
            create_structured_output(schema).convert(value)
        assert type(caught.value) is ValueError
        assert "http" not in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_an_error_of_a_validator_is_the_cause_unless_pydantic_wraps_it(self) -> None:
        """For debugging a class; pydantic's error would keep all frames alive."""

        class Faulty(BaseModel):
            number: int

            @field_validator("number")
            @classmethod
            def check(cls, value: int) -> int:
                raise (KeyError if value else ValueError)("x")

        output = create_structured_output(Faulty)
        with pytest.raises(ValueError, match=r"^KeyError: 'x'$") as caught:
            output.convert({"number": 1})
        assert isinstance(caught.value.__cause__, KeyError)
        with pytest.raises(ValueError, match=r"^number: Value error, x$") as caught:
            output.convert({"number": 0})
        assert caught.value.__context__ is None

    def test_deep_value_is_refused(self) -> None:
        """It raises no RecursionError."""
        value: Any = 1
        for _ in range(5_000):
            value = [value]
        with pytest.raises(ValueError, match="cannot be written as JSON|too deep|recursion limit"):
            create_structured_output(Box[Any]).convert({"value": value})


def call(name: str = "Even", **arguments: Any) -> AIMessage:
    """Return a reply that is a call."""
    return AIMessage("", tool_calls=[tool_call(name=name, args=arguments, id="1")])


def unreadable(error: str | None, metadata: dict | None = None) -> AIMessage:
    """Return a reply that is an invalid call."""
    broken = invalid_tool_call(name="Even", args="Even(number=)", id="1", error=error)
    return AIMessage("", invalid_tool_calls=[broken], response_metadata=metadata or {})


class Price(BaseModel):
    """A price."""

    value: Decimal | None


EVEN = create_structured_output(Even)


class TestRequirement:
    """What is added to the request."""

    @pytest.mark.parametrize(
        ("method", "required"),
        [
            (
                "function_calling",
                {
                    "tools": [EVEN.openai_tool],
                    "tool_choice": {"type": "function", "function": {"name": "Even"}},
                    "parallel_tool_calls": False,
                },
            ),
            ("json_schema", {"response_format": EVEN.response_format}),
            ("json_mode", {"response_format": {"type": "json_object"}}),
        ],
    )
    def test_every_method_has_its_own_arguments(self, method, required) -> None:
        """One call of the only tool, or a format of the reply."""
        assert create_requirement(EVEN, method) == required

    def test_strictness_is_passed_with_the_schema(self) -> None:
        """As OpenAI expects it."""
        required = create_requirement(EVEN, "json_schema", strict=True)
        inner = {**EVEN.response_format["json_schema"], "strict": True}
        assert required == {"response_format": {"type": "json_schema", "json_schema": inner}}

    @pytest.mark.parametrize(
        ("method", "message"),
        [
            (
                "function_calling",
                "method='function_calling' needs a schema; only 'json_mode' does not.",
            ),
            ("json_schema", "method='json_schema' needs a schema; only 'json_mode' does not."),
            (
                "magic",
                "method='magic' is unknown. Pass 'function_calling', 'json_schema' or 'json_mode'.",
            ),
        ],
    )
    def test_method_that_cannot_be_used_is_refused(self, method, message) -> None:
        """Only any object needs no schema."""
        assert create_requirement(None, "json_mode") == create_requirement(EVEN, "json_mode")
        with pytest.raises(ValueError, match="method=") as caught:
            create_requirement(None, method)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("calls", "recorded", "described"),
    [
        pytest.param([], {}, "", id="no call"),
        pytest.param([("f", "1", "why")], {}, "f: why", id="a reason"),
        pytest.param([(None, "1", "why")], {}, "why", id="a call without a name"),
        pytest.param([("f", "1", None)], {"1": "kept"}, "f: kept", id="a reason in the metadata"),
        pytest.param([("f", "1", None)], {"2": "kept"}, "f: ", id="a reason of another call"),
        pytest.param([("f", "1", None)], None, "f: ", id="no metadata"),
        pytest.param([("f", "1", "a"), ("g", "2", "b")], {}, "f: a; g: b", id="two calls"),
    ],
)
def test_invalid_calls_are_described(calls, recorded, described) -> None:
    """The model reads it. LangChain drops the errors when it merges chunks."""
    broken = [invalid_tool_call(name=name, args="", id=id_, error=why) for name, id_, why in calls]
    metadata = {} if recorded is None else {"invalid_tool_call_errors": recorded}
    message = AIMessage("", invalid_tool_calls=broken, response_metadata=metadata)
    assert describe_invalid_calls(message) == described


class TestReplies:
    """Replies become objects."""

    @pytest.mark.parametrize(
        "message",
        [
            pytest.param(call(number=2), id="a call"),
            pytest.param(AIMessage('{"number": 2}'), id="JSON"),
            pytest.param(AIMessage("Here:\n```json\n{'number': '2'}\n```"), id="Python in a fence"),
            pytest.param(AIMessage([{"type": "text", "text": '{"number": 2}'}]), id="blocks"),
            pytest.param(
                AIMessage("5", tool_calls=call(number=2).tool_calls), id="a call beside text"
            ),
        ],
    )
    def test_object_is_read_from_a_call_or_from_json(self, message) -> None:
        """Whichever the model wrote."""
        assert read_structured_output(message, EVEN) == Even(number=2)
        assert parse_structured_output(message, EVEN) == Even(number=2)
        assert parse_beside_raw(message, EVEN) == {
            "raw": message,
            "parsed": Even(number=2),
            "parsing_error": None,
        }

    @pytest.mark.parametrize(
        ("message", "reason", "written"),
        [
            pytest.param(call(number=3), "Value error, it is odd.", "", id="a mismatching call"),
            pytest.param(
                AIMessage('{"number": 3}'), "Value error, it is odd.", '{"number": 3}', id="JSON"
            ),
            pytest.param(
                AIMessage("Two."), "neither a function call nor valid JSON", "Two.", id="text"
            ),
            pytest.param(AIMessage(""), "neither a function call nor valid JSON", "", id="nothing"),
            pytest.param(
                unreadable("a value is missing"),
                "Even: a value is missing",
                "Even(number=)",
                id="a call that cannot be run",
            ),
            pytest.param(
                unreadable(None, {"invalid_tool_call_errors": {"1": "a value is missing"}}),
                "Even: a value is missing",
                "Even(number=)",
                id="the same, merged from chunks",
            ),
        ],
    )
    def test_reply_without_an_object_says_why(self, message, reason, written) -> None:
        """LangChain's own error, with the model's text; beside the raw reply if requested."""
        with pytest.raises(OutputParserException, match="The reply contains no Even: ") as caught:
            parse_structured_output(message, EVEN)
        assert str(caught.value).splitlines()[0].endswith(reason)
        assert written in caught.value.llm_output
        beside = parse_beside_raw(message, EVEN)
        assert (beside["raw"], beside["parsed"]) == (message, None)
        assert str(beside["parsing_error"]) == str(caught.value)

    @pytest.mark.parametrize("output", [EVEN, None])
    def test_two_different_calls_are_refused(self, output) -> None:
        """None of them is chosen; the same call twice is one answer."""
        calls = call(number=2).tool_calls
        with pytest.raises(ValueError, match="two different objects match"):
            read_structured_output(
                AIMessage("", tool_calls=[*calls, *call(number=4).tool_calls]), output
            )
        twice = read_structured_output(AIMessage("", tool_calls=calls * 2), output)
        assert twice in (Even(number=2), {"number": 2})

    def test_only_call_that_matches_is_the_answer(self) -> None:
        """As with JSON."""
        calls = [*call(number=3).tool_calls, *call(number=4).tool_calls]
        assert read_structured_output(AIMessage("", tool_calls=calls), EVEN) == Even(number=4)

    @pytest.mark.parametrize(
        ("properties", "text", "reason"),
        [
            pytest.param(
                {"a": {"type": "string", "format": "date"}},
                '{"a": "x"}',
                "a: must meet",
                id="format",
            ),
            pytest.param({"n": {"not": {"const": 1}}}, '{"n": 1}', "n: must not match", id="not"),
            pytest.param(
                {"n": {"oneOf": [{"type": "integer"}, {"minimum": 0}]}},
                '{"n": 1}',
                "n: matches several",
                id="one of two",
            ),
            pytest.param({"n": {"properties": {}}}, '{"n": "x"}', "n: expected object", id="type"),
        ],
    )
    def test_json_schema_is_checked_in_full(self, properties, text, reason) -> None:
        """Nothing else checks a dict; where a type is missing, its other keys tell it."""
        schema = {"title": "A", "type": "object", "properties": properties}
        with pytest.raises(ValueError, match=f"does not match the schema: {reason}"):
            create_structured_output(schema).find(text)
        with pytest.raises(ValueError, match=f"does not match the schema: {reason}"):
            ResponseFormat(schema).read(text)

    @pytest.mark.parametrize("total", ["1.10", "3.0", "0.50", "12345678901234567.89"])
    def test_decimal_keeps_its_digits(self, total) -> None:
        """From JSON and from a call."""
        output = create_structured_output(Price)
        tools = create_toolset([output.openai_tool])
        [read] = parse_reply(f"[{output.name}(value={total})]", tools).calls
        for message in (AIMessage("", tool_calls=[read]), AIMessage(f'{{"value": {total}}}')):
            assert str(read_structured_output(message, output).value) == total

    def test_json_is_extracted_as_it_was_written(self) -> None:
        """The schema finds it; nothing is coerced, and no digit lost."""
        text = (
            'Here:\n```json\n{"name": "Oslo", "people": "7", "area": 454.000000000000000001}\n```'
        )
        output = create_structured_output(JSON_SCHEMA)
        assert output.extract_json(text) == (
            '{"name": "Oslo", "people": "7", "area": 454.000000000000000001}'
        )

    def test_json_mode_accepts_any_object(self) -> None:
        """But not a list."""
        assert read_structured_output(AIMessage('{"a": [1]}'), None) == {"a": [1]}
        for text in ("[1]", "null", "5"):
            with pytest.raises(NotJSONError, match="not a JSON object"):
                read_structured_output(AIMessage(text), None)
        with pytest.raises(OutputParserException, match="contains no JSON object: not valid JSON"):
            parse_structured_output(AIMessage("x"), None)

    @pytest.mark.parametrize("include_raw", [False, True])
    def test_parser_has_a_name_in_traces(self, include_raw) -> None:
        """Not that of a lambda."""
        parser = create_parser(EVEN, include_raw=include_raw)
        assert parser.get_name() == (
            "parse_beside_raw" if include_raw else "parse_structured_output"
        )
        read = parser.invoke(call(number="2"))
        assert (read["parsed"] if include_raw else read) == Even(number=2)


class TestTracing:
    """What traces show."""

    @pytest.mark.parametrize("schema", [Person, Node, Joke, JSON_SCHEMA, FUNCTION])
    def test_traced_schema_equals_langchains(self, schema) -> None:
        """The standard tests compare it."""
        output = create_structured_output(schema)
        traced = create_tracing_format(output, schema, method="json_mode", strict=None)
        assert traced == {
            "kwargs": {"method": "json_mode"},
            "schema": convert_to_json_schema(schema),
        }

    @pytest.mark.parametrize("schema", [UNTITLED, Node.model_json_schema(), Album, Numbers])
    def test_traced_schema_falls_back_to_the_json_schema(self, schema) -> None:
        """LangChain drops schemas without a title, and warns about mixed versions of pydantic."""
        output = create_structured_output(schema)
        with warnings.catch_warnings(action="error"):
            traced = create_tracing_format(output, schema, method="json_schema", strict=True)
        assert traced["kwargs"] == {"method": "json_schema", "strict": True}
        assert traced["schema"]["title"] == output.name
        assert traced["schema"].keys() >= output.schema.keys()
        assert convert_to_json_schema(traced["schema"])["title"] == output.name

    def test_traced_schema_of_json_mode_is_none(self) -> None:
        """It needs no schema."""
        traced = create_tracing_format(None, None, method="json_mode", strict=None)
        assert traced == {"kwargs": {"method": "json_mode"}, "schema": None}
