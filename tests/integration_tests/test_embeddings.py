"""Texts become vectors over HTTP: requests, order, errors, credits, retries."""

import asyncio
import errno
import gc
import io
import itertools
import math
import pickle
import signal
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from langchain_core.rate_limiters import BaseRateLimiter, InMemoryRateLimiter

from langchain_segmind import (
    SegmindAuthenticationError,
    SegmindBudgetExceededError,
    SegmindContextOverflowError,
    SegmindEmbeddings,
    SegmindError,
    SegmindInsufficientCreditsError,
    SegmindInvalidRequestError,
    SegmindResponseError,
    SegmindTimeoutError,
    get_segmind_credits_callback,
)
from langchain_segmind._embeddings.batch import Batch
from langchain_segmind.gateway.embeddings import embed
from tests.conftest import SECRET, own_client
from tests.support.embedding_server import EmbeddingServer, write_vector
from tests.support.limiters import CountingLimiter

SMALL = "text-embedding-3-small"
GEMINI = "gemini-embedding-001"


@pytest.fixture
def create(gateway):
    """Return a function that creates embeddings for the gateway."""

    def create(**fields):
        return SegmindEmbeddings(**{"base_url": gateway.base_url, "api_key": SECRET, **fields})

    return create


@pytest.fixture
def create_for():
    """Return a function that creates embeddings for another server, without retries."""

    def create_for(server, **fields):
        given = {"base_url": server.base_url, "api_key": SECRET, "max_retries": 0, **fields}
        return SegmindEmbeddings(**given)

    return create_for


@pytest.fixture
def failed(monkeypatch):
    """Return an event that is set once a call has failed."""
    event, fail = threading.Event(), Batch.fail

    def fail_and_set(*args):
        fail(*args)
        event.set()

    monkeypatch.setattr(Batch, "fail", fail_and_set)
    return event


def join_threads():
    """Wait for the threads that calls left behind."""
    for thread in threading.enumerate():
        if thread.name == "segmind-embeddings":
            thread.join(20)
            assert not thread.is_alive()


def get_bodies(gateway):
    """Return the bodies of the requests."""
    return [request.json for request in gateway.requests]


# --- Requests ---


def test_a_body_is_compact_utf_8(caller, create, gateway) -> None:
    """As that of a chat model."""
    caller.embed_query(create(model=GEMINI), "\u00c9cole")
    body = '{"input":"\u00c9cole","task_type":"RETRIEVAL_QUERY"}'
    assert gateway.requests[0].body == body.encode()


def test_openais_models_get_a_prompt(caller, create, gateway) -> None:
    """And nothing else: an unknown key would be ignored."""
    vectors = caller.embed_documents(create(), ["one"])
    assert get_bodies(gateway) == [{"prompt": "one"}]
    assert gateway.requests[0].path == f"/v1/{SMALL}"
    assert vectors == [embed("one", 1536)]
    assert caller.embed_query(create(), "one") == vectors[0]


def test_googles_models_are_told_what_a_text_is(caller, create, gateway) -> None:
    """A document or a query, by the method."""
    embeddings = create(model=GEMINI)
    caller.embed_documents(embeddings, ["one"])
    caller.embed_query(embeddings, "two")
    assert get_bodies(gateway) == [
        {"input": "one", "task_type": "RETRIEVAL_DOCUMENT"},
        {"input": "two", "task_type": "RETRIEVAL_QUERY"},
    ]


def test_a_task_type_and_dimensions_of_the_users_are_sent(caller, create, gateway) -> None:
    """For documents and queries alike."""
    embeddings = create(model=GEMINI, task_type="CLUSTERING", dimensions=768)
    (vector,) = caller.embed_documents(embeddings, ["one"])
    assert len(vector) == len(caller.embed_query(embeddings, "two")) == 768
    for body in get_bodies(gateway):
        assert body["task_type"] == "CLUSTERING"
        assert body["output_dimensionality"] == 768


@pytest.mark.parametrize(
    ("slug", "key"),
    [("text-embedding-9", "prompt"), ("gemini-embedding-9", "input"), ("some-model", "prompt")],
)
def test_a_model_that_is_not_known_gets_the_key_that_its_name_suggests(
    caller, create_for, slug, key
) -> None:
    """And takes any number of dimensions if it is Google's."""
    with EmbeddingServer(write_vector) as server:
        dimensions = {"dimensions": 4} if key == "input" else {}
        embeddings = create_for(server, model=slug, **dimensions)
        assert len(caller.embed_query(embeddings, "one")) == 4
    assert server.bodies[0][key] == "one"


def test_vectors_are_in_the_order_of_the_texts(caller, create_for) -> None:
    """Also where the replies arrive in another order."""
    texts = [f"text {number}" for number in range(20)]
    late = threading.Event()

    def reply(body):
        if body["prompt"] == "text 0":
            late.wait(10)
        if body["prompt"] == "text 19":
            late.set()
        return {"embedding": [float(body["prompt"].split()[1]), 1.0]}

    with EmbeddingServer(reply) as server:
        vectors = caller.embed_documents(create_for(server), texts)
    assert vectors == [[float(number), 1.0] for number in range(20)]


@pytest.mark.parametrize("max_concurrency", [1, 3])
def test_max_concurrency_requests_are_in_flight_at_once(
    caller, create_for, max_concurrency
) -> None:
    """Exactly so many, if there are more texts."""
    texts = [f"text {number}" for number in range(12)]
    with EmbeddingServer(write_vector, in_flight=max_concurrency) as server:
        embeddings = create_for(server, max_concurrency=max_concurrency)
        caller.embed_documents(embeddings, texts)
    assert server.max_in_flight == max_concurrency
    assert len(server.bodies) == 12


def test_max_concurrency_can_exceed_what_is_needed(caller, create, gateway) -> None:
    """All texts are in flight at once then."""
    for count in (3, 100):
        texts = [f"text {number}" for number in range(count)]
        assert len(caller.embed_documents(create(max_concurrency=1_000), texts)) == count
    assert len(gateway.requests) == 103


def test_threads_share_one_object(create) -> None:
    """Each call has its own vectors, in its own order."""
    embeddings = create(max_concurrency=3)

    def embed_some(name):
        texts = [f"{name} {number}" for number in range(10)]
        return embeddings.embed_documents(texts) == [embed(text, 1536) for text in texts]

    with ThreadPoolExecutor(8) as executor:
        assert all(executor.map(embed_some, range(16)))


async def test_asynchronous_calls_start_no_thread(create_for) -> None:
    """However many requests are in flight."""
    before = set(threading.enumerate())
    during = []

    def reply(body):
        during.extend(thread.name for thread in set(threading.enumerate()) - before)
        return write_vector(body)

    with EmbeddingServer(reply, in_flight=4) as server:
        texts = [f"text {number}" for number in range(8)]
        await create_for(server, max_concurrency=4).aembed_documents(texts)
    assert [name for name in during if "segmind" in name or "asyncio" in name] == []


def test_equal_texts_of_a_call_are_sent_once(caller, create, gateway) -> None:
    """Each has a vector of its own, which can be changed."""
    vectors = caller.embed_documents(create(), ["one", "two", "one", "one"])
    assert sorted(body["prompt"] for body in get_bodies(gateway)) == ["one", "two"]
    assert vectors[0] == vectors[2] == vectors[3] == embed("one", 1536)
    assert len({id(vector) for vector in vectors}) == 4


def test_any_iterable_of_texts_is_embedded(caller, create) -> None:
    """Such as a generator, which is read once."""
    vectors = caller.embed_documents(create(), (text for text in ["one", "two"]))
    assert vectors == [embed("one", 1536), embed("two", 1536)]


def test_no_texts_need_no_request(caller, create, gateway) -> None:
    """The result is as empty."""
    assert caller.embed_documents(create(), []) == []
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        pytest.param(["one", ""], r"texts\[1\] is empty", id="empty"),
        pytest.param(["one", " \n"], r"texts\[1\] is empty", id="white space"),
        pytest.param(["one", None], r"texts\[1\] is of type NoneType", id="None"),
        pytest.param(["one", 2], r"texts\[1\] is of type int", id="number"),
        pytest.param(["one", "\ud800"], r"texts\[1\] cannot be sent", id="half a character"),
        pytest.param("one", "takes a list of texts", id="one text"),
        pytest.param(b"one", "takes a list of texts", id="bytes"),
        pytest.param(None, "takes a list of texts, not NoneType", id="nothing"),
        pytest.param(["one", b"two"], r"texts\[1\] is of type bytes", id="bytes in a list"),
    ],
)
def test_what_is_no_text_is_refused_before_any_request(
    caller, create, gateway, texts, match
) -> None:
    """With its index."""
    with pytest.raises(ValueError, match=match):
        caller.embed_documents(create(), texts)
    assert gateway.requests == []


@pytest.mark.parametrize("text", ["", "  ", None, "\ud800"])
def test_a_query_that_is_no_text_is_refused(caller, create, gateway, text) -> None:
    """As a document is."""
    with pytest.raises(ValueError, match="The text"):
        caller.embed_query(create(), text)
    assert gateway.requests == []


def test_a_text_above_openais_limit_is_refused_before_any_request(caller, create, gateway) -> None:
    """With the exact number of its tokens; `check_context=False` lets the server decide."""
    pytest.importorskip("bpe_openai", reason="the extra `tokens` is not installed")
    embeddings = create(max_retries=0)
    text = " word" * 8_192
    with pytest.raises(SegmindContextOverflowError, match=r"texts\[1\] has 8,192 tokens"):
        caller.embed_documents(embeddings, ["one", text])
    with pytest.raises(SegmindContextOverflowError, match="The text has 8,192 tokens"):
        caller.embed_query(embeddings, text)
    assert gateway.requests == []
    embeddings.check_context = False
    with pytest.raises(SegmindContextOverflowError, match=r"texts\[1\].*maximum context"):
        caller.embed_documents(embeddings, ["one", text])


@pytest.mark.parametrize(("slug", "limit"), [(GEMINI, 2_048), ("gemini-embedding-2", 8_192)])
def test_a_text_with_more_words_than_googles_limit_is_refused(
    caller, create, gateway, slug, limit
) -> None:
    """A word has a token at least."""
    embeddings = create(model=slug, max_retries=0)
    text = " a" * (limit + 1)
    match = rf"texts\[1\] has at least {limit + 1:,} tokens, .* accepts {limit:,}"
    with pytest.raises(SegmindContextOverflowError, match=match):
        caller.embed_documents(embeddings, ["one", text])
    with pytest.raises(SegmindContextOverflowError, match=f"The text has at least {limit + 1:,}"):
        caller.embed_query(embeddings, text)
    assert gateway.requests == []
    assert len(caller.embed_query(embeddings, " a" * limit)) == 3072


def test_a_text_that_may_fit_googles_limit_is_sent(caller, create_for) -> None:
    """OpenAI's vocabulary has several times the tokens that Google's has in some languages."""
    text = "चाय पहाड़ों में उगती है " * 200
    with EmbeddingServer(write_vector) as server:
        assert caller.embed_query(create_for(server, model=GEMINI), text)
    assert server.bodies[0]["input"] == text


def test_words_are_counted_without_the_extra(caller, create, gateway, monkeypatch) -> None:
    """A text that exceeds OpenAI's limit for certain is refused, another one is sent."""
    monkeypatch.setattr("langchain_segmind._embeddings.request.is_exact", lambda: False)
    with pytest.raises(SegmindContextOverflowError, match="at least 8,192 tokens"):
        caller.embed_query(create(), " a" * 8_192)
    assert gateway.requests == []
    assert caller.embed_query(create(), "a" * 9_000)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"dimensions": 768}, f"{SMALL} does not take dimensions on Segmind; .*: {GEMINI}, "),
        ({"task_type": "CLUSTERING"}, f"{SMALL} does not take task_type on Segmind; "),
        (
            {"dimensions": 768, "task_type": "CLUSTERING"},
            f"{SMALL} does not take dimensions and task_type on Segmind; ",
        ),
        (
            {"model": GEMINI, "dimensions": 100},
            f"dimensions must be one of 768, 1536, 3072 for {GEMINI}, not 100",
        ),
        (
            {"model": "gemini-embedding-2", "dimensions": 100},
            "dimensions must be from 128 to 3,072 for gemini-embedding-2, not 100",
        ),
    ],
    ids=str,
)
def test_what_a_model_does_not_take_is_refused(caller, create, gateway, fields, match) -> None:
    """In the constructor, and in a call after an assignment."""
    with pytest.raises(ValueError, match=match):
        create(**fields)
    embeddings = create()
    for name, value in fields.items():
        setattr(embeddings, name, value)
    with pytest.raises(ValueError, match=match):
        caller.embed_query(embeddings, "one")
    with pytest.raises(ValueError, match=match):
        caller.embed_documents(embeddings, ["one"])
    assert gateway.requests == []


def test_a_chat_model_is_refused(caller, create, gateway) -> None:
    """It would be billed for a reply without a vector."""
    with pytest.raises(ValueError, match="gpt-4-turbo is a chat model.*text-embedding-3-small"):
        create(model="gpt-4-turbo")
    embeddings = create()
    embeddings.model = "gemini-2.5-flash"
    with pytest.raises(ValueError, match="is a chat model"):
        caller.embed_query(embeddings, "one")
    with pytest.raises(ValueError, match="is a chat model"):
        caller.embed_documents(embeddings, ["one"])
    assert gateway.requests == []


# --- Replies ---

VECTOR = [0.25, -1, 2e-3]

NO_NUMBERS = "has something else than numbers in its vector"
NOT_FINITE = "has a number in its vector that is not finite"


def wrap(value: object, bracket: str, times: int) -> object:
    """Return a value within so many lists or objects."""
    for _ in range(times):
        value = [value] if bracket == "[" else {"embedding": value}
    return value


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param({"embedding": VECTOR}, id="embedding"),
        pytest.param({"embedding": {"values": VECTOR}}, id="embedding.values"),
        pytest.param({"embeddings": [VECTOR]}, id="embeddings[0]"),
        pytest.param({"embeddings": [{"values": VECTOR}]}, id="embeddings[0].values"),
        pytest.param({"data": [{"embedding": VECTOR}], "object": "list"}, id="data[0].embedding"),
        pytest.param({"data": {"embedding": VECTOR}}, id="data.embedding"),
        pytest.param({"embedding": [], "embeddings": [VECTOR]}, id="beside an empty one"),
        pytest.param(VECTOR, id="list"),
        pytest.param([VECTOR], id="list in a list"),
        pytest.param(wrap(VECTOR, "[", 6), id="six lists"),
        pytest.param(wrap(VECTOR, "{", 6), id="six objects"),
        pytest.param(b"\xef\xbb\xbf[0.25, -1, 2e-3]", id="byte order mark"),
    ],
)
def test_a_vector_is_found_wherever_it_is(caller, create_for, reply) -> None:
    """Segmind documents no form."""
    with EmbeddingServer(lambda _: reply) as server:
        vector = caller.embed_query(create_for(server), "one")
    assert vector == VECTOR
    assert {type(number) for number in vector} == {float}


@pytest.mark.parametrize(
    ("reply", "match"),
    [
        pytest.param(b"<html>", "is not JSON", id="page"),
        pytest.param(b"", "is not JSON", id="empty"),
        pytest.param(b"[" * 100_000, "is nested too deeply", id="nesting"),
        pytest.param(b"\xff", "is not UTF-8", id="bytes"),
        pytest.param({"error": "out of order"}, "has no vector.*out of order", id="error"),
        pytest.param({"embedding": []}, "has no vector", id="empty vector"),
        pytest.param({"embedding": None}, "has no vector", id="null"),
        pytest.param({"embedding": "AAAA"}, "has no vector", id="string"),
        pytest.param({"embeddings": [[1.0], [2.0]]}, "has 2 vectors", id="two vectors"),
        pytest.param({"embedding": [1, None]}, NO_NUMBERS, id="null in it"),
        pytest.param({"embedding": [1, True]}, NO_NUMBERS, id="flag in it"),
        pytest.param(b'{"embedding": [1, NaN]}', NOT_FINITE, id="NaN"),
        pytest.param(b'{"embedding": [1, 1e999]}', NOT_FINITE, id="infinity"),
        pytest.param(b'{"embedding": [1' + b"0" * 400 + b"]}", NOT_FINITE, id="large"),
        pytest.param(b'{"embedding": [1' + b"0" * 9000 + b"]}", NO_NUMBERS, id="digits"),
        pytest.param(wrap(VECTOR, "[", 7), NO_NUMBERS, id="seven lists"),
        pytest.param(wrap(VECTOR, "{", 7), "has no vector", id="seven objects"),
        pytest.param({"choices": [{"message": {}}]}, "has no vector", id="chat"),
    ],
)
def test_a_reply_without_a_vector_is_an_error(caller, create_for, reply, match) -> None:
    """That says what is wrong; it is not sent again, since it may be billed."""
    with EmbeddingServer(lambda _: reply) as server:
        embeddings = create_for(server, max_retries=2)
        with pytest.raises(SegmindResponseError, match=f"(?s)but the body {match}"):
            caller.embed_query(embeddings, "one")
        with pytest.raises(SegmindResponseError, match=rf"(?s)texts\[0\]: .*but the body {match}"):
            caller.embed_documents(embeddings, ["one"])
    assert len(server.bodies) == 2


def test_one_vector_for_different_texts_is_an_error(caller, create_for) -> None:
    """As Segmind sends where it ignores the key of the text; the first vector is kept."""
    with EmbeddingServer(lambda _: {"embedding": VECTOR}) as server:
        embeddings = create_for(server, max_concurrency=1)
        with pytest.raises(
            SegmindResponseError, match=r"texts\[0\] and texts\[1\] differ"
        ) as caught:
            caller.embed_documents(embeddings, ["one", "two", "three"])
        assert caught.value.completed == {0: VECTOR}
        assert len(server.bodies) == 2
        assert caller.embed_documents(embeddings, ["one", "one"]) == [VECTOR, VECTOR]


def test_one_vector_for_the_texts_of_two_calls_is_an_error(caller, create_for) -> None:
    """Queries and documents alike, in any order; the same text has the same vector."""
    with EmbeddingServer(lambda _: {"embedding": VECTOR}) as server:
        for first, second in [
            (("embed_query", "one"), ("embed_query", "two")),
            (("embed_query", "one"), ("embed_documents", ["two"])),
            (("embed_documents", ["one"]), ("embed_query", "two")),
            (("embed_documents", ["one"]), ("embed_documents", ["two", "three"])),
        ]:
            embeddings = create_for(server)
            for method, argument in (first, first):
                assert getattr(caller, method)(embeddings, argument)
            method, argument = second
            with pytest.raises(SegmindResponseError, match="call before differ, but got the same"):
                getattr(caller, method)(embeddings, argument)


def test_a_copy_of_embeddings_does_not_know_their_last_vector(create_for) -> None:
    """A pickle has nothing of a text, and another process has other hashes."""
    with EmbeddingServer(lambda _: {"embedding": VECTOR}) as server:
        embeddings = create_for(server)
        fresh = pickle.dumps(embeddings)
        embeddings.embed_query("one")
        assert pickle.dumps(embeddings) == fresh
        copy = pickle.loads(fresh)
        assert copy == embeddings
        assert copy.embed_query("two") == VECTOR


def test_the_texts_that_got_one_vector_are_named(caller, create_for) -> None:
    """A text before them got another vector."""
    vectors = {"one": [1.0], "two": [2.0], "three": [2.0]}
    with EmbeddingServer(lambda body: {"embedding": vectors[body["prompt"]]}) as server:
        embeddings = create_for(server, max_concurrency=1)
        with pytest.raises(SegmindResponseError, match=r"texts\[1\] and texts\[2\] differ"):
            caller.embed_documents(embeddings, list(vectors))


def test_texts_that_a_model_may_not_distinguish_may_have_one_vector(caller, create_for) -> None:
    """White space, case and Unicode's form can be lost before a text is read."""
    with EmbeddingServer(lambda _: {"embedding": VECTOR}) as server:
        embeddings = create_for(server, max_concurrency=1)
        texts = ["\u00e9cole two", " \u00e9cole\ntwo ", "\u00c9cole TWO", "e\u0301cole two"]
        assert caller.embed_documents(embeddings, texts) == [VECTOR] * 4
        assert caller.embed_query(embeddings, "\u00c9COLE  two") == VECTOR


def test_vectors_of_different_lengths_are_an_error(caller, create_for) -> None:
    """A vector store would refuse them later, or not at all."""

    def reply(body):
        return {"embedding": [0.5] * len(body["prompt"])}

    with EmbeddingServer(reply) as server:
        embeddings = create_for(server, max_concurrency=1)
        with pytest.raises(
            SegmindResponseError, match=r"texts\[1\]: .*has 5 numbers, but 3"
        ) as caught:
            caller.embed_documents(embeddings, ["one", "three"])
    assert (caught.value.status_code, caught.value.body) == (200, "")  # the vector is left out


def test_a_vector_of_another_length_than_asked_for_is_an_error(caller, create_for) -> None:
    """The server ignored `dimensions`."""
    with EmbeddingServer(lambda _: {"embedding": VECTOR}) as server:
        embeddings = create_for(server, model=GEMINI, dimensions=768)
        with pytest.raises(SegmindResponseError, match="has 3 numbers, but 768 were expected"):
            caller.embed_query(embeddings, "one")
        with pytest.raises(SegmindResponseError, match="has 3 numbers, but 768 were expected"):
            caller.embed_documents(embeddings, ["one", "one"])


# --- Errors ---


def test_an_error_has_the_vectors_that_were_paid(caller, create, gateway) -> None:
    """By index, equal texts too; the rest can be embedded later."""
    gateway.faults("ok,ok,400")
    embeddings = create(max_concurrency=1)
    texts = ["one", "two", "one", "three", "four"]
    with pytest.raises(SegmindInvalidRequestError, match=r"^texts\[3\]: The server") as caught:
        caller.embed_documents(embeddings, texts)
    completed = caught.value.completed
    assert completed == {index: embed(texts[index], 1536) for index in (0, 1, 2)}
    rest = [index for index in range(len(texts)) if index not in completed]
    again = caller.embed_documents(embeddings, [texts[index] for index in rest])
    vectors = completed | dict(zip(rest, again, strict=True))
    assert [vectors[index] for index in range(5)] == [embed(text, 1536) for text in texts]
    assert len(gateway.requests) == 5  # one of them failed


def test_requests_in_flight_are_awaited_after_an_error(caller, create_for, failed) -> None:
    """They are paid; no other one is sent."""

    def reply(body):
        if body["prompt"] == "text 1":
            return 400
        failed.wait(20)
        return write_vector(body)

    with EmbeddingServer(reply, in_flight=4) as server:
        embeddings = create_for(server, max_concurrency=4)
        with pytest.raises(SegmindInvalidRequestError, match=r"texts\[1\]") as caught:
            caller.embed_documents(embeddings, [f"text {number}" for number in range(50)])
    assert len(server.bodies) == 4
    assert sorted(caught.value.completed) == [0, 2, 3]


def test_an_error_ends_the_waits_of_other_texts(caller, create_for) -> None:
    """A text that waits for another attempt is not sent again; the call ends at once."""
    limited = threading.Event()

    def reply(body):
        if body["prompt"] == "text 1":
            limited.wait(20)
            return 400
        if len(server.bodies) >= 4:
            limited.set()
        return {"status": 429, "headers": {"retry-after": "30"}}

    with EmbeddingServer(reply, in_flight=4) as server:
        embeddings = create_for(server, max_concurrency=4, max_retries=2)
        start = time.monotonic()
        with pytest.raises(SegmindInvalidRequestError, match=r"^texts\[1\]: The server"):
            caller.embed_documents(embeddings, [f"text {number}" for number in range(50)])
        assert time.monotonic() - start < 15
    assert len(server.bodies) == 4


def test_an_error_ends_texts_whose_key_is_being_read(caller, create_for, failed) -> None:
    """They are not on their way yet; nor is a text that waits for a connection."""
    numbers = itertools.count(1)
    all_called = threading.Event()

    def count():
        number = next(numbers)
        if number == 4:
            all_called.set()
        return number

    def get_key():
        if count() > 1:
            failed.wait(20)
        return SECRET

    async def aget_key():
        if count() > 1:
            await asyncio.to_thread(failed.wait, 20)
        return SECRET

    def reply(_):
        all_called.wait(20)
        return 400

    with EmbeddingServer(reply) as server:
        key = get_key if caller.runner is None else aget_key
        embeddings = create_for(server, api_key=key, max_concurrency=4)
        with pytest.raises(SegmindInvalidRequestError, match=r"^texts\[\d\]: The server"):
            caller.embed_documents(embeddings, [f"text {number}" for number in range(50)])
    assert next(numbers) == 5
    assert len(server.bodies) == 1


class Turnstile(BaseRateLimiter):
    """A rate limiter that lets some requests pass, and the others once it is opened.

    Args:
        turns: How many requests pass.
        callers: How many calls fill it.
    """

    def __init__(self, *, turns: int, callers: int) -> None:
        self.turns = threading.Semaphore(turns)
        self.callers = callers
        self.arrived: list[None] = []
        self.is_full = threading.Event()

    def _arrive(self) -> None:
        self.arrived.append(None)
        if len(self.arrived) >= self.callers:
            self.is_full.set()

    def acquire(self, *, blocking: bool = True) -> bool:
        self._arrive()
        return self.turns.acquire(timeout=20)

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self._arrive()
        while not self.turns.acquire(blocking=False):  # noqa: ASYNC110 - of other threads
            await asyncio.sleep(0.01)
        return True


def test_an_error_ends_waits_for_a_rate_limiter(caller, create_for) -> None:
    """No text is sent that still waits for its turn, not even once it comes."""
    limiter = Turnstile(turns=2, callers=4)

    def reply(body):
        limiter.is_full.wait(20)
        return 400

    with EmbeddingServer(reply, in_flight=2) as server:
        embeddings = create_for(server, max_concurrency=4, rate_limiter=limiter)
        start = time.monotonic()
        with pytest.raises(SegmindInvalidRequestError):
            caller.embed_documents(embeddings, [f"text {number}" for number in range(50)])
        assert time.monotonic() - start < 15
        limiter.turns.release(50)
        join_threads()
    assert len(server.bodies) == 2


@pytest.mark.usefixtures("no_back_off")
def test_an_error_ends_other_attempts_that_wait_for_a_rate_limiter(caller, create_for) -> None:
    """A text whose first attempt failed is not sent again."""
    limiter = Turnstile(turns=3, callers=5)

    def reply(body):
        if body["prompt"] == "text 0":
            limiter.is_full.wait(20)
            return 400
        return 503

    with EmbeddingServer(reply, in_flight=3) as server:
        embeddings = create_for(server, max_concurrency=3, max_retries=2, rate_limiter=limiter)
        start = time.monotonic()
        with pytest.raises(SegmindInvalidRequestError, match=r"^texts\[0\]"):
            caller.embed_documents(embeddings, ["text 0", "text 1", "text 2"])
        assert time.monotonic() - start < 15
        limiter.turns.release(50)
        join_threads()
    assert len(server.bodies) == 3


def test_an_interrupt_keeps_the_vectors_that_were_paid(create_for, failed) -> None:
    """Requests on their way are awaited after Ctrl+C; no other one is sent."""

    def reply(body):
        if body["prompt"] == "text 1":
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        failed.wait(20)
        return write_vector(body)

    with EmbeddingServer(reply, in_flight=2) as server:
        embeddings = create_for(server, max_concurrency=2)
        with pytest.raises(KeyboardInterrupt) as caught:
            embeddings.embed_documents([f"text {number}" for number in range(50)])
    assert sorted(caught.value.completed) == [0, 1]
    assert len(server.bodies) == 2


def test_an_interrupt_ends_waits_at_once(create_for) -> None:
    """Texts that wait for another attempt are not sent again after Ctrl+C."""

    def reply(body):
        if len(server.bodies) == 3:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return {"status": 429, "headers": {"retry-after": "30"}}

    with EmbeddingServer(reply) as server:
        embeddings = create_for(server, max_concurrency=3, max_retries=2)
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            embeddings.embed_documents([f"text {number}" for number in range(50)])
        assert time.monotonic() - start < 15
    assert len(server.bodies) == 3


def test_a_second_interrupt_does_not_wait_for_requests(create_for, failed) -> None:
    """What had arrived is still there; the threads left behind send no further text."""
    release = threading.Event()

    def reply(body):
        if body["prompt"] == "text 0":
            return write_vector(body)
        if body["prompt"] == "text 1":
            for _ in range(2):
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                failed.wait(20)
        release.wait(20)
        return write_vector(body)

    with EmbeddingServer(reply, in_flight=3) as server:
        embeddings = create_for(server, max_concurrency=3)
        with pytest.raises(KeyboardInterrupt) as caught:
            embeddings.embed_documents([f"text {number}" for number in range(50)])
        assert not release.is_set()
        release.set()
        join_threads()
    assert len(server.bodies) <= 4  # the third one after text 0
    assert caught.value.completed.keys() <= {0}


def test_an_interrupt_after_an_error_is_not_lost(create_for, failed) -> None:
    """Requests on their way are awaited then, and a caller may try again after an error."""

    def reply(body):
        if body["prompt"] == "text 1":
            return 400
        failed.wait(20)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return write_vector(body)

    with EmbeddingServer(reply, in_flight=2) as server:
        embeddings = create_for(server, max_concurrency=2)
        with pytest.raises(KeyboardInterrupt) as caught:
            embeddings.embed_documents(["text 0", "text 1", "text 2"])
    assert sorted(caught.value.completed) == [0]


def test_an_error_with_vectors_can_be_pickled(create, gateway) -> None:
    """Another process can go on."""
    gateway.faults("ok,400")
    with pytest.raises(SegmindError) as caught:
        create(max_concurrency=1).embed_documents(["one", "two"])
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.completed == caught.value.completed == {0: embed("one", 1536)}
    assert str(copy) == str(caught.value)


def test_an_error_of_a_users_own_function_has_the_vectors_too(caller, create, gateway) -> None:
    """And a note with the index."""
    keys = iter([SECRET])
    embeddings = create(api_key=lambda: next(keys), max_concurrency=1)

    def get_key():
        try:
            return next(keys)
        except StopIteration:
            raise LookupError("no more keys") from None

    embeddings.segmind_api_key = get_key
    with pytest.raises(LookupError, match="no more keys") as caught:
        caller.embed_documents(embeddings, ["one", "two"])
    assert caught.value.completed == {0: embed("one", 1536)}
    assert caught.value.__notes__ == ["This is about texts[1]."]


@pytest.mark.parametrize(
    ("fault", "error"),
    [("401", SegmindAuthenticationError), ("406", SegmindInsufficientCreditsError)],
)
def test_errors_are_those_of_the_chat_model(caller, create, gateway, fault, error) -> None:
    """By the status."""
    gateway.faults(fault)
    with pytest.raises(error):
        caller.embed_query(create(), "one")


@pytest.mark.usefixtures("no_back_off")
def test_each_text_is_tried_again(caller, create, gateway) -> None:
    """As often as `max_retries` says."""
    gateway.faults("503,503,ok,503,ok")
    embeddings = create(max_concurrency=1)
    assert caller.embed_documents(embeddings, ["one", "two"]) == [
        embed("one", 1536),
        embed("two", 1536),
    ]
    assert len(gateway.requests) == 5


def test_the_timeout_is_that_of_one_text(caller, create, gateway) -> None:
    """Several texts may take longer together."""
    gateway.faults("latency:0.3@1")
    embeddings = create(timeout=1, max_concurrency=1)
    assert len(caller.embed_documents(embeddings, list("abcde"))) == 5
    embeddings.timeout = 0.1
    with pytest.raises(SegmindTimeoutError, match=r"texts\[0\]"):
        caller.embed_documents(embeddings, ["one"])


@pytest.mark.usefixtures("no_back_off")
def test_a_text_that_timed_out_is_tried_again_if_the_user_asks_for_it(caller, create_for) -> None:
    """Not by default: it may have been billed."""
    done = threading.Event()

    def reply(body):
        if len(server.bodies) in {1, 2}:
            done.wait(20)
        return write_vector(body)

    with EmbeddingServer(reply) as server:
        embeddings = create_for(server, timeout=httpx.Timeout(20, read=0.5), max_retries=1)
        with pytest.raises(SegmindTimeoutError):
            caller.embed_documents(embeddings, ["one"])
        assert len(server.bodies) == 1
        embeddings.retry_read_timeouts = True
        assert len(caller.embed_documents(embeddings, ["one"])) == 1
        assert len(server.bodies) == 3
        done.set()


async def cancel(call, is_due):
    """Cancel a task and return its error."""
    task = asyncio.create_task(call)
    await asyncio.to_thread(is_due.wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    return caught.value


async def stop_after_a_timeout(call, is_due):
    """Let `asyncio.timeout` cancel a call, and return what caused its error."""

    async def expire(limit):
        await asyncio.to_thread(is_due.wait, 20)
        limit.reschedule(0)

    async def run():
        async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as tasks:
            tasks.create_task(expire(limit))
            await call

    with pytest.raises(TimeoutError) as caught:
        await run()
    return caught.value.__cause__


async def stop_waiting(call, is_due):
    """Let `asyncio.wait_for` cancel a call, and return what caused its error."""
    with pytest.raises(TimeoutError) as caught:
        await asyncio.wait_for(call, 2)
    assert is_due.is_set()
    return caught.value.__cause__


@pytest.mark.parametrize("stop", [cancel, stop_after_a_timeout, stop_waiting])
@pytest.mark.parametrize("max_concurrency", [1, 2])
async def test_a_cancellation_keeps_the_vectors_that_were_paid(
    create_for, stop, max_concurrency
) -> None:
    """Those that have arrived; the others are not awaited."""
    release, is_due = threading.Event(), threading.Event()

    def reply(body):
        if body["prompt"] != "one":
            if len(server.bodies) == 1 + max_concurrency:
                is_due.set()  # the first text has arrived, or the last could not have been sent
            release.wait(20)
        return write_vector(body)

    with EmbeddingServer(reply) as server:
        embeddings = create_for(server, max_concurrency=max_concurrency)
        error = await stop(embeddings.aembed_documents(["one", "two", "three"]), is_due)
        assert isinstance(error, asyncio.CancelledError)
        assert sorted(error.completed) == [0]
        assert asyncio.all_tasks() == {asyncio.current_task()}
        release.set()


async def test_an_error_of_a_cancelled_key_ends_the_other_requests(create_for) -> None:
    """A function of the user's that is cancelled leaves no task behind."""
    calls = []

    async def get_key():
        calls.append(None)
        if len(calls) == 2:
            raise asyncio.CancelledError
        return SECRET

    with EmbeddingServer(write_vector) as server:
        embeddings = create_for(server, api_key=get_key, max_concurrency=2)
        with pytest.raises(asyncio.CancelledError):
            await embeddings.aembed_documents([f"text {number}" for number in range(50)])
        assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(server.bodies) < 50


async def test_a_cancelled_call_cancels_its_requests(create_for) -> None:
    """And leaves no task."""
    arrived, release = threading.Event(), threading.Event()

    def reply(body):
        arrived.set()
        release.wait(20)
        return write_vector(body)

    with EmbeddingServer(reply) as server:
        call = asyncio.create_task(create_for(server).aembed_documents(["one", "two", "three"]))
        await asyncio.to_thread(arrived.wait, 20)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert asyncio.all_tasks() == {asyncio.current_task()}
        release.set()


def test_a_failed_call_keeps_no_vector_alive(create, gateway) -> None:
    """Once its error is gone, without the cyclic garbage collector."""
    gateway.faults("ok,400")

    class Marked(Exception):  # noqa: N818 - only its lifetime matters
        """An error to which weak references can be made."""

    def get_key():
        if len(gateway.requests) == 1:
            raise Marked
        return SECRET

    gc.disable()
    try:
        try:
            create(api_key=get_key, max_concurrency=1).embed_documents(["one", "two"])
        except Marked as error:
            reference = weakref.ref(error)
        assert reference() is None
    finally:
        gc.enable()


# --- Credits and limits ---


def test_credits_callbacks_count_texts(caller, create, gateway) -> None:
    """In nested blocks too; equal texts cost once."""
    with get_segmind_credits_callback() as outer, get_segmind_credits_callback() as inner:
        caller.embed_documents(create(), ["one", "two", "one"])
        caller.embed_query(create(), "one")
    for handler in (outer, inner):
        assert handler.by_model.keys() == {SMALL}
        assert handler.total.calls == 3
        assert handler.total.cost == float(1000 - gateway.credits()) > 0
        assert handler.remaining_credits == float(gateway.credits())
    caller.embed_query(create(), "one")
    assert outer.total.calls == 3


def test_chat_and_embeddings_are_counted_together(caller, create, create_model) -> None:
    """By model, and in total."""
    with get_segmind_credits_callback() as counted:
        caller.embed_query(create(), "one")
        caller.invoke(create_model(), "hi")
    assert counted.by_model.keys() == {SMALL, "gpt-4-turbo"}
    assert counted.total.calls == 2


@pytest.mark.parametrize(
    "usage",
    [
        {"usage": {"prompt_tokens": 7, "total_tokens": 7}},
        {"usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7}},
    ],
    ids=["OpenAI", "Google"],
)
def test_tokens_are_counted_where_a_reply_tells_them(caller, create_for, usage) -> None:
    """The gateway tells none, as the service."""
    reply = {"embedding": VECTOR, **usage}
    with EmbeddingServer(lambda _: reply) as server, get_segmind_credits_callback() as counted:
        caller.embed_query(create_for(server), "one")
    assert (counted.total.input_tokens, counted.total.output_tokens) == (7, 0)


def test_a_budget_ends_a_call_between_texts(caller, create, gateway) -> None:
    """What was spent is not lost."""
    embeddings = create(max_concurrency=1)
    with get_segmind_credits_callback(budget=3e-8) as counted:
        with pytest.raises(SegmindBudgetExceededError, match=r"^texts\[2\]: ") as caught:
            caller.embed_documents(embeddings, ["a", "b", "c", "d"])
        with pytest.raises(SegmindBudgetExceededError):
            caller.embed_query(embeddings, "e")
    assert sorted(caught.value.completed) == [0, 1]
    assert len(gateway.requests) == counted.total.calls == 2


def test_concurrent_requests_exceed_a_budget_by_what_is_in_flight(caller, create, gateway) -> None:
    """No more; and all that was paid is there."""
    texts = [f"text {number}" for number in range(200)]
    with (
        get_segmind_credits_callback(budget=1e-7) as counted,
        pytest.raises(SegmindBudgetExceededError) as caught,
    ):
        caller.embed_documents(create(max_concurrency=8), texts)
    # A text costs 4e-8: three reach the budget, while seven others are in flight.
    assert 3 <= counted.total.calls <= 10
    assert len(gateway.requests) == counted.total.calls == len(caught.value.completed)
    assert counted.total.cost == float(1000 - gateway.credits())


@pytest.mark.usefixtures("no_back_off")
def test_a_rate_limiter_is_acquired_for_each_request(caller, create, gateway) -> None:
    """Retries too, but not equal texts."""
    gateway.faults("503,ok")
    limiter = CountingLimiter()
    embeddings = create(rate_limiter=limiter, max_concurrency=2)
    caller.embed_documents(embeddings, ["one", "two", "one"])
    caller.embed_query(embeddings, "one")
    assert len(gateway.requests) == 4
    expected = (4, 0) if caller.runner is None else (0, 4)
    assert (limiter.sync_calls, limiter.async_calls) == expected


def test_a_rate_limiter_of_langchains_paces_a_call(caller, create) -> None:
    """Its waits do not count for the timeout."""
    limiter = InMemoryRateLimiter(requests_per_second=20, check_every_n_seconds=0.01)
    embeddings = create(rate_limiter=limiter, timeout=0.5)
    assert len(caller.embed_documents(embeddings, [str(n) for n in range(15)])) == 15


# --- Connections and progress ---


def test_a_users_own_client_sends_the_requests(caller, create, gateway) -> None:
    """Synchronous or asynchronous."""
    with own_client(caller, headers={"x-mine": "fake"}) as fields:
        caller.embed_documents(create(**fields), ["one", "two"])
    assert [request.headers["x-mine"] for request in gateway.requests] == ["fake", "fake"]


def test_requests_share_connections(caller, create, gateway) -> None:
    """As many as are in flight at once, at most."""
    embeddings = create(max_concurrency=2)
    caller.embed_documents(embeddings, [f"text {number}" for number in range(20)])
    assert len({request.client for request in gateway.requests}) <= 2
    assert len(gateway.requests) == 20


def test_default_headers_are_sent(caller, create, gateway) -> None:
    """With every request."""
    caller.embed_query(create(default_headers={"x-tenant": "fake"}), "one")
    assert gateway.requests[0].headers["x-tenant"] == "fake"


def test_the_balance_of_the_account_is_readable(caller, create, gateway) -> None:
    """As with a chat model."""
    assert caller.get_credits(create()).total == 1000


def test_a_progress_bar_counts_the_texts(caller, create, capsys) -> None:
    """Equal ones too."""
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    caller.embed_documents(create(show_progress_bar=True), ["one", "two", "one"])
    assert "3/3" in capsys.readouterr().err
    caller.embed_documents(create(), ["one"])
    assert capsys.readouterr().err == ""


class BrokenTerminal(io.StringIO):
    """A terminal that is gone after the first line."""

    def write(self, text):
        if self.tell():
            raise BrokenPipeError(errno.EPIPE, "gone")
        return super().write(text)


def test_an_error_of_a_progress_bar_has_the_vectors(caller, create, monkeypatch) -> None:
    """Also one that closes the bar."""
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    monkeypatch.setattr("sys.stderr", BrokenTerminal())
    with pytest.raises(BrokenPipeError) as caught:
        caller.embed_documents(create(show_progress_bar=True), ["one"])
    assert caught.value.completed == {0: embed("one", 1536)}


def test_a_progress_bar_without_tqdm_is_an_error(caller, create, gateway, monkeypatch) -> None:
    """That says how to install it; nothing is sent."""
    monkeypatch.setitem(__import__("sys").modules, "tqdm", None)
    with pytest.raises(ImportError, match="pip install tqdm"):
        caller.embed_documents(create(show_progress_bar=True), ["one"])
    assert gateway.requests == []


def test_vectors_have_length_one_and_shared_words_are_near(caller, create) -> None:
    """From the gateway, so that retrieval can be tested."""
    note, question, other = caller.embed_documents(
        create(), ["Opened packs of tea can be returned.", "Return opened tea", "Closed in August"]
    )
    assert math.hypot(*note) == pytest.approx(1, abs=1e-6)
    near, far = (
        sum(a * b for a, b in zip(note, vector, strict=True)) for vector in (question, other)
    )
    assert near > far + 0.3
