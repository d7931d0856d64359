"""What docs/tour.md names is where it says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tour.md"
SECTION = re.compile(r"^## (?P<heading>.+)\n(?P<text>(?:(?!## ).*\n)*)", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((\.\./[\w./]+\.py)\)")
NAME = re.compile(r"`([A-Za-z_]\w*(?:\.\w+)?)`")

FOREIGN = {
    "await",
    "context",  # columns of a table
    "output",
    "invoke",  # LangChain's
    "langchain_segmind",  # a logger
}
"""What is in backticks without being defined in a file."""

SECTIONS = {
    section["heading"]: FENCE.sub("", section["text"])
    for section in SECTION.finditer(PAGE.read_text(encoding="utf-8"))
}


def find_names(nodes: list[ast.stmt], owner: str = "") -> Iterator[str]:
    """Yield what a module and its classes define: classes, functions, constants, fields."""
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            yield node.name
            yield from find_names(node.body, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from {node.name, f"{owner}{node.name}"}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def find_undefined(text: str) -> set[str]:
    """Return the names in a text that no file to which it links defines."""
    files = [(PAGE.parent / path).read_text(encoding="utf-8") for path in LINK.findall(text)]
    defined = {name for source in files for name in find_names(ast.parse(source).body)}
    return set(NAME.findall(text)) - defined - FOREIGN


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_name_is_defined_in_a_file_of_its_section(heading: str) -> None:
    """A reader who opens the linked files finds each class, function, constant and field."""
    assert find_undefined(SECTIONS[heading]) == set()


def test_a_name_that_nothing_defines_is_noticed() -> None:
    """Classes, methods, constants, fields and functions are found."""
    link = "[openai.py](../langchain_segmind/_chat/formats/openai.py)"
    assert find_undefined(f"{link}: `encode`, `FINISH_REASONS`, `missing`") == {"missing"}
    link = "[response.py](../langchain_segmind/_chat/response.py)"
    assert find_undefined(f"{link}: `Completion`, `finish_reason`") == set()
    link = "[client.py](../langchain_segmind/_http/client.py)"
    assert find_undefined(f"{link}: `Sender.send`, `Sender.missing`") == {"Sender.missing"}
