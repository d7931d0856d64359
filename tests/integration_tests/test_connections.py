"""Connections are opened when needed, closed when asked, and go where the environment says."""

import asyncio
import gc
import shutil
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from langchain_segmind import SegmindConnectionError
from langchain_segmind._http.pools import PerRequestPool
from tests.support.servers import EchoServer

# --- Closing ---


@pytest.mark.usefixtures("nothing_left")
async def test_closing_can_be_repeated_and_is_no_end(create_model, echo_server) -> None:
    """Each way to close closes all connections, and the next call opens new ones."""
    model = create_model(base_url=echo_server.base_url)
    model.close()
    await model.aclose()
    for _ in range(2):
        with model as same:
            assert same is model
            assert model.invoke("hi").text == "hi"
        assert await echo_server.await_until(lambda server: not server.connections)
        model.close()
        async with model as same:
            assert same is model
            assert (await model.ainvoke("hi")).text == "hi"
        assert await echo_server.await_until(lambda server: not server.connections)
        await model.aclose()
    assert echo_server.opened == 4


@pytest.mark.usefixtures("nothing_left")
def test_closing_loses_no_call_of_other_threads(create_model, echo_server) -> None:
    """What is in use is closed once it is free."""
    model = create_model(base_url=echo_server.base_url, max_retries=0)
    texts = [f"{thread}, {call}" for thread in range(8) for call in range(25)]
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(model.invoke, text) for text in texts]
        while not all(call.done() for call in calls):
            model.close()
        assert [call.result().text for call in calls] == texts
    model.close()
    assert Counter(arrival.text for arrival in echo_server.arrivals) == Counter(texts)
    assert echo_server.wait_until(lambda server: not server.connections)


@pytest.mark.usefixtures("nothing_left")
async def test_closing_loses_no_other_call_of_a_loop(create_model, echo_server) -> None:
    """What is in use is closed once it is free."""
    model = create_model(base_url=echo_server.base_url, max_retries=0)
    texts = [str(number) for number in range(200)]
    calls = asyncio.gather(*(model.ainvoke(text) for text in texts))
    for number in range(1, 200, 20):
        await echo_server.await_until(lambda server, least=number: len(server.arrivals) >= least)
        await model.aclose()
    assert [reply.text for reply in await calls] == texts
    await model.aclose()
    assert await echo_server.await_until(lambda server: not server.connections)


@pytest.mark.usefixtures("nothing_left")
def test_a_call_that_begins_as_all_is_closed_closes_its_own(
    create_model, echo_server, monkeypatch
) -> None:
    """Another thread closes all connections just before the call would open one."""
    model = create_model(base_url=echo_server.base_url, max_retries=0)
    model.close()
    take = PerRequestPool.acquire

    def close_and_take(transports: PerRequestPool) -> Any:
        monkeypatch.setattr(PerRequestPool, "acquire", take)
        thread = threading.Thread(target=model.close)
        thread.start()
        thread.join()
        return take(transports)

    monkeypatch.setattr(PerRequestPool, "acquire", close_and_take)
    assert model.invoke("hi").text == "hi"
    assert echo_server.wait_until(lambda server: not server.connections)


# --- The user's own clients ---


@pytest.mark.usefixtures("nothing_left")
async def test_the_users_clients_are_used_and_never_closed(create_model, gateway) -> None:
    """By no way to close, nor when the model is dropped."""
    with httpx.Client(headers={"x-mine": "fake-sync"}) as client:
        async with httpx.AsyncClient(headers={"x-mine": "fake-async"}) as async_client:
            for _ in range(3):
                model = create_model(http_client=client, http_async_client=async_client)
                with model:
                    model.invoke("hi")
                async with model:
                    await model.ainvoke("hi")
                model.close()
                await model.aclose()
                del model
                gc.collect()
            assert not client.is_closed
            assert not async_client.is_closed
    assert [r.headers["x-mine"] for r in gateway.requests] == ["fake-sync", "fake-async"] * 3
    assert len({request.client for request in gateway.requests}) == 2


# --- Proxies ---


@pytest.fixture
def fresh_environment(create_model) -> Iterator[pytest.MonkeyPatch]:
    """Let a test set what is read from the environment, which is kept until connections close."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        create_model().close()
        yield patch
    create_model().close()


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_is_asked_as_the_environment_says(
    create_model, echo_server, fresh_environment, name
) -> None:
    """For a host that only the proxy knows."""
    fresh_environment.setenv(name, echo_server.base_url.removesuffix("/v1"))
    model = create_model(base_url="http://models.invalid/v1")
    assert model.invoke("sync").text == "sync"
    assert (await model.ainvoke("async")).text == "async"
    targets = [arrival.target for arrival in echo_server.arrivals]
    assert targets == ["http://models.invalid/v1/gpt-4-turbo"] * 2
    model.close()
    await model.aclose()


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("hosts", ["127.0.0.1", "example.com,127.0.0.1", "*"])
async def test_no_proxy_is_asked_for_hosts_that_need_none(
    create_model, gateway, echo_server, fresh_environment, hosts
) -> None:
    """`NO_PROXY` names them."""
    fresh_environment.setenv("HTTP_PROXY", echo_server.base_url.removesuffix("/v1"))
    fresh_environment.setenv("NO_PROXY", hosts)
    model = create_model()
    model.invoke("sync")
    await model.ainvoke("async")
    assert len(gateway.requests) == 2
    assert echo_server.arrivals == []


# --- Certificates ---

CA = """
[req]
distinguished_name = name
prompt = no
[name]
CN = fake-authority
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an authority (`ca.pem`) and a certificate of it for 127.0.0.1 (`server.pem`)."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "config").write_text(CA)
    new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -config config"
    by_authority = "-CA ca.pem -CAkey ca.key -CAcreateserial -extfile config -extensions server"
    for command in (
        f"req -x509 {new_key} -extensions authority -days 2 -keyout ca.key -out ca.pem",
        f"req {new_key} -subj /CN=fake-server -keyout server.key -out server.csr",
        f"x509 -req -in server.csr {by_authority} -days 2 -out server.pem",
    ):
        subprocess.run([openssl, *command.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def tls_server(certificates: Path) -> Iterator[EchoServer]:
    """Run a server that speaks TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    with EchoServer(context=context) as server:
        yield server


@pytest.mark.usefixtures("nothing_left")
async def test_a_certificate_is_trusted_as_the_environment_says(
    create_model, certificates, tls_server, fresh_environment
) -> None:
    """`SSL_CERT_FILE` names the authority."""
    fresh_environment.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    model = create_model(base_url=tls_server.base_url)
    for _ in range(2):
        assert model.invoke("sync").text == "sync"
        assert (await model.ainvoke("async")).text == "async"
    assert tls_server.opened == 2
    model.close()
    await model.aclose()
    assert await tls_server.await_until(lambda server: not server.connections)


@pytest.mark.usefixtures("nothing_left", "fresh_environment")
async def test_a_certificate_of_nobody_known_is_refused(create_model, tls_server) -> None:
    """Nothing is sent, and the error says why."""
    model = create_model(base_url=tls_server.base_url, max_retries=0)
    with pytest.raises(SegmindConnectionError, match="certificate") as caught:
        model.invoke("hi")
    assert caught.value.phase == "connect"
    with pytest.raises(SegmindConnectionError, match="certificate") as caught:
        await model.ainvoke("hi")
    assert caught.value.phase == "connect"
    assert tls_server.arrivals == []
    model.close()
    await model.aclose()
