"""Schemas of every kind are described to the model, and its values become objects of them."""

import pickle
import sys
import warnings
from typing import Any

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel, RootModel, ValidationError

from langchain_segmind._output.response_format import NotJSONError, parse_response_format
from langchain_segmind._output.structured_output import (
    DEFAULT_NAME,
    create_parser,
    create_structured_output,
    create_tracing_format,
    parse_beside_raw,
    parse_structured_output,
    read_structured_output,
)
from langchain_segmind._tools import (
    ToolChoice,
    convert_tools,
    create_toolset,
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
    Color,
    Dog,
    Even,
    Exact,
    Joke,
    Node,
    Numbers,
    Owner,
    Person,
    Point,
    Ring,
    Track,
)


def say(schema: Any) -> str:
    """Write what a model is told about the function of a schema."""
    tools = create_toolset(convert_tools([create_structured_output(schema).openai_tool]))
    return render_instructions(tools, ToolChoice(), parallel=False).partition("\n\n")[2]


def say_json(schema: Any) -> str:
    """Write what a model is told about the JSON of a schema."""
    wanted = parse_response_format(create_structured_output(schema).response_format)
    return wanted.render_instructions(with_tools=False).partition("\n\n")[2]


class TestSchemas:
    """What may be passed."""

    @pytest.mark.parametrize(("schema", "value", "wanted"), FITTING)
    def test_a_value_that_fits_becomes_an_object(self, schema, value, wanted) -> None:
        """An instance of a class, and a dict of all else."""
        converted = create_structured_output(schema).convert(value)
        assert converted == wanted
        assert type(converted) is type(wanted)

    @pytest.mark.parametrize(("schema", "value", "wanted"), FITTING)
    def test_every_schema_is_told_in_a_call_and_in_json(self, schema, value, wanted) -> None:
        """All names that a value may hold stand there."""
        described = create_structured_output(schema).schema
        names = get_properties(resolve(described, described)).keys() & value.keys()
        assert all(f" {name}" in told for name in names for told in (say(schema), say_json(schema)))

    @pytest.mark.skipif(sys.version_info >= (3, 14), reason="pydantic 1 ends with Python 3.13")
    def test_classes_of_pydantic_1_are_taken(self) -> None:
        """Nested ones, recursive ones, and their validators."""
        from pydantic import v1  # noqa: PLC0415 - not on every Python

        class OldAddress(v1.BaseModel):
            street: str

        class OldPerson(v1.BaseModel):
            """Somebody."""

            name: str
            age: int = v1.Field(ge=0)
            address: OldAddress
            friends: list["OldPerson"] = []

        OldPerson.update_forward_refs(OldPerson=OldPerson)
        output = create_structured_output(OldPerson)
        value = {"name": "Ann", "age": "5", "address": {"street": "Elm"}}
        person = output.convert({**value, "friends": [value]})
        assert isinstance(person, OldPerson)
        assert isinstance(person.friends[0].address, OldAddress)
        assert "street: str" in say(OldPerson)
        assert "friends: list[OldPerson] = []" in say_json(OldPerson)
        with pytest.raises(ValueError, match="greater than or equal to 0"):
            output.convert({**value, "age": -1})

    @pytest.mark.parametrize(
        ("schema", "name", "description"),
        [
            pytest.param(Person, "Person", "Somebody.\n\nAs we know them.", id="a class"),
            pytest.param(Node, "Node", "A tree.", id="a recursive class"),
            pytest.param(Box[int], "Box[int]", "", id="a generic class"),
            pytest.param(Joke, "Joke", "A joke.", id="a TypedDict"),
            pytest.param(JSON_SCHEMA, "City", "A place.", id="a JSON schema"),
            pytest.param(UNTITLED, DEFAULT_NAME, "", id="an untitled one"),
            pytest.param(FUNCTION, "City", "A place.", id="a function"),
            pytest.param(Node.model_json_schema(), "Node", "A tree.", id="a reference"),
        ],
    )
    def test_a_schema_has_a_name_and_a_description(self, schema, name, description) -> None:
        """They tell the model what the answer is."""
        output = create_structured_output(schema)
        assert (output.name, output.description) == (name, description)
        assert output.openai_tool["function"]["name"] == name
        assert output.response_format["json_schema"]["name"] == name
        for line in filter(None, description.split("\n\n")):
            assert say(schema).count(f"# {line}") in {1, 2}  # above a recursive type as well
            assert say_json(schema).count(f"# {line}") == 1

    def test_a_function_or_a_tool_may_say_what_the_arguments_are(self) -> None:
        """Its signature is the schema; it is not called."""

        def add(a: int, b: int = 0) -> int:
            """Add."""
            raise AssertionError

        for given in (add, tool(add)):
            output = create_structured_output(given)
            assert output.name == "add"
            assert output.convert({"a": "1"}) == {"a": 1}

    def test_a_dataclass_is_told_by_its_fields(self) -> None:
        """Its docstring, too, where pydantic (2.11 and newer) hands it on."""
        told = "Point(\n x: int,\n y: int = 0,\n labels?: list[str],\n)"
        assert say(Point).removeprefix("# A point.\n") == told

    def test_langchains_annotations_are_told(self) -> None:
        """The default and the description stand in the annotation."""
        assert say(Joke) == (
            "# A joke.\nJoke(\n setup: str, # The first line.\n"
            " rating: int | None = None, # From 1 to 10.\n)"
        )

    def test_a_typed_dict_says_which_keys_may_be_missing(self) -> None:
        """By `NotRequired` and `total`, of the class and of those it inherits from."""
        told = say(Album)
        assert "\n title: str,\n seconds?: int,\n artist: str | None,\n" in told
        assert "\n kind?: 'CD' | 'LP',\n sold?: int, # (>= 0)\n" in told
        assert "tracks?: list[Track]" in told

    def test_a_default_that_is_no_json_is_left_out_in_silence(self) -> None:
        """The user's own program did nothing wrong."""

        class Odd(BaseModel):
            x: Any = object()

        with warnings.catch_warnings(action="error"):
            assert say(Odd).endswith("Odd(\n x?: any,\n)")

    @pytest.mark.parametrize(
        ("schema", "reason"),
        [
            pytest.param(5, "unknown kind", id="a number"),
            pytest.param("Person", "unknown kind", id="a name"),
            pytest.param(Person(**PERSON), "unknown kind", id="an instance"),
            pytest.param(Color, "unknown kind", id="an Enum"),
            pytest.param(int, "unknown kind", id="a type"),
            pytest.param(list[int], "wrap a list", id="a generic type"),
            pytest.param(Cat | Dog, "unknown kind", id="a union"),
            pytest.param({}, "has no properties", id="an empty dict"),
            pytest.param({"title": "City"}, "has no properties", id="a title alone"),
            pytest.param({"parameters": 5}, "is not a dict", id="no schema"),
            pytest.param(Ring, "contains itself; use a pydantic class", id="a recursive dict"),
        ],
    )
    def test_what_is_no_schema_is_refused(self, schema, reason) -> None:
        """The message says what to pass."""
        with pytest.raises(ValueError, match="cannot be used as a schema") as caught:
            create_structured_output(schema)
        assert reason in str(caught.value)
        assert "Pass a pydantic class" in str(caught.value)
        assert ".." not in str(caught.value).replace("...", "")

    def test_a_class_that_no_json_can_describe_is_refused(self) -> None:
        """Pydantic's own error is none that a caller expects."""

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
    def test_what_is_no_object_can_be_json_only(self, schema) -> None:
        """A function has named arguments."""
        output = create_structured_output(schema)
        assert output.response_format["json_schema"]["schema"]
        with pytest.raises(ValueError, match="is not an object.* method='json_schema'"):
            _ = output.openai_tool

    def test_a_root_model_is_read_from_json(self) -> None:
        """A list of numbers is an answer."""
        assert create_structured_output(Numbers).convert([1, "2"]) == Numbers([1, 2])

    @pytest.mark.parametrize("schema", [Person, Point, Joke, JSON_SCHEMA, Box[int]])
    def test_it_is_pickled_with_what_uses_it(self, schema) -> None:
        """Workers get the runnable whole."""
        output = create_structured_output(schema)
        again = pickle.loads(pickle.dumps(output))
        assert again.schema == output.schema
        value = {"name": "a", "age": 1, "address": {"street": "b"}, "x": 1, "setup": "c",
                 "value": 1}  # fmt: skip
        assert again.convert(value) == output.convert(value)


class TestMisfits:
    """Values that are not of the schema."""

    @pytest.mark.parametrize(
        ("schema", "value", "reason"),
        [
            pytest.param(Person, {**PERSON, "age": -1}, "^age: .* equal to 0$", id="a range"),
            pytest.param(
                Person, {**PERSON, "address": {}}, r"^address\.street: Field required$", id="nested"
            ),
            pytest.param(
                Person, {"name": 5, "age": "x"}, "^name: .*; age: .*; address: ", id="several"
            ),
            pytest.param(Person, {**PERSON, "color": "green"}, "'red' or 'blue'", id="an enum"),
            pytest.param(Person, [PERSON], "^Input should be an object$", id="a list"),
            pytest.param(Person, None, "^Input should be an object$", id="null"),
            pytest.param(Even, {"number": 3}, "^number: Value error, it is odd.$", id="validator"),
            pytest.param(Even, {"number": 7}, "^KeyError: 'seven'$", id="a validator that fails"),
            pytest.param(
                Exact,
                {"day": "2024-05-01", "number": 5, "more": 1},
                "^more: Extra inputs are not permitted$",
                id="an extra key",
            ),
            pytest.param(Exact, {"day": "May", "number": 5}, "^day: ", id="no date"),
            pytest.param(
                Owner,
                {"pet": {"kind": "cat", "lives": 9}, "other": {"kind": "bird"}},
                "other: Input tag 'bird'",
                id="an unknown alternative",
            ),
            pytest.param(Box[int], {"value": "many"}, "^value: ", id="a generic class"),
            pytest.param(Point, {"y": 1}, "^x: Field required$", id="a dataclass"),
            pytest.param(Track, {"title": "a"}, "^artist: Field required$", id="a TypedDict"),
            pytest.param(
                Box[float], {"value": float("inf")}, "cannot be written as JSON", id="infinity"
            ),
            pytest.param(
                JSON_SCHEMA,
                {},
                "does not match the schema: required 'name' is missing",
                id="a missing key",
            ),
            pytest.param(JSON_SCHEMA, {"name": []}, "name: expected string", id="a wrong type"),
            pytest.param(JSON_SCHEMA, [{"name": "a"}], "expected object", id="a list for a dict"),
            pytest.param(
                {**JSON_SCHEMA, "additionalProperties": False},
                {"name": "a", "more": 1},
                "more: value is not allowed here",
                id="a key that is not there",
            ),
        ],
    )
    def test_the_reason_is_short_and_says_where(self, schema, value, reason) -> None:
        """It goes to the model, without addresses and without the value."""
        with pytest.raises(ValueError, match=reason) as caught:
            create_structured_output(schema).convert(value)
        assert type(caught.value) is ValueError
        assert "http" not in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_the_cause_is_pydantics_own_error(self) -> None:
        """Who debugs a class sees all of it."""
        with pytest.raises(ValueError, match="age") as caught:
            create_structured_output(Person).convert({**PERSON, "age": -1})
        assert isinstance(caught.value.__cause__, ValidationError)

    def test_nothing_is_too_deep(self) -> None:
        """A reply may be anything."""
        value: Any = 1
        for _ in range(5_000):
            value = [value]
        with pytest.raises(ValueError, match="cannot be written as JSON|too deep|recursion limit"):
            create_structured_output(Box[Any]).convert({"value": value})


def call(name: str = "Even", **arguments: Any) -> AIMessage:
    """Build a reply that is a call."""
    return AIMessage("", tool_calls=[tool_call(name=name, args=arguments, id="1")])


def unreadable(error: str | None, metadata: dict | None = None) -> AIMessage:
    """Build a reply that is a call which cannot be run."""
    broken = invalid_tool_call(name="Even", args="Even(number=)", id="1", error=error)
    return AIMessage("", invalid_tool_calls=[broken], response_metadata=metadata or {})


EVEN = create_structured_output(Even)


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
    def test_an_object_is_read_from_a_call_or_from_json(self, message) -> None:
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
            pytest.param(call(number=3), "it is odd", "", id="a call that does not fit"),
            pytest.param(AIMessage('{"number": 3}'), "it is odd", '{"number": 3}', id="JSON"),
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
    def test_a_reply_without_one_says_why(self, message, reason, written) -> None:
        """LangChain's own error, with the model's text; beside the raw reply where asked for."""
        with pytest.raises(OutputParserException, match="The reply contains no Even: ") as caught:
            parse_structured_output(message, EVEN)
        assert reason in str(caught.value)
        assert written in caught.value.llm_output
        beside = parse_beside_raw(message, EVEN)
        assert (beside["raw"], beside["parsed"]) == (message, None)
        assert str(beside["parsing_error"]) == str(caught.value)

    def test_any_object_will_do_without_a_schema(self) -> None:
        """As `json_mode` has it; a list is none."""
        assert read_structured_output(AIMessage('{"a": [1]}'), None) == {"a": [1]}
        for text in ("[1]", "null", "5"):
            with pytest.raises(NotJSONError, match="not a JSON object"):
                read_structured_output(AIMessage(text), None)
        with pytest.raises(OutputParserException, match="contains no JSON object: not valid JSON"):
            parse_structured_output(AIMessage("x"), None)

    @pytest.mark.parametrize("include_raw", [False, True])
    def test_the_parser_has_a_name_in_traces(self, include_raw) -> None:
        """Not that of a lambda."""
        parser = create_parser(EVEN, include_raw=include_raw)
        assert parser.get_name() == (
            "parse_beside_raw" if include_raw else "parse_structured_output"
        )


class TestTracing:
    """What traces are told."""

    @pytest.mark.parametrize("schema", [Person, Node, Joke, JSON_SCHEMA, FUNCTION])
    def test_the_schema_is_as_langchain_writes_it(self, schema) -> None:
        """The standard tests compare it."""
        output = create_structured_output(schema)
        told = create_tracing_format(output, schema, method="json_mode", strict=None)
        assert told == {
            "kwargs": {"method": "json_mode"},
            "schema": convert_to_json_schema(schema),
        }

    @pytest.mark.parametrize("schema", [UNTITLED, Node.model_json_schema(), Album, Numbers])
    def test_what_langchain_cannot_write_is_our_own_with_a_name(self, schema) -> None:
        """LangChain drops a schema without a title, and warns of mixed versions of pydantic."""
        output = create_structured_output(schema)
        with warnings.catch_warnings(action="error"):
            told = create_tracing_format(output, schema, method="json_schema", strict=True)
        assert told["kwargs"] == {"method": "json_schema", "strict": True}
        assert told["schema"]["title"] == output.name
        assert told["schema"].keys() >= output.schema.keys()
        assert convert_to_json_schema(told["schema"])["title"] == output.name

    def test_without_a_schema_there_is_none(self) -> None:
        """`json_mode` goes without."""
        told = create_tracing_format(None, None, method="json_mode", strict=None)
        assert told == {"kwargs": {"method": "json_mode"}, "schema": None}
