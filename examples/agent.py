"""An agent that calls tools: LangChain's `create_agent` with `ChatSegmind`.

make examples            a local gateway answers from a script: no key, no cost
LIVE=1 make examples     Segmind answers; needs SEGMIND_API_KEY
SEGMIND_MODEL=<slug> chooses another model.
"""

import textwrap
from typing import TYPE_CHECKING, Literal

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage

from connection import connect

if TYPE_CHECKING:
    from langchain_segmind.gateway import Request

Tea = Literal["black tea", "green tea"]

PRICES = {"black tea": 4.50, "green tea": 6.00}
STOCK = {"black tea": 0, "green tea": 12}


def get_price(tea: Tea) -> float:
    """Return the price of a pack of tea in euros."""
    return PRICES[tea]


def get_stock(tea: Tea) -> int:
    """Return how many packs of a tea are in stock."""
    return STOCK[tea]


def order(tea: Tea, packs: int) -> str:
    """Order packs of a tea that are in stock."""
    if packs > STOCK[tea]:
        return f"There are only {STOCK[tea]} packs of {tea}."
    return f"Ordered: {packs} x {tea}, {packs * PRICES[tea]:.2f} euros."


QUESTION = "Order two packs of tea, black if you have it, else green."


def main() -> None:
    """Run an agent on a request that takes several calls, and print its messages."""
    with connect(reply) as model:
        agent = create_agent(
            model,
            tools=[get_price, get_stock, order],
            system_prompt="You work in a tea shop.",
        )
        state = agent.invoke({"messages": [("user", QUESTION)]})
        for message in state["messages"]:
            print(describe(message))

        replies = [message for message in state["messages"] if isinstance(message, AIMessage)]
        left = replies[-1].response_metadata["remaining_credits"]
        print(f"\n{len(replies)} requests; credits left: {left}")


def describe(message: AnyMessage) -> str:
    """Return a message in lines of up to 79 columns: its type, its text, its calls of tools."""
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    parts = [message.text, *(f"{call['name']}({call['args']})" for call in calls)]
    return "\n".join(
        textwrap.fill(part, 79, initial_indent=f"{message.type}: ", subsequent_indent="  ")
        for part in parts
        if part
    )


def reply(request: "Request") -> str:
    """Answer as a model would. Calls of tools and their results are text."""
    last = request.last_message
    if last == QUESTION:
        return "[get_stock(tea='black tea'), get_stock(tea='green tea')]"
    if 'name="get_stock"' in last and "\n12\n" in last:
        return "[order(tea='green tea', packs=2)]"
    return "Black tea is sold out, so I ordered two packs of green tea for 12.00 euros."


if __name__ == "__main__":
    main()
