"""The table of models is complete, and an unknown model has a format and no profile."""

import csv
from datetime import date
from pathlib import Path
from typing import get_args

import pytest

from langchain_segmind.data._profiles import (
    APIFormat,
    Evidence,
    find_model,
    find_retirement_source,
    load_models,
)

TABLE = Path(__file__).parents[3] / "langchain_segmind" / "data" / "models.csv"


@pytest.mark.parametrize("slug", load_models())
def test_row_is_complete(slug) -> None:
    """A format, how it is known, sizes, and a source for each retirement."""
    model = find_model(slug)
    assert model.api_format in get_args(APIFormat)
    assert model.evidence in get_args(Evidence)
    assert model.profile is not None
    assert model.profile["max_input_tokens"] >= model.profile["max_output_tokens"] > 0
    assert model.retirement is None or find_retirement_source(slug)


def test_cells_of_flags_are_yes_no_or_empty() -> None:
    """A misspelt one would be read as no."""
    text = TABLE.read_text(encoding="utf-8")
    flags = ("images", "reasoning", "json_object", "json_schema", "temperature")
    cells = {row[name] for row in csv.DictReader(text.splitlines()) for name in flags}
    assert cells == {"yes", "no", ""}


def test_unknown_cells_are_left_out() -> None:
    """A guess would be taken for a fact."""
    model = find_model("qwen2-vl-72b-instruct")
    assert model.profile is not None
    assert (model.json_object, model.json_schema, model.temperature) == (None, None, None)
    assert "temperature" not in model.profile
    assert not model.profile["structured_output"]


def test_page_of_segmind_counts_where_it_documents_less() -> None:
    """The content of gpt-4-turbo is a string; its maker takes images."""
    turbo, omni = find_model("gpt-4-turbo"), find_model("gpt-4o")
    assert turbo.profile is not None
    assert omni.profile is not None
    assert not turbo.profile["image_inputs"]
    assert omni.profile["image_inputs"]
    assert turbo.retirement == date(2026, 10, 23)


@pytest.mark.parametrize(
    ("slug", "api_format"),
    [
        ("claude-9", "anthropic"),
        ("gemini-9", "gemini"),
        ("gpt-9", "openai"),
        ("my-claude-", "openai"),
    ],
)
def test_unknown_model_has_the_format_of_its_prefix(slug, api_format) -> None:
    """And nothing else is known of it."""
    model = find_model(slug)
    assert (model.api_format, model.evidence, model.profile) == (api_format, "inferred", None)
    assert find_retirement_source("mixtral-9") is None
