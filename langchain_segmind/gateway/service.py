"""From a request to an answer: the gateway's whole behaviour, with no HTTP server in sight."""

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Literal

from langchain_segmind._api.endpoint import (
    COST_HEADER,
    GENERATION_TIME_HEADER,
    RATE_LIMIT_RESET_HEADER,
    REMAINING_CREDITS_HEADER,
    REQUEST_ID_HEADER,
    APIResponse,
)
from langchain_segmind.gateway import contract
from langchain_segmind.gateway.backends import Backend, BackendError, Replies, ScriptedBackend
from langchain_segmind.gateway.contract import Refusal, error_reply, json_reply
from langchain_segmind.gateway.fault_replies import fault_reply
from langchain_segmind.gateway.faults import FAULT_HEADER, Action, FaultBook, FaultError
from langchain_segmind.gateway.ledger import InsufficientCreditsError, Ledger
from langchain_segmind.gateway.options import (
    DEFAULT_API_KEY,
    DEFAULT_CREDITS,
    BackendName,
    create_backend,
)
from langchain_segmind.gateway.pricing import cost_micros, estimate_micros, to_credits
from langchain_segmind.gateway.rate_limit import WINDOW_SECONDS, RateLimiter
from langchain_segmind.gateway.replies import Completion, completion_body
from langchain_segmind.gateway.request import Request
from langchain_segmind.gateway.slugs import OPENAI_SHAPE_SLUGS

_logger = logging.getLogger(__name__)

MOST_REQUESTS = 10_000
"""Requests that are remembered: a gateway may run for days."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An answer, and how to send it.

    Attributes:
        reply: The answer.
        manner: `whole`; `cut` short in its body; or `drop` the connection instead.
    """

    reply: APIResponse
    manner: Literal["whole", "cut", "drop"] = "whole"


class Service:
    """The gateway behind its HTTP server; takes the keyword arguments of `Options`.

    Attributes:
        requests: The last 10,000 requests, oldest first.
        ledger: The balances.
        backend: What answers now.
        faults: The faults of the option.

    Raises:
        ValueError: An option is malformed.
    """

    def __init__(
        self,
        *,
        backend: BackendName | Backend | None = None,
        replies: Replies | None = None,
        model_path: str | Path | None = None,
        upstream: str | None = None,
        upstream_model: str | None = None,
        upstream_api_key: str | None = None,
        api_key: str | Sequence[str] = DEFAULT_API_KEY,
        credits: Decimal | float | str = DEFAULT_CREDITS,  # noqa: A002 - the header's own word
        rpm: int | None = None,
        rate_window: float = WINDOW_SECONDS,
        fault: str | Sequence[str] | None = (),
        fault_seed: int | None = None,
        slug: str | Sequence[str] | None = (),
        strict: bool = False,
        extra_body_keys: Sequence[str] = (),
    ) -> None:
        self.requests: deque[Request] = deque(maxlen=MOST_REQUESTS)
        self.ledger = Ledger(_as_list(api_key), credits)
        self.faults = FaultBook(_as_list(fault), fault_seed)
        self._first_faults = _as_list(fault)
        self._slugs = OPENAI_SHAPE_SLUGS | set(_as_list(slug))
        self._limiter = RateLimiter(rpm, time.time, rate_window)
        self._strict = strict
        self._extra_body_keys = _as_list(extra_body_keys)
        # Last, since it may load a model: a malformed option is told of before.
        self.backend = self._first_backend = create_backend(
            backend,
            replies=replies,
            model_path=model_path,
            upstream=upstream,
            upstream_model=upstream_model,
            upstream_api_key=upstream_api_key,
            extra_body_keys=self._extra_body_keys,
        )

    def script(self, replies: Replies | None) -> None:
        """Answer from another script from now on."""
        self.backend = ScriptedBackend(replies)

    def reset(self) -> None:
        """Go back to the start: balances, script, faults, rate limits, requests."""
        self.requests.clear()
        self.ledger.reset()
        self.faults.set(self._first_faults)
        self._limiter.reset()
        self.backend = self._first_backend
        self.backend.reset()

    def close(self) -> None:
        """Let go of what the backend holds."""
        self._first_backend.close()

    async def answer(self, request: Request) -> Delivery:
        """Answer one request; never raises but when cancelled.

        Args:
            request: The request.

        Returns:
            What to send, and how.
        """
        self.requests.append(request)
        request_id = uuid.uuid4().hex
        try:
            return await self._answer(request, request_id)
        except Refusal as refusal:
            reply = refusal.reply
        except BackendError as error:
            reply = error_reply(500, str(error))
        except Exception:
            _logger.exception("The gateway failed")
            reply = error_reply(500, "Internal server error")
        return Delivery(_with_id(reply, request_id))

    async def _answer(self, request: Request, request_id: str) -> Delivery:
        route = contract.check_route(request)
        api_key = contract.check_key(request, self.ledger)
        if route == "chat":
            self._check_chat(request, api_key)
        actions = self._actions_for(request, route)
        await asyncio.sleep(sum(each.value for each in actions if each.name == "latency"))
        action = next((each for each in actions if each.name != "latency"), None)
        if action is not None:
            reply = fault_reply(action, time.time())
            if reply is not None:
                return Delivery(_with_id(reply, request_id))
            if action.name == "drop":
                return Delivery(APIResponse(200, {}, b""), "drop")
        reply = await self._run(request, api_key, request_id, route)
        return Delivery(reply, "cut" if action is not None else "whole")

    def _check_chat(self, request: Request, api_key: str) -> None:
        contract.check_slug(request, self._slugs)
        resets_at = self._limiter.hit(api_key)
        if resets_at is not None:
            headers = {RATE_LIMIT_RESET_HEADER: str(resets_at)}
            raise Refusal(error_reply(429, "Rate limit exceeded", headers))
        contract.check_content_type(request)
        contract.check_body(request)
        if self._strict:
            contract.check_strictly(request, self._extra_body_keys)

    def _actions_for(self, request: Request, route: contract.Route) -> list[Action]:
        header = request.headers.get(FAULT_HEADER)
        if header is None and route == "credits":
            return []
        try:
            return self.faults.next(header)
        except FaultError as error:
            raise Refusal(error_reply(400, str(error))) from error

    async def _run(
        self, request: Request, api_key: str, request_id: str, route: contract.Route
    ) -> APIResponse:
        if route == "credits":
            balance = float(self.ledger.balance(api_key))
            return _with_id(json_reply({"credits": balance, "free-credits": 0.0}), request_id)
        estimate = estimate_micros(request.messages, request.json.get("max_tokens"))
        try:
            reservation = self.ledger.reserve(api_key, estimate)
        except InsufficientCreditsError as error:
            text = contract.insufficient_credits_text(error.balance, error.need)
            raise Refusal(error_reply(406, text)) from error
        with reservation:
            began = time.perf_counter()
            outcome = await self.backend.reply(request)
            seconds = time.perf_counter() - began
            if not isinstance(outcome, Completion):
                return outcome
            body = completion_body(
                outcome,
                request,
                reply_id=f"chatcmpl-{uuid.uuid4().hex}",
                created=int(time.time()),
            )
            usage = body["usage"]
            cost = cost_micros(usage["prompt_tokens"], usage["completion_tokens"])
            reply = json_reply(body)
            accounts = {
                REMAINING_CREDITS_HEADER: str(to_credits(reservation.settle(cost))),
                COST_HEADER: str(to_credits(cost)),
                GENERATION_TIME_HEADER: f"{seconds:.3f}",
            }
        return _with_id(replace(reply, headers={**reply.headers, **accounts}), request_id)


def _with_id(reply: APIResponse, request_id: str) -> APIResponse:
    return replace(reply, headers={**reply.headers, REQUEST_ID_HEADER: request_id})


def _as_list(value: str | Sequence[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
