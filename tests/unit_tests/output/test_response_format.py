"""JSON is requested by instructions, and read from what models make of them."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_segmind._output.json_text import NotJSONError
from langchain_segmind._output.response_format import (
    ResponseFormat,
    check_object,
    parse_response_format,
    write_json,
)
from langchain_segmind._tools import Expression, NumberLiteral
from langchain_segmind._tools.syntax import WINDOWS_PATH
from tests.support.schemas import INTEGER, STRING

CITY = {
    "type": "object",
    "title": "City",
    "description": "A place.",
    "properties": {"name": STRING, "people": INTEGER},
    "required": ["name"],
}


class TestParse:
    """The forms of `response_format`."""

    @pytest.mark.parametrize(
        ("given_format", "wanted"),
        [
            pytest.param(None, None, id="nothing"),
            pytest.param({"type": "text"}, None, id="text"),
            pytest.param({"type": "json_object"}, ResponseFormat(), id="any object"),
            pytest.param(
                {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}},
                ResponseFormat(CITY, "city"),
                id="a schema",
            ),
            pytest.param(
                {"type": "json_schema", "json_schema": {"schema": CITY}},
                ResponseFormat(CITY, ""),
                id="a schema without a name",
            ),
            pytest.param(ResponseFormat(CITY), ResponseFormat(CITY), id="one that was read"),
        ],
    )
    def test_openais_forms_are_accepted(self, given_format, wanted) -> None:
        """Agents pass them on."""
        assert parse_response_format(given_format) == wanted

    @pytest.mark.parametrize(
        "given_format",
        [
            pytest.param("json_object", id="a name"),
            pytest.param({}, id="an empty dict"),
            pytest.param({"type": "json_schema", "schema": CITY}, id="a schema one level up"),
            pytest.param(CITY, id="a bare schema"),
        ],
    )
    def test_unknown_form_is_refused(self, given_format) -> None:
        """The message shows the known forms."""
        with pytest.raises(ValueError, match="response_format") as caught:
            parse_response_format(given_format)
        assert str(caught.value) == (
            f"response_format={given_format!r} is unknown. Pass {{'type': 'json_object'}} or "
            "{'type': 'json_schema', 'json_schema': {'name': ..., 'schema': {...}}}, or use "
            "with_structured_output."
        )

    def test_long_form_is_shortened_in_the_message(self) -> None:
        """The message stays readable."""
        with pytest.raises(ValueError, match="unknown") as caught:
            parse_response_format({"type": "x" * 1_000})
        assert len(str(caught.value)) < 500

    @pytest.mark.parametrize(("schema", "shown"), [(INTEGER, "outer"), (CITY, "A place.")])
    def test_description_beside_the_schema_is_used(self, schema, shown) -> None:
        """OpenAI has two places for it; the schema's own takes precedence."""
        inner = {"name": "x", "schema": schema, "description": "outer"}
        wanted = parse_response_format({"type": "json_schema", "json_schema": inner})
        instructions = wanted.render_instructions(with_tools=False)
        assert f"\n\n# {shown}\n" in instructions
        assert ("outer" in instructions) == (shown == "outer")


class TestInstructions:
    """The instructions for the model."""

    def test_instructions_for_any_object_are_one_paragraph(self) -> None:
        """No type is needed."""
        instructions = ResponseFormat().render_instructions(with_tools=False)
        assert instructions == (
            "Always answer with one JSON object and nothing else: no plain text, no code fence. "
            "Use JSON syntax: double quotes, true, false, null."
        )

    def test_instructions_show_the_schema_as_a_type(self) -> None:
        """With its description, like a tool's arguments."""
        instructions = ResponseFormat(CITY).render_instructions(with_tools=False)
        assert instructions.startswith("Always answer with one JSON value of the type below and")
        assert instructions.endswith("\n\n# A place.\n{\n name: str,\n people?: int,\n}")

    def test_calls_take_precedence_over_json(self) -> None:
        """JSON replaces plain text, not a call."""
        instructions = ResponseFormat().render_instructions(with_tools=True)
        assert instructions.startswith("Unless you call functions, answer with one JSON object")
        assert "no plain text" in instructions


def read_json(text: str) -> Any:
    """Return the JSON in a reply, of any type."""
    return json.loads(ResponseFormat({}).read(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('{"a": 1}', {"a": 1}, id="bare"),
        pytest.param('\ufeff{"a": 1}', {"a": 1}, id="a byte order mark"),
        pytest.param('[{"a": 1}]', [{"a": 1}], id="a list"),
        pytest.param('"text"', "text", id="a string"),
        pytest.param('{"a": "\\ud83d\\ude42 é"}', {"a": "🙂 é"}, id="escapes"),
        pytest.param('```json\n{"a": 1}\n```', {"a": 1}, id="a fence"),
        pytest.param('Here:\n```json\n{"a": 1}\n```\nDone.', {"a": 1}, id="text around a fence"),
        pytest.param('```json\n{"a": 1}```', {"a": 1}, id="a fence that ends in its line"),
        pytest.param(
            '{"a": "```py\\nx\\n```"}', {"a": "```py\nx\n```"}, id="a fence within a string"
        ),
        pytest.param(
            '```json\n{"a": "```py\\nx\\n```"}\n```',
            {"a": "```py\nx\n```"},
            id="a fence within a string within a fence",
        ),
        pytest.param("{'a': True, 'b': None}", {"a": True, "b": None}, id="a Python literal"),
        pytest.param("```python\n{'a': (1, 2)}\n```", {"a": [1, 2]}, id="Python in a fence"),
        pytest.param('{"a": 1, "b": [2,],}', {"a": 1, "b": [2]}, id="trailing commas"),
        pytest.param("{a: 1}", {"a": 1}, id="bare keys"),
    ],
)
def test_json_is_read_from_common_forms(text, value) -> None:
    """JSON alone, in a single fence, or as a Python literal."""
    assert read_json(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "empty", id="nothing"),
        pytest.param(" \n\ufeff", "empty", id="blanks"),
        pytest.param("I cannot tell.", "not valid JSON", id="prose"),
        pytest.param('{"a": NaN}', "not valid JSON", id="not a number"),
        pytest.param('{"a": ...}', "not valid JSON", id="a value left out"),
        pytest.param('{"a": 1 + 1}', "not valid JSON", id="a calculation"),
        pytest.param('{"a": ' + "9" * 5_000 + "}", "not valid JSON", id="too long a number"),
        pytest.param("[" * 100_000, "not valid JSON", id="too deep"),
        pytest.param("'text'", "not valid JSON", id="Python's string"),
    ],
)
def test_other_text_is_refused(text, reason) -> None:
    """The model is asked again, with the reason."""
    with pytest.raises(NotJSONError, match=reason):
        read_json(text)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        pytest.param('```json\n{"a":   1}\n```', '{"a": 1}', id="a fence"),
        pytest.param("{'a': None}", '{"a": null}', id="a Python literal"),
        pytest.param('{"a": "é🙂"}', '{"a": "é🙂"}', id="letters beyond ASCII"),
        pytest.param('{"a": 12345678901234567.89}', '{"a": 12345678901234567.89}', id="digits"),
    ],
)
def test_reply_becomes_bare_json(text, bare) -> None:
    """`json.loads` accepts it."""
    assert ResponseFormat().read(text) == bare


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({"a": [1, None, True]}, '{"a": [1, null, true]}', id="JSON"),
        pytest.param(NumberLiteral(1.0, "1.00"), "1.00", id="a number's digits"),
        pytest.param({"a": NumberLiteral(5, "0x5")}, '{"a": 5}', id="a number of Python"),
        pytest.param(["C:\nx"], r'["\u0043:\nx"]', id="a drive before a line feed"),
        pytest.param({"a": "\\host\nx"}, r'{"a": "\u005chost\nx"}', id="a backslash first"),
        pytest.param("C:/x", '"C:/x"', id="a path without backslashes"),
    ],
)
def test_json_is_written_exactly(value, text) -> None:
    """Read again, no string looks like a path whose backslashes are not escaped."""
    assert write_json(value) == text


def test_json_cannot_hold_infinity() -> None:
    """The server would refuse it."""
    with pytest.raises(ValueError, match="^cannot be written as JSON$"):
        write_json(float("inf"))


def test_number_with_leading_zeros_is_no_json() -> None:
    """Its meaning is unclear where no schema asks for a text."""
    with pytest.raises(NotJSONError, match="^not valid JSON: a number starts with a zero$"):
        check_object({"a": [Expression("007")]})


@pytest.mark.parametrize("text", ["[1]", "null", "1", '"a"', "true"])
def test_json_object_refuses_other_json(text) -> None:
    """OpenAI's `json_object` promises an object."""
    with pytest.raises(NotJSONError, match="^not a JSON object$"):
        ResponseFormat().read(text)


@pytest.mark.parametrize(
    ("people", "coerced"), [('"7"', {"people": 7}), ("7.0", {"people": 7}), ("null", {})]
)
def test_values_are_coerced_to_the_schema(people, coerced) -> None:
    """If that keeps their meaning."""
    text = f'{{"name": "Oslo", "people": {people}, "more": 1}}'
    assert json.loads(ResponseFormat(CITY).read(text)) == {"name": "Oslo", **coerced, "more": 1}


@pytest.mark.parametrize("text", ["{}", '{"name": ["Oslo"]}', '[{"name": "Oslo"}, {}]', "null"])
def test_mismatch_is_refused(text) -> None:
    """The JSON is not of the requested type."""
    with pytest.raises(ValueError, match="does not match the schema"):
        ResponseFormat(CITY).read(text)


@pytest.mark.parametrize("schema", [None, {"type": "object", "properties": {"x": {}}}])
def test_value_that_json_cannot_hold_is_refused(schema) -> None:
    """Infinity is an error, and many levels raise no RecursionError."""
    wanted = ResponseFormat(schema)
    with pytest.raises(ValueError, match="JSON"):
        wanted.read('{"x": 1e999}')
    with contextlib.suppress(ValueError):
        assert json.loads(wanted.read(f'{{"x": {"[" * 800 + "]" * 800}}}'))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
OBJECTS = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@settings(deadline=None)
@given(OBJECTS, st.sampled_from(["{}", "```json\n{}\n```", "Here:\n```\n{}\n```"]), st.booleans())
def test_every_object_is_read_back(value, frame, as_python) -> None:
    """In every frame, as JSON and as a Python literal."""
    written = repr(value) if as_python else json.dumps(value)
    # A string like a path keeps its backslashes.
    is_path = as_python and WINDOWS_PATH.search(written)
    if is_path or "inf" in written.lower() or ("```" in written and frame != "{}"):
        return
    assert json.loads(ResponseFormat().read(frame.replace("{}", written, 1))) == value


@settings(deadline=None)
@given(st.text() | st.text(st.sampled_from("{}[]:,'\"`\n abjson01")))
def test_every_text_is_an_object_or_refused(text) -> None:
    """Nothing else is raised; two different objects are refused too."""
    bare = None
    with contextlib.suppress(ValueError):
        bare = ResponseFormat().read(text)
    assert bare is None or isinstance(json.loads(bare), dict)
