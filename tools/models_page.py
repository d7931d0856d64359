"""Writes the table of docs/models.md from what the package knows of each model.

Run `make models_page` after a change of langchain_segmind/data/models.csv.
"""

from collections.abc import Iterator
from pathlib import Path

from langchain_segmind.data._profiles import Model, load_models

PAGE = Path(__file__).parents[1] / "docs" / "models.md"

START, END = "<!-- models -->\n", "<!-- end -->\n"
"""Comments around the table."""

COLUMNS = (
    "slug",
    "format",
    "format is",
    "context",
    "reply",
    "images",
    "reasoning",
    "JSON",
    "temperature",
    "retirement",
    "seconds",
)

FLAGS = {True: "yes", False: "no", None: ""}


def main() -> None:
    """Replace the table in the page."""
    PAGE.write_text(update(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def update(page: str) -> str:
    """Return the page with the table of today's data."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{''.join(render())}\n{END}{after}"


def render() -> Iterator[str]:
    """Yield the lines of the table."""
    alignment = ("---:" if name in {"context", "reply", "seconds"} else "---" for name in COLUMNS)
    for cells in (COLUMNS, alignment, *(describe(*item) for item in load_models().items())):
        yield f"| {' | '.join(cells)} |\n"


def describe(slug: str, model: Model) -> tuple[str, ...]:
    """Return the cells of a model; an unknown one is empty."""
    profile = model.profile or {}
    return (
        f"`{slug}`",
        model.api_format,
        model.evidence,
        f"{profile['max_input_tokens']:,}",
        f"{profile['max_output_tokens']:,}",
        FLAGS[profile.get("image_inputs")],
        FLAGS[profile.get("reasoning_output")],
        describe_json(model),
        FLAGS[model.temperature],
        str(model.retirement or ""),
        str(model.average_seconds or ""),
    )


def describe_json(model: Model) -> str:
    """Return the types of `response_format` that a model takes; unknown ones have a "?"."""
    kinds = {"object": model.json_object, "schema": model.json_schema}
    if set(kinds.values()) == {None}:
        return ""
    marks = {True: "", None: "?"}
    cells = (kind + marks[takes] for kind, takes in kinds.items() if takes in marks)
    return ", ".join(cells) or "no"


if __name__ == "__main__":
    main()
