"""The guard of a budget as a middleware of LangChain's agents. Needs the extra `agents`."""

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, NotRequired, get_args

from langchain_core.messages import AIMessage

from langchain_segmind.callbacks import SegmindCreditsCallbackHandler, get_segmind_credits_callback
from langchain_segmind.callbacks.usage import COST_DIGITS, check_credits
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
        "SegmindCreditsMiddleware needs LangChain: pip install 'langchain-segmind[agents]'"
    ) from error

__all__ = ["SegmindCreditsMiddleware", "SegmindCreditsState"]

logger = logging.getLogger(__name__)

ExitBehavior = Literal["end", "error"]


class SegmindCreditsState(AgentState[Any]):
    """An agent's state with what its model's calls cost.

    Attributes:
        credits_spent: Credits that were spent in this thread: since its first run where there is
            a checkpointer, else in this run.
        run_credits_spent: Credits that were spent in this run.
        credits_remaining: The account's credits as the latest reply of this run told them, or None.
    """

    credits_spent: NotRequired[Annotated[float, OmitFromInput]]
    run_credits_spent: NotRequired[Annotated[float, UntrackedValue, OmitFromInput]]
    credits_remaining: NotRequired[Annotated[float | None, UntrackedValue, OmitFromInput]]


class SegmindCreditsMiddleware(AgentMiddleware[SegmindCreditsState, Any, Any]):
    """Ends an agent's run once its budget is spent, and keeps the sums in the agent's state.

    The state has `credits_spent`, `run_credits_spent` and `credits_remaining`. Counted are the
    agent's own calls of its model, with what the model itself sends again. Put it first: what a
    middleware before it calls again, such as `ModelRetryMiddleware`, it does not see. Neither does
    it see what tools and other middleware call by themselves, and a run that raises leaves nothing
    in the state: `get_segmind_credits_callback` around the run counts, and limits, all.

    Args:
        budget: Credits (1 credit = 1 US dollar) that one run may spend; one that is resumed
            after an interrupt is a new run. A call that begins once they are spent is not made.
            None for no limit.
        thread_budget: Credits that all runs of a thread may spend together. A checkpointer keeps
            the sum; without one it bounds one run only.
        min_remaining: Credits that must remain on the account. A run's first call is made in any
            case: it tells how many there are.
        exit_behavior: `"end"` ends the run with a last message that says why; `"error"` raises
            the `SegmindBudgetExceededError`.

    Raises:
        ValueError: If an amount is no number of credits, or `exit_behavior` is neither.
        SegmindBudgetExceededError: From the agent, where `exit_behavior` is `"error"`.

    Source: https://docs.langchain.com/oss/python/langchain/middleware

    Example:
        ```python
        from langchain.agents import create_agent

        from langchain_segmind import ChatSegmindGPT4Turbo
        from langchain_segmind.middleware import SegmindCreditsMiddleware

        agent = create_agent(
            ChatSegmindGPT4Turbo(), middleware=[SegmindCreditsMiddleware(budget=0.50)]
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
    ) -> None:
        super().__init__()
        check_credits("budget", budget)
        check_credits("thread_budget", thread_budget)
        check_credits("min_remaining", min_remaining, is_negative_allowed=True)
        if exit_behavior not in get_args(ExitBehavior):
            raise ValueError(f'exit_behavior must be "end" or "error", not {exit_behavior!r}.')
        self.budget = budget
        self.thread_budget = thread_budget
        self.min_remaining = min_remaining
        self.exit_behavior = exit_behavior

    @hook_config(can_jump_to=["end"])
    def before_model(
        self,
        state: SegmindCreditsState,
        runtime: Runtime[Any],  # noqa: ARG002 - the hook's signature
    ) -> dict[str, Any] | None:
        """End the run where a limit is reached.

        Args:
            state: The agent's state.
            runtime: LangGraph's.
        """
        problem = self._find_problem(state)
        if problem is None:
            return None
        if self.exit_behavior == "error":
            raise problem
        return {"jump_to": "end", "messages": [AIMessage(f"I stopped here. {problem}")]}

    @hook_config(can_jump_to=["end"])
    async def abefore_model(
        self, state: SegmindCreditsState, runtime: Runtime[Any]
    ) -> dict[str, Any] | None:
        """End the run where a limit is reached; see `before_model`."""
        return self.before_model(state, runtime)

    def wrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], ModelResponse[Any]],
    ) -> ExtendedModelResponse[Any]:
        """Call the model, and put what it cost into the state.

        Args:
            request: What is asked.
            handler: Calls the model.
        """
        with get_segmind_credits_callback() as credits_:
            response = handler(request)
        return self._extend(response, request, credits_)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ExtendedModelResponse[Any]:
        """Call the model, and put what it cost into the state; see `wrap_model_call`."""
        with get_segmind_credits_callback() as credits_:
            response = await handler(request)
        return self._extend(response, request, credits_)

    def _find_problem(self, state: SegmindCreditsState) -> SegmindBudgetExceededError | None:
        """Find out which limit is reached."""
        run, thread = state.get("run_credits_spent", 0.0), state.get("credits_spent", 0.0)
        remaining, least = state.get("credits_remaining"), self.min_remaining
        budget, spent = self.budget, run
        if budget is not None and run >= budget:
            problem = f"{run:g} of the budget of {budget:g} credits are spent."
        elif self.thread_budget is not None and thread >= self.thread_budget:
            budget, spent = self.thread_budget, thread
            problem = f"{thread:g} of this thread's budget of {budget:g} credits are spent."
        elif least is not None and remaining is not None and remaining < least:
            problem = f"{remaining:g} credits remain, and {least:g} must."
        else:
            return None
        return SegmindBudgetExceededError(
            problem,
            spent=spent,
            budget=budget,
            min_remaining=least,
            remaining_credits=remaining,
        )

    def _extend(
        self,
        response: ModelResponse[Any],
        request: ModelRequest[Any],
        credits_: SegmindCreditsCallbackHandler,
    ) -> ExtendedModelResponse[Any]:
        cost, remaining = credits_.total.cost, credits_.remaining_credits
        state: dict[str, Any] = dict(request.state)
        update = {
            name: round(state.get(name, 0.0) + cost, COST_DIGITS)
            for name in ("credits_spent", "run_credits_spent")
        }
        if remaining is not None:
            update["credits_remaining"] = remaining
        return ExtendedModelResponse(response, Command(update=update))
