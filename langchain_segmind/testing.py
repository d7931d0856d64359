"""A gateway for the tests of applications; pytest's fixture `segmind_gateway` provides it.

Needs the extra `gateway`.
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from langchain_core.messages.tool import tool_call

from langchain_segmind._api.endpoint import RETRY_AFTER_HEADER, APIResponse
from langchain_segmind._tools import render_calls
from langchain_segmind.gateway import Completion, Gateway, Request
from langchain_segmind.gateway.contract import create_error_response
from langchain_segmind.gateway.faults import create_fault_response

__all__ = ["SegmindTestGateway"]

_NO_RESPONSE = create_error_response(
    400,
    "The test has no response for this request. Add one for each request, in order: "
    "segmind_gateway.reply(...), .tool_call(...) or .fail(...).",
)


class SegmindTestGateway:
    """Answers the requests of a test with the queued responses, in order.

    A request without a queued response gets a 400 that says so, which models do not retry.

    Attributes:
        gateway: The underlying gateway with all its features (`docs/gateway.md`).

    Example:
        ```python
        from langchain_segmind import ChatSegmind
        from langchain_segmind.gateway import Gateway
        from langchain_segmind.testing import SegmindTestGateway

        with Gateway() as gateway:
            test_gateway = SegmindTestGateway(gateway).reply("Hello!")
            model = ChatSegmind(
                model="gpt-5.4-mini", base_url=gateway.base_url, api_key=gateway.api_key
            )
            assert model.invoke("Hi").text == "Hello!"
            assert test_gateway.requests[-1].last_message == "Hi"
        ```
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._queue: deque[Completion | APIResponse] = deque()
        gateway.script(self._respond)

    async def _respond(self, request: Request) -> Completion | APIResponse:  # noqa: ARG002 - scripts get the request
        return self._queue.popleft() if self._queue else _NO_RESPONSE

    def reply(self, content: str | None, **completion: Any) -> Self:
        """Queue a reply of the model.

        Args:
            content: The text; None for none.
            completion: `finish_reason`, `usage`, `model`, `reasoning`, `tool_calls` or `result`, as
                in a script of the gateway.

        Raises:
            TypeError: An argument is unknown.
            ValueError: `usage`, `reasoning`, `tool_calls` or `result` is not valid.
        """
        self._queue.append(Completion(content, **completion))
        return self

    def tool_call(
        self, name: str, args: Mapping[str, Any] | None = None, **completion: Any
    ) -> Self:
        """Queue a reply of the model that calls a tool in its text, as the prompt asks for.

        For several calls in one reply use `.reply("[add(a=1, b=2), add(a=3, b=4)]")`; for a
        native call, `.reply(None, tool_calls=[{"name": "add", "args": {"a": 1, "b": 2}}])`.

        Args:
            name: The tool's name.
            args: The tool's arguments.
            completion: See `reply`.
        """
        call = tool_call(name=name, args=dict(args or {}), id=None)
        return self.reply(render_calls([call]), **completion)

    def fail(self, fault: int | str, *, retry_after: float | None = 0) -> Self:
        """Queue a failure.

        Args:
            fault: A status from 300 to 599; or `"html"`, `"not-json"`, `"no-choices"`,
                `"error-body"` or `"empty"` for a 200 with an unusable body.
            retry_after: Seconds that the `Retry-After` header of an error asks to wait. The
                default lets models retry at once; None sends the headers that Segmind sends.

        Raises:
            ValueError: The fault is not one of these.
        """
        response = create_fault_response(str(fault), time.time())
        if response is None:
            raise ValueError(
                f"{fault!r} is not a failure: pass a status from 300 to 599, or 'html', "
                "'not-json', 'no-choices', 'error-body' or 'empty'. For schedules, delays and "
                "dropped connections use segmind_gateway.gateway.faults(...)."
            )
        if retry_after is not None and response.status_code >= 400:  # noqa: PLR2004 - errors start here
            headers = {**response.headers, RETRY_AFTER_HEADER: f"{retry_after:g}"}
            response = replace(response, headers=headers)
        self._queue.append(response)
        return self

    @property
    def requests(self) -> list[Request]:
        """The requests received, oldest first."""
        return self.gateway.requests

    @property
    def pending(self) -> int:
        """The number of queued responses that were not requested yet."""
        return len(self._queue)

    def check_pending(self) -> None:
        """Check that all queued responses were requested; the fixture does so after a test.

        Raises:
            AssertionError: Responses are left in the queue.
        """
        if self._queue:
            raise AssertionError(
                f"Queued responses that were never requested: {self.pending}. A model created "
                "before the test, or with its own base_url, does not call this gateway. If the "
                "test leaves responses on purpose, end it with segmind_gateway.clear()."
            )

    def clear(self) -> None:
        """Discard the queued responses."""
        self._queue.clear()

    @property
    def credits(self) -> float:
        """The remaining credits."""
        return float(self.gateway.credits())

    def set_credits(self, amount: float) -> None:
        """Set the remaining credits."""
        self.gateway.ledger.set_balance(self.gateway.api_key, str(amount))
