"""Time to read values, by size: hostile text takes linear time."""

import contextlib

import pytest

from langchain_segmind._tools.literal_parser import Scanner
from langchain_segmind._tools.strings import UnreadableError

HOSTILE = [
    pytest.param("'{0}'", "x" * 100, id="one string"),
    pytest.param("[{0}]", "'a', ", id="many strings"),
    pytest.param("'{0}'", "'a ", id="unescaped quotes"),
    pytest.param("'{0}", "\\'", id="escaped quotes, unclosed"),
    pytest.param("'{0}", "' ", id="quotes, unclosed"),
    pytest.param("f({0}", "'", id="quotes in an expression"),
    pytest.param("[{0}]", "x y, ", id="expressions"),
    pytest.param("{0}", "[", id="openers"),
    pytest.param("'{0}'", "   ' x", id="blanks"),
    pytest.param("[{0}]", "12, ", id="numbers"),
    pytest.param("[" * 40 + "{0}" + "] y" * 40, "'a', ", id="nested literals with more text"),
]


@pytest.mark.parametrize("size", [1_000, 100_000, 1_000_000])
@pytest.mark.parametrize(("frame", "part"), HOSTILE)
def test_read_hostile_text(benchmark, frame: str, part: str, size: int) -> None:
    """From a kilobyte to a megabyte; the table of the benchmark shows the growth."""
    text = frame.replace("{0}", part * (size // len(part)))

    def read() -> None:
        with contextlib.suppress(UnreadableError):
            Scanner(text).read_value()

    benchmark(read)
