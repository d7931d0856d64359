"""The gateway in a thread of the test process."""

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from langchain_segmind.gateway import Gateway, Options, app, server, service
from langchain_segmind.gateway.app import MAX_BODY_BYTES
from langchain_segmind.gateway.server import _Server

TIMEOUT_SECONDS = 5
HEAD = (
    b"%s HTTP/1.1\r\nhost: localhost\r\nx-api-key: SG_local\r\ncontent-type: application/json\r\n"
)
BODY = b'{"messages": [{"role": "user", "content": "Hello"}]}'
CHAT = HEAD % b"POST /v1/gpt-4-turbo" + b"content-length: %d\r\n\r\n%s" % (len(BODY), BODY)


def connect(gateway):
    """Open a connection to a gateway."""
    return socket.create_connection((gateway.host, gateway.port), timeout=TIMEOUT_SECONDS)


class Endless:
    """A script's function that replies only to its cancellation."""

    def __init__(self):
        self.entered, self.left = threading.Event(), threading.Event()

    async def __call__(self, _request):
        """Wait forever."""
        self.entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()


def test_exit_ends_the_thread_and_frees_the_port(ask):
    """After the block no thread and no listener is left, even with open connections."""
    before = threading.enumerate()
    with Gateway() as gateway, connect(gateway):
        assert ask(gateway).status_code == 200

    assert threading.enumerate() == before
    with pytest.raises(ConnectionRefusedError):
        connect(gateway)


def test_responses_are_sent_without_nagle(monkeypatch, serve):
    """The end of a response does not wait for the client's acknowledgement."""
    listeners, create_server = [], socket.create_server
    monkeypatch.setattr(
        socket,
        "create_server",
        lambda *a, **k: listeners.append(create_server(*a, **k)) or listeners[0],
    )
    serve()
    assert listeners[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_stop_aborts_a_pending_request():
    """The client gets no response, and the reservation ends."""
    reply = Endless()
    gateway = Gateway(replies=reply).start()
    with connect(gateway) as connection:
        connection.sendall(CHAT)
        assert reply.entered.wait(TIMEOUT_SECONDS)
        gateway.stop()
        assert connection.recv(1) == b""

    assert reply.left.is_set()
    assert gateway.ledger.reserved("SG_local") == 0


def test_start_and_stop_work_without_a_block(ask):
    """A second `start` is an error, a second `stop` does nothing, and a restart keeps the URL."""
    gateway = Gateway()
    with pytest.raises(RuntimeError, match="with Gateway"):
        _ = gateway.base_url
    assert gateway.port == 0
    assert gateway.start() is gateway
    url = gateway.base_url
    with pytest.raises(RuntimeError, match="running already"):
        gateway.start()
    gateway.stop()
    gateway.stop()
    with gateway:
        assert gateway.base_url == url
        assert ask(gateway).status_code == 200


def test_port_in_use_says_what_to_do(gateway):
    """The error names the port and the way to a free one."""
    text = f"port {gateway.port}: Address already in use. .*port 0 for any free one"
    with pytest.raises(OSError, match=text) as caught, Gateway(port=gateway.port):
        pass
    assert caught.value.errno == errno.EADDRINUSE


def test_failure_in_the_thread_reaches_the_caller():
    """What goes wrong in the server's thread is raised where it was started."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        _Server(None, listener, 5)


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6 here")
def test_ipv6_addresses_are_bracketed():
    """The URL of an IPv6 address has brackets."""
    assert Gateway(host="::1", port=8080).base_url == "http://[::1]:8080/v1"


def test_requests_are_recorded(gateway, client, ask):
    """Tests can read the method, path, headers, bytes, JSON and connection."""
    client.headers["X-Extra"] = "Yes"
    ask(gateway, "Hello", temperature=0)
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
    with connect(serve(keep_alive=0.01)) as connection:
        connection.sendall(HEAD % b"GET /" + b"\r\n")
        received = iter(lambda: connection.recv(65536), b"")
        assert b"".join(received).startswith(b"HTTP/1.1 404")


def test_disconnected_client_is_not_charged(serve, caplog):
    """The backend is cancelled when the client disconnects, and the reservation ends."""
    caplog.set_level(logging.INFO, logger="langchain_segmind.gateway")
    reply = Endless()
    gateway = serve(replies=reply)
    with connect(gateway) as connection:
        connection.sendall(CHAT)
        assert reply.entered.wait(TIMEOUT_SECONDS)
        assert gateway.ledger.reserved("SG_local") > 0

    assert reply.left.wait(TIMEOUT_SECONDS)
    gateway.stop()
    assert gateway.ledger.reserved("SG_local") == 0
    assert gateway.credits() == 1
    assert "POST /v1/gpt-4-turbo client disconnected, 0 credits" in caplog.text


def test_incomplete_request_is_not_recorded(gateway):
    """A client that disconnects before the end of its body leaves no record."""
    with connect(gateway) as connection:
        head = HEAD % b"POST /v1/gpt-4-turbo"
        connection.sendall(head + b"content-length: 9\r\nexpect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
    gateway.stop()
    assert gateway.requests == []


def test_request_that_ignores_the_disconnect_is_cancelled(monkeypatch, caplog):
    """`stop` waits a little, then cancels the request."""
    monkeypatch.setattr(server, "_SHUTDOWN_SECONDS", 0.01)
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

    running = _Server(app, listener, 5)
    with socket.create_connection(address) as connection:
        connection.sendall(HEAD % b"GET /" + b"\r\n")
        assert connection.recv(1)
        running.stop()
    assert ended.is_set()
    assert "Exception in ASGI application" in caplog.text


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]:80", "10.0.0.1"]
)
def test_a_request_for_a_local_name_is_answered(host) -> None:
    """Or for any IP address: a web page cannot have one as its name."""
    with Gateway() as gateway:
        reply = httpx.get(
            f"{gateway.base_url}/get-user-credits",
            headers={"host": host, "x-api-key": gateway.api_key},
        )
        assert reply.status_code == 200


@pytest.mark.parametrize(
    "host", ["page.example", "localhost.page.example", "x@127.0.0.1.test", "["]
)
def test_a_request_for_another_name_is_refused(host) -> None:
    """A web page can let its own name point to this machine."""
    with Gateway() as gateway:
        reply = httpx.get(
            f"{gateway.base_url}/get-user-credits",
            headers={"host": host, "x-api-key": gateway.api_key},
        )
        assert (reply.status_code, reply.json()) == (403, {"error": "Forbidden host"})


@pytest.mark.parametrize("host", ["::", "192.168.1.2", "my-machine"])
def test_another_host_than_this_machine_needs_a_key_of_its_own(host) -> None:
    """Others would know the default one."""
    with pytest.raises(ValueError, match="pass api_key"):
        Options(host=host)
    Options(host=host, api_key="SG_mine")


def test_a_port_is_a_number_of_two_bytes() -> None:
    """Another one cannot be listened on."""
    for port in (0, 65_535):
        Options(port=port)
    for port in (-1, 65_536):
        with pytest.raises(ValueError, match=f"from 0 to 65535, not {port}"):
            Options(port=port)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_needs_no_key_of_its_own(host) -> None:
    """Nobody else reaches it."""
    Options(host=host)


def stream(count: int) -> Iterator[bytes]:
    """Yield as many mebibytes."""
    yield from [b" " * 1024 * 1024] * count


def test_a_body_that_is_too_long_is_refused() -> None:
    """With 413, whether it states its length or not; the connection closes."""
    with Gateway() as gateway:
        for content in (b" " * (MAX_BODY_BYTES + 1), stream(17)):
            reply = httpx.post(
                f"{gateway.base_url}/gpt-4o",
                content=content,
                headers={"x-api-key": gateway.api_key, "content-type": "application/json"},
            )
            assert (reply.status_code, reply.headers["connection"]) == (413, "close")
            assert gateway.requests[-1].body == b""


def test_the_body_of_a_request_without_a_key_is_not_kept() -> None:
    """The key is checked first."""
    with Gateway() as gateway:
        reply = httpx.post(f"{gateway.base_url}/gpt-4o", content=b"x" * 1000)
        assert reply.status_code == 401
        assert gateway.requests[-1].body == b""


def test_the_oldest_requests_are_dropped_beyond_a_limit_of_bytes(monkeypatch) -> None:
    """As beyond a limit of their number."""
    monkeypatch.setattr(service, "MAX_RECORDED_BYTES", 250)
    with Gateway() as gateway:
        chat = partial(
            httpx.post, f"{gateway.base_url}/gpt-4o", headers={"x-api-key": gateway.api_key}
        )
        for number in range(5):
            chat(content=str(number) * 100)
        assert [request.body[:1] for request in gateway.requests] == [b"3", b"4"]
        monkeypatch.setattr(service, "MAX_RECORDED_REQUESTS", 1)
        chat(content="x")
        assert [request.body for request in gateway.requests] == [b"x"]


@pytest.mark.parametrize("sent", [b"", b"POST /v1/gpt-4o HT"])
@pytest.mark.parametrize("before", [b"", CHAT])
def test_a_connection_without_a_whole_head_ends(monkeypatch, before, sent) -> None:
    """After a while, also behind a request that was answered."""
    monkeypatch.setattr(server, "MAX_HEAD_SECONDS", 0.2)
    with (
        Gateway(keep_alive=0.2) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port)) as client,
    ):
        client.settimeout(TIMEOUT_SECONDS)
        client.sendall(before)
        if before:
            assert client.recv(65_536).startswith(b"HTTP/1.1 200")
        client.sendall(sent)
        while client.recv(65_536):
            pass


def test_a_connection_without_a_whole_body_ends(monkeypatch) -> None:
    """After a while."""
    monkeypatch.setattr(app, "MAX_BODY_SECONDS", 0.2)
    with Gateway() as gateway, socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.settimeout(TIMEOUT_SECONDS)
        client.sendall(CHAT[:-1])
        while client.recv(65_536):
            pass


def test_the_credentials_of_an_upstream_are_never_shown() -> None:
    """Also if its URL lacks a scheme."""
    with pytest.raises(ValueError, match="cannot contain credentials") as caught:
        Gateway(upstream="user:fake-password@host/v1")
    assert "fake-password" not in str(caught.value)
