"""How a reply ended decides what an error says, and whether asking again is useful."""

import pytest
from langchain_core.messages import AIMessage

from langchain_segmind._output.endings import (
    BLOCKED_ADVICE,
    CUT_ADVICE,
    Ending,
    find_ending,
)


@pytest.mark.parametrize(
    ("facts", "fields", "ending"),
    [
        ({}, {}, Ending()),
        ({"finish_reason": "stop"}, {"refusal": ""}, Ending()),
        (
            {"finish_reason": "length"},
            {"refusal": "No."},
            Ending("it was cut off at its maximum length", CUT_ADVICE),
        ),
        (
            {"finish_reason": "stop"},
            {"refusal": "N" * 300},
            Ending(f"the model refused: {'N' * 200}", BLOCKED_ADVICE, is_final=True),
        ),
        (
            {"finish_reason": "content_filter"},
            {},
            Ending("a filter of the provider stopped it", BLOCKED_ADVICE, is_final=True),
        ),
        (
            {"finish_reason": "content_filter", "native_finish_reason": "SAFETY"},
            {},
            Ending("a filter of the provider stopped it (SAFETY)", BLOCKED_ADVICE, is_final=True),
        ),
        (
            {"finish_reason": "content_filter", "block_reason": "A", "native_finish_reason": "B"},
            {},
            Ending("a filter of the provider stopped it (A)", BLOCKED_ADVICE, is_final=True),
        ),
    ],
)
def test_the_ending_of_a_reply_is_known(facts, fields, ending) -> None:
    """From its metadata."""
    message = AIMessage("x", response_metadata=facts, additional_kwargs=fields)
    assert find_ending(message) == ending


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (Ending(), "no JSON"),
        (Ending("cut"), "cut: no JSON"),
        (Ending("refused", is_final=True), "refused"),
    ],
)
def test_the_ending_explains_a_problem(ending, text) -> None:
    """One that is final is the whole problem."""
    assert ending.explain("no JSON") == text
