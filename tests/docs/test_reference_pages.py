"""What the pages on logging, the environment and recipes list and show is what the package does."""

import ast
import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from langchain_segmind._settings.parameters import ModelParameters
from langchain_segmind.gateway import Gateway
from tools import models_page

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "langchain_segmind").rglob("*.py"))
LOG_CALL = re.compile(r"\b_?logger\.(?:debug|info|warning|error|exception|log)\(")
ENV_CONSTANT = re.compile(r'^\w+_ENV = "(\w+)"$', re.MULTILINE)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def read_page(name: str) -> str:
    """Return the text of a page of the docs."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """Run a gateway that the environment names."""
    with Gateway() as gateway:
        monkeypatch.setenv("SEGMIND_API_BASE", gateway.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", gateway.api_key)
        yield gateway


def test_the_page_on_logging_lists_every_logger() -> None:
    """Each package or module that logs has a row, and each row logs."""
    rows = re.findall(r"^\| `(langchain_segmind[\w.]+)`", read_page("logging.md"), re.MULTILINE)
    logging_modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts[:2])
        for path in SOURCES
        if LOG_CALL.search(path.read_text(encoding="utf-8"))
    }
    assert sorted(rows) == sorted(logging_modules)


def test_the_page_on_the_environment_lists_every_variable() -> None:
    """Each variable that the package names in a constant or in an error has a row."""
    listed = set(re.findall(r"`([A-Z_]{6,})`", read_page("environment.md")))
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    named = {*ENV_CONSTANT.findall(source), "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
    assert {"SEGMIND_API_KEY", "SEGMIND_API_BASE", "UPSTREAM_API_KEY"} <= named
    assert named <= listed


def test_the_page_on_chat_models_lists_every_setting() -> None:
    """Each field has a row, and each row is a field."""
    section = read_page("chat-model.md").partition("\n## Settings\n")[2].partition("\n## ")[0]
    first_cells = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    listed = [name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(listed) == sorted(ModelParameters.model_fields)


def test_the_page_on_models_is_up_to_date() -> None:
    """`make models_page` writes its table from the package's data."""
    page = read_page("models.md")
    assert page == models_page.update(page)


async def test_a_notebooks_cell_can_await_the_model() -> None:
    """The cell runs as IPython runs it: with `await` at its top, on a running event loop."""
    fences = FENCE.findall(read_page("recipes.md"))
    (cell,) = [text for language, text in fences if language == "ipython"]
    code = compile(cell, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert code.co_flags & inspect.CO_COROUTINE
    namespace: dict[str, object] = {}
    await asyncio.wait_for(eval(code, namespace), 60)  # noqa: S307 - our own docs
    assert "Say hello" in namespace["message"].text


def test_the_page_on_other_packages_names_the_versions_that_are_tested() -> None:
    """Each row has the version that `make test_clients` installs."""
    rows = re.findall(r"^\| `([\w-]+)` \| ([\w.]+) \|", read_page("clients.md"), re.MULTILINE)
    pins = (ROOT / "requirements" / "clients.txt").read_text(encoding="utf-8").splitlines()
    named = {f"{name}=={version}" for name, version in rows}
    assert len(named) > 15
    assert named - set(pins) == set()
