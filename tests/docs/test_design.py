"""The diagram of docs/design.md shows the imports of the package."""

import re
import tomllib
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PACKAGE = "langchain_segmind"
Edges = set[tuple[str, str]]


def read_diagram() -> Edges:
    """Return the arrows, from a package to one that it imports."""
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    [diagram] = re.findall(r"```mermaid\nflowchart TD\n(.*?)```", page, re.DOTALL)
    return {
        (importer, imported)
        for line in diagram.splitlines()
        for importer in line.partition("-->")[0].strip().split(" & ")
        for imported in line.partition("-->")[2].strip().split(" & ")
    }


def find_imports() -> Edges:
    """Return the imports between the package's own packages and modules."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True)
    members = graph.find_children(PACKAGE)
    return {
        (importer.partition(".")[2], imported.partition(".")[2])
        for importer in members
        for imported in members - {importer}
        if graph.direct_import_exists(importer=importer, imported=imported, as_packages=True)
    }


def find_reachable(start: str, edges: Edges) -> set[str]:
    """Return what a package imports, directly or not."""
    reachable: set[str] = set()
    found = {start}
    while found:
        found = {imported for importer, imported in edges if importer in found} - reachable
        reachable |= found
    return reachable


def test_the_diagram_shows_the_imports_that_others_do_not_imply() -> None:
    """An import that is new, or gone, changes the diagram."""
    imports = find_imports()
    needed = {
        (importer, imported)
        for importer, imported in imports
        if imported not in find_reachable(importer, imports - {(importer, imported)})
    }
    assert read_diagram() == needed


def test_the_arrows_go_down_the_layers_of_import_linter() -> None:
    """And each layer of its rules is in the diagram."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = pyproject["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    heights = {name: -height for height, layer in enumerate(layers) for name in layer.split(" | ")}
    arrows = read_diagram()
    assert all(heights[importer] > heights[imported] for importer, imported in arrows)
    assert {name for arrow in arrows for name in arrow} == heights.keys()
