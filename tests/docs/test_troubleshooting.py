"""The messages in docs/troubleshooting.md are those that are printed."""

import pickle
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from langchain_segmind import ChatSegmind, get_segmind_credits_callback
from langchain_segmind.gateway import Gateway
from tests.support.certificates import create_certificates
from tests.support.pages import check_output
from tests.support.servers import EchoServer

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
SECTION = re.compile(r"^## (?P<heading>.+)\n(?P<text>(?:(?!## ).*\n)*)", re.MULTILINE)
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
SHOWN = {
    section["heading"]: "".join(CONSOLE.findall(section["text"]))
    for section in SECTION.finditer(PAGE.read_text(encoding="utf-8"))
}
"""The messages of each section that has any."""

CLOSED_PORT = "http://127.0.0.1:9"

KEYS = {"lambda": lambda: "fake"}

TWO_LOOPS = """
import asyncio, sys
import httpx
from langchain_segmind import ChatSegmind

client = httpx.AsyncClient()
model = ChatSegmind(
    model="gpt-4o", base_url=sys.argv[1], api_key="SG_local", http_async_client=client
)
asyncio.run(model.ainvoke("hi"))
try:
    asyncio.run(model.ainvoke("hi"))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""

OPEN_FILES = """
import resource, sys
from langchain_segmind import ChatSegmind

model = ChatSegmind(model="gpt-4o", base_url=sys.argv[1], api_key="SG_local")
model.invoke("hi")  # imports all modules
model.close()
_, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard_limit))
try:
    model.invoke("hi")
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


class Answer(BaseModel):
    """An answer."""

    x: int


def print_error(call: Callable[[], object]) -> str:
    """Return the last line of a call's traceback, without the module."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the page says which
        call()
    return f"{type(caught.value).__name__}: {caught.value}\n"


def create_model(base_url: str, **fields: Any) -> ChatSegmind:
    """Return a model of a local server."""
    return ChatSegmind(**{"model": "gpt-4o", "api_key": "SG_local", "base_url": base_url, **fields})


def ask(options: dict[str, Any], **fields: Any) -> str:
    """Return the error of a call to a gateway with these options."""
    with Gateway(**options) as gateway:
        return print_error(lambda: create_model(gateway.base_url, **fields).invoke("hi"))


def run_script(code: str) -> str:
    """Return what a program prints that gets the URL of a gateway."""
    with Gateway() as gateway:
        command = [sys.executable, "-c", code, gateway.base_url]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    return run.stdout


def send_no_key() -> Iterator[str]:
    """Yield the errors of a missing, a wrong and an unusable key."""
    yield ask({}, api_key=None)
    yield ask({}, api_key="fake")
    yield print_error(lambda: create_model(CLOSED_PORT, api_key="fake\n"))


def spend_everything() -> Iterator[str]:
    """Yield the errors of both kinds of 406."""
    yield ask({"credits": 0}, model="gpt-4-turbo")
    yield ask({"replies": [{"status": 406, "body": {"error": "Unknown parameter: foo"}}]})


def choose_missing_models() -> Iterator[str]:
    """Yield the errors of a retired model and of a misspelt one."""
    yield ask({"fault": "410"}, model="gpt-4-turbo")
    yield ask({"fault": "404"}, model="gpt-5.4-minni")


def break_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the errors of a closed port, of proxies that cannot be used, and of half a reply."""
    yield print_error(lambda: create_model(CLOSED_PORT).invoke("hi"))
    for proxy in (CLOSED_PORT, "ftp://127.0.0.1"):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with fresh_environment():
            yield print_error(lambda: create_model("https://api.segmind.com/v1").invoke("hi"))
    yield ask({"fault": "cut"})


@contextmanager
def fresh_environment() -> Iterator[None]:
    """Read proxies and certificates again, before and after a block."""
    create_model(CLOSED_PORT).close()
    try:
        yield
    finally:
        create_model(CLOSED_PORT).close()


def check_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the errors of a server of an unknown authority, and of a missing file."""
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed")
    create_certificates(openssl, tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    with EchoServer(context=context) as server:
        yield print_error(lambda: create_model(server.base_url).invoke("hi"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with fresh_environment():
        yield print_error(lambda: create_model("https://127.0.0.1:9/v1").invoke("hi"))


def use_a_client_twice() -> Iterator[str]:
    """Yield the error of an asynchronous client of one's own on a second event loop."""
    yield run_script(TWO_LOOPS)


def pass_bad_schemas() -> Iterator[str]:
    """Yield the errors of schemas and tools that cannot be used."""
    model = create_model(CLOSED_PORT, model="gpt-4-turbo")
    names = {"title": "Names", "type": "array", "items": {"type": "string"}}
    big = {f"parameter_{number}": {"type": "string"} for number in range(20_000)}
    yield print_error(lambda: model.with_structured_output(dict))  # type: ignore[type-var]
    yield print_error(lambda: model.with_structured_output(names))
    yield print_error(lambda: model.bind_tools([{"type": "web_search"}]))
    yield print_error(
        lambda: model.bind_tools([{"title": "Big", "type": "object", "properties": big}])
    )


def answer_with(reply: object, **options: Any) -> str:
    """Return the error of a model that gives this reply, where an answer is required."""
    with Gateway(replies=lambda request: reply) as gateway:
        model = create_model(gateway.base_url, model="gpt-4-turbo")
        return print_error(lambda: model.with_structured_output(Answer, **options).invoke("hi"))


def answer_in_prose() -> Iterator[str]:
    """Yield the errors of replies that lack what was required."""
    yield answer_with("I cannot say.")
    yield answer_with("I cannot say.", method="json_schema")
    yield answer_with('{"x": "many"}')


def exceed_the_context() -> Iterator[str]:
    """Yield the error of a long message."""
    pytest.importorskip("bpe_openai", reason="the extra tokens is missing")
    model = create_model(CLOSED_PORT, model="gpt-4-turbo")
    yield print_error(lambda: model.invoke("word " * 200_000))


def open_many_files() -> Iterator[str]:
    """Yield the error of a process that may not open another file."""
    if sys.platform != "linux":
        pytest.skip("the limit is Linux's")
    yield run_script(OPEN_FILES)


def pickle_models() -> Iterator[str]:
    """Yield the errors of a lambda and of a client of one's own."""
    yield print_error(lambda: pickle.dumps(create_model(CLOSED_PORT, api_key=KEYS["lambda"])))
    with httpx.Client() as client:
        yield print_error(lambda: pickle.dumps(create_model(CLOSED_PORT, http_client=client)))


def reach_limits() -> Iterator[str]:
    """Yield the errors of a budget and of a lower limit of the balance."""
    for limit in ({"budget": 0.0001}, {"min_remaining": 5.0}):
        with Gateway() as gateway, get_segmind_credits_callback(**limit):
            batch = create_model(gateway.base_url, model="gpt-4-turbo").batch
            printed = print_error(partial(batch, ["hi"] * 3, {"max_concurrency": 1}))
        yield printed


CAUSES: dict[str, Callable[..., Iterator[str]]] = {
    "401, or no key": send_no_key,
    "402 or 406: insufficient credits": spend_everything,
    "404 or 410: a model that is gone": choose_missing_models,
    "429: too many requests": lambda: iter([ask({"fault": "429"}, max_retries=0)]),
    "504, and slow models": lambda: iter([ask({"fault": "504@1"})]),
    "A timeout": lambda: iter([ask({"fault": "latency:5"}, timeout=0.5)]),
    "A connection that fails": break_connections,
    "CERTIFICATE_VERIFY_FAILED": check_certificates,
    "Event loop is closed": use_a_client_twice,
    "A tool or schema is refused": pass_bad_schemas,
    "SegmindOutputError, and a model that answers in prose": answer_in_prose,
    "An answer that is cut": lambda: iter(
        [answer_with({"content": '{"x": 1', "finish_reason": "length"})]
    ),
    "The context is too long": exceed_the_context,
    "Memory, threads or open files run out": open_many_files,
    "A model cannot be pickled": pickle_models,
    "A budget stops the run": reach_limits,
}
"""What prints the messages of each section, in their order."""


def test_every_section_with_messages_is_tested() -> None:
    """A message that nothing here prints can be wrong."""
    assert [heading for heading, shown in SHOWN.items() if shown] == list(CAUSES)


@pytest.mark.parametrize("heading", CAUSES)
def test_messages_are_as_printed(
    heading: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users search for what they read in their terminal."""
    monkeypatch.delenv("SEGMIND_API_KEY", raising=False)
    cause = CAUSES[heading]
    fixtures = {name: request.getfixturevalue(name) for name in signature(cause).parameters}
    printed = "".join(cause(**fixtures))
    check_output(SHOWN[heading], printed)
