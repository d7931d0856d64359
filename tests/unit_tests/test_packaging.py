"""What the package says of itself."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
TESTED = PYPROJECT["dependency-groups"]["test"]
AGENTS = [requirement for requirement in TESTED if re.match("lang(chain|graph)>", requirement)]
"""Whom our models are handed to, though the package does not depend on them."""
DECLARED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["gateway"], *AGENTS]
LOWEST = (ROOT / "requirements" / "lowest.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("requirement", DECLARED)
def test_the_lowest_versions_that_are_tested_are_those_that_are_declared(requirement: str) -> None:
    """A floor that no test runs on is a guess."""
    name, floor = re.match(r"([\w-]+)>=([\d.]+)", requirement).groups()
    tested = re.search(rf"^{name}==([\d.]+)$", LOWEST, re.MULTILINE).group(1)
    assert tested.removesuffix(".0").removesuffix(".0") == floor.removesuffix(".0")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name
)
def test_the_pins_carry_no_addresses(path: Path) -> None:
    """An install is reproducible from any index."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
