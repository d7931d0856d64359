"""Figures to targets, tables and `docs/performance.md`; pure but for the writing."""

import re
import statistics
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers.contenders import FLOOR, OURS, RAW

Figures = Mapping[str, float]
"""One contender's measures by name."""

MARKUP = re.compile(r"[`*]")
PAGE = Path(__file__).parents[3] / "docs" / "performance.md"

FASTER = 0.85
"""Of the best peer's time for a call."""
OVERHEAD = 1.25
"""Of what httpx and core take by themselves."""
MORE_CALLS = 2.5
"""Of the best peer's calls per second."""
IMPORT_SECONDS = 0.15
CONSTRUCT_US = 1000
GROWTH = 1.5
"""Of the processor's time for a call, from 64 calls in flight to 512."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where and with what was measured.

    Attributes:
        machine: The kind of machine, in a few words.
        python: Python's version.
        server: What answered.
        date: The day.
        rounds: How many rounds there were.
        turns: How many turns of single calls there were besides.
        versions: The versions of packages by name.
    """

    machine: str
    python: str
    server: str
    date: str
    rounds: int
    turns: int
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What this package is to reach.

    Attributes:
        text: The target in words.
        figure: What was measured, with its unit.
        limit: What is allowed, with its unit.
        is_met: Whether it is reached.
    """

    text: str
    figure: str
    limit: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its heading, and how a contender's figures are shown in it."""

    heading: str
    show: Callable[[Figures], str]


def summarize(rounds: Mapping[str, Sequence[Figures]]) -> dict[str, dict[str, float]]:
    """Make one set of figures of each contender's rounds: medians, but the shortest import."""
    return {name: _summarize(measured) for name, measured in rounds.items()}


def _summarize(measured: Sequence[Figures]) -> dict[str, float]:
    keys = dict.fromkeys(key for figures in measured for key in figures)
    values = {key: [figures[key] for figures in measured if key in figures] for key in keys}
    return {
        key: min(all_) if key == "import_s" else statistics.median(all_)
        for key, all_ in values.items()
    }


def find_fastest(figures: Mapping[str, Figures], peers: Iterable[str]) -> str:
    """Find the peer whose single calls take least time."""
    return min(peers, key=lambda name: figures[name]["sync_us"])


def create_targets(figures: Mapping[str, Figures], peers: Sequence[str]) -> list[Target]:
    """Compare this package's figures with those of its peers and of what it stands on."""
    ours, raw, floor = figures[OURS], figures[RAW], figures[FLOOR]
    fastest = find_fastest(figures, peers)
    targets = [
        _create_target(
            f"`invoke`: at most {FASTER} of the fastest peer's time ({fastest})",
            ours["sync_us"],
            FASTER * figures[fastest]["sync_us"],
            "µs",
        ),
        _create_target(
            f"`invoke`: at most {OVERHEAD} of raw httpx and core's floor together",
            ours["sync_us"],
            OVERHEAD * (raw["sync_us"] + floor["sync_us"]),
            "µs",
        ),
    ]
    for in_flight in (64, 512):
        key = f"async_{in_flight}"
        best = max(peers, key=lambda name: figures[name][key])
        targets.append(
            _create_target(
                f"`ainvoke`, {in_flight} in flight: {MORE_CALLS} times the best peer's calls "
                f"({best})",
                ours[key],
                MORE_CALLS * figures[best][key],
                "calls/s",
                is_floor=True,
            )
        )
    return [
        *targets,
        _create_target(
            f"`ainvoke`: a call at 512 in flight costs at most {GROWTH} of one at 64",
            ours["async_512_cpu_us"],
            GROWTH * ours["async_64_cpu_us"],
            "µs of CPU",
        ),
        _create_target(
            f"import: at most {IMPORT_SECONDS} s more than langchain-core",
            ours["import_added_s"],
            IMPORT_SECONDS,
            "s",
        ),
        _create_target("construction: at most 1 ms", ours["construct_us"], CONSTRUCT_US, "µs"),
    ]


def _create_target(
    text: str, figure: float, limit: float, unit: str, *, is_floor: bool = False
) -> Target:
    is_met = figure >= limit if is_floor else figure <= limit
    sign = "≥" if is_floor else "≤"
    return Target(
        text=text,
        figure=f"{render_number(figure)} {unit}",
        limit=f"{sign} {render_number(limit)} {unit}",
        is_met=is_met,
    )


def render_number(number: float) -> str:
    """Write a number with as many digits as mean something."""
    return f"{number:,.2f}" if number < 10 else f"{number:,.0f}"


def render_table(rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table, its columns in line; the first row is the heading."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    # The first column is text, the others are mostly numbers.
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    heading, *body = rows
    lines = [
        [cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]
        for cells in (heading, rule, *body)
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _show(key: str) -> Callable[[Figures], str]:
    return lambda figures: render_number(figures[key])


CALL_COLUMNS = [
    Column("`invoke` µs", _show("sync_us")),
    Column("CPU µs", _show("sync_cpu_us")),
    Column("calls/s at 1", _show("async_1")),
    Column("calls/s at 64", _show("async_64")),
    Column("calls/s at 512", _show("async_512")),
    Column("CPU µs at 64", _show("async_64_cpu_us")),
    Column("CPU µs at 512", _show("async_512_cpu_us")),
]
MOST_COLUMNS = [
    Column("calls/s at 2,000", _show("async_2000")),
    Column("peak memory MiB", _show("memory_most_mib")),
]
START_COLUMNS = [
    Column("import s", _show("import_s")),
    Column("construction µs", _show("construct_us")),
    Column("peak memory MiB", _show("memory_mib")),
    Column("connections opened", lambda figures: f"{figures['connections']:,.0f}"),
]


def create_rows(figures: Mapping[str, Figures], columns: Sequence[Column]) -> list[list[str]]:
    """Make a table's rows: one for each contender."""
    heading = ["", *(column.heading for column in columns)]
    return [
        heading,
        *([name, *(column.show(one) for column in columns)] for name, one in figures.items()),
    ]


def create_target_rows(targets: Sequence[Target]) -> list[list[str]]:
    """Make the rows of the table of targets."""
    return [
        ["target", "measured", "limit", "met"],
        *([one.text, one.figure, one.limit, "yes" if one.is_met else "**no**"] for one in targets),
    ]


def render_page(figures: Mapping[str, Figures], targets: Sequence[Target], setting: Setting) -> str:
    """Write the whole of `docs/performance.md`."""
    many = {name: one for name, one in figures.items() if "memory_most_mib" in one}
    added = render_number(figures[OURS]["import_added_s"])
    versions = ", ".join(f"{name} {version}" for name, version in setting.versions.items())
    return f"""\
# Performance

What a call costs on top of the model's own time: this package beside other chat models of
LangChain. Each calls the same server on the same machine, which answers every request at once
with the same short reply, so that all of the time is the client's. Measure again, and write this
page anew, with:

```bash
make benchmark   # a few minutes; sets up .venv-peers first
```

Measured on {setting.date}: {setting.machine}, Python {setting.python}, {setting.server}.
Figures vary from run to run, by up to a third where other programs are busy. Those of different
machines do not compare; ratios roughly do.

## Targets

{render_table(create_target_rows(targets))}

## Calls

{render_table(create_rows(figures, CALL_COLUMNS))}

- `invoke`: the median of calls one by one on connections that are open, and the processor's time
  for each (CPU).
- calls/s: calls of `ainvoke` per second with 1, 64 and 512 of them in flight on one event loop,
  and the processor's time for each. Opening connections is part of it.
- {RAW}: one POST and its JSON, without LangChain; it may open 1,024 connections.
- {FLOOR}: LangChain around a model that answers from a list, without a request.
- Each package sends once (no retries) and keeps its own defaults otherwise, such as the number
  of its connections. The server answers sooner than any client can ask again, so that most of
  what is in flight waits inside the client, and few connections are needed.
- {setting.rounds} rounds with a process for each contender, in alternating order; the median of
  the rounds. 512 in flight are measured in the last round only. What the targets compare call by
  call is measured in {setting.turns} turns more, in the same way.

## 2,000 at once

One event loop is given 2,000 calls at the same moment; all are answered.

{render_table(create_rows(many, MOST_COLUMNS))}

## Start and memory

{render_table(create_rows(figures, START_COLUMNS))}

- import: in a fresh process, the shortest of several. Where langchain-core's chat models have
  been imported before, this package adds {added} s (median of {setting.turns}).
- construction: the median for a model once the package has made one.
- Memory and connections: those of the process that also had 512 calls in flight, from its start to
  its end.

## Versions

{textwrap.fill(versions, 100, break_on_hyphens=False)}.
"""


def render_terminal(figures: Mapping[str, Figures], targets: Sequence[Target]) -> str:
    """Write the same tables for a terminal."""
    tables = [
        create_rows(figures, [*CALL_COLUMNS, *START_COLUMNS]),
        create_target_rows(targets),
    ]
    plain = [[[MARKUP.sub("", cell) for cell in row] for row in rows] for rows in tables]
    return "\n\n".join(["", *map(render_table, plain), ""])


def write_page(text: str) -> None:
    """Write the page."""
    PAGE.write_text(text, encoding="utf-8")
