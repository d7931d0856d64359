"""The gateway on a loopback port, in a thread of this process."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, Self, Unpack

import uvicorn
from starlette.types import ASGIApp

from langchain_segmind.gateway.app import app_for
from langchain_segmind.gateway.backends import Replies
from langchain_segmind.gateway.ledger import Ledger
from langchain_segmind.gateway.options import Options
from langchain_segmind.gateway.request import Request
from langchain_segmind.gateway.service import Service
from langchain_segmind.gateway.transport import TransportProtocol

_GRACE_SECONDS = 2.0
_MAX_PORT = 65_535


class Gateway:
    """A gateway that runs while its `with` block does.

    ```python
    from langchain_segmind import ChatSegmindGPT4Turbo
    from langchain_segmind.gateway import Gateway

    with Gateway(replies=["Hello!"]) as gateway:
        chat = ChatSegmindGPT4Turbo(base_url=gateway.base_url, api_key=gateway.api_key)
        assert chat.invoke("Hi").text == "Hello!"
    ```

    All methods may be called from any thread.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 picks a free one.
        keep_alive: Seconds after which an idle connection is closed.
        **options: See `Options`.

    Raises:
        TypeError: An option is unknown.
        ValueError: An option is malformed.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        keep_alive: float = 5.0,
        **options: Unpack[Options],
    ) -> None:
        if not 0 <= port <= _MAX_PORT:
            raise ValueError(f"port must be a number from 0 to {_MAX_PORT}, not {port}")
        if not host:
            raise ValueError("host is empty, which would listen on every address; name one")
        if unknown := options.keys() - Options.__annotations__.keys():
            known = ", ".join(Options.__annotations__)
            raise TypeError(f"Gateway has no option {min(unknown)!r}; it takes {known}.")
        self._host = host
        self._port = port
        self._keep_alive = keep_alive
        self._service = Service(**options)
        self._server: _Server | None = None

    @property
    def base_url(self) -> str:
        """The URL to give to clients, such as `http://127.0.0.1:43121/v1`.

        Raises:
            RuntimeError: It has no port yet.
        """
        if not self._port:
            raise RuntimeError(
                "The gateway does not run yet; use it as: with Gateway() as gateway: ..."
            )
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}/v1"

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self._host

    @property
    def port(self) -> int:
        """The port it listens on; 0 before the start where none was asked for."""
        return self._port

    @property
    def api_key(self) -> str:
        """The first key that it accepts."""
        return self.ledger.api_keys[0]

    @property
    def requests(self) -> list[Request]:
        """The last 10,000 requests, oldest first: a copy."""
        return list(self._service.requests)

    @property
    def ledger(self) -> Ledger:
        """The balances of all keys."""
        return self._service.ledger

    def credits(self, api_key: str | None = None) -> Decimal:
        """The credits left on a key, by default on the first one."""
        return self.ledger.balance(self.api_key if api_key is None else api_key)

    def script(self, replies: Replies | None) -> None:
        """Answer from another script from now on.

        Args:
            replies: A path, a list of entries or a function; None echoes.

        Raises:
            ValueError: The script is malformed.
        """
        self._service.script(replies)

    def faults(self, *specs: str) -> None:
        """Play these faults from now on; none at all to stop.

        Args:
            specs: See `parse_fault`.

        Raises:
            ValueError: A fault is malformed.
        """
        self._service.faults.set(specs)

    def reset(self) -> None:
        """Go back to how it started: balances, script, faults, rate limits, requests."""
        self._service.reset()

    def start(self) -> Self:
        """Listen; returns once connections are accepted.

        Raises:
            OSError: The address cannot be listened on.
            RuntimeError: It is running already.
        """
        if self._server is not None:
            raise RuntimeError("The gateway is running already")
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._port), family=family)
        # asyncio leaves this out: the socket does not say that it is of TCP (its `proto` is 0).
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._port = listener.getsockname()[1]
        self._server = _Server(app_for(self._service), listener, self._keep_alive)
        self._server.start()
        return self

    def stop(self) -> None:
        """Break off all connections and let go of the port; harmless when not running.

        Waits for a script's plain function, or a local model, that is in the middle of a
        reply: a thread cannot be broken off.
        """
        if self._server is not None:
            self._server.stop()
            self._server = None
        self._service.close()

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()


class _Server(uvicorn.Server):
    """uvicorn in a thread, told by events when to stop; its own polling takes 0.2 s."""

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        keep_alive: float,
        grace: float = _GRACE_SECONDS,
    ) -> None:
        config = uvicorn.Config(
            app,
            http=TransportProtocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            timeout_keep_alive=keep_alive,  # type: ignore[arg-type] # a part of a second works too
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
        )
        super().__init__(config)
        self._listener = listener
        self._grace = grace
        self._error: Exception | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._work, name="segmind-gateway", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise RuntimeError("The gateway could not start") from self._error

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _work(self) -> None:
        try:
            asyncio.run(self.serve(sockets=[self._listener]))
        except Exception as error:  # noqa: BLE001 - the thread that waits shall see it
            self._error = error
        finally:
            self._ready.set()

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._ready.set()
        await self._stopping.wait()

    async def shutdown(self, sockets: Sequence[Any] | None = None) -> None:  # noqa: ARG002
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        # Requests under way notice, and end of themselves; a deaf one is cancelled.
        tasks = set(self.server_state.tasks)
        if tasks:
            _, deaf = await asyncio.wait(tasks, timeout=self._grace)
            for task in deaf:
                task.cancel()
        while self.server_state.connections:  # noqa: ASYNC110 - gone within a turn of the loop
            await asyncio.sleep(0)
