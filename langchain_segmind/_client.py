"""The only I/O: one HTTP request, one `Reply` or one `SegmindError`.

httpx's exceptions hold the request, and with it the key: none of them is ever chained to
what is raised here.
"""

import asyncio
import atexit
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar

import httpx

from langchain_segmind._endpoint import API_KEY_HEADER, Reply
from langchain_segmind._error_reply import create_error
from langchain_segmind._masking import mask_secrets
from langchain_segmind._version import __version__
from langchain_segmind.exceptions import (
    Phase,
    SegmindConnectionError,
    SegmindError,
    SegmindResponseError,
    SegmindTimeoutError,
)

Client = TypeVar("Client", httpx.Client, httpx.AsyncClient)

logger = logging.getLogger(__name__)

TRANSPORT_ERRORS = (httpx.HTTPError, httpx.InvalidURL, UnicodeError)
"""What httpx raises once a request is built; the latter two for a redirect it cannot read."""

NO_RESPONSE = "without sending a response"
"""How httpcore says that a connection was dropped before the end of the answer's headers."""

SECRET_HEADERS = (API_KEY_HEADER, "authorization", "cookie", "proxy-authorization")
"""Headers whose values servers must not get back to the user, whoever set them."""

USER_AGENT = {"user-agent": f"langchain-segmind/{__version__}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, but for the key, which is read for each attempt.

    Attributes:
        method: The HTTP method.
        url: Where to; credentials in it are sent as basic authentication.
        content: The body, JSON in UTF-8.
        headers: Additional headers.
        timeout: Seconds for each of connecting, sending and receiving; None waits for ever.
    """

    method: str
    url: httpx.URL
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float | httpx.Timeout | None = None


def get_longest_wait(timeout: float | httpx.Timeout | None) -> float | None:
    """Get the seconds beyond which a server that asks to wait is not waited for."""
    return timeout.read if isinstance(timeout, httpx.Timeout) else timeout


def send(client: httpx.Client, request: Request, api_key: str) -> Reply:
    """Send a request and read its answer.

    Raises:
        SegmindError: If there is no answer, or it is not a success.
        ValueError: If the client is closed.
    """
    outgoing, options, mask = _prepare(client, request, api_key)
    response, failure = None, None
    try:
        response = client.send(outgoing, **options)
        response.read()
    except TRANSPORT_ERRORS as error:
        failure = _convert_error(error, response, request.timeout, mask)
    finally:
        if response is not None:
            response.close()
    return _convert_outcome(response, failure, mask)


async def asend(client: httpx.AsyncClient, request: Request, api_key: str) -> Reply:
    """Send a request and read its answer; see `send`."""
    outgoing, options, mask = _prepare(client, request, api_key)
    response, failure = None, None
    try:
        response = await client.send(outgoing, **options)
        await response.aread()
    except TRANSPORT_ERRORS as error:
        failure = _convert_error(error, response, request.timeout, mask)
    finally:
        if response is not None:
            await response.aclose()
    return _convert_outcome(response, failure, mask)


def _prepare(
    client: httpx.Client | httpx.AsyncClient, request: Request, api_key: str
) -> tuple[httpx.Request, dict[str, Any], Callable[[str], str]]:
    if client.is_closed:
        raise ValueError("The http_client or http_async_client is closed; pass an open one.")
    headers = {**request.headers, API_KEY_HEADER: api_key}
    if request.content is not None:
        headers["content-type"] = "application/json"
    timeout = request.timeout
    if not isinstance(timeout, httpx.Timeout):
        # Waiting for a connection from the pool must not use up the time of the call.
        timeout = httpx.Timeout(timeout, pool=None)
    outgoing = client.build_request(
        request.method,
        request.url.copy_with(userinfo=b"") if request.url.userinfo else request.url,
        content=request.content,
        headers=headers,
        timeout=timeout,
    )
    # A redirect that is followed carries the key to whatever host the server names.
    options: dict[str, Any] = {"stream": True, "follow_redirects": False}
    if request.url.userinfo:
        # httpx logs the URL that it sends to, so that credentials travel as a header.
        next(httpx.BasicAuth(request.url.username, request.url.password).auth_flow(outgoing))
        options["auth"] = None
    return outgoing, options, partial(_mask, request=request, outgoing=outgoing)


def _mask(text: str, request: Request, outgoing: httpx.Request) -> str:
    names = [*request.headers, *SECRET_HEADERS]
    values = [value for name in names if (value := outgoing.headers.get(name))]
    words = [word for value in values for word in value.split()]
    return mask_secrets(text, [*values, *words, request.url.password])


def _convert_outcome(
    response: httpx.Response | None, failure: SegmindError | None, mask: Callable[[str], str]
) -> Reply:
    if failure is not None:
        logger.debug("%s: %s", type(failure).__name__, failure)
        raise failure
    assert response is not None  # noqa: S101 - there is no failure, so there is a response
    reply = _convert_response(response, response.content, mask)
    logger.debug("%s %s: %d", response.request.method, response.request.url, reply.status_code)
    if not response.is_success:
        raise create_error(reply)
    return reply


def _convert_response(response: httpx.Response, body: bytes, mask: Callable[[str], str]) -> Reply:
    return Reply(response.status_code, dict(response.headers), body, mask)


def _convert_error(
    error: Exception,
    response: httpx.Response | None,
    timeout: float | httpx.Timeout | None,
    mask: Callable[[str], str],
) -> SegmindError:
    cause = mask(f"{type(error).__name__}: {error}".removesuffix(": "))
    if isinstance(error, httpx.HTTPStatusError):  # a hook of the caller's own client
        response = error.response
    if response is not None and not response.is_success:
        # The status says more than that its explanation broke off.
        return create_error(_convert_response(response, b"", mask))
    if response is not None and isinstance(error, httpx.DecodingError):
        reply = _convert_response(response, b"", mask)
        return create_error(reply, SegmindResponseError, f"The body cannot be unpacked ({cause})")
    if isinstance(error, httpx.InvalidURL | UnicodeError):
        problem = f"The server answered with a redirect that is no URL ({cause})"
        return SegmindResponseError(f"{problem}. {SegmindResponseError.advice}")
    phase = _get_phase(error, response)
    error_class: type[SegmindError] = SegmindConnectionError
    problem = f"The connection failed ({cause})"
    if isinstance(error, httpx.TimeoutException):
        error_class = SegmindTimeoutError
        problem = f"No answer came within timeout={timeout!r} seconds ({cause})"
    if response is None:
        return error_class(f"{problem}. {error_class.advice}", phase=phase)
    reply = _convert_response(response, b"", mask)
    problem = f"The answer broke off and may have been billed. {problem}"
    return create_error(reply, error_class, problem, phase)


def _get_phase(error: Exception, response: httpx.Response | None) -> Phase:
    if response is not None:
        return "read"
    if isinstance(error, httpx.RemoteProtocolError) and NO_RESPONSE not in str(error):
        return "read"  # what began was no HTTP
    if isinstance(error, httpx.WriteTimeout | httpx.WriteError):
        return "send"
    if isinstance(error, httpx.ReadTimeout | httpx.ReadError | httpx.RemoteProtocolError):
        return "wait"
    return "connect"


class HTTPClients:
    """httpx's clients, opened when first needed: one for threads, one for each event loop.

    An async client's connections belong to the loop that opened them; shared between loops
    it raises "Event loop is closed".
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._by_loop: dict[asyncio.AbstractEventLoop, _LoopClient] = {}

    def get_client(self) -> httpx.Client:
        """Get the client for synchronous calls."""
        with self._lock:
            if self._client is None:
                self._client = _open_client(httpx.Client)
                atexit.register(self._client.close)
            return self._client

    async def get_async_client(self) -> httpx.AsyncClient:
        """Get the running event loop's client; it is closed when the loop shuts down."""
        loop = asyncio.get_running_loop()
        kept = self._by_loop.get(loop)
        if kept is None or kept.client.is_closed:
            kept = self._by_loop[loop] = _LoopClient()
            await anext(kept.lifetime)
            for other in list(self._by_loop):
                if other.is_closed():
                    self._by_loop.pop(other, None)
        return kept.client

    def forget(self) -> None:
        """Leave all connections to the process that this one was forked from."""
        self.__init__()  # type: ignore[misc] # nothing of the parent's is to be kept


def _open_client(client_class: type[Client]) -> Client:
    reason = ""
    try:
        # No cookies: they would carry state from one key, model and user to the next.
        cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return client_class(headers=USER_AGENT, cookies=cookies)
    except ImportError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - httpx reads the environment, and fails in its ways
        reason = f"{type(error).__name__}; the values are not shown, since they may hold a password"
    raise ValueError(
        "The environment's proxy or certificate settings cannot be used (HTTP_PROXY, HTTPS_PROXY, "
        f"ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR): {reason}."
    )


class _LoopClient:
    """A client and the generator whose end closes it.

    Event loops finish their asynchronous generators before they close
    (https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.shutdown_asyncgens):
    the last moment at which connections can be closed without a warning.
    """

    def __init__(self) -> None:
        self.client = _open_client(httpx.AsyncClient)
        self.lifetime = self._live()

    async def _live(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self.client.aclose()
