"""A live table of what an agent spends, with a budget: `get_segmind_credits_callback` and rich.

make examples            a script answers through the local gateway: no key, no cost
LIVE=1 make examples     the same against Segmind, with SEGMIND_API_KEY set
"""

import time
from typing import TYPE_CHECKING

from langchain.agents import create_agent
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from connection import connect
from langchain_segmind import (
    SegmindBudgetExceededError,
    SegmindCreditsCallbackHandler,
    get_segmind_credits_callback,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from langchain_segmind.gateway import Request

BUDGET = 0.03
"""Credits (1 credit = 1 US dollar) that the run may spend."""
PACE = 0.2
"""Seconds that the script takes for a reply: a model is slower."""

POPULATION = {"Lisbon": 545_796, "Porto": 231_800, "Braga": 193_324, "Coimbra": 140_796}


def get_population(town: str) -> int:
    """Get how many people live in a town of Portugal."""
    return POPULATION[town]


QUESTION = f"Which of these has the most people, which the fewest: {', '.join(POPULATION)}?"


def main() -> None:
    """Let an agent work while the table shows what it spends."""
    with connect(reply, temperature=0) as model:
        agent = create_agent(model, [get_population])
        with (
            get_segmind_credits_callback(budget=BUDGET) as credits_,
            Live(get_renderable=lambda: render(credits_), refresh_per_second=10),
        ):
            for run in range(1, 4):
                try:
                    state = agent.invoke({"messages": [("user", QUESTION)]})
                except SegmindBudgetExceededError as error:
                    print(f"Run {run} was stopped: {error}")
                    break
                print(f"Run {run}: {state['messages'][-1].text}")


def render(credits_: SegmindCreditsCallbackHandler) -> "RenderableType":
    """Draw the table as it is now."""
    columns = ("model", "calls", "sent again", "tokens in", "tokens out", "credits")
    table = Table(*columns, title="Spending")
    for slug, usage in [*credits_.by_model.items(), ("all", credits_.total)]:
        figures = (usage.calls, usage.retried_requests, usage.input_tokens, usage.output_tokens)
        mark = "~" if usage.is_cost_estimated else ""
        table.add_row(slug, *map(str, figures), f"{mark}{usage.cost:.6f}")
    remaining = credits_.remaining_credits
    table.caption = f"left on the account: {'?' if remaining is None else f'{remaining:.6f}'}"
    return Group(table, ProgressBar(total=BUDGET, completed=credits_.total.cost, width=60))


def reply(request: "Request") -> str:
    """Answer as GPT-4 Turbo would: look the towns up one by one, then tell."""
    time.sleep(PACE)
    known = sum('name="get_population"' in message["content"] for message in request.messages)
    if known < len(POPULATION):
        return f"[get_population(town='{list(POPULATION)[known]}')]"
    return "Lisbon has the most people, 545,796; Coimbra has the fewest, 140,796."


if __name__ == "__main__":
    main()
