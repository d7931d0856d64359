"""Changes a part of the package in thousands of small ways, with mutmut, and tests each change.

    make mutate PART=reader
    make mutate PART=http SAMPLE=300

A part takes ten minutes (embeddings) to hours, and ends with an error if more than one change in
ten goes unnoticed. Each of those is listed, and `.venv/bin/mutmut show NAME` prints it: a test is
missing, or the code is not needed. Results are kept in `mutants/`; only changed functions are
tested again.
"""

import argparse
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MIN_NOTICED = 0.9
"""The share of changes that a test or the type checker must notice, or that do not end."""

PACKAGE = "langchain_segmind."

UNIT = "tests/unit_tests"
INTEGRATION = "tests/integration_tests"


def _list_tests(folder: str, names: str) -> list[str]:
    return [f"{folder}/{name}" for name in names.split()]


def _list_integration(names: str) -> list[str]:
    return [f"{INTEGRATION}/test_{name}.py" for name in names.split()]


WITHOUT_WARNINGS = ("-k", "not another_shape and not missing_langchain")
"""Without tests of warnings that name their caller, which would be mutmut."""

PARTS = {
    "reader": (
        ["_tools/*", "_output/*"],
        [
            *_list_tests(UNIT, "tools output chat"),
            *_list_integration("structured_output"),
            f"--ignore={UNIT}/tools/test_laws.py",  # the other tests are quicker
        ],
    ),
    "chat": (
        ["_chat/*", "_settings/*", "chat_models.py", "jobs.py", "_model.py", "_registration.py"],
        [
            *_list_tests(UNIT, "chat settings test_chat_models.py"),
            *_list_tests(UNIT, "test_registration.py test_missing_model.py"),
            *_list_integration("cache errors formats init_chat_model injection native_calls"),
            *_list_integration("native_json queue runnables standard streaming"),
            *_list_integration("structured_output tokens tool_calling unclear_replies"),
            *WITHOUT_WARNINGS,
        ],
    ),
    "http": (
        ["_http/*", "_api/*", "exceptions.py", "__main__.py"],
        [
            *_list_tests(UNIT, "api callbacks chat http settings test_chat_models.py"),
            *_list_tests(UNIT, "test_exceptions.py test_missing_model.py"),
            *_list_integration("connections credits_callbacks deadlines embeddings environment"),
            *_list_integration("errors idle_connections queue report secrets sending"),
            *_list_integration("structured_output wire_faults"),
            *WITHOUT_WARNINGS,
        ],
    ),
    "credits": (
        ["callbacks/*", "rate_limiters/*", "middleware.py"],
        [
            *_list_tests(UNIT, "callbacks rate_limiters"),
            *_list_integration("credits_callbacks credits_middleware embeddings middleware"),
            *_list_integration("pacing queue rate_limiter"),
        ],
    ),
    "embeddings": (
        ["_embeddings/*", "embeddings.py"],
        _list_integration("embeddings vector_stores"),
    ),
    "gateway": (
        ["gateway/*", "testing.py"],
        [*_list_tests(UNIT, "gateway"), *_list_integration("pytest_plugin")],
    ),
}
"""Names of parts -> their modules, and the tests that must notice a change."""

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
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--sample", type=int, metavar="COUNT", help="changes to test")
    options = parser.parse_args()
    os.environ["STEPS_PER_CALL"] = "8"
    sys.setrecursionlimit(3_000)  # mutmut calls each function through two others
    from mutmut.__main__ import cli  # noqa: PLC0415 - it reads the configuration at import
    from mutmut.configuration import config  # noqa: PLC0415 - likewise

    modules, tests = PARTS[options.part]
    config().only_mutate = [f"langchain_segmind/{pattern}" for pattern in modules]
    config().pytest_add_cli_args_test_selection = tests
    run = ["run", "--max-children", str(os.cpu_count() or 1)]
    names: list[str] = []
    if options.sample:
        with suppress(AssertionError):  # no change has this name
            cli([*run, "none"], standalone_mode=False)
        changes = sorted(read_outcomes(options.part))
        count = min(options.sample, len(changes))
        names = random.Random(0).sample(changes, count)  # noqa: S311 - no secret
    cli([*run, *names], standalone_mode=False)
    outcomes = read_outcomes(options.part)
    tested = {name: outcomes[name] for name in names or outcomes}
    unnoticed = [name for name, code in tested.items() if code in UNNOTICED]
    print(*unnoticed, sep="\n")
    for module, number in sorted(Counter(name.rsplit(".", 1)[0] for name in unnoticed).items()):
        print(f"{number:4} in {module}")
    print(f"{len(tested) - len(unnoticed)} of {len(tested)} changes were noticed.")
    sys.exit(len(unnoticed) > (1 - MIN_NOTICED) * len(tested))


def read_outcomes(part: str) -> dict[str, int | None]:
    """Return mutmut's code for each change of a part; None if it was not tested."""
    return {
        name: code
        for path in find_results(part)
        for name, code in json.loads(path.read_text())["exit_code_by_key"].items()
    }


def find_results(part: str) -> Iterator[Path]:
    """Yield the files in which mutmut keeps the outcomes of a part."""
    for pattern in PARTS[part][0]:
        yield from Path("mutants/langchain_segmind").glob(
            pattern.replace("*", "**/*.meta") if "*" in pattern else f"{pattern}.meta"
        )


if __name__ == "__main__":
    main()
