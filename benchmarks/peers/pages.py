"""Pages with sections that commands write: what is between the marks is replaced."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
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
