"""Ask for a job of the queue until it is done. No I/O: `poll` yields requests and pauses."""

import logging
import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from time import monotonic, time
from typing import Any

from langchain_segmind._api.endpoint import MAX_HOLD_SECONDS, APIResponse
from langchain_segmind._api.errors import MISSING, create_error, replace_advice
from langchain_segmind._api.queue import read_status
from langchain_segmind._api.url import create_url
from langchain_segmind._http.attempt import APIRequest
from langchain_segmind._http.deadline import Deadline
from langchain_segmind.exceptions import (
    SegmindAuthenticationError,
    SegmindConnectionError,
    SegmindError,
    SegmindInsufficientCreditsError,
    SegmindInvalidRequestError,
    SegmindResponseError,
    SegmindTimeoutError,
)

logger = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 1.0
"""The pause before the first poll."""

MAX_WAIT_SECONDS = 5.0
"""The longest pause between two polls."""

LATE_SECONDS = 60.0
MAX_LATE_WAIT_SECONDS = 10.0
"""The longest pause once a job has taken `LATE_SECONDS`."""

LONG_JOB_SECONDS = 10.0
"""A job that takes longer is logged."""

MIN_POLL_SECONDS = 0.5
"""What must be left of the call's time for another poll."""

ERROR_STATUSES = frozenset(range(400, 600))
"""Statuses whose body is read for the status of the job: a failed job has one of them."""

MAX_UNREADABLE_ANSWERS = 5
"""How many answers in a row without the job's status are followed by another poll; for example the
HTML page of a proxy."""

NEW_JOB_SECONDS = 30.0
"""How long a 404 is retried after the submission: not every server of the queue must know a new job
at once."""

USEFUL_ADVICE = (
    SegmindAuthenticationError,
    SegmindConnectionError,
    SegmindInsufficientCreditsError,
)
"""Errors whose advice helps with a poll, too."""

UNKNOWN_JOB_ADVICE = (
    "Results are kept for about an hour, and only for the key that submitted the job: check the "
    "request ID, the key and base_url."
)

Polling = Generator[APIRequest | float, APIResponse | SegmindError | None, APIResponse]
"""Yields requests and pauses in seconds; receives a request's response or error."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """How to ask for a job.

    Attributes:
        request_id: Segmind's id of it.
        base: The base URL of the queue.
        headers: Additional headers.
        submitted_at: When it was submitted, in seconds since the epoch; None if unknown.
    """

    request_id: str
    base: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    submitted_at: float | None = None

    @property
    def is_new(self) -> bool:
        """Whether the queue may not know the job yet."""
        # The clock of the machine that submitted it can be behind or ahead.
        if self.submitted_at is None:
            return False
        now = time()
        return now - NEW_JOB_SECONDS < self.submitted_at < now + NEW_JOB_SECONDS

    def create_poll(self, path: str = "") -> APIRequest:
        """Return the request for the job's result, or with a path for its status."""
        # Not the URLs in Segmind's answer: the key goes to no host that an answer names.
        url = create_url(self.base, f"requests/{self.request_id}{path}")
        return APIRequest(method="GET", url=url, headers=self.headers, accepted=ERROR_STATUSES)


class Steps:
    """The steps of a polling, for synchronous and asynchronous callers alike.

    Args:
        polling: Yields the steps.

    Attributes:
        result: The queue's answer; set once the job is done.
    """

    result: APIResponse

    def __init__(self, polling: Polling) -> None:
        self._polling = polling

    def advance(self, answer: APIResponse | SegmindError | None) -> APIRequest | float | None:
        """Return the next step after the answer to the last one; None once the job is done."""
        try:
            return self._polling.send(answer)
        except StopIteration as end:
            self.result = end.value
            return None


def poll(job: JobRequest, deadline: Deadline, *, pause: float = 0.0) -> Polling:
    """Ask for a job until it is done. A poll that fails is made again.

    Args:
        job: The job.
        deadline: By when it must be done.
        pause: Seconds before the first poll.

    Returns:
        The queue's answer, once the job is done.

    Raises:
        SegmindError: The job is not known, or not done by the deadline. The error says how to fetch
            the result later.
    """
    start, is_logged, unreadable = monotonic(), False, 0
    while True:
        if pause:
            yield min(pause, _get_longest_pause(deadline))
        waited = monotonic() - start
        if waited >= LONG_JOB_SECONDS and not is_logged:
            is_logged = True
            logger.info("The job %s is not done after %.0f s.", job.request_id, waited)
        failure: SegmindError | None = None
        try:
            answer = yield from _ask_once(job)
        except SegmindError as error:
            drop_call_advice(error)
            unreadable += isinstance(error, SegmindResponseError)
            if not _is_passing(error, job) or unreadable > MAX_UNREADABLE_ANSWERS:
                raise explain_job_error(error, job) from None
            logger.debug("A poll of the job %s failed. %s", job.request_id, error)
            failure = error
        else:
            if answer is not None:
                return answer
            unreadable = 0
        if deadline.remaining <= MIN_POLL_SECONDS:
            raise explain_job_error(_create_timeout(job, monotonic() - start, failure), job)
        pause = _get_next_pause(pause, waited, failure)


def is_not_known_yet(error: SegmindError, job: JobRequest) -> bool:
    """Whether a poll failed because the job has only just been submitted."""
    return error.status_code == HTTPStatus.NOT_FOUND and job.is_new


def _is_passing(error: SegmindError, job: JobRequest) -> bool:
    """Whether a poll that failed may succeed later."""
    if isinstance(error, SegmindResponseError):
        is_redirect = error.status_code is not None and 300 <= error.status_code < 400  # noqa: PLR2004 - RFC 9110
        return not is_redirect
    return error.is_retryable or is_not_known_yet(error, job)


def _get_longest_pause(deadline: Deadline) -> float:
    """Return the seconds after which the last poll is still answered in time."""
    left = deadline.remaining
    return max(left - MIN_POLL_SECONDS, left / 2, 0.0)


def _get_next_pause(pause: float, waited: float, failure: SegmindError | None) -> float:
    longest = MAX_LATE_WAIT_SECONDS if waited >= LATE_SECONDS else MAX_WAIT_SECONDS
    jitter = random.uniform(0.9, 1)  # noqa: S311 - not a secret
    grown = min(max(1.5 * pause, FIRST_WAIT_SECONDS), longest) * jitter
    asked_for = failure.retry_after if failure else None
    return max(grown, min(float(asked_for or 0), MAX_HOLD_SECONDS))


def _ask_once(job: JobRequest) -> Generator[APIRequest, Any, APIResponse | None]:
    """Ask for a job, and return its answer once it is done; None before.

    Raises:
        SegmindError: The poll failed.
    """
    answer = yield from _ask(job, "/status")
    if read_status(answer, job.request_id) == "completed":
        answer = yield from _ask(job)
    is_done = read_status(answer, job.request_id) in {"completed", "failed"}
    return answer if is_done else None


def _ask(job: JobRequest, path: str = "") -> Generator[APIRequest, Any, APIResponse]:
    answer: APIResponse | SegmindError = yield job.create_poll(path)
    if isinstance(answer, SegmindError):
        raise answer
    return answer


def _create_timeout(job: JobRequest, waited: float, failure: SegmindError | None) -> SegmindError:
    last = f" The last poll failed: {failure}" if failure else ""
    return SegmindTimeoutError(
        f"The job {job.request_id} is not done after {waited:.1f} s.{last}", phase="wait"
    )


def drop_call_advice(error: SegmindError) -> None:
    """Remove from the error of a poll what only a call that runs a model can do about it."""
    if not isinstance(error, USEFUL_ADVICE):
        replace_advice(error, "")


def explain_job_error(error: SegmindError, job: JobRequest) -> SegmindError:
    """Return an error with the id of the job, and how to fetch its result."""
    if error.status_code in MISSING:
        response = APIResponse(error.status_code, error.headers, (error.body or "").encode())
        problem = f"Segmind does not know the job {job.request_id}"
        error = create_error(response, SegmindInvalidRequestError, problem)
        replace_advice(error, UNKNOWN_JOB_ADVICE)
    else:
        drop_call_advice(error)
        error.args = (f"{error} The job is not lost: {describe_fetch(job)}",)
        error.is_retryable = False  # another call would be another job
    error.request_id = job.request_id
    return error


def describe_fetch(job: JobRequest) -> str:
    """Return how to fetch a job's result."""
    return (
        f"model.get_job({job.request_id!r}).result() fetches its result, for about an hour, "
        "without paying again."
    )
