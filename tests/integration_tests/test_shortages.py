"""A process that is out of open files, threads or memory says so, and blames nothing else."""

import sys
from collections.abc import Callable

import pytest

from tests.support.servers import EchoServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are Linux's")

CALL = """
import asyncio, os, resource, sys, threading
from langchain_segmind import ChatSegmindGPT4Turbo, SegmindConnectionError

runner = asyncio.Runner()

def call(model):
    if os.environ["MODE"] == "sync":
        return model.invoke("hi").text
    return runner.run(model.ainvoke("hi")).text

def expect_shortage(model, words):
    try:
        call(model)
    except SegmindConnectionError as error:
        assert "This process is short of memory, threads or open files" in str(error), error
        assert words in str(error), error
        assert error.phase == "connect", error.phase
    else:
        raise AssertionError("no error")

plain = ChatSegmindGPT4Turbo(max_retries=0)
encrypted = ChatSegmindGPT4Turbo(base_url="https://127.0.0.1:9/v1", max_retries=0)
call(plain)  # imports all modules
"""
OPEN_FILES = f"""{CALL}
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
plain.close()
runner.run(plain.aclose())
resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
expect_shortage(plain, "Too many open files")
expect_shortage(encrypted, "Too many open files")  # cannot read the certificates
resource.setrlimit(resource.RLIMIT_NOFILE, limits)
assert call(plain) == "hi"
"""
THREADS = f"""{CALL}
named = ChatSegmindGPT4Turbo(
    base_url=os.environ["SEGMIND_API_BASE"].replace("127.0.0.1", "localhost"), max_retries=0
)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limits = resource.getrlimit(resource.RLIMIT_AS)
threading.stack_size(2**30)
resource.setrlimit(resource.RLIMIT_AS, (size + 2**28, limits[1]))
expect_shortage(named, "can't start new thread")  # for its address
expect_shortage(encrypted, "can't start new thread")  # for the certificates
resource.setrlimit(resource.RLIMIT_AS, limits)
threading.stack_size(0)
assert call(named) == "hi"
"""
MEMORY = f"""{CALL}
limits = resource.getrlimit(resource.RLIMIT_AS)
errors = []
for room in range(0, 2**21, 2**17):  # with too little, LangChain fails first
    size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + room, limits[1]))
    try:
        call(encrypted)
    except (MemoryError, SegmindConnectionError) as error:
        errors.append(error)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
assert any("This process is short of memory" in str(error) for error in errors), errors
assert call(plain) == "hi"
"""


@pytest.fixture
def certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a file of certificates that can be read in the environment."""
    certifi = pytest.importorskip("certifi")
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())


@pytest.mark.usefixtures("certificates")
@pytest.mark.parametrize(
    ("mode", "code"),
    [
        pytest.param("sync", OPEN_FILES, id="sync-open files"),
        pytest.param("async", OPEN_FILES, id="async-open files"),
        pytest.param("async", THREADS, id="async-threads"),
        pytest.param("sync", MEMORY, id="sync-memory"),
    ],
)
def test_a_shortage_of_the_process_is_named(
    run_script: Callable[..., None], echo_server: EchoServer, mode: str, code: str
) -> None:
    """Not taken for a fault of SSL_CERT_FILE; calls succeed once it is over."""
    run_script(code, echo_server.base_url, MODE=mode, MALLOC_ARENA_MAX="1")
