"""The numbers and times in headers."""

import pytest

from langchain_segmind._api.headers import parse_amount, parse_number, parse_retry_after

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("12.5", 12.5, id="float"),
        pytest.param("0", 0.0, id="zero"),
        pytest.param("-0.25", -0.25, id="negative"),
        pytest.param(" 3 ", 3.0, id="surrounding spaces"),
        pytest.param("1e-4", 0.0001, id="exponent"),
        pytest.param(None, None, id="absent"),
        pytest.param("", None, id="empty"),
        pytest.param("n/a", None, id="words"),
        pytest.param("nan", None, id="NaN"),
        pytest.param("-inf", None, id="infinity"),
        pytest.param("1e300", None, id="absurd"),
        pytest.param("1_000", None, id="underscore"),
        pytest.param("5, 5", None, id="repeated header"),
    ],
)
def test_a_header_is_a_finite_number_or_none(text: str | None, number: float | None) -> None:
    """A balance can be negative."""
    assert parse_number(text) == number


@pytest.mark.parametrize(("text", "number"), [("0.25", 0.25), ("0", 0.0), ("-0.25", None)])
def test_a_price_is_not_negative(text: str, number: float | None) -> None:
    """Otherwise a call would give credits back to a budget."""
    assert parse_amount(text) == number


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        pytest.param({"retry-after": "2"}, 2, id="seconds"),
        pytest.param({"retry-after": "0"}, 0, id="zero"),
        pytest.param({"retry-after-ms": "1500"}, 1.5, id="milliseconds"),
        pytest.param({"retry-after-ms": "10", "retry-after": "9"}, 0.01, id="both"),
        pytest.param({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30, id="HTTP date"),
        pytest.param({"x-rate-limit-reset-at-utc": "1800000012"}, 12, id="epoch seconds"),
        pytest.param({"x-rate-limit-reset-at-utc": "1800000012500"}, 12.5, id="epoch milliseconds"),
        pytest.param({"x-rate-limit-reset-at-utc": "2027-01-15T08:00:05Z"}, 5, id="ISO 8601"),
        pytest.param({"x-rate-limit-reset-at-utc": "2027-01-15 08:00:05"}, 5, id="no time zone"),
        pytest.param(
            {"retry-after": "soon", "x-rate-limit-reset-at-utc": "1800000001"},
            1,
            id="malformed first",
        ),
        pytest.param({}, None, id="absent"),
        pytest.param({"retry-after": "-5"}, None, id="negative"),
        pytest.param({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, None, id="past date"),
        pytest.param({"retry-after": "nan"}, None, id="NaN"),
        pytest.param({"retry-after": "1e999"}, None, id="infinity"),
        pytest.param({"retry-after": "soon"}, None, id="words in retry-after"),
        pytest.param({"retry-after-ms": "-1"}, None, id="negative milliseconds"),
        pytest.param({"x-rate-limit-reset-at-utc": "\xe9\xff"}, None, id="non-ASCII"),
        pytest.param({"x-rate-limit-reset-at-utc": "17"}, None, id="past time"),
        pytest.param({"x-rate-limit-reset-at-utc": "tomorrow"}, None, id="words"),
        pytest.param({"retry-after": "Fri, 99 Jan 99999 99:99:99 GMT"}, None, id="invalid date"),
    ],
)
def test_retry_after_is_read_in_all_formats(headers: dict, wait: float | None) -> None:
    """The most exact header comes first; what is malformed or past is ignored."""
    assert parse_retry_after(headers, NOW) == (None if wait is None else pytest.approx(wait))
