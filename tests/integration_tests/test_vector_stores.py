"""What LangChain builds on embeddings runs with Segmind's: stores, retrievers, chains."""

import pytest
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_segmind import SegmindEmbeddings
from tests.conftest import SECRET

NOTES = [
    "The office door is locked at seven in the evening.",
    "Whoever needs a new laptop asks Maria.",
    "The canteen serves no meat on Fridays.",
]
QUESTIONS = [
    ("When is the door locked?", "seven"),
    ("I need a new laptop.", "Maria"),
    ("Does the canteen serve meat?", "Fridays"),
]


@pytest.fixture
def embeddings(gateway):
    """Create embeddings for the gateway."""
    return SegmindEmbeddings(base_url=gateway.base_url, api_key=SECRET, max_retries=0)


@pytest.mark.parametrize(("question", "word"), QUESTIONS)
def test_a_store_finds_the_text_that_shares_words(caller, embeddings, question, word) -> None:
    """Documents are embedded when they are added, the question when it is asked."""
    store = InMemoryVectorStore(embeddings)
    caller.add_documents(store, [Document(note) for note in NOTES])
    (found,) = caller.similarity_search(store, question, k=1)
    assert word in found.page_content


def test_a_dumped_store_is_loaded_with_its_embeddings(embeddings, gateway, tmp_path) -> None:
    """No text is embedded again."""
    store = InMemoryVectorStore(embeddings)
    store.add_texts(NOTES)
    store.dump(str(tmp_path / "store"))
    loaded = InMemoryVectorStore.load(str(tmp_path / "store"), embeddings)
    assert loaded.similarity_search("laptop", k=1)[0].page_content == NOTES[1]
    assert len(gateway.requests) == len(NOTES) + 1


def test_a_chain_answers_from_what_it_retrieves(caller, embeddings, create_model, gateway) -> None:
    """Chat and embeddings of one account."""
    gateway.script(lambda request: f"The notes say: {request.last_message.splitlines()[1]}")
    store = InMemoryVectorStore.from_texts(NOTES, embeddings)
    retriever = store.as_retriever(search_kwargs={"k": 1})
    prompt = ChatPromptTemplate.from_template("Notes:\n{notes}\n\nQuestion: {question}")
    chain = (
        {"notes": retriever | join_texts, "question": RunnablePassthrough()}
        | prompt
        | create_model()
        | StrOutputParser()
    )
    assert caller.invoke(chain, "I need a new laptop.") == f"The notes say: {NOTES[1]}"


def join_texts(documents) -> str:
    """Join the texts of documents."""
    return "\n".join(document.page_content for document in documents)
