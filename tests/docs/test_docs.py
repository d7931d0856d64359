"""What the README, the docs, the docstrings and the examples show is run."""

import inspect
import re
import runpy
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import langchain_segmind
import langchain_segmind.gateway
from langchain_segmind.gateway import Gateway
from langchain_segmind.gateway.backends.llama import find_bundled_model

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^ *```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """Run a gateway where the environment says that Segmind is."""
    with Gateway(credits=10) as gateway:
        monkeypatch.setenv("SEGMIND_API_BASE", gateway.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", gateway.api_key)
        yield gateway


def get_blocks(text: str) -> list[str]:
    """Find the blocks of Python in a text."""
    return [textwrap.dedent(block) for block in BLOCK.findall(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_pages_blocks_run_from_top_to_bottom(page: Path, served, tmp_path, monkeypatch) -> None:
    """A reader who pastes one block after the other gets no error."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": page.stem}
    for block in get_blocks(page.read_text(encoding="utf-8")):
        exec(compile(block, page.name, "exec"), namespace)  # noqa: S102 - our own docs


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_pages_links_lead_somewhere(page: Path) -> None:
    """No link within the project is dead."""
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


def get_documented() -> Iterator[tuple[str, str]]:
    """Find the public docstrings that show an example."""
    for module in (langchain_segmind, langchain_segmind.gateway):
        for name in module.__all__:
            item = getattr(module, name)
            members = vars(item).items() if inspect.isclass(item) else ()
            for label, thing in [(name, item), *((f"{name}.{k}", v) for k, v in members)]:
                if callable(thing) and "```python" in (thing.__doc__ or ""):
                    yield label, inspect.getdoc(thing) or ""


EXAMPLES = dict(get_documented())


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_docstrings_example_runs(name: str, served) -> None:
    """What `help()` shows works."""
    (block,) = get_blocks(EXAMPLES[name])
    exec(compile(block, name, "exec"), {"__name__": name})  # noqa: S102 - our own docs


def test_the_classes_users_start_with_show_an_example() -> None:
    """There is an example to start from."""
    assert {"ChatSegmindGPT4Turbo", "ChatSegmind", "SegmindError", "Gateway"} <= EXAMPLES.keys()


def test_the_quickstart_runs_without_a_model(monkeypatch, capsys) -> None:
    """Where no wheel of llama.cpp fits, the demo says so and plays a script."""
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    runpy.run_path(str(ROOT / "examples" / "quickstart.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert "Scripted replies, no real model" in printed
    assert printed.count("(scripted)") == 8
    assert "SegmindInsufficientCreditsError (406)" in printed


def test_the_quickstart_runs_with_a_real_model() -> None:
    """The demo prints real answers while the credits fall."""
    pytest.importorskip("xllamacpp", reason="no wheel of llama.cpp fits this machine")
    find_bundled_model()
    run = subprocess.run(
        [sys.executable, ROOT / "examples" / "quickstart.py"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    rows = re.findall(r" (\d+\.\d{6}) +(\d+\.\d{6})$", run.stdout, re.MULTILINE)
    left = [float(left) for _, left in rows]
    assert len(left) == 8
    assert left == sorted(left, reverse=True)
    assert "A real model" in run.stdout
    assert "SegmindInsufficientCreditsError (406)" in run.stdout
