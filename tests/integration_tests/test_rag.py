"""Retrieval with a real embedding model, and answers over HTTP."""

import math

import pytest
from langchain.agents import create_agent
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tools import create_retriever_tool
from langchain_core.vectorstores import InMemoryVectorStore

from tests.support.scripts import ask

minilm = pytest.importorskip(
    "examples.minilm", reason="requirements/embedding.txt is not installed"
)

NOTES = [
    "The office is locked at seven in the evening.",
    "Whoever needs a new laptop asks Maria.",
    "The canteen serves no meat on Fridays.",
    "Travel costs are paid back within two weeks.",
]
QUESTIONS = [
    pytest.param("Until when can I work late?", "seven", id="time"),
    pytest.param("My computer is broken.", "Maria", id="computer"),
    pytest.param("When do I get the money for my train ticket?", "two weeks", id="money"),
]


@pytest.fixture(scope="module")
def embeddings():
    """Load the embedding model."""
    return minilm.MiniLM()


@pytest.fixture(scope="module")
def retriever(embeddings):
    """Create a retriever of the one note that is closest to a question."""
    store = InMemoryVectorStore(embeddings)
    store.add_texts(NOTES)
    return store.as_retriever(search_kwargs={"k": 1})


# --- The embedding model ---


def test_a_sentence_has_the_published_models_vector(embeddings) -> None:
    """The numbers are what sentence-transformers returns for this sentence."""
    vector = embeddings.embed_query("This is an example sentence")
    assert vector[:5] == pytest.approx([0.067657, 0.063496, 0.048713, 0.079305, 0.037448], abs=1e-5)
    assert len(vector) == 384


@pytest.mark.parametrize("text", ["", "naïve café, 你好 \U0001f600"], ids=["empty", "alphabets"])
def test_a_vector_has_length_one(caller, embeddings, text) -> None:
    """Documents and queries get the same vector."""
    (vector,) = caller.embed_documents(embeddings, [text])
    assert math.hypot(*vector) == pytest.approx(1)
    assert vector == caller.embed_query(embeddings, text)


def test_a_long_text_is_cut_to_max_tokens() -> None:
    """Two tokens of them mark the start and the end of the text."""
    embeddings = minilm.MiniLM(max_tokens=16)
    longest = "cat " * 14
    vector = embeddings.embed_query(longest)
    assert math.hypot(*vector) == pytest.approx(1)
    assert embeddings.embed_query(longest + "dog " * 900) == vector
    assert embeddings.embed_query(longest.removesuffix("cat ")) != vector


# --- Chains and agents ---


def quote(request) -> str:
    """Answer with the note in the prompt; fail unless there is exactly one."""
    (note,) = [note for note in NOTES if note in str(request.messages)]
    return f"The notes say: {note}"


@pytest.mark.parametrize(("question", "words"), QUESTIONS)
def test_a_chain_answers_from_the_closest_note(
    caller, create_model, gateway, retriever, question, words
) -> None:
    """That note, and no other, is sent with the question."""
    gateway.script(quote)
    prompt = ChatPromptTemplate.from_template("Notes:\n{notes}\n\nQuestion: {question}")
    chain = (
        {"notes": retriever | join_texts, "question": RunnablePassthrough()}
        | prompt
        | create_model(max_retries=0)
        | StrOutputParser()
    )
    assert words in caller.invoke(chain, question)
    (request,) = gateway.requests
    assert request.last_message.endswith(f"Question: {question}")


def join_texts(documents) -> str:
    """Join the texts of documents."""
    return "\n".join(document.page_content for document in documents)


@pytest.mark.parametrize(("question", "words"), QUESTIONS)
def test_an_agent_answers_from_a_search_it_calls(
    caller, create_model, gateway, retriever, question, words
) -> None:
    """The retriever is a tool; the model writes the query."""

    def answer(request) -> str:
        if request.last_message == question:
            return f"[search_notes(query={question!r})]"
        return quote(request)

    gateway.script(answer)
    search = create_retriever_tool(retriever, "search_notes", "Search the notes of the office.")
    agent = create_agent(create_model(max_retries=0), [search])
    state = caller.invoke(agent, ask(question))
    assert words in state["messages"][-1].text
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
