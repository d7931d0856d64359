"""An agent that calls tools: LangChain's `create_agent` with `ChatSegmindGPT4Turbo`.

make examples            a script answers through the local gateway: no key, no cost
LIVE=1 make examples     the same against Segmind, with SEGMIND_API_KEY set
"""

from typing import TYPE_CHECKING, Literal

from langchain.agents import create_agent
from langchain_core.messages import AIMessage

from connection import connect

if TYPE_CHECKING:
    from langchain_segmind.gateway import Request

Tea = Literal["black tea", "green tea"]

PRICES = {"black tea": 4.50, "green tea": 6.00}
STOCK = {"black tea": 0, "green tea": 12}


def get_price(tea: Tea) -> float:
    """Get the price of a pack of tea in euros."""
    return PRICES[tea]


def get_stock(tea: Tea) -> int:
    """Get how many packs of a tea are in stock."""
    return STOCK[tea]


def order(tea: Tea, packs: int) -> str:
    """Order packs of a tea. Only what is in stock can be ordered."""
    if packs > STOCK[tea]:
        return f"There are only {STOCK[tea]} packs of {tea}."
    return f"Ordered: {packs} x {tea}, {packs * PRICES[tea]:.2f} euros."


QUESTION = "Order two packs of tea, black if you have it, else green."


def main() -> None:
    """Ask for something that takes several calls."""
    with connect(reply, temperature=0) as model:
        agent = create_agent(
            model,
            tools=[get_price, get_stock, order],
            system_prompt="You work in a tea shop.",
        )
        state = agent.invoke({"messages": [("user", QUESTION)]})
        for message in state["messages"]:
            message.pretty_print()

        replies = [message for message in state["messages"] if isinstance(message, AIMessage)]
        left = replies[-1].response_metadata["remaining_credits"]
        print(f"\n{len(replies)} requests; credits left: {left}")


def reply(request: "Request") -> str:
    """Answer as GPT-4 Turbo would; tools are called and their results come back in text."""
    said = request.last_message
    if said == QUESTION:
        return "[get_stock(tea='black tea'), get_stock(tea='green tea')]"
    if 'name="get_stock"' in said and "\n12\n" in said:
        return "[order(tea='green tea', packs=2)]"
    return "Black tea is sold out, so that I ordered two packs of green tea for 12.00 euros."


if __name__ == "__main__":
    main()
