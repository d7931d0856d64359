"""Probe this package and its peers under bad conditions: `make probe_peers`."""

import os
import platform
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers.contenders import OURS, PEERS
from benchmarks.peers.rounds import allow_open_files, run_python
from benchmarks.peers.script_server import ScriptServer, serve_script

Cells = Mapping[str, Mapping[str, str]]
"""The text of each row by contender."""

PAGE = Path(__file__).parents[3] / "docs" / "reliability.md"
BEGIN = "<!-- begin: written by `make probe_peers` -->"
END = "<!-- end -->"
SECONDS = 30
"""What one probe of one contender may take, with the import."""
REPEATS = {"batch": 3}
"""How often a probe is run, where a busy moment changes what comes out."""
UNDERNEATH = ("langchain-core", "httpx", "aiohttp", "openai", "groq", "openrouter", "litellm")
"""Packages that the contenders stand on, and whose versions matter."""

ROWS = {
    "two_loops": {"two loops": "2 x `asyncio.run`, no retries"},
    "sent_twice": {"requests": "4 x `asyncio.run`, default retries: requests for 4 calls"},
    "threads": {"threads": "6 threads x 5 event loops, no retries: failures of 30"},
    "copies": {
        "pickle": "pickled after a call; the copy called",
        "deepcopy": "`copy.deepcopy` after a call; the copy called",
    },
    "trickle": {
        "trickle": "body trickles for 4.8 s, `timeout` 1 s: `invoke`",
        "trickle async": "the same: `ainvoke`",
    },
    "unavailable": {"unavailable": "always 503, `max_retries=2`: requests"},
    "no_retries": {"no retries": "always 503, `max_retries=0`: requests"},
    "wrong_answers": {
        "html": "200 with HTML",
        "no-choices": '200 with `"choices": []`',
        "error": '200 with `{"error": {…}}`',
    },
    "batch": {"batch": "`abatch` of 300, answers after 0.8 s, `timeout` 1.5 s: failures"},
    "misspelt": {"misspelt": "`temprature=0` in the constructor"},
    "cancelled": {"cancelled": "`asyncio.wait_for(…, 0.1)`, no answer: connection"},
}
"""What the table calls the rows of each probe."""


def main() -> None:
    """Probe, show and write."""
    allow_open_files()
    names = [OURS, *PEERS]
    with serve_script() as server:
        cells = {name: probe_all(name, server) for name in names}
    versions = {name: version(name) for name in [*names, *UNDERNEATH]}
    section = render_section(cells, versions)
    PAGE.write_text(replace_section(PAGE.read_text(encoding="utf-8"), section), encoding="utf-8")
    sys.stdout.write(f"{section}\nWritten to {PAGE.relative_to(PAGE.parents[1])}.\n")


def probe_all(name: str, server: ScriptServer) -> dict[str, str]:
    """Run all probes of a contender, each in a process of its own."""
    cells: dict[str, str] = {}
    for probe, rows in ROWS.items():
        sys.stderr.write(f"{name}: {probe}\n")
        runs = [run_probe(probe, name, server) for _ in range(REPEATS.get(probe, 1))]
        cells |= {row: "<br>".join(run[row] for run in runs) for row in rows}
        sys.stderr.write("".join(f"    {row}: {cells[row]}\n" for row in rows))
    return cells


def run_probe(probe: str, name: str, server: ScriptServer) -> dict[str, str]:
    """Run one probe of a contender."""
    server.reset()
    module = "benchmarks.peers.probes"
    command = ("-W", "ignore", "-m", module, probe, name, server.origin)
    try:
        return run_python(*command, timeout=SECONDS, stderr=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        text = f"{server.requests}, not over in {SECONDS} s"
    except subprocess.CalledProcessError as error:
        text = f"{server.requests}, exit status {error.returncode}"
    return dict.fromkeys(ROWS[probe], text)


def render_table(cells: Cells, versions: Mapping[str, str]) -> str:
    """Write the table: a row for each thing that was probed, a column for each contender."""
    labels = {row: label for rows in ROWS.values() for row, label in rows.items()}
    rows: list[Sequence[str]] = [
        ["", *(f"{name}<br>{versions[name]}" for name in cells)],
        ["---"] * (len(cells) + 1),
        *([label, *(column[row] for column in cells.values())] for row, label in labels.items()),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def render_section(cells: Cells, versions: Mapping[str, str]) -> str:
    """Write what stands between the marks."""
    others = ", ".join(f"{name} {number}" for name, number in versions.items() if name not in cells)
    setting = (
        f"Measured on {datetime.now(tz=UTC).date().isoformat()}: {os.cpu_count()} cores, "
        f"{platform.system()}, Python {platform.python_version()}, {others}."
    )
    return f"""\
How this package and other chat models of LangChain took the same conditions from a server on the
same machine, each probe in a process of its own. Run again with `make probe_peers`.
{textwrap.fill(setting, 100, break_on_hyphens=False)}

{render_table(cells, versions)}

{NOTES}"""


NOTES = """\
- †: also langchain-core's `ModelError`. A class without a prefix is Python's own, or of the
  column's package; Python's modules are prefixes too.
- Each model has the package's defaults, but for the base URL, a key, and no retries where the row
  says nothing else: `max_retries=0`, and since that leaves some on, also
  `model_kwargs={"retries": None}` in langchain-openrouter and `model_kwargs={"max_retries": 0}` in
  langchain-litellm. This package has its extra `aiohttp`, and uses it.
- "4; 2 calls failed": the server saw 4 requests, and 2 of the 4 calls ended with an error.
- Threads: calls that hang after 15 s are counted apart, with those of the same thread that were
  to follow. The counts vary from run to run.
- A probe that is not over after 30 s, with the import, is ended; the number before that is the
  requests until then.
- Timeouts are in seconds, but langchain-openrouter takes milliseconds, langchain-litellm calls
  them `request_timeout`, and langchain-mistralai takes whole seconds: its `abatch` has 2 s.
- `abatch`: three runs, each with one call before to warm up. A run that takes longer than the
  timeout need not fail: most packages bound the waits for the network, this one the whole call,
  with the time for which the other calls keep the event loop busy.
- `wait_for`: how it ended, and how long after that the server saw the connection closed.
"""


def replace_section(page: str, section: str) -> str:
    """Put the section between the marks of a page.

    Raises:
        ValueError: The page does not hold both marks once.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} needs the lines {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n\n{section}\n{END}{after}"


if __name__ == "__main__":
    main()
