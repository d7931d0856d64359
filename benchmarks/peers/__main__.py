"""Measure this package beside other chat models: `make benchmark`."""

import sys
from importlib.metadata import version

from benchmarks import charts
from benchmarks.pages import REPORT, SUMMARY, write_section
from benchmarks.peers.contenders import CONTENDERS, FLOOR, OURS, PEERS, RAW
from benchmarks.peers.report import (
    create_targets,
    find_fastest,
    render_report,
    render_summary,
    render_terminal,
    summarize,
)
from benchmarks.peers.rounds import (
    allow_open_files,
    measure_added_import,
    measure_rounds,
    measure_single_calls,
)
from benchmarks.peers.server import serve

DEPENDENCIES = ("langchain-core", "pydantic", "httpx", "openai", "groq", "litellm")
"""Packages beneath the contenders whose versions matter."""


def main() -> None:
    """Measure, print, and write the report and the chart."""
    allow_open_files()
    with serve() as server:
        measured = measure_rounds(CONTENDERS, server)
        compared = [OURS, find_fastest(summarize(measured), PEERS), RAW, FLOOR]
        single_calls = measure_single_calls({name: CONTENDERS[name] for name in compared}, server)
    measured[OURS] += measure_added_import(CONTENDERS[OURS].module, CONTENDERS[FLOOR].module)
    for name, figures in single_calls.items():
        measured[name] += figures
    figures = summarize(measured)
    targets = create_targets(figures, list(PEERS))
    names = [*(one.distribution for one in CONTENDERS.values()), *DEPENDENCIES]
    versions = {name: version(name) for name in dict.fromkeys(names)}
    write_section(REPORT, "make benchmark", render_report(figures, targets, server.name, versions))
    charts.draw("performance")
    write_section(SUMMARY, "make benchmark", render_summary(figures, list(PEERS)))
    sys.stdout.write(render_terminal(figures, targets))


if __name__ == "__main__":
    main()
