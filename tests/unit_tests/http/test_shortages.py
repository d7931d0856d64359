"""A lack of memory, threads or open files is found wherever an error mentions it."""

import errno
from ssl import SSLError

import httpx
import pytest

from langchain_segmind._http.shortages import is_shortage


def chain(error: Exception, cause: Exception) -> Exception:
    """Return an error with a cause."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(MemoryError(), True, id="memory"),
        pytest.param(OSError(errno.EMFILE, "Too many open files"), True, id="open files"),
        pytest.param(OSError(errno.ECONNRESET, "reset"), False, id="reset"),
        pytest.param(SSLError("malloc failure"), True, id="memory of OpenSSL"),
        pytest.param(SSLError(errno.ENOMEM, "bad record"), False, id="code of OpenSSL"),
        pytest.param(chain(httpx.ConnectError(""), MemoryError()), True, id="cause"),
        pytest.param(httpx.ConnectError(MemoryError()), True, id="argument"),
        pytest.param(
            chain(httpx.ConnectError(""), OSError(OSError(errno.ENFILE, "files"))),
            True,
            id="argument of a cause",
        ),
        pytest.param(chain(httpx.ConnectError(""), ValueError("x")), False, id="other cause"),
        pytest.param(httpx.ConnectError("Cannot allocate memory"), False, id="only its text"),
    ],
)
def test_a_shortage_is_found_in_causes_and_arguments(error, expected) -> None:
    """The causes of errors of httpcore are dropped, but kept as an argument."""
    assert is_shortage(error) is expected
