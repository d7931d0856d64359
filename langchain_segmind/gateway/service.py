"""From a request to its response: the gateway's behaviour, without an HTTP server."""

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from langchain_segmind.data._profiles import find_model
from langchain_segmind.gateway import contract
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
from langchain_segmind.gateway.rate_limit import RateLimiter
from langchain_segmind.gateway.request import Request

logger = logging.getLogger(__name__)

MAX_RECORDED_REQUESTS = 10_000
MAX_RECORDED_BYTES = 256 * 1024 * 1024


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
        self._recorded_bytes = 0
        self.ledger = Ledger(as_list(options.api_key), options.credits)
        self.faults = Faults(as_list(options.fault), options.fault_seed)
        self._limiter = RateLimiter(options.rpm, options.rate_window)
        # Last: it can load a model, so errors in the options must surface first.
        self.backend: Backend = create_backend(options)
        self._initial_backend = self.backend

    def script(self, replies: Replies | None) -> None:
        """Answer from another script from now on."""
        self.backend = ScriptedBackend(replies)

    def reset(self) -> None:
        """Restore the initial balances, script, faults and rate limits; forget all requests."""
        self.requests.clear()
        self._recorded_bytes = 0
        self.ledger.reset()
        self.faults.set(as_list(self._options.fault))
        self._limiter.reset()
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
        except RefusedError as refused:
            response = refused.response
        except InvalidBodyError as error:
            response = create_error_response(400, str(error))
        except BackendError as error:
            response = create_error_response(500, str(error))
        except Exception:
            logger.exception("The gateway failed")
            response = create_error_response(500, "Internal server error")
        return Delivery(_add_headers(response))

    async def _answer(self, request: Request) -> Delivery:
        contract.check_route(request)
        api_key = contract.check_key(request, self.ledger.api_keys)
        if request.slug == CREDITS_PATH:
            balance = float(self.ledger.balance(api_key))
            body = {"credits": balance, "free-credits": 0.0}
            return Delivery(_add_headers(create_json_response(body)))
        if resets_at := self._limiter.hit(api_key, time.time()):
            headers = {RATE_LIMIT_RESET_HEADER: str(resets_at)}
            raise RefusedError(429, contract.RATE_LIMITED, headers)
        contract.check_chat(request)
        if self._options.strict:
            contract.check_strictly(request, as_list(self._options.extra_body_keys))
        latency, action = self.faults.next()
        await asyncio.sleep(latency)
        if response := create_fault_response(action, time.time()):
            return Delivery(_add_headers(response))
        if action == "drop":
            return Delivery(APIResponse(200, {}, b""), "drop")
        response = await self._run(request, api_key)
        return Delivery(response, "cut" if action == "cut" else "whole")

    async def _run(self, request: Request, api_key: str) -> APIResponse:
        estimate = estimate_cost(request.messages, request.parameters.get("max_tokens"))
        with self.ledger.reserve(api_key, estimate) as charge:
            began = time.perf_counter()
            reply = await self.backend.reply(request)
            seconds = time.perf_counter() - began
            if isinstance(reply, APIResponse):
                # A scripted raw response is not billed.
                return reply
            usage = count_usage(request.messages, reply)
            completion = replace(reply, usage=usage, model=reply.model or request.slug)
            response = create_json_response(FORMATS[request.api_format].render(completion))
            cost = compute_cost(usage["prompt_tokens"], usage["completion_tokens"])
            headers = {
                REMAINING_CREDITS_HEADER: str(charge(cost)),
                COST_HEADER: str(cost),
                GENERATION_TIME_HEADER: f"{seconds:.3f}",
            }
        return _add_headers(response, headers)


def _add_headers(response: APIResponse, headers: Mapping[str, str] | None = None) -> APIResponse:
    """Add headers and a request id, which every response but a raw one carries."""
    added = {**(headers or {}), REQUEST_ID_HEADER: uuid.uuid4().hex}
    return replace(response, headers={**response.headers, **added})
