"""The ASGI application: receives requests, sends responses, notices disconnects."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HTTPRequest
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from langchain_segmind.gateway.options import Options
from langchain_segmind.gateway.request import Request, parse_json
from langchain_segmind.gateway.service import Delivery, Service

CONNECTION_KEY = "gateway_connection"
"""Key in the scope's `state` under which the server puts the connection's transport."""

T = TypeVar("T")


def create_app(options: Options | None = None) -> Starlette:
    """Return the gateway as an ASGI application.

    Args:
        options: The options; `host`, `port` and `keep_alive` are up to the server.

    Returns:
        The application. `app.state.service` holds its ledger and recorded requests.

    Raises:
        ValueError: An option is malformed.

    Example:
        ```python
        from langchain_segmind.gateway import Options, create_app

        app = create_app(Options(replies=["Hello!"]))
        ```
    """
    return wrap_service(Service(options or Options()))


def wrap_service(service: Service) -> Starlette:
    """Return an ASGI application; the service closes at the end of its lifespan."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        service.close()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request = await _receive_request(scope, receive)
        except ClientDisconnect:
            return
        delivery = await _run_until_disconnect(receive, service.answer(request))
        if delivery is not None:
            await _deliver(delivery, scope, receive, send)

    app = Starlette(routes=[Mount("", answer)], lifespan=lifespan)
    app.state.service = service
    return app


async def _receive_request(scope: Scope, receive: Receive) -> Request:
    request = HTTPRequest(scope, receive)
    body = await request.body()
    try:
        parsed = parse_json(body)
    except ValueError:
        parsed = None
    client = (request.client.host, request.client.port) if request.client else None
    return Request(request.method, scope["path"], dict(request.headers), body, parsed, client)


async def _run_until_disconnect(receive: Receive, work: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of the work, or None if the client disconnects first."""
    working = asyncio.ensure_future(work)
    # The body has been read, so the next message can only be the disconnect.
    leaving = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _deliver(delivery: Delivery, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a response whole, cut it short, or drop the connection.

    Raises:
        ConnectionResetError: The server gives the application no access to its connection,
            so it cannot be closed from here.
    """
    response, is_whole = delivery.response, delivery.mode == "whole"
    if delivery.mode != "drop":
        headers = {"content-length": str(len(response.body)), **response.headers}
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()],
            }
        )
        body = response.body if is_whole else response.body[: len(response.body) // 2]
        await send({"type": "http.response.body", "body": body, "more_body": not is_whole})
    if is_whole:
        return
    connection: asyncio.Transport | None = scope.get("state", {}).get(CONNECTION_KEY)
    if connection is None:
        raise ConnectionResetError(f"The gateway was asked to {delivery.mode} this response")
    connection.close()
    # If this returned before the server saw the disconnect, the server would send a response.
    await receive()
