"""Send requests as jobs of the queue: submitted once, then polled until they are done."""

import asyncio
import logging
import random
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from math import inf
from time import monotonic
from typing import Any

import httpx

from langchain_segmind._api.endpoint import MAX_HOLD_SECONDS, APIResponse
from langchain_segmind._api.errors import create_error
from langchain_segmind._api.queue import read_answer, read_request_id, read_status
from langchain_segmind._api.url import create_url
from langchain_segmind._http.attempt import APIRequest
from langchain_segmind._http.client import RequestObserver, Sender
from langchain_segmind._http.deadline import Deadline
from langchain_segmind._http.retries import may_be_accepted
from langchain_segmind.exceptions import (
    SegmindError,
    SegmindInvalidRequestError,
    SegmindResponseError,
    SegmindTimeoutError,
)

logger = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 1.0
MAX_WAIT_SECONDS = 5.0
MAX_LATE_WAIT_SECONDS = 10.0
"""The pauses between polls: the first, the longest, and the longest after `LATE_SECONDS`."""

LATE_SECONDS = 60.0

LONG_JOB_SECONDS = 10.0
"""A job that takes longer is logged."""

POLL_SECONDS = 30.0
MIN_POLL_SECONDS = 0.5
"""The timeout of a poll for the status, and what must be left of the call's for another one."""

ANSWERS = frozenset(range(400, 600))
"""Statuses of polls that can be answers: a failed job has one of them."""

MAX_UNREADABLE = 5
"""How many answers of the queue may be no answers, such as a page of a proxy."""

NEW_JOB_SECONDS = 30.0
"""How long a job that was just submitted may be unknown."""

Polling = Generator[APIRequest | float, APIResponse | SegmindError | None, APIResponse]
"""Yields requests and pauses in seconds; receives a request's response or error."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """How to ask for a job.

    Attributes:
        request_id: Segmind's id of it.
        base: The base URL of the queue.
        headers: Additional headers.
    """

    request_id: str
    base: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def create_poll(self, path: str = "") -> APIRequest:
        """Return the request for the job's result, or with a path for its status."""
        # Not the URLs in Segmind's answer: the key goes to no host that an answer names.
        url = create_url(self.base, f"requests/{self.request_id}{path}")
        return APIRequest(method="GET", url=url, headers=self.headers, accepted=ANSWERS)


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
    start, is_logged, is_new, unreadable = monotonic(), False, pause > 0, 0
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
            unreadable += isinstance(error, SegmindResponseError)
            is_passing = _is_passing(error, is_new=is_new and waited < NEW_JOB_SECONDS)
            if not is_passing or unreadable > MAX_UNREADABLE:
                raise _explain(error, job) from None
            logger.debug("A poll of the job %s failed. %s", job.request_id, error)
            failure = error
        else:
            if answer is not None:
                return answer
        if deadline.remaining <= MIN_POLL_SECONDS:
            raise _explain(_create_timeout(job, waited, failure), job)
        pause = _get_next_pause(pause, waited, failure)


def _is_passing(error: SegmindError, *, is_new: bool) -> bool:
    """Whether a poll that failed may succeed later."""
    if isinstance(error, SegmindResponseError):
        return error.status_code == HTTPStatus.OK
    return error.is_retryable or (is_new and error.status_code == HTTPStatus.NOT_FOUND)


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
    if read_status(answer) == "completed":
        answer = yield from _ask(job)
    return answer if read_status(answer) in {"completed", "failed"} else None


def _ask(job: JobRequest, path: str = "") -> Generator[APIRequest, Any, APIResponse]:
    answer: APIResponse | SegmindError = yield job.create_poll(path)
    if isinstance(answer, SegmindError):
        raise answer
    return answer


def _create_timeout(job: JobRequest, waited: float, failure: SegmindError | None) -> SegmindError:
    last = f" The last poll failed: {failure}" if failure else ""
    return SegmindTimeoutError(
        f"The job {job.request_id} is not done after {waited:.0f} s.{last}", phase="wait"
    )


def _explain(error: SegmindError, job: JobRequest) -> SegmindError:
    """Return an error with the id of the job, and how to fetch its result."""
    if error.status_code == HTTPStatus.NOT_FOUND:
        response = APIResponse(HTTPStatus.NOT_FOUND, error.headers, (error.body or "").encode())
        problem = (
            f"Segmind does not know the job {job.request_id} (any more): results are kept for "
            "about an hour, and for the key that submitted it"
        )
        error = create_error(response, SegmindInvalidRequestError, problem)
    else:
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


class JobRunsOnError(Exception):
    """Stands for the answer that was not waited for."""


class Submission:
    """Observes a submission: the job's result, not its acceptance, is the response of the call."""

    def __init__(self, observer: RequestObserver) -> None:
        self.on_request_sent = observer.on_request_sent
        self.on_failure = observer.on_failure

    def on_wait(self) -> None:
        """Ignore the event."""

    def on_response(self, response: APIResponse) -> None:
        """Wait for the result."""


class NoObserver:
    """Observes nothing: a poll is no request of its own."""

    def on_request_sent(self) -> None:
        """Ignore the event."""

    def on_wait(self) -> None:
        """Ignore the event."""

    def on_response(self, response: APIResponse) -> None:
        """Ignore the event."""

    def on_failure(self, error: BaseException) -> None:
        """Ignore the event."""


class QueueSender:
    """Sends the requests of one call as jobs, within one deadline; otherwise like `Sender`.

    Args:
        base: The base URL of the queue.
        timeout: As the model's field.
        observer: Receives the events of each submission, and of each result.
        api_key: As for `Sender`.
        client: As for `Sender`.
        options: What else `Sender` takes.
    """

    def __init__(
        self,
        *,
        base: str,
        timeout: float | httpx.Timeout | None,
        observer: RequestObserver,
        api_key: Any,
        client: httpx.Client | httpx.AsyncClient | None = None,
        **options: Any,
    ) -> None:
        self._base = base
        self._observer = observer
        self._poll_options = {"api_key": api_key, "client": client}
        self._submitter = Sender(
            timeout=timeout,
            observer=Submission(observer),
            is_submission=True,
            **self._poll_options,
            **options,
        )

    def send(self, request: APIRequest) -> APIResponse:
        """Run a request as a job, and return its result as v1 answers.

        Raises:
            SegmindError: The job was not accepted, failed, or is not done by the deadline.
        """
        return self.follow(self.submit(request), pause=FIRST_WAIT_SECONDS)

    async def asend(self, request: APIRequest) -> APIResponse:
        """Run a request as a job; see `send`."""
        return await self.afollow(await self.asubmit(request), pause=FIRST_WAIT_SECONDS)

    def submit(self, request: APIRequest) -> JobRequest:
        """Submit a job.

        Raises:
            SegmindError: The job was not accepted, or that is unknown (phase "submit").
        """
        try:
            return self._read_job(self._submitter.send(request), request)
        except SegmindError as error:
            raise _explain_submission(error) from None

    async def asubmit(self, request: APIRequest) -> JobRequest:
        """Submit a job; see `submit`."""
        try:
            return self._read_job(await self._submitter.asend(request), request)
        except SegmindError as error:
            raise _explain_submission(error) from None

    def follow(self, job: JobRequest, *, pause: float = 0.0) -> APIResponse:
        """Wait for a job, and return its result; see `poll`."""
        self._observer.on_wait()
        polling = poll(job, self._submitter.deadline, pause=pause)
        answer: APIResponse | SegmindError | None = None
        with self._reporting(job):
            while True:
                try:
                    step = polling.send(answer)
                except StopIteration as end:
                    done: APIResponse = end.value
                    break
                answer = None
                if isinstance(step, float):
                    time.sleep(step)
                    continue
                try:
                    answer = self._create_poller(step).send(step)
                except SegmindError as error:
                    answer = error
        return self._finish(done, job)

    async def afollow(self, job: JobRequest, *, pause: float = 0.0) -> APIResponse:
        """Wait for a job; see `follow`."""
        self._observer.on_wait()
        polling = poll(job, self._submitter.deadline, pause=pause)
        answer: APIResponse | SegmindError | None = None
        with self._reporting(job):
            while True:
                try:
                    step = polling.send(answer)
                except StopIteration as end:
                    done: APIResponse = end.value
                    break
                answer = None
                if isinstance(step, float):
                    await asyncio.sleep(step)
                    continue
                try:
                    answer = await self._create_poller(step).asend(step)
                except SegmindError as error:
                    answer = error
        return self._finish(done, job)

    @contextmanager
    def _reporting(self, job: JobRequest) -> Iterator[None]:
        """Report what ends the polling early, with the job's id: it runs on, and is billed."""
        try:
            yield
        except BaseException as error:
            self._observer.on_failure(JobRunsOnError())
            if not isinstance(error, SegmindError):
                error.add_note(f"The job {job.request_id} runs on: {describe_fetch(job)}")
            raise

    def _read_job(self, submitted: APIResponse, request: APIRequest) -> JobRequest:
        """Return the job that a request has submitted.

        Raises:
            SegmindResponseError: The answer names none.
        """
        try:
            return JobRequest(read_request_id(submitted), self._base, request.headers)
        except SegmindError as error:
            self._observer.on_failure(error)
            raise

    def ask(self, job: JobRequest) -> APIResponse:
        """Ask for a job's status once.

        Raises:
            SegmindError: The request failed, or the job is not known (any more).
        """
        try:
            request = job.create_poll("/status")
            answer = self._create_poller(request).send(request)
            read_status(answer)
        except SegmindError as error:
            raise _explain(error, job) from None
        return answer

    async def aask(self, job: JobRequest) -> APIResponse:
        """Ask for a job's status once; see `ask`."""
        try:
            request = job.create_poll("/status")
            answer = await self._create_poller(request).asend(request)
            read_status(answer)
        except SegmindError as error:
            raise _explain(error, job) from None
        return answer

    def _create_poller(self, request: APIRequest) -> Sender:
        """Return a sender for one poll: a status is short, a result may take its time."""
        left = self._submitter.deadline.remaining
        timeout = min(POLL_SECONDS, left) if request.url.path.endswith("/status") else left
        return Sender(
            timeout=None if timeout == inf else timeout,
            observer=NoObserver(),
            **self._poll_options,
        )

    def _finish(self, done: APIResponse, job: JobRequest) -> APIResponse:
        try:
            response = read_answer(done, job.request_id)
        except SegmindError as error:
            self._observer.on_failure(error)
            raise
        self._observer.on_response(response)
        return response


def _explain_submission(error: SegmindError) -> SegmindError:
    """Return the error of a submission, which says so if the job may have been accepted."""
    if may_be_accepted(error):
        error.phase = "submit"
        error.is_retryable = False
        advice = (
            "It is unknown whether the queue accepted the job: it may run and be billed, and was "
            "not submitted again."
        )
        error.args = (f"{error} {advice}",)
    elif error.status_code == HTTPStatus.NOT_FOUND:
        error.args = (f"{error} If base_url has no queue (v2), pass use_queue=False.",)
    return error
