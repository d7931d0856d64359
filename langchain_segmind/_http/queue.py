"""Send requests as jobs of the queue: submitted once, then polled until they are done."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import httpx

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.errors import replace_advice
from langchain_segmind._api.queue import Status, read_answer, read_request_id, read_status
from langchain_segmind._http import polling
from langchain_segmind._http.attempt import APIRequest
from langchain_segmind._http.client import RequestObserver, Sender
from langchain_segmind._http.polling import (
    JobRequest,
    Steps,
    describe_fetch,
    explain_job_error,
    is_not_known_yet,
    poll,
)
from langchain_segmind._http.retries import may_be_accepted
from langchain_segmind.exceptions import SegmindError

STATUS_SECONDS = 30.0
"""The timeout of a poll for the status."""

RESULT_SECONDS = 120.0
"""The timeout of a poll for the result, after which it is asked for again."""

UNKNOWN_ADVICE = (
    "It is unknown whether the queue accepted the job: it may run and be billed. It was not "
    "submitted again."
)

NO_QUEUE_ADVICE = "If the server at base_url has no queue (v2), call invoke with use_queue=False."


class NotAwaitedError(Exception):
    """The result of a job that runs on is no longer waited for."""


class NoObserver:
    """Ignores all events: a poll costs nothing."""

    def on_request_sent(self) -> None:
        """Ignore the event."""

    def on_wait(self) -> None:
        """Ignore the event."""

    def on_response(self, response: APIResponse) -> None:
        """Ignore the event."""

    def on_failure(self, error: BaseException) -> None:
        """Ignore the event."""


class SubmissionObserver(NoObserver):
    """Reports a submission but its response: that of the call is the job's result."""

    def __init__(self, observer: RequestObserver) -> None:
        self._observer = observer

    def on_request_sent(self) -> None:
        """A job is being submitted."""
        self._observer.on_request_sent()

    def on_failure(self, error: BaseException) -> None:
        """It was not accepted, or that is unknown."""
        self._observer.on_failure(error)


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
            observer=SubmissionObserver(observer),
            is_submission=True,
            **self._poll_options,
            **options,
        )

    def send(self, request: APIRequest) -> APIResponse:
        """Run a request as a job, and return its result as v1 answers.

        Raises:
            SegmindError: The job was not accepted, failed, or is not done by the deadline.
        """
        job = self.submit(request)
        with self._counting_the_job():
            answer = self._wait(job, pause=polling.FIRST_WAIT_SECONDS)
        return self._read(answer, job)

    async def asend(self, request: APIRequest) -> APIResponse:
        """Run a request as a job; see `send`."""
        job = await self.asubmit(request)
        with self._counting_the_job():
            answer = await self._await(job, pause=polling.FIRST_WAIT_SECONDS)
        return self._read(answer, job)

    def submit(self, request: APIRequest) -> JobRequest:
        """Submit a job.

        Raises:
            SegmindError: The job was not accepted, or that is unknown (phase "submit").
        """
        try:
            return self._read_job(self._submitter.send(request), request)
        except SegmindError as error:
            _explain_submission(error)
            raise

    async def asubmit(self, request: APIRequest) -> JobRequest:
        """Submit a job; see `submit`."""
        try:
            return self._read_job(await self._submitter.asend(request), request)
        except SegmindError as error:
            _explain_submission(error)
            raise

    def fetch(self, job: JobRequest) -> APIResponse:
        """Wait for a job that was submitted before, and return its result as v1 answers.

        Raises:
            SegmindError: The job failed, is not known, or is not done by the deadline.
        """
        return self._read(self._wait(job), job)

    async def afetch(self, job: JobRequest) -> APIResponse:
        """Wait for a job; see `fetch`."""
        return self._read(await self._await(job), job)

    def get_status(self, job: JobRequest) -> Status:
        """Ask for a job's status once. A new job that the queue does not know yet is queued.

        Raises:
            SegmindError: The request failed, or the job is not known.
        """
        request = job.create_poll("/status")
        try:
            return read_status(self._create_poller(request).send(request), job.request_id)
        except SegmindError as error:
            if is_not_known_yet(error, job):
                return "queued"
            raise explain_job_error(error, job) from None

    async def aget_status(self, job: JobRequest) -> Status:
        """Ask for a job's status once; see `get_status`."""
        request = job.create_poll("/status")
        try:
            return read_status(await self._create_poller(request).asend(request), job.request_id)
        except SegmindError as error:
            if is_not_known_yet(error, job):
                return "queued"
            raise explain_job_error(error, job) from None

    def _wait(self, job: JobRequest, *, pause: float = 0.0) -> APIResponse:
        """Return the queue's answer once a job is done; see `poll`."""
        self._observer.on_wait()
        steps = Steps(poll(job, self._submitter.deadline, pause=pause))
        answer: APIResponse | SegmindError | None = None
        with _naming(job):
            while (step := steps.advance(answer)) is not None:
                answer = None
                if isinstance(step, float):
                    time.sleep(step)
                    continue
                try:
                    answer = self._create_poller(step).send(step)
                except SegmindError as error:
                    answer = error
        return steps.result

    async def _await(self, job: JobRequest, *, pause: float = 0.0) -> APIResponse:
        """Return the queue's answer once a job is done; see `poll`."""
        self._observer.on_wait()
        steps = Steps(poll(job, self._submitter.deadline, pause=pause))
        answer: APIResponse | SegmindError | None = None
        with _naming(job):
            while (step := steps.advance(answer)) is not None:
                answer = None
                if isinstance(step, float):
                    await asyncio.sleep(step)
                    continue
                try:
                    answer = await self._create_poller(step).asend(step)
                except SegmindError as error:
                    answer = error
        return steps.result

    @contextmanager
    def _counting_the_job(self) -> Iterator[None]:
        """Report that the result is not awaited, if the polling ends early: the job is billed."""
        try:
            yield
        except BaseException:
            self._observer.on_failure(NotAwaitedError())
            raise

    def _read_job(self, submitted: APIResponse, request: APIRequest) -> JobRequest:
        """Return the job that a request has submitted.

        Raises:
            SegmindResponseError: The answer names none.
        """
        try:
            request_id = read_request_id(submitted)
        except SegmindError as error:
            self._observer.on_failure(error)
            raise
        return JobRequest(request_id, self._base, request.headers, time.time())

    def _create_poller(self, request: APIRequest) -> Sender:
        """Return a sender for one poll: a status is short, a result can take longer."""
        seconds = STATUS_SECONDS if request.url.path.endswith("/status") else RESULT_SECONDS
        timeout = min(seconds, self._submitter.deadline.remaining)
        return Sender(timeout=timeout, observer=NoObserver(), **self._poll_options)

    def _read(self, answer: APIResponse, job: JobRequest) -> APIResponse:
        try:
            response = read_answer(answer, job.request_id)
        except SegmindError as error:
            self._observer.on_failure(error)
            raise
        self._observer.on_response(response)
        return response


@contextmanager
def _naming(job: JobRequest) -> Iterator[None]:
    """Add the job's id to other exceptions than ours: it runs on, and is billed."""
    try:
        yield
    except SegmindError:
        raise
    except BaseException as error:
        error.add_note(f"The job {job.request_id} runs on: {describe_fetch(job)}")
        raise


def _explain_submission(error: SegmindError) -> None:
    """Say in the error of a submission if the job may have been accepted."""
    if may_be_accepted(error):
        error.phase = "submit"
        error.is_retryable = False
        replace_advice(error, UNKNOWN_ADVICE)
    elif error.status_code == HTTPStatus.NOT_FOUND:
        error.args = (f"{error} {NO_QUEUE_ADVICE}",)
