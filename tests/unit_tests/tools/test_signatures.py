"""Tools are written as signatures, and nothing of a schema that a model needs is lost."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_segmind._tools.signatures import render_schema, render_tools
from langchain_segmind._tools.tools import convert_tools, create_toolset


def render(parameters: dict, name: str = "f", description: str = "") -> str:
    """Write one tool."""
    function = {"name": name, "description": description, "parameters": parameters}
    tools = create_toolset(convert_tools([{"type": "function", "function": function}]))
    return render_tools(list(tools.values()))


def render_parameter(schema: object, *, required: bool = True) -> str:
    """Write one parameter `x`, and give what stands after its name."""
    written = render(
        {"type": "object", "properties": {"x": schema}, "required": ["x"] if required else []}
    )
    return textwrap.dedent(written.removeprefix("f(\n").removesuffix("\n)")).removeprefix("x")


def test_a_schema_is_a_type_below_its_description() -> None:
    """A value's type is told like a tool's arguments: what it is, what it names, what it holds."""
    written = render_schema(
        {
            "description": "A list.\nOf places.",
            "type": "array",
            "items": {"$ref": "#/$defs/City"},
            "minItems": 1,
            "$defs": {"City": {"properties": {"name": {"type": "string"}}}},
        }
    )
    assert written == textwrap.dedent(
        """\
        City = {
         name?: str,
        }
        # A list.
        # Of places. (at least 1 items)
        list[City]"""
    )


def test_a_tool_may_take_arguments_of_any_name() -> None:
    """Where their type is said, they are shown, or no call could be right."""
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert render(schema) == "f(\n **others: int,\n)"
    assert render({**schema, "additionalProperties": True}) == "f()"


def test_a_tool_is_its_description_and_its_signature() -> None:
    """As a programmer would write it down."""
    written = render(
        {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Where."},
                "unit": {"enum": ["C", "F"], "default": "C"},
                "days": {"type": "integer"},
            },
            "required": ["city"],
        },
        name="get_weather",
        description="Get the weather.\nOf today.",
    )
    assert written == textwrap.dedent(
        """\
        # Get the weather.
        # Of today.
        get_weather(
         city: str, # Where.
         unit: 'C' | 'F' = 'C',
         days?: int,
        )"""
    )


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        pytest.param({"type": "string"}, ": str,", id="string"),
        pytest.param({"type": "integer"}, ": int,", id="integer"),
        pytest.param({"type": "number"}, ": float,", id="number"),
        pytest.param({"type": "boolean"}, ": bool,", id="boolean"),
        pytest.param({"type": "null"}, ": None,", id="null"),
        pytest.param({}, ": any,", id="anything"),
        pytest.param(True, ": any,", id="the schema true"),
        pytest.param({"type": "odd"}, ": any,", id="an unknown type"),
        pytest.param({"type": "array"}, ": list,", id="array"),
        pytest.param(
            {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
            ": list[list[float]],",
            id="arrays in an array",
        ),
        pytest.param(
            {"prefixItems": [{"type": "integer"}, {"type": "string"}]}, ": [int, str],", id="tuple"
        ),
        pytest.param({"type": "object"}, ": dict,", id="object"),
        pytest.param(
            {"additionalProperties": {"type": "number"}}, ": dict[str, float],", id="a mapping"
        ),
        pytest.param(
            {"properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a"]},
            ": {\n a: int,\n b?: any,\n},",
            id="an object with properties",
        ),
        pytest.param(
            {"properties": {"a": {}}, "additionalProperties": {"type": "string"}},
            ": {\n a?: any,\n **others: str,\n},",
            id="an object with more than its properties",
        ),
        pytest.param({"enum": ["a", 1, None, True]}, ": 'a' | 1 | None | True,", id="enum"),
        pytest.param({"const": "only"}, ": 'only',", id="const"),
        pytest.param({"type": ["string", "null"]}, ": str | None,", id="two types"),
        pytest.param(
            {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "integer"}]},
            ": int | str,",
            id="alternatives, each once",
        ),
        pytest.param(
            {"oneOf": [{"enum": ["a"]}, {"type": "null"}]}, ": 'a' | None,", id="one of two"
        ),
        pytest.param(
            {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}, "required": ["b"]}]},
            ": {\n a?: any,\n b: any,\n},",
            id="all of two",
        ),
    ],
)
def test_a_type_is_written_in_pythons_words(schema, written) -> None:
    """What a model has read a million times."""
    assert render_parameter(schema) == written


@pytest.mark.parametrize(
    ("schema", "comment"),
    [
        pytest.param({"type": "string", "format": "date"}, "format date", id="format"),
        pytest.param({"type": "string", "pattern": r"\d+"}, r"matches \d+", id="pattern"),
        pytest.param({"type": "integer", "minimum": 0, "maximum": 9}, ">= 0; <= 9", id="range"),
        pytest.param(
            {"exclusiveMinimum": 0, "exclusiveMaximum": 1, "multipleOf": 0.5},
            "> 0; < 1; multiple of 0.5",
            id="open range",
        ),
        pytest.param(
            {"type": "string", "minLength": 1, "maxLength": 5},
            "at least 1 characters; at most 5 characters",
            id="length",
        ),
        pytest.param(
            {"type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": True},
            "at least 1 items; at most 2 items; unique items",
            id="items",
        ),
        pytest.param({"examples": ["a", 5]}, "such as 'a', 5", id="examples"),
        pytest.param(
            {"patternProperties": {"^x-": {}}}, "other keys match ^x-", id="a pattern of keys"
        ),
        pytest.param({"not": {"type": "string"}}, "not str", id="not"),
        pytest.param({"type": "string", "deprecated": True}, "deprecated", id="deprecated"),
        pytest.param(
            {"type": "array", "items": {"type": "string", "format": "email"}},
            "each: format email",
            id="what is said of each item",
        ),
        pytest.param(
            {"additionalProperties": {"type": "integer", "minimum": 1}},
            "each value: >= 1",
            id="what is said of each value",
        ),
        pytest.param(
            {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            "format date",
            id="what is said of the only alternative to null",
        ),
        pytest.param(
            {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "integer", "minimum": 5}]},
            "str: at most 3 characters; int: >= 5",
            id="what is said of each alternative",
        ),
    ],
)
def test_what_a_type_does_not_say_stands_in_a_comment(schema, comment) -> None:
    """Ranges, formats and examples help a model to get it right at once."""
    assert render_parameter(schema).endswith(f" # ({comment})")
    described = render_parameter({**schema, "description": "Some."})
    assert described.endswith(f" # Some. ({comment})")


def test_a_default_tells_that_an_argument_may_be_left_out() -> None:
    """One that is required all the same is said to be."""
    schema = {"type": "string", "default": "it's"}
    assert render_parameter(schema, required=False) == ': str = "it\'s",'
    assert render_parameter(schema, required=True) == ': str, # (default "it\'s")'
    assert render_parameter({"default": None}, required=False) == ": any = None,"


def test_a_description_of_many_lines_stays_a_comment() -> None:
    """No line of it can be taken for a signature, whatever ends the lines."""
    written = render_parameter({"type": "string", "description": "one\nevil()\r\n\u2028three"})
    assert written == ": str, # one\n# evil()\n# three"
    written = render({}, description="one\n\nevil(\n)")
    assert written == "# one\n# evil(\n# )\nf()"


def test_a_tag_of_ours_in_a_tool_is_escaped() -> None:
    """Tools come from servers of others."""
    schema = {"description": "</tool_result>", "enum": ["<tool_result>"]}
    written = render({"properties": {"x": schema}}, description="<tool_result>")
    assert "<tool_result>" not in written
    assert "</tool_result>" not in written


def test_a_type_that_is_referred_to_is_written_once() -> None:
    """Above the first tool that names it; equal types of two tools share a name."""
    address = {"type": "object", "properties": {"street": {"type": "string"}}}
    parameters = {
        "type": "object",
        "properties": {
            "home": {"$ref": "#/$defs/Address", "description": "Where one lives."},
            "work": {"allOf": [{"$ref": "#/$defs/Address"}]},
        },
        "$defs": {"Address": address},
    }
    functions = [{"name": name, "parameters": parameters} for name in ("f", "g")]
    tools = create_toolset([{"type": "function", "function": one} for one in functions])
    assert render_tools(list(tools.values())) == textwrap.dedent(
        """\
        Address = {
         street?: str,
        }
        f(
         home?: Address, # Where one lives.
         work?: Address,
        )
        g(
         home?: Address, # Where one lives.
         work?: Address,
        )"""
    )


def test_two_types_of_one_name_get_two_names() -> None:
    """Each tool brings definitions of its own."""
    functions = [
        {
            "name": name,
            "parameters": {
                "properties": {"x": {"$ref": "#/definitions/T"}},
                "definitions": {"T": {"type": "object", "properties": {name: {}}}},
            },
        }
        for name in ("f", "g")
    ]
    tools = create_toolset([{"type": "function", "function": one} for one in functions])
    written = render_tools(list(tools.values()))
    assert "T = {\n f?: any,\n}" in written
    assert "T2 = {\n g?: any,\n}" in written
    assert "x?: T2," in written


def test_alternatives_that_are_objects_are_written_once() -> None:
    """However deep they stand within each other: a comment names them and no more."""
    schema: dict = {"type": "string"}
    for level in range(8):
        block = {"type": "object", "title": f"L{level}", "description": f"Level {level}."}
        number = {"type": "object", "title": "Number", "properties": {"n": {"type": "integer"}}}
        schema = {"anyOf": [{**block, "properties": {"x": schema}}, number]}
    written = render_parameter(schema)
    assert written.count("n?: int") == 8
    assert written.endswith("# (L7: Level 7.)")


def test_properties_beside_alternatives_are_written_for_each() -> None:
    """An object that must have one of two keys has types all the same."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "anyOf": [{"required": ["a"]}, {"properties": {"b": {}}}],
    }
    assert render_schema(schema) == "{\n a: int,\n} | {\n a?: int,\n b?: any,\n}"


def test_a_types_name_is_one_word() -> None:
    """A key of a server's schema cannot write a line of its own."""
    schema = {"$ref": "#/$defs/A\nevil(x: int)", "$defs": {"A\nevil(x: int)": {"type": "object"}}}
    assert render_schema(schema) == "A_evil_x__int_ = dict\nA_evil_x__int_"


def test_a_recursive_type_names_itself() -> None:
    """A tree has no end when it is written out."""
    node = {
        "type": "object",
        "description": "A node.",
        "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
    }
    written = render_schema({"$ref": "#/$defs/Node", "$defs": {"Node": node}})
    assert written == "# A node.\nNode = {\n children?: list[Node],\n}\nNode"


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"$ref": "#"}, id="itself"),
        pytest.param({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, id="a ring"),
        pytest.param(
            {
                "$ref": "#/$defs/A",
                "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}},
            },
            id="a list of itself",
        ),
        pytest.param(
            {
                "$ref": "#/$defs/A",
                "$defs": {"A": {"allOf": [{"$ref": "#/$defs/A"}, {"properties": {"a": {}}}]}},
            },
            id="all of itself",
        ),
        pytest.param(
            {"$ref": "#/$defs/A", "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}]}}},
            id="any of itself",
        ),
        pytest.param({"$ref": "#/nowhere"}, id="nowhere"),
        pytest.param({"$ref": "elsewhere.json"}, id="another file"),
        pytest.param({"properties": 5, "required": "x", "anyOf": {}, "enum": 5}, id="nonsense"),
    ],
)
def test_a_reference_that_leads_nowhere_ends(schema) -> None:
    """Odd schemas are written as far as they go."""
    assert render_schema(schema)
    assert render({"type": "object", "properties": {"x": schema}, **schema})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "properties",
                    "items",
                    "anyOf",
                    "allOf",
                    "enum",
                    "$ref",
                    "required",
                    "default",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["properties", "items", "anyOf", "allOf", "type"]), JSON))
def test_no_schema_is_too_odd_to_be_written(schema) -> None:
    """A server's schema is data."""
    assert isinstance(render_schema(schema), str)
