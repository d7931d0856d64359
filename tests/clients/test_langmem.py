"""langmem: memories of conversations, tools that keep them, and summaries."""

import asyncio
import json

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langgraph.store.memory import InMemoryStore
from langmem import (
    create_manage_memory_tool,
    create_memory_manager,
    create_prompt_optimizer,
    create_search_memory_tool,
    create_thread_extractor,
)
from langmem.short_term import asummarize_messages, summarize_messages
from pydantic import BaseModel

from tests.support.scripts import ask, get_last_message, get_offered


class Taste(BaseModel):
    """What a user likes."""

    likes: str


def test_memories_are_added_and_changed(caller, model, gateway) -> None:
    """One reply adds one memory and patches another."""
    patch = "{'op': 'replace', 'path': '/likes', 'value': 'green tea'}"
    gateway.script(
        [f"[Taste(likes='cats'), PatchDoc(json_doc_id='1', planned_edits='', patches=[{patch}])]"]
    )
    manager = create_memory_manager(model, schemas=[Taste])
    conversation = [HumanMessage("I like cats and green tea."), AIMessage("Noted.")]
    memories = caller.invoke(
        manager, {"messages": conversation, "existing": [("1", Taste(likes="tea"))]}
    )
    contents = {memory.id: memory.content for memory in memories}
    assert contents.pop("1") == Taste(likes="green tea")
    assert list(contents.values()) == [Taste(likes="cats")]
    assert "Taste" in get_offered(gateway.requests[0])


def test_a_conversation_becomes_an_object(caller, model, gateway) -> None:
    """A schema of the user's is filled in from a thread."""
    gateway.script(["[Taste(likes='cats')]"])
    extractor = create_thread_extractor(model, schema=Taste)
    thread = {"messages": [HumanMessage("I like cats.")]}
    assert caller.invoke(extractor, thread) == Taste(likes="cats")


def test_an_agent_keeps_and_finds_memories(caller, model, gateway) -> None:
    """Both tools run in an agent with a store."""
    gateway.script(
        [
            "[manage_memory(content='Likes cats.', action='create')]",
            "Kept.",
            "[search_memory(query='pets')]",
            "Cats.",
        ]
    )
    tools = [create_manage_memory_tool(("memories",)), create_search_memory_tool(("memories",))]
    store = InMemoryStore()
    agent = create_agent(model, tools, store=store)
    assert caller.invoke(agent, ask("I like cats."))["messages"][-1].text == "Kept."
    (item,) = store.search(("memories",))
    assert item.value == {"content": "Likes cats."}
    assert caller.invoke(agent, ask("What do I like?"))["messages"][-1].text == "Cats."
    assert "Likes cats." in get_last_message(gateway.requests[3])


def test_a_prompt_is_improved(caller, model, gateway) -> None:
    """Its optimizer thinks and criticizes with tools until it has a better prompt."""
    improved = "[OptimizedPromptOutput(analysis='Too long.', improved_prompt='Be very brief.')]"

    def answer(request) -> str:
        is_first = len(gateway.requests) == 1
        return "[think(thought='Too long.')]" if is_first else improved

    gateway.script(answer)
    conversation = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello, dear user!"},
    ]
    optimizer = create_prompt_optimizer(model, kind="metaprompt")
    failure = {"trajectories": [(conversation, {"score": 0.1})], "prompt": "Be brief."}
    assert caller.invoke(optimizer, failure) == "Be very brief."
    assert get_offered(gateway.requests[0]) == ["think", "critique", "OptimizedPromptOutput"]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_long_history_is_summarized(is_async, model, gateway) -> None:
    """Older messages become a summary, which the next call begins with."""
    gateway.script(["They talked about cats.", "Yes."])
    history = [
        SystemMessage("Be brief.", id="0"),
        HumanMessage("Cats are small. " * 40, id="1"),
        AIMessage("They are. " * 40, id="2"),
        HumanMessage("Are they?", id="3"),
    ]
    options = {
        "running_summary": None,
        "model": model.bind(max_tokens=128),
        "max_tokens": 200,
        "max_summary_tokens": 64,
    }

    if is_async:
        result = asyncio.run(asummarize_messages(history, **options))
    else:
        result = summarize_messages(history, **options)
    assert result.running_summary.summary == "They talked about cats."
    assert model.invoke(result.messages).text == "Yes."
    first, second = gateway.requests
    assert first.json["max_tokens"] == 128
    sent = json.dumps(second.json)
    assert "They talked about cats." in sent
    assert "Cats are small." not in sent
    assert second.last_message == "Are they?"
