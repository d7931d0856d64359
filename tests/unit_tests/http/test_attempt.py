"""How far a request got before it failed."""

import httpx
import pytest

from langchain_segmind._http.attempt import NO_RESPONSE, get_phase


@pytest.mark.parametrize(
    ("error", "is_sent", "phase"),
    [
        (httpx.ConnectError(""), False, "connect"),
        (httpx.ConnectTimeout(""), False, "connect"),
        (httpx.ProxyError(""), False, "connect"),
        (httpx.PoolTimeout(""), False, "connect"),
        (TimeoutError(), False, "connect"),
        (httpx.WriteError(""), True, "send"),
        (httpx.WriteTimeout(""), True, "send"),
        (TimeoutError(), True, "wait"),
        (httpx.ReadError(""), True, "wait"),
        (httpx.ReadTimeout(""), True, "wait"),
        (httpx.RemoteProtocolError(f"Server disconnected {NO_RESPONSE}."), True, "wait"),
        (httpx.RemoteProtocolError("illegal status line"), True, "read"),
    ],
    ids=repr,
)
def test_the_phase_follows_from_the_error(error: Exception, is_sent: bool, phase: str) -> None:  # noqa: FBT001 - a parameter of the test
    """It is "read" once the response's headers have arrived."""
    assert get_phase(error, None, is_sent=is_sent) == phase
    assert get_phase(error, httpx.Response(200), is_sent=True) == "read"
