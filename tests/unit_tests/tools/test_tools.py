"""Tools of every kind are converted to one form, without losing types."""

import json
import sys
from typing import Annotated, Any

import pytest
from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool, Tool, tool
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from langchain_segmind._tools.signatures import render_tools
from langchain_segmind._tools.tools import _create_toolset, convert_tools, create_toolset
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

    @pytest.mark.parametrize("kind", ["web_search_preview_2025_03_11", "mcp"])
    def test_built_in_or_nameless_tool_is_refused(self, kind) -> None:
        """Nothing here can run it."""
        with pytest.raises(ValueError, match=f"built into another provider \\('{kind}'\\)"):
            convert_tools([{"type": kind, "name": kind}])
        with pytest.raises(ValueError, match="Pass a function"):
            convert_tools([{"type": "function", "function": "add"}])
        with pytest.raises(ValueError, match="has no name"):
            convert_tools([{"type": "function", "function": {"name": " "}}])

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

        with pytest.raises(ValueError, match="cannot be bound as a tool: no schema"):
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
        with pytest.raises(ValueError, match="Two different tools are named 'add'"):
            convert_tools([one, other])


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
    with pytest.raises(ValueError, match="Pass a list of tools"):
        convert_tools(tools)
