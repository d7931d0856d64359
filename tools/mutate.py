"""Changes the reader of replies in thousands of small ways, with mutmut, and tests each change.

    make mutate

It takes an hour or two, and ends with an error if more than one change in ten goes unnoticed. Each
of those is listed, and `.venv/bin/mutmut show NAME` prints it: a test is missing, or the code is
not needed. Results are kept in `mutants/`; only changed functions are tested again.
"""

import json
import os
import sys
from collections import Counter
from pathlib import Path

MIN_NOTICED = 0.9
"""The share of changes that a test or the type checker must notice, or that do not end."""

PACKAGE = "langchain_segmind."

UNNOTICED = {0, 5, 33}
"""mutmut's codes for tests that pass, and for no tests."""


def pytest_runtest_setup() -> None:
    """Empty the package's caches before each test: what is kept there would hide a change."""
    for module in [module for name, module in sys.modules.items() if name.startswith(PACKAGE)]:
        for function in vars(module).values():
            if hasattr(function, "cache_clear"):
                function.cache_clear()


def main() -> None:
    """Test each change, list those that go unnoticed, and exit with an error if they are many."""
    os.environ["STEPS_PER_CALL"] = "8"
    sys.setrecursionlimit(3_000)  # mutmut calls each function through two others
    from mutmut.__main__ import cli  # noqa: PLC0415 - it reads the configuration at import

    cli(["run", "--max-children", str(os.cpu_count() or 1)], standalone_mode=False)
    total, unnoticed = 0, []
    for path in sorted(Path("mutants").rglob("*.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        total += len(codes)
        unnoticed += [name for name, code in codes.items() if code in UNNOTICED]
    print(*unnoticed, sep="\n")
    for module, count in sorted(Counter(name.rsplit(".", 1)[0] for name in unnoticed).items()):
        print(f"{count:4} in {module}")
    print(f"{total - len(unnoticed)} of {total} changes were noticed.")
    sys.exit(len(unnoticed) > (1 - MIN_NOTICED) * total)


if __name__ == "__main__":
    main()
