"""The documentation site gets every page, and the API reference every public name."""

import re
from pathlib import Path

import pytest

from tests.support.public_modules import PUBLIC_MODULES
from tools.docs_site import collect

ROOT = Path(__file__).parents[2]
REFERENCES = sorted((ROOT / "docs" / "reference").glob("*.md"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a small project: a page that links to another page and to an example."""
    files = {
        "README.md": "# Home\n",
        "docs/page.md": "[home](../README.md), [example](../examples/run.py), [top](#page)\n",
        "examples/run.py": "print(1)\n",
        "examples/other.py": "print(2)\n",
    }
    for name, text in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "project"


def read_names(folder: Path) -> set[str]:
    """Return the paths of the files in a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_linked_example_becomes_a_page(project, tmp_path) -> None:
    """A link to a file leads to a page that shows it; links to pages stay as they are."""
    collect(project, tmp_path / "pages")
    assert read_names(tmp_path / "pages") == {"README.md", "docs/page.md", "examples/run.py.md"}
    page = (tmp_path / "pages" / "docs" / "page.md").read_text(encoding="utf-8")
    assert page == "[home](../README.md), [example](../examples/run.py.md), [top](#page)\n"
    shown = (tmp_path / "pages" / "examples" / "run.py.md").read_text(encoding="utf-8")
    assert shown.endswith("# `examples/run.py`\n\n````python\nprint(1)\n````\n")


def test_page_that_is_gone_leaves_the_site(project, tmp_path) -> None:
    """The site does not keep pages of earlier builds."""
    collect(project, tmp_path / "pages")
    (project / "docs" / "page.md").unlink()
    collect(project, tmp_path / "pages")
    assert read_names(tmp_path / "pages") == {"README.md"}


def test_unchanged_page_is_not_written_again(project, tmp_path) -> None:
    """`make docs_serve` rebuilds the site when a page is written: this must come to an end."""
    collect(project, tmp_path / "pages")
    home, page = tmp_path / "pages" / "README.md", tmp_path / "pages" / "docs" / "page.md"
    times = home.stat().st_mtime_ns, page.stat().st_mtime_ns
    (project / "README.md").write_text("# New home\n", encoding="utf-8")
    collect(project, tmp_path / "pages")
    assert home.read_text(encoding="utf-8") == "# New home\n"
    assert page.stat().st_mtime_ns == times[1]


def test_reference_has_every_public_name_once() -> None:
    """A new public class or function without an entry in the API reference fails here."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCES)
    listed = re.findall(r"^::: langchain_segmind[\w.]*?\.?(\w+)$", text, re.MULTILINE)
    public = {name for module in PUBLIC_MODULES for name in module.__all__ if name != "__version__"}
    assert sorted(listed) == sorted(public)


def test_diagram_is_drawn_by_a_script_of_the_site(project, tmp_path) -> None:
    """Without the script, the diagram is a block of text: the theme would load one from a host."""
    (project / "docs" / "page.md").write_text("```mermaid\nflowchart TD\n```\n")
    collect(project, tmp_path / "pages")
    page = tmp_path / "pages" / "docs" / "page.md"
    assert page.read_text() == "```text\nflowchart TD\n```\n"
    (tmp_path / "mermaid.min.js").write_text("draw()")
    collect(project, tmp_path / "pages")
    assert page.read_text().endswith('<script src="../../mermaid.min.js"></script>\n')
    assert (tmp_path / "pages" / "mermaid.min.js").read_text() == "draw()"


def test_titles_and_headings_are_unique() -> None:
    """Tabs of a browser show a page's title in the navigation; search results show its heading."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    pages = re.findall(r"^ +- (.+): (\S+\.md)$", navigation, re.MULTILINE)
    headings = [(ROOT / path).read_text(encoding="utf-8").partition("\n")[0] for _, path in pages]
    assert len(pages) > 30
    for names in (headings, [title for title, _ in pages]):
        assert len(set(names)) == len(names)
