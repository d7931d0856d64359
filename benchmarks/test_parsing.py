"""Time to read replies, by size: hostile ones take linear time."""

import contextlib

import pytest

from langchain_segmind._output.response_format import ResponseFormat
from langchain_segmind._tools import Toolset, create_toolset, parse_reply
from tests.support.shapes import JSON_SHAPES


@pytest.fixture(scope="module")
def tools() -> Toolset:
    """Return tools with plain names, and one whose name needs quotes."""
    properties = {"a": {"type": "string"}, "b": {"type": "array", "items": {"type": "integer"}}}
    functions = [
        {"name": name, "parameters": {"type": "object", "properties": properties}}
        for name in ("f", "search.web", "odd (name)")
    ]
    return create_toolset([{"type": "function", "function": one} for one in functions])


REALISTIC = [
    pytest.param("[{0}]", "search.web(a='the weather in Paris, today', b=[1, 2]), ", id="calls"),
    pytest.param("[f(b=[{0}])]", "12, ", id="one long list"),
    pytest.param("[f(a='{0}')]", "Words, and it\\'s more of them.\\n", id="one long text"),
    pytest.param("{0}\n[f(a='x')]", "Prose (which isn't short) says [this].\n", id="prose"),
    pytest.param(
        '{"tool_calls": [{0}{"f": {}}]}',
        '{"search.web": {"a": "the weather in Paris", "b": [1, 2]}}, ',
        id="JSON",
    ),
    pytest.param("```python\n{0}```\nis code.", "    x = [f(a) for a in b]\n", id="code"),
]
FRAMES = {
    "": "{0}",
    "in a call: ": "[f(a={0}",
    "in a string: ": "[f(a='{0}",
    "in a closed call: ": "[f(a=..{0})]",
    "after a list: ": "Text\n[f(a=1)]\n{0}",
}
PARTS = [
    *["[", "(", "{", "'", "\\", " #", " ", "\n", "= ", ", ", "`", "```\n", "~~~ ", "x ", "it's "],
    *[
        "'x' ",
        "\\'",
        "'''",
        "f'",
        "1/6, ",
        "[f(a='\n",
        "[f(b=[\n",
        "[f(a=(\n",
        "f(a=), ",
        "f(a=1), ",
    ],
    *["[f(a=1)]\n", "f(f(", "'odd (name)\n", '{"name": ', '{"tool_calls": [', '{"a": 1}, '],
    *[
        "<think>",
        "</think>",
        "<!-- ",
        "<tool_result>",
        "<tool_call>{",
        "<function=f>",
        "f{}",
        "Line(a=",
    ],
]
HOSTILE = [
    *(
        pytest.param(frame, part, id=f"{label}{part!r}")
        for label, frame in FRAMES.items()
        for part in PARTS
    ),
    pytest.param("[f(b=[[[[[[[[{0}]]]]]]]])]", "'x'] y, [", id="literals with more text"),
    pytest.param("{0}", "[search.web(a='the weather in STOP')]\n", id="stop strings in calls"),
    pytest.param("[{0}]", "{'name': 'f', 'arguments': {}},", id="Python's dicts"),
    pytest.param("[{0}]", '{"name": "f", "arguments": {"a":}},', id="broken JSON"),
    pytest.param("[TOOL_CALLS]{0}", 'f{"a":}', id="broken JSON behind a token"),
    pytest.param("Text\n{0}", '{"name": "f", "arguments": {}}\n', id="JSON in text"),
    pytest.param('[f(a="{0}\nfoo', '" #', id="comments behind quotes"),
    pytest.param('[f(a=1), "{0}\nx', " ", id="blanks in a name"),
]


@pytest.mark.parametrize("size", [1_000, 30_000, 1_000_000])
@pytest.mark.parametrize(("frame", "part"), REALISTIC)
@pytest.mark.benchmark(group="realistic replies")
def test_read_realistic_reply(benchmark, tools, frame: str, part: str, size: int) -> None:
    """From a kilobyte to a megabyte; the table of the benchmark shows the growth."""
    text = frame.replace("{0}", part * (size // len(part)))
    parsed = benchmark(lambda: parse_reply(text, tools))
    assert parsed.calls or parsed.content == text


@pytest.mark.parametrize("size", [30_000, 1_000_000])
@pytest.mark.parametrize(("frame", "part"), HOSTILE)
@pytest.mark.benchmark(group="hostile replies")
def test_read_hostile_reply(benchmark, tools, frame: str, part: str, size: int) -> None:
    """Whatever a model can be made to write; 30 times the text takes 30 times as long."""
    text = frame.replace("{0}", part * (size // len(part)))
    parsed = benchmark(lambda: parse_reply(text, tools, ["STOP"]))
    assert parsed.calls or parsed.invalid_calls or parsed.content == text


@pytest.mark.parametrize("size", [30_000, 1_000_000])
@pytest.mark.parametrize("shape", JSON_SHAPES)
@pytest.mark.benchmark(group="hostile answers")
def test_find_answer_in_hostile_reply(benchmark, shape: str, size: int) -> None:
    """The same for a reply that should hold an answer in a schema."""
    wanted = ResponseFormat({"properties": {"setup": {"type": "string"}}, "required": ["setup"]})
    text = shape * (size // len(shape))

    def find() -> None:
        with contextlib.suppress(ValueError):
            wanted.find(text)

    benchmark(find)
