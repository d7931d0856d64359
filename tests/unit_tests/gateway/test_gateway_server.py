"""The gateway in a thread of the test process."""

import asyncio
import errno
import logging
import socket
import threading

import httpx
import pytest

from langchain_segmind.gateway import Gateway
from langchain_segmind.gateway.server import _Server

TIMEOUT_SECONDS = 5


def test_exit_ends_the_thread_and_frees_the_port(ask):
    """After the block no thread and no listener is left, even with open connections."""
    before = threading.enumerate()
    with Gateway() as gateway, socket.create_connection((gateway.host, gateway.port)):
        assert ask(gateway).status_code == 200
        port = gateway.port

    assert threading.enumerate() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_responses_are_sent_without_nagle():
    """The end of a response does not wait for the client's acknowledgement."""
    with Gateway() as gateway:
        assert gateway._server._listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_stop_aborts_a_pending_request():
    """The client gets a transport error at once, and the reservation ends."""
    entered = threading.Event()

    async def reply(_request):
        entered.set()
        await asyncio.Event().wait()

    gateway = Gateway(replies=reply).start()
    with httpx.Client(trust_env=False) as other:
        caller = threading.Thread(target=_expect_end, args=(other, gateway.base_url))
        caller.start()
        assert entered.wait(TIMEOUT_SECONDS)
        gateway.stop()
        caller.join(TIMEOUT_SECONDS)

    assert not caller.is_alive()
    assert gateway.ledger.reserved("SG_local") == 0


def _expect_end(client, base_url):
    with pytest.raises(httpx.TransportError):
        client.post(
            f"{base_url}/gpt-4-turbo",
            json={"messages": [{"role": "user", "content": "Hello"}]},
            headers={"x-api-key": "SG_local"},
        )


def test_start_and_stop_work_without_a_block():
    """A second `start` is an error; a second `stop` does nothing."""
    gateway = Gateway()
    assert gateway.port == 0
    assert gateway.start() is gateway
    with pytest.raises(RuntimeError, match="running already"):
        gateway.start()
    gateway.stop()
    gateway.stop()


def test_restart_keeps_the_port(ask):
    """A stopped gateway can start again at the same URL."""
    gateway = Gateway()
    with gateway:
        first = gateway.base_url
    with gateway:
        assert gateway.base_url == first
        assert ask(gateway).status_code == 200


def test_port_in_use_says_what_to_do(gateway):
    """The error names the port and the way to a free one."""
    text = f"port {gateway.port}: Address already in use. .*port 0 for any free one"
    with pytest.raises(OSError, match=text) as caught, Gateway(port=gateway.port):
        pass
    assert caught.value.errno == errno.EADDRINUSE


def test_failure_in_the_thread_reaches_the_caller():
    """`start` raises what went wrong in the server's thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.close()
    with pytest.raises(RuntimeError, match="could not start"):
        _Server(None, listener, 5).start()


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6 here")
def test_ipv6_addresses_are_bracketed():
    """The URL of an IPv6 address has brackets."""
    assert Gateway(host="::1", port=8080).base_url == "http://[::1]:8080/v1"


def test_requests_are_recorded(gateway, client, ask):
    """Tests can read the method, path, headers, bytes, JSON and connection."""
    ask(gateway, "Hello", headers={"X-Extra": "Yes"}, temperature=0)
    client.post(f"{gateway.base_url}/nowhere", content=b"{")
    with httpx.Client(trust_env=False) as other:
        other.get(f"{gateway.base_url}/get-user-credits")

    first, second, third = gateway.requests
    assert (first.method, first.path, first.slug) == ("POST", "/v1/gpt-4-turbo", "gpt-4-turbo")
    assert first.headers["x-extra"] == "Yes"
    assert first.json == {"messages": [{"role": "user", "content": "Hello"}], "temperature": 0}
    assert first.last_message == "Hello"
    assert b'"Hello"' in first.body
    assert (second.body, second.json, second.messages) == (b"{", None, [])
    assert second.last_message == ""
    assert first.client == second.client != third.client
    assert first.client[0] == "127.0.0.1"


def test_idle_connections_close_after_the_keep_alive(serve):
    """An idle connection ends once `keep_alive` has passed."""
    gateway = serve(keep_alive=0.01)
    with socket.create_connection(
        (gateway.host, gateway.port), timeout=TIMEOUT_SECONDS
    ) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        received = iter(lambda: connection.recv(65536), b"")
        assert b"".join(received).startswith(b"HTTP/1.1 404")


def test_disconnected_client_is_not_charged(serve, caplog):
    """The backend is cancelled when the client disconnects, and the reservation ends."""
    caplog.set_level(logging.INFO, logger="langchain_segmind.gateway")
    entered, left = threading.Event(), threading.Event()

    async def reply(_request):
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    gateway = serve(replies=reply)
    with socket.create_connection((gateway.host, gateway.port)) as connection:
        body = b'{"messages": [{"role": "user", "content": "Hello"}]}'
        connection.sendall(
            b"POST /v1/gpt-4-turbo HTTP/1.1\r\nhost: x\r\nx-api-key: SG_local\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )
        assert entered.wait(TIMEOUT_SECONDS)
        assert gateway.ledger.reserved("SG_local") > 0

    assert left.wait(TIMEOUT_SECONDS)
    gateway.stop()
    assert gateway.ledger.reserved("SG_local") == 0
    assert gateway.credits() == 1
    assert "POST /v1/gpt-4-turbo client disconnected, 0 credits" in caplog.text


def test_incomplete_request_is_not_recorded(gateway):
    """A client that disconnects before the end of its body leaves no record."""
    with socket.create_connection((gateway.host, gateway.port)) as connection:
        connection.sendall(
            b"POST /v1/gpt-4-turbo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n"
            b"expect: 100-continue\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
    gateway.stop()
    assert gateway.requests == []


def test_request_that_ignores_the_disconnect_is_cancelled(caplog):
    """`stop` waits `shutdown_seconds`, then cancels the request."""
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    server = _Server(app, listener, 5, shutdown_seconds=0.01)
    server.start()
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(1)
        server.stop()
    assert ended.is_set()
    assert "Exception in ASGI application" in caplog.text


async def test_event_loop_of_the_test_is_independent(serve):
    """The gateway runs in a thread, so async tests can send it requests."""
    gateway = serve()
    async with httpx.AsyncClient(trust_env=False) as client:
        calls = [
            client.get(f"{gateway.base_url}/get-user-credits", headers={"x-api-key": "SG_local"})
            for _ in range(5)
        ]
        responses = await asyncio.gather(*calls)
    assert {response.status_code for response in responses} == {200}
