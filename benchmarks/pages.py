"""Pages with sections that commands write: what is between the marks is replaced."""

import html
import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "benchmarks" / "README.md"
SUMMARY = ROOT / "docs" / "performance.md"
END = "<!-- end -->"


def write_section(page: Path, command: str, section: str) -> None:
    """Replace the section of a page that a command writes.

    Raises:
        ValueError: If the page lacks the marks.
    """
    begin = f"<!-- begin: written by `{command}` -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, end, after = rest.partition(END)
    if not (found and end):
        raise ValueError(f"{page.name} needs the lines {begin} and {END}.")
    page.write_text(f"{before}{begin}\n\n{section.strip()}\n\n{END}{after}", encoding="utf-8")


def describe_machine() -> str:
    """Return the date, the machine and Python's version as the start of a sentence."""
    today = datetime.now(tz=UTC).date().isoformat()
    return (
        f"Measured on {today}: {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def read_table(page: Path, column: str) -> dict[str, dict[str, float]]:
    """Return the numbers of a page's first table that has this column: by row and column.

    Raises:
        ValueError: If there is no such table.
    """
    text = page.read_text(encoding="utf-8")
    table = re.search(rf"^\|.*{re.escape(column)} *\|.*\n(\|.*\n)+", text, re.MULTILINE)
    if not table:
        raise ValueError(f"{page.name} has no table with the column {column}.")
    lines = [line.strip("|").split("|") for line in table[0].splitlines()]
    [[_, *columns], _, *rows] = [[cell.strip() for cell in line] for line in lines]
    return {
        name: dict(zip(columns, (float(cell.replace(",", "")) for cell in cells), strict=True))
        for name, *cells in rows
    }


def render_picture(name: str, alt: str) -> str:
    """Return the HTML that shows the light or the dark version of a chart in a page of docs/."""
    return f"""\
<picture>
  <source media="(prefers-color-scheme: dark)" srcset="images/{name}-dark.svg">
  <img src="images/{name}-light.svg" alt="{html.escape(alt)}">
</picture>"""
