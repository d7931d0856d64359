"""What an API key may be, and where it is read from."""

import os
from collections.abc import Awaitable, Callable

from pydantic import SecretStr

from langchain_segmind._api.endpoint import API_KEY_ENV

ApiKey = SecretStr | str | None
ApiKeySource = SecretStr | Callable[[], ApiKey | Awaitable[ApiKey]] | None


def read_api_key_env() -> SecretStr | None:
    """Read the key from the environment; blank is as good as unset."""
    key = os.environ.get(API_KEY_ENV, "").strip()
    return SecretStr(key) if key else None


def find_api_key_fault(key: ApiKey) -> str:
    """Say what is wrong with a key, without showing it; an empty text where nothing is."""
    text = key.get_secret_value() if isinstance(key, SecretStr) else key
    if text is None or not text.strip():
        return "No API key is given."
    if not text.isascii() or not text.isprintable() or " " in text:
        return (
            "The API key holds a line feed, a space or another character that "
            "no key has (it is not shown here)."
        )
    return ""
