"""Texts to the bodies of requests, which embed one text each."""

import json
from collections.abc import Iterable
from typing import Any

from langchain_segmind._api.json_body import describe_surrogate
from langchain_segmind._api.tokens import count_tokens, is_exact
from langchain_segmind.data._embedding_models import (
    EMBEDDING_MODELS,
    EmbeddingModel,
    TaskType,
    find_embedding_model,
)
from langchain_segmind.data._profiles import load_models
from langchain_segmind.exceptions import SegmindContextOverflowError


def get_embedding_model(slug: str) -> EmbeddingModel:
    """Return what is known of an embedding model; one that is not known has OpenAI's keys."""
    return find_embedding_model(slug) or EmbeddingModel()


def check_options(slug: str, dimensions: int | None, task_type: TaskType | None) -> None:
    """Check that a model makes vectors and takes what the user set.

    Raises:
        ValueError: It does not.
    """
    if slug in load_models():
        raise ValueError(
            f"{slug} is a chat model and has no vectors. Pass an embedding model: "
            f"{', '.join(EMBEDDING_MODELS)}."
        )
    model = get_embedding_model(slug)
    options = {"dimensions": dimensions, "task_type": task_type}
    given = [name for name, value in options.items() if value is not None]
    if given and model.api_format != "gemini":
        google = ", ".join(
            name for name, known in EMBEDDING_MODELS.items() if known.api_format == "gemini"
        )
        raise ValueError(
            f"{slug} does not take {' and '.join(given)} on Segmind; models that do: {google}."
        )
    if dimensions is not None and model.lengths and dimensions not in model.lengths:
        lengths = model.lengths
        choice = (
            f"from {lengths[0]:,} to {lengths[-1]:,}"
            if isinstance(lengths, range)
            else f"one of {', '.join(map(str, lengths))}"
        )
        raise ValueError(f"dimensions must be {choice} for {slug}, not {dimensions}.")


def check_texts(texts: Iterable[Any], model: EmbeddingModel, *, check_context: bool) -> list[str]:
    """Return texts as a list if all of them can be embedded.

    Args:
        texts: What the user passed.
        model: What is known of the model.
        check_context: Whether texts beyond the model's limit are refused.

    Raises:
        ValueError: There is something else than texts, or an empty text; the message has its index.
        SegmindContextOverflowError: A text is known to exceed the model's limit.
    """
    if isinstance(texts, str | bytes):
        raise ValueError(
            "embed_documents takes a list of texts, not one text; embed_query takes one."
        )
    if not isinstance(texts, Iterable):
        raise ValueError(f"embed_documents takes a list of texts, not {type(texts).__name__}.")
    listed = list(texts)
    for index, text in enumerate(listed):
        check_text(text, f"texts[{index}]", model, check_context=check_context)
    return listed


def check_text(text: Any, name: str, model: EmbeddingModel, *, check_context: bool) -> None:
    """Check that one text can be embedded.

    Args:
        text: What the user passed.
        name: What the message calls it.
        model: What is known of the model.
        check_context: Whether a text beyond the model's limit is refused.

    Raises:
        ValueError: It is no text, or there is nothing in it.
        SegmindContextOverflowError: It is known to exceed the limit.
    """
    if not isinstance(text, str):
        raise ValueError(f"{name} is of type {type(text).__name__}, not str.")
    if not text or text.isspace():
        raise ValueError(f"{name} is empty: an empty text has no vector.")
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} cannot be sent: {describe_surrogate(error)}") from None
    # A token has at least one byte: short texts need no counting.
    if not check_context or model.max_tokens is None or size <= model.max_tokens:
        return
    tokens, quantifier = count_text_tokens(text, model)
    if tokens > model.max_tokens:
        raise SegmindContextOverflowError(
            f"{name} has {quantifier}{tokens:,} tokens, but the model accepts "
            f"{model.max_tokens:,}; nothing was sent. Split it, for example with a text splitter "
            "of LangChain. (check_context=False sends it anyway.)"
        )


def count_text_tokens(text: str, model: EmbeddingModel) -> tuple[int, str]:
    """Return the number of tokens in a text, and "at least " if it can have more.

    The extra `tokens` has OpenAI's vocabulary; Google's is unknown. In both, each word has at least
    one token.
    """
    if model.api_format == "openai" and is_exact():
        return count_tokens(text), ""
    return len(text.split()), "at least "


def create_body(
    text: str, slug: str, *, dimensions: int | None, task_type: TaskType | None
) -> bytes:
    """Return the body of the request for a text, as JSON in UTF-8.

    Source: https://www.segmind.com/models/text-embedding-3-small/api and
    https://www.segmind.com/models/gemini-embedding-001/api
    """
    body: dict[str, Any]
    if get_embedding_model(slug).api_format == "gemini":
        options = {"task_type": task_type, "output_dimensionality": dimensions}
        given = {name: value for name, value in options.items() if value is not None}
        body = {"input": text, **given}
    else:
        body = {"prompt": text}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
