"""The tree of errors."""

import pickle
import re
from pathlib import Path

import pytest
from langchain_core import exceptions as core

import langchain_segmind
from langchain_segmind import exceptions
from langchain_segmind._api import errors as _error_reply
from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.errors import create_error, get_error_class, parse_error_text
from langchain_segmind.exceptions import SegmindContextOverflowError, SegmindError

CORE_CLASSES = {
    "SegmindAPIError": core.ModelAPIError,
    "SegmindAuthenticationError": core.ModelAuthenticationError,
    "SegmindBudgetExceededError": core.ModelError,
    "SegmindConnectionError": core.ModelConnectionError,
    "SegmindContextOverflowError": core.ContextOverflowError,
    "SegmindError": core.ModelError,
    "SegmindInsufficientCreditsError": core.ModelError,
    "SegmindInvalidRequestError": core.ModelInvalidRequestError,
    "SegmindModelNotFoundError": core.ModelNotFoundError,
    "SegmindPermissionDeniedError": core.ModelPermissionDeniedError,
    "SegmindRateLimitError": core.ModelRateLimitError,
    "SegmindRateLimiterStorageError": core.ModelError,
    "SegmindResponseError": core.ModelAPIError,
    "SegmindTimeoutError": core.ModelTimeoutError,
    "SegmindOutputError": core.OutputParserException,
}
RETRYABLE = {
    "SegmindAPIError",
    "SegmindConnectionError",
    "SegmindRateLimitError",
    "SegmindTimeoutError",
}


@pytest.mark.parametrize("name", exceptions.__all__)
def test_every_class_is_ours_and_cores(name: str) -> None:
    """Users catch one type; LangChain's middleware understands each."""
    error_class = getattr(langchain_segmind, name)
    assert issubclass(error_class, SegmindError)
    assert issubclass(error_class, CORE_CLASSES[name])
    assert error_class.is_retryable is (name in RETRYABLE)
    assert name in (exceptions.__doc__ or "")


@pytest.mark.parametrize("name", exceptions.__all__)
def test_every_class_pickles_with_all_it_carries(name: str) -> None:
    """Errors cross processes: multiprocessing, Ray, Celery."""
    error = getattr(exceptions, name)(
        "went wrong",
        status_code=429,
        body="body",
        headers={"x": "y"},
        request_id="r-1",
        retry_after=2.5,
        remaining_credits=-0.5,
        phase="wait",
    )
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is type(error)
    assert copied.args == error.args
    assert vars(copied) == vars(error)


@pytest.mark.parametrize("status", sorted(_error_reply.ERROR_BY_STATUS))
def test_the_tables_agree_on_a_status(status: int) -> None:
    """The code's table, the tree that is drawn, and the docs' table name one class."""
    name = _error_reply.ERROR_BY_STATUS[status].__name__
    drawn = [line for line in (exceptions.__doc__ or "").splitlines() if str(status) in line]
    docs = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = [line for line in docs.splitlines() if re.match(rf"\| `{name}` .*\b{status}\b", line)]
    assert [name in line for line in drawn] == [True]
    assert len(rows) == 1


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 128000 tokens",
        "context_length_exceeded",
        "request (9031 tokens) exceeds the available context size (4096 tokens)",
        "the input does not fit the context window",
        "Too many input tokens",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "Please reduce the length of the messages or completion.",
    ],
)
@pytest.mark.parametrize("status", [400, 406, 413, 500])
def test_an_overflow_is_known_by_its_wording(status: int, text: str) -> None:
    """Every provider behind Segmind has words of its own for it."""
    assert get_error_class(status, text) is SegmindContextOverflowError
    assert get_error_class(429, text) is not SegmindContextOverflowError


def test_every_status_has_one_class() -> None:
    """The table and its ranges leave no status without a class of its own."""
    for status in range(300, 1000):
        error_class = get_error_class(status, "")
        assert error_class is not SegmindError
        assert issubclass(error_class, SegmindError)
    assert set(_error_reply.ERROR_BY_STATUS.values()) < {
        getattr(exceptions, name) for name in exceptions.__all__
    }


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param('{"error": "no"}', "no", id="a text"),
        pytest.param('{"error": {"message": "no", "code": 5}}', "no", id="OpenAI's object"),
        pytest.param('{"html-message": "<b>no</b>"}', "no", id="html-message"),
        pytest.param('{"error": "", "html-message": "no"}', "no", id="an empty error first"),
        pytest.param('{"error": "code", "error_description": "no"}', "code", id="the auth shape"),
        pytest.param('{"detail": "no"}', "no", id="detail"),
        pytest.param('"no"', "no", id="a JSON string"),
        pytest.param('{"status": "FAILED"}', '{"status": "FAILED"}', id="another object"),
        pytest.param("[1]", "[1]", id="a list"),
        pytest.param(
            "<html><style>p{}</style><body><h1>405</h1> not &amp; allowed</body></html>",
            "405 not & allowed",
            id="a page",
        ),
        pytest.param("plain  words", "plain words", id="plain text"),
        pytest.param("", "", id="nothing"),
        pytest.param("[" * 100_000, "[" * 4_000, id="too deep"),
        pytest.param('{"error":' * 5_000 + "1", ('{"error":' * 500)[:4_000], id="deep"),
    ],
)
def test_the_servers_words_are_found_in_any_body(body: str, text: str) -> None:
    """Segmind's envelopes differ; the words in them are what a user needs."""
    assert parse_error_text(body) == text


def test_an_error_says_what_happened_what_was_said_and_what_to_do() -> None:
    """The message has three parts, and the attributes the rest."""
    headers = {
        "x-request-id": "r-1",
        "retry-after": "3",
        "x-remaining-credits": "0.25",
    }
    error = create_error(APIResponse(429, headers, b'{"error": "slow down"}'))
    assert str(error) == (
        "The server answered 429: 'slow down'. Send fewer requests per minute: pass a "
        "rate_limiter to the model. The server asks to wait 3 s."
    )
    assert (error.status_code, error.request_id, error.retry_after) == (429, "r-1", 3)
    assert error.remaining_credits == 0.25
    assert error.body == '{"error": "slow down"}'
    assert error.headers == headers


def test_a_redirect_names_where_it_points() -> None:
    """A base URL with http instead of https is seen at once."""
    error = create_error(APIResponse(301, {"location": "https://host/v1"}, b""))
    assert "301 with a redirect to https://host/v1" in str(error)
    assert not error.is_retryable


def test_long_bodies_are_cut() -> None:
    """A page of megabytes does not travel with the error."""
    error = create_error(APIResponse(500, {}, b"x" * 10_000_000))
    assert error.body == "x" * 2_000
    assert re.findall("x{9,}", str(error)) == ["x" * 500]
