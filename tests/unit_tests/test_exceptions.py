"""Errors: their classes, their messages, and what the docs say about them."""

import json
import pickle
import re
from pathlib import Path

import pytest
from langchain_core import exceptions as core

import langchain_segmind
from langchain_segmind import exceptions
from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.errors import (
    ERROR_BY_STATUS,
    create_error,
    get_error_class,
    parse_error_text,
    replace_advice,
)
from langchain_segmind._http.deadline import Deadline
from langchain_segmind._http.retries import RetryPolicy
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


DOCS = Path(__file__).parents[2] / "docs"


def read_rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table in a section of a page, without the table's head."""
    text = (DOCS / page).read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return rows[2:]


CLASS_ROWS = read_rows("errors.md", "The classes")
FAILURE_ROWS = read_rows("reliability.md", "What happens in each failure")


def test_these_errors_are_public() -> None:
    """Another one, or one that is gone, changes what users can catch."""
    assert set(exceptions.__all__) == CORE_CLASSES.keys()


@pytest.mark.parametrize("name", exceptions.__all__)
def test_every_class_is_a_segmind_error_and_langchains(name: str) -> None:
    """Users catch one type; LangChain's middleware understands each."""
    error_class = getattr(langchain_segmind, name)
    assert issubclass(error_class, SegmindError)
    assert issubclass(error_class, CORE_CLASSES[name])
    assert error_class.is_retryable is (name in RETRYABLE)
    assert name in (exceptions.__doc__ or "")


@pytest.mark.parametrize("name", exceptions.__all__)
def test_the_docs_list_every_class_with_langchains(name: str) -> None:
    """One row for each class, with the class of LangChain that it is too."""
    (row,) = (row for row in CLASS_ROWS if row[0].startswith(f"`{name}`"))
    assert row[2] == f"`{CORE_CLASSES[name].__name__}`"


@pytest.mark.parametrize("name", exceptions.__all__)
def test_a_pickled_error_keeps_its_attributes(name: str) -> None:
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


@pytest.mark.parametrize("status", sorted(ERROR_BY_STATUS))
def test_the_docs_and_the_docstring_give_a_status_its_class(status: int) -> None:
    """The code's table, the tree in the docstring and the docs' table agree."""
    name = ERROR_BY_STATUS[status].__name__
    drawn = [line for line in (exceptions.__doc__ or "").splitlines() if str(status) in line]
    assert [name in line for line in drawn] == [True]
    rows = [row for row in CLASS_ROWS if row[0] == f"`{name}`"]
    assert [str(status) in re.findall(r"\b\d{3}\b", row[1]) for row in rows] == [True]


@pytest.mark.parametrize("row", FAILURE_ROWS, ids=lambda row: row[0][:30])
def test_the_docs_say_what_is_sent_again(row: list[str]) -> None:
    """The table's row agrees with the policy, for each of its statuses or phases."""
    failure, error, sent_again, billed = row
    statuses = [int(status) for status in re.findall(r"\b[45]\d\d\b", failure)]
    statuses += [499] if "other 4xx" in failure else [599] if "other 5xx" in failure else []
    errors: list[BaseException] = [
        get_error_class(status, "")(status_code=status) for status in statuses
    ]
    if not errors:
        name = error.split("`")[1]
        error_class = getattr(exceptions, name, None)
        phases = re.findall(r"`(connect|send|wait|read)`", error) or [None]
        errors = [error_class(phase=p) if error_class else KeyboardInterrupt() for p in phases]
    for exception in errors:
        is_default = sent_again in {"yes", "if time is left"}
        is_possible = is_default or sent_again == "only with `retry_read_timeouts`"
        assert RetryPolicy(Deadline()).should_retry(exception) is is_default
        policy = RetryPolicy(Deadline(), retry_read_timeouts=True)
        assert policy.should_retry(exception) is is_possible
        assert is_possible or sent_again == "never"
    assert billed in {"no", "almost certainly not", "may have been billed"}


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
def test_a_context_overflow_is_recognized_by_its_wording(status: int, text: str) -> None:
    """Each provider behind Segmind words it differently."""
    assert get_error_class(status, text) is SegmindContextOverflowError
    assert get_error_class(429, text) is not SegmindContextOverflowError


def test_every_status_has_one_class() -> None:
    """Each status has a specific class, and the table holds public classes only."""
    for status in range(300, 1000):
        error_class = get_error_class(status, "")
        assert error_class is not SegmindError
        assert issubclass(error_class, SegmindError)
    assert set(ERROR_BY_STATUS.values()) < {
        getattr(exceptions, name) for name in exceptions.__all__
    }


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param('{"error": "no"}', "no", id="error string"),
        pytest.param('{"error": {"message": "no", "code": 5}}', "no", id="error object"),
        pytest.param('{"html-message": "<b>no</b>"}', "no", id="html-message"),
        pytest.param('{"error": "", "html-message": "no"}', "no", id="empty error first"),
        pytest.param('{"error": "code", "error_description": "no"}', "code", id="OAuth error"),
        pytest.param('{"error_description": "no"}', "no", id="error description"),
        pytest.param('{"detail": "no"}', "no", id="detail"),
        pytest.param('"no"', "no", id="JSON string"),
        pytest.param('{"status": "FAILED"}', '{"status": "FAILED"}', id="unknown object"),
        pytest.param("[1]", "[1]", id="list"),
        pytest.param(
            "<html><style>p{}</style><body><h1>405</h1> not &amp; allowed</body></html>",
            "405 not & allowed",
            id="HTML page",
        ),
        pytest.param("plain  words", "plain words", id="plain text"),
        pytest.param("", "", id="empty body"),
        pytest.param("[" * 100_000, "[" * 4_000, id="too deep for JSON"),
        pytest.param('{"error":' * 5_000 + "1", ('{"error":' * 500)[:4_000], id="deep object"),
    ],
)
def test_the_servers_message_is_found_in_any_body(body: str, text: str) -> None:
    """Segmind's envelopes differ; the message in them is what a user needs."""
    assert parse_error_text(body) == text


def test_an_error_says_what_happened_the_servers_words_and_what_to_do() -> None:
    """The message has three parts; the attributes hold the rest."""
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


@pytest.mark.parametrize("status", [408, 504, 524])
def test_a_server_that_gave_up_waiting_leads_to_the_queue(status: int) -> None:
    """Another try would end in the same way. The queue replaces the advice."""
    error = create_error(APIResponse(status, {}, b"", "https://host/v1/gpt-5"))
    assert "use_queue=True" in str(error)
    removed = create_error(APIResponse(status, {}, b"", "https://host/v1/gpt-5"))
    replace_advice(error, "Wait.")
    assert str(error) == f"The server answered {status}. Wait."
    replace_advice(removed, "")
    assert str(removed) == f"The server answered {status}."


def test_a_redirect_names_where_it_points() -> None:
    """A base URL with http instead of https explains itself."""
    error = create_error(APIResponse(301, {"location": "https://host/v1"}, b""))
    assert "301 with a redirect to https://host/v1" in str(error)
    assert not error.is_retryable


def test_an_error_keeps_the_start_of_a_long_body() -> None:
    """Megabytes of HTML do not stay in memory or in a log."""
    error = create_error(APIResponse(500, {}, b"!" * 10_000_000))
    assert error.body == "!" * 2_000
    assert re.findall("!{9,}", str(error)) == ["!" * 500]


def test_an_error_does_not_show_an_image_that_the_server_quotes() -> None:
    """The beginning of its Base64 tells which one it is."""
    image = f"iVBORw0KGgo{'A/+b' * 1_000}=="
    body = json.dumps({"error": {"message": f"cannot read data:image/png;base64,{image}, sorry"}})
    error = create_error(APIResponse(400, {}, body.encode()))
    shown = f"cannot read data:image/png;base64,{image[:80]}..., sorry"
    assert shown in str(error)
    assert shown in error.body
