"""A setting changes the cache's key if it changes the reply, and only then."""

import json
import subprocess
import sys
from datetime import date
from functools import partial
from typing import Any

import httpx
import pytest
from langchain_core.caches import BaseCache, InMemoryCache
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import Generation
from pydantic import BaseModel, SecretStr, field_validator

from langchain_segmind import ChatSegmind, ChatSegmindGPT4Turbo
from tests.support.scripts import write_object

pytestmark = pytest.mark.every_format

RELEVANT = {
    "model": "gpt-4o",
    "segmind_api_base": "https://other/v1",
    "temperature": 0.7,
    "max_tokens": 17,
    "top_p": 0.3,
    "seed": 5,
    "stop": ["X"],
    "model_kwargs": {"top_k": 1},
    "on_invalid_tool_call": "return",
    "calls_in_text": False,
    "include_names": False,
    "frequency_penalty": 1.0,
    "logit_bias": {"1": 1.0},
    "logprobs": True,
    "max_completion_tokens": 5,
    "presence_penalty": 1.0,
    "reasoning_effort": "low",
    "service_tier": "flex",
    "store": True,
    "top_logprobs": 2,
    "user": "a",
    "output_retries": 2,
    "api_format": "anthropic",
    "native_response_format": False,
    "output_version": "v1",
}
"""Other values of all fields that change the reply."""

IRRELEVANT = {
    "segmind_api_key": SecretStr("another-fake-key"),
    "timeout": 3,
    "use_queue": True,
    "max_retries": 7,
    "retry_read_timeouts": True,
    "default_headers": {"x-token": "fake"},
    "http_client": httpx.Client(),
    "http_async_client": httpx.AsyncClient(),
    "callbacks": [],
    "tags": ["a"],
    "metadata": {"a": 1},
    "cache": False,
    "streaming": True,
    "check_context": False,
    "verbose": True,
}
"""Other values of all fields that do not change the reply."""


def create(**fields: Any) -> ChatSegmindGPT4Turbo:
    """Create a model with values for some fields."""
    return ChatSegmindGPT4Turbo(
        **{
            "api_key": "fake-key-for-tests",
            "temperature": 0.1,
            "seed": 1,
            "stop": ["END"],
            **fields,
        }
    )


@pytest.mark.parametrize("name", RELEVANT)
def test_a_relevant_setting_changes_the_key(name: str) -> None:
    """To the same key, whether it is set by constructor, assignment, copy or call."""
    model = create()
    base = model._get_llm_string()
    assigned = create()
    assigned._get_llm_string()
    setattr(assigned, name, RELEVANT[name])
    keys = {
        create(**{name: RELEVANT[name]})._get_llm_string(),
        assigned._get_llm_string(),
        model.model_copy(update={name: RELEVANT[name]})._get_llm_string(),
    }
    if name not in {"segmind_api_base", "output_version"}:
        keys.add(model._get_llm_string(**{name: RELEVANT[name]}))
    assert len(keys) == 1
    assert base not in keys
    assert model._get_llm_string() == base


@pytest.mark.parametrize("name", IRRELEVANT)
def test_an_irrelevant_setting_does_not_change_the_key(name: str) -> None:
    """A rotated API key or another timeout still hits the cache."""
    changed = create().model_copy(update={name: IRRELEVANT[name]})
    assert changed._get_llm_string() == create()._get_llm_string()
    assert create()._get_llm_string(timeout=3, stream=True) == create()._get_llm_string()


def test_every_field_is_relevant_or_irrelevant() -> None:
    """A new field must be added to one of the two."""
    core_fields = {"name", "rate_limiter", "disable_streaming", "profile", "custom_get_token_ids"}
    assert ChatSegmind.model_fields.keys() - core_fields == RELEVANT.keys() | IRRELEVANT.keys()


@pytest.mark.parametrize("key", ["image_inputs", "image_url_inputs"])
def test_a_profile_that_changes_the_request_changes_the_key(key: str) -> None:
    """An image is sent, or a note in its place."""
    keys = {create(profile={key: value})._get_llm_string() for value in (True, False)}
    assert len(keys) == 2


def test_a_body_key_differs_from_a_field_of_the_same_name() -> None:
    """A body key changes the request, the field what is done with the reply."""
    body_key = create(model_kwargs={"output_version": "v1"})
    field = create(output_version="v1")
    assert body_key._get_llm_string() != field._get_llm_string()


def test_the_key_contains_no_password_of_the_base_url() -> None:
    """Caches are files and databases that others read."""
    model = create(base_url="https://user:fake-password@host/v1")
    assert model._get_llm_string() == create(base_url="https://host/v1")._get_llm_string()


def test_two_processes_have_the_same_key() -> None:
    """It contains no address of an object, and no order of a set."""
    code = (
        "from langchain_segmind import ChatSegmindGPT4Turbo as C;"
        "print(C(model_kwargs={'b': 1, 'a': {'y': 1, 'x': 2}}, stop='END')._get_llm_string())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    settings = {"b": 1, "a": {"y": 1, "x": 2}}
    assert (
        run.stdout.strip()
        == ChatSegmindGPT4Turbo(model_kwargs=settings, stop="END")._get_llm_string()
    )


WITHOUT_USAGE: dict[str, Any] = {
    "openai": {"choices": [{"message": {"content": "hello"}}]},
    "anthropic": {"content": [{"type": "text", "text": "hello"}]},
    "gemini": {"candidates": [{"content": {"parts": [{"text": "hello"}]}}]},
}
"""A reply without usage, by format."""


class StoringCache(BaseCache):
    """Stores text, as a database or a file does."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], list[str]] = {}

    def lookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        stored = self.stored.get((prompt, llm_string))
        return None if stored is None else [loads(text, allowed_objects="core") for text in stored]

    def update(self, prompt: str, llm_string: str, return_val: Any) -> None:
        self.stored[prompt, llm_string] = [dumps(generation) for generation in return_val]

    def clear(self, **kwargs: Any) -> None:
        self.stored.clear()


@pytest.mark.parametrize("cache_class", [InMemoryCache, StoringCache])
@pytest.mark.parametrize("usage", [True, False], ids=["with usage", "without usage"])
def test_a_repeated_conversation_sends_no_request(
    caller, create_model, gateway, api_format, cache_class, usage
) -> None:
    """Its replies have the same texts and usage."""
    if not usage:
        response = {"status": 200, "body": WITHOUT_USAGE[api_format]}
        gateway.script(lambda request: response)
    model = create_model(cache=cache_class())

    def run_conversation() -> list[Any]:
        history: list[Any] = [HumanMessage("hi")]
        for text in ("how are you?", "bye"):
            history += [caller.invoke(model, history), HumanMessage(text)]
        return history

    first = run_conversation()
    requests = len(gateway.requests)
    second = run_conversation()
    assert requests == 2
    assert len(gateway.requests) == 2
    assert [m.text for m in second] == [m.text for m in first]
    assert [m.usage_metadata for m in second if isinstance(m, AIMessage)] == [
        m.usage_metadata for m in first if isinstance(m, AIMessage)
    ]


def test_a_call_with_functions_has_a_key_of_its_own(caller, create_model, gateway) -> None:
    """Its reply has the call in `additional_kwargs` too."""
    function = {"name": "add", "description": "Add.", "parameters": {"properties": {"a": {}}}}
    gateway.script(["[add(a=1)]"] * 2)
    model = create_model(cache=InMemoryCache())
    caller.invoke(model, "hi", tools=[function], parallel_tool_calls=False)
    reply = caller.invoke(model, "hi", functions=[function])
    assert reply.additional_kwargs["function_call"]["name"] == "add"


def test_an_iterator_of_tools_is_refused_in_a_call(caller, create_model, gateway) -> None:
    """Whoever reads it first, such as a cache, uses it up; `bind_tools` makes it a list."""
    tool = {"name": "add", "description": "Add.", "parameters": {"properties": {"a": {}}}}
    with pytest.raises(TypeError, match="must be a list"):
        caller.invoke(create_model(), "hi", tools=iter([tool]))
    assert gateway.requests == []
    bound = create_model(cache=InMemoryCache()).bind_tools(iter([tool]))
    caller.invoke(bound, "hi")
    assert "add(" in str(gateway.requests[0].messages) + str(gateway.requests[0].json)


def test_a_hit_has_no_price_balance_or_request_id(caller, create_model) -> None:
    """They are true of the first call only, which another tenant may have paid for."""
    facts = {"cost", "request_id", "generation_time", "remaining_credits"}
    model = create_model(cache=InMemoryCache())
    reply, hit = caller.invoke(model, "hi"), caller.invoke(model, "hi")
    assert {"cost", "request_id", "remaining_credits"} <= reply.response_metadata.keys()
    assert {name: hit.response_metadata.get(name) for name in facts} == dict.fromkeys(facts)
    assert hit.response_metadata["finish_reason"] == reply.response_metadata["finish_reason"]


def test_changing_a_cached_reply_does_not_change_the_cache(caller, create_model) -> None:
    """Each hit is a new message; ids do not repeat."""
    model = create_model(cache=InMemoryCache())
    caller.invoke(model, "hi")
    hit = caller.invoke(model, "hi")
    hit.content = "changed"
    hit.response_metadata["changed"] = True
    again = caller.invoke(model, "hi")
    assert again.text == "hi"
    assert "changed" not in again.response_metadata
    assert again.id is None


def test_a_cached_plain_generation_becomes_a_message(caller, create_model) -> None:
    """Other versions may have stored one."""

    class OldCache(InMemoryCache):
        def lookup(self, prompt: str, llm_string: str) -> list[Generation]:
            return [Generation(text="stored long ago")]

    assert caller.invoke(create_model(cache=OldCache()), "hi").text == "stored long ago"


def test_the_key_is_readable_json() -> None:
    """For debugging a cache."""
    kind, _, settings = create()._get_llm_string().partition(" ")
    assert kind == "segmind-chat"
    assert json.loads(settings)["temperature"] == 0.1


class Number(BaseModel):
    """A number."""

    n: int


class EvenNumber(BaseModel):
    """A number."""

    n: int

    @field_validator("n")
    @classmethod
    def refuse_odd(cls, n: int) -> int:
        """Reject odd numbers."""
        if n % 2:
            raise ValueError("it is odd")
        return n


EvenNumber.__name__ = "Number"


def test_classes_with_equal_schemas_have_different_keys(create_model, gateway) -> None:
    """A validator of one may reject what the other accepts."""
    gateway.script(["[Number(n=1)]", "[Number(n=1)]", "[Number(n=2)]"])
    model = create_model(cache=InMemoryCache())
    structure = partial(model.with_structured_output, method="function_calling")
    for _ in range(2):
        assert structure(Number).invoke("go").n == 1
        assert structure(EvenNumber).invoke("go").n == 2
    assert len(gateway.requests) == 3


def test_a_schema_with_a_default_that_is_not_json_is_cached(create_model, gateway) -> None:
    """Defaults may be any object."""
    schema = {"title": "A", "properties": {"d": {"type": "string", "default": date(2020, 1, 1)}}}
    model = create_model(cache=InMemoryCache())
    gateway.script([write_object(model, "A", d="2024-05-01")])
    structured = model.with_structured_output(schema)
    assert structured.invoke("go") == structured.invoke("go") == {"d": "2024-05-01"}
