"""Ask again without a `response_format` that the server refuses, and remember that it does.

What is known of a model is its maker's; Segmind may serve it in another way.
"""

import hashlib
import json
import logging
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Generator, Hashable
from dataclasses import replace

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._chat.request import ChatRequest
from langchain_segmind.exceptions import SegmindContextOverflowError, SegmindInvalidRequestError

logger = logging.getLogger(__name__)

REFUSALS_CACHE_SIZE = 1_000

ABOUT_FORMAT = re.compile(
    r"response[ _-]?(format|schema|mime)|json[ _-]?(mode|object|schema)|schema-less"
    r"|structured[ _-]?output|output_(config|format)|additionalProperties|\bschemas?\b|grammar"
    r"|(too complex|for serving)|'(array|object|string|number|integer)' type",
    re.IGNORECASE,
)
"""Matches an error that a `response_format` can have caused, in the words of all makers."""

ABOUT_SCHEMA = re.compile(
    r"invalid (json )?schema|(?<!json[_ ])schemas? (must|has|cannot|contains|is|produces|in)\b"
    r"|too complex|additionalProperties|in context=|response_?schema['.]"
    r"|recursive definitions|grammar|for serving|' type, property",
    re.IGNORECASE,
)
"""Matches an error about this schema, not about the type of format."""


class Refusals:
    """Remembers what was refused, for all threads; the least recently used is forgotten first."""

    def __init__(self, size: int = REFUSALS_CACHE_SIZE) -> None:
        self._size = size
        self._known: OrderedDict[Hashable, None] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        """Whether this was refused."""
        with self._lock:
            if key not in self._known:
                return False
            self._known.move_to_end(key)
            return True

    def add(self, key: Hashable) -> None:
        """Remember that this was refused."""
        with self._lock:
            self._known[key] = None
            self._known.move_to_end(key)
            if len(self._known) > self._size:
                self._known.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._known.clear()

    def reset_after_fork(self) -> None:
        """Replace the lock, which a thread of the parent process can hold."""
        self._lock = threading.Lock()


REFUSALS = Refusals()
"""What was refused in this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=REFUSALS.reset_after_fork)


def ask_with_format(
    request: ChatRequest, base_url: str
) -> Generator[ChatRequest, APIResponse, APIResponse]:
    """Yield a request; if the server refuses its `response_format`, yield it again without.

    The refusal is remembered once the request without it is a success: otherwise something else
    is wrong with it. It holds for the slug and the type, or for this schema alone if the server
    says that the schema is the reason.

    Args:
        request: The request.
        base_url: The server, without credentials.

    Returns:
        The response.
    """
    plain = replace(request, response_format=None)
    if request.response_format is None:
        return (yield plain)
    kind = (base_url, request.model, request.response_format["type"])
    written = json.dumps(request.response_format, sort_keys=True).encode()
    schema = (*kind, hashlib.sha256(written).digest())
    if kind in REFUSALS or schema in REFUSALS:
        return (yield plain)
    try:
        return (yield request)
    except SegmindInvalidRequestError as error:
        said = str(error.body)
        if isinstance(error, SegmindContextOverflowError) or not ABOUT_FORMAT.search(said):
            raise
        logger.info(
            "%s does not take this response_format; it is asked without. %s", request.model, error
        )
        refused = schema if ABOUT_SCHEMA.search(said) else kind
    response = yield plain
    REFUSALS.add(refused)
    return response
