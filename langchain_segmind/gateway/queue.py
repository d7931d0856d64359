"""The queue of `/v2`: jobs run in the background, and clients poll for their results."""

import asyncio
import math
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from http.client import responses
from typing import Any

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind.gateway.contract import RefusedError, create_json_response
from langchain_segmind.gateway.request import parse_json

MAX_JOBS = 10_000
MAX_JOB_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered.

    Attributes:
        response: The response to a synchronous call, without the headers of the gateway.
        cost: The credits to charge; None for an error or a raw response, which are free.
        result: Keys that replace or extend those of a job's result.
    """

    response: APIResponse
    cost: Decimal | None = None
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        """Whether the status is below 300."""
        return self.response.status_code < HTTPStatus.MULTIPLE_CHOICES


class Job:
    """A request in the queue, and its result once it has ended.

    Attributes:
        request_id: The id to poll for.
        api_key: The key that submitted it; no other one can poll it.
        submitted_at: The time of the submit on the monotonic clock.
        size: The bytes that it keeps: the request's body at first, then the result's.
        answer: What the model answered; None until then. The job ends after the queue's delay.
        answered: Set once there is an answer.
        task: Runs the job.
    """

    task: asyncio.Task[None]

    def __init__(self, api_key: str, size: int, delay: float) -> None:
        self.request_id = uuid.uuid4().hex
        self.api_key = api_key
        self.size = size
        self.submitted_at = time.monotonic()
        self.answer: Answer | None = None
        self.answered = asyncio.Event()
        self._queue_seconds = delay / 2
        self._status_response: APIResponse | None = None
        self._result_response: APIResponse | None = None

    def get_status(self) -> APIResponse:
        """Return the response to a poll for the status."""
        return self._status_response or create_json_response(self._describe_progress())

    def get_result(self) -> APIResponse:
        """Return the response to a poll for the result."""
        unfinished = {"error": None, "output": None}
        return self._result_response or create_json_response(
            {**self._describe_progress(), **unfinished}
        )

    def complete(self, answer: Answer, balance: Decimal) -> None:
        """End with the model's answer.

        Args:
            answer: The answer, a success.
            balance: The credits that the key has left.
        """
        times = self._measure()
        head = {"status": "COMPLETED", "request_id": self.request_id}
        bill = {"cost": float(answer.cost or 0), "remaining_credits": float(balance)}
        result = {
            **head,
            "error": None,
            "metrics": {**bill, **times},
            "output": answer.response.body.decode(errors="replace"),
            **answer.result,
        }
        metrics = {"inference_time": times["inference_time"]}
        self._status_response = create_json_response({**head, "metrics": metrics})
        self._result_response = create_json_response(result)
        self.size = len(self._result_response.body)

    def fail(self, error: Any) -> None:
        """End without an answer; nothing is charged."""
        body = {
            "status": "FAILED",
            "error": error,
            "request_id": self.request_id,
            "metrics": self._measure(),
        }
        self._status_response = self._result_response = create_json_response(body, 422)
        self.size = len(self._result_response.body)

    def _describe_progress(self) -> dict[str, Any]:
        is_waiting = time.monotonic() - self.submitted_at < self._queue_seconds
        status = "QUEUED" if is_waiting else "PROCESSING"
        return {"status": status, "request_id": self.request_id, "metrics": {}}

    def _measure(self) -> dict[str, float]:
        total = time.monotonic() - self.submitted_at
        queued = min(self._queue_seconds, total)
        times = {"inference_time": total - queued, "queue_time": queued, "total_time": total}
        return {name: round(seconds, 3) for name, seconds in times.items()}


class JobQueue:
    """Runs jobs, and keeps each for `retention` seconds after its submit.

    Beyond `MAX_JOBS` and `MAX_JOB_BYTES` the oldest jobs are forgotten, and cancelled if they run.

    Args:
        delay: Seconds from the submit to the end of a job. For the first half it is QUEUED, then
            PROCESSING until the delay is over and there is an answer.
        retention: Seconds until a job is forgotten.

    Raises:
        ValueError: `delay` is negative, `retention` is not positive, or one is not finite.
    """

    def __init__(self, delay: float, retention: float) -> None:
        if not 0 <= delay < math.inf:
            raise ValueError(f"queue_delay must be a number of seconds from 0, not {delay}")
        if not 0 < retention < math.inf:
            raise ValueError(f"queue_retention must be a positive number of seconds: {retention}")
        self._delay = delay
        self._retention = retention
        self._tasks: set[asyncio.Task[None]] = set()
        self.reset()

    def submit(
        self,
        api_key: str,
        size: int,
        work: Callable[[], Awaitable[Answer]],
        charge: Callable[[Decimal], Decimal],
    ) -> Job:
        """Start a job and return it.

        Args:
            api_key: The key that submits it.
            size: The bytes of the request's body.
            work: Computes the answer; raises only if cancelled.
            charge: Charges a cost and returns the balance; called once if the job completes.
        """
        job = Job(api_key, size, self._delay)
        self._jobs[job.request_id] = job
        self._bytes += size
        job.task = asyncio.create_task(self._run(job, work, charge))
        self._tasks.add(job.task)
        job.task.add_done_callback(self._tasks.discard)
        self._drop_old_jobs()
        return job

    def find(self, api_key: str, request_id: str) -> Job:
        """Return a job.

        Raises:
            RefusedError: 404 if the id is unknown or expired, or belongs to another key.
        """
        self._drop_old_jobs()
        job = self._jobs.get(request_id)
        if job is None or job.api_key != api_key:
            raise RefusedError(404, f"Request {request_id} not found")
        return job

    def remove(self, job: Job) -> None:
        """Forget a job, and cancel it if it still runs."""
        if self._jobs.pop(job.request_id, None):
            self._bytes -= job.size
        job.task.cancel()

    def reset(self) -> None:
        """Forget all jobs; those that still run end unseen."""
        self._jobs: dict[str, Job] = {}
        self._bytes = 0

    async def stop(self) -> None:
        """Cancel the jobs that still run."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(
        self, job: Job, work: Callable[[], Awaitable[Answer]], charge: Callable[[Decimal], Decimal]
    ) -> None:
        request_size = job.size
        try:
            answer = job.answer = await work()
            job.answered.set()
            await asyncio.sleep(max(0, job.submitted_at + self._delay - time.monotonic()))
            if answer.is_success:
                job.complete(answer, charge(answer.cost or Decimal(0)))
            else:
                job.fail(_read_error(answer.response))
        except asyncio.CancelledError:
            job.fail("The server stopped")
            raise
        finally:
            if job.request_id in self._jobs:
                self._bytes += job.size - request_size

    def _drop_old_jobs(self) -> None:
        expired = time.monotonic() - self._retention
        while self._jobs:
            oldest = next(iter(self._jobs.values()))
            if oldest.submitted_at <= expired:
                # It may still run: its answer will be charged, but nobody can fetch it.
                del self._jobs[oldest.request_id]
                self._bytes -= oldest.size
            elif len(self._jobs) > MAX_JOBS or self._bytes > MAX_JOB_BYTES:
                self.remove(oldest)
            else:
                return


def _read_error(response: APIResponse) -> Any:
    """Return the error in a response's body, or else its text or the name of its status."""
    try:
        error = parse_json(response.body)["error"]
    except (ValueError, LookupError, TypeError):
        error = None
    status = response.status_code
    text = response.body.decode(errors="replace")
    return error or text or responses.get(status, f"Status {status}")
