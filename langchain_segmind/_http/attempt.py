"""One HTTP exchange: what goes out, what comes back, and what it means; no I/O.

Failures become errors here, whichever of httpx's transports and clients they come from.
"""

import logging
import zlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from langchain_segmind._api.endpoint import API_KEY_HEADER, APIResponse
from langchain_segmind._api.errors import create_error
from langchain_segmind._api.secrets import mask_secrets
from langchain_segmind._http.deadline import Deadline, Moment
from langchain_segmind._version import __version__
from langchain_segmind.exceptions import (
    Phase,
    SegmindConnectionError,
    SegmindError,
    SegmindResponseError,
    SegmindTimeoutError,
)

logger = logging.getLogger(__name__)

LONGEST_REPLY = 16 * 1024 * 1024
"""Bytes of an answer that are read. The longest reply of the models is below a hundredth of it."""

GRACE = 0.2
"""Seconds by which the event loop's clock is behind the transport's, which knows what it did."""

LEAST_TIMEOUT = 0.001
"""Seconds: httpx takes none for an instruction not to wait at all."""

NO_RESPONSE = "without sending a response"
"""How httpcore says that a connection was dropped before the end of the answer's headers."""

PACKED = frozenset({"gzip", "x-gzip", "deflate"})
"""Codings of a body that are asked for."""

GZIP_MEMBER = b"\x1f\x8b"
"""What each member of a gzipped body begins with; what else follows one is padding."""

GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
"""How zlib is told to look which of the two it is."""

DEFLATE_ALONE = -zlib.MAX_WBITS
"""Some servers leave out the frame that the name demands."""

MOST_MEMBERS = 1_000
"""Members of a gzipped body that are read; servers send one."""

PART = 65_536
"""Bytes that are unpacked at a time."""

SECRET_HEADERS = (API_KEY_HEADER, "authorization", "cookie", "proxy-authorization")
"""Headers whose values servers must not get back to the user, whoever set them."""

HEADERS: Mapping[str, str] = {
    "accept-encoding": "gzip, deflate",
    "user-agent": f"langchain-segmind/{__version__}",
}
"""What every request says; a client of the user's says its own."""


class TooLongError(Exception):
    """An answer is longer than what is read."""


TRANSPORT_ERRORS = (httpx.HTTPError, httpx.InvalidURL, UnicodeError, TooLongError, TimeoutError)
"""What is raised once a request is built: by httpx (two of them for a redirect that it cannot
read), by `Exchange.add`, and by the event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, but for the key, which is read for each attempt.

    Attributes:
        method: The HTTP method.
        url: Where to; credentials in it are sent as basic authentication.
        content: The body, JSON in UTF-8.
        headers: Additional headers.
        timeout: As the model's field.
    """

    method: str
    url: httpx.URL
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float | httpx.Timeout | None = None


class Exchange:
    """One attempt at a request.

    Args:
        request: The request.
        api_key: The key.
        deadline: By when the call must be over.
        client: The user's own client, whose headers and settings count; None for none.

    Attributes:
        outgoing: The request as httpx's.
        response: The head of the answer; None until it is there.
        failure: What ended the attempt before its end; None for nothing.
        proxy: The proxy's URL; None for none.
        is_raw: Whether the body is added as it is sent; the user's own client unpacks it.

    Raises:
        ValueError: If the client is closed.
    """

    def __init__(
        self,
        request: Request,
        api_key: str,
        deadline: Deadline,
        client: httpx.Client | httpx.AsyncClient | None = None,
    ) -> None:
        if client is not None and client.is_closed:
            raise ValueError("The http_client or http_async_client is closed; pass an open one.")
        self.response: httpx.Response | None = None
        self.failure: Exception | None = None
        self.is_raw = client is None
        self.proxy: str | None = None
        self._request = request
        self._deadline = deadline
        self._parts: list[bytes] = []
        self._size = 0
        # Names differ by case only: sent as they are, ours and the user's would both be there.
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers[API_KEY_HEADER] = api_key
        if request.content is not None:
            headers["content-type"] = "application/json"
        url = request.url.copy_with(userinfo=b"") if request.url.userinfo else request.url
        if client is None:
            self.outgoing = httpx.Request(
                request.method, url, content=request.content, headers={**HEADERS, **headers}
            )
        else:
            self.outgoing = client.build_request(
                request.method, url, content=request.content, headers=headers
            )
        if request.url.userinfo:
            # httpx logs the URL that it sends to, so that credentials travel as a header.
            auth = httpx.BasicAuth(request.url.username, request.url.password)
            next(auth.auth_flow(self.outgoing))

    @property
    def client_options(self) -> dict[str, Any]:
        """How the user's own client is to send the request."""
        # A redirect that is followed carries the key to whatever host the server names.
        options: dict[str, Any] = {"stream": True, "follow_redirects": False}
        return {**options, "auth": None} if self._request.url.userinfo else options

    @property
    def has_phases(self) -> bool:
        """Whether each phase of the attempt has a time of its own."""
        return isinstance(self._request.timeout, httpx.Timeout)

    def set_timeouts(self, *, as_moments: bool = False) -> None:
        """Tell the transport how long to wait, as late as may be: the clock is running.

        Args:
            as_moments: Whether it can be told the deadline itself, instead of what is left.
        """
        timeout = self._request.timeout
        if isinstance(timeout, httpx.Timeout):
            self.outgoing.extensions["timeout"] = timeout.as_dict()
            return
        seconds: float | None = None
        if self._deadline.is_set:
            left = max(self._deadline.remaining, LEAST_TIMEOUT)
            seconds = Moment(self._deadline.moment) if as_moments else left
        # A connection from a pool is waited for without end: that is no fault of the server's.
        names = ("connect", "read", "write")
        self.outgoing.extensions["timeout"] = {"pool": None, **dict.fromkeys(names, seconds)}

    @property
    def seconds(self) -> float | None:
        """How long an event loop lets the attempt go on; None for any time."""
        return max(self._deadline.remaining, 0) + GRACE if self._deadline.is_set else None

    def add(self, part: bytes) -> None:
        """Keep a part of the answer's body.

        Raises:
            TooLongError: If it is too much.
            httpx.ReadTimeout: If the time is up.
        """
        self._size += len(part)
        if self._size > LONGEST_REPLY:
            raise TooLongError
        # Only the user's own client may let the time pass unnoticed.
        if not self.is_raw and self._deadline.remaining <= 0:
            raise httpx.ReadTimeout("the call's time is up")
        self._parts.append(part)

    def conclude(self) -> APIResponse:
        """Get the answer.

        Raises:
            SegmindError: If there is none, or it is not a success.
        """
        body = b"".join(self._parts)
        self._parts.clear()
        if self.failure is None and self.response is not None and self.is_raw:
            try:
                body = unpack(body, self.response.headers.get("content-encoding", ""))
            except (TooLongError, zlib.error) as fault:
                self.failure = fault
        if self.failure is not None or self.response is None:
            error = self._convert_failure(self.failure, body)
            logger.debug("%s: %s", type(error).__name__, error)
            raise error
        reply = self._create_reply(body)
        logger.debug("%s %s: %d", self.outgoing.method, self.outgoing.url, reply.status_code)
        if not self.response.is_success:
            raise create_error(reply)
        return reply

    def _create_reply(self, body: bytes = b"") -> APIResponse:
        assert self.response is not None  # noqa: S101 - asked for where there is one
        # Without `items`, httpx looks through all headers for each of them.
        headers = dict(self.response.headers.items())
        return APIResponse(self.response.status_code, headers, body, self._mask)

    def _mask(self, text: str) -> str:
        names = [*self._request.headers, *SECRET_HEADERS]
        values = [value for name in names if (value := self.outgoing.headers.get(name))]
        words = [word for value in values for word in value.split()]
        return mask_secrets(
            text, [*values, *words, self._request.url.password, *get_proxy_secrets(self.proxy)]
        )

    def _convert_failure(self, error: Exception | None, body: bytes) -> SegmindError:
        cause = self._mask(f"{type(error).__name__}: {error}".removesuffix(": "))
        if isinstance(error, httpx.HTTPStatusError):  # a hook of the user's own client
            self.response = error.response
        if self.response is not None and not self.response.is_success:
            # The status says more than that its explanation broke off.
            return create_error(self._create_reply(body))
        if isinstance(error, TooLongError):
            problem = (
                f"The answer has more than {LONGEST_REPLY:,} bytes and was not read to its end"
            )
            return create_error(self._create_reply(), SegmindResponseError, problem)
        if self.response is not None and isinstance(error, httpx.DecodingError | zlib.error):
            problem = f"The body cannot be unpacked ({cause})"
            return create_error(self._create_reply(), SegmindResponseError, problem)
        if isinstance(error, httpx.InvalidURL | UnicodeError) and not self.is_raw:
            problem = f"The server answered with a redirect that is no URL ({cause})"
            return SegmindResponseError(f"{problem}. {SegmindResponseError.advice}")
        phase = get_phase(error, self.response)
        error_class: type[SegmindError] = SegmindConnectionError
        problem = f"The connection failed ({cause})"
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            error_class = SegmindTimeoutError
            problem = f"No answer came within timeout={self._request.timeout!r} seconds ({cause})"
        if self.response is None:
            return error_class(f"{problem}. {error_class.advice}", phase=phase)
        problem = f"The answer broke off and may have been billed. {problem}"
        return create_error(self._create_reply(), error_class, problem, phase)


def unpack(body: bytes, coding: str) -> bytes:
    """Undo the coding of a body, up to `LONGEST_REPLY`.

    httpx unpacks all that a part holds, so that kilobytes can take gigabytes of memory.

    Args:
        body: As it was sent.
        coding: The header `content-encoding`; empty for none.

    Raises:
        TooLongError: If it becomes longer.
        zlib.error: If it is malformed, breaks off, or is coded in a way that was not asked for.
    """
    if coding.lower() in {"", "identity"}:
        return body
    if coding.lower() not in PACKED:
        raise zlib.error(f"it is coded as {coding!r:.80}")
    plain, rest = bytearray(), memoryview(body)
    for _ in range(MOST_MEMBERS):
        if not rest:
            break
        rest = unpack_member(rest, plain)
        if rest[: len(GZIP_MEMBER)] != GZIP_MEMBER:
            break
    else:
        raise zlib.error(f"it has more than {MOST_MEMBERS:,} members")
    return bytes(plain)


def unpack_member(packed: memoryview, plain: bytearray) -> memoryview:
    """Unpack what stands first; get what follows it.

    Raises:
        TooLongError: If it becomes longer than `LONGEST_REPLY`.
        zlib.error: If it is malformed or breaks off.
    """
    size = len(plain)
    unpacker = zlib.decompressobj(GZIP_OR_ZLIB)
    position = 0
    while position < len(packed) and not unpacker.eof:
        # Each member copies the rest of what it is given: in one piece, many would copy it all.
        part = packed[position : position + PART]
        position += len(part)
        try:
            plain += unpacker.decompress(part, LONGEST_REPLY + 1 - len(plain))
        except zlib.error:
            if position > PART or len(plain) > size:
                raise
            unpacker = zlib.decompressobj(DEFLATE_ALONE)
            plain += unpacker.decompress(part, LONGEST_REPLY + 1 - len(plain))
        if len(plain) > LONGEST_REPLY:
            raise TooLongError
    if not unpacker.eof:
        raise zlib.error("it breaks off")
    return packed[position - len(unpacker.unused_data) :]


def get_proxy_secrets(proxy: str | None) -> list[str]:
    """Get what nobody may see of a proxy's URL: a proxy may send it back."""
    if proxy is None or not (url := httpx.URL(proxy)).userinfo:
        return []
    return [url.password, b64encode(f"{url.username}:{url.password}".encode()).decode()]


def get_phase(error: Exception | None, response: httpx.Response | None) -> Phase:
    """Tell how far a request got."""
    if response is not None:
        return "read"
    if isinstance(error, httpx.RemoteProtocolError) and NO_RESPONSE not in str(error):
        return "read"  # what began was no HTTP
    if isinstance(error, httpx.WriteTimeout | httpx.WriteError):
        return "send"
    if isinstance(
        error, httpx.ReadTimeout | httpx.ReadError | httpx.RemoteProtocolError | TimeoutError
    ):
        return "wait"
    return "connect"
