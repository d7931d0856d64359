"""The gateway in a thread of the test's own process."""

import asyncio
import socket
import threading

import httpx
import pytest

from langchain_segmind.gateway import Gateway
from langchain_segmind.gateway.server import _Server

PATIENCE = 5


def test_block_leaves_no_thread_and_no_port(ask):
    """After the block nothing of the gateway is left, however its connections stood."""
    before = threading.enumerate()
    with Gateway() as gateway, socket.create_connection((gateway.host, gateway.port)):
        assert ask(gateway).status_code == 200
        port = gateway.port

    assert threading.enumerate() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_reply_is_sent_without_waiting_for_more():
    """A reply's end does not wait for the client to confirm its beginning."""
    with Gateway() as gateway:
        assert gateway._server._listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_stops_at_once_with_a_request_under_way(client):
    """A request that is being answered is broken off by the stop."""
    entered = threading.Event()

    async def reply(_request):
        entered.set()
        await asyncio.Event().wait()

    gateway = Gateway(replies=reply).start()
    with httpx.Client(trust_env=False) as other:
        caller = threading.Thread(target=_expect_end, args=(other, gateway.base_url))
        caller.start()
        assert entered.wait(PATIENCE)
        gateway.stop()
        caller.join(PATIENCE)

    assert not caller.is_alive()
    assert gateway.ledger.reserved("SG_local") == 0


def _expect_end(client, base_url):
    with pytest.raises(httpx.TransportError):
        client.post(
            f"{base_url}/gpt-4-turbo",
            json={"messages": [{"role": "user", "content": "Hello"}]},
            headers={"x-api-key": "SG_local"},
        )


def test_start_and_stop_may_be_called_by_hand():
    """Without a block, start and stop do the same; to stop twice does no harm."""
    gateway = Gateway()
    assert gateway.port == 0
    assert gateway.start() is gateway
    with pytest.raises(RuntimeError, match="running already"):
        gateway.start()
    gateway.stop()
    gateway.stop()


def test_restarts_on_the_same_port(ask):
    """A stopped gateway can start again, where it was."""
    gateway = Gateway()
    with gateway:
        first = gateway.base_url
    with gateway:
        assert gateway.base_url == first
        assert ask(gateway).status_code == 200


def test_port_in_use_is_an_error(gateway):
    """A port that is taken is told of at the start."""
    with pytest.raises(OSError, match="in use"), Gateway(port=gateway.port):
        pass


def test_failure_to_start_reaches_the_caller():
    """What goes wrong in the thread is raised where start was called."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.close()
    with pytest.raises(RuntimeError, match="could not start"):
        _Server(None, listener, 5).start()


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6 here")
def test_ipv6_addresses_are_bracketed():
    """The URL of an IPv6 address has brackets."""
    assert Gateway(host="::1", port=8080).base_url == "http://[::1]:8080/v1"


def test_requests_are_recorded(gateway, client, ask):
    """A test can read what was sent: verb, path, headers, bytes, JSON and connection."""
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
    with socket.create_connection((gateway.host, gateway.port), timeout=PATIENCE) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        received = iter(lambda: connection.recv(65536), b"")
        assert b"".join(received).startswith(b"HTTP/1.1 404")


def test_client_that_hangs_up_pays_nothing(serve):
    """A run is given up when its client leaves, and its reservation released."""
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
        assert entered.wait(PATIENCE)
        assert gateway.ledger.reserved("SG_local") > 0

    assert left.wait(PATIENCE)
    gateway.stop()
    assert gateway.ledger.reserved("SG_local") == 0
    assert gateway.credits() == 1


def test_client_that_leaves_within_its_request_is_no_request(gateway):
    """Half a request is not recorded."""
    with socket.create_connection((gateway.host, gateway.port)) as connection:
        connection.sendall(
            b"POST /v1/gpt-4-turbo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n"
            b"expect: 100-continue\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
    gateway.stop()
    assert gateway.requests == []


def test_deaf_requests_are_cancelled(caplog):
    """A task that does not end of itself is cancelled after the grace."""
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()

    async def deaf(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    server = _Server(deaf, listener, 5, grace=0.01)
    server.start()
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(1)
        server.stop()
    assert ended.is_set()
    assert "Exception in ASGI application" in caplog.text


async def test_async_tests_may_use_it(serve):
    """The gateway lives in a thread, so that an event loop of the test's own can ask it."""
    gateway = serve()
    async with httpx.AsyncClient(trust_env=False) as client:
        calls = [
            client.get(f"{gateway.base_url}/get-user-credits", headers={"x-api-key": "SG_local"})
            for _ in range(5)
        ]
        replies = await asyncio.gather(*calls)
    assert {reply.status_code for reply in replies} == {200}
