"""Tokens are counted as GPT-4 Turbo counts them, or estimated, offline."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_segmind._chat import tokens as _tokens
from langchain_segmind._chat.tokens import MAX_PART_CHARS, count_tokens, encode, is_exact

PROSE = """\
The keeper of the lighthouse wrote a diary for forty years, and mentioned the weather twice. What
he cared for was who came ashore: a tailor without scissors, two sisters on their way to a wedding,
an engineer who measured the tower and left. "Everyone asks how far the light can be seen," he said,
"but nobody what I can see from here."
"""
CODE = """\
class Inventory:
    def __init__(self, items: dict[str, int] | None = None) -> None:
        self._items = dict(items or {})

    def remove(self, name: str, count: int = 1) -> int:
        if self._items.get(name, 0) < count:
            raise ValueError(f"only {self._items.get(name, 0)} of {name!r} are left")
        self._items[name] -= count
        return self._items[name]
"""
JSON = '[{"id": 17, "name": "Ann", "tags": ["new", "eu"], "score": 0.5, "active": true}]' * 3
GERMAN = "Der Wärter schrieb vierzig Jahre lang Tagebuch und erwähnte das Wetter nur zweimal."
CHINESE = "灯塔看守人写了四十年的日记。却只提到过两次天气。他关心的是上岸的人。"
EXACT = {text: count_tokens(text) for text in (PROSE, CODE, JSON, GERMAN, CHINESE)}


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `bpe-openai` impossible to import."""
    monkeypatch.setitem(sys.modules, "bpe_openai", None)
    monkeypatch.setattr(_tokens, "_load", _tokens._load.__wrapped__)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        pytest.param("hello world", [15339, 1917], id="two words"),
        pytest.param("", [], id="nothing"),
        pytest.param("tiktoken is great!", [83, 1609, 5963, 374, 2294, 0], id="OpenAI's example"),
        pytest.param(
            "<|endoftext|>", [27, 91, 8862, 728, 428, 91, 29], id="a special token's text"
        ),
    ],
)
def test_tokens_are_openais(text: str, tokens: list[int]) -> None:
    """Ids of cl100k_base, as OpenAI's cookbook gives them."""
    assert is_exact()
    assert encode(text) == tokens
    assert count_tokens(text) == len(tokens)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * 1_000_000, id="one letter"),
        pytest.param(" " * 1_000_000, id="blanks"),
        pytest.param("🙂" * 60_000, id="emoji"),
        pytest.param("\ud800 half a character", id="a lone surrogate"),
        pytest.param("\0" * 1_000, id="NULs"),
        pytest.param(PROSE * 3_000, id="a million characters of prose"),
    ],
)
def test_no_text_is_too_long_or_too_odd(text: str) -> None:
    """The library's own limits are kept."""
    assert 0 < count_tokens(text) <= len(text.encode(errors="replace"))


def test_a_long_text_is_cut_where_no_token_goes_on() -> None:
    """Its parts take as many tokens as the whole."""
    text = PROSE * (MAX_PART_CHARS // len(PROSE) + 2)
    assert len(text) > MAX_PART_CHARS
    half = len(PROSE) * (len(text) // len(PROSE) // 2)
    assert count_tokens(text) == count_tokens(text[:half]) + count_tokens(text[half:])


@pytest.mark.parametrize(
    ("text", "share"),
    [
        pytest.param(PROSE, 0.15, id="prose"),
        pytest.param(CODE, 0.33, id="code"),
        pytest.param(JSON, 0.33, id="JSON"),
        pytest.param(GERMAN, 0.33, id="German"),
        pytest.param(CHINESE, 0.33, id="Chinese"),
    ],
)
def test_the_estimate_is_as_good_as_it_says(without_library, text: str, share: float) -> None:
    """Against what the library counts."""
    assert not is_exact()
    assert count_tokens(text) == pytest.approx(EXACT[text], rel=share)


def test_tokens_themselves_need_the_library(without_library) -> None:
    """The error names the extra."""
    with pytest.raises(ImportError, match="langchain-segmind\\[tokens\\]"):
        encode("hello")


@given(st.text())
def test_an_estimate_is_a_number_for_any_text(text: str) -> None:
    """Also of what no pattern was thought of for."""
    assert _tokens._estimate(text) >= 0
