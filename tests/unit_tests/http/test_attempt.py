"""How far a request got before it failed, and how its error describes that."""

import httpx
import pytest
from pydantic import SecretStr

from langchain_segmind._http.attempt import (
    CERTIFICATE_ADVICE,
    CONNECT_TIMEOUT_ADVICE,
    NO_RESPONSE,
    APIRequest,
    Attempt,
    get_phase,
)
from langchain_segmind._http.deadline import Deadline
from langchain_segmind._http.shortages import SHORTAGE_ADVICE
from langchain_segmind.exceptions import SegmindConnectionError, SegmindError, SegmindTimeoutError


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


def fail(error: Exception, timeout: float | httpx.Timeout | None = None) -> Attempt:
    """Return an attempt that failed before a response."""
    attempt = Attempt(
        APIRequest(method="POST", url=httpx.URL("https://host.test/v1")),
        SecretStr("fake"),
        timeout,
        Deadline(),
        client=None,
        on_sent=lambda: None,
    )
    attempt.failure = error
    return attempt


@pytest.mark.parametrize(
    ("timeout", "problem"),
    [
        pytest.param(0.3, " within 0.3 s (ReadTimeout: too late)", id="seconds"),
        pytest.param(
            httpx.Timeout(0.3),
            ": a phase of Timeout(timeout=0.3) ran out (ReadTimeout: too late)",
            id="phases",
        ),
        pytest.param(None, " (ReadTimeout: too late)", id="none"),
    ],
)
def test_a_timeout_error_names_the_limit_that_ran_out(
    timeout: float | httpx.Timeout | None, problem: str
) -> None:
    """Without a limit in the model, the operating system's can run out."""
    with pytest.raises(SegmindTimeoutError) as caught:
        fail(httpx.ReadTimeout("too late"), timeout).result()
    assert str(caught.value).startswith(
        f"No complete response from https://host.test:443{problem}. "
    )
    assert caught.value.advice == SegmindTimeoutError.advice


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        pytest.param(httpx.ConnectTimeout("x"), CONNECT_TIMEOUT_ADVICE, id="timeout"),
        pytest.param(httpx.ConnectError("refused"), SegmindConnectionError.advice, id="refused"),
        pytest.param(
            httpx.ConnectError("CERTIFICATE_VERIFY_FAILED"), CERTIFICATE_ADVICE, id="certificate"
        ),
        pytest.param(httpx.ConnectError(MemoryError()), SHORTAGE_ADVICE, id="shortage"),
    ],
)
def test_the_advice_fits_why_no_connection_was_opened(caplog, error, advice) -> None:
    """It is in the message and the attribute; the error is logged for debugging."""
    caplog.set_level("DEBUG", logger="langchain_segmind")
    with pytest.raises(SegmindError) as caught:
        fail(error).result()
    assert caught.value.advice == advice
    assert str(caught.value).endswith(f"). {advice}")
    assert caplog.messages == [f"{type(caught.value).__name__}: {caught.value}"]
