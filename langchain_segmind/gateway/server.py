"""The gateway on a local port, in a thread of this process."""

import asyncio
import socket
from concurrent.futures import Future
from decimal import Decimal
from functools import partial
from inspect import signature
from threading import Thread
from typing import Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from langchain_segmind.gateway.app import CONNECTION_KEY, wrap_service
from langchain_segmind.gateway.backends.scripted import Replies
from langchain_segmind.gateway.options import Options, accept_options
from langchain_segmind.gateway.request import Request
from langchain_segmind.gateway.service import Service

_SHUTDOWN_SECONDS = 2.0

MAX_HEAD_SECONDS = 30.0
"""How long the head of a request may take to arrive."""


class Gateway:
    """A gateway that runs inside a `with` block. Its methods are thread-safe.

    Args:
        options: The fields of `Options`, as keyword arguments.

    Attributes:
        host: The address it listens on.
        port: The port it listens on; 0 until the start if none was chosen.
        ledger: The balances of all keys.

    Raises:
        TypeError: An option is unknown.
        ValueError: An option is malformed.

    Example:
        ```python
        from langchain_segmind import ChatSegmind
        from langchain_segmind.gateway import Gateway

        with Gateway(replies=["Hello!"]) as gateway:
            chat = ChatSegmind(
                model="gpt-5.4-mini", base_url=gateway.base_url, api_key=gateway.api_key
            )
            assert chat.invoke("Hi").text == "Hello!"
        ```
    """

    __signature__ = signature(Options)

    @accept_options(Options)
    def __init__(self, options: Options) -> None:
        self.host = options.host
        self.port = options.port
        self._keep_alive = options.keep_alive
        self._service = Service(options)
        self.ledger = self._service.ledger
        self._server: _Server | None = None

    @property
    def base_url(self) -> str:
        """The base URL for clients, for example `http://127.0.0.1:43121/v1`.

        Raises:
            RuntimeError: No port was chosen and the gateway has not started.
        """
        if not self.port:
            text = "The gateway is not running; use it as: with Gateway() as gateway: ..."
            raise RuntimeError(text)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/v1"

    @property
    def api_key(self) -> str:
        """The first key that it accepts."""
        return self.ledger.api_keys[0]

    @property
    def requests(self) -> list[Request]:
        """The last 10,000 requests but polls, oldest first (a copy)."""
        return list(self._service.requests)

    @property
    def polls(self) -> list[Request]:
        """The last 10,000 polls of the queue, oldest first and without bodies (a copy)."""
        return list(self._service.polls)

    def credits(self, api_key: str | None = None) -> Decimal:
        """Return the remaining credits of a key; defaults to the first key."""
        return self.ledger.balance(self.api_key if api_key is None else api_key)

    def script(self, replies: Replies | None) -> None:
        """Answer from another script from now on.

        Args:
            replies: A path, a list of entries or a function; None echoes the last message.

        Raises:
            ValueError: The script is malformed.
        """
        self._service.script(replies)

    def faults(self, *specs: str) -> None:
        """Inject these faults from now on; without arguments, stop.

        Args:
            specs: Faults as in the option `fault`, for example `503,503,ok`, `drop@0.1` or
                `poll:503`.

        Raises:
            ValueError: A fault is malformed.
        """
        self._service.faults.set(specs)

    def reset(self) -> None:
        """Restore the initial balances, script, faults and limits; forget requests and jobs."""
        self._service.reset()

    def start(self) -> Self:
        """Start the server; it accepts connections when this returns.

        Raises:
            OSError: The address or port is not available.
            RuntimeError: The gateway is already running.
        """
        if self._server is not None:
            raise RuntimeError("The gateway is running already")
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            listener = socket.create_server((self.host, self.port), family=family)
        except OSError as error:
            # create_server appends "(while attempting to bind on address ...)".
            reason = str(error.strerror).partition(" (")[0]
            raise OSError(
                error.errno,
                f"Cannot listen on {self.host}, port {self.port}: {reason}. "
                "Choose another port, or port 0 for any free one.",
            ) from error
        # asyncio sets this only on sockets whose `proto` names TCP; here it is 0.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = listener.getsockname()[1]
        self._server = _Server(wrap_service(self._service, self.host), listener, self._keep_alive)
        return self

    def stop(self) -> None:
        """Close all connections and the port; does nothing if the gateway is not running.

        Waits for a script's synchronous function or a local model that is still computing
        a reply, because a thread cannot be interrupted.
        """
        if self._server is not None:
            self._server.stop()
            self._server = None
        self._service.close()

    def __enter__(self) -> Self:
        """Start the server."""
        return self.start()

    def __exit__(self, *_error: object) -> None:
        """Stop the server."""
        self.stop()


class _Protocol(H11Protocol):
    """uvicorn's HTTP protocol, with the connection in the scope of every request.

    It closes a connection on which a request's head does not arrive in time.
    """

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override] # it is a transport of TCP
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self.app_state = {CONNECTION_KEY: transport}
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_head_complete = self.cycle is not None and not self.cycle.response_complete
        if not is_head_complete and self._head_timer is None:
            self._await_head()
        elif is_head_complete:
            self._end_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head_timer()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(MAX_HEAD_SECONDS, self.transport.close)

    def _end_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Server:
    """Serves an application in a thread. uvicorn's own server polls, so it stops slowly."""

    def __init__(self, app: ASGIApp, listener: socket.socket, keep_alive: float) -> None:
        self._config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            timeout_keep_alive=keep_alive,  # type: ignore[arg-type] # fractions of a second work
            log_config=None,
            access_log=False,
        )
        self._started: Future[None] = Future()
        self._thread = Thread(
            target=self._run, args=[listener], name="segmind-gateway", daemon=True
        )
        self._thread.start()
        self._started.result()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self, listener: socket.socket) -> None:
        try:
            with listener:
                asyncio.run(self._serve(listener))
        except Exception as error:  # noqa: BLE001 - raised again by the constructor
            self._started.set_exception(error)

    async def _serve(self, listener: socket.socket) -> None:
        state = ServerState()
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        create_protocol = partial(_Protocol, self._config, state, {})
        server = await self._loop.create_server(
            create_protocol, sock=listener, backlog=self._config.backlog
        )
        self._started.set_result(None)
        await self._stopping.wait()
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        # Pending requests notice the disconnect and end; asyncio.run cancels those that do not.
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=_SHUTDOWN_SECONDS)
        while state.connections:  # noqa: ASYNC110 - gone in the loop's next turn
            await asyncio.sleep(0)
