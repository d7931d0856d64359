"""A budget for LangChain agents, as middleware. Requires the extra `agents`."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal, NotRequired, get_args

from langchain_core.messages import AIMessage

from langchain_segmind.callbacks import SegmindCreditsCallbackHandler, get_segmind_credits_callback
from langchain_segmind.callbacks.usage import (
    COST_DIGITS,
    OnUnknownCost,
    check_credits,
    check_on_unknown_cost,
    describe_unknown_cost,
)
from langchain_segmind.exceptions import SegmindBudgetExceededError

try:
    from langchain.agents.middleware import (
        AgentMiddleware,
        AgentState,
        ExtendedModelResponse,
        ModelRequest,
        ModelResponse,
        hook_config,
    )
    from langchain.agents.middleware.types import OmitFromInput
    from langgraph.channels.untracked_value import UntrackedValue
    from langgraph.runtime import Runtime
    from langgraph.types import Command
except ImportError as error:
    raise ImportError(
        "SegmindCreditsMiddleware requires LangChain: pip install 'langchain-segmind[agents]'"
    ) from error

__all__ = ["SegmindCreditsMiddleware", "SegmindCreditsState"]

logger = logging.getLogger(__name__)

ExitBehavior = Literal["end", "error"]


class SegmindCreditsState(AgentState[Any]):
    """An agent's state, with the cost of its model calls.

    Attributes:
        credits_spent: Credits spent by all runs of this thread. Without a checkpointer, by this
            run.
        run_credits_spent: Credits spent by this run.
        credits_remaining: The account's remaining credits in the latest reply of this run that
            reported them; None if no reply of this run did.
        has_unknown_cost: Whether the cost of a request of this run is unknown: neither a price
            nor a balance was reported.
        has_unknown_thread_cost: The same, of all runs of this thread.
    """

    credits_spent: NotRequired[Annotated[float, OmitFromInput]]
    run_credits_spent: NotRequired[Annotated[float, UntrackedValue, OmitFromInput]]
    credits_remaining: NotRequired[Annotated[float | None, UntrackedValue, OmitFromInput]]
    has_unknown_cost: NotRequired[Annotated[bool, UntrackedValue, OmitFromInput]]
    has_unknown_thread_cost: NotRequired[Annotated[bool, OmitFromInput]]


class SegmindCreditsMiddleware(AgentMiddleware[SegmindCreditsState, Any, Any]):
    """Ends an agent's run when its budget is used up, and records costs in the agent's state.

    The state gets `credits_spent`, `run_credits_spent` and `credits_remaining`. They include the
    agent's calls of its model and the model's own retries. They do not include what tools and
    other middleware call, nor the failed calls of a retrying middleware that comes first in the
    list (such as `ModelRetryMiddleware`), so put this one first. If a run raises, its costs are
    not recorded. To count and limit everything, use `get_segmind_credits_callback` around the
    run.

    Args:
        budget: Credits (1 credit = 1 US dollar) that one run may spend. Once they are spent, the
            model is not called again. A run resumed after an interrupt counts as a new run.
            Defaults to None, no limit.
        thread_budget: Credits that all runs of a thread may spend together. Requires a
            checkpointer; without one it limits each run. Defaults to None, no limit.
        min_remaining: Credits that must remain on the account. The first call of a run is
            always made, since its reply reports the balance. Defaults to None, no limit.
        exit_behavior: `"end"` ends the run with a message that states the reason; `"error"`
            raises `SegmindBudgetExceededError`. Defaults to `"end"`.
        on_unknown_cost: What happens if a limit cannot be kept, because replies report neither a
            price nor a balance (for `min_remaining`, no balance). `"warn"` logs one warning per
            run; `"refuse"` does not call the model again. Defaults to `"warn"`.

    Raises:
        ValueError: If an amount is not a valid number of credits, or `exit_behavior` or
            `on_unknown_cost` is invalid.
        SegmindBudgetExceededError: From the agent, if `exit_behavior` is `"error"`.

    Source: https://docs.langchain.com/oss/python/langchain/middleware

    Example:
        ```python
        from langchain.agents import create_agent

        from langchain_segmind import ChatSegmind
        from langchain_segmind.middleware import SegmindCreditsMiddleware

        agent = create_agent(
            ChatSegmind(model="gpt-5.4-mini"), middleware=[SegmindCreditsMiddleware(budget=0.50)]
        )
        state = agent.invoke({"messages": [("user", "Say hello.")]})
        print(state["credits_spent"], state["credits_remaining"])
        ```
    """

    state_schema = SegmindCreditsState

    def __init__(
        self,
        *,
        budget: float | None = None,
        thread_budget: float | None = None,
        min_remaining: float | None = None,
        exit_behavior: ExitBehavior = "end",
        on_unknown_cost: OnUnknownCost = "warn",
    ) -> None:
        super().__init__()
        check_credits("budget", budget)
        check_credits("thread_budget", thread_budget)
        check_credits("min_remaining", min_remaining, is_negative_allowed=True)
        if exit_behavior not in get_args(ExitBehavior):
            raise ValueError(f'exit_behavior must be "end" or "error", not {exit_behavior!r}.')
        check_on_unknown_cost(on_unknown_cost)
        self.budget = budget
        self.thread_budget = thread_budget
        self.min_remaining = min_remaining
        self.exit_behavior = exit_behavior
        self.on_unknown_cost = on_unknown_cost

    @hook_config(can_jump_to=["end"])
    def before_model(
        self,
        state: SegmindCreditsState,
        runtime: Runtime[Any],  # noqa: ARG002 - the hook's signature
    ) -> dict[str, Any] | None:
        """End the run if a limit is reached.

        Args:
            state: The agent's state.
            runtime: LangGraph's runtime. Not used.
        """
        error = self._check_limits(state)
        if error is None:
            return None
        if self.exit_behavior == "error":
            raise error
        return {"jump_to": "end", "messages": [AIMessage(str(error))]}

    @hook_config(can_jump_to=["end"])
    async def abefore_model(
        self, state: SegmindCreditsState, runtime: Runtime[Any]
    ) -> dict[str, Any] | None:
        """End the run if a limit is reached; see `before_model`."""
        return self.before_model(state, runtime)

    def wrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], ModelResponse[Any]],
    ) -> ExtendedModelResponse[Any]:
        """Call the model and record the cost in the state.

        Args:
            request: The model request.
            handler: Calls the model.
        """
        with get_segmind_credits_callback() as credits_:
            response = handler(request)
        return self._add_costs(response, request, credits_)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ExtendedModelResponse[Any]:
        """Call the model and record the cost in the state; see `wrap_model_call`."""
        with get_segmind_credits_callback() as credits_:
            response = await handler(request)
        return self._add_costs(response, request, credits_)

    def _check_limits(self, state: SegmindCreditsState) -> SegmindBudgetExceededError | None:
        """Return the error for the limit that is reached, or None."""
        run_spent, thread_spent = (
            state.get("run_credits_spent", 0.0),
            state.get("credits_spent", 0.0),
        )
        remaining, floor = state.get("credits_remaining"), self.min_remaining
        budget, spent = self.budget, run_spent
        if budget is not None and spent >= budget:
            problem = f"the budget of {budget:g} credits is used up ({spent:g} spent)"
        elif self.thread_budget is not None and thread_spent >= self.thread_budget:
            budget, spent = self.thread_budget, thread_spent
            problem = f"this thread's budget of {budget:g} credits is used up ({spent:g} spent)"
        elif floor is not None and remaining is not None and remaining < floor:
            problem = f"only {remaining:g} credits remain (minimum {floor:g})"
        elif self.on_unknown_cost == "refuse" and (unknown := self._describe_unknown_cost(state)):
            problem = unknown
        else:
            return None
        return SegmindBudgetExceededError(
            f"Stopped: {problem}.",
            spent=spent,
            budget=budget,
            min_remaining=floor,
            remaining_credits=remaining,
        )

    def _describe_unknown_cost(self, state: Mapping[str, Any]) -> str | None:
        limits = {"has_unknown_cost": self.budget, "has_unknown_thread_cost": self.thread_budget}
        kept = [name for name, limit in limits.items() if limit is not None]
        return describe_unknown_cost(
            has_budget=bool(kept),
            has_unknown_cost=any(state.get(name, False) for name in kept),
            has_floor=self.min_remaining is not None,
            has_unknown_balance=state.get("credits_remaining", 0) is None,
        )

    def _add_costs(
        self,
        response: ModelResponse[Any],
        request: ModelRequest[Any],
        credits_: SegmindCreditsCallbackHandler,
    ) -> ExtendedModelResponse[Any]:
        """Return the response with an update of the state."""
        cost, remaining = credits_.total.cost, credits_.remaining_credits
        state: dict[str, Any] = dict(request.state)
        update: dict[str, float | None] = {
            name: round(state.get(name, 0.0) + cost, COST_DIGITS)
            for name in ("credits_spent", "run_credits_spent")
        }
        if remaining is not None:
            update["credits_remaining"] = remaining
        elif credits_.has_unknown_balance:
            update["credits_remaining"] = state.get("credits_remaining")
        if credits_.has_unknown_cost:
            update |= {"has_unknown_cost": True, "has_unknown_thread_cost": True}
        unknown = self._describe_unknown_cost({**state, **update})
        if unknown and self.on_unknown_cost == "warn" and not self._describe_unknown_cost(state):
            logger.warning("From a reply of Segmind: %s.", unknown)
        return ExtendedModelResponse(response, Command(update=update))
