"""What to say of a model that the server does not have."""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice

from langchain_segmind.data._embedding_models import EMBEDDING_MODELS, find_embedding_model
from langchain_segmind.data._profiles import Model, find_retirement_source, load_models

MAX_ALTERNATIVES = 2


def describe_missing_model(slug: str, today: date) -> str:
    """Return when a model was retired, and which others there are; empty if nothing is known."""
    if embedding_model := find_embedding_model(slug):
        return _list_models(
            "SegmindEmbeddings",
            [
                name
                for name, other in EMBEDDING_MODELS.items()
                if name != slug and other.api_format == embedding_model.api_format
            ],
        )
    models = load_models()
    known = models.get(slug)
    retirement = known.retirement if known else None
    sentences = []
    if retirement and retirement <= today:
        source = find_retirement_source(slug)
        sentences.append(f"Its maker ended {slug} on {retirement} ({source}).")
    names = [*islice(_find_alternatives(slug, today), MAX_ALTERNATIVES)]
    if names:
        sentences.append(_list_models("ChatSegmind", names))
    return " ".join(sentences)


def _list_models(class_name: str, names: Iterable[str]) -> str:
    models_to_try = " or ".join(f'{class_name}(model="{name}")' for name in names)
    return f"Try {models_to_try}."


def _find_alternatives(slug: str, today: date) -> Iterator[str]:
    """Yield models that are not retired, the most alike first.

    They are of the same maker; of a known model also others that take and do the same.
    """
    from difflib import SequenceMatcher  # noqa: PLC0415 - only errors need it

    models, maker = load_models(), _find_maker(slug)
    known = models.get(slug)
    seconds = known.average_seconds if known else None
    abilities = _find_abilities(known)

    def rank(name: str) -> tuple[bool, bool, float, float]:
        other = models[name]
        is_ending = other.retirement is not None
        distance = abs((other.average_seconds or 0) - seconds) if seconds else 0.0
        likeness = SequenceMatcher(None, slug, name).ratio()
        return _find_maker(name) != maker, is_ending, distance, -likeness

    live = [
        name
        for name, model in models.items()
        if name != slug
        and (_find_maker(name) == maker or (known and _find_abilities(model) == abilities))
        and (model.retirement is None or model.retirement > today)
    ]
    yield from sorted(live, key=rank)


def _find_maker(slug: str) -> str:
    """Return the page of a model's maker, or else how the maker's slugs begin."""
    return find_retirement_source(slug) or slug.partition("-")[0]


def _find_abilities(model: Model | None) -> tuple[object, ...]:
    """Return whether a model takes images, and whether it thinks before it replies."""
    profile = (model and model.profile) or {}
    return profile.get("image_inputs"), profile.get("reasoning_output")
