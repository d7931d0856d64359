"""What users write, for mypy (with and without pydantic's plugin) and pyright; never run.

Every comment that ignores an error is needed: one that ignores nothing is an error itself.
"""

from typing import Any, TypedDict, assert_type

import httpx
from langchain_core.messages import AIMessage
from pydantic import BaseModel, SecretStr

import langchain_segmind
from langchain_segmind import (
    ChatSegmind,
    ChatSegmindGPT4Turbo,
    SegmindCredits,
    SegmindEmbeddings,
    SegmindError,
    SegmindRateLimitError,
)


async def fetch_key() -> str:
    """Fetch a key from elsewhere."""
    return "fake"


by_name = ChatSegmind(model="gpt-4o", segmind_api_key="fake", segmind_api_base="https://host/v1")
by_alias = ChatSegmind(model_name="gpt-4o", api_key=SecretStr("fake"), base_url="https://host/v1")
rotating = ChatSegmindGPT4Turbo(api_key=fetch_key)
plain = ChatSegmindGPT4Turbo()
full = ChatSegmindGPT4Turbo(
    temperature=0,
    max_tokens=5,
    stop="END",
    timeout=httpx.Timeout(5),
    max_retries=0,
    default_headers={"x": "y"},
    http_client=httpx.Client(),
    model_kwargs={"top_k": 1},
    tags=["a"],
)
foreign = ChatSegmindGPT4Turbo(presence_penalty=1, reasoning_effort="low")
optional = ChatSegmindGPT4Turbo(stop=["END"], base_url=None, api_key=lambda: "fake")

# A misspelt name and a wrong type are errors.
ChatSegmind(modle="gpt-4o")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
ChatSegmindGPT4Turbo(temprature=0)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
ChatSegmindGPT4Turbo(max_tokens="many")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


class TenantModel(ChatSegmindGPT4Turbo):
    """A subclass with a field of its own."""

    tenant: str


own = TenantModel(tenant="a", temperature=0, api_key="fake")
long_names = TenantModel(tenant="a", model="gpt-4o", segmind_api_key="fake", segmind_api_base=None)
TenantModel()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
TenantModel(tenant=3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
TenantModel(tenant="a", temprature=0)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
# So is a name that another module holds.
langchain_segmind.SegmindRateLimiter()  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]


class Joke(BaseModel):
    """A joke."""

    punchline: str


class Pun(TypedDict):
    """A pun."""

    text: str


def use_structured_output() -> None:
    """Get objects."""
    assert_type(plain.with_structured_output(Joke).invoke("hi"), Joke)
    assert_type(own.with_structured_output(Joke, method="json_schema").invoke("hi"), Joke)
    assert_type(plain.with_structured_output(Pun).invoke("hi")["text"], str)
    assert_type(plain.with_structured_output({"title": "A"}).invoke("hi"), dict[str, Any])
    assert_type(plain.with_structured_output(method="json_mode").invoke("hi"), dict[str, Any])
    both = plain.with_structured_output(Joke, include_raw=True, tools=[print]).invoke("hi")
    assert_type(both["raw"], AIMessage)
    assert_type(both["parsed"], Joke | None)
    assert_type(both["parsing_error"], Exception | None)
    assert_type(plain.with_structured_output(Joke, tools=[print]).invoke("hi"), Joke | None)
    plain.bind_tools(iter([print])).invoke("hi")
    assert_type(plain.bind_tools([print]).submit("hi").result(), AIMessage)
    plain.with_structured_output(Joke, include_raw=len("a") > 0).invoke("hi").anything()
    plain.with_structured_output(Joke, strictly=True)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]


async def use() -> None:
    """Call a model."""
    assert_type(plain.invoke("hi"), AIMessage)
    assert_type(await plain.ainvoke("hi"), AIMessage)
    assert_type(plain.get_credits(), SegmindCredits)
    assert_type(await plain.aget_credits(), SegmindCredits)
    try:
        plain.invoke("hi")
    except SegmindRateLimitError as error:
        assert_type(error.retry_after, float | None)
    except SegmindError as error:
        assert_type(error.status_code, int | None)


async def embed() -> None:
    """Embed texts."""
    embeddings = SegmindEmbeddings(model="gemini-embedding-001", api_key="fake", dimensions=768)
    SegmindEmbeddings(model_name="a", base_url="https://host/v1", task_type="CLUSTERING")
    SegmindEmbeddings(task_type="SEARCH")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    SegmindEmbeddings(chunk_size=5)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    assert_type(embeddings.embed_documents(text for text in ["a"]), list[list[float]])
    assert_type(await embeddings.aembed_documents(["a"]), list[list[float]])
    assert_type(embeddings.embed_query("a"), list[float])
    assert_type(await embeddings.aembed_query("a"), list[float])
    assert_type(embeddings.get_credits(), SegmindCredits)
    try:
        embeddings.embed_query("a")
    except SegmindError as error:
        assert_type(error.completed, dict[int, list[float]])
