"""Calls within other text are found with their place, and nothing in a value is taken for one."""

import pytest

from langchain_segmind._tools import create_toolset
from langchain_segmind._tools.finder import CallFinder
from tests.support.schemas import STRING, make_tool

TOOLS = create_toolset([make_tool("pay", to=STRING), make_tool("search", query=STRING)])
CALL, OTHER = "[pay(to='Ana')]", "[search(query='x')]"


def find(text: str) -> list[tuple[str, str]]:
    """Return the texts and the kinds of the calls in a reply."""
    return [(text[span.start : span.end], span.kind) for span in CallFinder(text, TOOLS).spans]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        pytest.param(f"   {CALL}", "alone outer", id="three blanks"),
        pytest.param(f"    {CALL}", "outer", id="four blanks"),
        pytest.param(f"A\n   {CALL} \t\r\nB", "alone", id="three blanks on a line"),
        pytest.param(f"A\n    {CALL}\nB", "", id="four blanks on a line"),
        pytest.param(f"A\n\t{CALL}\nB", "", id="a tab"),
        pytest.param(f"A\nX {CALL}\nB", "", id="behind a word"),
        pytest.param(f"{CALL} B", "outer", id="before text"),
        pytest.param(f"A {CALL}", "outer", id="behind text"),
        pytest.param(f"A\n{CALL}<think>x</think>B", "alone outer", id="before reasoning"),
        pytest.param(f"A <think>x</think>B {CALL} C", "", id="in the second part"),
        pytest.param(f"A <think>x</think>B\n{CALL}\nC", "alone", id="on a line of the second"),
    ],
)
def test_the_place_of_a_call_is_known(text, places) -> None:
    """Whether it is alone on its lines, and the first or last of its part."""
    [span] = CallFinder(text, TOOLS).spans
    assert text[span.start : span.end] == CALL
    found = {"alone": span.is_alone, "outer": span.is_outer}
    assert [name for name, holds in found.items() if holds] == places.split()


UNFINISHED = "pay(to='x"
OPEN = "{'a': "


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        pytest.param('A {"text": "[pay(to=1)]"}', [], id="in a string"),
        pytest.param(f"A <tool_call>no\n{CALL}", [(CALL, "list")], id="a tag without a call"),
        pytest.param(f"[pay(to=)]\n{CALL}", [("[pay(to=)]", "list"), (CALL, "list")], id="invalid"),
        pytest.param("So pay(to=) then", [("pay(to=)", "bare")], id="invalid, bare"),
        pytest.param(
            "pay(by=, to=search(query='x')) B",
            [("pay(by=, to=search(query='x'))", "bare")],
            id="within an invalid call",
        ),
        pytest.param("So pay(to='A' b)", [("pay(to='A' b)", "bare")], id="an unclear string, bare"),
        pytest.param(f"A pay(to=\n{CALL}\n", [(CALL, "list")], id="behind an open bracket, bare"),
        pytest.param(f"{OPEN * 7}{CALL}", [(CALL, "list")], id="behind 7 open brackets"),
        pytest.param(f"{OPEN * 8}{CALL}", [], id="behind 8 open brackets"),
        pytest.param(
            f"[TOOL_CALLS]{CALL}\nOr {OTHER}",
            [(f"[TOOL_CALLS]{CALL}\n", "wrapped"), (OTHER, "list")],
            id="behind a token",
        ),
        pytest.param(
            f"[{UNFINISHED}', </think>\n{OTHER}", [(OTHER, "list")], id="open in reasoning"
        ),
        pytest.param(
            f"[{UNFINISHED}', </think>a</think>b</think>\n{OTHER}",
            [(OTHER, "list")],
            id="three ends",
        ),
        pytest.param(
            f"[{UNFINISHED}</think>\n{OTHER}",
            [(OTHER, "list")],
            id="open string in reasoning",
        ),
        pytest.param(
            f"[{UNFINISHED}\n<think>a</think>\n{OTHER}",
            [(f"[{UNFINISHED}\n<think>a</think>\n{OTHER}", "list")],
            id="open before reasoning",
        ),
    ],
)
def test_calls_are_found_behind_what_is_not_one(text, spans) -> None:
    """Values are skipped as a whole; behind what has no end, the search goes on."""
    assert find(text) == spans


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        pytest.param(f"A\n```js\nx\n```\n{CALL}\nB", [(CALL, "list")], id="behind it"),
        pytest.param(f"A\n```js\nx\n \t```` \r\n{CALL}\nB", [(CALL, "list")], id="a longer end"),
        pytest.param(f"A\n```js\n```X\n{CALL}\n```", [], id="a word behind marks"),
        pytest.param(f"A\n```js\n~~~\n{CALL}\n```", [], id="other marks"),
        pytest.param(f"A\n~~~js\n```\n{CALL}\n~~~", [], id="tildes"),
        pytest.param(f"It has ```x``` in it\n{CALL}", [(CALL, "list")], id="marks in a line"),
        pytest.param(f"```js\n</think>\n{CALL}", [(CALL, "list")], id="begun in reasoning"),
        pytest.param(f"</think>\n```js\n</think>\n{CALL}", [(CALL, "list")], id="in more of it"),
        pytest.param(f"</think>\n```js\n{CALL}", [], id="begun behind reasoning"),
    ],
)
def test_a_fence_of_code_ends_with_its_mark(text, spans) -> None:
    """A line of the same mark ends it, and so does the reasoning around it."""
    assert find(text) == spans
