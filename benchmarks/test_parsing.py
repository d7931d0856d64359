"""Time to read replies, by size: hostile ones take linear time."""

import pytest

from langchain_segmind._tools import Toolset, create_toolset, parse_reply


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
HOSTILE = [
    pytest.param("{0}", "[f(a='\n", id="unclosed lists and strings"),
    pytest.param("{0}", "[f(b=[\n", id="openers on lines"),
    pytest.param("{0}", "[\n", id="brackets on lines"),
    pytest.param("{0}", "[search.web(a='x'), \n", id="unclosed lists of calls"),
    pytest.param("[f(b={0}", "[", id="nesting"),
    pytest.param("[f(b=[[[[[[[[{0}]]]]]]]])]", "'x'] y, [", id="literals with more text"),
    pytest.param("{0}", '{"tool_calls": [', id="JSON's nesting"),
    pytest.param("{0}", "```\n[search.web(a=1)]\n", id="fences"),
    pytest.param("{0}", "<tool_result>\n[f(a=1)]\n", id="results"),
    pytest.param("[f(a='{0}", "' ", id="quotes"),
    pytest.param("[f(a='{0}", "\\'", id="escaped quotes"),
    pytest.param("[f(a=g({0}", "'\"", id="quotes of both kinds"),
    pytest.param("{0}", "search.web(a='the weather in Paris')\n", id="calls on lines"),
    pytest.param("{0}", "'odd (name)\n", id="unclosed names"),
    pytest.param("[{0}]", "f(a=), ", id="unreadable calls"),
    pytest.param("[f(a=1){0}]", " \n", id="blanks"),
    pytest.param("[f(a=1{0})]", ",", id="commas"),
    pytest.param(
        "[f(b=[{0}])]",
        "1/6 + 0.25 * (3 - 1) / (7 + 2.5) - 4 * (1 - 8 / 9) ** 2, ",
        id="calculations",
    ),
    pytest.param("{0}", "[search.web(a='the weather in STOP')]\n", id="stop strings in calls"),
    pytest.param("{0}", "~", id="tildes"),
    pytest.param("{0}`", "~~~ ", id="runs of tildes"),
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


@pytest.mark.parametrize("size", [1_000, 30_000, 1_000_000])
@pytest.mark.parametrize(("frame", "part"), HOSTILE)
@pytest.mark.benchmark(group="hostile replies")
def test_read_hostile_reply(benchmark, tools, frame: str, part: str, size: int) -> None:
    """Everything that a model can be made to write."""
    text = frame.replace("{0}", part * (size // len(part)))
    parsed = benchmark(lambda: parse_reply(text, tools, ["STOP"]))
    assert parsed.calls or parsed.invalid_calls or parsed.content == text
