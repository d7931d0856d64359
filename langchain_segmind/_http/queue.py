"""Send requests as jobs of the queue: submitted once, then polled until they are done."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from math import inf
from typing import Any

import httpx

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.queue import read_answer, read_request_id, read_status
from langchain_segmind._http import polling
from langchain_segmind._http.attempt import APIRequest
from langchain_segmind._http.client import RequestObserver, Sender
from langchain_segmind._http.polling import (
    JobRequest,
    Steps,
    describe_fetch,
    explain_job_error,
    poll,
)
from langchain_segmind._http.retries import may_be_accepted
from langchain_segmind.exceptions import SegmindError

POLL_SECONDS = 30.0
"""The timeout of a poll for the status."""


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
        return self.follow(self.submit(request), pause=polling.FIRST_WAIT_SECONDS)

    async def asend(self, request: APIRequest) -> APIResponse:
        """Run a request as a job; see `send`."""
        return await self.afollow(await self.asubmit(request), pause=polling.FIRST_WAIT_SECONDS)

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
        steps = Steps(poll(job, self._submitter.deadline, pause=pause))
        answer: APIResponse | SegmindError | None = None
        with self._reporting(job):
            while (step := steps.advance(answer)) is not None:
                answer = None
                if isinstance(step, float):
                    time.sleep(step)
                    continue
                try:
                    answer = self._create_poller(step).send(step)
                except SegmindError as error:
                    answer = error
        return self._finish(steps.result, job)

    async def afollow(self, job: JobRequest, *, pause: float = 0.0) -> APIResponse:
        """Wait for a job; see `follow`."""
        self._observer.on_wait()
        steps = Steps(poll(job, self._submitter.deadline, pause=pause))
        answer: APIResponse | SegmindError | None = None
        with self._reporting(job):
            while (step := steps.advance(answer)) is not None:
                answer = None
                if isinstance(step, float):
                    await asyncio.sleep(step)
                    continue
                try:
                    answer = await self._create_poller(step).asend(step)
                except SegmindError as error:
                    answer = error
        return self._finish(steps.result, job)

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
            raise explain_job_error(error, job) from None
        return answer

    async def aask(self, job: JobRequest) -> APIResponse:
        """Ask for a job's status once; see `ask`."""
        try:
            request = job.create_poll("/status")
            answer = await self._create_poller(request).asend(request)
            read_status(answer)
        except SegmindError as error:
            raise explain_job_error(error, job) from None
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

    def _finish(self, done: APIResponse | None, job: JobRequest) -> APIResponse:
        assert done is not None  # noqa: S101 - the last step has it
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
