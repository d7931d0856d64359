"""Chat through `ChatSegmindGPT4Turbo` in every usual way and watch the credits fall.

make demo            a real small model behind the local gateway: no key, no cost
LIVE=1 make demo     the same against Segmind, with SEGMIND_API_KEY set
"""

import asyncio
import os
import sys
import textwrap
from contextlib import ExitStack
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import LLMResult
from langchain_core.prompts import ChatPromptTemplate

from langchain_segmind import ChatSegmindGPT4Turbo, SegmindInsufficientCreditsError

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
    with ExitStack() as stack:
        model = connect(stack)
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


def is_live() -> bool:
    """Tell whether to spend real credits."""
    live = os.environ.get("LIVE") == "1"
    if live and not os.environ.get("SEGMIND_API_KEY"):
        sys.exit("LIVE=1 needs SEGMIND_API_KEY, from https://platform.segmind.com/api-keys.")
    return live


def connect(stack: ExitStack) -> ChatSegmindGPT4Turbo:
    """Connect to Segmind, or to a local gateway that stops with the script."""
    if is_live():
        print("Segmind answers, and bills the account of SEGMIND_API_KEY.\n")
        return ChatSegmindGPT4Turbo(max_tokens=60, temperature=0)

    # An extra, so that the live tour runs without it.
    from langchain_segmind.gateway import Gateway  # noqa: PLC0415

    try:
        gateway = stack.enter_context(Gateway(backend="llama", credits=CREDITS))
        print(f"A real model, SmolLM2-135M, answers at {gateway.base_url} on this machine.\n")
    except ValueError as reason:
        script = lambda request: f"(scripted) You said: {request.last_message}"  # noqa: E731
        gateway = stack.enter_context(Gateway(replies=script, credits=CREDITS))
        print(f"Scripted replies, no real model: {reason}\n")
    return ChatSegmindGPT4Turbo(
        base_url=gateway.base_url, api_key=gateway.api_key, max_tokens=60, temperature=0
    )


def show_empty_account(model: ChatSegmindGPT4Turbo) -> None:
    """Ask for more than the account can pay."""
    print("\nA prompt that costs more than is left:")
    try:
        model.invoke("Summarize this: " + "credits run out. " * 1_000)
    except SegmindInsufficientCreditsError as error:
        print(f"{type(error).__name__} ({error.status_code}): {error}")


if __name__ == "__main__":
    main()
