"""Models of the three formats over HTTP: what is sent, read, counted and cached."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField

from langchain_segmind import (
    ChatSegmind,
    ChatSegmindGPT4Turbo,
    SegmindCreditsCallbackHandler,
    SegmindInvalidRequestError,
)
from tests.conftest import SECRET
from tests.support.bodies import check_body
from tests.support.histories import GOOD_HISTORIES, check_error
from tests.support.images import BLOCKS, URL_BLOCKS, create_png
from tests.support.raw_server import RawServer, answer
from tests.support.replies import SLUGS
from tests.support.scripts import add

REPLIES: dict[str, Any] = {
    "openai": {
        "choices": [{"message": {"content": "Hi."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
    },
    "anthropic": {
        "content": [{"type": "text", "text": "Hi."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 7, "output_tokens": 5},
    },
    "gemini": {
        "candidates": [{"content": {"parts": [{"text": "Hi."}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12},
    },
}
"""The same reply in each format."""


@pytest.fixture(params=SLUGS)
def api_format(request: pytest.FixtureRequest) -> str:
    """Run a test for each format."""
    return request.param


@pytest.fixture
def server(api_format) -> Iterator[RawServer]:
    """Run a server that replies in the format."""
    with RawServer([answer(json.dumps(REPLIES[api_format]).encode())]) as server:
        yield server


def create(server: RawServer, **fields: Any) -> ChatSegmind:
    """Create a model for the server."""
    return ChatSegmind(**{"base_url": server.get_url(), "api_key": SECRET, **fields})


def read_bodies(server: RawServer) -> list[dict[str, Any]]:
    """Return the parsed bodies of all requests."""
    return [json.loads(request.body) for request in server.requests]


def test_a_model_speaks_its_format(caller, server, api_format) -> None:
    """Invoke and stream, sync and async; tokens are counted for the handlers as well."""
    handler = SegmindCreditsCallbackHandler()
    model = create(server, model=SLUGS[api_format], callbacks=[handler])
    chunks = caller.stream(model, "Hello.")
    for message in (caller.invoke(model, "Hello."), sum(chunks[1:], chunks[0])):
        assert message.text == "Hi."
        assert message.response_metadata["finish_reason"] == "stop"
        assert message.response_metadata["model_name"] == SLUGS[api_format]
        assert message.usage_metadata["total_tokens"] == 12
    for body in read_bodies(server):
        check_body(body, api_format)
    assert handler.total.total_tokens == 24


@pytest.mark.parametrize("spelling", ["field", "assignment", "call", "bind"])
def test_the_users_format_wins(server, api_format, spelling) -> None:
    """However it is set, for a slug that is not known."""
    given = {"api_format": api_format}
    model = create(server, model="new", **(given if spelling == "field" else {}))
    if spelling == "assignment":
        model.api_format = api_format
    if spelling == "bind":
        model = model.bind(**given)
    assert model.invoke("Hello.", **(given if spelling == "call" else {})).text == "Hi."
    check_body(read_bodies(server)[0], api_format)


@pytest.mark.parametrize("spelling", ["call", "bind", "assignment", "configurable", "copy"])
def test_another_model_has_its_own_format_and_images(server, api_format, spelling) -> None:
    """However the text-only model is replaced by one that takes images."""
    slug = SLUGS[api_format]
    model: Any = ChatSegmindGPT4Turbo(base_url=server.get_url(), api_key=SECRET)
    if spelling == "bind":
        model = model.bind(model=slug)
    elif spelling == "assignment":
        model.model = slug
    elif spelling == "copy":
        model = model.model_copy(update={"model": slug})
    elif spelling == "configurable":
        field = ConfigurableField(id="model")
        model = model.configurable_fields(model=field).with_config(configurable={"model": slug})
    question = [HumanMessage(["What is this?", BLOCKS["v1"]])]
    model.invoke(question, **({"model": slug} if spelling == "call" else {}))
    [body] = read_bodies(server)
    check_body(body, api_format)
    assert BLOCKS["v1"]["base64"] in json.dumps(body)


def test_the_fields_of_a_model_do_not_describe_another() -> None:
    """Its format and profile are its own; the call can pass a format too."""
    model = ChatSegmind(
        model="new", api_format="anthropic", profile={"image_inputs": False}, api_key=SECRET
    )
    assert model._get_settings().request_format == "anthropic"
    assert model._get_settings(arguments={"model": "new"}).request_format == "anthropic"
    other = model._get_settings(arguments={"model": "gemini-3-flash"})
    assert (other.request_format, other.takes_images) == ("gemini", True)
    both = model._get_settings(arguments={"model": "newer", "api_format": "gemini"})
    assert both.request_format == "gemini"


def test_an_unknown_format_is_an_error() -> None:
    """In the constructor and in a call."""
    with pytest.raises(ValueError, match="'openai', 'anthropic'"):
        ChatSegmind(model="new", api_format="google")
    with pytest.raises(ValueError, match="'openai', 'anthropic'"):
        ChatSegmind(model="new", api_key=SECRET).invoke("hi", api_format="google")
    with pytest.raises(TypeError, match=r"set it on the model: ChatSegmind\(profile=\.\.\.\)"):
        ChatSegmind(model="new", api_key=SECRET).invoke("hi", profile={})


def test_the_cache_key_has_the_format_and_whether_images_are_taken() -> None:
    """The same messages are another request."""

    def get_key(**fields: Any) -> str:
        return ChatSegmind(**{"model": "new", "api_key": SECRET, **fields})._get_llm_string()

    assert get_key() == get_key(api_format="openai")
    assert get_key() != get_key(api_format="gemini")
    assert get_key() != get_key(profile={"image_inputs": False})


def test_a_text_only_model_refuses_an_image_before_any_request(create_model, gateway) -> None:
    """With the slug; a profile of the user's own lets it pass."""
    question = [HumanMessage([BLOCKS["v1"]])]
    with pytest.raises(ValueError, match="Message 0 .*'gpt-4-turbo' takes text only"):
        create_model().invoke(question)
    assert gateway.requests == []


def test_a_refused_image_url_says_to_pass_base64(caller) -> None:
    """Segmind cannot download from every host; other refusals stay as they are."""
    with RawServer([answer(b'{"error": "bad"}', status="400 Bad Request")]) as server:
        model = create(server, model="gpt-4o")
        with pytest.raises(SegmindInvalidRequestError, match="'bad'.* pass the image as Base64"):
            caller.invoke(model, [HumanMessage([URL_BLOCKS["v1"]])])
        with pytest.raises(SegmindInvalidRequestError) as caught:
            caller.invoke(model, [HumanMessage([BLOCKS["v1"]])])
        assert "Base64" not in str(caught.value)


def test_images_count_as_tokens(api_format) -> None:
    """By the rule of the format's maker, beside the text."""
    image = {"type": "image", "base64": create_png(1024, 1024), "mime_type": "image/png"}
    model = ChatSegmind(model=SLUGS[api_format], api_key=SECRET)
    text = model.get_num_tokens_from_messages([HumanMessage(["What is this?"])])
    both = model.get_num_tokens_from_messages([HumanMessage(["What is this?", image])])
    assert both - text == {"openai": 765, "anthropic": 1399, "gemini": 1032}[api_format]


def test_a_large_image_is_not_refused_for_the_context(server, api_format) -> None:
    """Its Base64 is not text."""
    data = "A" * 1_000_000
    image = {"type": "image", "base64": data, "mime_type": "image/png"}
    model = create(server, model=SLUGS[api_format], profile={"max_input_tokens": 100})
    assert model.invoke([HumanMessage(["What is this?", image])]).text == "Hi."


@pytest.mark.parametrize("slug", SLUGS.values())
@settings(deadline=None)
@given(history=GOOD_HISTORIES, tools=st.sampled_from([[], [add]]))
def test_any_history_is_accepted_or_an_error(running_gateway, slug, history, tools) -> None:
    """By the strict gateway; the error names the message, and no message is changed."""
    running_gateway.reset()
    before = copy.deepcopy(history)
    model = ChatSegmind(model=slug, base_url=running_gateway.base_url, api_key=SECRET)
    try:
        model.bind_tools(tools).invoke(history)
    except ValueError as error:
        check_error(error, history)
    assert repr(history) == repr(before)
