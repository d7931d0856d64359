"""Tools are written as signatures that contain everything a model needs."""

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_segmind._tools.signatures import (
    SchemaTooLargeError,
    SignatureWriter,
    TypeNames,
    render_schema,
    render_tools,
)
from langchain_segmind._tools.tools import convert_tools, create_toolset
from tests.support.schemas import BOOLEAN, INTEGER, NULL, NUMBER, STRING
from tests.support.steps import MAX_STEPS, count_steps


def render_functions(description: str = "", **functions: dict) -> str:
    """Return tools as text, given their parameters by name."""
    tools = [
        {"name": name, "description": description, "parameters": parameters}
        for name, parameters in functions.items()
    ]
    return render_tools(list(create_toolset(convert_tools(tools)).values()))


def render(parameters: dict, name: str = "f", description: str = "") -> str:
    """Return a tool as text."""
    return render_functions(description, **{name: parameters})


def render_parameter(schema: object, *, required: bool = True) -> str:
    """Return what is written after the name of a parameter `x`."""
    written = render(
        {"type": "object", "properties": {"x": schema}, "required": ["x"] if required else []}
    )
    return textwrap.dedent(written.removeprefix("f(\n").removesuffix("\n)")).removeprefix("x")


def test_additional_arguments_are_written_with_their_type() -> None:
    """Without a type, they are left out."""
    schema = {"type": "object", "additionalProperties": INTEGER}
    assert render(schema) == "f(\n **others: int,\n)"
    assert render({**schema, "additionalProperties": True}) == "f()"


def test_tool_is_written_as_a_signature_below_its_description() -> None:
    """As in Python."""
    properties = {
        "city": {**STRING, "description": "Where."},
        "unit": {"enum": ["C", "F"], "default": "C"},
        "days": INTEGER,
    }
    written = render(
        {"type": "object", "properties": properties, "required": ["city"]},
        name="get_weather",
        description="Get the weather.\nOf today.",
    )
    assert written == (
        "# Get the weather.\n# Of today.\nget_weather(\n city: str, # Where.\n"
        " unit: 'C' | 'F' = 'C',\n days?: int,\n)"
    )


def test_schema_is_written_as_a_type_below_its_description() -> None:
    """The types that it names come first."""
    schema = {
        "description": "A list.\nOf places.",
        "type": "array",
        "items": {"$ref": "#/$defs/City"},
        "minItems": 1,
        "$defs": {"City": {"properties": {"name": STRING}}},
    }
    assert render_schema(schema) == (
        "City = {\n name?: str,\n}\n# A list.\n# Of places. (at least 1 items)\nlist[City]"
    )


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        pytest.param(STRING, ": str,", id="string"),
        pytest.param(INTEGER, ": int,", id="integer"),
        pytest.param(NUMBER, ": float,", id="number"),
        pytest.param(BOOLEAN, ": bool,", id="boolean"),
        pytest.param(NULL, ": None,", id="null"),
        pytest.param(True, ": any,", id="the schema true"),
        pytest.param(
            {"type": "object", "propertyNames": STRING}, ": dict,", id="an object of any keys"
        ),
        pytest.param({"prefixItems": [INTEGER, STRING]}, ": [int, str],", id="tuple"),
        pytest.param({"type": "object"}, ": dict,", id="object"),
        pytest.param({"additionalProperties": NUMBER}, ": dict[str, float],", id="a mapping"),
        pytest.param(
            {"properties": {"a": INTEGER, "b": {}}, "required": ["a"]},
            ": {\n a: int,\n b?: any,\n},",
            id="an object with properties",
        ),
        pytest.param(
            {"properties": {"a": {}}, "additionalProperties": STRING},
            ": {\n a?: any,\n **others: str,\n},",
            id="an object with more than its properties",
        ),
        pytest.param({"enum": ["a", 1, None, True]}, ": 'a' | 1 | None | True,", id="enum"),
        pytest.param({"const": "only"}, ": 'only',", id="const"),
        pytest.param({"type": ["string", "null"]}, ": str | None,", id="two types"),
        pytest.param(
            {"anyOf": [INTEGER, STRING, INTEGER]}, ": int | str,", id="alternatives, each once"
        ),
        pytest.param({"oneOf": [{"enum": ["a"]}, NULL]}, ": 'a' | None,", id="one of two"),
        pytest.param(
            {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}, "required": ["b"]}]},
            ": {\n a?: any,\n b: any,\n},",
            id="all of two",
        ),
    ],
)
def test_types_are_written_as_python_types(schema, written) -> None:
    """Models know them best."""
    assert render_parameter(schema) == written


DATE = {**STRING, "format": "date"}


@pytest.mark.parametrize(
    ("schema", "comment"),
    [
        pytest.param({**STRING, "pattern": r"\d+"}, r"matches \d+", id="pattern"),
        pytest.param({**INTEGER, "minimum": 0, "maximum": 9}, ">= 0; <= 9", id="range"),
        pytest.param({"exclusiveMinimum": 0, "exclusiveMaximum": 1}, "> 0; < 1", id="open range"),
        pytest.param({"multipleOf": 0.5}, "multiple of 0.5", id="multiple"),
        pytest.param({"type": "array", "uniqueItems": True}, "unique items", id="unique items"),
        pytest.param({**STRING, "maxLength": 5}, "at most 5 characters", id="maximum length"),
        pytest.param({"minItems": 1}, "at least 1 items", id="minimum of items"),
        pytest.param({"maxItems": 2}, "at most 2 items", id="maximum of items"),
        pytest.param({**STRING, "minLength": 1}, "at least 1 characters", id="length"),
        pytest.param({"examples": ["a", 5]}, "such as 'a', 5", id="examples"),
        pytest.param({"patternProperties": {"^x": {}}}, "other keys match ^x", id="key pattern"),
        pytest.param({"not": STRING}, "not str", id="not"),
        pytest.param({"not": {"pattern": "^x"}}, "not matches ^x", id="not a pattern"),
        pytest.param({"not": {"required": ["a", "b"]}}, "not with a and b", id="not these keys"),
        pytest.param(
            {
                "items": {},
                "contains": {**INTEGER, "minimum": 3},
                "minContains": 2,
                "maxContains": 5,
            },
            "contains int, >= 3; at least 2 of these; at most 5 of these",
            id="contained items",
        ),
        pytest.param(
            {"type": "object", "propertyNames": {"pattern": "^x"}}, "keys: matches ^x", id="keys"
        ),
        pytest.param(
            {"dependentRequired": {"a": ["b", "c"], "d": []}},
            "a needs b and c",
            id="dependent keys",
        ),
        pytest.param(
            {"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}, "else": NULL},
            "if { a?: 1, } then with b else None",
            id="if",
        ),
        pytest.param({**STRING, "deprecated": True}, "deprecated", id="deprecated"),
        pytest.param({"items": DATE}, "each: format date", id="each item"),
        pytest.param({"additionalProperties": DATE}, "each value: format date", id="each value"),
        pytest.param({"anyOf": [DATE, NULL]}, "format date", id="the only alternative to null"),
        pytest.param(
            {"anyOf": [DATE, {**INTEGER, "minimum": 5}]},
            "str: format date; int: >= 5",
            id="each alternative",
        ),
    ],
)
def test_constraints_are_written_in_a_comment(schema, comment) -> None:
    """Ranges, formats and examples help to avoid invalid calls."""
    assert render_parameter(schema).endswith(f" # ({comment})")
    described = render_parameter({**schema, "description": "Some."})
    assert described.endswith(f" # Some. ({comment})")


ADDRESS = {
    "type": "object",
    "description": "Where.",
    "minProperties": 1,
    "properties": {
        "street": STRING,
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Address"}},
    },
    "required": ["street"],
}
CUSTOMER = {
    "type": "object",
    "description": "Who buys.\nAnd pays.",
    "properties": {
        "name": {**STRING, "description": "In full."},
        "tags": {"type": "array", "items": {"enum": ["new", "vip"]}, "default": []},
        "phone numbers": {**STRING, "pattern": r"^\d+$", "description": "One.\nOr two."},
    },
    "required": ["name"],
    "additionalProperties": {"properties": {"note": STRING}, "required": ["note"]},
}
LINE = {
    "properties": {"sku": STRING, "qty": {**INTEGER, "minimum": 1, "default": 1}},
    "required": ["sku", "qty"],
}
PICKUP = {"title": "Pickup", "description": "By hand.", "properties": {"shop": STRING}}
ORDER = {
    "type": "object",
    "properties": {
        "customer": CUSTOMER,
        "lines": {"type": "array", "minItems": 1, "items": LINE},
        "pair": {"prefixItems": [{"properties": {"a": INTEGER}}, {"type": ["integer", "null"]}]},
        "ship": {"anyOf": [PICKUP, {"$ref": "#/$defs/Address"}, NULL]},
        "prices": {
            "additionalProperties": {**NUMBER, "exclusiveMinimum": 0},
            "default": {"a": 1.5},
        },
        "hours": {"additionalProperties": {"properties": {"opens": STRING}}},
        "more": {"$ref": "#/$defs/Address", "description": "Another."},
    },
    "required": ["customer", "lines", "pair"],
    "additionalProperties": False,
    "$defs": {"Address": ADDRESS},
}
ORDER_SIGNATURE = r"""
# Where. (at least 1 keys)
Address = {
 street: str,
 parts?: list[Address],
}
# Place an order.
f(
 customer: {
  name: str, # In full.
  tags: list['new' | 'vip'] = [],
  'phone numbers'?: str, # One.
  # Or two. (matches ^\d+$)
  **others: {
   note: str,
  },
 }, # Who buys.
 # And pays.
 lines: list[{
  sku: str,
  qty: int, # (>= 1; default 1)
 }], # (at least 1 items)
 pair: [{
  a?: int,
 }, int | None],
 ship?: {
  shop?: str,
 } | Address | None, # (Pickup: By hand.)
 prices: dict[str, float] = {'a': 1.5}, # (each value: > 0)
 hours?: dict[str, {
  opens?: str,
 }],
 more?: Address, # Another.
)
"""


def test_nested_types_are_indented_by_one_blank() -> None:
    """Comments stand at the end of what they are about."""
    assert render(ORDER, description="Place an order.") == ORDER_SIGNATURE.strip()


LIMITED = {
    "text": {**STRING, "format": "email", "pattern": "^a", "minLength": 1, "maxLength": 9},
    "shown": {**STRING, "examples": ["a@b", 5], "contentEncoding": "base64", "deprecated": True},
    "old": {**STRING, "example": "x y"},
    "number": {**NUMBER, "minimum": 0, "maximum": 9, "multipleOf": 0.5},
    "open": {**NUMBER, "exclusiveMinimum": -1, "exclusiveMaximum": 10},
    "items": {"type": "array", "minItems": 1, "maxItems": 3, "uniqueItems": True},
    "some": {"type": "array", "contains": {"minimum": 5}, "minContains": 1, "maxContains": 2},
    "keys": {"type": "object", "minProperties": 1, "maxProperties": 4},
    "patterns": {"patternProperties": {"^x": {}, "^y": {}}, "propertyNames": {"maxLength": 3}},
    "needs": {"dependentRequired": {"a b": ["c d", "e"], "f": [5], "g": 5, "h": ["i"]}},
    "without": {"not": {"required": ["a b", "c"]}},
    "unlike": {"not": {"properties": {"a": {}}, "required": ["a"]}},
    "then": {"if": {"minimum": 5}, "then": {"multipleOf": 5}},
    "else": {"if": {"minimum": 5}, "else": {"multipleOf": 5}},
    "nothing": {"if": {"minimum": 5}, "propertyNames": {}, "deprecated": False, "minLength": None},
    "odd": {**STRING, "format": 5, "examples": "one", "patternProperties": 5},
}
LIMITED_SIGNATURE = """
f(
 text?: str, # (format email; matches ^a; at least 1 characters; at most 9 characters)
 shown?: str, # (such as 'a@b', 5; base64; deprecated)
 old?: str, # (such as x y)
 number?: float, # (>= 0; <= 9; multiple of 0.5)
 open?: float, # (> -1; < 10)
 items?: list, # (at least 1 items; at most 3 items; unique items)
 some?: list, # (contains >= 5; at least 1 of these; at most 2 of these)
 keys?: dict, # (at least 1 keys; at most 4 keys)
 patterns?: dict, # (other keys match ^x, ^y; keys: at most 3 characters)
 needs?: any, # ('a b' needs 'c d' and e; h needs i)
 without?: any, # (not with 'a b' and c)
 unlike?: any, # (not { a: any, })
 then?: any, # (if >= 5 then multiple of 5)
 else?: any, # (if >= 5 else multiple of 5)
 nothing?: any,
 odd?: str, # (format 5; other keys match 5; such as one)
)
"""


def test_every_constraint_is_written_once() -> None:
    """Those that say nothing are left out."""
    assert render({"type": "object", "properties": LIMITED}) == LIMITED_SIGNATURE.strip()


TWO = {"properties": {"a": INTEGER, "b": INTEGER}}


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        pytest.param(
            {
                "anyOf": [
                    {**STRING, "title": "Name", "minLength": 1},
                    {**INTEGER, "minimum": 5},
                    {"enum": ["a", "b"], "description": "Fixed."},
                    NULL,
                ]
            },
            "str | int | 'a' | 'b' | None, "
            "# (Name: at least 1 characters; int: >= 5; 'a' | 'b': Fixed.)",
            id="alternatives with labels",
        ),
        pytest.param(
            {"type": ["string", "null"], "minLength": 1},
            "str | None, # (at least 1 characters)",
            id="two types with one constraint",
        ),
        pytest.param(
            {"anyOf": [{"items": {"items": DATE}}, NULL]},
            "list[list[str]] | None, # (each: each: format date)",
            id="items of items",
        ),
        pytest.param(
            {**TWO, "anyOf": [{"required": ["a"]}, {"required": ["b"]}], "description": "One."},
            "{\n a?: int,\n b?: int,\n}, # One. (give at least one of: a | b)",
            id="alternatives that require",
        ),
        pytest.param(
            {**TWO, "anyOf": [{"required": ["a", "b"]}, {"required": ["a"]}]},
            "{\n a?: int,\n b?: int,\n}, # (give at least one of: a and b | a)",
            id="an alternative that requires all",
        ),
        pytest.param(
            {
                **TWO,
                "oneOf": [
                    {"required": ["a"], "type": "object", "additionalProperties": True},
                    {"required": ["b"], "title": "T", "description": "D"},
                ],
            },
            "{\n a?: int,\n b?: int,\n}, # (give exactly one of: a | b)",
            id="alternatives that require, with a title",
        ),
        pytest.param(
            {**TWO, "anyOf": [{"required": ["a"]}, {"required": ["z"]}]},
            "{\n a: int,\n b?: int,\n} | {\n a?: int,\n b?: int,\n z: any,\n},",
            id="a required property that is not declared",
        ),
        pytest.param(
            {**TWO, "oneOf": [{"required": ["a"]}, {"required": []}]},
            "{\n a: int,\n b?: int,\n} | {\n a?: int,\n b?: int,\n},",
            id="an alternative that requires nothing",
        ),
        pytest.param(
            {**TWO, "oneOf": [{"required": ["a"]}], "anyOf": [{"required": ["b"]}]},
            "{\n a: int,\n b?: int,\n}, # (give at least one of: b)",
            id="both kinds of alternatives",
        ),
        pytest.param(
            {**TWO, "oneOf": [{"required": ["a"], "minProperties": 1}]},
            "{\n a: int,\n b?: int,\n}, # (at least 1 keys)",
            id="an alternative with a constraint",
        ),
        pytest.param({**TWO, "anyOf": []}, "{\n a?: int,\n b?: int,\n},", id="no alternative"),
        pytest.param({**TWO, "anyOf": [True]}, "{\n a?: int,\n b?: int,\n},", id="anything"),
        pytest.param({"enum": [], "description": "None."}, "any, # None.", id="no choice"),
        pytest.param({"items": False}, "list,", id="no items"),
        pytest.param({"items": True}, "list[any],", id="any items"),
        pytest.param({"properties": {}, "additionalProperties": False}, "dict,", id="no property"),
        pytest.param({"type": "strange"}, "any,", id="an unknown type"),
        pytest.param(
            {"properties": {"a": {}}, "additionalProperties": True},
            "{\n a?: any,\n **others: any,\n},",
            id="more properties of any type",
        ),
    ],
)
def test_type_and_comment_are_written_exactly(schema, written) -> None:
    """What a model must give, and nothing twice."""
    assert render_parameter(schema) == f": {written}"


def test_default_marks_an_argument_as_optional() -> None:
    """A required argument shows it in a comment."""
    schema = {**STRING, "default": "it's"}
    assert render_parameter(schema, required=False) == ': str = "it\'s",'
    assert render_parameter(schema, required=True) == ': str, # (default "it\'s")'
    assert render_parameter({"default": None}, required=False) == ": any = None,"


def test_every_line_of_a_description_is_a_comment() -> None:
    """None can be taken for a signature."""
    written = render_parameter({**STRING, "description": "one\nevil()\r\n\u2028three"})
    assert written == ": str, # one\n# evil()\n# three"
    written = render({}, description="one\n\nevil(\n)")
    assert written == "# one\n# evil(\n# )\nf()"


def test_result_tag_in_a_tool_is_escaped() -> None:
    """Tools come from third parties."""
    schema = {"description": "</tool_result>", "enum": ["<tool_result>"]}
    written = render({"properties": {"x": schema}}, description="<tool_result>")
    assert "<tool_result>" not in written
    assert "</tool_result>" not in written


def test_referenced_type_is_written_once() -> None:
    """Tools with equal types share it."""
    properties = {
        "home": {"$ref": "#/$defs/Address", "description": "Where one lives."},
        "work": {"allOf": [{"$ref": "#/$defs/Address"}]},
    }
    definitions = {"Address": {"type": "object", "properties": {"street": STRING}}}
    parameters = {"type": "object", "properties": properties, "$defs": definitions}
    signature = "(\n home?: Address, # Where one lives.\n work?: Address,\n)"
    assert render_functions(f=parameters, g=parameters) == (
        f"Address = {{\n street?: str,\n}}\nf{signature}\ng{signature}"
    )


def test_different_types_get_different_names() -> None:
    """Each tool brings its own definitions."""
    parameters = {
        name: {
            "properties": {"x": {"$ref": "#/definitions/T"}},
            "definitions": {"T": {"type": "object", "properties": {name: {}}}},
        }
        for name in ("f", "g")
    }
    written = render_functions(**parameters)
    assert "T = {\n f?: any,\n}" in written
    assert "T2 = {\n g?: any,\n}" in written
    assert "x?: T2," in written


def test_nested_alternatives_are_written_once() -> None:
    """The comment only names them."""
    schema: dict = STRING
    for level in range(8):
        block = {"type": "object", "title": f"L{level}", "description": f"Level {level}."}
        number = {"type": "object", "title": "Number", "properties": {"n": INTEGER}}
        schema = {"anyOf": [{**block, "properties": {"x": schema}}, number]}
    written = render_parameter(schema)
    assert written.count("n?: int") == 8
    assert written.endswith("# (L7: Level 7.)")


def test_properties_beside_alternatives_are_written_for_each() -> None:
    """An object that must have one of two keys still has types."""
    schema = {
        "type": "object",
        "properties": {"a": INTEGER},
        "anyOf": [{"required": ["a"]}, {"properties": {"b": {}}}],
    }
    assert render_schema(schema) == "{\n a: int,\n} | {\n a?: int,\n b?: any,\n}"


def test_required_properties_of_alternatives_are_written_once() -> None:
    """A comment says which of them are needed; the types cost tokens once."""
    schema = {
        "type": "object",
        "properties": {"city": STRING, "zip": STRING, "country": STRING},
        "oneOf": [{"required": ["city"]}, {"required": ["zip", "country"]}],
    }
    fields = " city?: str,\n zip?: str,\n country?: str,\n"
    needed = "# (give exactly one of: city | zip and country)"
    assert render(schema, description="Get.") == f"# Get.\n{needed}\nf(\n{fields})"
    assert render_parameter(schema) == f": {{\n{fields}}}, {needed}"
    any_of = {**schema, "anyOf": schema["oneOf"], "required": ["zip"]}
    del any_of["oneOf"]
    assert "# (give at least one of: city | country)" in render(any_of)


def test_alternative_arguments_are_signatures_of_one_name() -> None:
    """Each has the common arguments."""
    kinds = [
        {"properties": {"kind": {"const": "cat"}, "lives": INTEGER}, "required": ["kind"]},
        {"properties": {"kind": {"const": "dog"}}, "required": ["kind"]},
        {"type": "null"},
    ]
    schema = {"properties": {"id": INTEGER}, "required": ["id"], "anyOf": kinds}
    assert render(schema, description="Get.") == (
        "# Get.\nf(\n id: int,\n kind: 'cat',\n lives?: int,\n)\nf(\n id: int,\n kind: 'dog',\n)"
    )


def test_alternatives_of_several_parts_are_combined() -> None:
    """Each part has some, so all combinations are allowed."""

    def make(one: str, other: str) -> dict:
        return {"anyOf": [{"required": [one]}, {"required": [other]}]}

    written = render({"allOf": [make("a", "b"), make("c", "d")]})
    signatures = {f"f(\n {one}: any,\n {other}: any,\n)" for one in "cd" for other in "ab"}
    assert signatures == {part + "\n)" for part in written.removesuffix("\n)").split("\n)\n")}
    both = {**make("a", "b"), "oneOf": make("c", "d")["anyOf"]}
    assert render(both).count("f(") == 4


def test_undeclared_required_arguments_are_written() -> None:
    """The tool demands them."""
    assert render({"type": "object", "required": ["a"]}) == "f(\n a: any,\n)"
    schema = {"properties": {"a": STRING}, "patternProperties": {"^n": INTEGER}}
    assert render_schema({**schema, "required": ["n"]}).endswith("{\n a?: str,\n n: int,\n}")


def test_constraints_on_all_arguments_are_written() -> None:
    """Below the description."""
    schema = {
        "properties": {"a": STRING, "b": STRING},
        "dependentRequired": {"a": ["b"]},
        "minProperties": 1,
    }
    assert render(schema, description="Get.").startswith(
        "# Get.\n# (at least 1 keys; a needs b)\nf("
    )


def test_type_name_is_one_word() -> None:
    """A schema from a server cannot add a line."""
    schema = {"$ref": "#/$defs/A\nevil(x: int)", "$defs": {"A\nevil(x: int)": {"type": "object"}}}
    assert render_schema(schema) == "A_evil_x__int_ = dict\nA_evil_x__int_"


REFERENCE = {"$ref": "#/$defs/A"}


def test_recursive_type_names_itself() -> None:
    """Writing it out would not end."""
    children = {"children": {"type": "array", "items": REFERENCE}}
    node = {"type": "object", "description": "A node.", "properties": children}
    written = render_schema({**REFERENCE, "$defs": {"A": node}})
    assert written == "# A node.\nA = {\n children?: list[A],\n}\nA"


@pytest.mark.parametrize(
    "definition",
    [
        pytest.param(REFERENCE, id="itself"),
        pytest.param({"type": "array", "items": REFERENCE}, id="a list of itself"),
        pytest.param({"allOf": [REFERENCE, {"properties": {"a": {}}}]}, id="all of itself"),
        pytest.param({"$ref": "#/nowhere"}, id="an unknown type"),
        pytest.param({"properties": 5, "required": "x", "anyOf": {}, "enum": 5}, id="numbers"),
    ],
)
def test_circular_or_malformed_type_is_written(definition) -> None:
    """As far as it goes."""
    schema = {**REFERENCE, "$defs": {"A": definition}}
    assert render_schema(schema)
    assert render({"type": "object", "properties": {"x": schema}, **schema})


@pytest.mark.parametrize("excess", [0, 1], ids=["at the limit", "above the limit"])
def test_twenty_levels_are_written(excess) -> None:
    """Deeper types are written as `any`, and their descriptions are left out."""
    kind: dict = STRING
    described: dict = {"description": "deep"}
    for _ in range(19 + excess):
        kind = {"type": "array", "items": kind}
    for _ in range(20 + excess):
        described = {"type": "array", "items": described}
    innermost = "any" if excess else "str"
    assert render_schema(kind) == "list[" * (19 + excess) + innermost + "]" * (19 + excess)
    comment = "" if excess else "# (" + "each: " * 20 + "deep)\n"
    assert render_schema(described).startswith(f"{comment}list[")


def make_all_of(name: str, **more: object) -> dict:
    """Return a reference with more keys, in an `allOf` of two parts."""
    return {"allOf": [{"$ref": f"#/$defs/{name}"}, more]}


def test_recursion_through_all_of_is_named() -> None:
    """A type that is being written is not written again."""
    extended = make_all_of("A", properties={"b": INTEGER})
    node = {"type": "object", "properties": {"left": extended, "right": extended}}
    written = render_schema({**REFERENCE, "$defs": {"A": node}})
    assert written == (
        "A2 = {\n left?: A2,\n right?: A2,\n b?: int,\n}\nA = {\n left?: A2,\n right?: A2,\n}\nA"
    )


def make_levels(count: int, key: str) -> dict:
    """Return types of which each contains the next one twice."""
    levels = {
        f"L{level}": {
            key: {side: make_all_of(f"L{level + 1}", title=side) for side in ("a", "b")}
            if key == "properties"
            else [make_all_of(f"L{level + 1}", title=side) for side in ("a", "b")]
        }
        for level in range(count)
    }
    return {**levels, f"L{count}": {"type": "object"}}


@pytest.mark.parametrize(
    "definitions",
    [
        pytest.param(
            {"A": {"properties": {name: make_all_of("A", title=name) for name in "abcdefghijkl"}}},
            id="a type with many of itself",
        ),
        pytest.param(
            {
                name: {"properties": {to: make_all_of(to, title=name + to) for to in "ABCDEFGH"}}
                for name in "ABCDEFGH"
            },
            id="types that contain each other",
        ),
        pytest.param(
            {
                "A": {"anyOf": [make_all_of("B"), make_all_of("C"), {"items": make_all_of("A")}]},
                "B": {"anyOf": [make_all_of("A"), make_all_of("C"), INTEGER]},
                "C": {"allOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]},
            },
            id="alternatives that contain each other",
        ),
        pytest.param(
            {"A": {**STRING, "anyOf": [REFERENCE, REFERENCE, make_all_of("A")]}},
            id="a scalar of itself",
        ),
        pytest.param(
            {
                "A": {
                    "properties": {"k": STRING},
                    "anyOf": [REFERENCE, make_all_of("A"), REFERENCE],
                    "oneOf": [REFERENCE, make_all_of("A")],
                }
            },
            id="alternatives with properties",
        ),
        pytest.param(
            {"A": {"not": make_all_of("A"), "contains": make_all_of("A")}}, id="not itself"
        ),
    ],
)
def test_recursive_type_is_written_in_bounded_steps(definitions) -> None:
    """Whether it returns to itself through `allOf`, alternatives, items or a constraint."""
    schema = {**REFERENCE, "$defs": definitions}
    root = {
        "properties": {"x": {"$ref": "#"}},
        "anyOf": [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}],
    }
    assert len(render_schema(schema)) < 100_000
    assert count_steps(lambda: render_schema(schema)) < MAX_STEPS
    assert (
        count_steps(lambda: render({**schema, "properties": {"x": make_all_of("A")}})) < MAX_STEPS
    )
    assert count_steps(lambda: render(root)) < MAX_STEPS


@pytest.mark.parametrize(
    ("schema", "limit"),
    [
        pytest.param(
            {"$ref": "#/$defs/L0", "$defs": make_levels(40, "properties")}, "parts", id="properties"
        ),
        pytest.param(
            {"$ref": "#/$defs/L0", "$defs": make_levels(40, "anyOf")}, "parts", id="alternatives"
        ),
        pytest.param({"enum": [f"value {number}" for number in range(50_000)]}, "char", id="enum"),
        pytest.param({"description": "x" * 500_000}, "characters", id="description"),
        pytest.param({"default": ["x"] * 100_000}, "characters", id="default"),
    ],
)
def test_schema_that_is_too_large_is_refused(schema, limit) -> None:
    """When the tool is bound: a model could not read it. The error names the tool."""
    with pytest.raises(ValueError, match=f"The schema cannot be written.*more than .* {limit}"):
        render_schema({**schema, "properties": {"x": schema}})
    with pytest.raises(ValueError, match=f"the tool 'f' cannot be written.*more than .* {limit}"):
        render({**schema, "properties": {"x": schema}})


def test_schema_that_is_nested_too_deeply_is_refused() -> None:
    """With the same kind of error."""
    schema: dict = {}
    for _ in range(50_000):  # Python 3.13 writes 5,000 levels
        schema = {"items": schema}
    with pytest.raises(ValueError, match=r"^A tool's schema is nested too deeply\.$"):
        create_toolset([{"function": {"name": "f", "parameters": {"properties": {"x": schema}}}}])
    with pytest.raises(ValueError, match=r"cannot be written.*: it is nested too deeply\.$"):
        render_schema({"default": [], "properties": {"x": {"default": schema}}})


def test_schema_that_is_used_again_is_described_again() -> None:
    """As a program builds it: one object in several places."""
    unlike = {"not": DATE}
    written = render_schema({"properties": {"a": DATE, "b": DATE, "c": unlike, "d": unlike}})
    assert written == (
        "{\n a?: str, # (format date)\n b?: str, # (format date)\n"
        " c?: any, # (not str, format date)\n d?: any, # (not str, format date)\n}"
    )


def test_limits_of_a_schema_are_exact() -> None:
    """The last part and the last character are written."""
    writer = SignatureWriter({}, TypeNames())
    assert writer._write("x" * 400_000)
    with pytest.raises(SchemaTooLargeError, match=r"^it takes more than 400,000 characters$"):
        writer._write("x")
    writer = SignatureWriter({}, TypeNames())
    assert {writer._write() for _ in range(50_000)} == {""}
    with pytest.raises(
        SchemaTooLargeError, match=r"^it has more than 50,000 parts when written out$"
    ):
        writer._write()


def test_error_names_the_tool_and_what_to_do() -> None:
    """The name is shortened."""
    large = {"description": "x" * 500_000}
    with pytest.raises(ValueError, match="tool") as caught:
        render({"properties": {"x": large}}, name="f" * 300)
    assert str(caught.value) == (
        f"The schema of the tool '{'f' * 199} cannot be written for the model: it takes more "
        "than 400,000 characters. Simplify it, or split the tool."
    )
    with pytest.raises(ValueError, match="schema") as caught:
        render_schema(large)
    assert str(caught.value) == (
        "The schema cannot be written for the model: it takes more than 400,000 characters."
    )


def test_type_names_are_numbered() -> None:
    """Equal types share a name, and no number is given twice."""
    names = TypeNames()
    wanted = ["#/$defs/T", "#/definitions/T", "#/$defs/T2", "#/$defs/T", "#", "#/$defs/a b"]
    schemas = [STRING, INTEGER, NUMBER, NULL, {}, BOOLEAN]
    given = [names.get(ref, schema) for ref, schema in zip(wanted, schemas, strict=True)]
    expected = ["T", "T2", "T22", "T3", "Self", "a_b"]
    assert given == [(name, True) for name in expected]
    assert names.get("#/other/T", {"type": "integer"}) == ("T2", False)
    assert names.get("#/", {"default": {5}}) == ("Self2", True)


NAMES = [f"name{number}" for number in range(2_000)]


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(
            {
                "x": {
                    "anyOf": [{"properties": {name: STRING}, "required": [name]} for name in NAMES]
                }
            },
            id="alternatives",
        ),
        pytest.param(
            {"x": {"anyOf": [{**STRING, "pattern": f"^{name}"} for name in NAMES]}},
            id="overlapping alternatives",
        ),
        pytest.param(
            {
                "x": {
                    "properties": dict.fromkeys(NAMES, STRING),
                    "anyOf": [{"required": [name]} for name in NAMES],
                }
            },
            id="alternatives that require",
        ),
        pytest.param(
            {"x": {"patternProperties": {f"^{name}_\\w+$": INTEGER for name in NAMES[:500]}}},
            id="patterns",
        ),
        pytest.param(
            {"x": {"properties": dict.fromkeys(NAMES, STRING), "required": NAMES}},
            id="required properties",
        ),
        pytest.param(
            {"x": {"allOf": [{"properties": {name: {}}, "required": [name]} for name in NAMES]}},
            id="all of many",
        ),
        pytest.param(
            {
                "$defs": {name: {"T": {"properties": {name: STRING}}} for name in NAMES},
                **{name: {"$ref": f"#/properties/$defs/{name}/T"} for name in NAMES},
            },
            id="types with one name",
        ),
    ],
)
def test_large_schema_is_written_in_linear_steps(schema) -> None:
    """The time grows with the size of the schema, not with its square."""
    assert NAMES[499] in render({"properties": schema})
    assert count_steps(lambda: render({"properties": {**schema, "y": {}}})) < MAX_STEPS


KEYS = ["properties", "items", "anyOf", "allOf", "type"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*KEYS, "enum", "$ref", "required", "default"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_every_schema_is_written(schema) -> None:
    """Whatever a third party sends."""
    assert isinstance(render_schema(schema), str)
