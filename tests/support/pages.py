"""Runs the code of Markdown pages, and compares what it prints with what they show."""

import ast
import asyncio
import contextlib
import inspect
import io
import re
import textwrap
from pathlib import Path
from typing import Any

BLOCK = re.compile(
    r"^ *```python\n(?P<code>.*?)^ *```(?:\s*^ *```text\n(?P<output>.*?)^ *```)?",
    re.DOTALL | re.MULTILINE,
)
"""A block of Python and what it prints: the block of text directly after it."""


def run_block(code: str, name: str, namespace: dict[str, Any]) -> str:
    """Run a block, which can use `await` as in a notebook, and return what it prints."""
    compiled = compile(code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        result = eval(compiled, namespace)  # noqa: S307 - the project's own docs
        if inspect.iscoroutine(result):
            asyncio.run(result)
    return printed.getvalue()


def check_output(shown: str, printed: str) -> None:
    """Compare what a page shows with what its block prints; `...` matches any text."""
    pattern = re.escape(shown).replace(re.escape("..."), ".*?")
    if not re.fullmatch(pattern, printed, re.DOTALL):
        assert printed == shown


def run_page(page: Path) -> None:
    """Run the blocks of a page in order, and check the output that it shows."""
    namespace: dict[str, Any] = {"__name__": page.stem}
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        printed = run_block(textwrap.dedent(block["code"]), page.name, namespace)
        if block["output"] is not None:
            check_output(textwrap.dedent(block["output"]), printed)
