"""Send a call's requests: attempts within a deadline, synchronous and asynchronous alike."""

import os
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import httpx
from langchain_core.rate_limiters import BaseRateLimiter
from pydantic import SecretStr

from langchain_segmind._api.api_key import ApiKeySource
from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._http.attempt import ATTEMPT_ERRORS, APIRequest, Attempt
from langchain_segmind._http.auth import aresolve_api_key, resolve_api_key
from langchain_segmind._http.deadline import Deadline, limit_time
from langchain_segmind._http.environment import find_route
from langchain_segmind._http.group import RequestGroup
from langchain_segmind._http.pools import AsyncPools, SyncPools
from langchain_segmind._http.retries import RetryPolicy, aretry, log_retry, retry
from langchain_segmind._http.shortages import is_shortage
from langchain_segmind.exceptions import SegmindError, SegmindRateLimitError

if TYPE_CHECKING:
    from tenacity import RetryCallState

SYNC_POOLS = SyncPools()
ASYNC_POOLS = AsyncPools()

if hasattr(os, "register_at_fork"):
    # Two processes that read from one connection get each other's responses.
    os.register_at_fork(after_in_child=SYNC_POOLS.reset_after_fork)
    os.register_at_fork(after_in_child=ASYNC_POOLS.reset_after_fork)

OnRetry = Callable[["RetryCallState"], Any]


@runtime_checkable
class HoldingRateLimiter(Protocol):
    """A rate limiter that can block all its callers, such as `SegmindRateLimiter`."""

    def hold(self, seconds: float) -> None:
        """Block all callers."""

    async def ahold(self, seconds: float) -> None:
        """Block all callers."""


def get_holder(rate_limiter: BaseRateLimiter | None) -> HoldingRateLimiter | None:
    """Return the rate limiter if it can block its callers."""
    # Checking for a protocol is slow: without a limiter there is nothing to check.
    if rate_limiter is not None and isinstance(rate_limiter, HoldingRateLimiter):
        return rate_limiter
    return None


class RequestObserver(Protocol):
    """Receives the events of each attempt of a call."""

    def on_request_sent(self) -> None:
        """A request's body is being sent."""

    def on_wait(self) -> None:
        """The response to a request that was sent is waited for, maybe by another process."""

    def on_response(self, response: APIResponse) -> None:
        """Its response is a success."""

    def on_failure(self, error: BaseException) -> None:
        """The attempt failed, before or after sending began."""


class Sender:
    """Sends the requests of one call within one deadline.

    Args:
        api_key: Where the key comes from; it is read for each attempt.
        timeout: As the model's field.
        observer: Receives the events of each attempt.
        max_retries: As the model's field.
        retry_read_timeouts: As the model's field.
        client: The user's own client; None for the process's or event loop's connections.
        rate_limiter: Acquired before each attempt but the call's first one, for which LangChain
            has acquired it.
        on_retry: Called before the wait for another attempt.
        is_submission: Whether the requests submit jobs, which may never be submitted twice.
        group: The requests that end together with these; None for no others.

    Attributes:
        deadline: By when the call must be over.
    """

    def __init__(
        self,
        *,
        api_key: ApiKeySource,
        timeout: float | httpx.Timeout | None,
        observer: RequestObserver,
        max_retries: int = 0,
        retry_read_timeouts: bool = False,
        client: httpx.Client | httpx.AsyncClient | None = None,
        rate_limiter: BaseRateLimiter | None = None,
        on_retry: OnRetry | None = None,
        is_submission: bool = False,
        group: RequestGroup | None = None,
    ) -> None:
        # An `httpx.Timeout` bounds the phases of each attempt instead.
        self.deadline = Deadline(None if isinstance(timeout, httpx.Timeout) else timeout)
        self._api_key = api_key
        self._timeout = timeout
        self._client = client
        self._rate_limiter = rate_limiter
        self._holder = get_holder(rate_limiter)
        self._observer = observer
        self._on_retry = on_retry
        self._group = group or RequestGroup()
        self._is_first = True
        self._policy = RetryPolicy(
            self.deadline, max_retries, retry_read_timeouts, self._holder is not None, is_submission
        )

    def send(self, request: APIRequest) -> APIResponse:
        """Send a request and return its response.

        Raises:
            SegmindError: No attempt got a complete response with a success.
            ValueError: The client is closed, or the environment's settings cannot be used.
        """
        start = monotonic()
        try:
            return self._attempt(request)
        except SegmindError as error:
            failure = error
        attempt = partial(self._attempt, request)
        return retry(
            attempt, failure, start, self._policy, self._before_retry, sleep=self._group.sleep
        )

    async def asend(self, request: APIRequest) -> APIResponse:
        """Send a request and return its response; see `send`."""
        start = monotonic()
        try:
            return await self._aattempt(request)
        except SegmindError as error:
            failure = error
        attempt = partial(self._aattempt, request)
        return await aretry(
            attempt, failure, start, self._policy, self._abefore_retry, sleep=self._group.asleep
        )

    def _before_retry(self, state: "RetryCallState") -> None:
        log_retry(state, self._policy.max_retries)
        if self._on_retry:
            self._on_retry(state)

    async def _abefore_retry(self, state: "RetryCallState") -> None:
        log_retry(state, self._policy.max_retries)
        if self._on_retry:
            await self._on_retry(state)

    def _attempt(self, request: APIRequest) -> APIResponse:
        if self._rate_limiter and not self._is_first:
            with self.deadline.paused(), self._group.waiting():
                self._rate_limiter.acquire()
        self._is_first = False
        attempt = self._create_attempt(request, resolve_api_key(self._api_key))
        try:
            response = self._run(attempt)
        except BaseException as error:
            self._observer.on_failure(error)
            if self._holder and isinstance(error, SegmindRateLimitError) and error.retry_after:
                self._holder.hold(error.retry_after)
            raise
        self._observer.on_response(response)
        return response

    async def _aattempt(self, request: APIRequest) -> APIResponse:
        if self._rate_limiter and not self._is_first:
            with self.deadline.paused():
                async with self._group.awaiting():
                    await self._rate_limiter.aacquire()
        self._is_first = False
        key = await aresolve_api_key(self._api_key, self.deadline)
        attempt = self._create_attempt(request, key)
        try:
            response = await self._arun(attempt)
        except BaseException as error:
            self._observer.on_failure(error)
            if self._holder and isinstance(error, SegmindRateLimitError) and error.retry_after:
                await self._holder.ahold(error.retry_after)
            raise
        self._observer.on_response(response)
        return response

    def _create_attempt(self, request: APIRequest, api_key: SecretStr) -> Attempt:
        return Attempt(
            request,
            api_key,
            self._timeout,
            self.deadline,
            client=self._client,
            on_sent=self._on_sent,
        )

    def _on_sent(self) -> None:
        self._group.check()  # it may have ended while the key was read, or a connection opened
        self._observer.on_request_sent()

    def _run(self, attempt: Attempt) -> APIResponse:
        try:
            if isinstance(self._client, httpx.Client):
                attempt.set_timeouts()
                _read(self._client.send(attempt.outgoing, **attempt.client_options), attempt)
            else:
                route = find_route(attempt.outgoing.url)
                attempt.proxy = route.proxy
                with SYNC_POOLS.borrow(route) as transport:
                    transport.deadline = self.deadline
                    attempt.set_timeouts()
                    _read(transport.handle_request(attempt.outgoing), attempt)
        except ATTEMPT_ERRORS as error:
            attempt.failure = error
        except OSError as error:
            if not is_shortage(error):
                raise
            attempt.failure = error
        return attempt.result()

    async def _arun(self, attempt: Attempt) -> APIResponse:
        try:
            if isinstance(self._client, httpx.AsyncClient):
                async with limit_time(attempt.event_loop_timeout):
                    attempt.set_timeouts()
                    sending = self._client.send(attempt.outgoing, **attempt.client_options)
                    await _aread(await sending, attempt)
            else:
                route = find_route(attempt.outgoing.url)
                attempt.proxy = route.proxy
                pools = await ASYNC_POOLS.get()
                async with (
                    pools.borrow(route, self.deadline) as transport,
                    limit_time(attempt.event_loop_timeout),
                ):
                    attempt.set_timeouts()
                    sending = transport.handle_async_request(attempt.outgoing)
                    await _aread(await sending, attempt)
        except ATTEMPT_ERRORS as error:
            attempt.failure = error
        except OSError as error:
            if not is_shortage(error):
                raise
            attempt.failure = error
        return attempt.result()


def _read(response: httpx.Response, attempt: Attempt) -> None:
    try:
        attempt.start_response(response)
        for chunk in response.iter_bytes() if attempt.has_user_client else response.iter_raw():
            attempt.feed(chunk)
    finally:
        response.close()


async def _aread(response: httpx.Response, attempt: Attempt) -> None:
    try:
        attempt.start_response(response)
        async for chunk in (
            response.aiter_bytes() if attempt.has_user_client else response.aiter_raw()
        ):
            attempt.feed(chunk)
    finally:
        await response.aclose()


def close() -> None:
    """Close the process's connections for synchronous calls; those in use, once they are free."""
    SYNC_POOLS.close()


async def aclose() -> None:
    """Close the running event loop's connections; those in use, once they are free."""
    await ASYNC_POOLS.close()
