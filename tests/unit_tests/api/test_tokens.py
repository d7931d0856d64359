"""Tokens are counted as GPT-4 Turbo counts them, or estimated, offline."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_segmind._api import tokens as module
from langchain_segmind._api.tokens import MAX_PART_CHARS, count_tokens, encode, is_exact

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
    """Prevent the import of `bpe-openai`."""
    monkeypatch.setitem(sys.modules, "bpe_openai", None)
    monkeypatch.setattr(module, "_load", module._load.__wrapped__)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        pytest.param("hello world", [15339, 1917], id="two words"),
        pytest.param("", [], id="empty text"),
        pytest.param("tiktoken is great!", [83, 1609, 5963, 374, 2294, 0], id="OpenAI's example"),
        pytest.param(
            "<|endoftext|>", [27, 91, 8862, 728, 428, 91, 29], id="text of a special token"
        ),
    ],
)
def test_the_token_ids_are_openais(text: str, tokens: list[int]) -> None:
    """Those of cl100k_base in OpenAI's cookbook."""
    assert is_exact()
    assert encode(text) == tokens
    assert count_tokens(text) == len(tokens)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * 1_000_000, id="repeated letter"),
        pytest.param(" " * 1_000_000, id="spaces"),
        pytest.param("🙂" * 60_000, id="emoji"),
        pytest.param("\ud800 half a character", id="lone surrogate"),
        pytest.param("\0" * 1_000, id="NULs"),
        pytest.param(PROSE * 3_000, id="long prose"),
    ],
)
def test_any_text_can_be_counted(text: str) -> None:
    """However long or odd it is."""
    assert 0 < count_tokens(text) <= len(text.encode(errors="replace"))


def test_a_long_text_is_split_between_tokens() -> None:
    """Its parts have as many tokens as the whole."""
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
def test_the_estimate_is_within_its_documented_error(
    without_library, text: str, share: float
) -> None:
    """Compared with the tokenizer."""
    assert not is_exact()
    assert count_tokens(text) == pytest.approx(EXACT[text], rel=share)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a", 1),
        ("internationalization", 3),
        ("one two", 2),
        ("12345", 2),
        ("\n" * 9, 1),
        ("!!", 1),
        ("!" * 9, 3),
        (" " * 127, 1),
        (" " * 256, 3),
        ("é", 1),
        ("水" * 4, 5),
    ],
)
def test_the_estimate_counts_words_digits_signs_and_spaces(without_library, text, tokens) -> None:
    """By their usual lengths in the vocabulary."""
    assert count_tokens(text) == tokens


def test_token_ids_require_the_tokenizer(without_library) -> None:
    """The error names the extra."""
    with pytest.raises(ImportError, match="langchain-segmind\\[tokens\\]"):
        encode("hello")


@given(st.text())
def test_any_text_can_be_estimated(text: str) -> None:
    """The estimate is never negative."""
    assert module._estimate(text) >= 0
