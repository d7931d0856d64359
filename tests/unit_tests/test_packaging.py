"""The package's metadata, and the files of pinned versions."""

import itertools
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
TESTED = PYPROJECT["dependency-groups"]["test"]
AGENTS = [requirement for requirement in TESTED if re.match("lang(chain|graph)>", requirement)]
"""Packages that use the models, and that the package does not depend on."""
EXTRAS = PROJECT["optional-dependencies"]
DECLARED = [*PROJECT["dependencies"], *itertools.chain(*EXTRAS.values()), *AGENTS]
LOWEST = "\n".join(
    (ROOT / "requirements" / name).read_text(encoding="utf-8")
    for name in ("lowest.txt", "model.txt")
)


@pytest.mark.parametrize("requirement", DECLARED)
def test_lowest_declared_versions_are_tested(requirement: str) -> None:
    """Lower bounds in pyproject.toml are pinned in requirements/lowest.txt or model.txt."""
    name, floor = re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", requirement).groups()
    tested = re.search(rf"^{name}==([\d.]+)$", LOWEST, re.MULTILINE).group(1)
    assert tested.removesuffix(".0").removesuffix(".0") == floor.removesuffix(".0")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name
)
def test_pins_are_exact_and_name_no_index(path: Path) -> None:
    """Every line is a version, so that any package index can serve it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)


def test_each_upper_bound_has_a_reason() -> None:
    """Beside it, as a comment."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    bounded = re.findall(r'^.*"[\w-]+[^"]*<[^"]*".*$', text, re.MULTILINE)
    assert len(bounded) >= 5
    assert [line for line in bounded if " # " not in line] == []
