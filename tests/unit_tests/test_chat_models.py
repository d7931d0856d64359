"""The model: what it takes, what it sends, and what LangChain asks it."""

import asyncio
import json
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from langchain_core.language_models import BaseChatModel, ModelProfile
from langchain_core.load import dumpd, dumps, load
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField
from pydantic import SecretStr, ValidationError

import langchain_segmind
from langchain_segmind import (
    ChatSegmind,
    ChatSegmindGPT4Turbo,
    SegmindAuthenticationError,
    SegmindCredits,
)
from langchain_segmind._http import close
from tests.conftest import SECRET


@pytest.fixture(autouse=True)
def fresh_environment() -> Iterator[None]:
    """Read proxies and certificates anew, as a new process does."""
    close()
    yield
    close()


class TestFields:
    """Arguments of the constructor."""

    def test_names_and_aliases_are_the_same(self) -> None:
        """Users of other packages find the names they know."""
        by_name = ChatSegmind(
            model="gpt-4o", segmind_api_key=SECRET, segmind_api_base="https://host/v1"
        )
        by_alias = ChatSegmind(model_name="gpt-4o", api_key=SECRET, base_url="https://host/v1")
        assert by_name == by_alias

    def test_the_environment_gives_the_key_and_the_base(self, monkeypatch) -> None:
        """The two variables are read when the model is made."""
        monkeypatch.setenv("SEGMIND_API_KEY", SECRET)
        monkeypatch.setenv("SEGMIND_API_BASE", "https://host/v1")
        model = ChatSegmindGPT4Turbo()
        assert model.segmind_api_key == SecretStr(SECRET)
        assert model.segmind_api_base == "https://host/v1"
        assert ChatSegmindGPT4Turbo(api_key=None).segmind_api_key == SecretStr(SECRET)
        assert ChatSegmindGPT4Turbo(base_url=None).segmind_api_base == "https://host/v1"

    def test_a_blank_environment_counts_as_unset(self, monkeypatch) -> None:
        """Compose files and shells export empty variables; keys from files end in a line feed."""
        monkeypatch.setenv("SEGMIND_API_KEY", f" {SECRET}\n")
        monkeypatch.setenv("SEGMIND_API_BASE", "")
        model = ChatSegmindGPT4Turbo()
        assert model.segmind_api_key == SecretStr(SECRET)
        assert model.segmind_api_base == "https://api.segmind.com/v1"
        monkeypatch.setenv("SEGMIND_API_KEY", " ")
        assert ChatSegmindGPT4Turbo().segmind_api_key is None

    def test_a_base_url_of_the_environment_is_checked_at_once(self, monkeypatch) -> None:
        """The error names the variable, since no argument was given."""
        monkeypatch.setenv("SEGMIND_API_BASE", "host/v1")
        with pytest.raises(ValidationError, match="SEGMIND_API_BASE"):
            ChatSegmindGPT4Turbo()

    def test_defaults_are_those_of_the_docs(self) -> None:
        """The slug, the base, two minutes and two retries."""
        model = ChatSegmindGPT4Turbo()
        assert model.model == "gpt-4-turbo"
        assert model.segmind_api_base == "https://api.segmind.com/v1"
        assert (model.timeout, model.max_retries) == (120, 2)

    @pytest.mark.parametrize(
        "timeout",
        [pytest.param(t, id=str(t)) for t in (1, 1.5, None, httpx.Timeout(5, read=60))],
    )
    def test_a_timeout_is_seconds_in_any_form(self, timeout) -> None:
        """Integers, floats, httpx's own type, or none at all."""
        assert ChatSegmindGPT4Turbo(timeout=timeout).timeout == timeout

    @pytest.mark.parametrize(
        ("given", "real"),
        [
            pytest.param({"temprature": 0}, "temperature", id="temprature"),
            pytest.param({"apikey": SECRET}, "api_key", id="apikey"),
            pytest.param({"max_token": 5}, "max_tokens", id="max_token"),
            pytest.param({"request_timeout": 5}, "timeout", id="request_timeout"),
            pytest.param({"frequency_penalty": 1}, "model_kwargs", id="a body key"),
        ],
    )
    def test_a_misspelt_argument_names_the_nearest_real_one(self, given, real) -> None:
        """Nothing that a user sets is swallowed."""
        with pytest.raises(TypeError, match=real) as caught:
            ChatSegmindGPT4Turbo(**given)
        assert SECRET not in str(caught.value)

    def test_a_model_without_its_slug_is_an_error(self) -> None:
        """The base class has no default model."""
        with pytest.raises(TypeError, match="needs model=..., a slug such as 'gpt-4-turbo'"):
            ChatSegmind(api_key=SECRET)

    def test_a_name_and_its_alias_together_are_an_error(self) -> None:
        """Two values for one thing cannot both count."""
        with pytest.raises(TypeError, match="not both"):
            ChatSegmind(model="a", model_name="b")

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            pytest.param({"temperature": 3}, "temperature", id="temperature"),
            pytest.param({"top_p": 1.1}, "top_p", id="top_p"),
            pytest.param({"max_tokens": 0}, "max_tokens", id="max_tokens"),
            pytest.param({"timeout": 0}, "timeout", id="no time"),
            pytest.param({"timeout": float("nan")}, "timeout", id="no number"),
            pytest.param({"max_retries": -1}, "max_retries", id="max_retries"),
            pytest.param({"stop": ["a", ""]}, "stop string is empty", id="an empty stop"),
            pytest.param({"model": "../get-user-credits"}, "slug", id="a path for a slug"),
            pytest.param({"model": ""}, "slug", id="no slug"),
            pytest.param({"base_url": "api.segmind.com"}, "scheme and a host", id="no scheme"),
            pytest.param({"base_url": "https://"}, "scheme and a host", id="no host"),
            pytest.param({"base_url": "https://host/v1?a=b"}, "no query", id="a query"),
            pytest.param({"base_url": "http://\n"}, "not a base URL", id="a line feed in the URL"),
            pytest.param({"base_url": "https://host:port/v1"}, "not a base URL", id="no port"),
            pytest.param(
                {"base_url": "https://host:99999/v1"}, "not a base URL", id="port too high"
            ),
            pytest.param({"base_url": "https://host/v1 "}, "no spaces", id="a space"),
            pytest.param({"base_url": "https://a..b/v1"}, "not a base URL", id="an empty label"),
            pytest.param({"base_url": "https://host/v1#a"}, "not a base URL", id="a fragment"),
            pytest.param({"model": "a" * 200}, "slug", id="a slug without end"),
            pytest.param({"timeout": 1e10}, "timeout", id="a timeout of centuries"),
            pytest.param({"model_kwargs": {"messages": []}}, "input of the call", id="messages"),
            pytest.param({"model_kwargs": {"temperature": 1}}, "pass temperature", id="a field"),
            pytest.param({"model_kwargs": {"n": 2}}, "batch", id="n"),
            pytest.param({"model_kwargs": {"stream": True}}, "does not stream", id="stream"),
            pytest.param({"model_kwargs": {"x": {1}}}, "as JSON", id="no JSON"),
            pytest.param({"model_kwargs": {"x": float("nan")}}, "as JSON", id="NaN"),
            pytest.param({"default_headers": {"X-API-Key": "k"}}, "segmind_api_key", id="the key"),
            pytest.param({"default_headers": {"Host": "h"}}, "base_url", id="the host"),
            pytest.param({"default_headers": {"a b": "c"}}, "header name", id="a blank name"),
            pytest.param({"default_headers": {"a:b": "c"}}, "header name", id="a colon"),
            pytest.param(
                {"default_headers": {"a": "c "}},
                "space at its start or end",
                id="a space in the value",
            ),
            pytest.param(
                {"default_headers": {"Expect": "c"}}, "the connection sets it", id="the connection"
            ),
            pytest.param({"default_headers": {"a": SECRET + "\n"}}, "line feed", id="a line feed"),
            pytest.param(
                {"http_client": httpx.AsyncClient()}, "http_client", id="the wrong client"
            ),
        ],
    )
    def test_a_value_that_cannot_be_right_is_refused(self, given, words) -> None:
        """Bad input is an error before any money is spent, and shows no secret."""
        with pytest.raises(ValueError, match=words) as caught:
            ChatSegmindGPT4Turbo(**given)
        assert SECRET not in str(caught.value)
        assert "input_value" not in str(caught.value)

    @pytest.mark.parametrize(
        "key",
        [
            pytest.param("", id="empty"),
            pytest.param("  \t", id="blank"),
            pytest.param(SecretStr(""), id="an empty secret"),
            pytest.param(SECRET + "\n", id="a line feed"),
            pytest.param(SECRET + " x", id="a space"),
            pytest.param(SECRET + "é", id="non-ASCII"),
        ],
    )
    def test_a_malformed_key_is_refused_and_not_shown(self, key) -> None:
        """The error names the variable, never the key."""
        with pytest.raises(ValueError, match="SEGMIND_API_KEY") as caught:
            ChatSegmindGPT4Turbo(api_key=key)
        assert SECRET not in str(caught.value)

    def test_fields_can_be_configured_at_run_time(self, caller, create_model, gateway) -> None:
        """`configurable_fields` makes a new model from an old one's fields."""
        model = create_model().configurable_fields(temperature=ConfigurableField(id="t"))
        caller.invoke(model.with_config(configurable={"t": 0.5}), "hi")
        assert gateway.requests[0].json["temperature"] == 0.5


class TestKey:
    """Where the key comes from."""

    def test_a_missing_key_names_its_variable_before_any_request(self, caller, gateway) -> None:
        """A newcomer's first call says what is missing."""
        with pytest.raises(SegmindAuthenticationError, match="SEGMIND_API_KEY"):
            caller.invoke(ChatSegmindGPT4Turbo(base_url=gateway.base_url), "hi")
        assert gateway.requests == []

    @pytest.mark.parametrize("key", ["", None, "a\nb", "schlüssel"])
    def test_a_callable_that_gives_no_key_is_an_error(
        self, caller, create_model, gateway, key
    ) -> None:
        """What a callable returns is checked as what a user types."""
        with pytest.raises(SegmindAuthenticationError, match="SEGMIND_API_KEY"):
            caller.invoke(create_model(api_key=lambda: key), "hi")
        assert gateway.requests == []

    def test_a_callable_that_gives_no_text_is_an_error(self, caller, create_model) -> None:
        """The type that came is named."""
        with pytest.raises(SegmindAuthenticationError, match="bytes"):
            caller.invoke(create_model(api_key=SECRET.encode), "hi")

    @pytest.mark.parametrize("wrap", [str, SecretStr])
    def test_a_callable_is_asked_before_each_request(
        self, caller, create_model, gateway, wrap
    ) -> None:
        """Keys can be rotated while a model lives."""
        keys = iter(["stale-fake-key", SECRET])
        model = create_model(api_key=lambda: wrap(next(keys)))
        with pytest.raises(SegmindAuthenticationError):
            caller.invoke(model, "hi")
        caller.invoke(model, "hi")
        assert [r.headers["x-api-key"] for r in gateway.requests] == ["stale-fake-key", SECRET]

    async def test_an_async_callable_is_awaited(self, create_model) -> None:
        """A key may come from a service."""

        async def fetch_key() -> str:
            return SECRET

        message = await create_model(api_key=fetch_key).ainvoke("hi")
        assert message.text == "hi"

    def test_an_async_callable_in_a_sync_call_is_an_error(self, create_model) -> None:
        """The error says which calls can await it."""

        async def fetch_key() -> str:
            return SECRET

        with pytest.raises(TypeError, match="ainvoke"):
            create_model(api_key=fetch_key).invoke("hi")

    def test_a_key_may_be_assigned_later(self, caller, create_model) -> None:
        """Assigned fields are not validated by pydantic, and work all the same."""
        model = create_model(api_key=None)
        model.segmind_api_key = SECRET
        assert caller.invoke(model, "hi").text == "hi"
        assert SECRET not in repr(model)
        assert SECRET not in str(model.model_dump())


class TestRequest:
    """What goes over the wire."""

    def test_only_messages_are_sent(self, caller, create_model, gateway) -> None:
        """The endpoint documents `messages`; nothing that the user did not set is added."""
        caller.invoke(create_model(), "hi")
        (request,) = gateway.requests
        assert (request.method, request.path) == ("POST", "/v1/gpt-4-turbo")
        assert request.headers["x-api-key"] == SECRET
        assert request.headers["content-type"] == "application/json"
        assert request.headers["user-agent"].startswith("langchain-segmind/")
        assert request.body == b'{"messages":[{"role":"user","content":"hi"}]}'

    def test_what_the_user_sets_is_sent(self, caller, create_model, gateway) -> None:
        """Every body parameter, by the constructor."""
        fields = {"temperature": 0.5, "max_tokens": 9, "top_p": 0.9, "seed": 4, "stop": ["END"]}
        caller.invoke(create_model(**fields), "hi")
        assert gateway.requests[0].json == {
            "messages": [{"role": "user", "content": "hi"}],
            **fields,
        }

    def test_a_call_overrides_the_constructor(self, caller, create_model, gateway) -> None:
        """A call's arguments count for that call only."""
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

    def test_model_kwargs_are_merged(self, caller, create_model, gateway) -> None:
        """A call's further body keys join, and override, the constructor's."""
        model = create_model(model_kwargs={"presence_penalty": 1, "frequency_penalty": 1})
        caller.invoke(model, "hi", model_kwargs={"frequency_penalty": 2})
        sent = gateway.requests[0].json
        assert (sent["presence_penalty"], sent["frequency_penalty"]) == (1, 2)

    @pytest.mark.parametrize(
        ("arguments", "error", "words"),
        [
            pytest.param({"temprature": 0}, TypeError, "temperature", id="misspelt"),
            pytest.param({"logit": []}, TypeError, "logit", id="unknown"),
            pytest.param({"temperature": 3}, ValueError, "temperature", id="out of range"),
            pytest.param({"model": "a/b"}, ValueError, "slug", id="no slug"),
            pytest.param({"stop": ""}, ValueError, "stop string", id="an empty stop"),
            pytest.param({"model": "a", "model_name": "b"}, TypeError, "not both", id="two models"),
        ],
    )
    def test_a_call_checks_its_arguments(
        self, caller, create_model, gateway, arguments, error, words
    ) -> None:
        """A call is as strict as the constructor, before any request."""
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
    def test_an_assigned_field_is_used_by_the_next_call(self, gateway, slug) -> None:
        """Also on a model that has no profile."""
        model = ChatSegmind(model=slug, base_url=gateway.base_url, api_key="another-fake-key")
        model.segmind_api_key = SECRET
        model.temperature = 0.5
        model.invoke("hi")
        assert gateway.requests[0].json["temperature"] == 0.5
        assert model.segmind_api_key == SecretStr(SECRET)

    def test_a_field_changed_in_place_cannot_take_over(self, create_model, gateway) -> None:
        """Neither other messages nor another key."""
        model = create_model(default_headers={"x": "y"})
        model.model_kwargs["messages"] = []
        with pytest.raises(ValueError, match="input of the call"):
            model.invoke("hi")
        assert gateway.requests == []
        model.model_kwargs.clear()
        model.default_headers["X-API-Key"] = "another-fake-key"
        model.invoke("hi")
        assert gateway.requests[0].headers["x-api-key"] == SECRET

    def test_text_goes_out_unescaped(self, caller, create_model, gateway) -> None:
        """Non-ASCII text costs no more than its own bytes."""
        caller.invoke(create_model(), "你好, é 🙂 \u2028")
        assert "你好, é 🙂 \u2028".encode() in gateway.requests[0].body

    def test_credentials_of_the_base_url_become_a_header(
        self, caller, create_model, gateway
    ) -> None:
        """A gateway behind basic authentication works, and its path may be deeper."""
        base = gateway.base_url.replace("http://", "http://user:pass%20word@")
        caller.invoke(create_model(base_url=base + "/"), "hi")
        (request,) = gateway.requests
        assert request.headers["authorization"] == "Basic dXNlcjpwYXNzIHdvcmQ="
        assert request.path == "/v1/gpt-4-turbo"

    def test_default_headers_are_sent(self, caller, create_model, gateway) -> None:
        """A proxy's token goes with each request, the balance's included."""
        model = create_model(default_headers={"X-Token": "fake-token"})
        caller.invoke(model, "hi")
        caller.get_credits(model)
        assert [r.headers["x-token"] for r in gateway.requests] == ["fake-token"] * 2

    def test_a_default_header_takes_the_place_of_ours(self, caller, create_model, gateway) -> None:
        """However it is capitalized, it is sent once."""
        headers = {"User-Agent": "mine", "ACCEPT-ENCODING": "identity"}
        caller.invoke(create_model(default_headers=headers), "hi")
        sent = gateway.requests[0].headers
        assert (sent["user-agent"], sent["accept-encoding"]) == ("mine", "identity")

    def test_a_clients_own_settings_count_and_it_stays_open(
        self, caller, create_model, gateway
    ) -> None:
        """A client that the user passes is used and never closed."""
        client, async_client = httpx.Client(), httpx.AsyncClient()
        client.headers["x-own"] = async_client.headers["x-own"] = "1"
        model = create_model(http_client=client, http_async_client=async_client)
        caller.invoke(model, "hi")
        assert gateway.requests[0].headers["x-own"] == "1"
        assert not client.is_closed
        assert not async_client.is_closed
        client.close()
        if caller.runner:
            caller.runner.run(async_client.aclose())

    def test_a_closed_client_is_a_clear_error(self, caller, create_model) -> None:
        """It is the caller's client, so the caller must give another."""
        client, async_client = httpx.Client(), httpx.AsyncClient()
        client.close()
        asyncio.run(async_client.aclose())
        model = create_model(http_client=client, http_async_client=async_client)
        with pytest.raises(ValueError, match="closed"):
            caller.invoke(model, "hi")

    async def test_a_loop_that_finished_its_generators_still_works(self, create_model) -> None:
        """Servers reload: what was closed with the loop's generators is opened anew."""
        model = create_model()
        await model.ainvoke("hi")
        await asyncio.get_running_loop().shutdown_asyncgens()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # asyncio's, of this very reuse
            assert (await model.ainvoke("hi")).text == "hi"
        await asyncio.get_running_loop().shutdown_asyncgens()

    def test_many_threads_with_loops_of_their_own_share_a_model(
        self, create_model, gateway
    ) -> None:
        """Each loop has its own connections, and each call is sent once."""
        model = create_model(max_retries=0)

        def call_on_loops_of_its_own(number: int) -> list[str]:
            return [asyncio.run(model.ainvoke(str(number))).text for _ in range(5)]

        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(call_on_loops_of_its_own, range(8)))
        assert replies == [[str(number)] * 5 for number in range(8)]
        assert len(gateway.requests) == 40

    def test_the_environments_proxy_is_used(
        self, caller, create_model, gateway, monkeypatch
    ) -> None:
        """`HTTP_PROXY` gets the request, unless `NO_PROXY` names the host."""
        monkeypatch.setenv("HTTP_PROXY", gateway.base_url.removesuffix("/v1"))
        with pytest.raises(langchain_segmind.SegmindModelNotFoundError):
            caller.invoke(create_model(base_url="http://segmind.invalid/v1"), "hi")
        close()
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert caller.invoke(create_model(), "hi").text == "hi"

    def test_a_redirect_is_never_followed(self, caller, create_model, gateway) -> None:
        """The key goes to no host that a server names, even with a client that would follow."""
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

    def test_a_path_stays_as_it_is_written(self, create_model, gateway) -> None:
        """An escaped slash in the base URL is not another level."""
        with pytest.raises(langchain_segmind.SegmindModelNotFoundError):
            create_model(base_url=gateway.base_url + "%2Fdeeper").invoke("hi")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            pytest.param("HTTPS_PROXY", "http://u:fake-password@host:abc", id="no port"),
            pytest.param("ALL_PROXY", "socks5://u:fake-password@host", id="SOCKS, not installed"),
            pytest.param("SSL_CERT_FILE", "/fake-password/certificates", id="no certificates"),
        ],
    )
    def test_an_environment_that_cannot_work_is_named(
        self, caller, monkeypatch, name, value
    ) -> None:
        """The error names the variables and shows none of their values."""
        monkeypatch.setenv(name, value)
        with pytest.raises(ValueError, match=name) as caught:
            caller.invoke(ChatSegmindGPT4Turbo(api_key=SECRET), "hi")
        assert "fake-password" not in "".join(traceback.format_exception(caught.value))


class TestReply:
    """What comes back."""

    def test_cookies_are_not_kept(self, caller, create_model, gateway) -> None:
        """One key's session is nothing to the next."""
        headers = {"set-cookie": "session=of-one-key; Path=/"}
        body = {"choices": [{"message": {"content": "ok"}}]}
        gateway.script(lambda request: {"status": 200, "headers": headers, "body": body})
        caller.batch(create_model(), ["hi", "hi"])
        caller.invoke(create_model(), "hi")
        assert ["cookie" in request.headers for request in gateway.requests] == [False] * 3

    def test_half_a_character_in_a_reply_is_mended(self, caller, create_model, gateway) -> None:
        """The reply can be sent back in the next turn."""
        body = '{"choices": [{"message": {"content": "half \\ud83d"}}]}'
        gateway.script([{"status": 200, "body": body}, "ok"])
        model = create_model()
        message = caller.invoke(model, "hi")
        assert message.text == "half \ufffd"
        assert caller.invoke(model, [HumanMessage("hi"), message]).text == "ok"

    def test_a_reply_tells_what_it_cost_and_what_remains(
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

    def test_stop_is_enforced_here(self, caller, create_model, gateway) -> None:
        """The reply ends before the first stop string, whatever the endpoint does."""
        gateway.script(["one END two", "one END two", "one END two"])
        model = create_model(stop="END")
        message = caller.invoke(model, "hi")
        assert message.text == "one "
        assert message.response_metadata["finish_reason"] == "stop"
        assert caller.invoke(model, "hi", stop=["two"]).text == "one END "
        assert caller.invoke(model, "hi", stop=[]).text == "one END two"

    def test_the_callers_messages_are_never_changed(self, caller, create_model) -> None:
        """A history can be kept and used again."""
        messages = [HumanMessage([{"type": "text", "text": "hi"}], id="1", name="Ann")]
        before = [message.model_copy(deep=True) for message in messages]
        caller.invoke(create_model(), messages)
        assert messages == before

    def test_a_batch_keeps_its_order(self, caller, create_model) -> None:
        """Replies come in the order of the prompts."""
        prompts = [f"prompt {i}" for i in range(20)]
        assert [m.text for m in caller.batch(create_model(), prompts)] == prompts

    def test_credits_are_typed(self, caller, create_model, gateway) -> None:
        """The balance is asked for without running a model."""
        balance = caller.get_credits(create_model())
        assert isinstance(balance, SegmindCredits)
        assert balance.credits == 1_000
        assert balance.total == balance.credits + balance.free_credits
        (request,) = gateway.requests
        assert (request.method, request.path, request.body) == ("GET", "/v1/get-user-credits", b"")

    def test_a_timeout_can_be_written_as_json(self) -> None:
        """Httpx's own type is no JSON."""
        model = ChatSegmindGPT4Turbo(timeout=httpx.Timeout(5, read=60))
        assert json.loads(model.model_dump_json())["timeout"]["read"] == 60


class TestLangChainHooks:
    """What LangChain, its tracers and its agents ask a model."""

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
    def test_core_still_has_what_is_overridden_or_called(self, name) -> None:
        """These are core's own: where it renames one, ours would silently be asked no more."""
        assert callable(getattr(BaseChatModel, name))

    def test_traces_name_the_provider_and_the_settings(self) -> None:
        """`ls_provider` equals `model_provider`, and a call's model is the one that is named."""
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

    def test_traces_name_the_version(self) -> None:
        """Support can see which version made a trace."""
        versions = ChatSegmindGPT4Turbo(metadata={"mine": 1}).metadata
        assert versions["mine"] == 1
        assert versions["lc_versions"]["langchain-segmind"] == langchain_segmind.__version__
        assert "langchain-core" in versions["lc_versions"]

    def test_identifying_params_are_what_changes_a_reply(self) -> None:
        """Neither keys nor clients nor patience are among them."""
        model = ChatSegmindGPT4Turbo(
            api_key=SECRET, seed=1, timeout=5, stop="END", model_kwargs={"presence_penalty": 1}
        )
        assert model.asdict() == {
            "_type": "segmind-chat",
            "model": "gpt-4-turbo",
            "segmind_api_base": "https://api.segmind.com/v1",
            "seed": 1,
            "presence_penalty": 1,
            "stop": ["END"],
        }

    def test_the_profile_states_the_models_facts(self) -> None:
        """Middleware plans by it; a user's own profile wins; unknown models have none."""
        profile = ChatSegmindGPT4Turbo().profile
        assert profile["max_input_tokens"] == 128_000
        assert profile["max_output_tokens"] == 4_096
        assert profile["tool_calling"] is True
        assert profile["image_inputs"] is False
        own = ModelProfile(max_input_tokens=5)
        assert ChatSegmindGPT4Turbo(profile=own).profile == own
        assert ChatSegmind(model="kimi-k2-instruct-0905").profile is None

    def test_a_profile_is_each_models_own(self) -> None:
        """Changing one model's profile leaves the next one's alone."""
        ChatSegmindGPT4Turbo().profile["max_input_tokens"] = 1
        assert ChatSegmindGPT4Turbo().profile["max_input_tokens"] == 128_000

    def test_a_model_survives_dump_and_load(self, monkeypatch, recwarn) -> None:
        """LangChain's own serialization, with the key left to the environment."""
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
