"""A gateway for the tests of applications: what `segmind_gateway`, pytest's fixture, gives.

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
from langchain_segmind.gateway import Gateway, Request
from langchain_segmind.gateway.contract import error_reply
from langchain_segmind.gateway.fault_replies import fault_reply
from langchain_segmind.gateway.faults import parse_fault
from langchain_segmind.gateway.replies import parse_entry

__all__ = ["SegmindTestGateway"]

NOTHING_TO_SAY = (
    "The test has no reply for this request; say what the model answers, in order: "
    "segmind_gateway.reply(...), .tool_call(...) or .fail(...)."
)


class SegmindTestGateway:
    """Answers the requests of a test with what the test says, in order.

    A request beyond that is refused with a 400 that says so, which no model sends again.

    Attributes:
        gateway: The gateway itself, with all that it can do (`docs/gateway.md`).

    Example:
        ```python
        from langchain_segmind import ChatSegmindGPT4Turbo
        from langchain_segmind.gateway import Gateway
        from langchain_segmind.testing import SegmindTestGateway

        with Gateway() as gateway:
            test_gateway = SegmindTestGateway(gateway).reply("Hello!")
            model = ChatSegmindGPT4Turbo(base_url=gateway.base_url, api_key=gateway.api_key)
            assert model.invoke("Hi").text == "Hello!"
            assert test_gateway.requests[-1].last_message == "Hi"
        ```
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._turns: deque[Any] = deque()
        gateway.script(self._answer)

    def reply(self, content: str, **completion: Any) -> Self:
        """Let the model answer the next request with a text.

        Args:
            content: The text.
            completion: `finish_reason`, `usage` or `model`, as in a script of the gateway.

        Raises:
            ValueError: If there is another one, or a value cannot be right.
        """
        self._turns.append(parse_entry({"content": content, **completion}).answer)
        return self

    def tool_call(
        self, name: str, args: Mapping[str, Any] | None = None, **completion: Any
    ) -> Self:
        """Let the model answer the next request with the call of a tool.

        Several calls in one reply are a text: `.reply("[add(a=1, b=2), add(a=3, b=4)]")`.

        Args:
            name: The tool's name.
            args: Its arguments.
            completion: As for `reply`.
        """
        call = tool_call(name=name, args=dict(args or {}), id=None)
        return self.reply(render_calls([call]), **completion)

    def fail(self, fault: int | str, *, retry_after: float | None = 0) -> Self:
        """Let the next request fail.

        Args:
            fault: A status from 300 to 599, or `"html"`, `"not-json"`, `"no-choices"`,
                `"error-body"` or `"empty"` for a success that is none.
            retry_after: Seconds that the server asks to wait, so that a model that tries again
                does not keep the test waiting; None sends what Segmind does.

        Raises:
            ValueError: If there is no such fault.
        """
        schedule = parse_fault(str(fault))
        is_one = len(schedule.actions) == 1 and schedule.rate is None
        answer = fault_reply(schedule.actions[0], time.time()) if is_one else None
        if answer is None:
            raise ValueError(
                f"{fault!r} is no answer to one request; see segmind_gateway.gateway.faults(...)."
            )
        if retry_after is not None and answer.status_code >= 400:  # noqa: PLR2004 - errors begin there
            headers = {**answer.headers, RETRY_AFTER_HEADER: f"{retry_after:g}"}
            answer = replace(answer, headers=headers)
        self._turns.append(answer)
        return self

    @property
    def requests(self) -> list[Request]:
        """The requests that came, oldest first."""
        return self.gateway.requests

    @property
    def pending(self) -> int:
        """How many answers nobody asked for yet."""
        return len(self._turns)

    def check_pending(self) -> None:
        """Check that every answer was asked for; the fixture does so at the end of a test.

        Raises:
            AssertionError: If there are answers left.
        """
        if self._turns:
            raise AssertionError(
                f"{self.pending} of the test's answers were never asked for. A model that is made "
                "before the test, or has a base_url of its own, does not call this gateway; "
                "segmind_gateway.clear() where it is meant."
            )

    def clear(self) -> None:
        """Take back the answers that nobody asked for."""
        self._turns.clear()

    @property
    def credits(self) -> float:
        """The credits that are left."""
        return float(self.gateway.credits())

    def set_credits(self, amount: float) -> None:
        """Set the credits that are left.

        Args:
            amount: Credits.
        """
        self.gateway.ledger.set_balance(self.gateway.api_key, str(amount))

    async def _answer(self, request: Request) -> Any:  # noqa: ARG002 - a script takes the request
        return self._turns.popleft() if self._turns else _REFUSAL


_REFUSAL: APIResponse = error_reply(400, NOTHING_TO_SAY)
