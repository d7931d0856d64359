"""The public names of the package and what importing it loads."""

import importlib
import re
import subprocess
import sys

import pytest

import langchain_segmind
from langchain_segmind import exceptions

PUBLIC_NAMES = {
    "ChatSegmind",
    "ChatSegmindGPT4Turbo",
    "SegmindCredits",
    "SegmindCreditsCallbackHandler",
    "SegmindEmbeddings",
    "SegmindJob",
    "SegmindUsage",
    "__version__",
    "get_segmind_credits_callback",
    "register_init_chat_model",
    "register_init_embeddings",
}


def test_public_names_are_exported() -> None:
    """`__all__` lists these names and the errors, and each of them exists."""
    assert set(langchain_segmind.__all__) == PUBLIC_NAMES | set(exceptions.__all__)
    assert all(hasattr(langchain_segmind, name) for name in langchain_segmind.__all__)


def test_every_public_name_is_documented() -> None:
    """`help()` of each public name shows a docstring."""
    names = set(langchain_segmind.__all__) - {"__version__"}
    documented = [getattr(langchain_segmind, name) for name in names]
    assert all(item.__doc__ for item in documented)


def test_import_loads_no_extra_and_no_server() -> None:
    """The package runs without its extras, and imports no other provider's package."""
    unwanted = {"starlette", "uvicorn", "xllamacpp", "tiktoken", "transformers", "openai"}
    unwanted |= {"langchain", "langgraph", "limits", "langchain_segmind.gateway"}
    unwanted |= {"langchain_segmind.embeddings"}
    code = f"import sys, langchain_segmind; print(set({sorted(unwanted)!r}) & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("Gateway", "gateway"),
        ("SegmindCreditsMiddleware", "agents"),
        ("SegmindCreditsState", "agents"),
        ("SegmindRateLimiter", "limits"),
        ("SegmindTestGateway", "gateway"),
    ],
)
def test_importing_a_name_of_an_extra_says_where_it_is(name: str, extra: str) -> None:
    """The error holds an import that works, and the command that installs the extra."""
    with pytest.raises(ImportError, match=f"langchain-segmind\\[{extra}\\]") as caught:
        exec(f"from langchain_segmind import {name}")  # noqa: S102 - a name of the table above
    (module,) = re.findall(rf"from (\S+) import {name}\.", str(caught.value))
    assert hasattr(importlib.import_module(module), name)


def test_unknown_name_raises_pythons_own_error() -> None:
    """`hasattr` and a misspelt import behave as in any other package."""
    assert not hasattr(langchain_segmind, "Segmnd")
    with pytest.raises(ImportError, match="cannot import name 'Segmnd'"):
        exec("from langchain_segmind import Segmnd")  # noqa: S102 - a constant
