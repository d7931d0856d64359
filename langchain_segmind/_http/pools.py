"""Connections: one set for the process's threads, one for each event loop.

Connections outlive models and are shared by all of them. They are httpx's transports, used without
its clients, whose cookies, redirects and authentication a call must not have.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import lru_cache, partial
from importlib import import_module
from math import inf
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from time import monotonic
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import httpx

from langchain_segmind._http.addresses import LookUps, run_in_own_thread
from langchain_segmind._http.deadline import Deadline, get_running_loop
from langchain_segmind._http.environment import Route, clear_environment_caches, get_ssl_context

if TYPE_CHECKING:
    from langchain_segmind._http.network import DeadlineTransport

Outcome = Literal["completed", "failed", "timed out"]
"""What became of a request."""

TIMEOUTS = (httpx.TimeoutException, TimeoutError)

Transport = TypeVar("Transport", bound=httpx.BaseTransport | httpx.AsyncBaseTransport)

MAX_REQUESTS_IN_FLIGHT = 512
"""Requests of one event loop that are in flight at once; further ones wait."""

KEEP_ALIVE_SECONDS = 15.0
"""An idle connection is not used again after this time."""


class PerRequestPool(Generic[Transport]):
    """A last-in, first-out pool of transports that serve one request at a time.

    httpcore scans all connections of a pool for each request, so that a large pool gets slower
    with each connection. Threads can share a pool: each step on the deque is atomic, and one that
    finds it empty opens a transport.

    Args:
        open_transport: Opens a transport.
    """

    def __init__(self, open_transport: Callable[[], Transport]) -> None:
        self._open_transport = open_transport
        self._idle: deque[tuple[float, Transport]] = deque()
        self._is_closed = False

    def acquire(self) -> Transport:
        """Return a transport for a request."""
        try:
            return self._idle.pop()[1]
        except IndexError:
            return self._open_transport()

    def release(
        self, transport: Transport, *, acquired_at: float, outcome: Outcome
    ) -> list[Transport]:
        """Store a transport for the next request; return those that must be closed now.

        Args:
            transport: The transport.
            acquired_at: When it was acquired, in seconds of `time.monotonic`.
            outcome: What became of its request. httpcore loses track of some connections of
                cancelled requests (https://github.com/encode/httpcore/issues/1093); closing their
                transport closes them too.
        """
        if outcome == "timed out":
            # A router can forget all idle connections without a word.
            return [transport, *self._remove_idle(acquired_at)]
        if outcome == "failed" or has_unread_bytes(transport):
            return [transport]
        now = monotonic()
        self._idle.append((now, transport))
        return self._remove_idle(inf if self._is_closed else now - KEEP_ALIVE_SECONDS)

    def close(self) -> list[Transport]:
        """Keep no transport from now on; return those that must be closed now."""
        self._is_closed = True
        return self._remove_idle(inf)

    def _remove_idle(self, unused_since: float) -> list[Transport]:
        removed = []
        with suppress(IndexError):
            while (longest_idle := self._idle.popleft())[0] < unused_since:
                removed.append(longest_idle[1])
            self._idle.appendleft(longest_idle)
        return removed


class SyncPools:
    """The connections of the process's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_route: dict[Route, PerRequestPool[DeadlineTransport]] = {}

    @contextmanager
    def borrow(self, route: Route) -> "Iterator[DeadlineTransport]":
        """Yield a transport for one request.

        Raises:
            ValueError: The environment's proxy or certificate settings cannot be used.
        """
        with self._lock:
            pool = self._by_route.get(route)
            if pool is None:
                # Within the lock, so that many first calls at once read the certificates once.
                options = get_transport_options(route)
                pool = self._by_route[route] = PerRequestPool(partial(open_transport, options))
        start = monotonic()
        outcome: Outcome = "failed"
        transport = pool.acquire()
        try:
            yield transport
            outcome = "completed"
        except TIMEOUTS:
            outcome = "timed out"
            raise
        finally:
            for discarded in pool.release(transport, acquired_at=start, outcome=outcome):
                discarded.close()

    def close(self) -> None:
        """Close the connections; those in use, once they are free."""
        with self._lock:
            pools, self._by_route = self._by_route, {}
        for pool in pools.values():
            for transport in pool.close():
                transport.close()
        clear_environment_caches()

    def reset_after_fork(self) -> None:
        """Leave all connections to the process that this one was forked from."""
        self._lock = threading.Lock()  # a thread of that process may have held it
        self._by_route = {}


class AsyncPools:
    """The connections of the event loops: a connection works in its own loop only."""

    def __init__(self) -> None:
        self._by_loop: dict[asyncio.AbstractEventLoop, LoopPools] = {}

    async def get(self) -> "LoopPools":
        """Return the running event loop's connections, which are closed when it shuts down."""
        loop = get_running_loop()
        pools = self._by_loop.get(loop)
        if pools is None:
            pools = LoopPools(partial(self._by_loop.pop, loop, None))
            self._by_loop[loop] = pools
            await anext(pools.closer)  # registers the generator with the loop
            for other in list(self._by_loop):  # loops that were closed without a shutdown
                if other.is_closed():
                    self._by_loop.pop(other, None)
        return pools

    async def close(self) -> None:
        """Close the running event loop's connections; those in use, once they are free."""
        pools = self._by_loop.get(get_running_loop())
        if pools is not None:
            await pools.close()

    def reset_after_fork(self) -> None:
        """Leave all connections to the process that this one was forked from."""
        self._by_loop = {}


class LoopPools:
    """The connections of one event loop.

    Args:
        on_shutdown: Called when the event loop shuts down.

    Attributes:
        closer: A generator whose end closes the connections. Event loops end their asynchronous
            generators before they close
            (https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.shutdown_asyncgens):
            the last chance to close a connection without a warning.
    """

    def __init__(self, on_shutdown: Callable[[], object]) -> None:
        self.closer = self._close_at_shutdown()
        self._on_shutdown = on_shutdown
        self._slots = asyncio.Semaphore(MAX_REQUESTS_IN_FLIGHT)
        self._look_ups = LookUps()
        self._by_route: dict[Route, PerRequestPool[httpx.AsyncBaseTransport]] = {}

    @asynccontextmanager
    async def borrow(
        self, route: Route, deadline: Deadline
    ) -> AsyncIterator[httpx.AsyncBaseTransport]:
        """Yield a transport for one request. The deadline excludes waiting for a slot.

        Raises:
            TimeoutError: Reading the certificates took longer than the call may.
            ValueError: The environment's proxy or certificate settings cannot be used.
        """
        with deadline.paused():
            await self._slots.acquire()
        try:
            pool = self._by_route.get(route) or await self._open_pool(route, deadline)
            start = monotonic()
            outcome: Outcome = "failed"
            transport = pool.acquire()
            try:
                yield transport
                outcome = "completed"
            except TIMEOUTS:
                outcome = "timed out"
                raise
            finally:
                for discarded in pool.release(transport, acquired_at=start, outcome=outcome):
                    await discarded.aclose()
        finally:
            self._slots.release()

    async def _open_pool(
        self, route: Route, deadline: Deadline
    ) -> PerRequestPool[httpx.AsyncBaseTransport]:
        if not is_preloaded(route):
            async with asyncio.timeout(deadline.remaining if deadline.is_set else None):
                await run_in_own_thread(partial(preload, route))
        options = get_transport_options(route)
        pool = PerRequestPool(partial(open_async_transport, options, self._look_ups))
        return self._by_route.setdefault(route, pool)

    async def close(self) -> None:
        """Close the connections; those in use, once they are free."""
        pools, self._by_route = self._by_route, {}
        for pool in pools.values():
            for transport in pool.close():
                await transport.aclose()

    async def _close_at_shutdown(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self._on_shutdown()
            await self.close()


def is_preloaded(route: Route) -> bool:
    """Whether a transport can be opened without reading files, which would block a loop."""
    has_context = not route.is_encrypted or get_ssl_context.cache_info().currsize
    return bool(load_async_network.cache_info().currsize and has_context)


def preload(route: Route) -> None:
    """Read the modules and certificates that a transport needs."""
    load_async_network()
    if route.is_encrypted:
        get_ssl_context()


@lru_cache(maxsize=1)
def load_async_network() -> ModuleType:
    """Return the module of transports for event loops.

    The cache knows when it is loaded: `sys.modules` has it while another thread still imports it,
    and an event loop would wait for that thread.
    """
    return import_module("langchain_segmind._http.async_network")


@lru_cache(maxsize=1)
def get_empty_ssl_context() -> SSLContext:
    """Return a context for plain HTTP. It has no certificates, so it trusts nobody."""
    return SSLContext(PROTOCOL_TLS_CLIENT)


def _get_proxy_context(route: Route) -> SSLContext | None:
    is_https = route.proxy is not None and route.proxy.startswith("https:")
    return get_ssl_context() if is_https else None


def get_transport_options(route: Route) -> dict[str, Any]:
    """Return the options of a route's transports."""
    return {
        "verify": get_ssl_context() if route.is_encrypted else get_empty_ssl_context(),
        "proxy": route.proxy and httpx.Proxy(route.proxy, ssl_context=_get_proxy_context(route)),
        "limits": httpx.Limits(keepalive_expiry=KEEP_ALIVE_SECONDS),
    }


def open_transport(options: dict[str, Any]) -> "DeadlineTransport":
    """Open a transport for a thread."""
    # httpcore takes longer to import than all of this package: it waits for the first call.
    module = import_module("langchain_segmind._http.network")
    transport: DeadlineTransport = module.DeadlineTransport(**options)
    return transport


def open_async_transport(options: dict[str, Any], look_ups: LookUps) -> httpx.AsyncBaseTransport:
    """Open a transport for an event loop."""
    transport: httpx.AsyncBaseTransport = load_async_network().LoopTransport(look_ups, **options)
    return transport


def has_unread_bytes(transport: httpx.BaseTransport | httpx.AsyncBaseTransport) -> bool:
    """Whether something follows a reply: the next request would take it for its own reply.

    What httpcore's parser has not read is private.
    """
    pool = getattr(transport, "_pool", None)
    for connection in getattr(pool, "connections", ()):
        inner = connection
        while inner is not None and not hasattr(inner, "_h11_state"):
            inner = getattr(inner, "_connection", None)
        if inner is not None and inner._h11_state.trailing_data[0]:  # noqa: SLF001 - see above
            return True
    return False
