"""The error for a missing model says what is known of it, and how to go on."""

import re
from datetime import date

import pytest

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.errors import create_error
from langchain_segmind._api.missing_model import describe_missing_model
from langchain_segmind.data._profiles import find_model, load_models

DAY = date(2026, 11, 30)
OPENAI = "https://developers.openai.com/api/docs/deprecations"
TURBOS = ["gpt-5.4-mini", "gpt-5.4"]


@pytest.mark.parametrize(
    ("slug", "ended", "alternatives"),
    [
        ("gpt-4-turbo", f"Its maker ended gpt-4-turbo on 2026-10-23 ({OPENAI}). ", TURBOS),
        ("claude-4.6-sonnet", "", ["claude-opus-4.7"]),
        ("gemini-3-flsh", "", ["gemini-3-flash", "gemini-2.5-flash-lite"]),
    ],
)
def test_live_models_of_the_same_kind_are_named(slug, ended, alternatives) -> None:
    """A retired model with its day and its source; a misspelled one with the most alike."""
    models = " or ".join(f'ChatSegmind(model="{name}")' for name in alternatives)
    assert describe_missing_model(slug, DAY) == f"{ended}Try {models}."


@pytest.mark.parametrize("slug", load_models())
def test_two_live_models_are_named_for_every_known_one(slug) -> None:
    """Of another maker, if its own has too few."""
    names = re.findall(r'model="([^"]+)"', describe_missing_model(slug, DAY))
    assert len(set(names) - {slug}) == 2
    retirements = [find_model(name).retirement for name in names]
    assert all(day is None or day > DAY for day in retirements)


@pytest.mark.parametrize(
    ("slug", "alternatives"),
    [
        ("o4-mini", ["gpt-5.5", "gpt-5.4-mini"]),
        ("claude-4.5-sonnet", ["claude-opus-4.7", "gpt-5.2"]),
        ("deepseek-chat", ["qwen3-max", "qwen3-coder-flash"]),
    ],
)
def test_models_of_other_makers_are_alike(slug, alternatives) -> None:
    """They take images, and think, like the missing one; OpenAI's o-models count as GPT."""
    message = describe_missing_model(slug, DAY)
    assert re.findall(r'model="([^"]+)"', message) == alternatives


@pytest.mark.parametrize(
    ("slug", "alternatives"),
    [
        ("text-embedding-4", ["text-embedding-3-small", "text-embedding-3-large"]),
        ("text-embedding-3-small", ["text-embedding-3-large"]),
        ("gemini-embedding-1", ["gemini-embedding-001", "gemini-embedding-2"]),
    ],
)
def test_embedding_models_of_the_same_maker_are_named(slug, alternatives) -> None:
    """A chat model is no replacement."""
    models = " or ".join(f'SegmindEmbeddings(model="{name}")' for name in alternatives)
    assert describe_missing_model(slug, DAY) == f"Try {models}."


def test_nothing_is_said_of_a_model_of_an_unknown_maker() -> None:
    """There is none like it."""
    assert not describe_missing_model("unheard-of", DAY)


def test_model_is_not_called_ended_before_its_day() -> None:
    """It may come back, or never have been there."""
    assert "ended" not in describe_missing_model("gpt-4-turbo", date(2026, 10, 22))
    assert "ended" in describe_missing_model("gpt-4-turbo", date(2026, 10, 23))


@pytest.mark.parametrize("status", [404, 410])
def test_error_names_the_model(status) -> None:
    """By its URL, with what is known and what to do."""
    url = "https://api.segmind.com/v1/gpt-4-turbo"
    message = str(create_error(APIResponse(status, {}, b'{"error": "gone"}', url=url)))
    assert message.startswith(
        f"The server answered {status} for {url}: 'gone'. Its maker ended gpt-4"
    )
    assert "Look up the model's slug" in message


def test_error_without_a_url_has_the_general_advice() -> None:
    """Nothing is guessed."""
    message = str(create_error(APIResponse(410, {}, b"")))
    assert message.startswith("The server answered 410. Look up the model's slug")
