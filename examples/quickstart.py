"""Chat with `ChatSegmind` in all the usual ways and watch the credits fall.

make demo            a small local model behind the local gateway: no key, no cost
LIVE=1 make demo     the same calls to Segmind, with SEGMIND_API_KEY set

SEGMIND_MODEL=<slug> chooses another model.
"""

import asyncio
import textwrap
from typing import TYPE_CHECKING, Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import LLMResult
from langchain_core.prompts import ChatPromptTemplate

from connection import connect, is_live
from langchain_segmind import ChatSegmind, SegmindInsufficientCreditsError

if TYPE_CHECKING:
    from langchain_segmind.gateway import Request

CREDITS = 0.05
"""Opening balance of the local gateway: enough for all calls but the one with a long prompt."""

FORMATS = {
    "OpenAI": "gpt-5.4-mini",
    "Anthropic": "claude-opus-4.7",
    "Google": "gemini-3-flash",
}
"""A model of each JSON format."""

ROW = "{:<8} {:<42} {:>6} {:>9} {:>9}"
TEXT_WIDTH = 42
LINE_WIDTH = 79


class CallTable(BaseCallbackHandler):
    """Prints the question, answer and cost of each call when it ends."""

    def __init__(self) -> None:
        self.label = ""
        self.questions: dict[UUID, str] = {}
        print(ROW.format("call", "question, answer", "tokens", "cost", "left"))

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        **kwargs: Any,
    ) -> None:
        """Remember the question: the calls of a batch end in any order."""
        self.questions[run_id] = messages[0][-1].text

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Print what the call returned and cost, and what remains."""
        message = response.generations[0][0].message
        usage = message.usage_metadata or {"total_tokens": "?"}
        cost = message.response_metadata.get("cost")
        left = message.response_metadata["remaining_credits"]
        question = ROW.format(self.label, shorten(self.questions.pop(run_id)), "", "", "")
        answer = ROW.format(
            "",
            shorten(f"> {message.text}"),
            usage["total_tokens"],
            "?" if cost is None else f"{cost:.6f}",
            "?" if left is None else f"{left:.6f}",
        )
        print(f"{question.rstrip()}\n{answer}")


def shorten(text: str) -> str:
    """Return the text on one line that fits the table."""
    return textwrap.shorten(text, TEXT_WIDTH, placeholder="...")


def main() -> None:
    """Run all calls."""
    with connect(reply, real_model=True, budget=CREDITS) as model:
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
        model.batch(["Say hello.", "How many legs does a dog have?", "Who are you?"])

        print(f"\nget_credits(): {model.get_credits().total:.6f} credits left")
        if not is_live():
            show_insufficient_credits(model)
        ask_in_each_format(model)


def reply(request: "Request") -> str:
    """Reply in place of a model if none is installed."""
    return f"(scripted) You said: {request.last_message}"


def show_insufficient_credits(model: ChatSegmind) -> None:
    """Send a prompt that costs more than the remaining credits."""
    print("\nA prompt that costs more than the remaining credits:")
    try:
        model.invoke("Summarize this: " + "credits run out. " * 2_000)
    except SegmindInsufficientCreditsError as error:
        text = f"{type(error).__name__} ({error.status_code}): {error}"
        print(textwrap.fill(text, LINE_WIDTH, break_on_hyphens=False))


def ask_in_each_format(model: ChatSegmind) -> None:
    """Ask models of three JSON formats: only `model` differs."""
    question = "Where is the Eiffel Tower?"
    print(f"\nThe same question in three JSON formats: {question}")
    for provider, slug in FORMATS.items():
        other = ChatSegmind(
            model=slug, base_url=model.segmind_api_base, api_key=model.segmind_api_key
        )
        message = other.invoke(question)
        text = f"{provider}'s, {slug}: {message.text}"
        print(textwrap.shorten(text, LINE_WIDTH, placeholder="..."))


if __name__ == "__main__":
    main()
