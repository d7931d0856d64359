"""Measure this package beside its peers: `make benchmark`."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version

from tests.benchmarks.peers.contenders import FLOOR, OURS, PEERS, find_contenders
from tests.benchmarks.peers.report import (
    PAGE,
    Setting,
    create_targets,
    render_page,
    render_terminal,
    summarize,
    write_page,
)
from tests.benchmarks.peers.rounds import ROUNDS, allow_open_files, measure_imports, measure_rounds
from tests.benchmarks.peers.server import serve

UNDERNEATH = ("langchain-core", "pydantic", "httpx", "aiohttp", "openai", "groq", "litellm")
"""Packages that the contenders stand on, and whose versions matter."""


def main() -> None:
    """Measure, show and write."""
    allow_open_files()
    contenders = find_contenders()
    with serve() as server:
        measured = measure_rounds(contenders, server)
    for name, more in measure_imports({n: contenders[n].module for n in (OURS, FLOOR)}).items():
        measured[name] += more
    figures = summarize(measured)
    targets = create_targets(figures, list(PEERS))
    names = [*(one.distribution for one in contenders.values()), *UNDERNEATH]
    setting = Setting(
        machine=f"{os.cpu_count()} cores, {platform.system()}",
        python=platform.python_version(),
        server=server.name,
        date=datetime.now(tz=UTC).date().isoformat(),
        rounds=ROUNDS,
        versions={name: version(name) for name in dict.fromkeys(names)},
    )
    write_page(render_page(figures, targets, setting))
    sys.stdout.write(render_terminal(figures, targets))
    sys.stdout.write(f"Written to {PAGE.relative_to(PAGE.parents[1])}.\n")


if __name__ == "__main__":
    main()
