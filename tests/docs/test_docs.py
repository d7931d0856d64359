"""What the README, the docs, the docstrings and the examples show is run."""

import inspect
import re
import runpy
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import langchain_segmind
import langchain_segmind.gateway
import langchain_segmind.middleware
import langchain_segmind.rate_limiters
import langchain_segmind.testing
from langchain_segmind.gateway import Gateway
from langchain_segmind.gateway.backends.llama import find_bundled_model

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^ *```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
MODULES = [
    langchain_segmind,
    langchain_segmind.gateway,
    langchain_segmind.middleware,
    langchain_segmind.rate_limiters,
    langchain_segmind.testing,
]
LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


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
    """No link within the project is dead, and none leads to a heading that is not there."""
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / path if path else page
        assert target.exists(), path
        headings = HEADING.findall(target.read_text(encoding="utf-8")) if anchor else []
        assert not anchor or anchor in map(slugify, headings), anchor


def slugify(heading: str) -> str:
    """Make a heading's anchor, as GitHub does."""
    return re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")


def get_documented() -> Iterator[tuple[str, str]]:
    """Find the public docstrings that show an example."""
    for module in MODULES:
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


# --- The examples ---

PRINTED = {
    "agent": ["Ordered: 2 x green tea", "3 requests; credits left: "],
    "credits_dashboard": ["Spending", "gpt-4-turbo", "retries", "was stopped"],
    "quickstart": ["(scripted) You said: What is gravity?", "get_credits(): "],
    "rag": ["postage", "75 degrees", "August"],
    "structured_output": ["Ann orders:", "3 x box of tea", "parsed: None", "parsing_error: None"],
}
"""For each example, some of what it prints."""

NEEDS_RAY = {"batch_on_ray"}
"""What tests/scale runs instead."""


def read_example(name: str, run_name: str = "example") -> dict[str, Any]:
    """Run an example's file."""
    if name == "rag":
        pytest.importorskip("examples.minilm", reason="requirements/embedding.txt is missing")
    return runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name=run_name)


@pytest.fixture
def run_example(monkeypatch, capsys) -> Callable[[str], str]:
    """Run an example and give what it prints."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    monkeypatch.delenv("LIVE", raising=False)

    def run(name: str) -> str:
        read_example(name, "__main__")
        return capsys.readouterr().out

    return run


def test_every_example_is_in_the_list() -> None:
    """An example that is added is run."""
    paths = (ROOT / "examples").glob("*.py")
    scripts = [path.stem for path in paths if "__main__" in path.read_text(encoding="utf-8")]
    assert set(scripts) == PRINTED.keys() | NEEDS_RAY


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_runs_offline(name: str, run_example) -> None:
    """It brings its own gateway and the script for it."""
    printed = run_example(name)
    assert [words for words in PRINTED[name] if words not in printed] == []
    assert "on this machine" in printed


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_runs_live(name: str, run_example, served, monkeypatch) -> None:
    """Against what the environment says is Segmind; here another gateway with its script."""
    monkeypatch.setenv("LIVE", "1")
    served.script(read_example(name)["reply"])
    printed = run_example(name)
    assert [words for words in PRINTED[name] if words not in printed] == []
    assert "Segmind answers, and bills" in printed
    assert len(served.requests) > 1


def test_an_example_says_that_it_needs_a_key(run_example, monkeypatch) -> None:
    """Before any request."""
    monkeypatch.setenv("LIVE", "1")
    with pytest.raises(SystemExit, match="SEGMIND_API_KEY"):
        run_example("agent")


def test_the_quickstart_runs_without_a_model(run_example) -> None:
    """Where no wheel of llama.cpp fits, the demo says so and plays a script."""
    printed = run_example("quickstart")
    assert "Scripted replies, no real model" in printed
    assert printed.count("(scripted)") == 8
    assert printed.count("What is gravity?") == 2  # the question and the answer
    assert max(map(len, printed.splitlines())) <= 79
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
