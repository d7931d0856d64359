"""What is known of Segmind's embedding models, by slug.

Sources:
    - Requests: each model's page, such as https://www.segmind.com/models/text-embedding-3-small/api
    - Limits and lengths: https://platform.openai.com/docs/guides/embeddings and
      https://ai.google.dev/gemini-api/docs/embeddings
    - Prices, their makers' list prices: https://openai.com/api/pricing and
      https://ai.google.dev/gemini-api/docs/pricing; Segmind publishes none per token
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

EmbeddingFormat = Literal["openai", "gemini"]
"""The keys of a model's requests: `prompt`; or `input`, `task_type` and `output_dimensionality`."""

TaskType = Literal[
    "RETRIEVAL_DOCUMENT",
    "RETRIEVAL_QUERY",
    "SEMANTIC_SIMILARITY",
    "CLASSIFICATION",
    "CLUSTERING",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
]
"""What a vector is for, in Google's words."""

MIN_DIMENSIONS = 128
"""The shortest vectors of Google's models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingModel:
    """What is known of an embedding model; None is unknown.

    Attributes:
        api_format: The keys of its requests.
        dimensions: The length of its vectors, unless the request chooses another.
        max_tokens: The tokens that a text can have.
        lengths: The lengths that a request can choose; empty if any is possible.
        price: US dollars for a million tokens, by its maker's list.
        takes_media: Whether a request can have images, audio, video and PDFs beside the text.
    """

    api_format: EmbeddingFormat = "openai"
    dimensions: int | None = None
    max_tokens: int | None = None
    lengths: Collection[int] = ()
    price: str | None = None
    takes_media: bool = False


EMBEDDING_MODELS: Mapping[str, EmbeddingModel] = {
    "text-embedding-3-small": EmbeddingModel(dimensions=1536, max_tokens=8191, price="0.02"),
    "text-embedding-3-large": EmbeddingModel(dimensions=3072, max_tokens=8191, price="0.13"),
    "gemini-embedding-001": EmbeddingModel(
        api_format="gemini",
        dimensions=3072,
        max_tokens=2048,
        lengths=(768, 1536, 3072),
        price="0.15",
    ),
    "gemini-embedding-2": EmbeddingModel(
        api_format="gemini",
        dimensions=3072,
        max_tokens=8192,
        lengths=range(MIN_DIMENSIONS, 3073),
        price="0.20",
        takes_media=True,
    ),
}
"""The embedding models that Segmind documents."""

PREFIXES: Mapping[str, EmbeddingFormat] = {
    "gemini-embedding-": "gemini",
    "text-embedding-": "openai",
}
"""The formats of models that are not in the table, by how their slugs begin."""


def find_embedding_model(slug: str) -> EmbeddingModel | None:
    """Return what is known of an embedding model; None if the slug does not look like one."""
    if slug in EMBEDDING_MODELS:
        return EMBEDDING_MODELS[slug]
    formats = (name for prefix, name in PREFIXES.items() if slug.startswith(prefix))
    api_format = next(formats, None)
    return None if api_format is None else EmbeddingModel(api_format=api_format)
