"""From a request to its response: the gateway's behaviour, without an HTTP server."""

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Literal
from urllib.parse import quote

from langchain_segmind._api.endpoint import (
    COST_HEADER,
    CREDITS_PATH,
    GENERATION_TIME_HEADER,
    RATE_LIMIT_RESET_HEADER,
    REMAINING_CREDITS_HEADER,
    REQUEST_ID_HEADER,
    APIResponse,
)
from langchain_segmind._api.secrets import mask_secrets
from langchain_segmind.data._embedding_models import find_embedding_model
from langchain_segmind.data._profiles import find_model
from langchain_segmind.gateway import contract, embeddings
from langchain_segmind.gateway.backends import Backend, BackendError
from langchain_segmind.gateway.backends.scripted import Replies, ScriptedBackend
from langchain_segmind.gateway.contract import (
    RefusedError,
    create_error_response,
    create_json_response,
)
from langchain_segmind.gateway.faults import Faults, create_fault_response
from langchain_segmind.gateway.formats import FORMATS
from langchain_segmind.gateway.formats.common import InvalidBodyError
from langchain_segmind.gateway.ledger import Ledger
from langchain_segmind.gateway.options import Options, as_list, create_backend
from langchain_segmind.gateway.pricing import compute_cost, count_usage, estimate_cost
from langchain_segmind.gateway.queue import Answer, JobQueue
from langchain_segmind.gateway.rate_limit import RateLimiter
from langchain_segmind.gateway.request import Request

logger = logging.getLogger(__name__)

MAX_RECORDED_REQUESTS = 10_000
MAX_RECORDED_BYTES = 256 * 1024 * 1024

JOB_FAILURES = frozenset({400, 422, 500})
"""Scripted statuses that make a job fail. Any other error refuses its submit."""

MAX_ADMISSION_SECONDS = 0.2
"""How long a submit waits for a response of the script that refuses it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A response to send whole, to cut within its body, or to drop with its connection."""

    response: APIResponse
    mode: Literal["whole", "cut", "drop"] = "whole"


class Service:
    """The gateway behind its HTTP server, which calls `answer`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.requests: deque[Request] = deque()
        self.polls: deque[Request] = deque(maxlen=MAX_RECORDED_REQUESTS)
        self._recorded_bytes = 0
        self.ledger = Ledger(as_list(options.api_key), options.credits)
        self.faults = Faults(as_list(options.fault), options.fault_seed)
        self._limiter = RateLimiter(options.rpm, options.rate_window)
        self.queue = JobQueue(options.queue_delay, options.queue_retention)
        # Last: it can load a model, so errors in the options must surface first.
        self.backend: Backend = create_backend(options)
        self._initial_backend = self.backend

    def script(self, replies: Replies | None) -> None:
        """Answer from another script from now on."""
        self.backend = ScriptedBackend(replies)

    def reset(self) -> None:
        """Restore the initial balances, script, faults and limits; forget requests and jobs."""
        self.requests.clear()
        self.polls.clear()
        self._recorded_bytes = 0
        self.ledger.reset()
        self.faults.set(as_list(self._options.fault))
        self._limiter.reset()
        self.queue.reset()
        self.backend = self._initial_backend
        self.backend.reset()

    def close(self) -> None:
        """Release the backend's resources."""
        self._initial_backend.close()

    async def answer(self, request: Request, refusal: RefusedError | None = None) -> Delivery:
        """Return the response to a request; raises only if cancelled.

        Args:
            request: The request.
            refusal: Why it is refused; None if it is not known yet.
        """
        api_format = self._options.api_format or find_model(request.slug).api_format
        request = replace(request, api_format=api_format)
        self._record(request)
        outcome, cost, began = "client disconnected", "0", time.perf_counter()
        try:
            delivery = await self._answer_with_errors(request, refusal)
            status = str(delivery.response.status_code)
            outcome = {"whole": status, "cut": f"{status} cut"}.get(delivery.mode, "dropped")
            cost = delivery.response.headers.get(COST_HEADER, "0")
            return delivery
        finally:
            seconds = time.perf_counter() - began
            path = mask_secrets(quote(request.path, errors="replace"), self.ledger.api_keys)
            log = "%s %s %s, %s credits, %.3f s"
            logger.info(log, request.method, path, outcome, cost, seconds)

    def _record(self, request: Request) -> None:
        """Keep a request for tests, and drop the oldest ones beyond the limits."""
        if request.job_id is not None:
            self.polls.append(replace(request, body=b"", json=None))
            return
        self.requests.append(request)
        self._recorded_bytes += len(request.body)
        while (
            len(self.requests) > MAX_RECORDED_REQUESTS or self._recorded_bytes > MAX_RECORDED_BYTES
        ):
            self._recorded_bytes -= len(self.requests.popleft().body)

    async def _answer_with_errors(self, request: Request, refusal: RefusedError | None) -> Delivery:
        if refusal:
            return Delivery(_add_headers(refusal.response))
        try:
            return await self._answer(request)
        except Exception as error:  # noqa: BLE001 - logged if it is unexpected
            return Delivery(_add_headers(_create_failure(error)))

    async def _answer(self, request: Request) -> Delivery:
        contract.check_route(request)
        api_key = contract.check_key(request, self.ledger.api_keys)
        if request.job_id is not None:
            return await self._deliver(partial(self._poll, request, api_key), is_poll=True)
        if request.slug == CREDITS_PATH:
            balance = float(self.ledger.balance(api_key))
            body = {"credits": balance, "free-credits": 0.0}
            return Delivery(_add_headers(create_json_response(body)))
        if resets_at := self._limiter.hit(api_key, time.time()):
            headers = {RATE_LIMIT_RESET_HEADER: str(resets_at)}
            raise RefusedError(429, contract.RATE_LIMITED, headers)
        contract.check_body(request)
        if request.is_queued:
            return await self._deliver(partial(self._submit, request, api_key))
        self._check_parameters(request)
        return await self._deliver(partial(self._run, request, api_key))

    def _check_parameters(self, request: Request) -> None:
        extra_body_keys = as_list(self._options.extra_body_keys)
        if model := find_embedding_model(request.slug):
            embeddings.check_body(request.json, model)
            if self._options.strict:
                embeddings.check_strictly(request.json, model, extra_body_keys)
            return
        contract.check_parameters(request)
        if self._options.strict:
            contract.check_strictly(request, extra_body_keys)

    async def _deliver(
        self, respond: Callable[[], Awaitable[APIResponse]], *, is_poll: bool = False
    ) -> Delivery:
        """Return a response, or what the next fault makes of it."""
        latency, action = self.faults.next(is_poll=is_poll)
        await asyncio.sleep(latency)
        if response := create_fault_response(action, time.time()):
            return Delivery(_add_headers(response))
        if action == "drop":
            return Delivery(APIResponse(200, {}, b""), "drop")
        response = await respond()
        mode: Literal["whole", "cut", "drop"] = "whole"
        if action in {"cut", "late-drop"}:
            mode = "cut" if action == "cut" else "drop"
        return Delivery(response, mode)

    async def _run(self, request: Request, api_key: str) -> APIResponse:
        with self.ledger.reserve(api_key, _estimate(request)) as charge:
            began = time.perf_counter()
            answer = await self._compute(request)
            seconds = time.perf_counter() - began
            if answer.cost is None:
                return answer.response
            headers = {
                REMAINING_CREDITS_HEADER: f"{charge(answer.cost):f}",
                COST_HEADER: f"{answer.cost:f}",
                GENERATION_TIME_HEADER: f"{seconds:.3f}",
            }
        return _add_headers(answer.response, headers)

    async def _compute(self, request: Request) -> Answer:
        if model := find_embedding_model(request.slug):
            cost = embeddings.compute_cost(request, model)
            return Answer(embeddings.create_response(request, model), cost)
        reply = await self.backend.reply(request)
        if isinstance(reply, APIResponse):
            # A scripted raw response is not billed.
            return Answer(reply)
        usage = count_usage(request.messages, reply)
        completion = replace(reply, usage=usage, model=reply.model or request.slug)
        response = create_json_response(FORMATS[request.api_format].render(completion))
        cost = compute_cost(usage["prompt_tokens"], usage["completion_tokens"])
        return Answer(response, cost, reply.result)

    async def _submit(self, request: Request, api_key: str) -> APIResponse:
        reservation = ExitStack()
        charge = reservation.enter_context(self.ledger.reserve(api_key, _estimate(request)))
        work = partial(self._compute_for_job, request)
        job = self.queue.submit(api_key, len(request.body), work, charge)
        job.task.add_done_callback(lambda _task: reservation.close())
        with suppress(TimeoutError):
            await asyncio.wait_for(job.answered.wait(), MAX_ADMISSION_SECONDS)
        answer = job.answer
        if answer and not answer.is_success and answer.response.status_code not in JOB_FAILURES:
            self.queue.remove(job)
            return answer.response
        url = f"{request.origin}/v2/requests/{job.request_id}"
        body = {
            "request_id": job.request_id,
            "status": "QUEUED",
            "poll_url": f"{request.origin}/v1/requests/{job.request_id}",
            "status_url": f"{url}/status",
            "response_url": url,
        }
        return _add_headers(create_json_response(body))

    async def _compute_for_job(self, request: Request) -> Answer:
        try:
            self._check_parameters(request)
            return await self._compute(request)
        except Exception as error:  # noqa: BLE001 - logged if it is unexpected
            return Answer(_create_failure(error))

    async def _poll(self, request: Request, api_key: str) -> APIResponse:
        job = self.queue.find(api_key, request.job_id or "")
        is_status = request.path.endswith("/status")
        return _add_headers(job.get_status() if is_status else job.get_result())


def _estimate(request: Request) -> Decimal:
    if model := find_embedding_model(request.slug):
        return embeddings.estimate_cost(request, model)
    max_tokens = request.parameters.get("max_tokens")
    # The parameters of a job are checked only when it runs.
    is_valid = type(max_tokens) is int and max_tokens > 0
    return estimate_cost(request.messages, max_tokens if is_valid else None)


def _create_failure(error: Exception) -> APIResponse:
    """Return the response to a request that raised an error."""
    if isinstance(error, RefusedError):
        return error.response
    if isinstance(error, InvalidBodyError):
        return create_error_response(400, str(error))
    if isinstance(error, BackendError):
        return create_error_response(500, str(error))
    logger.error("The gateway failed", exc_info=error)
    return create_error_response(500, "Internal server error")


def _add_headers(response: APIResponse, headers: Mapping[str, str] | None = None) -> APIResponse:
    """Add headers and a request id, which every response but a raw one carries."""
    added = {**(headers or {}), REQUEST_ID_HEADER: uuid.uuid4().hex}
    return replace(response, headers={**response.headers, **added})
