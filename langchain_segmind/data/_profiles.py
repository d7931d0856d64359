"""What is known of Segmind's chat models, by slug: `models.csv`, and what follows from it.

Sizes, images, JSON and retirements are the makers' facts: Segmind's pages give none, and may serve
a model in another way. Where Segmind's own page documents less, it counts: the content of `gpt-4`
and `gpt-4-turbo` is text alone. An empty cell is unknown.

| column | what |
| --- | --- |
| `slug` | the model's name in Segmind's URL |
| `api_format` | the JSON format of requests and replies, in Segmind's words |
| `evidence` | how it is known: `documented` by Segmind, `seen` in public callers, or `inferred` |
| `context`, `output` | tokens of the input and of the reply at most |
| `images` | whether it takes images |
| `reasoning` | whether it can think before it replies |
| `json_object`, `json_schema` | which types of `response_format` it takes |
| `temperature` | whether it takes a temperature |
| `retirement` | the first day without it at its maker |
| `seconds` | how long a call takes on average |

Sources:
    - Slugs and seconds, of 2026-08-19: https://www.segmind.com/llms.txt
    - Formats: each model's page, such as https://www.segmind.com/models/claude-4-sonnet/api
    - Retirements: the pages in `RETIREMENT_SOURCES`
    - The rest: https://models.dev and the profiles of LangChain's own integrations
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal, cast

from langchain_core.language_models import ModelProfile

APIFormat = Literal["openai", "anthropic", "gemini"]
"""The JSON format of a model's requests and replies, in Segmind's words."""

Evidence = Literal["documented", "seen", "inferred"]
"""How a model's format is known: from Segmind's page, from public callers, or from its maker."""

FORMAT_PREFIXES: Mapping[str, APIFormat] = {"claude-": "anthropic", "gemini-": "gemini"}
"""Formats of slugs that are not in the table, by how they begin; any other has OpenAI's."""

RETIREMENT_SOURCES: Mapping[str, str] = {
    "claude-": "https://docs.anthropic.com/en/docs/about-claude/model-deprecations",
    "deepseek-": "https://api-docs.deepseek.com/updates",
    "gemini-": "https://ai.google.dev/gemini-api/docs/deprecations",
    "gpt-": "https://developers.openai.com/api/docs/deprecations",
    "o": "https://developers.openai.com/api/docs/deprecations",
}
"""Pages on which makers announce retirements, by how the slug begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is known of a model; None is unknown.

    Attributes:
        api_format: The JSON format of its requests and replies.
        evidence: How the format is known.
        profile: LangChain's profile.
        json_object: Whether it takes `response_format={"type": "json_object"}`.
        json_schema: Whether it takes `response_format={"type": "json_schema", ...}`.
        temperature: Whether it takes a temperature.
        retirement: The first day without it at its maker.
        average_seconds: How long a call takes on average.
    """

    api_format: APIFormat
    evidence: Evidence = "inferred"
    profile: ModelProfile | None = None
    json_object: bool | None = None
    json_schema: bool | None = None
    temperature: bool | None = None
    retirement: date | None = None
    average_seconds: float | None = None


@cache
def load_models() -> Mapping[str, Model]:
    """Return every chat model that Segmind lists, in the order of the table."""
    table = files(__package__).joinpath("models.csv").read_text("utf-8")
    return {row["slug"]: _create_model(row) for row in csv.DictReader(table.splitlines())}


def find_model(slug: str) -> Model:
    """Return what is known of a model; of an unknown one, the format that its name suggests."""
    formats = (name for prefix, name in FORMAT_PREFIXES.items() if slug.startswith(prefix))
    return load_models().get(slug) or Model(api_format=next(formats, "openai"))


def find_retirement_source(slug: str) -> str | None:
    """Return the page on which a model's maker announces retirements."""
    sources = (page for prefix, page in RETIREMENT_SOURCES.items() if slug.startswith(prefix))
    return next(sources, None)


def _create_model(row: Mapping[str, str]) -> Model:
    return Model(
        api_format=cast("APIFormat", row["api_format"]),
        evidence=cast("Evidence", row["evidence"]),
        profile=_create_profile(row),
        json_object=_read_flag(row["json_object"]),
        json_schema=_read_flag(row["json_schema"]),
        temperature=_read_flag(row["temperature"]),
        retirement=date.fromisoformat(row["retirement"]) if row["retirement"] else None,
        average_seconds=float(row["seconds"]) if row["seconds"] else None,
    )


def _create_profile(row: Mapping[str, str]) -> ModelProfile:
    """Return LangChain's profile of a model.

    Tools are called in text, so every model has them. No page of Segmind's documents how to send
    documents, audio or video.
    """
    takes_images = row["images"] == "yes"
    profile = ModelProfile(
        max_input_tokens=int(row["context"]),
        max_output_tokens=int(row["output"]),
        text_inputs=True,
        image_inputs=takes_images,
        image_url_inputs=takes_images and row["api_format"] != "gemini",
        image_tool_message=takes_images,
        pdf_inputs=False,
        pdf_tool_message=False,
        audio_inputs=False,
        video_inputs=False,
        text_outputs=True,
        image_outputs=False,
        audio_outputs=False,
        video_outputs=False,
        tool_calling=True,
        tool_choice=True,
        tool_call_streaming=False,
        structured_output=row["json_schema"] == "yes",
    )
    if row["reasoning"]:
        profile["reasoning_output"] = row["reasoning"] == "yes"
    if row["temperature"]:
        profile["temperature"] = row["temperature"] == "yes"
    return profile


def _read_flag(cell: str) -> bool | None:
    return cell == "yes" if cell else None


load_models()  # now: the first call of a model must not read a file in an event loop
