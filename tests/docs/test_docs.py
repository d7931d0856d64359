"""The code in the README, the docs, the docstrings and the examples runs as shown."""

import contextlib
import csv
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

from langchain_segmind.gateway import Gateway, Request
from langchain_segmind.gateway.backends.llama import find_bundled_model
from tests.support.pages import BLOCK, check_output, run_block, run_page
from tests.support.public_modules import PUBLIC_MODULES

ROOT = Path(__file__).parents[2]
FOLDERS = ("", "benchmarks", "docs", "docs/reference", "examples", "requirements")
PAGES = [path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.md"))]
LANGCHAIN_PAGES = sorted((ROOT / "docs" / "langchain").glob("*.mdx"))
"""Pages for LangChain's documentation, whose links are paths of its site."""
NEEDS_CLIENTS = {ROOT / "docs" / "observe.md"}
"""Run by tests/clients instead."""
WITH_CODE = [
    page
    for page in [*PAGES, *LANGCHAIN_PAGES]
    if BLOCK.search(page.read_text(encoding="utf-8")) and page not in NEEDS_CLIENTS
]
LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


REPLIES = {
    "Why is the sky blue? One sentence.": {
        "content": "Air scatters blue light more than red light.",
        "usage": {"prompt_tokens": 18, "completion_tokens": 9},
    },
    "What is 2 + 3?": "[add(a=2, b=3)]",
    "Tell me a joke about cats.": (
        '{"setup": "Why did the cat sit on the laptop?", '
        '"punchline": "To keep an eye on the mouse."}'
    ),
    "Is a whale a fish? Answer yes or no.": "No.",
    "I love programming.": "J'adore la programmation.",
    "How is the weather in Oslo?": '[get_weather(city="Oslo")]',
    "Ann is 36 years old.": '{"name": "Ann", "age": 36}',
    "What is in the picture?": "A transparent pixel.",
}
"""What the model answers to questions of the README and of the pages for LangChain."""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """Run a gateway and set the environment variables that point to it."""

    def reply(request: Request) -> object:
        if request.last_message.startswith('<tool_result name="get_weather"'):
            return request.last_message.splitlines()[1]
        return REPLIES.get(request.last_message, request.last_message)

    with Gateway(credits=10, replies=reply) as gateway:
        monkeypatch.setenv("SEGMIND_API_BASE", gateway.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", gateway.api_key)
        yield gateway


def name_page(page: Path) -> str:
    """Return a page's path in the project."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_CODE, ids=name_page)
def test_blocks_of_a_page_run_and_print_what_it_shows(
    page: Path, served, tmp_path, monkeypatch
) -> None:
    """A reader who pastes one block after the other gets no error, and the output shown."""
    monkeypatch.chdir(tmp_path)
    run_page(page)


def test_readme_answers_without_a_key_from_one_block() -> None:
    """Who has no key skips the block before it."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    [block] = [block for block in BLOCK.finditer(page) if "Gateway(" in block["code"]]
    check_output(block["output"], run_block(block["code"], "README.md", {}))


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        *(
            f"docs/{name}.md"
            for name in (
                "batches",
                "chat-model",
                "credits",
                "embeddings",
                "errors",
                "images",
                "models",
                "moving",
                "moving-from-chatopenai",
                "proxies",
                "questions",
                "recipes",
                "reliability",
                "security",
                "slow-models",
                "structured-output",
                "tool-calling",
                "tour",
                "troubleshooting",
            )
        ),
        "docs/langchain/chat.mdx",
        "docs/langchain/provider.mdx",
        "docs/langchain/text_embedding.mdx",
    ],
)
def test_page_shows_output_that_is_compared(name: str) -> None:
    """The output on these pages has the form that the tests recognise."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert any(block["output"] for block in BLOCK.finditer(text))


@pytest.mark.parametrize(
    ("shown", "printed", "matches"),
    [
        pytest.param("a: 1\n", "a: 1\n", True, id="equal"),
        pytest.param("a: 1\n", "a: 2\n", False, id="another value"),
        pytest.param("a\n", "a\nb\n", False, id="a line more"),
        pytest.param("id=... x\n", "id=f3 x\n", True, id="ellipsis"),
        pytest.param("id=... x\n", "id=f3 y\n", False, id="after an ellipsis"),
    ],
)
def test_shown_output_is_compared(shown: str, printed: str, matches: bool) -> None:  # noqa: FBT001 - a case
    """Output that a page shows wrongly fails the test of the page."""
    with contextlib.nullcontext() if matches else pytest.raises(AssertionError):
        check_output(shown, printed)


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_links_of_a_page_lead_to_files_and_headings(page: Path) -> None:
    """A dead link within the project fails here."""
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / path if path else page
        assert target.exists(), path
        headings = HEADING.findall(target.read_text(encoding="utf-8")) if anchor else []
        assert not anchor or anchor in map(slugify, headings), anchor


def slugify(heading: str) -> str:
    """Return a heading's anchor, as GitHub does."""
    return re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")


def get_documented() -> Iterator[tuple[str, str]]:
    """Yield the public docstrings that have an example, by name."""
    for module in PUBLIC_MODULES:
        for name in module.__all__:
            item = getattr(module, name)
            members = vars(item).items() if inspect.isclass(item) else ()
            for label, thing in [(name, item), *((f"{name}.{k}", v) for k, v in members)]:
                if callable(thing) and "```python" in (thing.__doc__ or ""):
                    yield label, inspect.getdoc(thing) or ""


EXAMPLES = dict(get_documented())


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_in_a_docstring_runs(name: str, served) -> None:
    """What `help()` shows works."""
    (block,) = BLOCK.finditer(EXAMPLES[name])
    run_block(textwrap.dedent(block["code"]), name, {"__name__": name})


def test_main_classes_have_an_example() -> None:
    """`help()` of each class that users start with shows code."""
    assert {"ChatSegmindGPT4Turbo", "ChatSegmind", "SegmindError", "Gateway"} <= EXAMPLES.keys()


# --- The examples ---

PRINTED = {
    "agent": ["Ordered: 2 x green tea", "3 requests; credits left: "],
    "credits_dashboard": ["Spending", "gpt-5.4-mini", "retries", "was stopped"],
    "quickstart": [
        "(scripted) You said: Who are you?",
        "get_credits(): ",
        "Google's, gemini-3-flash: ",
    ],
    "rag": ["postage", "75 degrees", "August", "text-embedding-3-small:   7 requests", "together:"],
    "structured_output": ["Ann orders:", "3 x box of tea", "parsed: None", "parsing_error: None"],
}
"""Parts of the output of each example."""

BATCHES = {"batch_on_ray", "batch_overnight", "interrupted_batch"}
"""Run by tests of their own: tests/scale, and test_batch_overnight.py."""


def read_example(name: str, run_name: str = "example") -> dict[str, Any]:
    """Run the file of an example and return its names."""
    return runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name=run_name)


@pytest.fixture
def run_example(monkeypatch, capsys) -> Callable[[str], str]:
    """Return a function that runs an example and returns its output."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    for variable in ("EMBEDDINGS", "LIVE", "SEGMIND_MODEL"):
        monkeypatch.delenv(variable, raising=False)

    def run(name: str) -> str:
        monkeypatch.delitem(sys.modules, "connection", raising=False)  # it reads the environment
        monkeypatch.setattr(sys, "argv", [name])
        read_example(name, "__main__")
        return capsys.readouterr().out

    return run


def test_every_example_is_tested() -> None:
    """A new example without a test fails here."""
    paths = (ROOT / "examples").glob("*.py")
    scripts = [path.stem for path in paths if "__main__" in path.read_text(encoding="utf-8")]
    assert set(scripts) == PRINTED.keys() | BATCHES


@pytest.mark.parametrize("name", PRINTED)
def test_example_runs_offline(name: str, run_example) -> None:
    """It starts its own gateway with its own script."""
    printed = run_example(name)
    assert [words for words in PRINTED[name] if words not in printed] == []
    assert "on this machine" in printed


@pytest.mark.parametrize("name", PRINTED)
def test_example_runs_live(name: str, run_example, served, monkeypatch) -> None:
    """With LIVE=1 it calls the server that the environment names; here a gateway."""
    monkeypatch.setenv("LIVE", "1")
    served.script(read_example(name)["reply"])
    printed = run_example(name)
    assert [words for words in PRINTED[name] if words not in printed] == []
    assert "Segmind answers, and bills" in printed
    assert len(served.requests) > 1


@pytest.mark.parametrize("slug", ["gpt-5.5", "claude-opus-4.7", "gemini-3-flash"])
@pytest.mark.parametrize("name", PRINTED)
def test_example_runs_with_another_model(name, slug, run_example, served, monkeypatch) -> None:
    """SEGMIND_MODEL names it, of any format; no setting is one that the model does not take."""
    monkeypatch.setenv("LIVE", "1")
    monkeypatch.setenv("SEGMIND_MODEL", slug)
    served.script(read_example(name)["reply"])
    printed = run_example(name)
    expected = [words.replace("gpt-5.4-mini", slug) for words in PRINTED[name]]
    assert [words for words in expected if words not in printed] == []
    paths = {request.path for request in served.requests}
    assert f"/v1/{slug}" in paths
    if name != "quickstart":  # which calls a model of each format
        assert "/v1/gpt-5.4-mini" not in paths


def test_examples_and_docs_start_with_a_model_that_is_not_retired(monkeypatch) -> None:
    """The first call of a newcomer must not fail with a 410."""
    monkeypatch.delenv("SEGMIND_MODEL", raising=False)
    table = (ROOT / "langchain_segmind" / "data" / "models.csv").read_text(encoding="utf-8")
    retirements = {row["slug"]: row["retirement"] for row in csv.DictReader(table.splitlines())}
    assert retirements[read_example("connection")["MODEL"]] == ""
    [first, *_] = BLOCK.finditer((ROOT / "README.md").read_text(encoding="utf-8"))
    assert retirements[re.search(r'model="([^"]+)"', first["code"])[1]] == ""


def test_retrieval_without_a_service_embeds_on_this_machine(run_example, monkeypatch) -> None:
    """EMBEDDINGS=minilm chooses the real model; only chat is billed."""
    pytest.importorskip("examples.minilm", reason="requirements/embedding.txt is missing")
    monkeypatch.setenv("EMBEDDINGS", "minilm")
    printed = run_example("rag")
    assert [words for words in PRINTED["rag"][:3] if words not in printed] == []
    assert "text-embedding" not in printed


def test_live_example_without_a_key_exits(run_example, monkeypatch) -> None:
    """It names the variable, before any request."""
    monkeypatch.setenv("LIVE", "1")
    with pytest.raises(SystemExit, match="SEGMIND_API_KEY"):
        run_example("agent")


def test_quickstart_runs_without_a_model(run_example) -> None:
    """Without llama.cpp the demo says so and uses scripted replies."""
    printed = run_example("quickstart")
    assert "Scripted replies, no real model" in printed
    assert printed.count("(scripted)") == 8 + 3  # in the table, and below it
    assert printed.count("Who are you?") == 2  # the question and the answer
    assert max(map(len, printed.splitlines())) <= 79
    assert "SegmindInsufficientCreditsError (406)" in printed


def test_quickstart_runs_with_a_real_model() -> None:
    """The demo prints answers of a model, and the credits fall with each call."""
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
    answers = re.findall(r"^(?:OpenAI|Anthropic|Google)'s, [\w.-]+: (.+)", run.stdout, re.MULTILINE)
    assert len(answers) == 3
    assert all("Paris" in answer for answer in answers)
