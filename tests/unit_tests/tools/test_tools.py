"""Tools of every kind are converted to one form, without losing types."""

import json
import math
import sys
from typing import Annotated, Any

import pytest
from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool, Tool, tool
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, RootModel
from typing_extensions import TypedDict

from langchain_segmind import ChatSegmindGPT4Turbo
from langchain_segmind._tools.instructions import render_instructions
from langchain_segmind._tools.signatures import render_tools
from langchain_segmind._tools.tool_choice import ToolChoice
from langchain_segmind._tools.tools import (
    _close_objects,
    _count_inlined,
    _create_toolset,
    compile_names,
    convert_tools,
    create_toolset,
)
from tests.support.schemas import INTEGER, STRING, make_tool

PARAMETERS = {
    "type": "object",
    "properties": {"a": INTEGER, "b": {**INTEGER, "default": 0}},
    "required": ["a"],
}
FUNCTION = {"name": "add", "description": "Add two numbers.", "parameters": PARAMETERS}
ADD = {"type": "function", "function": FUNCTION}
ANTHROPIC = {"name": "add", "description": "Add two numbers.", "input_schema": PARAMETERS}
SCHEMA = {"title": "add", "description": "Add two numbers.", **PARAMETERS}


def add(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b


async def add_later(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b


add_later.__name__ = "add"


class Add(BaseModel):
    """Add two numbers."""

    a: int
    b: int = 0


class AddDict(TypedDict):
    """Add two numbers."""

    a: int
    b: Annotated[int, 0]


AddDict.__name__ = "add"


class AddTool(BaseTool):
    """Adds."""

    name: str = "add"
    description: str = "Add two numbers."

    def _run(self, a: int, b: int = 0) -> int:
        return a + b


class Node(BaseModel):
    """A tree."""

    title: str = Field(description="Its name.")
    children: list["Node"] = []


class Person(BaseModel):
    """Somebody."""

    employer: "Company | None" = None


class Company(BaseModel):
    """Their employer."""

    staff: list[Person]


def get_signature(given: Any, **options: Any) -> str:
    """Return a tool as the model sees it."""
    return render_tools(list(create_toolset(convert_tools([given], **options)).values()))


class TestKinds:
    """Tools that can be bound."""

    @pytest.mark.parametrize(
        "given",
        [
            pytest.param(add, id="a function"),
            pytest.param(add_later, id="an async function"),
            pytest.param(tool(add), id="a decorated function"),
            pytest.param(StructuredTool.from_function(add), id="a StructuredTool"),
            pytest.param(AddTool(), id="a BaseTool"),
            pytest.param(AddDict, id="a TypedDict"),
            pytest.param(ADD, id="OpenAI's tool"),
            pytest.param(FUNCTION, id="OpenAI's function"),
            pytest.param(SCHEMA, id="a JSON schema"),
            pytest.param(ANTHROPIC, id="Anthropic's tool"),
            pytest.param(
                StructuredTool(name="add", description="Add two numbers.", args_schema=PARAMETERS),
                id="a tool with a JSON schema",
            ),
            pytest.param(tool("add", args_schema=Add)(lambda a, b: a + b), id="args_schema"),
        ],
    )
    def test_every_kind_has_the_same_signature(self, given) -> None:
        """The model does not see how a tool was made."""
        assert get_signature(given) == "# Add two numbers.\nadd(\n a: int,\n b: int = 0,\n)"

    def test_pydantic_class_is_a_tool(self) -> None:
        """Its fields are the arguments; a dict needs none, and no description that is text."""
        assert get_signature(Add) == "# Add two numbers.\nAdd(\n a: int,\n b: int = 0,\n)"
        for function in ({"name": "now"}, {"name": "now", "parameters": {}}):
            assert get_signature({"type": "function", "function": function}) == "now()"
        odd = {"type": "function", "function": {"name": "f", "description": 5}}
        assert get_signature(odd) == "# 5\nf()"

    @pytest.mark.skipif(sys.version_info >= (3, 14), reason="pydantic 1 ends with Python 3.13")
    def test_pydantic_1_class_is_a_tool(self) -> None:
        """Older packages still use them."""
        from pydantic import v1  # noqa: PLC0415 - not on every Python

        class Old(v1.BaseModel):
            """Old."""

            a: int

        assert get_signature(Old) == "# Old.\nOld(\n a: int,\n)"

    def test_single_input_tool_takes_langchains_argument(self) -> None:
        """`Tool` takes one text without a name."""
        given = Tool(name="search", description="Search.", func=str)
        assert get_signature(given) == "# Search.\nsearch(\n __arg1: str,\n)"

    @pytest.mark.parametrize(("kind", "shown"), [(str, "str"), (Node, "Node")])
    def test_injected_argument_is_not_shown(self, kind, shown) -> None:
        """The program passes it, not the model."""

        @tool
        def save(thing: kind, user: Annotated[str, InjectedToolArg]) -> str:
            """Save."""
            return f"{thing}{user}"

        assert get_signature(save).endswith(f"# Save.\nsave(\n thing: {shown},\n)")

    def test_empty_list_of_tools(self) -> None:
        """Agents bind one."""
        assert convert_tools([]) == []
        assert not create_toolset([])
        assert create_toolset([]).tool_name is None

    def test_given_dict_is_not_modified(self) -> None:
        """Even if all arguments become required."""
        before = json.dumps(ADD)
        convert_tools([ADD, SCHEMA, FUNCTION])
        convert_tools([FUNCTION], strict=True)
        assert json.dumps(ADD) == before

    @pytest.mark.parametrize("given", [Add, Node, tool(add), FUNCTION])
    def test_strict_tool_is_marked(self, given) -> None:
        """In the dict, as OpenAI does."""
        (converted,) = convert_tools([given], strict=True)
        assert converted["function"]["strict"] is True
        assert next(iter(create_toolset([converted]).values())).strict
        (converted,) = convert_tools([given])
        assert "strict" not in converted["function"]


class TestRefusals:
    """Tools that cannot be bound."""

    @pytest.mark.parametrize("strict", [None, True])
    @pytest.mark.parametrize("kind", ["web_search_preview_2025_03_11", "mcp"])
    def test_built_in_or_nameless_tool_is_refused(self, kind, strict) -> None:
        """Nothing here can run it."""
        given = {"type": kind, "name": kind}
        with pytest.raises(ValueError, match="built into another provider") as caught:
            convert_tools([given], strict=strict)
        assert str(caught.value) == (
            f"The tool {given!r} is built into another provider ({kind!r}); Segmind has no "
            "built-in tools. Pass a function, a BaseTool, a pydantic class, or "
            "{'type': 'function', 'function': {'name': ..., 'parameters': ...}}."
        )
        with pytest.raises(ValueError, match=r"another provider \('function'\)"):
            convert_tools([{"type": "function", "function": "add"}], strict=strict)
        for name in (" ", 5, None):
            given = {"type": "function", "function": {"name": name}}
            with pytest.raises(ValueError, match="no name") as caught:
                convert_tools([given], strict=strict)
            assert str(caught.value).startswith(f"A tool has no name: {given!r:.40}")

    def test_custom_tool_is_refused(self) -> None:
        """OpenAI's free-text tools have no arguments."""
        given = Tool(
            name="run", description="Run.", func=str, metadata={"type": "custom_tool", "format": {}}
        )
        with pytest.raises(ValueError, match="'custom'"):
            convert_tools([given])

    @pytest.mark.parametrize(
        "given",
        [
            pytest.param({}, id="an empty dict"),
            pytest.param({"type": "object", "properties": {}}, id="a schema without a title"),
            pytest.param(5, id="a number"),
            pytest.param("add", id="a name"),
        ],
    )
    def test_refused_tool_is_shown(self, given) -> None:
        """In the message."""
        with pytest.raises(ValueError, match="cannot be bound as a tool") as caught:
            convert_tools([given])
        assert repr(given) in str(caught.value)

    def test_type_without_a_schema_is_refused(self) -> None:
        """With a ValueError instead of pydantic's own error."""

        class Odd(BaseModel):
            run: object

            @classmethod
            def __get_pydantic_json_schema__(cls, *_: Any) -> Any:
                raise RuntimeError("no schema")

        with pytest.raises(ValueError, match="cannot be bound as a tool: no schema$"):
            convert_tools([Odd])


class TestDuplicates:
    """Two tools with one name."""

    def test_repeated_tool_is_bound_once(self) -> None:
        """Titles make no difference."""
        properties = {"a": {**INTEGER, "title": "A"}, "b": {**INTEGER, "default": 0, "title": "B"}}
        titled = {**PARAMETERS, "title": "add", "properties": properties}
        again = {"type": "function", "function": {**FUNCTION, "parameters": titled}}
        assert convert_tools([ADD, again, FUNCTION]) == [ADD]

    @pytest.mark.parametrize("name", ["b", "title"])
    def test_different_tools_with_one_name_are_refused(self, name) -> None:
        """A call would be ambiguous; a property can be named title."""
        one, other = (make_tool("add", **{name: schema}) for schema in (STRING, INTEGER))
        assert convert_tools([one, one]) == [one]
        with pytest.raises(ValueError, match="named") as caught:
            convert_tools([one, other])
        assert str(caught.value) == "Two different tools are named 'add'. Rename one of them."


@tool
def plant(tree: Node) -> str:
    """Plant a tree."""
    return tree.title


TREE = "# A tree.\nNode = {\n title: str, # Its name.\n children: list[Node] = [],\n}"


class TestRecursion:
    """Tools with recursive types."""

    @pytest.mark.parametrize(
        ("given", "signature"),
        [
            pytest.param(
                Company,
                "# Their employer.\nCompany = {\n staff: list[Person],\n}\n"
                "# Somebody.\nPerson = {\n employer: Company | None = None,\n}\n"
                "# Their employer.\nCompany(\n staff: list[Person],\n)",
                id="two classes that hold each other",
            ),
            pytest.param(plant, f"{TREE}\n# Plant a tree.\nplant(\n tree: Node,\n)", id="a tool"),
            pytest.param(
                StructuredTool(
                    name="plant",
                    description="Plant a tree.",
                    args_schema={
                        "$defs": Node.model_json_schema()["$defs"],
                        "properties": {"tree": {"$ref": "#/$defs/Node"}},
                        "required": ["tree"],
                    },
                ),
                f"{TREE}\n# Plant a tree.\nplant(\n tree: Node,\n)",
                id="a server's tool",
            ),
        ],
    )
    def test_recursive_type_is_written_completely(self, given, signature) -> None:
        """LangChain's own conversion cuts it off after the first level."""
        assert get_signature(given) == signature

    def test_recursive_tool_has_no_titles(self) -> None:
        """They only cost tokens; a property of that name stays."""
        (converted,) = convert_tools([plant])
        assert converted["function"]["name"] == "plant"
        assert converted["function"]["parameters"]["$defs"]["Node"]["properties"] == {
            "title": {"type": "string", "description": "Its name."},
            "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}, "default": []},
        }
        assert '"title": "' not in json.dumps(converted)

    def test_tools_own_description_takes_precedence(self) -> None:
        """Without one, its arguments' description is used."""
        named = StructuredTool(name="t", description="Mine.", args_schema=Node)
        assert "# Mine.\nt(" in get_signature(named)
        unnamed = StructuredTool(name="t", description="", args_schema=Node)
        assert "# A tree.\nt(" in get_signature(unnamed)

    def test_other_types_are_converted_by_langchain(self) -> None:
        """Only recursive ones are not."""

        class City(BaseModel):
            """A city."""

            name: str

        class Trip(BaseModel):
            start: City

        (converted,) = convert_tools([Trip])
        assert "$defs" not in converted["function"]["parameters"]
        assert "Trip(\n start: {\n  name: str,\n }, # A city.\n)" in get_signature(Trip)

    def test_types_that_repeat_each_other_are_not_inlined(self) -> None:
        """Forty levels of two references each would take a trillion copies."""
        reference = "#/$defs/L{}".format
        levels = {
            f"L{level}": {"properties": {key: {"$ref": reference(level + 1)} for key in "ab"}}
            for level in range(15)
        }
        schema = {
            "type": "object",
            "properties": {"x": {"$ref": reference(0)}},
            "$defs": {**levels, "L15": {"type": "object"}},
        }
        given = StructuredTool(name="f", description="F.", args_schema=schema)
        assert get_signature(given).endswith("L0 = {\n a?: L1,\n b?: L1,\n}\n# F.\nf(\n x?: L0,\n)")


class ByAlias(BaseModel):
    """Takes aliases."""

    class_: str = Field(alias="class")
    limit: int = Field(5, validation_alias=AliasChoices(AliasPath("x", "y"), "max-items"))


class ByGenerator(BaseModel):
    """Takes generated aliases."""

    model_config = ConfigDict(alias_generator=str.upper)

    class_: str
    limit: int = 5


class ByOneAlias(BaseModel):
    """Takes an alias and a name."""

    class_: str = Field(alias="class")
    limit: int = 5


class ByOtherAlias(BaseModel):
    """Takes a name and an alias."""

    class_: str
    limit: int = Field(5, alias="most")


class ByName(BaseModel):
    """Takes names and aliases."""

    model_config = ConfigDict(populate_by_name=True)

    class_: str = Field(alias="class")
    limit: int = 5


class ByNameOnly(BaseModel):
    """Takes names."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=False)

    class_: str = Field(alias="class")
    limit: int = 5


class AllOptional(BaseModel):
    """Requires nothing."""

    class_: str = Field("a", alias="class")
    limit: int = 7


class ByEither(BaseModel):
    """Takes one of two aliases, of which one is the name."""

    class_: str = Field(validation_alias=AliasChoices("class", "class_"))
    limit: int = Field(5, serialization_alias="other")


def show_class(class_: str, limit: int) -> str:
    """Show."""
    return f"{class_} {limit}"


@tool
def show_annotated(
    class_: Annotated[str, Field(alias="class")],
    user: Annotated[str, InjectedToolArg],
    limit: int = 5,
) -> str:
    """Show."""
    return f"{class_} {limit}{user}"


class TestAliases:
    """Arguments are shown under the name that LangChain's tools take."""

    @pytest.mark.parametrize(
        ("model", "names"),
        [
            pytest.param(ByAlias, ["class", "max-items"], id="aliases"),
            pytest.param(ByGenerator, ["CLASS_", "LIMIT"], id="a generator of aliases"),
            pytest.param(ByOneAlias, ["class", "limit"], id="one alias"),
            pytest.param(ByOtherAlias, ["class_", "most"], id="an alias of the other"),
            pytest.param(ByName, ["class_", "limit"], id="names too"),
            pytest.param(
                ByNameOnly,
                ["class_", "limit"],
                id="names only",
                marks=pytest.mark.skipif(
                    "validate_by_name" not in ConfigDict.__annotations__,
                    reason="this pydantic has no models that take names only",
                ),
            ),
            pytest.param(ByEither, ["class_", "limit"], id="a choice of both"),
        ],
    )
    def test_tool_runs_with_the_shown_names(self, model, names) -> None:
        """LangChain's own schema shows the names of the fields, which the tool refuses."""
        given = StructuredTool.from_function(show_class, name="show", args_schema=model)
        (bound,) = create_toolset(convert_tools([given])).values()
        assert list(bound.properties) == names
        assert get_signature(given).endswith(f"show(\n {names[0]}: str,\n {names[1]}: int = 5,\n)")
        assert given.invoke(dict(zip(names, ["a", 7], strict=True))) == "a 7"
        given = StructuredTool.from_function(show_class, name="show", args_schema=AllOptional)
        assert "show(\n class: str = 'a',\n" in get_signature(given)

    def test_alias_in_a_signature_is_not_shown(self) -> None:
        """LangChain leaves it out of the tool too."""
        assert get_signature(show_annotated).endswith(
            "show_annotated(\n class_: str,\n limit: int = 5,\n)"
        )
        assert show_annotated.invoke({"class_": "a", "limit": 7, "user": "!"}) == "a 7!"


def place(**arguments: object) -> str:
    """Place an order."""
    return json.dumps(arguments)


CAT = {"properties": {"kind": {"const": "cat"}, "lives": INTEGER}, "required": ["kind"]}
DOG = {"properties": {"kind": {"const": "dog"}, "name": STRING}, "required": ["kind", "name"]}


class TestAlternatives:
    """Tools with alternatives at the top of their schema, such as those of MCP servers."""

    def test_alternatives_are_shown_and_their_arguments_known(self) -> None:
        """As signatures of one name; a call of each runs."""
        schema = {"title": "X", "type": "object", "oneOf": [CAT, DOG]}
        given = StructuredTool.from_function(place, name="place", args_schema=schema)
        assert get_signature(given) == (
            "# Place an order.\nplace(\n kind: 'cat',\n lives?: int,\n)\n"
            "place(\n kind: 'dog',\n name: str,\n)"
        )
        (bound,) = create_toolset(convert_tools([given])).values()
        assert list(bound.properties) == ["kind", "lives", "name"]
        assert bound.properties["kind"] == {"anyOf": [{"const": "cat"}, {"const": "dog"}]}
        assert "required" not in bound.parameters
        assert given.invoke({"kind": "dog", "name": "Rex"}) == '{"kind": "dog", "name": "Rex"}'

    def test_json_schema_of_alternatives_keeps_them(self) -> None:
        """LangChain drops a schema without properties."""
        schema = {"title": "pet", "description": "A pet.", "anyOf": [CAT, DOG]}
        assert get_signature(schema).startswith("# A pet.\npet(\n kind: 'cat',")
        for part in ({"allOf": [CAT]}, {"$ref": "#/$defs/Cat", "$defs": {"Cat": CAT}}):
            assert get_signature({"title": "pet", **part}) == (
                "pet(\n kind: 'cat',\n lives?: int,\n)"
            )

    def test_class_of_alternatives_is_shown(self) -> None:
        """A pydantic root model."""

        class Cat(BaseModel):
            lives: int

        class Dog(BaseModel):
            name: str

        class Pet(RootModel[Cat | Dog]):
            """A pet."""

        assert get_signature(Pet) == "# A pet.\nPet(\n lives: int,\n)\nPet(\n name: str,\n)"

    def test_undeclared_required_argument_is_known(self) -> None:
        """The tool demands it."""
        schema = {"type": "object", "properties": {}, "required": ["id"]}
        given = StructuredTool.from_function(place, name="place", args_schema=schema)
        (bound,) = create_toolset(convert_tools([given])).values()
        assert bound.properties == {"id": {}}
        assert get_signature(given) == "# Place an order.\nplace(\n id: any,\n)"
        assert given.invoke({"id": 5}) == '{"id": 5}'


OPEN = {"properties": {}}
CLOSED = {"properties": {}, "additionalProperties": False}


class TestStrict:
    """Strict tools keep their own schema."""

    def test_optional_arguments_stay_optional_and_mappings_open(self) -> None:
        """LangChain's option, made for OpenAI, requires all arguments and closes all mappings."""
        properties = {"a": INTEGER, "map": {"type": "object", "additionalProperties": INTEGER}}
        schema = {"type": "object", "properties": properties, "required": ["a"]}
        assert get_signature({"name": "f", "parameters": schema}, strict=True) == (
            "f(\n a: int,\n map?: dict[str, int],\n)"
        )
        assert get_signature({"name": "now"}, strict=True) == "now()"

    def test_openai_tool_is_marked(self) -> None:
        """It is not converted, but the option is for all tools."""
        (converted,) = convert_tools([ADD], strict=True)
        assert converted == {"type": "function", "function": {**FUNCTION, "strict": True}}
        assert "strict" not in FUNCTION
        with pytest.raises(ValueError, match="strict") as caught:
            convert_tools([converted], strict=False)
        assert str(caught.value).endswith(
            "cannot be bound as a tool: it has strict=True, but strict=False is passed"
        )

    @pytest.mark.parametrize("key", ["items", "additionalProperties", "then", "else"])
    def test_schema_under_a_key_is_closed(self, key) -> None:
        """Items, values of mappings and branches; `true` and malformed ones stay."""
        assert _close_objects({key: OPEN}) == {key: CLOSED}
        assert _close_objects({key: {key: OPEN}}) == {key: {key: CLOSED}}
        assert _close_objects({key: True}) == {key: True}
        assert _close_objects({key: [OPEN]}) == {key: [OPEN]}

    @pytest.mark.parametrize("key", ["allOf", "anyOf", "oneOf", "prefixItems"])
    def test_schemas_in_a_list_are_closed(self, key) -> None:
        """Alternatives, parts and the first items."""
        assert _close_objects({key: [OPEN, True, {key: [OPEN]}]}) == {
            key: [CLOSED, True, {key: [CLOSED]}]
        }
        assert _close_objects({key: OPEN}) == {key: OPEN}

    @pytest.mark.parametrize(
        "key", ["patternProperties", "dependentSchemas", "$defs", "definitions"]
    )
    def test_schemas_by_name_are_closed(self, key) -> None:
        """Whatever the names are."""
        assert _close_objects({key: {"a": OPEN, "items": OPEN, "b": True}}) == {
            key: {"a": CLOSED, "items": CLOSED, "b": True}
        }
        assert _close_objects({key: [OPEN]}) == {key: [OPEN]}

    @pytest.mark.parametrize("key", ["not", "if", "contains", "propertyNames", "default", "const"])
    def test_other_keys_stay_open(self, key) -> None:
        """A closed schema would match less there, and a value is no schema."""
        assert _close_objects({key: OPEN}) == {key: OPEN}
        assert _close_objects({key: [OPEN]}) == {key: [OPEN]}

    @pytest.mark.parametrize(
        "schema",
        [
            pytest.param({"properties": {}, "additionalProperties": True}, id="an open one"),
            pytest.param({"properties": {}, "patternProperties": {}}, id="patterns"),
            pytest.param({"type": "object"}, id="no properties"),
        ],
    )
    def test_object_that_describes_others_stays_open(self, schema) -> None:
        """The schema says so itself."""
        assert _close_objects(schema) == schema
        assert _close_objects(OPEN)["additionalProperties"] is False

    def test_objects_are_closed_where_that_keeps_their_meaning(self) -> None:
        """Not within `not` or a default, nor if other properties are described."""
        other = {"properties": {"x": {}}, "additionalProperties": True}
        patterns = {"properties": {}, "patternProperties": {"^x": {"properties": {}}}}
        properties = {
            "properties": {"properties": {"b": {}}, "default": {"properties": {}}},
            "items": {"items": {"properties": {}}, "not": {"properties": {}}},
            "any": {"anyOf": [{"properties": {}}, other, True], "oneOf": 5},
            "patterns": patterns,
        }
        converted = convert_tools(
            [{"name": "f", "parameters": {"properties": properties}}], strict=True
        )
        (bound,) = create_toolset(converted).values()
        closed = {"properties": {}, "additionalProperties": False}
        assert bound.root == {
            "properties": {
                "properties": {
                    "properties": {"b": {}},
                    "default": {"properties": {}},
                    "additionalProperties": False,
                },
                "items": {"items": closed, "not": {"properties": {}}},
                "any": {"anyOf": [closed, other, True], "oneOf": 5},
                "patterns": {"properties": {}, "patternProperties": {"^x": closed}},
            },
            "additionalProperties": False,
        }


def test_large_tool_is_refused_when_it_is_bound() -> None:
    """Not in the first call. The error names it."""
    large = make_tool("large", x={"enum": ["value"] * 100_000})
    with pytest.raises(ValueError, match="The schema of the tool 'large' cannot be written"):
        ChatSegmindGPT4Turbo(api_key="fake").bind_tools([add, large])


def test_signatures_are_rendered_once() -> None:
    """All calls with equal tools share them."""
    tools = create_toolset(convert_tools([add]))
    assert tools.signatures in render_instructions(tools, ToolChoice(), parallel=True)
    assert tools.signatures is create_toolset(convert_tools([add])).signatures


@pytest.mark.parametrize(
    ("schema", "count"),
    [
        pytest.param({}, 1, id="no part"),
        pytest.param({"a": {"b": 1}, "c": [1, 2]}, 6, id="each dict, list and value"),
        pytest.param({"$ref": "#/$defs/A", "$defs": {"A": {"x": 1}}}, 4, id="a reference"),
        pytest.param(
            {"a": {"$ref": "#/definitions/A"}, "definitions": {"A": {"x": [1]}}},
            6,
            id="an older reference",
        ),
        pytest.param(
            {
                "a": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/A"}],
                "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {}, "C": {"x": 1}},
            },
            12,
            id="references to a reference",
        ),
        pytest.param({"$ref": 5}, 2, id="a malformed reference"),
        pytest.param({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#"}}}, math.inf, id="itself"),
    ],
)
def test_parts_are_counted_without_references(schema, count) -> None:
    """Definitions count where they are referred to."""
    assert _count_inlined(schema) == count


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        pytest.param([], None, id="none"),
        pytest.param(["a", "abc", "ab"], "<(abc|ab|a)>", id="the longest first"),
        pytest.param(["a.b(c)"], r"<(a\.b\(c\))>", id="signs of patterns"),
        pytest.param(["", "a=b", "a,b", "it's", 'a"b', "a"], "<(a)>", id="signs of the syntax"),
        pytest.param(["", "a=b"], None, id="only signs of the syntax"),
    ],
)
def test_names_become_a_pattern(names, pattern) -> None:
    """A name that must be quoted is left out: it could take another call's text."""
    compiled = compile_names(names, "<", ">")
    assert (compiled and compiled.pattern) == pattern
    assert compile_names(["b"]).pattern == "(b)"


def test_one_tool_is_selected() -> None:
    """Each selection is made once."""
    tools = create_toolset([make_tool("a"), make_tool("b")])
    assert dict(tools.select("b")) == {"b": tools["b"]}
    assert tools.select("b") is tools.select("b")


def test_longest_name_is_matched_first() -> None:
    """A name does not hide a longer one; the order of the tools is kept."""
    tools = create_toolset([make_tool(name) for name in ("b", "a", "a(b)")])
    assert list(tools) == ["b", "a", "a(b)"]
    assert tools.tool_name.match("a(b) (x=1)")[0] == "a(b)"
    assert tools.tool_name.match("ab(") is None


def test_equal_tools_share_one_toolset() -> None:
    """The cache has a limit, so unused ones are dropped."""
    first = create_toolset(convert_tools([add]))
    assert create_toolset(convert_tools([tool(add)])) is first
    assert create_toolset([]).fingerprint == "[]"
    assert _create_toolset.cache_parameters()["maxsize"]


@pytest.mark.parametrize(
    "tools", [None, 5, "add", {"name": "add"}], ids=["None", "a number", "a text", "a dict"]
)
def test_single_tool_instead_of_a_list_is_refused(tools) -> None:
    """Users forget the list more often than anything else."""
    with pytest.raises(ValueError, match="list") as caught:
        convert_tools(tools)
    assert str(caught.value) == f"Pass a list of tools, not {tools!r}."
