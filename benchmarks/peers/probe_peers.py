"""Probe this package and its peers under bad conditions: `make probe_peers`."""

import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from benchmarks.pages import REPORT, describe_machine, write_section
from benchmarks.peers.contenders import OURS, PEERS
from benchmarks.peers.rounds import allow_open_files, run_python
from benchmarks.peers.script_server import ScriptServer, serve_script

Cells = Mapping[str, Mapping[str, str]]
"""The text of each row, by contender."""

MAX_PROBE_SECONDS = 30
"""For one probe of one contender, the import included."""
REPEATS = {"batch": 3}
"""How often a probe is run, where the result depends on the machine's load."""
DEPENDENCIES = ("langchain-core", "httpx", "openai", "groq", "openrouter", "litellm")
"""Packages beneath the contenders whose versions matter."""

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
"""The label of each row by probe."""


def main() -> None:
    """Probe, print, and write the report."""
    allow_open_files()
    names = [OURS, *PEERS]
    with serve_script() as server:
        cells = {name: probe_all(name, server) for name in names}
    versions = {name: version(name) for name in [*names, *DEPENDENCIES]}
    section = render_section(cells, versions)
    write_section(REPORT, "make probe_peers", section)
    sys.stdout.write(section)


def probe_all(name: str, server: ScriptServer) -> dict[str, str]:
    """Run all probes of a contender, each in its own process."""
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
        return run_python(*command, timeout=MAX_PROBE_SECONDS, stderr=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        text = f"{server.requests}, not over in {MAX_PROBE_SECONDS} s"
    except subprocess.CalledProcessError as error:
        text = f"{server.requests}, exit status {error.returncode}"
    return dict.fromkeys(ROWS[probe], text)


def render_table(cells: Cells, versions: Mapping[str, str]) -> str:
    """Write the table: a row for each probe, a column for each contender."""
    labels = {row: label for rows in ROWS.values() for row, label in rows.items()}
    rows: list[Sequence[str]] = [
        ["", *(f"{name}<br>{versions[name]}" for name in cells)],
        ["---"] * (len(cells) + 1),
        *([label, *(column[row] for column in cells.values())] for row, label in labels.items()),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def render_section(cells: Cells, versions: Mapping[str, str]) -> str:
    """Write the section of the report."""
    others = ", ".join(f"{name} {number}" for name, number in versions.items() if name not in cells)
    setting = f"{describe_machine()}, {others}."
    return f"""\
{textwrap.fill(setting, 100, break_on_hyphens=False)}

{render_table(cells, versions)}

{NOTES}"""


NOTES = """\
- †: also langchain-core's `ModelError`. A class without a prefix is Python's own or the column's
  package's.
- Each model has its package's defaults except for the base URL, a key, and no retries where the row
  does not say otherwise: `max_retries=0`, with `model_kwargs={"retries": None}` in
  langchain-openrouter and `model_kwargs={"max_retries": 0}` in langchain-litellm, where the former
  leaves some retries on.
- "4; 2 calls failed": the server saw 4 requests, and 2 of the 4 calls raised an error.
- Threads: "not over" counts the calls that hang after 15 s, and those that were to follow in the
  same thread. The counts vary from run to run.
- A probe that is not over after 30 s is ended; the number before that is its requests so far.
- Timeouts are in seconds. langchain-openrouter takes milliseconds, langchain-litellm calls the
  argument `request_timeout`, and langchain-mistralai takes whole seconds (its `abatch` has 2 s).
- `abatch`: three runs, each after one call as warm-up. A run can take longer than the timeout
  without a failure: most packages bound each wait for the network, this one the whole call.
- `wait_for`: how the call ended, and how much later the server saw the connection closed.
"""


if __name__ == "__main__":
    main()
