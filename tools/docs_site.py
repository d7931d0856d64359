"""Collects the pages of the documentation site for MkDocs, which calls `on_pre_build`.

The site has the folders of the project, so links between pages work as they do on a forge. A file
that is not a page, such as an example, becomes a page that shows it if a page links to it.
"""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "build" / "pages"
PATTERNS = (
    "*.md",
    "benchmarks/*.md",
    "docs/*.md",
    "docs/images/*.svg",
    "docs/reference/*.md",
    "examples/*.md",
    "requirements/*.md",
    "tools/docs_site.css",
)
MERMAID = "mermaid.min.js"
"""The script that draws diagrams; `make docs` puts it beside the folder of the pages."""

LINK = re.compile(r"\]\((?!https?://)([^)#\s]+)(?:#[^)\s]*)?\)")

PICTURE = re.compile(
    r'<picture>\s*<source [^>]*srcset="([^"]+)">\s*<img src="([^"]+)" alt="([^"]*)">\s*</picture>'
)
"""A chart in its dark and light version, and the text for those who cannot see it."""


def collect(root: Path = ROOT, output: Path = OUTPUT) -> None:
    """Write the pages of a project to a folder, and remove all others from it.

    Args:
        root: The folder of the project.
        output: The folder to write to. Files that have not changed are left alone.
    """
    contents: dict[Path, str] = {}
    script = output.with_name(MERMAID)
    if script.exists():
        contents[output / MERMAID] = script.read_text(encoding="utf-8")
    for pattern in PATTERNS:
        for path in sorted(root.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            contents[output / path.relative_to(root)] = text
            if path.suffix == ".md":
                for source in find_linked_sources(path, text):
                    page = output / name_source_page(source.relative_to(root))
                    contents[page] = show_source(source.relative_to(root), source)
                text = follow_palette(link_source_pages(path, text))
                contents[output / path.relative_to(root)] = draw_diagrams(
                    text, len(path.relative_to(root).parts), is_possible=script.exists()
                )
    for path in output.rglob("*"):
        if path.is_file() and path not in contents:
            path.unlink()
    for path, text in contents.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def find_linked_sources(page: Path, text: str) -> list[Path]:
    """Return the files that a page links to and that are not pages."""
    targets = [(page.parent / target).resolve() for target in LINK.findall(text)]
    return [path for path in targets if path.is_file() and path.suffix not in {".md", ".svg"}]


def link_source_pages(page: Path, text: str) -> str:
    """Return a page's text with links to the pages that show files."""
    sources = set(find_linked_sources(page, text))

    def replace(match: re.Match[str]) -> str:
        target = match[1]
        is_source = (page.parent / target).resolve() in sources
        return f"]({name_source_page(Path(target)).as_posix()})" if is_source else match[0]

    return LINK.sub(replace, text)


def follow_palette(text: str) -> str:
    """Return a page's text whose pictures follow the site's palette, not the system's."""
    return PICTURE.sub(r"![\3](\2#only-light) ![\3](\1#only-dark)", text)


def draw_diagrams(text: str, depth: int, *, is_possible: bool) -> str:
    """Return a page's text with the script that draws its diagrams.

    The theme would load it from another host. Each page loads it itself, since it is large.

    Args:
        text: The page.
        depth: How many folders the page is below the top of the site.
        is_possible: Whether there is a script; without it, diagrams are shown as text.
    """
    if "```mermaid\n" not in text:
        return text
    if not is_possible:
        return text.replace("```mermaid\n", "```text\n")
    return f'{text}\n<script src="{"../" * depth}{MERMAID}"></script>\n'


def name_source_page(source: Path) -> Path:
    """Return the path of the page that shows a file."""
    return source.with_name(f"{source.name}.md")


def show_source(name: Path, source: Path) -> str:
    """Return a page that shows a file; the search leaves it out."""
    language = {".py": "python"}.get(source.suffix, "text")
    text = source.read_text(encoding="utf-8")
    metadata = "---\nsearch:\n  exclude: true\n---\n\n"
    return f"{metadata}# `{name.as_posix()}`\n\n````{language}\n{text.rstrip()}\n````\n"


def on_pre_build(**_: Any) -> None:
    """Collect the pages before MkDocs builds or rebuilds the site."""
    collect()
