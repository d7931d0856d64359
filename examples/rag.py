"""Answers from your own documents: chat and embeddings of Segmind, from one account.

make examples            a local gateway answers from a script: no key, no cost
LIVE=1 make examples     Segmind answers; needs SEGMIND_API_KEY
SEGMIND_MODEL=<slug> chooses another model. EMBEDDINGS=minilm embeds on this machine, with a real
model and without any service; requirements/embedding.txt lists what it needs.
"""

import os
import textwrap
from typing import TYPE_CHECKING

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore

from connection import connect
from langchain_segmind import ChatSegmind, SegmindEmbeddings, get_segmind_credits_callback

if TYPE_CHECKING:
    from langchain_segmind.gateway import Request

NOTES = [
    "Parcels leave the shop on Mondays and Thursdays and arrive within three days.",
    "Opened packs of tea can be returned within fourteen days; the postage is yours.",
    "Green tea is brewed at 75 degrees for two minutes, black tea at 95 degrees for four.",
    "The shop is closed in August, when everyone travels to the tea gardens of Assam.",
]
QUESTIONS = [
    "Can I return a pack of tea that I opened?",
    "At how many degrees is green tea brewed?",
    "Is the shop closed in summer?",
]
PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "Answer in one sentence. Use only these notes:\n\n{notes}"),
        ("human", "{question}"),
    ]
)


def main() -> None:
    """Answer questions from the notes, and print what that cost."""
    with connect(reply) as model, get_segmind_credits_callback() as spent:
        store = InMemoryVectorStore(create_embeddings(model))
        store.add_texts(NOTES)
        notes = store.as_retriever(search_kwargs={"k": 2}) | join_notes
        chain = (
            {"notes": notes, "question": RunnablePassthrough()} | PROMPT | model | StrOutputParser()
        )
        for question in QUESTIONS:
            print(question)
            print(textwrap.indent(textwrap.fill(chain.invoke(question), 77), "  "), end="\n\n")
    for name, usage in spent.by_model.items():
        print(f"{name + ':':<24}{usage.calls:>3} requests {usage.cost:>14.8f} credits")
    print(f"{'together:':<24}{spent.total.calls:>3} requests {spent.total.cost:>14.8f} credits")


def create_embeddings(model: ChatSegmind) -> Embeddings:
    """Return Segmind's embeddings with the account of the model, or those of this machine."""
    if os.environ.get("EMBEDDINGS") == "minilm":
        from minilm import MiniLM  # noqa: PLC0415 - it needs more packages

        return MiniLM()
    return SegmindEmbeddings(api_key=model.segmind_api_key, base_url=model.segmind_api_base)


def join_notes(documents: list[Document]) -> str:
    """Return the notes as a list, the closest to the question first."""
    return "\n".join(f"- {document.page_content}" for document in documents)


def reply(request: "Request") -> str:
    """Answer with the first note. A model would phrase it as an answer."""
    notes = request.messages[0]["content"].partition("\n\n- ")[2]
    return f"(scripted) {notes.splitlines()[0]}"


if __name__ == "__main__":
    main()
