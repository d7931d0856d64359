"""The only JSON of a reply that matches the schema is its answer, whatever surrounds it."""

import ast
import contextlib
import json
import warnings
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from pydantic import BaseModel, RootModel
from typing_extensions import TypedDict

from langchain_segmind._output.json_text import NotJSONError
from langchain_segmind._output.response_format import ResponseFormat, parse_response_format
from langchain_segmind._output.structured_output import (
    StructuredOutput,
    create_structured_output,
    read_structured_output,
)
from langchain_segmind._tools.syntax import WINDOWS_PATH
from tests.support.schemas import Even, Node, Numbers
from tests.support.shapes import JSON_SHAPES
from tests.support.steps import MAX_STEPS, count_steps


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str = "?"


class MealPlan(BaseModel):
    """A class without required fields."""

    dinner: str = "none"


JOKE = create_structured_output(Joke)
TREE = create_structured_output(Node)
WRITTEN = '{"setup": "Why?", "punchline": "So."}'
OTHER = '{"setup": "Who?", "punchline": "Me."}'
VALUE = json.loads(WRITTEN)


def read_all(text: str, output: StructuredOutput) -> list[Any]:
    """Return what each method makes of a reply: as JSON text first, then as an object."""
    wanted = parse_response_format(output.response_format)
    results = []
    for extract in (wanted.read, output.extract_json, str):
        try:
            content = extract(text)
        except ValueError:
            content = text  # as for a message
        try:
            results.append(read_structured_output(AIMessage(content), output))
        except ValueError as error:
            results.append(str(error))
    return results


SURROUNDED = [
    pytest.param("{}", id="nothing"),
    pytest.param("Sure! Here is a joke: {}. Enjoy!", id="prose"),
    pytest.param("```json\n{}\n```", id="fence"),
    pytest.param("```js\nfoo({{}});\n```\nNow:\n~~~json5\n{}\n~~~", id="fences"),
    pytest.param("```json\n{}```\n```json\n{}\n```", id="equal objects"),
    pytest.param("<think>\nMaybe OTHER?\n</think>\n\n{}", id="reasoning"),
    pytest.param("<think>\n\n</think>\n\n```json\n{}\n```", id="empty reasoning"),
    pytest.param("Maybe OTHER, or {{...\n</think>\n{}", id="reasoning without a start"),
    pytest.param("<THINKING>[</THINKING>{}<reasoning>OTHER", id="reasoning after the answer"),
    pytest.param("<think>a</think> <tool_call>\n{}\n</tool_call>", id="reasoning and a tag"),
    pytest.param("<!-- OTHER -->{}", id="markup comment"),
    pytest.param("<example>OTHER</example> <pre>OTHER</pre> <code>OTHER</code> {}", id="examples"),
    pytest.param("{}\n<tool_result>OTHER</tool_result>", id="invented result"),
    pytest.param("// the joke\n{} /* done */", id="comments around"),
    pytest.param("# It's done\n{}  # the users' joke", id="hash comments around"),
    pytest.param("{}\n\nReferences: [1], see [docs].", id="citations"),
    pytest.param("By \\frac{{1}}{{2}} and [the users' note]: {}", id="prose in brackets"),
    pytest.param('{{"Joke": {}}}', id="class name"),
    pytest.param("So: {{'joke': {}}}", id="class name in Python"),
    pytest.param("[{}]", id="list of one"),
    pytest.param('```json\n[{{"joke": {}}}]\n```', id="list of a named one"),
    pytest.param('The schema is {{"setup": str, "punchline": str}}. {}', id="schema before"),
    pytest.param('{{"type": "object", "properties": {{}}}} {}', id="other object before"),
    pytest.param("{}<|im_end|>", id="end token"),
]


@pytest.mark.parametrize("surroundings", SURROUNDED)
def test_answer_is_found_in_all_surroundings(surroundings) -> None:
    """By every method, and without a schema if there is only one object."""
    text = surroundings.format(WRITTEN, WRITTEN).replace("OTHER", OTHER)
    assert read_all(text, JOKE) == [Joke(**VALUE)] * 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(f"{WRITTEN} or {OTHER}", "two different objects match", id="two objects"),
        pytest.param(f"[{WRITTEN}, {OTHER}]", "object", id="list of two"),
        pytest.param(f"```\n{WRITTEN}\n```\n```\n{OTHER}\n```", "two different", id="two fences"),
        pytest.param(f"<think>{WRITTEN}", "neither", id="unclosed reasoning"),
        pytest.param(f"<example>{WRITTEN}</example>", "neither", id="example alone"),
        pytest.param(f"<tool_result>{WRITTEN}", "neither", id="invented result alone"),
        pytest.param('Sure: {"setup": 5, "punchline": {}}.', "punchline", id="mismatch in prose"),
        pytest.param('{"setup": []} {"setup": {}}', "none of its 2", id="two mismatches"),
        pytest.param('{"setup": "a", "setup": "b"}', "neither", id="key given twice"),
        pytest.param("{'setup': 'a', 'setup': 'b'}", "neither", id="key given twice in Python"),
        pytest.param(WRITTEN[:-1], "neither", id="end cut off"),
        pytest.param(f"{WRITTEN} {{", "neither", id="unclosed bracket"),
        pytest.param(f"{WRITTEN}}}", "neither", id="bracket too many"),
        pytest.param(f'{{"jokes": {WRITTEN}}}', "setup: Field required", id="other name"),
        pytest.param("[" * 60 + WRITTEN + "]" * 60, "", id="sixty lists"),
    ],
)
def test_unclear_answer_is_refused(text, reason) -> None:
    """With a reason that the model can act on."""
    for result in read_all(text, JOKE):
        assert isinstance(result, str)
        assert reason in result


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"value": 1, "children": [{"value": 2}', id="end cut off"),
        pytest.param('{"note": "}", "children": [{"value": 2}]', id="bracket missing"),
        pytest.param("{'note': '}', 'children': [{'value': 2}]", id="bracket missing in Python"),
        pytest.param('"value": 1, "children": [{"value": 2}]}', id="start cut off"),
        pytest.param('{"value": 1, "children": [{"value": 2}], ...}', id="values left out"),
        pytest.param('{children": [{"value": 2}]}', id="quote missing"),
        pytest.param('{"value": "one", "children": [{"value": 2}]}', id="outer mismatch"),
        pytest.param('{"value": 1 "children": [{"value": 2}]}', id="comma missing"),
    ],
)
def test_part_of_an_object_is_never_the_answer(text) -> None:
    """Even if it matches the schema, as in a tree."""
    for around in ("{}", "So: {} Done.", "```json\n{}\n```"):
        assert all(isinstance(one, str) for one in read_all(around.replace("{}", text), TREE))


@pytest.mark.parametrize(
    ("text", "setup"),
    [
        pytest.param('{\n "setup": "a" // first\n}', "a", id="line comment"),
        pytest.param('{"setup": /* a "b" { */ "a"}', "a", id="block comment"),
        pytest.param('{\n "setup": "a",  # the dogs\' note [x]\n}', "a", id="hash comment"),
        pytest.param('{"setup": "http://a/#b /* c */", /* d */}', "http://a/#b /* c */", id="URL"),
        pytest.param('{"setup": "http:\\/\\/a",}', "http://a", id="escaped slash"),
        pytest.param('{"setup": "<think>a</think>"}', "<think>a</think>", id="markup in text"),
        pytest.param('So: {"setup": "</think> {", }', "</think> {", id="markup in prose's text"),
        pytest.param("{'setup': 'it's'}", "it's", id="apostrophe"),
        pytest.param("{'setup': '''a\n\"b\"'''}", 'a\n"b"', id="triple quotes"),
        pytest.param('{"setup": "a\nb"}', "a\nb", id="line feed"),
        pytest.param('{"setup": "C:\\temp\\Users"}', "C:\\temp\\Users", id="path"),
        pytest.param('{"setup": "C:\\\\temp"}', "C:\\temp", id="escaped path"),
        pytest.param('{"setup": "Q:\\u000awho"}', "Q:\nwho", id="question"),
    ],
)
def test_text_is_read_exactly(text, setup) -> None:
    """In JSON with comments and in Python's syntax."""
    assert read_all(text, JOKE) == [Joke(setup=setup)] * 3


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('["a" "b"]', id="comma missing"),
        pytest.param("['a''b']", id="comma missing in Python"),
        pytest.param('["a", #b",\n"c"]', id="quote missing before a hash"),
        pytest.param('["a", //b",\n"c"]', id="quote missing before slashes"),
        pytest.param('["http:\\/\\/a", "C:\\q"]', id="escapes of both syntaxes"),
        pytest.param('["a", b]', id="variable"),
        pytest.param("[NaN]", id="not a number"),
        pytest.param("[-Infinity]", id="infinity"),
        pytest.param("[1e999]", id="too large a number"),
    ],
)
def test_no_value_is_guessed(text) -> None:
    """What the model meant is unclear, so it is asked again."""
    with pytest.raises(ValueError, match="not valid JSON"):
        ResponseFormat({"type": "array"}).read(text)


class TestWrappings:
    """What surrounds an answer as JSON."""

    @pytest.mark.parametrize("name", ["MealPlan", "meal_plan", "mealPlan"])
    def test_name_is_removed_in_any_spelling(self, name) -> None:
        """Although the class also accepts an object of unknown keys."""
        text = json.dumps({name: {"dinner": "soup"}})
        assert read_all(text, create_structured_output(MealPlan)) == [MealPlan(dinner="soup")] * 3

    def test_property_of_the_same_name_is_kept(self) -> None:
        """It is the answer's own."""

        class Answer(BaseModel):
            answer: dict[str, int]

        text = '{"answer": {"answer": 1}}'
        for found in read_all(text, create_structured_output(Answer)):
            assert found == Answer(answer={"answer": 1})

    def test_mapping_with_the_schemas_name_is_kept(self) -> None:
        """Its keys are values."""
        schema = {"type": "object", "additionalProperties": {"type": "object"}, "title": "A"}
        for found in read_all('{"a": {"a": {}}}', create_structured_output(schema)):
            assert found == {"a": {"a": {}}}

    def test_list_is_found_in_prose(self) -> None:
        """For a schema of a list; other brackets do not matter."""
        output = create_structured_output(Numbers)
        assert read_all("The numbers {all}: [1, 2].", output) == [Numbers([1, 2])] * 3
        assert read_all('{"Numbers": [1, 2]}', output) == [Numbers([1, 2])] * 3
        assert "two different" in read_all("[1, 2] or [1, 3]", output)[0]

    def test_scalar_is_a_whole_reply_or_the_only_fence(self) -> None:
        """Prose holds numbers of its own."""
        output = create_structured_output(RootModel[int])
        for text in ("7", "<think>8</think>\n7", "Here, 8:\n```json\n7\n```"):
            assert [found.root for found in read_all(text, output)] == [7] * 3
        assert isinstance(read_all("It is 7.", output)[0], str)

    def test_validators_choose_between_objects(self) -> None:
        """Only one of them can be an object of the class."""
        text = '{"number": 3} is odd, so: {"number": 4}'
        assert read_all(text, create_structured_output(Even)) == [Even(number=4)] * 3


class TestAnyObject:
    """Replies without a schema."""

    @pytest.mark.parametrize(
        "text",
        ['{"a": 1}', 'So [1]: {"a": 1}.', '[{"a": 1}]', '{"a": 1} = {"a":1.0}', "x {'a': 1,}"],
    )
    def test_only_object_is_the_answer(self, text) -> None:
        """Lists, and an equal object, do not matter."""
        assert json.loads(ResponseFormat().read(text)) == {"a": 1}
        assert read_structured_output(AIMessage(text), None) == {"a": 1}

    @pytest.mark.parametrize("text", ['{"a": 1} {"a": true}', '{"a": 1} {"a": 2}', "{} {'b': []}"])
    def test_different_objects_are_refused(self, text) -> None:
        """True is not 1."""
        with pytest.raises(ValueError, match="two different objects"):
            ResponseFormat().read(text)

    def test_number_with_leading_zeros_is_refused(self) -> None:
        """No text is asked for."""
        with pytest.raises(NotJSONError, match="starts with a zero"):
            ResponseFormat().read('{"zip": 00501}')


class Prices(BaseModel):
    """Prices."""

    total: Decimal
    version: str = ""
    codes: list[str] = []
    ratio: float = 0
    name: str | None = None


@dataclass
class PricesOfDataclass:
    """Prices."""

    total: Decimal


class PricesOfDict(TypedDict):
    """Prices."""

    total: Decimal


class TestNumbers:
    """Numbers keep what they say."""

    @pytest.mark.parametrize("number", ["3.10", "1e5", "00501", "1.0", "12345678901234567.89"])
    def test_number_for_a_text_keeps_its_spelling(self, number) -> None:
        """A version is not a number."""
        text = f'{{"total": 1, "version": {number}, "codes": [{number}], "name": {number}}}'
        wanted = Prices(total=1, version=number, codes=[number], name=number)
        for around in (text, f"So: {text}", text.replace('"', "'")):
            assert read_all(around, create_structured_output(Prices)) == [wanted] * 3

    @pytest.mark.parametrize(
        "digits",
        ["12345678901234567.89", "1.234567890123456789012345678901234567890", "-0.1", "9" * 40],
    )
    @pytest.mark.parametrize("schema", [Prices, PricesOfDataclass, PricesOfDict])
    def test_decimal_keeps_its_digits(self, schema, digits) -> None:
        """Though pydantic reads JSON's numbers as floats."""
        for found in read_all(f'So: {{"total": {digits}}}', create_structured_output(schema)):
            total = found["total"] if schema is PricesOfDict else found.total
            assert total == Decimal(digits)

    def test_digits_are_written_back(self) -> None:
        """Into the text of the message, also beside a coerced value."""
        schema = {
            "type": "object",
            "properties": {"a": {"type": "number"}, "n": {"type": "integer"}},
        }
        text = '{"a": 12345678901234567.89, "n": "7", "more": [3.10, 1E5, -0.0]}'
        bare = ResponseFormat(schema).read(text)
        assert bare == '{"a": 12345678901234567.89, "n": 7, "more": [3.10, 1E5, -0.0]}'
        assert ResponseFormat().read(text) == text
        assert ResponseFormat().read("{'a': 0x10, 'b': 1_0.50, 'c': 1.50}") == (
            '{"a": 16, "b": 10.5, "c": 1.50}'
        )

    def test_number_beyond_all_exponents_is_refused_or_kept(self) -> None:
        """It raises no error of `decimal`."""
        assert isinstance(
            read_all('{"total": 1e-99999999999999999999}', create_structured_output(Prices))[0], str
        )


# Without letters, which could make a text look like a path.
CALM = st.text(st.sampled_from("+; {}[]\"',:\\\n#/"), max_size=8)
TREES = st.recursive(
    st.builds(lambda name: {"name": name}, CALM),
    lambda inner: st.builds(
        lambda name, parts: {"name": name, "parts": parts}, CALM, st.lists(inner, max_size=2)
    ),
    max_leaves=4,
)
TREE_SCHEMA = {
    "$defs": {
        "Part": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
            },
            "required": ["name"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/Part",
}
PARTS = ResponseFormat(TREE_SCHEMA, "Part")
PIECES = ["{", "}", "[", "]", '"', "'", ":", ",", "\n", "```json\n", "```", "<think>", "</think>"]
AROUND = st.lists(
    st.sampled_from([*PIECES, "// ", "# ", "/*", "a", "1", "<!--", "-->", "\\", " ", "it's"]),
    max_size=6,
).map("".join)


def write(value: Any, layout: int) -> str:
    """Write a value as JSON on one line, on several, or in Python's syntax."""
    return repr(value) if layout == 2 else json.dumps(value, indent=1 if layout else None)


def read_or_refuse(text: str) -> Any:
    """Return the answer in a reply; None if it is refused."""
    try:
        return json.loads(PARTS.read(text))
    except ValueError:
        return None


@settings(deadline=None)
@given(AROUND, TREES, AROUND, st.integers(0, 2))
def test_object_in_any_surroundings_is_found_exactly_or_refused(
    before, value, after, layout
) -> None:
    """Never a part of it, or one with other values."""
    assume(not WINDOWS_PATH.search(write(value, layout)))
    assert read_or_refuse(before + write(value, layout) + after) in (value, None)


@settings(deadline=None)
@given(
    st.sampled_from(["", "So: ", "```json\n", "<think>a</think>\n", '{"Part": ', "["]),
    TREES,
    st.sampled_from(["", " Done.", "\n```", " // a", "}", "]"]),
    st.integers(0, 2),
    st.integers(0),
    st.booleans(),
)
def test_one_wrong_byte_never_makes_another_object(
    before, value, after, layout, place, is_doubled
) -> None:
    """The answer is what the text says then, or it is refused."""
    written = write(value, layout)
    place %= len(written)
    kept = written[place] * 2 if is_doubled else ""
    changed = written[:place] + kept + written[place + 1 :]
    assume(not WINDOWS_PATH.search(changed))  # it would keep its backslashes
    says = [None, value]
    for load in (json.loads, ast.literal_eval):
        try:
            with warnings.catch_warnings(action="ignore"):  # unknown escapes
                says.append(load(changed))
        except (ValueError, SyntaxError):
            continue
    assert read_or_refuse(before + changed + after) in says


@pytest.mark.parametrize("shape", JSON_SHAPES)
@pytest.mark.parametrize("before", ["", '{"setup": "a"} '])
def test_hostile_reply_is_read_in_linear_steps(shape, before) -> None:
    """The benchmarks time the same shapes."""
    text = before + shape * (10_000 // len(shape))

    def find() -> None:
        with contextlib.suppress(ValueError):
            JOKE.find(text)

    assert count_steps(find) < MAX_STEPS
