"""Embedding models of the gateway, over real connections."""

import math
from decimal import Decimal

import pytest

from langchain_segmind.gateway.embeddings import embed

SMALL = "text-embedding-3-small"
LARGE = "text-embedding-3-large"
GEMINI = "gemini-embedding-001"
GEMINI_2 = "gemini-embedding-2"


def get_similarity(one, other):
    """Return the cosine of two vectors of length 1."""
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(("slug", "length"), [(SMALL, 1536), (LARGE, 3072)])
def test_openais_models_answer_a_prompt_with_a_vector(gateway, post, slug, length):
    """Of the model's own length; the body has nothing else."""
    response = post(gateway, {"prompt": "You are beautiful"}, slug=slug)
    assert response.status_code == 200
    (vector,) = response.json().values()
    assert list(response.json()) == ["embedding"]
    assert len(vector) == length
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("chosen", "length"), [(None, 3072), (768, 768), (1536, 1536)])
def test_googles_models_answer_an_input_with_values(gateway, post, chosen, length):
    """Of the length that the request chooses."""
    body = {"input": "You are beautiful", "task_type": "RETRIEVAL_QUERY"}
    if chosen:
        body["output_dimensionality"] = chosen
    response = post(gateway, body, slug=GEMINI)
    assert len(response.json()["embedding"]["values"]) == length


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        ({"prompt": "a"}, "text-embedding-9"),
        ({"input": "a", "output_dimensionality": 5}, "gemini-embedding-9"),
    ],
)
def test_a_new_model_of_the_same_name_is_one_too(gateway, post, body, slug):
    """With a length of its own choice or of the request's."""
    vector = post(gateway, body, slug=slug).json()["embedding"]
    length = len(vector["values"] if "input" in body else vector)
    assert length == body.get("output_dimensionality", 1536)
    assert gateway.credits() < 1


@pytest.mark.parametrize(("slug", "key"), [(SMALL, "input"), (GEMINI, "prompt")])
def test_the_wrong_key_gives_the_same_vector_for_every_text(gateway, post, slug, key):
    """With the status 200, as the real service does."""
    bodies = [post(gateway, {key: text}, slug=slug) for text in ("one", "two")]
    assert [response.status_code for response in bodies] == [200, 200]
    assert bodies[0].json() == bodies[1].json()


@pytest.mark.parametrize(("slug", "key"), [(SMALL, "prompt"), (GEMINI, "input")])
def test_a_list_gives_the_vector_of_its_first_text(gateway, post, slug, key):
    """As the real service does."""
    listed = post(gateway, {key: ["one", "two"]}, slug=slug)
    single = post(gateway, {key: "one"}, slug=slug)
    assert listed.json() == single.json()


@pytest.mark.parametrize(
    ("slug", "body", "text"),
    [
        pytest.param(SMALL, {"prompt": 1}, "prompt must be a string", id="number"),
        pytest.param(SMALL, {"prompt": []}, "prompt must be a string", id="empty list"),
        pytest.param(SMALL, {"prompt": "word " * 7_000}, "maximum context", id="long"),
        pytest.param(GEMINI, {"input": "word " * 2_000}, "maximum context", id="long for Gemini"),
        pytest.param(GEMINI, {"input": "a", "task_type": "X"}, "task_type must be", id="task"),
        pytest.param(
            GEMINI, {"input": "a", "output_dimensionality": 100}, "cannot be 100", id="length"
        ),
        pytest.param(
            GEMINI_2, {"input": "a", "output_dimensionality": True}, "cannot be", id="flag"
        ),
        pytest.param(SMALL, ["a"], "must be a JSON object", id="not an object"),
    ],
)
def test_invalid_bodies_are_refused(gateway, post, slug, body, text):
    """With the reason; nothing is charged."""
    response = post(gateway, body, slug=slug)
    assert response.status_code == 400
    assert text in response.json()["error"]
    assert gateway.credits() == 1


@pytest.mark.parametrize(
    ("slug", "body", "text"),
    [
        (SMALL, {"input": "a"}, "prompt must be a string"),
        (SMALL, {"prompt": ["a"]}, "prompt must be a string"),
        (SMALL, {"prompt": "a", "model": "b"}, "unknown keys model"),
        (GEMINI, {"input": "a", "dimensions": 768}, "unknown keys dimensions"),
        (GEMINI, {"input": "a", "images": ["b"]}, "unknown keys images"),
    ],
)
def test_a_strict_gateway_refuses_what_is_not_documented(serve, post, slug, body, text):
    """What the service would answer with a vector of nothing."""
    response = post(serve(strict=True), body, slug=slug)
    assert response.status_code == 400
    assert text in response.json()["error"]


def test_a_strict_gateway_takes_media_where_segmind_documents_them(serve, post):
    """The vector is that of the text."""
    gateway = serve(strict=True)
    media = {"images": ["https://example.com/a.png"], "audio": "b", "video": "c", "pdf": "d"}
    response = post(gateway, {"input": "a", **media}, slug=GEMINI_2)
    assert response.status_code == 200
    assert response.json() == post(gateway, {"input": "a"}, slug=GEMINI_2).json()


@pytest.mark.parametrize(
    ("slug", "key", "cost"),
    [
        (SMALL, "prompt", "0.00000200"),
        (LARGE, "prompt", "0.00001300"),
        (GEMINI, "input", "0.00001500"),
        (GEMINI_2, "input", "0.00002000"),
    ],
)
def test_a_text_costs_its_makers_list_price(gateway, post, slug, key, cost):
    """Of a hundred tokens; the balance in the header is exact."""
    response = post(gateway, {key: "abcd" * 100}, slug=slug)
    assert Decimal(response.headers["x-cost"]) == Decimal(cost)
    assert gateway.credits() == 1 - Decimal(cost)
    assert Decimal(response.headers["x-remaining-credits"]) == gateway.credits()


def test_an_account_without_credits_gets_406(serve, post):
    """As for a chat model."""
    response = post(serve(credits=0), {"prompt": "Hello"}, slug=SMALL)
    assert response.status_code == 406


def test_a_job_of_the_queue_embeds_a_text(gateway, post, client):
    """Its output is the response of v1, as a string."""
    submitted = post(gateway, {"prompt": "Hello"}, slug=f"../v2/{SMALL}").json()
    while (result := client.get(submitted["response_url"]).json())["status"] != "COMPLETED":
        pass
    direct = post(gateway, {"prompt": "Hello"}, slug=SMALL)
    assert result["output"] == direct.text


def test_faults_come_before_vectors(gateway, post):
    """A script's faults are those of every model."""
    gateway.faults("503,ok")
    statuses = [post(gateway, {"prompt": "a"}, slug=SMALL).status_code for _ in range(2)]
    assert statuses == [503, 200]


def test_texts_that_share_words_are_near():
    """And the order, the case and the ends of words matter little."""
    note = embed("Opened packs of tea can be returned within fourteen days.", 768)
    question = embed("Can I return an opened pack?", 768)
    other = embed("The shop is closed in August, when everyone travels.", 768)
    assert get_similarity(note, question) > 0.3
    assert abs(get_similarity(note, other)) < 0.2


@pytest.mark.parametrize(
    ("one", "other"), [("a b", "b a"), ("a", "A"), ("a", "a "), ("", " "), ("!", "?")]
)
def test_different_texts_have_different_vectors(one, other):
    """Also if their words are the same."""
    assert embed(one, 128) != embed(other, 128)


def test_a_text_has_the_same_vector_in_every_process():
    """The hashes depend on nothing but the text."""
    assert embed("tea", 3) == [0.75638095, 0.63398821, 0.1610801]
