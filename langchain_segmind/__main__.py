"""What a bug report needs: `python -m langchain_segmind`."""

import argparse
import os
import platform
import re
import ssl
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version

from langchain_segmind._api.api_key import find_api_key_problem, read_api_key_env
from langchain_segmind._api.endpoint import API_KEY_ENV
from langchain_segmind._api.secrets import strip_url_credentials
from langchain_segmind._api.url import create_url, read_api_base_env
from langchain_segmind._http.environment import find_route
from langchain_segmind._version import __version__
from langchain_segmind.chat_models import ChatSegmindGPT4Turbo
from langchain_segmind.exceptions import SegmindError

PACKAGE = "langchain-segmind"

COMPANIONS = ("langgraph", "langsmith")
"""Packages that are not dependencies, but whose versions often matter."""

PING_TIMEOUT_SECONDS = 20.0


def main(argv: Sequence[str] | None = None) -> int:
    """Print versions and settings, and return the exit code: 1 if a ping failed.

    Args:
        argv: The arguments; defaults to those of the process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m langchain_segmind",
        description="Print what a bug report needs: versions and settings, without secrets.",
    )
    parser.add_argument(
        "--ping", action="store_true", help="ask Segmind for the balance too; this costs nothing"
    )
    options = parser.parse_args(argv)
    for name, value in describe():
        _print(name, value)
    if not options.ping:
        return 0
    try:
        create_url(read_api_base_env(), "")  # its error is shorter than the model's
        balance = ChatSegmindGPT4Turbo(timeout=PING_TIMEOUT_SECONDS).get_credits()
    except (SegmindError, ValueError) as error:
        _print("ping", f"{type(error).__name__}: {error}")
        return 1
    _print("ping", f"the balance is {balance.total} credits")
    return 0


def _print(name: str, value: str) -> None:
    """Print a line in ASCII: a console or a form may take nothing else."""
    line = f"{name:<20}{' '.join(value.split())}\n"
    sys.stdout.write(line.encode("ascii", "backslashreplace").decode())


def describe() -> Iterator[tuple[str, str]]:
    """Yield the names and values of what a bug report needs."""
    yield PACKAGE, __version__
    yield "Python", f"{platform.python_implementation()} {platform.python_version()}"
    yield "system", f"{platform.platform()}, {ssl.OPENSSL_VERSION}"
    extras = read_requirements()
    for name in (*extras.pop("", []), *COMPANIONS):
        yield name, find_version(name)
    for extra, names in extras.items():
        missing = [name for name in names if not find_version(name)[0].isdigit()]
        hint = f'missing: pip install "{PACKAGE}[{extra}]"'
        found = ", ".join(f"{name} {find_version(name)}" for name in names)
        yield f"extra {extra}", hint if missing else found
    yield "API key", find_api_key_problem(read_api_key_env()) or f"set in {API_KEY_ENV}"
    yield "certificates", describe_certificates()
    try:
        url = create_url(read_api_base_env(), "")
        yield "base URL", strip_url_credentials(read_api_base_env())
        yield "proxy", strip_url_credentials(find_route(url).proxy or "none")
    except ValueError as error:
        yield "problem", str(error)


def read_requirements() -> dict[str, list[str]]:
    """Return the packages that each extra requires; the key "" has the dependencies."""
    try:
        requirements = requires(PACKAGE) or []
    except PackageNotFoundError:
        return {}
    names: dict[str, list[str]] = defaultdict(list)
    for requirement in requirements:
        name, extra = re.findall(r"^[\w.-]+|(?<=extra == .)\w+|$", requirement)[:2]
        names[extra].append(name)
    return names


def find_version(name: str) -> str:
    """Return the version of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def describe_certificates() -> str:
    """Return the source of the certificates that servers are checked against."""
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if path := os.environ.get(variable):
            return f"{path} ({variable})"
    return f"certifi {find_version('certifi')}"


if __name__ == "__main__":
    sys.exit(main())
