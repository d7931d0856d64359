"""How the figures of `make benchmark` become targets and tables; nothing is timed here."""

import pytest

from tests.benchmarks.peers.contenders import FLOOR, OURS, RAW
from tests.benchmarks.peers.report import (
    Setting,
    create_targets,
    render_number,
    render_page,
    render_table,
    render_terminal,
    summarize,
)

PEER = {
    "sync_us": 2000.0,
    "sync_cpu_us": 2000.0,
    "async_1": 200.0,
    "async_1_cpu_us": 4000.0,
    "async_64": 100.0,
    "async_64_cpu_us": 4000.0,
    "async_512": 100.0,
    "async_512_cpu_us": 6000.0,
    "import_s": 2.0,
    "construct_us": 1000.0,
    "memory_mib": 90.0,
    "connections": 100.0,
}
MOST = {"async_2000": 400.0, "memory_most_mib": 120.0, "import_added_s": 0.15}
"""What only this package is measured with."""
SLOW_PEER = {**PEER, "sync_us": 3000.0, "async_64": 90.0, "async_512": 120.0}
YARDSTICKS = {
    RAW: {**PEER, "sync_us": 1000.0},
    FLOOR: {**PEER, "sync_us": 360.0, "import_s": 1.0},
}
FAST = {**PEER, **MOST, "sync_us": 1700.0, "async_64": 250.0, "async_512": 300.0}
PEERS = ["peer", "slow peer"]


def create_figures(ours: dict[str, float]) -> dict[str, dict[str, float]]:
    """Make the figures of all contenders."""
    return {OURS: ours, "peer": PEER, "slow peer": SLOW_PEER, **YARDSTICKS}


def test_rounds_become_medians_and_the_shortest_import() -> None:
    """What only some rounds measure counts where it was measured."""
    rounds = [{"import_s": 3.0, "sync_us": 9.0}, {"import_s": 1.0, "sync_us": 1.0}]
    rounds.append({"import_s": 2.0, "sync_us": 2.0, "memory_mib": 80.0})
    assert summarize({"a": rounds}) == {"a": {"import_s": 1.0, "sync_us": 2.0, "memory_mib": 80.0}}


def test_what_just_reaches_a_target_meets_it() -> None:
    """The limits are part of what is allowed."""
    assert [one.is_met for one in create_targets(create_figures(FAST), PEERS)] == [True] * 7


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        pytest.param({"sync_us": 1701.0}, [0, 1], id="slower calls"),
        pytest.param({"async_64": 249.0}, [2], id="fewer calls at 64"),
        pytest.param({"async_512": 299.0}, [3], id="fewer calls at 512"),
        pytest.param({"async_512_cpu_us": 6001.0}, [4], id="dearer calls at 512"),
        pytest.param({"import_added_s": 0.16}, [5], id="a longer import"),
        pytest.param({"construct_us": 1001.0}, [6], id="a longer construction"),
    ],
)
def test_what_is_worse_misses_its_target(changes, missed) -> None:
    """Each target has a figure of its own."""
    targets = create_targets(create_figures({**FAST, **changes}), PEERS)
    assert [number for number, one in enumerate(targets) if not one.is_met] == missed


def test_a_target_names_the_best_peer_and_the_figures() -> None:
    """The best peer may be another one in each discipline."""
    targets = create_targets(create_figures(FAST), PEERS)
    assert "(peer)" in targets[2].text
    assert "(slow peer)" in targets[3].text
    assert (targets[0].figure, targets[0].limit) == ("1,700 µs", "≤ 1,700 µs")
    assert (targets[3].figure, targets[3].limit) == ("300 calls/s", "≥ 300 calls/s")


@pytest.mark.parametrize(
    ("number", "text"), [(0.154, "0.15"), (9.5, "9.50"), (12.34, "12"), (12345.6, "12,346")]
)
def test_numbers_have_as_many_digits_as_mean_something(number, text) -> None:
    """Two places below ten, none above."""
    assert render_number(number) == text


def test_a_tables_columns_are_in_line() -> None:
    """Text to the left, numbers to the right."""
    table = render_table([["", "µs"], ["one", "1,000"], ["b", "2"]])
    assert table.splitlines() == [
        "|     |    µs |",
        "| --- | ----: |",
        "| one | 1,000 |",
        "| b   |     2 |",
    ]


def test_the_page_shows_every_contender_target_and_version() -> None:
    """The terminal shows the same tables."""
    figures = create_figures({**FAST, "sync_us": 9999.0})
    targets = create_targets(figures, PEERS)
    setting = Setting(
        machine="2 cores, Linux",
        python="3.11.0",
        server="nginx 1.0",
        date="2026-01-31",
        rounds=3,
        turns=12,
        versions={"langchain-core": "1.6.0"},
    )
    page = render_page(figures, targets, setting)
    assert page.startswith("# Performance\n")
    assert "2026-01-31: 2 cores, Linux, Python 3.11.0, nginx 1.0." in page
    assert "langchain-core 1.6.0." in page
    assert page.count("**no**") == 2
    terminal = render_terminal(figures, targets)
    assert all(f"| {name} " in text for name in figures for text in (page, terminal))
    assert all(one.text in page for one in targets)
