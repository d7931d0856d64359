"""The command line: `python -m langchain_segmind.gateway`."""

import argparse
import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, NoReturn

from langchain_segmind._api.endpoint import API_BASE_ENV, API_KEY_ENV
from langchain_segmind.gateway.options import Options
from langchain_segmind.gateway.server import Gateway
from langchain_segmind.gateway.service import logger

UPSTREAM_API_KEY_ENV = "UPSTREAM_API_KEY"


def _wait_forever(_gateway: Gateway) -> NoReturn:
    while True:
        time.sleep(3600)


def main(
    argv: Sequence[str] | None = None, *, until: Callable[[Gateway], None] = _wait_forever
) -> int:
    """Run the gateway until it is interrupted, and return the exit code.

    Args:
        argv: The arguments; defaults to those of the process.
        until: Called with the running gateway, which stops when the call returns. Defaults
            to waiting for Ctrl+C.
    """
    parser = _create_parser()
    options = vars(parser.parse_args(argv))
    options.setdefault("upstream_api_key", os.environ.get(UPSTREAM_API_KEY_ENV))
    if options.pop("verbose"):
        logging.basicConfig(format="%(asctime)s %(message)s")
        logger.setLevel(logging.INFO)
    try:
        with Gateway(**options) as gateway:
            sys.stdout.write(
                f"{gateway.base_url}\n"
                f"export {API_BASE_ENV}={gateway.base_url}\n"
                f"export {API_KEY_ENV}={shlex.quote(gateway.api_key)}\n"
            )
            sys.stdout.flush()
            until(gateway)
    except KeyboardInterrupt:
        pass
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{parser.prog}: error: {error}\n")
        return 2
    return 0


def _create_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m langchain_segmind.gateway",
        description="A local server with Segmind's HTTP API. It prints its URL and the "
        "variables to set, then serves until Ctrl+C.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for option in fields(Options):
        arguments: dict[str, Any] = dict(option.metadata)
        if option.default not in {None, False, ()}:
            arguments["help"] += f" (default: {option.default})"
        parser.add_argument(f"--{option.name.replace('_', '-')}", **arguments)
    parser.add_argument(
        "--verbose", action="store_true", default=False, help="log each request to stderr"
    )
    return parser


if __name__ == "__main__":  # pragma: no branch
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
