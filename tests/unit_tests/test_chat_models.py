"""The model's fields, requests, replies and LangChain hooks."""

import asyncio
import json
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import ClassVar

import httpx
import pytest
from langchain_core.language_models import BaseChatModel, ModelProfile
from langchain_core.load import dumpd, dumps, load
from langchain_core.messages import FunctionMessage, HumanMessage
from langchain_core.runnables import ConfigurableField
from pydantic import SecretStr, ValidationError

import langchain_segmind
from langchain_segmind import (
    ChatSegmind,
    ChatSegmindGPT4Turbo,
    SegmindAuthenticationError,
    SegmindCredits,
)
from langchain_segmind._api.url import create_url, warn_of_plain_text
from langchain_segmind._http import close
from tests.conftest import SECRET


@pytest.fixture(autouse=True)
def fresh_environment() -> Iterator[None]:
    """Read proxies and certificates again, as a new process does."""
    close()
    yield
    close()


class TestFields:
    """Arguments of the constructor."""

    def test_a_field_has_the_same_value_by_name_and_alias(self) -> None:
        """Users of other packages find the names they know."""
        by_name = ChatSegmind(
            model="gpt-4o", segmind_api_key=SECRET, segmind_api_base="https://host/v1"
        )
        by_alias = ChatSegmind(model_name="gpt-4o", api_key=SECRET, base_url="https://host/v1")
        assert by_name == by_alias

    def test_the_environment_sets_the_key_and_the_base_url(self, monkeypatch) -> None:
        """Both are read when the model is created."""
        monkeypatch.setenv("SEGMIND_API_KEY", SECRET)
        monkeypatch.setenv("SEGMIND_API_BASE", "https://host/v1")
        model = ChatSegmindGPT4Turbo()
        assert model.segmind_api_key == SecretStr(SECRET)
        assert model.segmind_api_base == "https://host/v1"
        assert ChatSegmindGPT4Turbo(api_key=None).segmind_api_key == SecretStr(SECRET)
        assert ChatSegmindGPT4Turbo(base_url=None).segmind_api_base == "https://host/v1"

    def test_an_empty_environment_variable_is_unset(self, monkeypatch) -> None:
        """Compose files export empty ones; a key read from a file ends in a line feed."""
        monkeypatch.setenv("SEGMIND_API_KEY", f" {SECRET}\n")
        monkeypatch.setenv("SEGMIND_API_BASE", "")
        model = ChatSegmindGPT4Turbo()
        assert model.segmind_api_key == SecretStr(SECRET)
        assert model.segmind_api_base == "https://api.segmind.com/v1"
        monkeypatch.setenv("SEGMIND_API_KEY", " ")
        assert ChatSegmindGPT4Turbo().segmind_api_key is None

    def test_an_invalid_base_url_in_the_environment_is_named(self, monkeypatch) -> None:
        """By its variable, when the model is created."""
        monkeypatch.setenv("SEGMIND_API_BASE", "host/v1")
        with pytest.raises(ValidationError, match="SEGMIND_API_BASE"):
            ChatSegmindGPT4Turbo()

    def test_the_defaults_are_those_of_the_docs(self) -> None:
        """The slug, the base URL, two minutes and two retries."""
        model = ChatSegmindGPT4Turbo()
        assert model.model == "gpt-4-turbo"
        assert model.segmind_api_base == "https://api.segmind.com/v1"
        assert (model.timeout, model.max_retries) == (120, 2)
        assert ChatSegmindGPT4Turbo(max_retries=None).max_retries == 2

    @pytest.mark.parametrize(
        "timeout", [pytest.param(t, id=str(t)) for t in (1, 1.5, None, httpx.Timeout(5, read=60))]
    )
    def test_a_timeout_can_have_any_form(self, timeout) -> None:
        """An int, a float, an `httpx.Timeout` or None."""
        assert ChatSegmindGPT4Turbo(timeout=timeout).timeout == timeout

    @pytest.mark.parametrize(
        ("fields", "name"),
        [
            pytest.param({"temprature": 0}, "temperature", id="temprature"),
            pytest.param({"apikey": SECRET}, "api_key", id="apikey"),
            pytest.param({"max_token": 5}, "max_tokens", id="max_token"),
            pytest.param({"request_timeout": 5}, "timeout", id="request_timeout"),
            pytest.param({"top_k": 1}, "model_kwargs", id="body key"),
        ],
    )
    def test_the_error_for_an_unknown_argument_names_the_right_one(self, fields, name) -> None:
        """No argument is silently ignored."""
        with pytest.raises(TypeError, match=name) as caught:
            ChatSegmindGPT4Turbo(**fields)
        assert SECRET not in str(caught.value)

    def test_the_base_class_requires_a_model(self) -> None:
        """It has no default."""
        with pytest.raises(TypeError, match="needs model=..., a slug such as 'gpt-4-turbo'"):
            ChatSegmind(api_key=SECRET)

    def test_a_field_cannot_be_set_by_name_and_alias(self) -> None:
        """The two values can differ."""
        with pytest.raises(TypeError, match="not both"):
            ChatSegmind(model="a", model_name="b")

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"temperature": 3}, "temperature"),
            ({"top_p": 1.1}, "top_p"),
            ({"max_tokens": 0}, "max_tokens"),
            ({"timeout": 0}, "timeout"),
            ({"timeout": float("nan")}, "timeout"),
            ({"timeout": 1e10}, "timeout"),
            ({"max_retries": -1}, "max_retries"),
            ({"stop": ["a", ""]}, "stop string is empty"),
            ({"model": "../get-user-credits"}, "slug"),
            ({"model": ""}, "slug"),
            ({"model": "a" * 200}, "slug"),
            ({"base_url": "api.segmind.com"}, "scheme and a host"),
            ({"base_url": "https://"}, "scheme and a host"),
            ({"base_url": "https://host/v1?a=b"}, "no query"),
            ({"base_url": "http://\n"}, "not a base URL"),
            ({"base_url": "https://host:port/v1"}, "not a base URL"),
            ({"base_url": "https://host:99999/v1"}, "not a base URL"),
            ({"base_url": "https://host/v1 "}, "no spaces"),
            ({"base_url": "https://a..b/v1"}, "not a base URL"),
            ({"base_url": "https://host/v1#a"}, "not a base URL"),
            ({"base_url": "https://host\\.evil.test/v1"}, "not a base URL"),
            ({"base_url": "https://host%2eevil.test/v1"}, "not a base URL"),
            ({"model_kwargs": {"messages": []}}, "input of the call"),
            ({"model_kwargs": {"temperature": 1}}, "pass temperature"),
            ({"model_kwargs": {"n": 2}}, "batch"),
            ({"model_kwargs": {"stream": True}}, "does not stream"),
            ({"model_kwargs": {"x": {1}}}, "as JSON"),
            ({"model_kwargs": {"x": float("nan")}}, "as JSON"),
            ({"default_headers": {"X-API-Key": "k"}}, "segmind_api_key"),
            ({"default_headers": {"Host": "h"}}, "base_url"),
            ({"default_headers": {"Expect": "c"}}, "the connection sets it"),
            ({"default_headers": {"a b": "c"}}, "header name"),
            ({"default_headers": {"a:b": "c"}}, "header name"),
            ({"default_headers": {"a": "c "}}, "space at its start or end"),
            ({"default_headers": {"a": SECRET + "\n"}}, "line feed"),
            ({"http_client": httpx.AsyncClient()}, "http_client"),
        ],
        ids=lambda value: "" if isinstance(value, str) else " and ".join(value),
    )
    def test_an_invalid_value_is_refused(self, fields, words) -> None:
        """Before anything is sent, and without showing a secret."""
        with pytest.raises(ValueError, match=words) as caught:
            ChatSegmindGPT4Turbo(**fields)
        assert SECRET not in str(caught.value)
        assert "input_value" not in str(caught.value)

    @pytest.mark.parametrize(
        "key",
        [
            pytest.param("", id="empty"),
            pytest.param("  \t", id="blank"),
            pytest.param(SecretStr(""), id="empty secret"),
            pytest.param(SECRET + "\n", id="line feed"),
            pytest.param(SECRET + " x", id="space"),
            pytest.param(SECRET + "é", id="non-ASCII"),
        ],
    )
    def test_a_malformed_key_is_refused_without_being_shown(self, key) -> None:
        """The error names the environment variable."""
        with pytest.raises(ValueError, match="SEGMIND_API_KEY") as caught:
            ChatSegmindGPT4Turbo(api_key=key)
        assert SECRET not in str(caught.value)

    def test_configurable_fields_apply_to_a_call(self, caller, create_model, gateway) -> None:
        """`configurable_fields` creates a model from the fields of another."""
        model = create_model().configurable_fields(temperature=ConfigurableField(id="t"))
        caller.invoke(model.with_config(configurable={"t": 0.5}), "hi")
        assert gateway.requests[0].json["temperature"] == 0.5


async def fetch_key() -> str:
    """Return the key as a service does."""
    return SECRET


class TestKey:
    """Where the key comes from."""

    def test_the_error_for_a_missing_key_names_its_variable(self, caller, gateway) -> None:
        """Nothing is sent."""
        with pytest.raises(SegmindAuthenticationError, match="SEGMIND_API_KEY"):
            caller.invoke(ChatSegmindGPT4Turbo(base_url=gateway.base_url), "hi")
        assert gateway.requests == []

    @pytest.mark.parametrize("key", ["", None, "a\nb", "schlüssel"])
    def test_an_invalid_key_from_a_callable_is_an_error(
        self, caller, create_model, gateway, key
    ) -> None:
        """It is checked as a key that is passed directly."""
        with pytest.raises(SegmindAuthenticationError, match="SEGMIND_API_KEY"):
            caller.invoke(create_model(api_key=lambda: key), "hi")
        assert gateway.requests == []

    def test_a_callable_that_returns_bytes_is_an_error(self, caller, create_model) -> None:
        """The error names the type."""
        with pytest.raises(SegmindAuthenticationError, match="bytes"):
            caller.invoke(create_model(api_key=SECRET.encode), "hi")

    async def test_an_async_callable_is_awaited(self, create_model) -> None:
        """A key can come from a service."""
        assert (await create_model(api_key=fetch_key).ainvoke("hi")).text == "hi"

    def test_an_async_callable_fails_in_a_sync_call(self, create_model) -> None:
        """The error names the calls that can await it."""
        with pytest.raises(TypeError, match="ainvoke"):
            create_model(api_key=fetch_key).invoke("hi")

    def test_a_key_can_be_assigned(self, caller, create_model) -> None:
        """It is used by the next call, and stays secret."""
        model = create_model(api_key=None)
        model.segmind_api_key = SECRET
        assert caller.invoke(model, "hi").text == "hi"
        assert SECRET not in repr(model)
        assert SECRET not in str(model.model_dump())

    @pytest.mark.parametrize("key", [SECRET, fetch_key], ids=["text", "function"])
    def test_a_key_is_masked_alike_in_any_form(self, create_model, key) -> None:
        """A function's name or arguments may tell where it is."""
        assert "segmind_api_key='**********'" in repr(create_model(api_key=key))


class TestRequest:
    """What is sent."""

    def test_a_request_contains_only_the_messages(self, caller, create_model, gateway) -> None:
        """Parameters that are not set are not sent."""
        caller.invoke(create_model(), "hi")
        (request,) = gateway.requests
        assert (request.method, request.path) == ("POST", "/v1/gpt-4-turbo")
        assert request.headers["x-api-key"] == SECRET
        assert request.headers["content-type"] == "application/json"
        assert request.headers["user-agent"].startswith("langchain-segmind/")
        assert request.body == b'{"messages":[{"role":"user","content":"hi"}]}'

    def test_parameters_that_are_set_are_sent(self, caller, create_model, gateway) -> None:
        """All parameters of the body, set by the constructor."""
        fields = {"temperature": 0.5, "max_tokens": 9, "top_p": 0.9, "seed": 4, "stop": ["END"]}
        caller.invoke(create_model(**fields), "hi")
        assert gateway.requests[0].json == {
            "messages": [{"role": "user", "content": "hi"}],
            **fields,
        }

    def test_a_calls_arguments_override_the_fields(self, caller, create_model, gateway) -> None:
        """For that call only."""
        model = create_model(temperature=1, stop="A", max_tokens=9)
        caller.invoke(model, "hi", temperature=0, stop=["B"], model="gpt-4o", max_tokens=None)
        caller.invoke(model, "hi", stop=[], model_name="gpt-4")
        caller.invoke(model, "hi")
        bodies = [{k: v for k, v in r.json.items() if k != "messages"} for r in gateway.requests]
        assert bodies == [
            {"temperature": 0, "stop": ["B"], "max_tokens": 9},
            {"temperature": 1, "max_tokens": 9},
            {"temperature": 1, "stop": ["A"], "max_tokens": 9},
        ]
        assert [r.slug for r in gateway.requests] == ["gpt-4o", "gpt-4", "gpt-4-turbo"]

    OPENAI_ARGUMENTS: ClassVar = {
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
        "logit_bias": {"50256": -100},
        "logprobs": True,
        "top_logprobs": 2,
        "max_completion_tokens": 9,
        "reasoning_effort": "low",
        "service_tier": "flex",
        "store": False,
        "user": "Ann",
    }

    def test_arguments_of_chatopenai_are_sent_as_they_are(
        self, caller, create_model, gateway
    ) -> None:
        """From the constructor, a call and `bind`."""
        names = {"messages", *self.OPENAI_ARGUMENTS}
        caller.invoke(create_model(**self.OPENAI_ARGUMENTS), "hi")
        caller.invoke(create_model(), "hi", **self.OPENAI_ARGUMENTS, n=1)
        caller.invoke(create_model().bind(**self.OPENAI_ARGUMENTS), "hi", stream_usage=True)
        bodies = [request.json for request in gateway.requests]
        assert [body.keys() for body in bodies] == [names] * 3
        for body in bodies:
            assert {name: body[name] for name in self.OPENAI_ARGUMENTS} == self.OPENAI_ARGUMENTS

    def test_several_replies_are_refused(self, caller, create_model, gateway) -> None:
        """A call has one; nothing is sent."""
        with pytest.raises(ValueError, match="n must be 1.*batch"):
            caller.invoke(create_model(), "hi", n=2)
        assert gateway.requests == []

    def test_a_choice_that_is_given_twice_is_refused(self, create_model) -> None:
        """Nothing is silently ignored."""
        with pytest.raises(TypeError, match="not both"):
            create_model().invoke("hi", function_call="auto", tool_choice="none")

    def test_functions_are_tools(self, caller, create_model, gateway) -> None:
        """As older chains and agents pass them, and read the call."""
        function = {"name": "add", "description": "Add.", "parameters": {"properties": {"a": {}}}}
        gateway.script(["[add(a=1)]", "Two.", "[add(a=1)]"])
        bound = create_model().bind(functions=[function], function_call={"name": "add"})
        message = caller.invoke(bound, "hi")
        expected = {"name": "add", "arguments": '{"a": 1}'}
        assert message.additional_kwargs["function_call"] == expected
        assert [call["args"] for call in message.tool_calls] == [{"a": 1}]
        result = FunctionMessage("2", name="add")
        free = create_model().bind(functions=[function], function_call="auto")
        without_calls = message.model_copy(update={"tool_calls": []})
        answer = caller.invoke(free, [HumanMessage("hi"), without_calls, result])
        assert (answer.text, answer.additional_kwargs) == ("Two.", {})
        sent = [message["content"] for message in gateway.requests[1].messages]
        assert sent[-2] == "[add(a=1)]"
        assert "add" in sent[-1]
        streamed = caller.stream(free, "hi")
        assert streamed[0].additional_kwargs["function_call"] == expected

    def test_the_model_kwargs_of_a_call_are_merged(self, caller, create_model, gateway) -> None:
        """They are added to the constructor's, and override them."""
        model = create_model(model_kwargs={"top_k": 1, "min_p": 1})
        caller.invoke(model, "hi", model_kwargs={"min_p": 2})
        sent = gateway.requests[0].json
        assert (sent["top_k"], sent["min_p"]) == (1, 2)

    @pytest.mark.parametrize(
        ("arguments", "error", "words"),
        [
            pytest.param({"temprature": 0}, TypeError, "temperature", id="misspelt name"),
            pytest.param({"logit": []}, TypeError, "logit", id="unknown name"),
            pytest.param({"temperature": 3}, ValueError, "temperature", id="out of range"),
            pytest.param({"model": "a/b"}, ValueError, "slug", id="invalid slug"),
            pytest.param({"stop": ""}, ValueError, "stop string", id="empty stop string"),
            pytest.param({"model": "a", "model_name": "b"}, TypeError, "not both", id="two models"),
        ],
    )
    def test_a_calls_arguments_are_validated(
        self, caller, create_model, gateway, arguments, error, words
    ) -> None:
        """As strictly as the constructor's, before anything is sent."""
        with pytest.raises(error, match=words):
            caller.invoke(create_model(), "hi", **arguments)
        assert gateway.requests == []

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            pytest.param("temperature", 99, "less than or equal to 2", id="temperature"),
            pytest.param("timeout", "soon", "a timeout is a number", id="timeout"),
            pytest.param("model", "../../admin", "not a model slug", id="slug"),
            pytest.param("segmind_api_base", "file:///etc", "not a base URL", id="base URL"),
            pytest.param("segmind_api_key", "a b", "The API key contains", id="key"),
            pytest.param("model_kwargs", {"messages": []}, "input of the call", id="body keys"),
            pytest.param("default_headers", {"X-API-Key": "k"}, "segmind_api_key", id="headers"),
        ],
    )
    def test_an_assigned_value_is_validated(self, create_model, name, value, words) -> None:
        """The assignment fails, and the field keeps its value."""
        model = create_model()
        before = getattr(model, name)
        with pytest.raises(ValidationError, match=words):
            setattr(model, name, value)
        assert getattr(model, name) == before

    def test_a_field_has_one_value_under_both_names(self, create_model) -> None:
        """Read and assigned by either name."""
        model = create_model()
        model.model_name, model.api_key, model.base_url = "gpt-4o", "new-fake-key", "http://host/v1"
        assert (model.model, model.segmind_api_base) == ("gpt-4o", "http://host/v1")
        assert model.segmind_api_key == model.api_key == SecretStr("new-fake-key")
        assert (model.model_name, model.base_url) == ("gpt-4o", "http://host/v1")

    def test_a_key_passed_to_a_call_is_not_advised_into_the_body(self, create_model) -> None:
        """It would be sent as text."""
        with pytest.raises(TypeError, match=r"set it on the model: ChatSegmind\(api_key=\.\.\.\)"):
            create_model().invoke("hi", api_key=SECRET)

    @pytest.mark.parametrize("slug", ["gpt-4-turbo", "gpt-4o"])
    def test_an_assigned_field_applies_to_the_next_call(self, gateway, slug) -> None:
        """Also on a model without a profile."""
        model = ChatSegmind(model=slug, base_url=gateway.base_url, api_key="another-fake-key")
        model.segmind_api_key = SECRET
        model.temperature = 0.5
        model.invoke("hi")
        assert gateway.requests[0].json["temperature"] == 0.5
        assert model.segmind_api_key == SecretStr(SECRET)

    def test_a_field_changed_in_place_is_still_validated(self, create_model, gateway) -> None:
        """It can replace neither the messages nor the key."""
        model = create_model(default_headers={"x": "y"})
        model.model_kwargs["messages"] = []
        with pytest.raises(ValueError, match="input of the call"):
            model.invoke("hi")
        assert gateway.requests == []
        model.model_kwargs.clear()
        model.default_headers["X-API-Key"] = "another-fake-key"
        model.invoke("hi")
        assert gateway.requests[0].headers["x-api-key"] == SECRET

    def test_text_is_sent_unescaped(self, caller, create_model, gateway) -> None:
        """Non-ASCII text costs no more than its own bytes."""
        caller.invoke(create_model(), "你好, é 🙂 \u2028")
        assert "你好, é 🙂 \u2028".encode() in gateway.requests[0].body

    @pytest.mark.parametrize("has_own_client", [False, True])
    def test_credentials_in_the_base_url_become_a_header(
        self, caller, create_model, gateway, has_own_client
    ) -> None:
        """They replace those of the user's own client; the URL's path can be deeper."""
        base = gateway.base_url.replace("http://", "http://user:pass%20word@")
        client = httpx.Client(auth=("other", "fake-password"))
        async_client = httpx.AsyncClient(auth=("other", "fake-password"))
        clients = {"http_client": client, "http_async_client": async_client}
        model = create_model(base_url=base + "/", **(clients if has_own_client else {}))
        caller.invoke(model, "hi")
        (request,) = gateway.requests
        assert request.headers["authorization"] == "Basic dXNlcjpwYXNzIHdvcmQ="
        assert request.path == "/v1/gpt-4-turbo"
        client.close()
        (caller.runner or asyncio).run(async_client.aclose())

    def test_default_headers_are_sent(self, caller, create_model, gateway) -> None:
        """With each request, get_credits included."""
        model = create_model(default_headers={"X-Token": "fake-token"})
        caller.invoke(model, "hi")
        caller.get_credits(model)
        assert [r.headers["x-token"] for r in gateway.requests] == ["fake-token"] * 2

    def test_a_default_header_replaces_the_packages(self, caller, create_model, gateway) -> None:
        """It is sent once, in whatever case it is written."""
        headers = {"User-Agent": "mine", "ACCEPT-ENCODING": "identity"}
        caller.invoke(create_model(default_headers=headers), "hi")
        sent = gateway.requests[0].headers
        assert (sent["user-agent"], sent["accept-encoding"]) == ("mine", "identity")

    def test_a_closed_client_of_the_user_is_an_error(self, caller, create_model) -> None:
        """Only the user can pass an open one."""
        client, async_client = httpx.Client(), httpx.AsyncClient()
        client.close()
        asyncio.run(async_client.aclose())
        model = create_model(http_client=client, http_async_client=async_client)
        with pytest.raises(ValueError, match="closed"):
            caller.invoke(model, "hi")

    async def test_a_loop_still_works_after_shutdown_asyncgens(self, create_model) -> None:
        """Servers that reload call it: connections that it closed are opened again."""
        model = create_model()
        await model.ainvoke("hi")
        await asyncio.get_running_loop().shutdown_asyncgens()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # asyncio's, about this reuse
            assert (await model.ainvoke("hi")).text == "hi"
        await asyncio.get_running_loop().shutdown_asyncgens()

    def test_the_users_client_follows_no_redirect(self, caller, create_model, gateway) -> None:
        """Even if it is set to: the key would be sent to any host that a server names."""
        gateway.script([{"status": 302, "headers": {"location": f"{gateway.base_url}/gpt-4"}}])
        model = create_model(
            http_client=httpx.Client(follow_redirects=True),
            http_async_client=httpx.AsyncClient(follow_redirects=True),
        )
        with pytest.raises(langchain_segmind.SegmindResponseError, match="302 with a redirect to"):
            caller.invoke(model, "hi")
        assert len(gateway.requests) == 1
        model.http_client.close()
        if caller.runner:
            caller.runner.run(model.http_async_client.aclose())

    def test_the_path_of_the_base_url_is_not_decoded(self, create_model, gateway) -> None:
        """An escaped slash does not become a separator."""
        with pytest.raises(langchain_segmind.SegmindModelNotFoundError):
            create_model(base_url=gateway.base_url + "%2Fdeeper").invoke("hi")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            pytest.param("HTTPS_PROXY", "http://u:fake-password@host:abc", id="invalid port"),
            pytest.param("ALL_PROXY", "socks5://u:fake-password@host", id="SOCKS without socksio"),
            pytest.param("SSL_CERT_FILE", "/fake-password/certificates", id="missing certificates"),
        ],
    )
    def test_an_invalid_environment_variable_is_named(
        self, caller, monkeypatch, name, value
    ) -> None:
        """Without its value."""
        monkeypatch.setenv(name, value)
        monkeypatch.setitem(sys.modules, "socksio", None)
        with pytest.raises(ValueError, match=name) as caught:
            caller.invoke(ChatSegmindGPT4Turbo(api_key=SECRET), "hi")
        assert "fake-password" not in "".join(traceback.format_exception(caught.value))


class TestReply:
    """What a call returns."""

    def test_cookies_are_not_stored(self, caller, create_model, gateway) -> None:
        """A session of one key must not be used with another."""
        headers = {"set-cookie": "session=of-one-key; Path=/"}
        body = {"choices": [{"message": {"content": "ok"}}]}
        gateway.script(lambda request: {"status": 200, "headers": headers, "body": body})
        caller.batch(create_model(), ["hi", "hi"])
        caller.invoke(create_model(), "hi")
        assert ["cookie" in request.headers for request in gateway.requests] == [False] * 3

    def test_a_lone_surrogate_in_a_reply_is_replaced(self, caller, create_model, gateway) -> None:
        """So that the reply can be sent in the next turn."""
        body = '{"choices": [{"message": {"content": "half \\ud83d"}}]}'
        gateway.script([{"status": 200, "body": body}, "ok"])
        model = create_model()
        message = caller.invoke(model, "hi")
        assert message.text == "half \ufffd"
        assert caller.invoke(model, [HumanMessage("hi"), message]).text == "ok"

    def test_a_reply_has_its_cost_and_the_remaining_credits(
        self, caller, create_model, gateway
    ) -> None:
        """The balance falls by the cost of each call."""
        first = caller.invoke(create_model(), "hi")
        second = caller.invoke(create_model(), "hi")
        left = [m.response_metadata["remaining_credits"] for m in (first, second)]
        cost = second.response_metadata["cost"]
        assert left[0] - left[1] == pytest.approx(cost)
        assert left[1] == pytest.approx(float(gateway.credits()))
        assert first.usage_metadata["total_tokens"] > 0
        assert first.response_metadata["model_provider"] == "segmind"
        assert first.response_metadata["generation_time"] >= 0
        assert first.response_metadata["request_id"] != first.response_metadata["id"]
        assert first.id.startswith("lc_run-")

    def test_a_reply_ends_before_the_first_stop_string(self, caller, create_model, gateway) -> None:
        """Whatever the endpoint does."""
        gateway.script(["one END two", "one END two", "one END two"])
        model = create_model(stop="END")
        message = caller.invoke(model, "hi")
        assert message.text == "one "
        assert message.response_metadata["finish_reason"] == "stop"
        assert caller.invoke(model, "hi", stop=["two"]).text == "one END "
        assert caller.invoke(model, "hi", stop=[]).text == "one END two"

    def test_the_callers_messages_are_not_changed(self, caller, create_model) -> None:
        """A history can be reused."""
        messages = [HumanMessage([{"type": "text", "text": "hi"}], id="1", name="Ann")]
        before = [message.model_copy(deep=True) for message in messages]
        caller.invoke(create_model(), messages)
        assert messages == before

    def test_get_credits_returns_the_balance(self, caller, create_model, gateway) -> None:
        """Without running a model."""
        balance = caller.get_credits(create_model())
        assert isinstance(balance, SegmindCredits)
        assert balance.credits == 1_000
        assert balance.total == balance.credits + balance.free_credits
        (request,) = gateway.requests
        assert (request.method, request.path, request.body) == ("GET", "/v1/get-user-credits", b"")

    def test_an_httpx_timeout_is_serialized_as_json(self) -> None:
        """By pydantic, which does not know the type."""
        model = ChatSegmindGPT4Turbo(timeout=httpx.Timeout(5, read=60))
        assert json.loads(model.model_dump_json())["timeout"]["read"] == 60


class TestLangChainHooks:
    """What LangChain, its tracers and its agents call."""

    @pytest.mark.parametrize(
        "name",
        [
            "_add_version",
            "_agenerate_with_cache",
            "_convert_cached_generations",
            "_get_invocation_params",
            "_get_llm_string",
            "_get_ls_params",
            "_resolve_model_profile",
        ],
    )
    def test_core_has_the_hooks_that_are_overridden_or_called(self, name) -> None:
        """If core renames one, the override would silently never run."""
        assert callable(getattr(BaseChatModel, name))

    def test_traces_have_the_provider_and_the_settings(self) -> None:
        """`ls_provider` equals `model_provider`; a call's model replaces the field."""
        model = ChatSegmindGPT4Turbo(temperature=0.5, max_tokens=9, stop="END")
        assert model._get_ls_params() == {
            "ls_provider": "segmind",
            "ls_model_name": "gpt-4-turbo",
            "ls_model_type": "chat",
            "ls_temperature": 0.5,
            "ls_max_tokens": 9,
            "ls_stop": ["END"],
        }
        assert model._get_ls_params(model="gpt-4o")["ls_model_name"] == "gpt-4o"
        assert model._get_ls_params(model_name="gpt-4o")["ls_model_name"] == "gpt-4o"
        assert model._get_ls_params(stop=["X"], temperature=1)["ls_stop"] == ["X"]
        assert "ls_stop" not in model._get_ls_params(stop=[])
        assert model._llm_type == "segmind-chat"

    def test_traces_have_the_package_version(self) -> None:
        """So that support can see which version made a trace."""
        versions = ChatSegmindGPT4Turbo(metadata={"mine": 1}).metadata
        assert versions["mine"] == 1
        assert versions["lc_versions"]["langchain-segmind"] == langchain_segmind.__version__
        assert "langchain-core" in versions["lc_versions"]

    def test_identifying_params_are_those_that_change_a_reply(self) -> None:
        """Neither keys nor clients nor timeouts are among them."""
        model = ChatSegmindGPT4Turbo(
            api_key=SECRET, seed=1, timeout=5, stop="END", model_kwargs={"top_k": 1}
        )
        assert model.asdict() == {
            "_type": "segmind-chat",
            "model": "gpt-4-turbo",
            "segmind_api_base": "https://api.segmind.com/v1",
            "seed": 1,
            "top_k": 1,
            "stop": ["END"],
        }

    def test_a_known_model_has_a_profile(self) -> None:
        """A user's own replaces it; unknown models have none."""
        profile = ChatSegmindGPT4Turbo().profile
        assert profile["max_input_tokens"] == 128_000
        assert profile["max_output_tokens"] == 4_096
        assert profile["tool_calling"] is True
        assert profile["image_inputs"] is False
        own = ModelProfile(max_input_tokens=5)
        assert ChatSegmindGPT4Turbo(profile=own).profile == own
        assert ChatSegmind(model="a-new-model").profile is None

    def test_changing_a_profile_does_not_change_the_next_models(self) -> None:
        """Each model has a copy."""
        ChatSegmindGPT4Turbo().profile["max_input_tokens"] = 1
        assert ChatSegmindGPT4Turbo().profile["max_input_tokens"] == 128_000

    def test_a_model_can_be_dumped_and_loaded(self, monkeypatch, recwarn) -> None:
        """By LangChain; the key stays in the environment."""
        monkeypatch.setenv("SEGMIND_API_KEY", SECRET)
        model = ChatSegmindGPT4Turbo(temperature=0.5, stop=["END"], base_url="https://host/v1")
        loaded = load(
            json.loads(dumps(model)),
            allowed_objects=[ChatSegmindGPT4Turbo],
            valid_namespaces=["langchain_segmind"],
            secrets_from_env=True,
        )
        assert loaded == model
        assert dumpd(model)["kwargs"]["segmind_api_key"] == {
            "lc": 1,
            "type": "secret",
            "id": ["SEGMIND_API_KEY"],
        }


@pytest.mark.parametrize("host", ["host.test", "10.0.0.1", "[fe80::1]", "127.0.0.1.test"])
def test_a_base_url_without_encryption_is_warned_of_once(caplog, host) -> None:
    """Somebody on the way could read the key."""
    create_url.cache_clear()
    warn_of_plain_text.cache_clear()
    for _ in range(2):
        model = ChatSegmindGPT4Turbo(api_key="fake", base_url=f"http://{host}/v1")
        create_url(model.segmind_api_base, "gpt-4o")
    [record] = caplog.records
    assert "can be read on the way" in record.getMessage()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/v1", "http://localhost/v1", "http://[::1]/v1", "https://host/v1"]
)
def test_an_encrypted_or_local_base_url_is_not_warned_of(caplog, url) -> None:
    """Nobody reads it on the way."""
    create_url.cache_clear()
    warn_of_plain_text.cache_clear()
    ChatSegmindGPT4Turbo(api_key="fake", base_url=url)
    assert caplog.records == []
