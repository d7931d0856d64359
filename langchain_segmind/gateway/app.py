"""The ASGI application: reads requests, sends answers, and notices who hangs up."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar, Unpack

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HTTPRequest
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from langchain_segmind.gateway.options import Options
from langchain_segmind.gateway.request import Request, parse_json
from langchain_segmind.gateway.service import Service
from langchain_segmind.gateway.transport import deliver

T = TypeVar("T")


def create_app(**options: Unpack[Options]) -> Starlette:
    """Build the gateway as an ASGI application.

    Args:
        **options: See `Options`.

    Returns:
        The application; `app.state.service` holds its ledger and recorded requests.

    Raises:
        ValueError: An option is malformed.
    """
    return app_for(Service(**options))


def app_for(service: Service) -> Starlette:
    """Put a service behind ASGI; the end of the application's lifespan closes it."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        service.close()

    app = Starlette(routes=[Route("/{path:path}", _Endpoint(service))], lifespan=lifespan)
    app.state.service = service
    return app


class _Endpoint:
    """All paths and verbs come here: the contract decides what they get."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request = await _read(scope, receive)
        except ClientDisconnect:
            return
        delivery = await _unless_disconnected(receive, self._service.answer(request))
        if delivery is not None:
            await deliver(delivery, scope, receive, send)


async def _read(scope: Scope, receive: Receive) -> Request:
    request = HTTPRequest(scope, receive)
    body = await request.body()
    try:
        parsed = parse_json(body)
    except ValueError:
        parsed = None
    client = (request.client.host, request.client.port) if request.client else None
    return Request(
        method=request.method,
        path=scope["path"],
        headers=dict(request.headers),
        body=body,
        json=parsed,
        client=client,
    )


async def _unless_disconnected(receive: Receive, work: Coroutine[Any, Any, T]) -> T | None:
    """Do the work, but give it up as soon as nobody waits for it any more.

    Once a body has been read, all that can still be received is the disconnect.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
