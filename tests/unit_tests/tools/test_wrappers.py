"""Calls are read from where they begin, and their wrapping ends behind them."""

import pytest

from langchain_segmind._tools import create_toolset
from langchain_segmind._tools.wrappers import read_whole
from tests.support.schemas import STRING, make_tool

TOOLS = create_toolset([make_tool("pay", to=STRING), make_tool("search", query=STRING)])

Read = list[tuple[str, str, str]]

CALL = "[pay(to='Ana')]"
PAY = ("pay", "pay(to='Ana')", "")
OPEN = '{"search": {"query": "a"}'
CUT = "the reply ends inside the call (expected '}', not the end)"
OPENERS = "<function_calls><function_call><tool_calls><tool_call>"
CLOSERS = "</tool_call></tool_calls></function_call></function_calls>"
SEARCH = ("search", OPEN, CUT)


def read(text: str) -> Read:
    """Return the name, the text and the problem of each call of a whole reply."""
    return [(call.name, call.text, call.problem) for call in read_whole(text, TOOLS)]


def tag(text: str, times: int = 1) -> str:
    """Return a text in tags."""
    return f"{'<tool_call>' * times}{text}{'</tool_call>' * times}"


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        pytest.param(tag(CALL, 4), [PAY], id="four wrappings"),
        pytest.param(tag(CALL, 5), [], id="five wrappings"),
        pytest.param(f"{OPENERS}{OPEN}{CLOSERS}", [SEARCH], id="unfinished in four wrappings"),
        pytest.param(f"<tool_call>{OPEN}", [SEARCH], id="neither ends"),
        pytest.param(tag(CALL) + tag(OPEN) + tag(CALL), [PAY, SEARCH, PAY], id="between calls"),
        pytest.param(tag(OPEN) * 5 + tag(CALL), [SEARCH] * 5 + [PAY], id="five unfinished"),
        pytest.param(
            tag(OPEN) * 6 + tag(CALL),
            [SEARCH] * 5 + [("search", f"{OPEN}</tool_call>{tag(CALL)}", CUT)],
            id="six unfinished",
        ),
    ],
)
def test_an_unfinished_call_ends_with_its_tag(text, calls) -> None:
    """The calls behind it are read; behind a sixth, nothing is."""
    assert read(text) == calls


FUNCTION = '<function=pay>{"to": "Ana"}'
NOT_ONE, NO_OBJECT = "the arguments are not one JSON object", "the arguments are not a JSON object"
LAST = ("pay", FUNCTION, "")


def fail(text: str, problem: str) -> Read:
    """Return a call that cannot be run."""
    return [("pay", text, problem)]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        pytest.param("", [], id="nothing else"),
        pytest.param(f"{FUNCTION}</FUNCTION >\n", [LAST], id="a valid call"),
        pytest.param(
            f"{FUNCTION} x</function>\n", fail(f"{FUNCTION} x</function>", NOT_ONE), id="text"
        ),
        pytest.param(
            "<function=pay>x</function>", fail("<function=pay>x</function>", NO_OBJECT), id="none"
        ),
        pytest.param(
            '<function=pay>{"to": 1</function>',
            fail(
                '<function=pay>{"to": 1</function>',
                "the reply ends inside the call (a comma is missing)",
            ),
            id="cut",
        ),
        pytest.param(
            '<function=pay>{"to": 1: 2}</function>',
            fail('<function=pay>{"to": 1: 2}', "expected '}', not ':'"),
            id="unreadable",
        ),
    ],
)
def test_a_call_is_read_behind_another_with_the_function_tag(text, calls) -> None:
    """Whether that one can be read or not; the last tag need not be closed."""
    assert read(text + FUNCTION) == [*calls, LAST]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param('{"to": "Ana"', CUT, id="cut"),
        pytest.param('{"to": 1: 2}', "expected '}', not ':'", id="unreadable"),
        pytest.param("x", NO_OBJECT, id="no object"),
    ],
)
def test_an_invalid_call_with_an_open_function_tag_keeps_its_text(arguments, problem) -> None:
    """The reply ends behind it."""
    assert read(f"<function=pay>{arguments}") == fail(f"<function=pay>{arguments}", problem)
