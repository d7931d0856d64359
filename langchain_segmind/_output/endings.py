"""Replies that were cut off, refused or stopped by a filter."""

from typing import NamedTuple

from langchain_core.messages import AIMessage

CUT_ADVICE = "Raise max_tokens if it is set, or ask for a shorter answer."
BLOCKED_ADVICE = "Change the prompt: asking the same again gives no other answer."


class Ending(NamedTuple):
    """How a reply ended.

    Attributes:
        reason: What went wrong; empty if nothing did.
        advice: What to do about it.
        is_final: Whether it is useless to ask again.
    """

    reason: str = ""
    advice: str = ""
    is_final: bool = False

    def explain(self, problem: str) -> str:
        """Return what is wrong with a reply, and first why it ended so."""
        if self.is_final:
            return self.reason
        return f"{self.reason}: {problem}" if self.reason else problem


def find_ending(message: AIMessage) -> Ending:
    """Return whether a reply was cut off, refused or stopped by a filter."""
    facts = message.response_metadata
    finish_reason = facts.get("finish_reason")
    if finish_reason == "length":
        return Ending("it was cut off at its maximum length", CUT_ADVICE)
    if refusal := message.additional_kwargs.get("refusal"):
        return Ending(f"the model refused: {refusal:.200}", BLOCKED_ADVICE, is_final=True)
    if finish_reason == "content_filter":
        word = facts.get("block_reason") or facts.get("native_finish_reason")
        reason = f"a filter of the provider stopped it{f' ({word})' if word else ''}"
        return Ending(reason, BLOCKED_ADVICE, is_final=True)
    return Ending()
