"""The pictures of docs/ show what the tables say, can be drawn again, and load nothing."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import scale
from benchmarks.charts import CALLS, CHARTS, IMAGES, INVOKE, JOBS, SECONDS, THEMES, render
from benchmarks.pages import REPORT, ROOT, SUMMARY, read_table, render_picture
from benchmarks.peers.contenders import OURS, PEERS
from benchmarks.peers.report import (
    CALL_COLUMNS,
    START_COLUMNS,
    SUMMARY_COLUMNS,
    describe_calls,
    render_number,
)

PICTURES = sorted(IMAGES.iterdir())
PAGES = sorted((ROOT / "docs").glob("*.md"))
NUMBER = re.compile(r"\d[\d,.]*")
DASHBOARD = "credits-dashboard.svg"


def read_texts(svg: str) -> list[str]:
    """Return the texts of an SVG."""
    texts = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314 - our own
    return ["".join(text.itertext()).replace("\xa0", " ") for text in texts]


def read_picture(name: str) -> list[str]:
    """Return the texts of a committed picture."""
    return read_texts((IMAGES / name).read_text(encoding="utf-8"))


def get_peer_texts(table: dict[str, dict[str, float]]) -> list[str]:
    """Return what the chart of performance has to say: each package's name and numbers."""
    names = (OURS, *PEERS)
    numbers = [f"{table[name][column]:,.0f}" for name in names for column in (INVOKE, *CALLS)]
    return [*names, *names, *numbers]


@pytest.mark.parametrize("version", THEMES)
def test_chart_of_performance_says_what_its_table_says(version: str) -> None:
    """A table without its chart, or a figure that was not drawn, fails here."""
    expected = Counter(get_peer_texts(read_table(REPORT, INVOKE)))
    assert expected <= Counter(read_picture(f"performance-{version}.svg"))


@pytest.mark.parametrize("version", THEMES)
def test_chart_of_workers_says_what_its_table_says(version: str) -> None:
    """Each number of workers, its jobs a minute and the seconds for a job."""
    table = read_table(REPORT, JOBS)
    numbers = [*(f"{row[JOBS]:,.0f}" for row in table.values())]
    numbers += [f"{row[SECONDS]:.1f}" for row in table.values()]
    assert Counter([*table, *table, *numbers]) <= Counter(read_picture(f"scale-{version}.svg"))


@pytest.mark.parametrize("version", THEMES)
@pytest.mark.parametrize("name", CHARTS)
def test_chart_can_be_drawn_again(name: str, version: str) -> None:
    """`make charts` gives the committed texts, and the same file each time."""
    plot, size, column = CHARTS[name]
    table = read_table(REPORT, column)
    drawn = render(plot, size, table, THEMES[version])
    assert read_texts(drawn) == read_picture(f"{name}-{version}.svg")
    assert drawn == render(plot, size, table, THEMES[version])


def test_chart_follows_its_figures() -> None:
    """Other figures give other numbers: none is written in the code."""
    names = (OURS, *PEERS)
    table = {
        name: {column: 1_001 + 10 * row + place for place, column in enumerate((INVOKE, *CALLS))}
        for row, name in enumerate(names)
    }
    plot, size, _ = CHARTS["performance"]
    texts = Counter(read_texts(render(plot, size, table, THEMES["dark"])))
    assert Counter(get_peer_texts(table)) <= texts


def test_summary_and_report_agree() -> None:
    """The table of docs/performance.md has the figures of benchmarks/README.md."""
    shown = read_table(SUMMARY, SUMMARY_COLUMNS[0].heading)
    report = {**read_table(REPORT, CALL_COLUMNS[0].heading)}
    start = read_table(REPORT, START_COLUMNS[0].heading)
    headings = {column.key: column.heading for column in (*CALL_COLUMNS, *START_COLUMNS)}
    assert list(shown) == [OURS, *PEERS]
    for name, row in shown.items():
        figures = report[name] | start[name]
        expected = {column.heading: figures[headings[column.key]] for column in SUMMARY_COLUMNS}
        assert row == expected


def test_alternative_texts_say_the_main_numbers() -> None:
    """Who cannot see a chart reads the figures of its table."""
    table = read_table(REPORT, INVOKE)
    figures = {
        name: {column.key: row[column.heading] for column in CALL_COLUMNS}
        for name, row in table.items()
    }
    text = describe_calls(figures, list(PEERS))
    assert render_number(table[OURS][INVOKE]) in text
    assert render_picture("performance", text) in SUMMARY.read_text(encoding="utf-8")
    jobs = {int(workers): row[JOBS] for workers, row in read_table(REPORT, JOBS).items()}
    shown = render_picture("scale", scale.describe(jobs))
    assert shown in scale.PAGE.read_text(encoding="utf-8")


def test_workers_never_exceed_the_limit() -> None:
    """The measured figures rise to the account's limit, and stay there."""
    jobs = [row[JOBS] for row in read_table(REPORT, JOBS).values()]
    assert jobs == sorted(jobs)
    assert jobs[-1] <= scale.LIMIT
    assert jobs[-1] >= 0.95 * scale.LIMIT


def test_picture_of_the_dashboard_is_what_the_example_draws(tmp_path: Path) -> None:
    """Apart from its numbers, which depend on the length of the prompts. `make charts` draws it."""
    drawn = tmp_path / DASHBOARD
    unset = ("LIVE", "SEGMIND_MODEL")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    script = ROOT / "examples" / "credits_dashboard.py"
    subprocess.run([sys.executable, script, "--svg", drawn], env=environment, check=True)
    texts = read_texts(drawn.read_text(encoding="utf-8"))
    assert mask(texts) == mask(read_picture(DASHBOARD))
    assert "Run 3 was stopped" in " ".join(texts)


def mask(texts: list[str]) -> list[str]:
    """Replace numbers, and forget how wide they are."""
    return [NUMBER.sub("0", text).strip() for text in texts]


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_picture_loads_nothing(path: Path) -> None:
    """No font, image or style comes from elsewhere."""
    svg = path.read_text(encoding="utf-8")
    addresses = re.findall(r"url\(([^)]*)\)|(?:href|src)=\"([^\"]*)\"", svg)
    assert addresses
    assert all("".join(address).startswith("#") for address in addresses)
    assert "@font-face" not in svg
    assert "@import" not in svg
    assert "<image" not in svg


def test_each_picture_is_shown_and_exists() -> None:
    """Pages show the committed files, with an alternative text, and no others."""
    shown: set[Path] = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        names = re.findall(r"(?:src|srcset)=\"([^\"]+)\"|!\[[^\]]+\]\(([^)]+)\)", text)
        shown |= {page.parent / "".join(name) for name in names}
        assert all('alt="' in tag for tag in re.findall(r"<img[^>]*>", text))
    assert shown == set(PICTURES)
