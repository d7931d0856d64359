"""Sending an answer whole, cut short or not at all."""

import asyncio

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind.gateway.service import Delivery

_STATE_KEY = "gateway_transport"


class TransportProtocol(H11Protocol):
    """uvicorn's HTTP protocol, which lets the application reach its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the connection where the scope of every request on it shows it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _STATE_KEY: transport}


async def deliver(delivery: Delivery, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer.

    Args:
        delivery: The answer and how to send it.
        scope: The request's scope.
        receive: The request's receiver.
        send: Where the answer goes.

    Raises:
        ConnectionResetError: The connection was to break off, but the server is not one
            that lets the application break it.
    """
    if delivery.manner == "whole":
        await _send(send, delivery.reply, delivery.reply.body, more=False)
        return
    if delivery.manner == "cut":
        body = delivery.reply.body
        await _send(send, delivery.reply, body[: len(body) // 2], more=True)
    transport: asyncio.Transport | None = scope.get("state", {}).get(_STATE_KEY)
    if transport is None:
        raise ConnectionResetError(f"The gateway was asked to {delivery.manner} this answer")
    transport.close()
    # To return before the server has seen the end would make it answer for us.
    await receive()


async def _send(send: Send, reply: APIResponse, body: bytes, *, more: bool) -> None:
    headers = {"content-length": str(len(reply.body)), **reply.headers}
    await send(
        {
            "type": "http.response.start",
            "status": reply.status_code,
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": more})
