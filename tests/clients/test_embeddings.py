"""Embeddings with LangChain's cache, FAISS and the semantic chunker."""

import pytest
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_community.vectorstores import FAISS
from langchain_core.stores import InMemoryByteStore
from langchain_experimental.text_splitter import SemanticChunker

from langchain_segmind import SegmindEmbeddings, SegmindInvalidRequestError
from tests.conftest import SECRET

NOTES = [
    "The office door is locked at seven in the evening.",
    "Whoever needs a new laptop asks Maria.",
    "The canteen serves no meat on Fridays.",
]


@pytest.fixture
def embeddings(gateway):
    """Create embeddings for the gateway, which embed one text after the other."""
    return SegmindEmbeddings(
        base_url=gateway.base_url, api_key=SECRET, max_retries=0, max_concurrency=1
    )


# --- FAISS ---


def test_faiss_finds_the_text_that_shares_words(caller, embeddings) -> None:
    """Texts and questions are embedded by it."""
    store = FAISS.from_texts(NOTES, embeddings)
    (found,) = caller.similarity_search(store, "Who gets me a new laptop?", k=1)
    assert found.page_content == NOTES[1]


def test_a_saved_index_is_loaded_with_its_embeddings(embeddings, gateway, tmp_path) -> None:
    """No text is embedded again."""
    FAISS.from_texts(NOTES, embeddings).save_local(str(tmp_path))
    store = FAISS.load_local(str(tmp_path), embeddings, allow_dangerous_deserialization=True)
    assert store.similarity_search("canteen", k=1)[0].page_content == NOTES[2]
    assert len(gateway.requests) == len(NOTES) + 1


# --- The semantic chunker ---


def test_the_semantic_chunker_splits_where_the_words_change(embeddings) -> None:
    """It embeds each sentence with its neighbours."""
    tea = "Green tea is brewed at 75 degrees. Black tea is brewed at 95 degrees."
    shop = "The shop closes in August. The shop opens in September."
    chunker = SemanticChunker(embeddings, buffer_size=0, number_of_chunks=2)
    assert chunker.split_text(f"{tea} {shop}") == [tea, shop]


# --- LangChain's cache ---


@pytest.fixture
def cached(embeddings):
    """Return embeddings behind LangChain's cache."""
    return CacheBackedEmbeddings.from_bytes_store(
        embeddings,
        InMemoryByteStore(),
        namespace=embeddings.model,
        batch_size=2,
        key_encoder="sha256",
    )


def test_a_cache_embeds_each_text_once(caller, cached, gateway) -> None:
    """Vectors from the cache are the same."""
    vectors = caller.embed_documents(cached, NOTES)
    assert caller.embed_documents(cached, [*NOTES, "new"])[:3] == vectors
    assert len(gateway.requests) == len(NOTES) + 1


def test_a_cache_keeps_the_batches_before_an_error(caller, cached, gateway) -> None:
    """The next call goes on with the batch that failed."""
    gateway.faults("ok,ok,400")
    with pytest.raises(SegmindInvalidRequestError):
        caller.embed_documents(cached, NOTES)
    caller.embed_documents(cached, NOTES)
    assert [request.json["prompt"] for request in gateway.requests[3:]] == NOTES[2:]
