"""The ASGI application: receives requests, sends responses, notices disconnects."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HTTPRequest
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from langchain_segmind.gateway.contract import RefusedError, check_head
from langchain_segmind.gateway.options import Options
from langchain_segmind.gateway.request import Request, parse_json
from langchain_segmind.gateway.service import Delivery, Service

CONNECTION_KEY = "gateway_connection"
"""Key in the scope's `state` under which the server puts the connection's transport."""

MAX_BODY_BYTES = 16 * 1024 * 1024

MAX_BODY_SECONDS = 60.0
"""How long a body may take to arrive."""

MAX_DISCARDED_BYTES = 1024 * 1024
"""What is read, but not kept, of the body of a request that is refused by its head."""

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


def wrap_service(service: Service, host: str | None = None) -> Starlette:
    """Return an ASGI application; the service closes at the end of its lifespan.

    Args:
        service: What answers.
        host: The name that requests must be for, unless they are for an IP address or localhost;
            None for any. A web page can point its own name to this machine.
    """

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await service.queue.stop()
        service.close()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        http_request = HTTPRequest(scope, receive)
        head = _read_head(http_request)
        refusal = check_head(head, service.ledger.api_keys, host)
        try:
            async with asyncio.timeout(MAX_BODY_SECONDS):
                body, is_whole = await _read_body(http_request, discard=refusal is not None)
        except (ClientDisconnect, TimeoutError):
            return
        refusal = refusal or (None if is_whole else RefusedError(413, "Request body too large"))
        request = replace(head, body=body, json=_parse_or_none(body))
        answering = service.answer(request, refusal)
        if is_whole:
            delivery = await _run_until_disconnect(receive, answering)
        else:
            delivery = _close_afterwards(await answering)
        if delivery is not None:
            await _deliver(delivery, scope, receive, send)

    app = Starlette(routes=[Mount("", answer)], lifespan=lifespan)
    app.state.service = service
    return app


def _read_head(request: HTTPRequest) -> Request:
    client = (request.client.host, request.client.port) if request.client else None
    headers = dict(request.headers)
    origin = f"{request.scope['scheme']}://{headers.get('host', '')}"
    return Request(request.method, request.scope["path"], headers, client=client, origin=origin)


async def _read_body(request: HTTPRequest, *, discard: bool) -> tuple[bytes, bool]:
    """Return a body, and whether it was read to its end."""
    chunks, size, limit = [], 0, MAX_DISCARDED_BYTES if discard else MAX_BODY_BYTES
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            return b"", False
        if not discard:
            chunks.append(chunk)
    return b"".join(chunks), True


def _parse_or_none(body: bytes) -> Any:
    try:
        return parse_json(body)
    except ValueError:
        return None


def _close_afterwards(delivery: Delivery) -> Delivery:
    """Return a delivery after which the connection closes: the rest of the request is unread."""
    response = delivery.response
    headers = {**response.headers, "connection": "close"}
    return replace(delivery, response=replace(response, headers=headers))


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
