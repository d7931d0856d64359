"""The libraries that carry asynchronous calls."""

from importlib.util import find_spec

import pytest

NEEDS_AIOHTTP = pytest.mark.skipif(
    find_spec("httpx_aiohttp") is None, reason="the extra aiohttp is not installed"
)

TRANSPORTS = ["httpx", pytest.param("aiohttp", marks=NEEDS_AIOHTTP)]
"""Values of `async_transport`, as a test's parameters."""
