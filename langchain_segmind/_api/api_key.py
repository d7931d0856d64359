"""What an API key may be, and where it is read from."""

import os
from collections.abc import Awaitable, Callable
from typing import Any, Self

from pydantic import SecretStr

from langchain_segmind._api.endpoint import API_KEY_ENV

ResolvedKey = SecretStr | str | None
ApiKeySource = SecretStr | str | Callable[[], ResolvedKey | Awaitable[ResolvedKey]] | None


class EnvironmentKey(SecretStr):
    """A key from the environment. A pickle does not hold it: it is read again when loaded."""

    def __eq__(self, other: object) -> bool:
        """Whether the other is the same key, wherever it comes from."""
        if not isinstance(other, SecretStr):
            return NotImplemented
        return self.get_secret_value() == other.get_secret_value()

    __hash__ = SecretStr.__hash__

    def __copy__(self) -> Self:
        """Return self, without a look at the environment."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return self, without a look at the environment."""
        return self

    def __reduce__(self) -> tuple[Callable[[], SecretStr], tuple[()]]:
        """Return what reads the key again.

        A missing one is an error of the first call: an error while a worker loads a model can end
        the worker, and keep its pool waiting.
        """
        return _load_environment_key, ()


def _load_environment_key() -> EnvironmentKey:
    return EnvironmentKey(os.environ.get(API_KEY_ENV, "").strip())


def read_api_key_env() -> SecretStr | None:
    """Return the key from the environment; None if it is unset or blank."""
    return _load_environment_key() or None


def hide_api_key(key: object) -> object:
    """Return a key of any type so that no representation shows it; a function as it is."""
    if key is None or callable(key) or isinstance(key, SecretStr):
        return key
    if isinstance(key, bytes | bytearray):
        key = key.decode(errors="replace")
    return SecretStr(key)  # type: ignore[arg-type]  # of any type


def find_api_key_problem(key: SecretStr | None) -> str:
    """Return what is wrong with a key, without showing it; empty if nothing is."""
    if key is not None and not isinstance(key.get_secret_value(), str):
        kind = type(key.get_secret_value()).__name__
        return f"The API key is of type {kind}, not str, SecretStr or a function."
    if isinstance(key, EnvironmentKey) and not key:
        return (
            f"No API key is set: the model was pickled with one from {API_KEY_ENV}, which is not "
            "stored in the pickle, and it was loaded where that variable is not set."
        )
    if key is None or not key.get_secret_value().strip():
        return "No API key is set."
    if not _is_header_value(key):
        return (
            "The API key contains a line feed, a space or another character that no key has "
            "(it is not shown here)."
        )
    return ""


def _is_header_value(key: SecretStr) -> bool:
    text = key.get_secret_value()
    return text.isascii() and text.isprintable() and " " not in text
