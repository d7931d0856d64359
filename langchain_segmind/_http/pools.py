"""Which connections are kept: one set for the process's threads, one for each event loop.

Models come and go, connections stay. They are httpx's transports, used without its clients, whose
cookies, redirects and authentication a call must not have.
"""

import asyncio
import math
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import lru_cache, partial
from importlib import import_module
from ssl import SSLContext
from time import monotonic
from typing import Generic, TypeVar
from urllib.request import getproxies, proxy_bypass

import httpx

from langchain_segmind._http.deadline import Deadline

Transport = TypeVar("Transport", bound=httpx.BaseTransport | httpx.AsyncBaseTransport)

MOST_AT_ONCE = 512
"""Requests of one event loop that are under way at a time; further ones wait for their turn."""

KEEP_ALIVE = 15.0
"""Seconds after which a connection that nobody used is not used again."""

KEPT_ROUTES = 64
"""Hosts for which the environment's proxy settings are remembered."""

LIMITS = httpx.Limits(
    max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEEP_ALIVE
)


class PrivateTransports(Generic[Transport]):
    """Transports of which each carries one request at a time; the one last used is used next.

    httpcore looks at all connections of a pool for each request, so that one large pool gets
    slower with each connection. May be used by many threads: a deque needs no lock.

    Args:
        open_transport: Opens one.
    """

    def __init__(self, open_transport: Callable[[], Transport]) -> None:
        self._open_transport = open_transport
        self._idle: deque[tuple[float, Transport]] = deque()
        self._is_retired = False

    def take(self) -> Transport:
        """Get one for a request."""
        try:
            return self._idle.pop()[1]
        except IndexError:
            with explaining_environment():
                return self._open_transport()

    def give_back(self, transport: Transport, *, is_sound: bool) -> list[Transport]:
        """Tell that a request is over; get the transports that must be closed now.

        Args:
            transport: The one that carried it.
            is_sound: Whether it came to its end. httpcore forgets some connections that are
                cancelled (https://github.com/encode/httpcore/issues/1093), but not to close them
                with their pool.
        """
        if not is_sound:
            return [transport]
        now = monotonic()
        self._idle.append((now, transport))
        return self._remove(math.inf if self._is_retired else now - KEEP_ALIVE)

    def retire(self) -> list[Transport]:
        """Use none of them again; get those that must be closed now."""
        self._is_retired = True
        return self._remove(math.inf)

    def _remove(self, unused_since: float) -> list[Transport]:
        removed = []
        with suppress(IndexError):
            while (longest_idle := self._idle.popleft())[0] < unused_since:
                removed.append(longest_idle[1])
            self._idle.appendleft(longest_idle)
        return removed


AsyncTransports = PrivateTransports[httpx.AsyncBaseTransport]


class Connections:
    """The connections of the process's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_proxy: dict[str | None, PrivateTransports[httpx.BaseTransport]] = {}

    @contextmanager
    def borrow(self, proxy: str | None) -> Iterator[httpx.BaseTransport]:
        """Get a transport for one request.

        Raises:
            ValueError: If the environment's proxy or certificate settings cannot be used.
        """
        with self._lock:
            transports = self._by_proxy.get(proxy)
            if transports is None:
                transports = PrivateTransports(partial(open_transport, proxy))
                self._by_proxy[proxy] = transports
        transport, is_sound = transports.take(), False
        try:
            yield transport
            is_sound = True
        finally:
            for surplus in transports.give_back(transport, is_sound=is_sound):
                surplus.close()

    def close(self) -> None:
        """Close the connections; those in use, once they are free."""
        with self._lock:
            abandoned, self._by_proxy = self._by_proxy, {}
        for transports in abandoned.values():
            for transport in transports.retire():
                transport.close()
        forget_environment()

    def forget(self) -> None:
        """Leave all connections to the process that this one was forked from."""
        self._lock = threading.Lock()  # a thread of that process may have held it
        self._by_proxy = {}


class AsyncConnections:
    """The connections of each event loop: shared between loops they would not work."""

    def __init__(self) -> None:
        self._by_loop: dict[asyncio.AbstractEventLoop, LoopConnections] = {}

    async def get(self) -> "LoopConnections":
        """Get the running event loop's connections; they are closed when the loop shuts down."""
        loop = asyncio.get_running_loop()
        kept = self._by_loop.get(loop)
        if kept is None or kept.is_over:
            kept = self._by_loop[loop] = LoopConnections()
            await anext(kept.lifetime)
            for other in list(self._by_loop):
                if other.is_closed():
                    self._by_loop.pop(other, None)
        return kept

    async def close(self) -> None:
        """Close the running event loop's connections; those in use, once they are free."""
        kept = self._by_loop.get(asyncio.get_running_loop())
        if kept is not None:
            await kept.close()

    def forget(self) -> None:
        """Leave all connections to the process that this one was forked from."""
        self._by_loop = {}


class LoopConnections:
    """The connections of one event loop.

    Attributes:
        lifetime: Its end closes the connections. Event loops finish their asynchronous generators
            before they close
            (https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.shutdown_asyncgens):
            the last moment at which it can be done without a warning.
        is_over: Whether it has ended.
    """

    def __init__(self) -> None:
        self.lifetime = self._live()
        self.is_over = False
        self._turn = asyncio.Semaphore(MOST_AT_ONCE)
        self._door = asyncio.Lock()
        self._by_route: dict[str | None, AsyncTransports] = {}

    @asynccontextmanager
    async def borrow(
        self, proxy: str | None, deadline: Deadline
    ) -> AsyncIterator[httpx.AsyncBaseTransport]:
        """Wait for a turn, which takes nothing of the time, and get a transport for one request.

        Raises:
            ValueError: If the environment's proxy or certificate settings cannot be used.
        """
        with deadline.paused():
            await self._turn.acquire()
        try:
            with deadline.paused():
                # One in each round of the loop: were all to begin at once, each one's time would
                # run while the loop works for the others.
                async with self._door:
                    await asyncio.sleep(0)
                    transports = await self._get_transports(proxy)
            transport, is_sound = transports.take(), False
            try:
                yield transport
                is_sound = True
            finally:
                for surplus in transports.give_back(transport, is_sound=is_sound):
                    await surplus.aclose()
        finally:
            self._turn.release()

    async def _get_transports(self, proxy: str | None) -> AsyncTransports:
        route = proxy
        if route not in self._by_route:
            if not get_ssl_context.cache_info().currsize:
                # Certificates and modules are read from files, which must not hold up the loop.
                await asyncio.to_thread(choose_async_transports, proxy)
            self._by_route.setdefault(route, choose_async_transports(proxy))
        return self._by_route[route]

    async def close(self) -> None:
        """Close the connections; those in use, once they are free."""
        abandoned, self._by_route = self._by_route, {}
        for transports in abandoned.values():
            for transport in transports.retire():
                await transport.aclose()

    async def _live(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self.is_over = True
            await self.close()


def find_proxy(url: httpx.URL) -> str | None:
    """Get the proxy that the environment names for a URL's host; None for none."""
    return find_host_proxy(url.scheme, url.host, url.port)


@lru_cache(maxsize=KEPT_ROUTES)
def find_host_proxy(scheme: str, host: str, port: int | None) -> str | None:
    """Read the environment, which takes longer than the rest of a call."""
    if proxy_bypass(host if port is None else f"{host}:{port}"):
        return None
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


@lru_cache(maxsize=1)
def get_ssl_context() -> SSLContext:
    """Read the certificates that servers are known by, once for the process."""
    return httpx.create_ssl_context()


def forget_environment() -> None:
    """Read proxies and certificates anew."""
    find_host_proxy.cache_clear()
    get_ssl_context.cache_clear()


def open_transport(proxy: str | None) -> httpx.BaseTransport:
    """Open a transport for threads."""
    # httpcore takes longer to import than all of this package, and waits for the first call.
    module = import_module("langchain_segmind._http.network")
    transport: httpx.BaseTransport = module.PunctualTransport(
        verify=get_ssl_context(), limits=LIMITS, proxy=proxy
    )
    return transport


def choose_async_transports(proxy: str | None) -> AsyncTransports:
    """Make the transports of an event loop; the first time, files are read."""
    with explaining_environment():
        context = get_ssl_context()
    return PrivateTransports(partial(open_async_transport, context, proxy))


def open_async_transport(context: SSLContext, proxy: str | None) -> httpx.AsyncBaseTransport:
    """Open a transport of httpx for an event loop."""
    return httpx.AsyncHTTPTransport(verify=context, limits=LIMITS, proxy=proxy)


@contextmanager
def explaining_environment() -> Iterator[None]:
    """Say which settings are meant where httpx cannot use them."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - httpx reads the environment, and fails in its ways
        reason = f"{type(error).__name__}; the values are not shown, since they may hold a password"
        if isinstance(error, ImportError):
            reason = str(error)
        raise ValueError(
            "The environment's proxy or certificate settings cannot be used (HTTP_PROXY, "
            f"HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR): {reason}."
        ) from None
