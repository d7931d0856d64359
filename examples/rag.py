"""Answers from your own texts: retrieval with real embeddings, on this machine.

make examples            a script answers through the local gateway: no key, no cost
LIVE=1 make examples     the same against Segmind, with SEGMIND_API_KEY set
"""

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

TEXTS = [
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
        ("system", "Answer in one sentence, from these notes alone:\n\n{notes}"),
        ("human", "{question}"),
    ]
)


def main() -> None:
    """Ask about the texts."""
    store = InMemoryVectorStore(MiniLM())
    store.add_texts(TEXTS)
    with connect(reply, temperature=0) as model:
        notes = store.as_retriever(search_kwargs={"k": 2}) | join
        chain = (
            {"notes": notes, "question": RunnablePassthrough()} | PROMPT | model | StrOutputParser()
        )
        for question in QUESTIONS:
            print(f"{question}\n  {chain.invoke(question)}\n")


def join(documents: list[Document]) -> str:
    """Write documents one below the other, the nearest to the question first."""
    return "\n".join(f"- {document.page_content}" for document in documents)


def reply(request: "Request") -> str:
    """Answer with the first note, where GPT-4 Turbo would put it into words."""
    notes = request.messages[0]["content"].partition("\n\n- ")[2]
    return f"(scripted) {notes.splitlines()[0]}"


if __name__ == "__main__":
    main()
