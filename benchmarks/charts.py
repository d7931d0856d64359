"""Draws the charts of docs/: `make charts`.

Each is an SVG in a light and a dark version, drawn from a table of benchmarks/README.md. So a chart
always agrees with its table, and can be drawn again without measuring again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from benchmarks.pages import REPORT, ROOT, read_table
from benchmarks.peers.contenders import OURS, PEERS

IMAGES = ROOT / "docs" / "images"

Table = Mapping[str, Mapping[str, float]]
"""Numbers by row and column."""

INVOKE = "`invoke` µs"
CALLS = {
    "calls/s at 1": "Calls per second (ainvoke):\n1 in flight",
    "calls/s at 64": "64 in flight",
    "calls/s at 512": "512 in flight",
}
"""The columns of calls per second, and their titles."""
TICKS_US = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)

JOBS, SECONDS = "jobs a minute", "seconds for a job"
"""Columns of the table of workers."""
LIMIT_OF_JOBS = 600
"""Requests a minute of the account."""

OFFSET = {"textcoords": "offset points"}
"""The unit of `xytext`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours of a chart."""

    background: str
    text: str
    secondary: str
    grid: str
    accent: str
    other: str


THEMES = {
    "light": Theme(
        background="#ffffff",
        text="#1f2328",
        secondary="#59636e",
        grid="#d8dee4",
        accent="#0969da",
        other="#9aa4af",
    ),
    "dark": Theme(
        background="#0d1117",
        text="#f0f6fc",
        secondary="#a5adb7",
        grid="#30363d",
        accent="#4c9bff",
        other="#6e7681",
    ),
}

Plot = Callable[[Figure, Theme, Table], None]


def render(plot: Plot, size: tuple[float, float], table: Table, theme: Theme) -> str:
    """Return a chart as SVG: text stays text, and equal figures give equal files."""
    settings = {
        "axes.edgecolor": theme.grid,
        "axes.facecolor": theme.background,
        "axes.labelcolor": theme.secondary,
        "axes.spines.left": False,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": theme.text,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "figure.constrained_layout.h_pad": 0.14,
        "figure.constrained_layout.w_pad": 0.14,
        "figure.facecolor": theme.background,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 10,
        "svg.fonttype": "none",
        "svg.hashsalt": "langchain-segmind",
        "text.color": theme.text,
        "xtick.color": theme.secondary,
        "ytick.color": theme.text,
        "ytick.major.size": 0,
    }
    with mpl.rc_context(settings), StringIO() as file:
        figure = Figure(figsize=size, layout="constrained")
        plot(figure, theme, table)
        figure.savefig(file, format="svg", metadata={"Creator": None, "Date": None})
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def plot_calls(figure: Figure, theme: Theme, table: Table) -> None:
    """Show the time of a call, and calls per second by number in flight."""
    names = sorted((OURS, *PEERS), key=lambda name: table[name][INVOKE], reverse=True)
    axes = figure.subplot_mosaic([["invoke"] * len(CALLS), [*CALLS]])
    colours = [theme.accent if name == OURS else theme.other for name in names]

    numbers = [table[name][INVOKE] for name in names]
    above = axes["invoke"]
    above.set_title("Time that one call adds (invoke), in µs; logarithmic scale")
    above.set_xscale("log")
    above.set_xlim(min(numbers) * 0.7, max(numbers) * 1.5)
    above.xaxis.set_major_locator(FixedLocator(TICKS_US))
    above.xaxis.set_minor_locator(NullLocator())
    above.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    above.hlines(names, above.get_xlim()[0], numbers, colors=theme.grid, zorder=1)
    above.scatter(numbers, names, s=70, c=colours)
    label(above, names, numbers, gap=9)

    most = max(table[name][column] for name in names for column in CALLS)
    for column, title in CALLS.items():
        numbers = [table[name][column] for name in names]
        axes[column].set_title(title)
        axes[column].set_xlim(0, most * 1.3)
        axes[column].barh(names, numbers, height=0.62, color=colours)
        axes[column].spines.bottom.set_visible(False)
        axes[column].xaxis.set_major_locator(NullLocator())
        label(axes[column], names, numbers, gap=4)
        axes[column].tick_params(labelleft=axes[column].get_subplotspec().is_first_col())


def plot_workers(figure: Figure, theme: Theme, table: Table) -> None:
    """Show jobs a minute and seconds for a job by number of workers."""
    workers = [int(row) for row in table]
    panels = {
        JOBS: ("Jobs a minute", ",.0f"),
        SECONDS: ("Seconds for a job, with its wait", ".1f"),
    }
    for axes, (column, (title, digits)) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        numbers = [row[column] for row in table.values()]
        axes.set_title(title)
        axes.set_xlabel("workers")
        axes.set_xticks(workers)
        axes.set_xlim(0, workers[-1] + 1)
        axes.set_ylim(0, max(numbers) * 1.25)
        axes.yaxis.set_major_locator(NullLocator())
        axes.plot(workers, numbers, marker="o", color=theme.accent)
        for x, number in zip(workers, numbers, strict=True):
            text = format(number, digits)
            axes.annotate(text, (x, number), xytext=(3, 8), ha="right", **OFFSET)
        if column == JOBS:
            limit, colour = LIMIT_OF_JOBS, theme.secondary
            axes.axhline(limit, color=colour, linestyle="--", linewidth=1, zorder=1)
            text = f"the account's limit: {limit}"
            axes.annotate(text, (0.2, limit), xytext=(0, 6), color=colour, **OFFSET)


def label(axes: Axes, names: Sequence[str], numbers: Sequence[float], *, gap: float) -> None:
    """Write each number to the right of its mark, and set the row of this package in bold."""
    for name, number in zip(names, numbers, strict=True):
        axes.annotate(
            f"{number:,.0f}",
            (number, name),
            xytext=(gap, 0),
            va="center",
            weight="bold" if name == OURS else "normal",
            **OFFSET,
        )
    for tick, name in zip(axes.get_yticklabels(), names, strict=True):
        tick.set_weight("bold" if name == OURS else "normal")


CHARTS: dict[str, tuple[Plot, tuple[float, float], str]] = {
    "performance": (plot_calls, (8.4, 6.2), INVOKE),
    "scale": (plot_workers, (8.4, 3.4), JOBS),
}
"""How each chart is drawn, its size in inches, and a column of its table."""


def draw(name: str) -> None:
    """Write both versions of a chart."""
    plot, size, column = CHARTS[name]
    table = read_table(REPORT, column)
    IMAGES.mkdir(exist_ok=True)
    for version, theme in THEMES.items():
        svg = render(plot, size, table, theme)
        (IMAGES / f"{name}-{version}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    for each in CHARTS:
        draw(each)
