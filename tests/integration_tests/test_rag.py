"""Answers from texts that are found by a real embedding model, over HTTP."""

import math

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tools import create_retriever_tool
from langchain_core.vectorstores import InMemoryVectorStore

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
    pytest.param("Is there steak for lunch?", "Fridays", id="lunch"),
    pytest.param("When do I get the money for my train ticket?", "two weeks", id="money"),
]


@pytest.fixture(scope="module")
def embeddings():
    """Load the model once."""
    return minilm.MiniLM()


@pytest.fixture(scope="module")
def retriever(embeddings):
    """Give a retriever of the note that is nearest to a question."""
    store = InMemoryVectorStore(embeddings)
    store.add_texts(NOTES)
    return store.as_retriever(search_kwargs={"k": 1})


# --- The embedding model ---


def test_embeddings_are_those_of_the_published_model(embeddings) -> None:
    """The first numbers that sentence-transformers gives for this sentence."""
    vector = embeddings.embed_query("This is an example sentence")
    assert vector[:5] == pytest.approx([0.067657, 0.063496, 0.048713, 0.079305, 0.037448], abs=1e-5)
    assert len(vector) == 384


TEXTS = [
    pytest.param("", id="none"),
    pytest.param("word", id="a word"),
    pytest.param("naïve café, 你好 \U0001f600", id="of any alphabet"),
    pytest.param("cat " * 1_000, id="long"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_has_an_embedding_of_length_one(caller, embeddings, text) -> None:
    """Also none, and one that is longer than the model reads."""
    (vector,) = caller.embed_documents(embeddings, [text])
    assert math.hypot(*vector) == pytest.approx(1)
    assert vector == caller.embed_query(embeddings, text)


def test_what_is_too_long_is_cut(embeddings) -> None:
    """With two tokens for the beginning and the end."""
    read = "cat " * (minilm.LONGEST_TEXT - 2)
    assert embeddings.embed_query(read + "dog " * 9) == embeddings.embed_query(read)
    assert embeddings.embed_query(read) != embeddings.embed_query(read.removesuffix("cat "))


# --- Chains and agents ---


def quote(request) -> str:
    """Answer with the note in the prompt, which must be one."""
    (note,) = [note for note in NOTES if note in str(request.messages)]
    return f"The notes say: {note}"


@pytest.mark.parametrize(("question", "words"), QUESTIONS)
def test_a_chain_answers_from_what_it_finds(
    caller, create_model, gateway, retriever, question, words
) -> None:
    """The note that is nearest in meaning goes out with the question, and no other."""
    gateway.script(quote)
    prompt = ChatPromptTemplate.from_template("Notes:\n{notes}\n\nQuestion: {question}")
    chain = (
        {"notes": retriever | show, "question": RunnablePassthrough()}
        | prompt
        | create_model(max_retries=0)
        | StrOutputParser()
    )
    assert words in caller.invoke(chain, question)
    (request,) = gateway.requests
    assert request.last_message.endswith(f"Question: {question}")


def show(documents) -> str:
    """Write documents one below the other."""
    return "\n".join(document.page_content for document in documents)


@pytest.mark.parametrize(("question", "words"), QUESTIONS)
def test_an_agent_searches_when_it_decides_to(
    caller, create_model, gateway, retriever, question, words
) -> None:
    """The retriever is a tool, and the model writes the query."""

    def answer(request) -> str:
        is_asked = request.last_message == question
        return f"[search_notes(query={question!r})]" if is_asked else quote(request)

    gateway.script(answer)
    search = create_retriever_tool(retriever, "search_notes", "Search the notes of the office.")
    agent = create_agent(create_model(max_retries=0), [search])
    state = caller.invoke(agent, {"messages": [HumanMessage(question)]})
    assert words in state["messages"][-1].text
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
