"""One attempt at a request: what is sent, what comes back, and what it means. No I/O.

Failures become errors here, whichever transport or client they come from.
"""

import logging
import re
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr

from langchain_segmind._api.endpoint import API_KEY_HEADER, REQUEST_ID_HEADER, APIResponse
from langchain_segmind._api.errors import create_error
from langchain_segmind._api.secrets import MASK, mask_secrets, strip_url_credentials
from langchain_segmind._http.deadline import Deadline
from langchain_segmind._http.shortages import SHORTAGE_ADVICE, is_shortage
from langchain_segmind._version import __version__
from langchain_segmind.exceptions import (
    Phase,
    SegmindConnectionError,
    SegmindError,
    SegmindResponseError,
    SegmindTimeoutError,
)

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 16 * 1024 * 1024
"""The longest body that is read: a hundred times what the models can write."""

NO_RESPONSE = "without sending a response"
"""httpcore's words for a connection that closed before the response headers were complete."""

PLAIN_HEADERS = frozenset(
    {
        *["accept", "accept-encoding", "connection", "content-length", "content-type", "host"],
        "transfer-encoding",
    }
)
"""Request headers whose values are not masked in errors; servers may echo all."""

DEFAULT_HEADERS: Mapping[str, str] = {
    "accept-encoding": "identity",
    "user-agent": f"langchain-segmind/{__version__}",
}
"""Sent with every request; a client that the user passed sends its own."""

DEFAULT_AGENTS = (DEFAULT_HEADERS["user-agent"], f"python-httpx/{httpx.__version__}")
"""Any other user agent can hold a token, and is masked."""


CERTIFICATE_ADVICE = (
    "If a proxy checks your traffic, set SSL_CERT_FILE to a file with the certificate of its "
    "authority; if not, check base_url and this machine's clock."
)

CONNECT_TIMEOUT_ADVICE = "Check the network, proxies and base_url, or raise timeout=... (seconds)."


class BodyTooLongError(Exception):
    """A response body exceeds `MAX_BODY_BYTES`."""


class EncodedBodyError(Exception):
    """A response body has a content coding, although none was accepted."""


ATTEMPT_ERRORS = (
    httpx.HTTPError,
    httpx.InvalidURL,
    UnicodeError,
    BodyTooLongError,
    EncodedBodyError,
    MemoryError,
    TimeoutError,
)
"""What an attempt can raise: httpx's errors (`InvalidURL` and `UnicodeError` for a redirect that it
cannot parse), those of `start_response` and `feed`, the event loop's timeout, and a lack of memory;
any other shortage is an `OSError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class APIRequest:
    """An HTTP request without the API key, which is read for each attempt.

    Attributes:
        method: The HTTP method.
        url: The URL; its credentials are sent as basic authentication.
        content: The body, JSON in UTF-8.
        headers: Additional headers.
        accepted: Statuses beside the 2xx whose response is returned, not raised.
    """

    method: str
    url: httpx.URL
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    accepted: frozenset[int] = frozenset()


class RequestBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A request body that reports when httpx starts to send it.

    Args:
        content: The body.
        on_sent: Called once, when sending starts: the headers are written by then.

    Attributes:
        is_sent: Whether sending has started.
    """

    def __init__(self, content: bytes, on_sent: Callable[[], None]) -> None:
        self._content = content
        self._on_sent = on_sent
        self.is_sent = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body as one chunk."""
        self.mark_sent()
        yield self._content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body as one chunk."""
        self.mark_sent()
        yield self._content

    def mark_sent(self) -> None:
        """Report that sending has started."""
        if not self.is_sent:
            self.is_sent = True
            self._on_sent()


class Attempt:
    """One attempt at a request.

    Args:
        request: The request.
        api_key: The key.
        timeout: The call's timeout, as the model's field.
        deadline: The call's deadline.
        client: The user's own client, whose headers and settings apply; None if there is
            none.
        on_sent: Called once, when httpx starts to send the body.

    Attributes:
        outgoing: The request to send.
        response: The response without its body; None until its headers have arrived.
        failure: What ended the attempt early; None if nothing did.
        proxy: The proxy's URL; None if there is none.
        has_user_client: Whether the user's own client sends the request, and decodes the body.

    Raises:
        ValueError: The client is closed.
    """

    def __init__(
        self,
        request: APIRequest,
        api_key: SecretStr,
        timeout: float | httpx.Timeout | None,
        deadline: Deadline,
        *,
        client: httpx.Client | httpx.AsyncClient | None,
        on_sent: Callable[[], None],
    ) -> None:
        if client is not None and client.is_closed:
            raise ValueError("The http_client or http_async_client is closed; pass an open one.")
        self.response: httpx.Response | None = None
        self.failure: Exception | None = None
        self.has_user_client = client is not None
        self.proxy: str | None = None
        self._request = request
        self._timeout = timeout
        self._deadline = deadline
        # The request must not refer to its attempt: a cycle would keep both until it is collected.
        self._body = RequestBody(request.content, on_sent)
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []
        self._size = 0
        self.outgoing = self._create_outgoing(api_key, client)

    def _create_outgoing(
        self, api_key: SecretStr, client: httpx.Client | httpx.AsyncClient | None
    ) -> httpx.Request:
        request = self._request
        # Header names are case-insensitive: in lower case, the key cannot be sent twice.
        headers = {name.lower(): value for name, value in request.headers.items()}
        if request.content:
            headers["content-type"] = "application/json"
        url = request.url.copy_with(userinfo=b"") if request.url.userinfo else request.url
        if client is None:
            length = {"content-length": str(len(request.content))} if request.content else {}
            headers = {"host": url.netloc.decode("ascii"), **DEFAULT_HEADERS, **headers, **length}
            # Without a local variable for the key: loggers may write those out.
            outgoing = httpx.Request(
                request.method,
                url,
                headers={**headers, API_KEY_HEADER: api_key.get_secret_value()},
                stream=self._body,
            )
        else:
            outgoing = client.build_request(
                request.method, url, content=request.content, headers=headers
            )
            outgoing.headers[API_KEY_HEADER] = api_key.get_secret_value()
            outgoing.stream = self._body
        if request.url.userinfo:
            # httpx logs the URL that it sends to, so credentials travel as a header.
            auth = httpx.BasicAuth(request.url.username, request.url.password)
            next(auth.auth_flow(outgoing))
        return outgoing

    @property
    def client_options(self) -> dict[str, Any]:
        """How the user's own client sends the request."""
        # A redirect that is followed carries the key to whatever host the server names.
        options: dict[str, Any] = {"stream": True, "follow_redirects": False}
        if self._request.url.userinfo:
            # The URL's credentials are already in the header; the client's auth would replace them.
            options["auth"] = None
        return options

    def set_timeouts(self) -> None:
        """Set the timeouts of the phases, right before sending: the clock is running.

        Raises:
            httpx.ConnectTimeout: The deadline has passed.
        """
        if isinstance(self._timeout, httpx.Timeout):
            self.outgoing.extensions["timeout"] = self._timeout.as_dict()
            return
        seconds = self._deadline.remaining if self._deadline.is_set else None
        if seconds is not None and seconds <= 0:
            raise httpx.ConnectTimeout("the deadline has passed")
        # Waiting for a connection from a client's pool is not the server's fault.
        phases = ("connect", "read", "write")
        self.outgoing.extensions["timeout"] = {"pool": None, **dict.fromkeys(phases, seconds)}

    @property
    def event_loop_timeout(self) -> float | None:
        """How long an event loop lets the attempt run, in seconds; None without a deadline."""
        return max(self._deadline.remaining, 0) if self._deadline.is_set else None

    def start_response(self, response: httpx.Response) -> None:
        """Store the response without its body.

        Raises:
            EncodedBodyError: The body is encoded, although no coding was accepted.
        """
        self._set_response(response)
        self._body.mark_sent()  # a mocked transport need not read the body
        coding = self._headers.get("content-encoding", "identity")
        if not self.has_user_client and coding.lower() not in {"", "identity"}:
            raise EncodedBodyError(f"content-encoding: {self._mask(coding):.80}")

    def _set_response(self, response: httpx.Response) -> None:
        self.response = response
        # httpx looks through all headers for each one that is asked for.
        self._headers = dict(response.headers.items())

    def feed(self, chunk: bytes) -> None:
        """Store a chunk of the response's body.

        Raises:
            BodyTooLongError: The body is too long.
            httpx.ReadTimeout: The deadline has passed.
        """
        self._size += len(chunk)
        if self._size > MAX_BODY_BYTES:
            raise BodyTooLongError
        # Our transport checks the deadline itself; a user's client does not.
        if self.has_user_client and self._deadline.remaining <= 0:
            raise httpx.ReadTimeout("the deadline has passed")
        self._chunks.append(chunk)

    def result(self) -> APIResponse:
        """Return the response.

        Raises:
            SegmindError: There is no complete response, or its status is not a success.
        """
        # No local variable holds the body: it may echo the key.
        if isinstance(self.failure, httpx.HTTPStatusError):
            self._read_refused(self.failure.response)
        if self.failure is not None:
            error = self._convert_failure(self.failure)
            logger.debug("%s: %s", type(error).__name__, error)
            raise error
        assert self.response is not None  # noqa: S101 - an attempt without a failure has one
        response = self._create_response(with_body=True)
        logger.debug("%s %s: %d", self.outgoing.method, self._url, response.status_code)
        if not (self.response.is_success or response.status_code in self._request.accepted):
            raise create_error(response)
        return response

    def _read_refused(self, response: httpx.Response) -> None:
        """Store a response that an event hook of the user's own client has raised as an error."""
        self._set_response(response)
        with suppress(httpx.ResponseNotRead):  # not every hook reads the body
            self._chunks.append(response.content)
        if response.status_code in self._request.accepted:
            self.failure = None

    def _create_response(self, *, with_body: bool = False) -> APIResponse:
        assert self.response is not None  # noqa: S101 - callers check it
        body = b"".join(self._chunks) if with_body else b""
        self._chunks.clear()
        url = "" if self.response.is_success else self._url
        headers = self._headers
        if request_id := headers.get(REQUEST_ID_HEADER):
            # It becomes part of the message.
            headers = {**headers, REQUEST_ID_HEADER: self._mask(request_id)}
        return APIResponse(self.response.status_code, headers, body, url, self._mask)

    @property
    def _url(self) -> str:
        """The URL without the query, which is the user's own client's and can hold a secret."""
        return str(self.outgoing.url).partition("?")[0]

    def _mask(self, text: str) -> str:
        sent = self.outgoing
        values = [
            value
            for name, value in sent.headers.items()
            if name not in PLAIN_HEADERS and value not in DEFAULT_AGENTS
        ]
        words = [word for value in values for word in re.split(r"[\s,;=]+", value)]
        login = parse_basic_auth(sent.headers.get("authorization", ""))
        in_url = sent.url.params.values()
        return mask_secrets(
            text, [*values, *words, *login, *in_url, *get_proxy_secrets(self.proxy)]
        )

    def _describe_route(self) -> str:
        """Return where the request was sent, such as `https://host:443 via proxy http://p:3128`."""
        url = self.outgoing.url
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        host = f"[{url.host}]" if ":" in url.host else url.host
        proxy = self.proxy and strip_url_credentials(self.proxy, f"{MASK}@")
        return f"{url.scheme}://{host}:{port}{f' via proxy {proxy}' if proxy else ''}"

    def _describe_limit(self) -> str:
        if isinstance(self._timeout, httpx.Timeout):
            return f": a phase of {self._timeout!r} ran out"
        # Without a timeout, the operating system's can run out.
        return "" if self._timeout is None else f" within {self._timeout!r} s"

    def _convert_failure(self, error: Exception) -> SegmindError:
        cause = self._mask(f"{type(error).__name__}: {error}".removesuffix(": "))
        if self.response is not None and not self.response.is_success:
            # An error status matters more than its incomplete body.
            return create_error(self._create_response(with_body=True))
        if isinstance(error, BodyTooLongError):
            problem = f"The response body exceeds {MAX_BODY_BYTES:,} bytes"
            return create_error(self._create_response(), SegmindResponseError, problem)
        if isinstance(error, httpx.DecodingError | EncodedBodyError) and self.response is not None:
            problem = f"The response body cannot be decoded ({cause})"
            return create_error(self._create_response(), SegmindResponseError, problem)
        if isinstance(error, httpx.InvalidURL | UnicodeError) and self.has_user_client:
            problem = f"The server answered with a redirect to an invalid URL ({cause})"
            return SegmindResponseError(f"{problem}. {SegmindResponseError.advice}")
        phase = get_phase(error, self.response, is_sent=self._body.is_sent)
        error_class: type[SegmindError] = SegmindConnectionError
        route = self._describe_route()
        problem = f"The connection to {route} failed ({cause})"
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            error_class = SegmindTimeoutError
            problem = f"No complete response from {route}{self._describe_limit()} ({cause})"
        if self.response is None:
            advice = _find_advice(error, phase) or error_class.advice
            failure = error_class(f"{problem}. {advice}", phase=phase)
            failure.advice = advice
            return failure
        billed = " and may have been billed" if self._request.method == "POST" else ""
        problem = f"The response broke off{billed}. {problem}"
        return create_error(self._create_response(), error_class, problem, phase)


def _find_advice(error: Exception, phase: Phase) -> str:
    """Return what to do about a failure; empty if its class says it."""
    if is_shortage(error):
        return SHORTAGE_ADVICE
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return CERTIFICATE_ADVICE
    is_timeout = isinstance(error, httpx.TimeoutException | TimeoutError)
    return CONNECT_TIMEOUT_ADVICE if is_timeout and phase == "connect" else ""


def get_proxy_secrets(proxy: str | None) -> list[str]:
    """Return the secret parts of a proxy's URL, which the proxy may echo."""
    if proxy is None or not (url := httpx.URL(proxy)).userinfo:
        return []
    encoded = b64encode(f"{url.username}:{url.password}".encode()).decode()
    return [url.username, url.password, encoded]


def parse_basic_auth(header: str) -> list[str]:
    """Return the user and the password in a header; empty for another kind of authentication."""
    scheme, _, encoded = header.partition(" ")
    try:
        return b64decode(encoded).decode().split(":", 1) if scheme.lower() == "basic" else []
    except ValueError:
        return []


def get_phase(error: Exception, response: httpx.Response | None, *, is_sent: bool) -> Phase:
    """Return how far a request got."""
    if response is not None or (is_sent and isinstance(error, MemoryError)):
        return "read"  # after this phase, nothing is sent again
    if isinstance(error, TimeoutError):  # the event loop's, which does not know
        return "wait" if is_sent else "connect"
    if isinstance(error, httpx.RemoteProtocolError) and NO_RESPONSE not in str(error):
        return "read"  # a response began, but it was not HTTP
    if isinstance(error, httpx.WriteTimeout | httpx.WriteError):
        return "send"
    if isinstance(error, httpx.ReadTimeout | httpx.ReadError | httpx.RemoteProtocolError):
        return "wait"
    return "connect"
