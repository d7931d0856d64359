"""Show an agent's spending in a live table, and stop it at a budget.

make examples            scripted replies from the local gateway: no key, no cost
LIVE=1 make examples     real replies from Segmind; needs SEGMIND_API_KEY
SEGMIND_MODEL=<slug> chooses another model.
--svg FILE               also saves the last state of the screen as a picture
"""

import argparse
import io
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from langchain.agents import create_agent
from rich.box import SIMPLE
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from connection import connect
from langchain_segmind import (
    SegmindBudgetExceededError,
    SegmindCreditsCallbackHandler,
    get_segmind_credits_callback,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from langchain_segmind.gateway import Request

BUDGET = 0.03
"""Credits (1 credit = 1 US dollar) that all runs may spend together."""
REPLY_SECONDS = 0.1
"""How long a scripted reply takes, so that the table can be watched."""
COLUMNS = 72
"""The width of the table and of the picture, in characters."""

POPULATION = {"Lisbon": 545_796, "Porto": 231_800, "Braga": 193_324, "Coimbra": 140_796}


def get_population(town: str) -> int:
    """Get the population of a town in Portugal."""
    return POPULATION[town]


QUESTION = f"Which of these towns is the largest, and which the smallest: {', '.join(POPULATION)}?"


def main() -> None:
    """Run an agent until its budget is used up, and show what it spends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--svg", type=Path, metavar="FILE", help="save the last state as a picture")
    picture = parser.parse_args().svg
    lines: list[RenderableType] = []
    with connect(reply) as model:
        agent = create_agent(model, [get_population])
        with (
            get_segmind_credits_callback(budget=BUDGET) as credits_,
            Live(get_renderable=lambda: render(credits_, lines), refresh_per_second=10),
        ):
            for run in range(1, 4):
                try:
                    state = agent.invoke({"messages": [("user", QUESTION)]})
                except SegmindBudgetExceededError as error:
                    spent = f"{error.spent:g} of {BUDGET:g} credits spent"
                    lines.append(Text(f"Run {run} was stopped: {spent}."))
                    break
                lines.append(Text(f"Run {run}: {state['messages'][-1].text}"))
    if picture:
        picture.write_text(draw(render(credits_, lines)), encoding="utf-8")


def render(
    credits_: SegmindCreditsCallbackHandler, lines: "Iterable[RenderableType]"
) -> "RenderableType":
    """Return the lines, and the table and the bar with the current figures."""
    columns = ("model", "calls", "retries", "tokens in", "tokens out", "credits")
    table = Table(title="Spending", box=SIMPLE, width=COLUMNS)
    for column in columns:
        table.add_column(column, justify="left" if column == "model" else "right")
    for slug, usage in [*credits_.by_model.items(), ("all", credits_.total)]:
        figures = (usage.calls, usage.retried_requests, usage.input_tokens, usage.output_tokens)
        mark = "~" if usage.is_cost_estimated else ""
        table.add_row(slug, *map(str, figures), f"{mark}{usage.cost:.6f}")
    remaining = credits_.remaining_credits
    table.caption = f"remaining on the account: {'?' if remaining is None else f'{remaining:.6f}'}"
    bar = ProgressBar(total=BUDGET, completed=credits_.total.cost, width=COLUMNS)
    return Group(*lines, table, bar)


def draw(screen: "RenderableType") -> str:
    """Return an SVG of a terminal that shows this. It loads nothing, not even a font."""
    console = Console(file=io.StringIO(), record=True, width=COLUMNS)
    console.print(screen)
    svg = console.export_svg(title="credits_dashboard.py", unique_id="dashboard")
    return re.sub(r"@font-face {.*?}", "", svg, flags=re.DOTALL)


def reply(request: "Request") -> str:
    """Answer as the model would: call the tool for one town after the other, then conclude."""
    time.sleep(REPLY_SECONDS)
    known = sum('name="get_population"' in message["content"] for message in request.messages)
    if known < len(POPULATION):
        return f"[get_population(town='{list(POPULATION)[known]}')]"
    return "Lisbon is the largest (545,796), Coimbra the smallest (140,796)."


if __name__ == "__main__":
    main()
