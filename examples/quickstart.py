"""Chat through `ChatSegmindGPT4Turbo` in every usual way and watch the credits fall.

make demo            a real small model behind the local gateway: no key, no cost
LIVE=1 make demo     the same against Segmind, with SEGMIND_API_KEY set
"""

import asyncio
import textwrap
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import LLMResult
from langchain_core.prompts import ChatPromptTemplate

from connection import connect, is_live
from langchain_segmind import ChatSegmindGPT4Turbo, SegmindInsufficientCreditsError

if TYPE_CHECKING:
    from langchain_segmind.gateway import Request

CREDITS = 0.03
"""What the local gateway's account holds: enough for the calls below, then too little."""

ROW = "{:<12} {:<58} {:>7} {:>9} {:>9}"


class CallTable(BaseCallbackHandler):
    """Prints one line for each call: it sees the message that a chain's parser hides."""

    def __init__(self) -> None:
        self.label = ""
        print(ROW.format("call", "answer", "tokens", "cost", "left"))

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        """Print what a call answered, used and cost, and what remains."""
        message = response.generations[0][0].message
        usage = message.usage_metadata or {"total_tokens": "?"}
        cost = message.response_metadata.get("cost")
        left = message.response_metadata["remaining_credits"]
        print(
            ROW.format(
                self.label,
                textwrap.shorten(message.text, 58, placeholder="..."),
                usage["total_tokens"],
                "?" if cost is None else f"{cost:.6f}",
                "?" if left is None else f"{left:.6f}",
            )
        )


def main() -> None:
    """Run the tour."""
    with connect(reply, real_model=True, budget=CREDITS, max_tokens=60, temperature=0) as model:
        table = CallTable()
        model.callbacks = [table]

        table.label = "invoke"
        model.invoke("Where is the Eiffel Tower?")

        table.label = "ainvoke"
        asyncio.run(model.ainvoke("How many days are in a week?"))

        table.label = "chain"
        prompt = ChatPromptTemplate.from_messages(
            [("system", "You translate English to {language}."), ("human", "{text}")]
        )
        chain = prompt | model | StrOutputParser()
        chain.invoke({"language": "French", "text": "Good morning!"})

        history: list[AnyMessage] = [SystemMessage("You are a friendly assistant.")]
        turns = ("I have a dog named Rex.", "What is the name of my dog?")
        for turn, text in enumerate(turns, start=1):
            table.label = f"turn {turn}"
            history.append(HumanMessage(text))
            history.append(model.invoke(history))

        table.label = "batch"
        model.batch(["Say hello.", "What is a dog?", "What is gravity?"])

        print(f"\nget_credits(): {model.get_credits().total:.6f} credits left")
        if not is_live():
            show_empty_account(model)


def reply(request: "Request") -> str:
    """Answer in place of a model, where none runs."""
    return f"(scripted) You said: {request.last_message}"


def show_empty_account(model: ChatSegmindGPT4Turbo) -> None:
    """Ask for more than the account can pay."""
    print("\nA prompt that costs more than is left:")
    try:
        model.invoke("Summarize this: " + "credits run out. " * 1_000)
    except SegmindInsufficientCreditsError as error:
        print(f"{type(error).__name__} ({error.status_code}): {error}")


if __name__ == "__main__":
    main()
