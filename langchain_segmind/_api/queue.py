"""Segmind's queue (v2): a job is submitted once, and asked for until it is done.

`POST {root}/v2/{slug}` takes the body of v1 and returns a `request_id`. `GET` of
`/v2/requests/{id}/status` returns the status, and of `/v2/requests/{id}` the result, for about an
hour. Source: https://docs.segmind.com/docs/serverless-api (asynchronous requests)
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Literal, get_args

from langchain_segmind._api.endpoint import (
    COST_HEADER,
    GENERATION_TIME_HEADER,
    QUEUE_TIME_HEADER,
    REMAINING_CREDITS_HEADER,
    REQUEST_ID_HEADER,
    TOTAL_TIME_HEADER,
    APIResponse,
)
from langchain_segmind._api.errors import (
    CONTEXT_OVERFLOW,
    INVALID_REQUEST,
    MAX_SCANNED_BYTES,
    create_error,
    parse_error_text,
    replace_advice,
)
from langchain_segmind._api.json_body import UnreadableNumberError, parse_json
from langchain_segmind.exceptions import (
    SegmindAPIError,
    SegmindContextOverflowError,
    SegmindError,
    SegmindInsufficientCreditsError,
    SegmindInvalidRequestError,
    SegmindRateLimitError,
    SegmindResponseError,
)

Status = Literal["queued", "processing", "completed", "failed"]
"""How far a job is: Segmind's words, in lower case."""

STATUSES: tuple[Status, ...] = get_args(Status)

FAILED_STATUS = HTTPStatus.UNPROCESSABLE_ENTITY.value
"""The HTTP status of a job that failed."""

REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
"""The id of a job: it becomes a part of a URL, and must not lead to another one."""

VERSION = re.compile(r"/v\d+/*$")

METRIC_HEADERS: Mapping[str, str] = {
    "cost": COST_HEADER,
    "remaining_credits": REMAINING_CREDITS_HEADER,
    "inference_time": GENERATION_TIME_HEADER,
    "queue_time": QUEUE_TIME_HEADER,
    "total_time": TOTAL_TIME_HEADER,
}
"""The header of v1 for each metric of a job; v1 has none for the last two."""

OUTPUT_ADVICE = "The job was billed. Segmind's support can look it up by its request_id."
"""What to do if a job is done, but there is no reply in its output."""

ERROR_KEYS = frozenset({"error", "type", "code", "status", "request_id"})
"""What a provider's error consists of."""


def get_queue_base(base: str) -> str:
    """Return the base URL of the queue for that of v1: the same host, another path."""
    scheme, _, rest = base.rstrip("/").partition("://")
    host, _, path = rest.partition("/")
    path = VERSION.sub("", f"/{path}")
    return f"{scheme}://{host}{path.rstrip('/')}/v2"


def check_request_id(request_id: object) -> str:
    """Return the id of a job if it can be a part of a URL's path.

    Raises:
        ValueError: It cannot.
    """
    if not isinstance(request_id, str) or not REQUEST_ID.fullmatch(request_id):
        raise ValueError(
            f"{request_id!r:.200} is not a request ID: it consists of letters, digits, dots, "
            "hyphens and underscores."
        )
    return request_id


def read_request_id(response: APIResponse) -> str:
    """Return the id in the answer to a submission.

    Raises:
        SegmindResponseError: There is none.
    """
    try:
        return check_request_id(parse_json(response.body)["request_id"])
    except (ValueError, RecursionError, KeyError, TypeError):
        problem = f"The queue answered {response.status_code} without a request_id"
    raise create_error(response, SegmindResponseError, problem, "submit")


def read_status(response: APIResponse, request_id: str) -> Status:
    """Return the status in an answer of the queue, whatever its HTTP status is.

    Errors of proxies have a `status` too: beside a success and the 422 of a failed job, an answer
    must name the job.

    Args:
        response: The answer.
        request_id: The id of the job that was asked for.

    Raises:
        SegmindError: There is no status, or it is that of another job.
    """
    try:
        answer = parse_json(response.body)
        status = STATUSES[STATUSES.index(answer["status"].lower())]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        if not response.is_success:
            raise create_error(response) from None
        problem = f"The queue answered {response.status_code} without a known status"
    else:
        named = answer.get("request_id")
        needs_name = not response.is_success and response.status_code != FAILED_STATUS
        if named == request_id or (named is None and not needs_name):
            return status
        if named is None:
            raise create_error(response)
        problem = f"The queue was asked for the job {request_id}, but answered for another one"
    raise create_error(response, SegmindResponseError, problem)


def read_answer(response: APIResponse, request_id: str) -> APIResponse:
    """Return the result of a job that is done, as the answer that v1 would have given.

    `output` is a provider's JSON, as a string or as it is; or a text, without a provider's JSON.

    Raises:
        SegmindError: The job failed, or its output cannot be used.
    """
    status = read_status(response, request_id)
    job = parse_json(response.body)
    headers = {
        **response.headers,
        **_read_metrics(job.get("metrics")),
        REQUEST_ID_HEADER: request_id,
    }
    response = replace(response, headers=headers)
    if status == "failed":
        raise create_failure(response)
    try:
        output = parse_json(response.body, exact={"output"}).get("output")
    except UnreadableNumberError as error:
        problem = f"The job {request_id} is done, but its output is not usable: {error}"
        raise create_job_output_error(response, problem) from None
    if output is None:
        raise create_job_output_error(response, f"The job {request_id} is done, but has no output")
    body = _find_completion(output)
    if body is None:
        text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
        message = {"role": "assistant", "content": text, "reasoning": job.get("reasoning")}
        body = json.dumps({"choices": [{"message": message}]}).encode()
    return replace(response, body=body)


def create_job_output_error(response: APIResponse, problem: str) -> SegmindError:
    """Return the error for a job that is done, and so was billed, but has no reply."""
    error = create_error(response, SegmindResponseError, problem)
    replace_advice(error, OUTPUT_ADVICE)
    return error


def _find_completion(output: Any) -> bytes | None:
    """Return a provider's JSON, or its error; None for what the model wrote itself."""
    if isinstance(output, dict):
        return json.dumps(output).encode() if _is_of_provider(output) else None
    if isinstance(output, str) and output.lstrip()[:1] == "{":
        body = output.encode("utf-8", "surrogatepass")
        try:
            return body if _is_of_provider(parse_json(body)) else None  # formats read it again
        except (ValueError, RecursionError):
            return None
    return None


def _is_of_provider(parsed: Mapping[str, Any]) -> bool:
    content = parsed.get("content")
    is_message = isinstance(content, str) and parsed.get("type") == "message"
    lists = (parsed.get("choices"), content, parsed.get("candidates"))
    if is_message or any(isinstance(value, list) for value in lists):
        return True
    is_error = "error" in parsed and parsed.keys() <= ERROR_KEYS
    return is_error or isinstance(parsed.get("promptFeedback"), dict)


def _read_metrics(metrics: Any) -> dict[str, str]:
    if not isinstance(metrics, dict):
        return {}
    return {
        header: str(metrics[name])
        for name, header in METRIC_HEADERS.items()
        if isinstance(metrics.get(name), int | float | str)
    }


def create_failure(response: APIResponse) -> SegmindError:
    """Return the error for a job that failed, in the class that v1 has for the server's words."""
    text = parse_error_text(response.body.decode(errors="replace"))[:MAX_SCANNED_BYTES]
    classes = (error_class for words, error_class in FAILURES.items() if words.search(text))
    error_class = next(classes, SegmindAPIError)
    # A failure can come with a 200, which otherwise is the status of what was billed.
    failed = replace(response, status_code=FAILED_STATUS)
    error = create_error(failed, error_class, "The job failed, which is not billed")
    if advice := FAILURE_ADVICE.get(error_class):
        replace_advice(error, advice)
    error.job_failed = True
    return error


FAILURES: Mapping[re.Pattern[str], type[SegmindError]] = {
    CONTEXT_OVERFLOW: SegmindContextOverflowError,
    re.compile(
        "(insufficient|not enough|out of) (credit|balance|fund)", re.IGNORECASE
    ): SegmindInsufficientCreditsError,
    re.compile("rate.?limit|too many requests", re.IGNORECASE): SegmindRateLimitError,
    INVALID_REQUEST: SegmindInvalidRequestError,
    re.compile(
        "invalid|validation|must be|not support|unsupported|response.?format|schema", re.IGNORECASE
    ): SegmindInvalidRequestError,
}
"""Classes by words, the first that occurs; any other failure is an error of the server."""

FAILURE_ADVICE: Mapping[type[SegmindError], str] = {
    SegmindAPIError: (
        "Submit it again; if it fails again, look for the reason in its messages and parameters."
    ),
    SegmindInvalidRequestError: (
        "The same request will fail again: change its messages or parameters."
    ),
}
"""What to do about a failed job, where that differs from a failed call of v1."""
