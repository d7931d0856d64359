"""Fields of the embedding models."""

from langchain_core.rate_limiters import BaseRateLimiter
from pydantic import Field, InstanceOf, PositiveInt

from langchain_segmind._settings.arguments import DEFAULT_TIMEOUT_SECONDS, Slug, Timeout
from langchain_segmind._settings.parameters import CommonParameters
from langchain_segmind.data._embedding_models import TaskType


class EmbeddingParameters(CommonParameters):
    """What can be set on an embedding model."""

    model: Slug = "text-embedding-3-small"
    """The model's slug, as on https://www.segmind.com/models."""

    timeout: Timeout | None = DEFAULT_TIMEOUT_SECONDS
    """Seconds that one text may take, including retries and the waits between them; None for no
    limit. Waiting for the `rate_limiter`, or for a connection without a client of your own, does
    not count. An `httpx.Timeout` bounds the phases of each attempt instead. A text takes about a
    second, with `text-embedding-3-large` seven."""

    check_context: bool = True
    """Whether a text that is known to exceed the model's limit is refused before it is billed. The
    extra `tokens` counts exactly for OpenAI's models. Otherwise only a text with more words than
    the model takes tokens is known to exceed it."""

    rate_limiter: InstanceOf[BaseRateLimiter] | None = Field(default=None, exclude=True)
    """Acquired before each request."""

    dimensions: PositiveInt | None = None
    """The length of the vectors, for Google's models: 768, 1536 or 3072, or from 128 to 3072 with
    `gemini-embedding-2`. Defaults to 3072. OpenAI's models have no choice on Segmind."""

    task_type: TaskType | None = None
    """What the vectors of Google's models are for, such as "CLUSTERING". Defaults to
    "RETRIEVAL_QUERY" in `embed_query` and "RETRIEVAL_DOCUMENT" in `embed_documents`."""

    max_concurrency: PositiveInt = 8
    """How many requests of one call are sent at the same time. Each request embeds one text."""

    show_progress_bar: bool = False
    """Whether `embed_documents` shows a progress bar. Needs tqdm."""
