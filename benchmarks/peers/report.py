"""Figures to targets and tables."""

import re
import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.pages import describe_machine, render_picture
from benchmarks.peers.contenders import FLOOR, OURS, RAW
from benchmarks.peers.rounds import IMPORT_RUNS, ROUNDS, SINGLE_CALL_RUNS

Figures = Mapping[str, float]
"""One contender's measurements by name."""
Rows = Sequence[Sequence[str]]

MARKUP = re.compile(r"[`*]")
MAX_OF_BEST_PEER = 0.85
"""Of the best peer's time for a synchronous call."""
MAX_OF_FLOOR = 1.15
"""Of the time that raw httpx and core take together."""
MIN_OF_BEST_PEER = 2.2
"""Of the best peer's calls per second."""
MAX_IMPORT_SECONDS = 0.10
"""That the import takes longer than that of langchain-core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A limit for one figure of this package.

    Attributes:
        name: What is compared with what.
        measured: The ratio, or the difference in seconds.
        figures: The figures that are compared.
        limit: The greatest `measured` that is allowed, or the least.
        is_minimum: Whether `limit` is the least.
    """

    name: str
    measured: float
    figures: str
    limit: float
    is_minimum: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the limit is kept."""
        return self.measured >= self.limit if self.is_minimum else self.measured <= self.limit


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its heading and the figure that it shows."""

    heading: str
    key: str


def summarize(rounds: Mapping[str, Sequence[Figures]]) -> dict[str, dict[str, float]]:
    """Return one set of figures for each contender: medians, but the shortest import."""
    return {name: _summarize(measured) for name, measured in rounds.items()}


def _summarize(measured: Sequence[Figures]) -> dict[str, float]:
    keys = dict.fromkeys(key for figures in measured for key in figures)
    values = {key: [figures[key] for figures in measured if key in figures] for key in keys}
    return {
        key: min(all_) if key == "import_s" else statistics.median(all_)
        for key, all_ in values.items()
    }


def find_fastest(figures: Mapping[str, Figures], peers: Iterable[str]) -> str:
    """Return the peer with the fastest synchronous calls."""
    return min(peers, key=lambda name: figures[name]["sync_us"])


def create_targets(figures: Mapping[str, Figures], peers: Sequence[str]) -> list[Target]:
    """Compare this package with its peers and with what it builds on."""
    ours, fastest = figures[OURS], find_fastest(figures, peers)
    sync, peer = ours["sync_us"], figures[fastest]["sync_us"]
    floor = figures[RAW]["sync_us"] + figures[FLOOR]["sync_us"]
    targets = [
        Target(
            name=f"`invoke` / {fastest}",
            measured=sync / peer,
            figures=f"{sync:,.0f} / {peer:,.0f} µs",
            limit=MAX_OF_BEST_PEER,
        ),
        Target(
            name=f"`invoke` / ({RAW} + {FLOOR})",
            measured=sync / floor,
            figures=f"{sync:,.0f} / {floor:,.0f} µs",
            limit=MAX_OF_FLOOR,
        ),
    ]
    for in_flight in (64, 512):
        key = f"async_{in_flight}"
        best = max(peers, key=lambda name: figures[name][key])
        calls, peer_calls = ours[key], figures[best][key]
        targets.append(
            Target(
                name=f"`ainvoke`, {in_flight} in flight / {best}",
                measured=calls / peer_calls,
                figures=f"{calls:,.0f} / {peer_calls:,.0f} calls/s",
                limit=MIN_OF_BEST_PEER,
                is_minimum=True,
            )
        )
    added = Target(
        name="import - langchain-core, in seconds",
        measured=ours["import_added_s"],
        figures=f"{ours['import_added_s']:.3f} s",
        limit=MAX_IMPORT_SECONDS,
    )
    return [*targets, added]


def create_target_rows(targets: Sequence[Target]) -> Rows:
    """Return the rows of the table of targets."""
    return [
        ["target", "figures", "measured", "limit", "met"],
        *(
            [
                one.name,
                one.figures,
                f"{one.measured:.2f}",
                f"{'≥' if one.is_minimum else '≤'} {one.limit:.2f}",
                "yes" if one.is_met else "**no**",
            ]
            for one in targets
        ),
    ]


def render_number(number: float) -> str:
    """Write a number, with two decimals below 10."""
    return f"{number:,.2f}" if 0 < number < 10 else f"{number:,.0f}"


def render_table(rows: Rows) -> str:
    """Write a Markdown table with aligned columns; the first row is the heading."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    heading, *body = rows
    lines = [
        [cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]
        for cells in (heading, rule, *body)
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


CALL_COLUMNS = [
    Column("`invoke` µs", "sync_us"),
    Column("CPU µs", "sync_cpu_us"),
    Column("calls/s at 1", "async_1"),
    Column("calls/s at 64", "async_64"),
    Column("calls/s at 512", "async_512"),
    Column("CPU µs at 64", "async_64_cpu_us"),
    Column("CPU µs at 512", "async_512_cpu_us"),
]
START_COLUMNS = [
    Column("import s", "import_s"),
    Column("constructor µs", "construct_us"),
    Column("peak memory MiB", "memory_mib"),
    Column("connections opened", "connections"),
]
SUMMARY_COLUMNS = [
    Column("`invoke` µs", "sync_us"),
    Column("`ainvoke` calls/s, 64 in flight", "async_64"),
    Column("512 in flight", "async_512"),
    Column("import s", "import_s"),
]


def create_rows(figures: Mapping[str, Figures], columns: Sequence[Column]) -> Rows:
    """Return a table's rows: one for each contender."""
    return [
        ["", *(column.heading for column in columns)],
        *(
            [name, *(render_number(one[column.key]) for column in columns)]
            for name, one in figures.items()
        ),
    ]


def render_summary(figures: Mapping[str, Figures], peers: Sequence[str]) -> str:
    """Write the chart and the table of docs/performance.md."""
    shown = {name: figures[name] for name in (OURS, *peers)}
    picture = render_picture("performance", describe_calls(figures, peers))
    table = render_table(create_rows(shown, SUMMARY_COLUMNS))
    return f"{describe_machine()}.\n\n{picture}\n\n{table}"


def describe_calls(figures: Mapping[str, Figures], peers: Sequence[str]) -> str:
    """Return the alternative text of the chart: its main figures."""
    times = sorted(figures[name]["sync_us"] for name in peers)
    keys = ("async_1", "async_64", "async_512")
    ours = [render_number(figures[OURS][key]) for key in keys]
    best = [render_number(max(figures[name][key] for name in peers)) for key in keys]
    return (
        f"A call of {OURS} takes {render_number(figures[OURS]['sync_us'])} µs, of the other "
        f"packages {render_number(times[0])} to {render_number(times[-1])} µs. With 1, 64 and 512 "
        f"in flight, {OURS} makes {join(ours)} calls per second, the fastest other package "
        f"{join(best)}."
    )


def join(words: Sequence[str]) -> str:
    """Return words as a list in a sentence."""
    return f"{', '.join(words[:-1])} and {words[-1]}"


def render_report(
    figures: Mapping[str, Figures],
    targets: Sequence[Target],
    server: str,
    versions: Mapping[str, str],
) -> str:
    """Write the whole report."""
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"""\
{describe_machine()}, {server}.

### Targets

{render_table(create_target_rows(targets))}

### Calls

{render_table(create_rows(figures, CALL_COLUMNS))}

- `invoke`: the median of sequential calls on open connections, and the CPU time of each.
- calls/s: `ainvoke` calls per second with 1, 64 and 512 in flight on one event loop, and the CPU
  time of each. Opening connections is part of it.
- {RAW}: one POST and its JSON, without LangChain, with up to 1,024 connections.
- {FLOOR}: LangChain around a model that answers from a list, without a request.
- Each package sends once (no retries) and otherwise keeps its defaults, such as its number of
  connections.
- {ROUNDS} rounds, each contender in its own process, in alternating order; medians. 512 in
  flight only in the last round. What the first two targets compare is measured {SINGLE_CALL_RUNS}
  times more.

### Start and memory

{render_table(create_rows(figures, START_COLUMNS))}

- import: in a new process, the shortest of all rounds. The target compares the time that the import
  takes after that of langchain-core's chat models (median of {IMPORT_RUNS}).
- constructor: the median, once the package has created a model.
- Memory and connections: of the process that had 512 calls in flight.

### Versions

{textwrap.fill(listed, 100, break_on_hyphens=False)}.
"""


def render_terminal(figures: Mapping[str, Figures], targets: Sequence[Target]) -> str:
    """Write the tables for a terminal."""
    tables = [create_rows(figures, [*CALL_COLUMNS, *START_COLUMNS]), create_target_rows(targets)]
    plain = [[[MARKUP.sub("", cell) for cell in row] for row in rows] for rows in tables]
    return "\n\n".join(["", *map(render_table, plain), ""])
