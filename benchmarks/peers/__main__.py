"""Measure this package beside its peers: `make benchmark`."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version

from benchmarks.peers.contenders import CONTENDERS, FLOOR, OURS, PEERS, RAW, VARIANTS
from benchmarks.peers.report import (
    PAGE,
    Setting,
    create_targets,
    find_fastest,
    render_page,
    render_terminal,
    summarize,
    write_page,
)
from benchmarks.peers.rounds import (
    ROUNDS,
    TURNS,
    allow_open_files,
    measure_added_import,
    measure_most,
    measure_rounds,
    measure_turns,
)
from benchmarks.peers.server import serve

UNDERNEATH = ("langchain-core", "pydantic", "httpx", "aiohttp", "openai", "groq", "litellm")
"""Packages that the contenders stand on, and whose versions matter."""


def main() -> None:
    """Measure, show and write."""
    allow_open_files()
    with serve() as server:
        measured = measure_rounds(CONTENDERS, server)
        compared = [OURS, find_fastest(summarize(measured), PEERS), RAW, FLOOR]
        turns = measure_turns({name: CONTENDERS[name] for name in compared}, server)
        most = measure_most({name: CONTENDERS[name] for name in (OURS, *VARIANTS)}, server)
    measured[OURS] += measure_added_import(CONTENDERS[OURS].module, CONTENDERS[FLOOR].module)
    for name in CONTENDERS:
        measured[name] += [*turns.get(name, []), *most.get(name, [])]
    figures = summarize(measured)
    targets = create_targets(figures, list(PEERS))
    names = [*(one.distribution for one in CONTENDERS.values()), *UNDERNEATH]
    setting = Setting(
        machine=f"{os.cpu_count()} cores, {platform.system()}",
        python=platform.python_version(),
        server=server.name,
        date=datetime.now(tz=UTC).date().isoformat(),
        rounds=ROUNDS,
        turns=TURNS,
        versions={name: version(name) for name in dict.fromkeys(names)},
    )
    write_page(render_page(figures, targets, setting))
    sys.stdout.write(render_terminal(figures, targets))
    sys.stdout.write(f"Written to {PAGE.relative_to(PAGE.parents[1])}.\n")


if __name__ == "__main__":
    main()
