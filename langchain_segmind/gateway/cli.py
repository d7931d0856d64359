"""The command line: options in, a running gateway out."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NoReturn

from langchain_segmind.gateway.options import DEFAULT_API_KEY, DEFAULT_CREDITS
from langchain_segmind.gateway.rate_limit import WINDOW_SECONDS
from langchain_segmind.gateway.server import Gateway

UPSTREAM_API_KEY_ENV = "UPSTREAM_API_KEY"
"""Environment variable with the key of the upstream server."""


def main(
    argv: Sequence[str] | None = None, *, until: Callable[[Gateway], None] | None = None
) -> int:
    """Run the gateway until it is interrupted.

    Args:
        argv: The arguments; None takes those of the process.
        until: Called with the running gateway, which stops when the call returns. None
            waits for Ctrl+C.

    Returns:
        The exit code.
    """
    parser = _create_parser()
    options: dict[str, Any] = vars(parser.parse_args(argv))
    # `append` would add to a default instead of replacing it.
    options["api_key"] = options["api_key"] or DEFAULT_API_KEY
    try:
        with _terminable() if until is None else nullcontext(), Gateway(**options) as gateway:
            sys.stdout.write(f"{gateway.base_url}\n")
            sys.stdout.flush()
            (until or _wait_forever)(gateway)
    except KeyboardInterrupt:
        pass
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{parser.prog}: error: {error}\n")
        return 2
    return 0


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the gateway as Ctrl+C does, from before its URL is known."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait_forever(_gateway: Gateway) -> NoReturn:
    while True:
        time.sleep(3600)


def _create_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m langchain_segmind.gateway",
        description="A local gateway that speaks Segmind's HTTP interface.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=0, help="port to listen on (default: any free one)")
    add(
        "--backend",
        choices=["scripted", "llama", "proxy"],
        help="what answers (default: proxy with --upstream, llama with --model-path, or scripted)",
    )
    add("--replies", metavar="FILE", help="script of replies, JSON or JSONL (default: echo)")
    add("--model-path", metavar="GGUF", help="model of the llama backend")
    add("--upstream", metavar="URL", help="base URL of an OpenAI-compatible server")
    add("--upstream-model", metavar="NAME", help="model to ask it for (default: the slug)")
    add(
        "--upstream-api-key",
        default=os.environ.get(UPSTREAM_API_KEY_ENV),
        metavar="KEY",
        help=f"key of that server (default: the environment variable {UPSTREAM_API_KEY_ENV})",
    )
    add(
        "--api-key",
        action="append",
        metavar="KEY",
        help=f"key to accept; repeatable (default: {DEFAULT_API_KEY})",
    )
    add(
        "--credits", default=str(DEFAULT_CREDITS), help="credits of each key (default: %(default)s)"
    )
    add("--rpm", type=int, metavar="N", help="requests a minute for each key (default: no limit)")
    add(
        "--rate-window",
        type=float,
        default=WINDOW_SECONDS,
        metavar="SECONDS",
        help="what --rpm counts in (default: %(default)s)",
    )
    add(
        "--fault",
        action="append",
        default=[],
        metavar="SPEC",
        help="fault to play, such as 503,503,ok or 503@0.1; repeatable",
    )
    add("--fault-seed", type=int, metavar="N", help="makes the rates of faults repeatable")
    add("--slug", action="append", default=[], help="one more model to know; repeatable")
    add("--strict", action="store_true", help="refuse requests off the client's contract")
    add(
        "--extra-body-keys",
        nargs="+",
        default=[],
        metavar="KEY",
        help="top-level keys to accept when strict, and to pass on to the model",
    )
    return parser
