"""JSON is asked for in words, and read from whatever a model makes of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_segmind._output.response_format import (
    NotJSONError,
    ResponseFormat,
    parse_response_format,
    read_json,
)

CITY = {
    "type": "object",
    "title": "City",
    "description": "A place.",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name"],
}
ANYTHING = {"type": "object", "properties": {"x": {}}}


class TestParse:
    """What `response_format` may be."""

    @pytest.mark.parametrize(
        ("given_format", "wanted"),
        [
            pytest.param(None, None, id="nothing"),
            pytest.param({"type": "text"}, None, id="text"),
            pytest.param({"type": "json_object"}, ResponseFormat(), id="any object"),
            pytest.param(
                {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}},
                ResponseFormat(CITY),
                id="a schema",
            ),
            pytest.param(
                {
                    "type": "json_schema",
                    "json_schema": {"name": "city", "schema": CITY, "strict": True},
                },
                ResponseFormat(CITY),
                id="a strict one",
            ),
            pytest.param(ResponseFormat(CITY), ResponseFormat(CITY), id="one that was read"),
        ],
    )
    def test_openais_forms_are_read(self, given_format, wanted) -> None:
        """What OpenAI takes, and agents pass on."""
        assert parse_response_format(given_format) == wanted

    @pytest.mark.parametrize(
        "given_format",
        [
            pytest.param("json_object", id="a name"),
            pytest.param({"type": "json"}, id="another type"),
            pytest.param({}, id="an empty dict"),
            pytest.param({"type": "json_schema"}, id="no schema"),
            pytest.param({"type": "json_schema", "schema": CITY}, id="a schema one level up"),
            pytest.param(
                {"type": "json_schema", "json_schema": {"name": "x", "schema": None}}, id="null"
            ),
            pytest.param(CITY, id="a bare schema"),
            pytest.param(dict, id="a class"),
        ],
    )
    def test_another_form_is_refused_with_those_that_are_known(self, given_format) -> None:
        """The message shows what to pass."""
        with pytest.raises(ValueError, match="response_format=.* is unknown") as caught:
            parse_response_format(given_format)
        assert "json_object" in str(caught.value)
        assert "with_structured_output" in str(caught.value)

    def test_a_long_one_is_not_shown_whole(self) -> None:
        """A message stays readable."""
        with pytest.raises(ValueError, match="unknown") as caught:
            parse_response_format({"type": "x" * 1_000})
        assert len(str(caught.value)) < 500

    @pytest.mark.parametrize(
        ("schema", "told"),
        [
            pytest.param({"type": "integer"}, "from outside", id="a schema that says nothing"),
            pytest.param(CITY, "A place.", id="a schema's own"),
        ],
    )
    def test_a_description_beside_the_schema_is_told(self, schema, told) -> None:
        """OpenAI has two places for it; the schema's own counts."""
        inner = {"name": "x", "schema": schema, "description": "from outside"}
        wanted = parse_response_format({"type": "json_schema", "json_schema": inner})
        assert wanted is not None
        instructions = wanted.render_instructions(with_tools=False)
        assert f"\n\n# {told}\n" in instructions
        assert ("from outside" in instructions) == (told == "from outside")


class TestInstructions:
    """What a model is told."""

    def test_any_object_needs_no_type(self) -> None:
        """One short paragraph."""
        told = ResponseFormat().render_instructions(with_tools=False)
        assert told.startswith("Always answer with one JSON object and nothing else")
        assert "no code fence" in told
        assert "\n" not in told

    def test_a_schema_is_written_as_a_type(self) -> None:
        """The same short form as that of a tool's arguments, with its description."""
        told = ResponseFormat(CITY).render_instructions(with_tools=False)
        assert "one JSON value of the type below" in told
        assert told.endswith("\n\n# A place.\n{\n name: str,\n people?: int,\n}")

    def test_a_type_that_holds_itself_is_named(self) -> None:
        """A recursive type has a definition above it, and one description."""
        node = {
            "type": "object",
            "description": "A tree.",
            "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
        }
        schema = {"$defs": {"Node": node}, "$ref": "#/$defs/Node"}
        told = ResponseFormat(schema).render_instructions(with_tools=False)
        assert told.endswith("\n\n# A tree.\nNode = {\n children?: list[Node],\n}\nNode")

    def test_calls_go_first_where_there_are_tools(self) -> None:
        """JSON takes the place of plain text, not that of a call."""
        told = ResponseFormat().render_instructions(with_tools=True)
        assert told.startswith("Unless you call functions, answer with one JSON object")
        assert "no plain text" in told


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('{"a": 1}', {"a": 1}, id="bare"),
        pytest.param(' \n{"a": 1}\r\n ', {"a": 1}, id="blanks around it"),
        pytest.param('\ufeff{"a": 1}', {"a": 1}, id="a byte order mark"),
        pytest.param('{"a": true, "b": null}', {"a": True, "b": None}, id="JSON's constants"),
        pytest.param('[{"a": 1}]', [{"a": 1}], id="a list"),
        pytest.param("null", None, id="null"),
        pytest.param('"text"', "text", id="a string"),
        pytest.param('{"a": "\\ud83d\\ude42 é"}', {"a": "🙂 é"}, id="escapes"),
        pytest.param('{"a": "one\ntwo\tthree"}', {"a": "one\ntwo\tthree"}, id="a line feed within"),
        pytest.param('```json\n{"a": 1}\n```', {"a": 1}, id="a fence"),
        pytest.param('```\n{"a": 1}\n```', {"a": 1}, id="a fence without a language"),
        pytest.param('Here:\n```json\n{"a": 1}\n```\nDone.', {"a": 1}, id="text around a fence"),
        pytest.param('```json\n{"a": 1}\n', {"a": 1}, id="a fence that does not end"),
        pytest.param('```json\n{"a": 1}```', {"a": 1}, id="a fence that ends in its line"),
        pytest.param('  ```json\n  {"a": 1}\n  ```', {"a": 1}, id="an indented fence"),
        pytest.param(
            '{"a": "```py\\nx\\n```"}', {"a": "```py\nx\n```"}, id="a fence within a string"
        ),
        pytest.param(
            '```json\n{"a": "```py\\nx\\n```"}\n```',
            {"a": "```py\nx\n```"},
            id="a fence within a string within a fence",
        ),
        pytest.param("{'a': True, 'b': None}", {"a": True, "b": None}, id="Python's spelling"),
        pytest.param("```python\n{'a': (1, 2)}\n```", {"a": [1, 2]}, id="Python in a fence"),
        pytest.param('{"a": 1, "b": [2,],}', {"a": 1, "b": [2]}, id="trailing commas"),
        pytest.param("{a: 1}", {"a": 1}, id="bare keys"),
    ],
)
def test_json_is_read_from_what_models_write(text, value) -> None:
    """JSON as it stands, in its only fence, or in Python's spelling."""
    assert read_json(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "empty", id="nothing"),
        pytest.param(" \n\ufeff", "empty", id="blanks"),
        pytest.param("I cannot tell.", "not valid JSON", id="prose"),
        pytest.param('Sure! {"a": 1}', "not valid JSON", id="JSON behind prose"),
        pytest.param('{"a": 1} Done.', "not valid JSON", id="prose behind JSON"),
        pytest.param('{"a": 1} {"a": 2}', "not valid JSON", id="two objects"),
        pytest.param('{"a": 1}\n{"a": 2}', "not valid JSON", id="two lines"),
        pytest.param('```\n{"a": 1}\n```\n```\n{"a": 2}\n```', "not valid JSON", id="two fences"),
        pytest.param('{"a": 1', "not valid JSON", id="half an object"),
        pytest.param('```json\n{"a": ', "not valid JSON", id="half a fence"),
        pytest.param('{"a": NaN}', "not valid JSON", id="not a number"),
        pytest.param('{"a": ...}', "not valid JSON", id="a value left out"),
        pytest.param('{"a": name}', "not valid JSON", id="a variable"),
        pytest.param('{"a": 1 + 1}', "not valid JSON", id="a calculation"),
        pytest.param('{"a": 1, // one\n "b": 2}', "not valid JSON", id="a comment"),
        pytest.param('{"a": ' + "9" * 5_000 + "}", "not valid JSON", id="too long a number"),
        pytest.param("[" * 100_000, "not valid JSON", id="too deep"),
        pytest.param("'text'", "not valid JSON", id="Python's string"),
    ],
)
def test_what_is_no_json_is_told(text, reason) -> None:
    """Nothing is guessed: the model is asked again with this reason."""
    with pytest.raises(NotJSONError, match=reason):
        read_json(text)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        pytest.param('```json\n{"a":   1}\n```', '{"a": 1}', id="a fence"),
        pytest.param("{'a': None}", '{"a": null}', id="Python's spelling"),
        pytest.param('{"a": "é"}', '{"a": "é"}', id="as it is written"),
    ],
)
def test_any_object_becomes_bare_json(text, bare) -> None:
    """`json.loads` reads what is left."""
    assert ResponseFormat().read(text) == bare


@pytest.mark.parametrize("text", ["[1]", "null", "1", '"a"', "true"])
def test_what_is_no_object_is_refused_where_one_is_wanted(text) -> None:
    """OpenAI's `json_object` promises an object."""
    with pytest.raises(NotJSONError, match="not a JSON object"):
        ResponseFormat().read(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('{"name": "Oslo", "people": 7}', {"name": "Oslo", "people": 7}, id="fits"),
        pytest.param('{"name": "Oslo", "people": "7"}', {"name": "Oslo", "people": 7}, id="a text"),
        pytest.param('{"name": "Oslo", "people": 7.0}', {"name": "Oslo", "people": 7}, id="7.0"),
        pytest.param('{"name": "Oslo", "people": null}', {"name": "Oslo"}, id="null for nothing"),
        pytest.param('{"name": "Oslo", "more": 1}', {"name": "Oslo", "more": 1}, id="more keys"),
    ],
)
def test_values_are_bent_to_the_schema(text, value) -> None:
    """Only where both say the same."""
    assert json.loads(ResponseFormat(CITY).read(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{}", id="a field is missing"),
        pytest.param('{"name": ["Oslo"]}', id="a wrong type"),
        pytest.param('{"name": "Oslo", "people": "many"}', id="a word for a number"),
        pytest.param('[{"name": "Oslo"}]', id="a list"),
        pytest.param("null", id="null"),
    ],
)
def test_a_misfit_is_told(text) -> None:
    """JSON of another type is not what was asked for."""
    with pytest.raises(ValueError, match="does not match the schema"):
        ResponseFormat(CITY).read(text)


@pytest.mark.parametrize(
    "value",
    [pytest.param("1e999", id="infinity"), pytest.param("[" * 800 + "]" * 800, id="many levels")],
)
@pytest.mark.parametrize("wanted", [ResponseFormat(), ResponseFormat(ANYTHING)], ids=["any", "x"])
def test_no_reply_breaks_the_reader(wanted, value) -> None:
    """What Python reads or writes, and JSON or this process cannot, is refused or kept whole."""
    try:
        bare = wanted.read(f'{{"x": {value}}}')
    except ValueError:
        return
    assert value.startswith("[")
    assert json.loads(bare)


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


@given(OBJECTS, st.sampled_from(["{}", "```json\n{}\n```", "Here:\n```\n{}\n```"]), st.booleans())
def test_every_object_is_read_back(value, frame, as_python) -> None:
    """However it is framed, and as JSON or as Python writes it."""
    written = repr(value) if as_python else json.dumps(value)
    if "inf" in written.lower() or ("```" in written and frame != "{}"):
        return
    assert json.loads(ResponseFormat().read(frame.replace("{}", written, 1))) == value


@given(st.text() | st.text(st.sampled_from("{}[]:,'\"`\n abjson01")))
def test_no_text_breaks_it(text) -> None:
    """Any text is JSON or a `NotJSONError`, and what is read is an object."""
    try:
        bare = ResponseFormat().read(text)
    except NotJSONError:
        return
    assert isinstance(json.loads(bare), dict)
