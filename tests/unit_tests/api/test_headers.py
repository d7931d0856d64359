"""Header texts become numbers, or nothing."""

import pytest

from langchain_segmind._api.headers import parse_number, parse_retry_after

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("12.5", 12.5, id="a float"),
        pytest.param("0", 0.0, id="zero"),
        pytest.param("-0.25", -0.25, id="negative"),
        pytest.param(" 3 ", 3.0, id="blanks around it"),
        pytest.param("1e-4", 0.0001, id="an exponent"),
        pytest.param(None, None, id="absent"),
        pytest.param("", None, id="empty"),
        pytest.param("n/a", None, id="words"),
        pytest.param("nan", None, id="not a number"),
        pytest.param("-inf", None, id="not finite"),
        pytest.param("1_000", None, id="Python's own spelling"),
        pytest.param("5, 5", None, id="a header sent twice"),
    ],
)
def test_a_number_is_finite_or_nothing(text: str | None, number: float | None) -> None:
    """A balance may be negative, but never unreadable."""
    assert parse_number(text) == number


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        pytest.param({"retry-after": "2"}, 2, id="seconds"),
        pytest.param({"retry-after": "0"}, 0, id="at once"),
        pytest.param({"retry-after-ms": "1500"}, 1.5, id="milliseconds"),
        pytest.param({"retry-after-ms": "10", "retry-after": "9"}, 0.01, id="the finer one first"),
        pytest.param({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30, id="an HTTP date"),
        pytest.param({"x-rate-limit-reset-at-utc": "1800000012"}, 12, id="epoch seconds"),
        pytest.param({"x-rate-limit-reset-at-utc": "1800000012500"}, 12.5, id="epoch milliseconds"),
        pytest.param({"x-rate-limit-reset-at-utc": "2027-01-15T08:00:05Z"}, 5, id="ISO 8601"),
        pytest.param({"x-rate-limit-reset-at-utc": "2027-01-15 08:00:05"}, 5, id="ISO, no zone"),
        pytest.param(
            {"retry-after": "soon", "x-rate-limit-reset-at-utc": "1800000001"}, 1, id="next"
        ),
        pytest.param({}, None, id="absent"),
        pytest.param({"retry-after": "-5"}, None, id="negative"),
        pytest.param({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, None, id="a date gone by"),
        pytest.param({"retry-after": "nan"}, None, id="not a number"),
        pytest.param({"x-rate-limit-reset-at-utc": "17"}, None, id="a time gone by"),
        pytest.param({"x-rate-limit-reset-at-utc": "tomorrow"}, None, id="words"),
        pytest.param({"retry-after": "Fri, 99 Jan 99999 99:99:99 GMT"}, None, id="no date"),
    ],
)
def test_a_wait_is_read_from_whatever_says_it(headers: dict, wait: float | None) -> None:
    """The finest readable header wins; what cannot be read or lies in the past is ignored."""
    assert parse_retry_after(headers, NOW) == (None if wait is None else pytest.approx(wait))
