"""Segmind's HTTP API, shared by the client and the local gateway.

`POST {base}/{slug}` with the header `x-api-key` runs a language model;
`GET {base}/get-user-credits` returns the balance. Sources: the model's page
(https://www.segmind.com/models/gpt-4-turbo/api) and the API reference
(https://docs.segmind.com/docs/serverless-api).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, get_args

API_BASE = "https://api.segmind.com/v1"
API_BASE_ENV = "SEGMIND_API_BASE"
API_KEY_ENV = "SEGMIND_API_KEY"
CREDITS_PATH = "get-user-credits"
PROVIDER = "segmind"
"""The provider's name in LangChain's traces and messages."""

API_KEY_HEADER = "x-api-key"
REMAINING_CREDITS_HEADER = "x-remaining-credits"
COST_HEADER = "x-cost"
REQUEST_ID_HEADER = "x-request-id"
GENERATION_TIME_HEADER = "x-generation-time"
QUEUE_TIME_HEADER = "x-queue-time"
TOTAL_TIME_HEADER = "x-total-time"
"""Not sent by v1: where the times of a job of the queue are kept."""
RATE_LIMIT_RESET_HEADER = "x-rate-limit-reset-at-utc"
RETRY_AFTER_HEADER = "retry-after"
RETRY_AFTER_MS_HEADER = "retry-after-ms"

Role = Literal["system", "user", "assistant"]
"""The roles that the endpoint documents."""
ROLES: tuple[Role, ...] = get_args(Role)

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
"""A model's name in the URL, such as `gpt-4-turbo` or `gpt-5.5`."""

TIMEOUT_STATUSES = frozenset({408, 504, 524})
"""Some server gave up waiting for another one, which may have taken the request and billed it."""

MAX_HOLD_SECONDS = 300.0
"""The longest time that a rate limiter blocks its callers after a 429. Limits are per minute, so a
later reset time is wrong or forged."""

KEY_SHAPE = re.compile(r"(?:SG|(?<![A-Za-z])sg)_[0-9a-fA-F]{16}")
"""The shape of an issued API key, in lower case too. For masking only: other keys are valid."""


@dataclass(frozen=True, slots=True)
class APIResponse:
    """An HTTP response.

    Attributes:
        status_code: The HTTP status.
        headers: The headers, names in lower case.
        body: The body, decoded.
        url: The URL that was requested, without credentials and query; empty for a success.
        mask: Masks the request's secrets in a text.

    Servers echo keys in their errors: headers and body are not part of the `repr`.
    """

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = ""
    mask: Callable[[str], str] = field(default=str, repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is a 2xx."""
        return HTTPStatus.OK <= self.status_code < HTTPStatus.MULTIPLE_CHOICES
