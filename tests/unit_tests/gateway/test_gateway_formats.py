"""The JSON formats of Anthropic and Gemini beside OpenAI's, over real connections."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_segmind._settings.call_settings import BODY_FIELDS
from langchain_segmind.gateway import Completion, Request
from langchain_segmind.gateway.contract import check_body, check_parameters, check_strictly
from langchain_segmind.gateway.formats.common import InvalidBodyError
from langchain_segmind.gateway.parameters import PARAMETER_RULES
from langchain_segmind.gateway.pricing import estimate_cost
from tests.support.raw_server import RawServer, answer
from tests.support.replies import SLUGS

PNG = "iVBORw0KGgo="
DATA_URI = f"data:image/png;base64,{PNG}"
WEB_URL = "https://example.com/cat.png"

OPENAI_IMAGE = {"type": "image_url", "image_url": {"url": DATA_URI}}
ANTHROPIC_IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": PNG},
}
GEMINI_IMAGE = {"inlineData": {"mimeType": "image/png", "data": PNG}}
TEXT = {"type": "text", "text": "What is it?"}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
}
JSON = {"type": "json_object"}


def openai(*contents, **body):
    """Return a body in which user and assistant take turns."""
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": each} for i, each in enumerate(contents)]
    return {"messages": messages, **body}


anthropic = openai


def gemini(*contents, **body):
    """Return a body in which user and model take turns."""
    roles = ("user", "model")
    contents = [
        {"role": roles[i % 2], "parts": [{"text": each}] if isinstance(each, str) else each}
        for i, each in enumerate(contents)
    ]
    return {"messages": {"contents": contents}, **body}


def test_the_gateway_knows_every_parameter_of_the_chat_model() -> None:
    """It checks its value, takes it where it is strict, and passes it on as a proxy."""
    assert set(BODY_FIELDS) - PARAMETER_RULES.keys() == set()


WRITERS = {"openai": openai, "anthropic": anthropic, "gemini": gemini}


@pytest.fixture(params=SLUGS)
def api_format(request):
    """Each of the formats."""
    return request.param


@pytest.fixture
def chat(post, api_format):
    """Send texts of user and assistant to a model of the format."""

    def chat(gateway, *texts, **body):
        body = WRITERS[api_format](*(texts or ["Hello"]), **body)
        return post(gateway, body, slug=SLUGS[api_format])

    return chat


class TestRequests:
    """What backends and scripts see."""

    @pytest.mark.parametrize(
        ("api_format", "body"),
        [
            pytest.param(
                "openai",
                {
                    "messages": [
                        {"role": "system", "content": "Be brief."},
                        *openai("Hi", "Ho", "Well?")["messages"],
                    ]
                },
                id="openai",
            ),
            pytest.param(
                "anthropic", anthropic("Hi", "Ho", "Well?", instruction="Be brief."), id="anthropic"
            ),
            pytest.param(
                "gemini",
                {
                    "messages": {
                        "system_instruction": {"parts": {"text": "Be brief."}},
                        **gemini("Hi", "Ho", "Well?")["messages"],
                    }
                },
                id="gemini",
            ),
            pytest.param(
                "anthropic",
                anthropic(
                    [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}],
                    [{"type": "text", "text": "Ho"}],
                    "Well?",
                    instruction="Be brief.",
                ),
                id="anthropic-blocks",
            ),
        ],
    )
    def test_messages_are_the_same_in_every_format(self, serve, post, api_format, body):
        """System text, roles and texts reach a script in OpenAI's form."""
        gateway = serve(strict=True)
        response = post(gateway, body, slug=SLUGS[api_format])

        assert response.status_code == 200
        (request,) = gateway.requests
        assert request.api_format == api_format
        assert request.last_message == "Well?"
        assert request.messages == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Ho"},
            {"role": "user", "content": "Well?"},
        ]

    @pytest.mark.parametrize(
        ("api_format", "content", "url"),
        [
            pytest.param("openai", [TEXT, OPENAI_IMAGE], DATA_URI, id="openai-data"),
            pytest.param(
                "openai",
                [TEXT, {"type": "image_url", "image_url": {"url": WEB_URL}}],
                WEB_URL,
                id="openai-url",
            ),
            pytest.param("anthropic", [TEXT, ANTHROPIC_IMAGE], DATA_URI, id="anthropic-data"),
            pytest.param(
                "anthropic",
                [TEXT, {"type": "image", "source": {"type": "url", "url": WEB_URL}}],
                WEB_URL,
                id="anthropic-url",
            ),
            pytest.param("gemini", [{"text": TEXT["text"]}, GEMINI_IMAGE], DATA_URI, id="gemini"),
        ],
    )
    def test_images_are_the_same_in_every_format(self, serve, post, api_format, content, url):
        """An image becomes OpenAI's content part, and the text beside it is still found."""
        gateway = serve(strict=True)
        assert post(gateway, WRITERS[api_format](content), slug=SLUGS[api_format]).is_success

        (request,) = gateway.requests
        image = {"type": "image_url", "image_url": {"url": url}}
        assert request.messages == [{"role": "user", "content": [TEXT, image]}]
        assert request.last_message == TEXT["text"]

    def test_option_decides_for_every_slug(self, serve, post):
        """With `api_format`, an unknown slug speaks that format, and so does a known one."""
        gateway = serve(api_format="gemini", strict=True)
        for slug in ("my-model", SLUGS["openai"]):
            assert "candidates" in post(gateway, gemini("Hi"), slug=slug).json()
        assert post(gateway, openai("Hi"), slug="my-model").status_code == 400

    @pytest.mark.parametrize(
        ("slug", "api_format"),
        [
            pytest.param("claude-9-opus", "anthropic", id="claude"),
            pytest.param("gemini-9-pro", "gemini", id="gemini"),
            pytest.param("my-model", "openai", id="other"),
        ],
    )
    def test_unknown_slugs_speak_what_their_names_suggest(self, gateway, post, slug, api_format):
        """A model that Segmind adds tomorrow needs no new release."""
        assert post(gateway, WRITERS[api_format]("Hi"), slug=slug).is_success

    @pytest.mark.parametrize(
        ("api_format", "body", "text"),
        [
            pytest.param("anthropic", {}, "messages: at least one", id="anthropic-empty"),
            pytest.param(
                "anthropic", gemini("Hi"), "messages: at least one", id="anthropic-gemini"
            ),
            pytest.param(
                "anthropic",
                anthropic("Hi", instruction=["x"]),
                "instruction must",
                id="instruction",
            ),
            pytest.param("gemini", {}, "messages must be an object", id="gemini-empty"),
            pytest.param("gemini", openai("Hi"), "messages must be an object", id="gemini-openai"),
            pytest.param("gemini", gemini(), "contents: at least one message", id="no-contents"),
            pytest.param(
                "gemini", {"messages": {"contents": ["Hi"]}}, "contents[0] must", id="content-text"
            ),
            pytest.param(
                "gemini",
                {"messages": {"contents": [{"role": "assistant", "parts": [{"text": "Hi"}]}]}},
                "contents[0].role must be one of user, model",
                id="gemini-role",
            ),
            pytest.param(
                "gemini",
                {"messages": {"contents": [{"role": ["user"], "parts": [{"text": "Hi"}]}]}},
                "contents[0].role must be",
                id="gemini-role-list",
            ),
            pytest.param("gemini", gemini([]), "contents[0].parts must be", id="no-parts"),
            pytest.param("gemini", gemini(["Hi"]), "contents[0].parts must be", id="part-text"),
            pytest.param(
                "gemini",
                {"messages": {**gemini("Hi")["messages"], "system_instruction": "x"}},
                "system_instruction must be",
                id="system-text",
            ),
            pytest.param(
                "gemini",
                {
                    "messages": {
                        **gemini("Hi")["messages"],
                        "system_instruction": {"parts": [{"text": "x"}]},
                    }
                },
                "system_instruction must be",
                id="system-list",
            ),
        ],
    )
    def test_unreadable_bodies_are_400(self, gateway, post, api_format, body, text):
        """The error says what is wrong; the recorded request has no messages."""
        response = post(gateway, body, slug=SLUGS[api_format])

        assert response.status_code == 400
        assert text in response.json()["error"]
        assert gateway.requests[-1].messages == []
        assert gateway.requests[-1].last_message == ""

    def test_shorthand_prompt_works(self, gateway, post, api_format):
        """Segmind takes `prompt` in place of messages."""
        assert post(gateway, {"prompt": "Hi"}, slug=SLUGS[api_format]).is_success
        assert gateway.requests[-1].last_message == "Hi"


DOCUMENTED = [
    openai([TEXT, OPENAI_IMAGE], "Ho", "JSON", response_format=JSON, stop=["x"], max_tokens=9),
    anthropic([TEXT, ANTHROPIC_IMAGE], "Ho", "Hi", instruction="x", response_format=SCHEMA),
    gemini([{"text": "Hi"}, GEMINI_IMAGE], "Ho", "Hi", response_format=SCHEMA),
    {"messages": {"system_instruction": {"parts": {"text": "x"}}, **gemini("Hi")["messages"]}},
]
NODES = [None, True, 3, -1.5, "", "x", [], ["x"], {}, {"x": {}}, TEXT, *DOCUMENTED]


@st.composite
def write_body(draw):
    """Return a body that a format documents, or one in which some nodes are something else."""
    body = copy.deepcopy(draw(st.sampled_from(DOCUMENTED)))
    for _ in range(draw(st.integers(0, 2))):
        node, keys = body, list(body)
        while keys:
            key = draw(st.sampled_from(keys))
            value = node[key]
            keys = list(value) if isinstance(value, dict) else []
            keys = list(range(len(value))) if isinstance(value, list) else keys
            if not keys or draw(st.booleans()):
                node[key] = copy.deepcopy(draw(st.sampled_from(NODES)))
                break
            node = value
    return body


@settings(deadline=None)
@given(body=write_body(), api_format=st.sampled_from(list(SLUGS)))
def test_any_json_is_read_or_refused(body, api_format):
    """No body is an error of the gateway, and what is accepted has roles and contents."""
    headers = {"content-type": "application/json"}
    path = f"/v1/{SLUGS[api_format]}"
    request = Request("POST", path, headers, json=body, api_format=api_format)
    assert isinstance(request.last_message, str)
    try:
        check_body(request)
        check_parameters(request)
        assert estimate_cost(request.messages, request.parameters.get("max_tokens")) > 0
        assert all(m["role"] in {"system", "user", "assistant"} for m in request.messages)
        check_strictly(request, [])
    except InvalidBodyError:
        return
    contents = [message["content"] for message in request.messages]
    parts = [part for each in contents if isinstance(each, list) for part in each]
    assert {part["type"] for part in parts} <= {"text", "image_url"}


OPENAI_PARTS = "strict: messages[0].content[0]"
CONTENTS = "strict: messages.contents[0]"
SOURCE = "strict: messages[0].content[0].source"


class TestStrict:
    """What `strict` refuses beyond what cannot be read."""

    @pytest.mark.parametrize(
        ("api_format", "body"),
        [
            pytest.param(
                "openai",
                openai("Say JSON", temperature=0, max_tokens=9, top_p=1, seed=1, stop="x")
                | {"response_format": JSON},
                id="openai",
            ),
            pytest.param("openai", openai(""), id="openai-empty"),
            pytest.param(
                "anthropic",
                anthropic(
                    "Hi", temperature=0, max_tokens=9, response_format=SCHEMA, instruction="x"
                ),
                id="anthropic",
            ),
            pytest.param("gemini", gemini("Hi", response_format=SCHEMA), id="gemini"),
            pytest.param("gemini", gemini("Hi", response_format=JSON), id="gemini-json"),
            pytest.param("gemini", gemini("Hi", response_format={"type": "text"}), id="text"),
        ],
    )
    def test_documented_bodies_are_accepted(self, serve, post, api_format, body):
        """All that a format documents passes."""
        response = post(serve(strict=True), body, slug=SLUGS[api_format])
        assert response.status_code == 200, response.text

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            pytest.param(
                openai("Hi", instruction="x"), "unknown keys instruction in openai's", id="key"
            ),
            pytest.param(openai([{"type": "text"}]), f"{OPENAI_PARTS} must hold", id="no-text"),
            pytest.param(
                openai([{"type": "text", "text": 1}]), f"{OPENAI_PARTS}.text must", id="number"
            ),
            pytest.param(
                openai([{**TEXT, "cache_control": {}}]), "exactly type and text", id="part-key"
            ),
            pytest.param(openai([ANTHROPIC_IMAGE]), f"{OPENAI_PARTS}.type must be", id="block"),
            pytest.param(
                openai([{"type": "image_url", "image_url": DATA_URI}]),
                f"{OPENAI_PARTS}.image_url must hold exactly url, and optionally detail",
                id="bare-url",
            ),
            *(
                pytest.param(
                    openai([{"type": "image_url", "image_url": {"url": url}}]), text, id=name
                )
                for name, url, text in [
                    ("relative-url", "cat.png", "http or https URL"),
                    ("number-url", 3, "http or https URL"),
                    ("file-url", "file:///cat.png", "http or https URL"),
                    ("pdf", f"data:application/pdf;base64,{PNG}", "media type of image/*"),
                    ("not-base64", "data:image/png;base64,@@@@", "must be an image in base64"),
                    ("padding", "data:image/png;base64,iVBORw0KGgo", "must be an image in base64"),
                    ("url-safe", "data:image/png;base64,__--", "must be an image in base64"),
                    ("no-data", "data:image/png;base64,", "must be an image in base64"),
                    ("no-ascii", "data:image/png;base64,ééé", "must be an image in base64"),
                ]
            ),
        ],
    )
    def test_openai_refusals(self, serve, post, body, text):
        """The error names what OpenAI's format does not have."""
        self.check_refused(serve, post, "openai", body, text)

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            pytest.param(
                anthropic("Hi", system="x", top_k=1), "keys system, top_k in anthropic's", id="keys"
            ),
            pytest.param(anthropic("Hi", instruction=""), "instruction is empty", id="instruction"),
            pytest.param(
                {"messages": [{"role": "system", "content": "x"}]},
                "messages[0].role must be user",
                id="system",
            ),
            pytest.param(
                {"messages": [{"role": "assistant", "content": "x"}]},
                "messages[0].role must be user: user and assistant take turns, the user first",
                id="assistant-first",
            ),
            pytest.param(
                {"messages": [{"role": "user", "content": "x"}] * 2},
                "messages[1].role must be assistant",
                id="two-users",
            ),
            pytest.param(anthropic("Hi", ""), "messages[1].content is empty", id="empty"),
            pytest.param(
                anthropic([{"type": "text", "text": ""}]),
                f"{OPENAI_PARTS}.text is empty",
                id="block",
            ),
            pytest.param(
                {"messages": [{"role": "user", "content": "x", "name": "y"}]},
                "messages[0] must hold exactly role and content",
                id="name",
            ),
            pytest.param(anthropic([OPENAI_IMAGE]), f"{OPENAI_PARTS}.type must be", id="image_url"),
            pytest.param(
                anthropic([{"type": "thinking", "thinking": "Hm"}]),
                f"{OPENAI_PARTS}.type must be text or image",
                id="thinking",
            ),
            *(
                pytest.param(anthropic([{"type": "image", "source": source}]), text, id=name)
                for name, source, text in [
                    ("no-source", None, f"{SOURCE} must hold exactly type and media_type and data"),
                    ("source-type", ANTHROPIC_IMAGE["source"] | {"type": "file"}, f"{SOURCE}.type"),
                    ("media-type", ANTHROPIC_IMAGE["source"] | {"media_type": None}, "image/*"),
                    ("data", ANTHROPIC_IMAGE["source"] | {"data": DATA_URI}, "in base64"),
                    ("url", {"type": "url", "url": DATA_URI}, f"{SOURCE}.url must be an http"),
                    ("url-key", {"type": "url", "url": WEB_URL, "x": 1}, "exactly type and url"),
                ]
            ),
        ],
    )
    def test_anthropic_refusals(self, serve, post, body, text):
        """The error names what Anthropic's format does not have."""
        self.check_refused(serve, post, "anthropic", body, text)

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            pytest.param(
                gemini("Hi", temperature=0, generationConfig={}),
                "unknown keys generationConfig, temperature in gemini's format",
                id="keys",
            ),
            pytest.param(
                {"messages": {**gemini("Hi")["messages"], "tools": []}},
                "messages must hold exactly contents, and optionally system_instruction",
                id="messages-key",
            ),
            pytest.param(
                {
                    "messages": {
                        **gemini("Hi")["messages"],
                        "system_instruction": {"parts": {"text": "x"}, "role": "user"},
                    }
                },
                "messages.system_instruction must hold exactly parts",
                id="system-role",
            ),
            pytest.param(
                {"messages": {"contents": [{"role": "user", "parts": [{"text": "x"}], "a": 1}]}},
                f"{CONTENTS} must hold exactly role and parts",
                id="content-key",
            ),
            pytest.param(gemini([{"text": 3}]), f"{CONTENTS}.parts[0].text must be", id="number"),
            pytest.param(
                gemini([{"text": "Hm", "thought": True}]),
                f"{CONTENTS}.parts[0] must hold exactly text",
                id="thought",
            ),
            pytest.param(
                gemini([{"fileData": {"fileUri": WEB_URL}}]),
                f"{CONTENTS}.parts[0] must hold text or inlineData",
                id="url",
            ),
            *(
                pytest.param(gemini([{"inlineData": data}]), text, id=name)
                for name, data, text in [
                    ("no-data", None, "inlineData must hold exactly mimeType and data"),
                    ("snake", {"mime_type": "image/png", "data": PNG}, "exactly mimeType and data"),
                    ("audio", {"mimeType": "audio/wav", "data": PNG}, "image/*, not 'audio/wav'"),
                    ("data-url", {"mimeType": "image/png", "data": DATA_URI}, "in base64"),
                    ("web-url", {"mimeType": "image/png", "data": WEB_URL}, "in base64"),
                ]
            ),
        ],
    )
    def test_gemini_refusals(self, serve, post, body, text):
        """The error names what Gemini's format does not have."""
        self.check_refused(serve, post, "gemini", body, text)

    def check_refused(self, serve, post, api_format, body, text):
        """Check that a body is a 400 only with `strict`."""
        gateway, slug = serve(strict=True), SLUGS[api_format]
        response = post(gateway, body, slug=slug)

        assert response.status_code == 400
        assert response.json()["error"].startswith("strict: ")
        assert text in response.json()["error"]
        assert post(serve(), body, slug=slug).is_success

    def test_models_without_images_refuse_them(self, serve, post):
        """Segmind documents a text as the content of some models, whatever their format."""
        gateway = serve(strict=True)
        response = post(gateway, openai([TEXT, OPENAI_IMAGE]), slug="o3-mini")

        assert response.status_code == 400
        assert "content must be a string: o3-mini takes no images" in response.json()["error"]
        assert post(gateway, openai([TEXT, OPENAI_IMAGE]), slug="unheard-of").is_success


class TestResponseFormat:
    """JSON that the model is held to."""

    @pytest.mark.parametrize(
        ("slug", "body", "text"),
        [
            pytest.param(
                "gpt-5.5",
                openai("Hi", response_format=JSON),
                "'messages' must contain the word 'json' in some form, to use 'response_format' of "
                "type 'json_object'.",
                id="no-word",
            ),
            pytest.param(
                "claude-4.5-sonnet",
                anthropic("Say JSON", response_format=JSON),
                "Claude has no schema-less JSON mode",
                id="claude",
            ),
            pytest.param(
                "gpt-4-turbo",
                openai("Hi", response_format=SCHEMA),
                "Invalid parameter: 'response_format' of type 'json_schema' is not supported with "
                "this model.",
                id="gpt-4-turbo",
            ),
            pytest.param(
                "gpt-4",
                openai("Say JSON", response_format=JSON),
                "Invalid parameter: 'response_format' of type 'json_object' is not supported with "
                "this model.",
                id="gpt-4",
            ),
        ],
    )
    def test_models_refuse_what_they_do_not_have(self, gateway, post, slug, body, text):
        """The error has the words of the service."""
        response = post(gateway, body, slug=slug)
        assert (response.status_code, response.json()) == (400, {"error": text})

    @pytest.mark.parametrize(
        ("slug", "body"),
        [
            ("gpt-4-turbo", openai("Say JSON", response_format=JSON)),
            ("gpt-5.5", openai("Hi", response_format=SCHEMA)),
            ("claude-4.5-sonnet", anthropic("Hi", response_format=SCHEMA)),
        ],
    )
    def test_models_take_what_they_have(self, serve, post, slug, body):
        """JSON, a schema, or both."""
        assert post(serve(replies=["{}"]), body, slug=slug).status_code == 200

    @pytest.mark.parametrize(
        "value",
        [
            {},
            "json",
            {"type": "json"},
            {"type": ["text"]},
            {"type": "json_schema"},
            {"type": "json_schema", "json_schema": {"schema": {}}},
            {"type": "json_schema", "json_schema": {"name": "a", "schema": []}},
        ],
        ids=["empty", "text", "type", "list", "no-schema", "no-name", "schema-list"],
    )
    def test_malformed_ones_are_400(self, gateway, chat, value):
        """Every format has OpenAI's `response_format`."""
        response = chat(gateway, "Say JSON", response_format=value)
        assert response.status_code == 400
        assert "response_format must be an object" in response.json()["error"]

    @pytest.mark.parametrize("slug", ["minimax-m3", "unheard-of"])
    def test_strict_refuses_it_where_nothing_is_known(self, serve, post, slug):
        """A 200 would prove nothing: Segmind drops unknown keys. `extra_body_keys` allows it."""
        body = openai("Hi", response_format=SCHEMA)
        response = post(serve(strict=True), body, slug=slug)

        assert response.status_code == 400
        assert f"nothing says that {slug} takes" in response.json()["error"]
        assert post(serve(), body, slug=slug).is_success
        gateway = serve(strict=True, extra_body_keys=["response_format"])
        assert post(gateway, body, slug=slug).is_success


def get_reply(response, api_format):
    """Return the part of a body that holds the reply, and the usage."""
    body = response.json()
    if api_format == "openai":
        (choice,) = body["choices"]
        return choice["message"], choice["finish_reason"], body["usage"]
    if api_format == "anthropic":
        return body["content"], body["stop_reason"], body["usage"]
    (candidate,) = body["candidates"]
    return candidate["content"], candidate["finishReason"], body["usageMetadata"]


class TestReplies:
    """How a script's texts are written in each format."""

    def test_openai(self, serve, post):
        """Thoughts are `reasoning_content`, and part of the output."""
        completion = Completion("Hi!", reasoning="They greet.")
        response = post(serve(replies=[completion]), openai("Hello"), slug=SLUGS["openai"])
        message, reason, usage = get_reply(response, "openai")

        assert message == {
            "role": "assistant",
            "content": "Hi!",
            "reasoning_content": "They greet.",
        }
        assert reason == "stop"
        assert usage == {
            "prompt_tokens": 6,
            "completion_tokens": 4,
            "total_tokens": 10,
            "completion_tokens_details": {"reasoning_tokens": 3},
        }

    def test_anthropic(self, serve, post):
        """The body is a `message` of blocks, thoughts first."""
        completion = Completion("Hi!", reasoning="They greet.")
        response = post(serve(replies=[completion]), anthropic("Hello"), slug=SLUGS["anthropic"])
        body = response.json()

        assert body.pop("id").startswith("msg_")
        thinking, text = body.pop("content")
        assert thinking.pop("signature")
        assert thinking == {"type": "thinking", "thinking": "They greet."}
        assert text == {"type": "text", "text": "Hi!"}
        assert body == {
            "type": "message",
            "role": "assistant",
            "model": "claude-4.5-sonnet",
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 6, "output_tokens": 4},
        }

    def test_gemini(self, serve, post):
        """The body has one candidate; thoughts are a part, and counted beside the text."""
        completion = Completion("Hi!", reasoning="They greet.")
        response = post(serve(replies=[completion]), gemini("Hello"), slug=SLUGS["gemini"])
        body = response.json()

        assert body.pop("responseId")
        parts = [{"text": "They greet.", "thought": True}, {"text": "Hi!"}]
        content = {"role": "model", "parts": parts}
        assert body == {
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "modelVersion": "gemini-3-flash",
            "usageMetadata": {
                "promptTokenCount": 6,
                "candidatesTokenCount": 1,
                "thoughtsTokenCount": 3,
                "totalTokenCount": 10,
            },
        }

    @pytest.mark.parametrize(
        ("finish_reason", "words"),
        [
            pytest.param("stop", ("stop", "end_turn", "STOP"), id="stop"),
            pytest.param("length", ("length", "max_tokens", "MAX_TOKENS"), id="length"),
            pytest.param("content_filter", ("content_filter", "refusal", "SAFETY"), id="filter"),
            pytest.param("tool_calls", ("tool_calls", "tool_use", "STOP"), id="calls"),
            pytest.param("RECITATION", ("RECITATION",) * 3, id="own-word"),
        ],
    )
    def test_finish_reasons_are_in_the_words_of_the_format(
        self, serve, chat, api_format, finish_reason, words
    ):
        """A script has one word for all; any other word is sent as it is."""
        entry = {"content": "Once", "finish_reason": finish_reason}
        _, reason, _ = get_reply(chat(serve(replies=[entry])), api_format)
        assert reason == dict(zip(WRITERS, words, strict=True))[api_format]

    def test_native_calls(self, serve, chat, api_format):
        """A script gives names and arguments; each format has its own place for them."""
        calls = [{"name": "add", "args": {"a": 1}, "id": "c1"}, {"name": "now", "args": {}}]
        response = chat(serve(replies=[{"tool_calls": calls}]))
        reply, reason, _ = get_reply(response, api_format)

        if api_format == "openai":
            assert reply["content"] is None
            found = [
                (c["function"]["name"], c["function"]["arguments"]) for c in reply["tool_calls"]
            ]
            assert found == [("add", '{"a": 1}'), ("now", "{}")]
            assert reply["tool_calls"][0]["id"] == "c1"
            assert reply["tool_calls"][1]["id"].startswith("call_")
            assert reason == "tool_calls"
        elif api_format == "anthropic":
            add, now = reply
            assert add == {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}}
            assert now.pop("id").startswith("toolu_")
            assert now == {"type": "tool_use", "name": "now", "input": {}}
            assert reason == "tool_use"
        else:
            assert reply["parts"] == [
                {"functionCall": {"id": "c1", "name": "add", "args": {"a": 1}}},
                {"functionCall": {"name": "now", "args": {}}},
            ]
            assert reason == "STOP"

    def test_usage_is_in_the_words_of_the_format(self, serve, chat, api_format):
        """Cached tokens are part of OpenAI's and Gemini's input, but not of Anthropic's."""
        usage = {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "prompt_tokens_details": {"cached_tokens": 30},
            "completion_tokens_details": {"reasoning_tokens": 15},
            "extra": 1,
        }
        response = chat(serve(replies=[{"content": "Hi", "usage": usage}]))
        _, _, found = get_reply(response, api_format)

        if api_format == "openai":
            assert found == {**usage, "total_tokens": 120}
        elif api_format == "anthropic":
            counts = {"input_tokens": 70, "cache_read_input_tokens": 30, "output_tokens": 20}
            assert found == {**counts, "extra": 1}
        else:
            assert found == {
                "promptTokenCount": 100,
                "cachedContentTokenCount": 30,
                "candidatesTokenCount": 5,
                "thoughtsTokenCount": 15,
                "totalTokenCount": 120,
                "extra": 1,
            }
        assert response.headers["x-cost"] == "0.001600"

    def test_blocked_prompt(self, serve, chat, api_format):
        """Where the filter left no content, Gemini sends no candidate."""
        gateway = serve(replies=[{"content": None, "finish_reason": "content_filter"}])
        response = chat(gateway)
        assert response.headers["x-cost"] == "0.000060"

        if api_format == "gemini":
            body = response.json()
            assert body["promptFeedback"] == {"blockReason": "SAFETY"}
            assert body["usageMetadata"] == {"promptTokenCount": 6, "totalTokenCount": 6}
            assert "candidates" not in body
        else:
            reply, reason, _ = get_reply(response, api_format)
            assert (reply, reason) == (
                ({"role": "assistant", "content": None}, "content_filter")
                if api_format == "openai"
                else ([], "refusal")
            )

    def test_lists_are_the_blocks_of_the_format(self, serve, chat, api_format):
        """A script can write what `Completion` has no field for."""
        blocks = [{"type": "redacted_thinking", "data": "x"}, {"text": "Hi"}]
        response = chat(serve(replies=[Completion(blocks)]))
        reply, _, _ = get_reply(response, api_format)

        key = {"openai": "content", "gemini": "parts"}.get(api_format)
        assert (reply[key] if key else reply) == blocks


class TestAnyFormat:
    """What does not depend on the format."""

    @pytest.mark.parametrize(
        ("options", "status", "text"),
        [
            pytest.param({"fault": "404"}, 404, "Model not found", id="not-found"),
            pytest.param({"fault": "410"}, 410, "This model has been retired", id="retired"),
            pytest.param({"fault": "429"}, 429, "Rate limit exceeded", id="rate-limit"),
            pytest.param({"credits": "0"}, 406, "Insufficient credits", id="credits"),
            pytest.param({"api_key": "other"}, 401, "API key is invalid", id="key"),
            pytest.param({"replies": []}, 500, "run out", id="script"),
        ],
    )
    def test_errors(self, serve, chat, options, status, text):
        """An error is `{"error": ...}`, whatever the provider."""
        response = chat(serve(**options))
        assert response.status_code == status
        assert text in response.json()["error"]

    def test_costs(self, serve, chat):
        """The same texts cost the same."""
        gateway = serve()
        assert chat(gateway, "Hi", "Ho", "Hello there").headers["x-cost"] == "0.000260"
        assert str(gateway.credits()) == "0.999740"

    def test_output_is_reserved(self, serve, chat, api_format):
        """`max_tokens` counts in the formats that have it."""
        response = chat(serve(credits="0.004"), max_tokens=1000)
        assert response.status_code == (200 if api_format == "gemini" else 406)

    def test_proxy_forwards_in_openais_format(self, serve, post):
        """Claude's image reaches an OpenAI-compatible server, whose thoughts become a block."""
        message = {"role": "assistant", "content": "A cat", "reasoning_content": "Fur."}
        upstream_body = {"choices": [{"message": message, "finish_reason": "length"}]}
        with RawServer([answer(json.dumps(upstream_body).encode())]) as upstream:
            body = anthropic([TEXT, ANTHROPIC_IMAGE], instruction="Look.", max_tokens=9, top_k=1)
            gateway = serve(upstream=upstream.get_url())
            response = post(gateway, body, slug=SLUGS["anthropic"])

        (request,) = upstream.requests
        system = {"role": "system", "content": "Look."}
        user = {"role": "user", "content": [TEXT, OPENAI_IMAGE]}
        assert json.loads(request.body) == {
            "model": SLUGS["anthropic"],
            "max_tokens": 9,
            "messages": [system, user],
        }
        blocks = response.json()["content"]
        assert [block["type"] for block in blocks] == ["thinking", "text"]
        assert response.json()["stop_reason"] == "max_tokens"
