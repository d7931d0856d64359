"""The errors that a call can raise, as one tree.

Every class is a `SegmindError` and, where LangChain has one, a subclass of the class of
`langchain_core.exceptions` beside it, so that LangChain's own retries, fallbacks and
summarization recognize it. R marks errors after which the same request may succeed
(`is_retryable`). Source of the statuses: https://docs.segmind.com/docs/serverless-api

    SegmindError                            ModelError
    |-- SegmindAuthenticationError          ModelAuthenticationError     401
    |-- SegmindPermissionDeniedError        ModelPermissionDeniedError   403
    |-- SegmindModelNotFoundError           ModelNotFoundError           404, 410
    |-- SegmindInsufficientCreditsError                                  402, 406
    |-- SegmindBudgetExceededError                                       your own limit; not sent
    |-- SegmindInvalidRequestError          ModelInvalidRequestError     any other 4xx
    |   `-- SegmindContextOverflowError     ContextOverflowError         by the server's words
    |-- SegmindRateLimitError           R   ModelRateLimitError          429
    |-- SegmindRateLimiterStorageError                                   limiter down; not sent
    |-- SegmindTimeoutError             R   ModelTimeoutError            408, or no response in time
    |-- SegmindConnectionError          R   ModelConnectionError         no or half a response
    |-- SegmindOutputError              OutputParserException        2xx: not what was required
    `-- SegmindAPIError                 R   ModelAPIError                5xx
        `-- SegmindResponseError                                         2xx, 3xx: no reply in it
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
    OutputParserException,
)
from langchain_core.messages import AIMessage

__all__ = [
    "SegmindAPIError",
    "SegmindAuthenticationError",
    "SegmindBudgetExceededError",
    "SegmindConnectionError",
    "SegmindContextOverflowError",
    "SegmindError",
    "SegmindInsufficientCreditsError",
    "SegmindInvalidRequestError",
    "SegmindModelNotFoundError",
    "SegmindOutputError",
    "SegmindPermissionDeniedError",
    "SegmindRateLimitError",
    "SegmindRateLimiterStorageError",
    "SegmindResponseError",
    "SegmindTimeoutError",
]


Phase = Literal["connect", "send", "wait", "read", "submit"]
"""How far a request got: connecting, sending, waiting for the response, reading it. "submit": it is
unknown whether the queue accepted the job."""


class SegmindError(ModelError):
    """Base of every error that a call to Segmind raises.

    Attributes:
        status_code: The HTTP status; None without a response.
        body: The first 2,000 characters of the response's body, or None. Keys are masked.
        headers: The response's headers, names in lower case; empty without a response.
        request_id: Segmind's id of the request (`x-request-id`), for its support, or None.
        retry_after: Seconds that the server asks to wait, or None.
        remaining_credits: The account's balance (1 credit = 1 US dollar) if sent, or None.
        phase: How far the request got if no complete response arrived: `"connect"`, `"send"`,
            `"wait"` (for the response) or `"read"` (in the response); None if one did. `"submit"`:
            it is unknown whether the queue accepted the job, so it may run and be billed.
        completed: What a call for several texts had embedded by then: vectors by the index of
            their text. Empty for other calls.
        job_failed: Whether Segmind ran the queue's job and it failed: it was not billed, and has no
            result to fetch.
        is_retryable: Whether the same request may succeed later: an attribute of the class, and
            False for the error of a job that may run on, which another call would not fetch.

    Example:
        ```python
        from langchain_segmind import ChatSegmind, SegmindError

        model = ChatSegmind(model="gpt-5.4-mini", base_url="http://127.0.0.1:9/v1", max_retries=0)
        try:
            model.invoke("hi")
        except SegmindError as error:
            print(type(error).__name__, error.is_retryable)
        ```
    """

    advice = ""
    """What to do about it; ends the message."""

    def __init__(
        self,
        message: str = "",
        *,
        status_code: int | None = None,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        remaining_credits: float | None = None,
        phase: Phase | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.body = body
        self.headers = dict(headers or {})
        self.request_id = request_id
        self.retry_after = retry_after
        self.remaining_credits = remaining_credits
        self.phase = phase
        self.completed: dict[int, list[float]] = {}
        self.job_failed = False


class SegmindAuthenticationError(SegmindError, ModelAuthenticationError):
    """The API key is missing, malformed or refused (401)."""

    advice = (
        "Set a valid key in the environment variable SEGMIND_API_KEY or pass segmind_api_key=...; "
        "create keys at https://platform.segmind.com/api-keys."
    )


class SegmindPermissionDeniedError(SegmindError, ModelPermissionDeniedError):
    """The account may not call this model (403)."""

    advice = "The account of this key may not call this model; choose another model."


class SegmindModelNotFoundError(SegmindError, ModelNotFoundError):
    """The model does not exist (404) or has been retired (410)."""

    advice = "Look up the model's slug at https://www.segmind.com/models, and check base_url."


class SegmindInsufficientCreditsError(SegmindError):
    """The account's credits do not cover the call (406, 402), or a spend limit is reached.

    LangChain has no class for it: it is a `ModelError` that is not retryable.
    """

    advice = (
        "model.get_credits() returns the balance; buy credits at https://www.segmind.com/pricing."
    )


class SegmindBudgetExceededError(SegmindError):
    """The call would exceed your own limit and was not sent.

    Attributes:
        spent: Credits spent under this limit.
        budget: Credits that may be spent, or None.
        min_remaining: Credits that must remain on the account, or None.
    """

    advice = (
        "Raise the limit, or start a new handler or block, to spend more. After a top-up, call "
        "update_balance(...) on the handler."
    )

    def __init__(
        self,
        message: str = "",
        *,
        spent: float = 0.0,
        budget: float | None = None,
        min_remaining: float | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        self.spent = spent
        self.budget = budget
        self.min_remaining = min_remaining


class SegmindInvalidRequestError(SegmindError, ModelInvalidRequestError):
    """The server refuses the request (400, 405, 413, 422, any other 4xx)."""

    advice = "The same request will fail again: change its messages, parameters or base_url."


class SegmindContextOverflowError(SegmindInvalidRequestError, ContextOverflowError):
    """The messages exceed the model's context window."""

    advice = "Shorten or summarize the messages, or lower max_tokens."


class SegmindRateLimitError(SegmindError, ModelRateLimitError):
    """The account sends more requests per minute than its plan allows (429)."""

    advice = "Send fewer requests per minute: pass a rate_limiter to the model."


class SegmindRateLimiterStorageError(SegmindError):
    """A `SegmindRateLimiter` cannot use its storage; the request was not sent."""

    advice = (
        'Start the storage, or check its address and password. With on_storage_error="local", '
        "each worker keeps to a share of the limit while the storage is down."
    )


class SegmindTimeoutError(SegmindError, ModelTimeoutError):
    """There was no response in time, or the server gave up waiting (408)."""

    advice = "Raise timeout=... (seconds); long replies can take a minute."


class SegmindConnectionError(SegmindError, ModelConnectionError):
    """The server was not reached, or the connection broke before the response was complete."""

    advice = "Check the network, proxies and base_url."


class SegmindAPIError(SegmindError, ModelAPIError):
    """The server failed (5xx)."""

    advice = "Try again later; a 500 that persists may come from a parameter."


class SegmindResponseError(SegmindAPIError):
    """The server answered with success, but the body is no completion and no vector.

    Such a call may have been billed, so it is not retryable.
    """

    is_retryable = False
    advice = "The call may have been billed; check the model's slug and base_url."


class SegmindOutputError(SegmindError, OutputParserException):
    """The model's replies lack the tool call or JSON that was required.

    The replies were billed, so the call is not retried.

    Attributes:
        replies: The model's messages, oldest first.
        llm_output: The text of the last one.
    """

    advice = "Reword the request, offer a tool or schema that fits it, or raise output_retries."

    def __init__(
        self, message: str = "", *, replies: Sequence[AIMessage] = (), **details: Any
    ) -> None:
        super().__init__(message, **details)
        self.args = (message,)  # without the link that OutputParserException adds
        self.replies = list(replies)
        self.observation = None
        self.llm_output = str(replies[-1].text) if replies else None
        self.send_to_llm = False
