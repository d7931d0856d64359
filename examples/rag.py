"""Answers from your own documents: retrieval with a real embedding model on this machine.

make examples            a local gateway answers from a script: no key, no cost
LIVE=1 make examples     Segmind answers; needs SEGMIND_API_KEY
SEGMIND_MODEL=<slug> chooses another model.
"""

import textwrap
from typing import TYPE_CHECKING

from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore

from connection import connect
from minilm import MiniLM

if TYPE_CHECKING:
    from langchain_segmind.gateway import Request

NOTES = [
    "Parcels leave the shop on Mondays and Thursdays and arrive within three days.",
    "Opened packs of tea can be returned within fourteen days; the postage is yours.",
    "Green tea is brewed at 75 degrees for two minutes, black tea at 95 degrees for four.",
    "The shop is closed in August, when everyone travels to the tea gardens of Assam.",
]
QUESTIONS = [
    "I do not like what I bought. Can I get my money back?",
    "How hot should the water be?",
    "Are you open all summer?",
]
PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "Answer in one sentence. Use only these notes:\n\n{notes}"),
        ("human", "{question}"),
    ]
)


def main() -> None:
    """Answer questions from the notes."""
    store = InMemoryVectorStore(MiniLM())
    store.add_texts(NOTES)
    with connect(reply) as model:
        notes = store.as_retriever(search_kwargs={"k": 2}) | join_notes
        chain = (
            {"notes": notes, "question": RunnablePassthrough()} | PROMPT | model | StrOutputParser()
        )
        for question in QUESTIONS:
            print(question)
            print(textwrap.indent(textwrap.fill(chain.invoke(question), 77), "  "), end="\n\n")


def join_notes(documents: list[Document]) -> str:
    """Return the notes as a list, the closest to the question first."""
    return "\n".join(f"- {document.page_content}" for document in documents)


def reply(request: "Request") -> str:
    """Answer with the first note. A model would phrase it as an answer."""
    notes = request.messages[0]["content"].partition("\n\n- ")[2]
    return f"(scripted) {notes.splitlines()[0]}"


if __name__ == "__main__":
    main()
