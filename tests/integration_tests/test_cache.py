"""The cache's key changes with every setting that changes the reply, and with nothing else."""

import json
import subprocess
import sys
from datetime import date
from typing import Any

import httpx
import pytest
from langchain_core.caches import BaseCache, InMemoryCache
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import Generation
from pydantic import BaseModel, SecretStr, field_validator

from langchain_segmind import ChatSegmind, ChatSegmindGPT4Turbo

OTHER = {
    "model": "gpt-4o",
    "segmind_api_base": "https://other/v1",
    "temperature": 0.7,
    "max_tokens": 17,
    "top_p": 0.3,
    "seed": 5,
    "stop": ["X"],
    "model_kwargs": {"presence_penalty": 1},
    "on_invalid_tool_call": "retry",
    "output_retries": 2,
    "output_version": "v1",
}
"""For each field that changes a reply, a value other than the model's below."""

IRRELEVANT = {
    "segmind_api_key": SecretStr("another-fake-key"),
    "timeout": 3,
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
"""Fields that change how a reply comes, not what it says."""


def create(**fields: Any) -> ChatSegmindGPT4Turbo:
    """Create a model that has a value for most fields."""
    return ChatSegmindGPT4Turbo(
        **{
            "api_key": "fake-key-for-tests",
            "temperature": 0.1,
            "seed": 1,
            "stop": ["END"],
            **fields,
        }
    )


@pytest.mark.parametrize("name", OTHER)
def test_a_setting_changes_the_key_however_it_is_set(name: str) -> None:
    """By constructor, assignment, copy or call: one key for one setting, another for another."""
    model = create()
    base = model._get_llm_string()
    assigned = create()
    assigned._get_llm_string()
    setattr(assigned, name, OTHER[name])
    keys = {
        create(**{name: OTHER[name]})._get_llm_string(),
        assigned._get_llm_string(),
        model.model_copy(update={name: OTHER[name]})._get_llm_string(),
    }
    if name not in {"segmind_api_base", "output_version"}:
        keys.add(model._get_llm_string(**{name: OTHER[name]}))
    assert len(keys) == 1
    assert base not in keys
    assert model._get_llm_string() == base


@pytest.mark.parametrize("name", IRRELEVANT)
def test_what_does_not_change_the_reply_does_not_change_the_key(name: str) -> None:
    """A rotated key or another timeout costs nothing."""
    changed = create().model_copy(update={name: IRRELEVANT[name]})
    assert changed._get_llm_string() == create()._get_llm_string()
    assert create()._get_llm_string(timeout=3, stream=True) == create()._get_llm_string()


def test_every_field_is_in_one_of_the_two_lists() -> None:
    """A field that is added must be thought of here."""
    cores = {"name", "rate_limiter", "disable_streaming", "profile", "custom_get_token_ids"}
    assert ChatSegmind.model_fields.keys() - cores == OTHER.keys() | IRRELEVANT.keys()


def test_a_body_key_is_not_taken_for_a_field_of_its_name() -> None:
    """What is sent and what is done with the reply are two settings."""
    sent = create(model_kwargs={"output_version": "v1"})
    done = create(output_version="v1")
    assert sent._get_llm_string() != done._get_llm_string()


def test_passwords_of_the_base_url_do_not_stand_in_the_key() -> None:
    """Caches are files and databases that others read."""
    model = create(base_url="https://user:fake-password@host/v1")
    assert model._get_llm_string() == create(base_url="https://host/v1")._get_llm_string()


def test_equal_settings_in_two_processes_have_equal_keys() -> None:
    """No object's address stands in a key."""
    code = (
        "from langchain_segmind import ChatSegmindGPT4Turbo as C;"
        "print(C(model_kwargs={'b': 1, 'a': {'y': 1, 'x': 2}}, stop='END')._get_llm_string())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout != ""


class StoringCache(BaseCache):
    """Keeps what a database or a file would: text."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], list[str]] = {}

    def lookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        stored = self.stored.get((prompt, llm_string))
        return None if stored is None else [loads(text, allowed_objects="core") for text in stored]

    def update(self, prompt: str, llm_string: str, return_val: Any) -> None:
        self.stored[prompt, llm_string] = [dumps(generation) for generation in return_val]

    def clear(self, **kwargs: Any) -> None:
        self.stored.clear()


CACHES = [pytest.param(InMemoryCache, id="in memory"), pytest.param(StoringCache, id="stored")]


@pytest.mark.parametrize("cache_class", CACHES)
@pytest.mark.parametrize("usage", [True, False], ids=["with usage", "without usage"])
def test_a_conversation_run_twice_asks_once(
    caller, create_model, gateway, cache_class, usage
) -> None:
    """The second run of a two-turn chat makes no request, and reads the same."""
    if not usage:
        body = {"choices": [{"message": {"content": "hello"}}]}
        gateway.script(lambda request: {"status": 200, "body": body})
    model = create_model(cache=cache_class())

    def converse() -> list[Any]:
        history: list[Any] = [HumanMessage("hi")]
        for text in ("how are you?", "bye"):
            history += [caller.invoke(model, history), HumanMessage(text)]
        return history

    first = converse()
    requests = len(gateway.requests)
    second = converse()
    assert requests == 2
    assert len(gateway.requests) == 2
    assert [m.text for m in second] == [m.text for m in first]
    assert [m.usage_metadata for m in second if isinstance(m, AIMessage)] == [
        m.usage_metadata for m in first if isinstance(m, AIMessage)
    ]


def test_a_hit_is_a_message_of_its_own(caller, create_model) -> None:
    """Changing a reply does not change what the cache holds, and ids do not repeat."""
    model = create_model(cache=InMemoryCache())
    caller.invoke(model, "hi")
    hit = caller.invoke(model, "hi")
    hit.content = "changed"
    hit.response_metadata["changed"] = True
    again = caller.invoke(model, "hi")
    assert again.text == "hi"
    assert "changed" not in again.response_metadata
    assert again.id is None


def test_an_old_caches_plain_generation_is_still_read(caller, create_model) -> None:
    """A text that another version stored becomes a message."""

    class OldCache(InMemoryCache):
        def lookup(self, prompt: str, llm_string: str) -> list[Generation]:
            return [Generation(text="stored long ago")]

    assert caller.invoke(create_model(cache=OldCache()), "hi").text == "stored long ago"


def test_keys_are_json() -> None:
    """A key can be read by who debugs a cache."""
    kind, _, settings = create()._get_llm_string().partition(" ")
    assert kind == "segmind-chat"
    assert json.loads(settings)["parameters"]["temperature"] == 0.1


class Loose(BaseModel):
    """A number."""

    n: int


class Strict(BaseModel):
    """A number."""

    n: int

    @field_validator("n")
    @classmethod
    def refuse_odd(cls, n: int) -> int:
        """Take even numbers only."""
        if n % 2:
            raise ValueError("it is odd")
        return n


Strict.__name__ = "Loose"


def test_classes_with_equal_schemas_do_not_share_replies(create_model, gateway) -> None:
    """What one takes, the other's validator may refuse."""
    gateway.script(["[Loose(n=1)]", "[Loose(n=1)]", "[Loose(n=2)]"])
    model = create_model(cache=InMemoryCache())
    for _ in range(2):
        assert model.with_structured_output(Loose).invoke("go").n == 1
        assert model.with_structured_output(Strict).invoke("go").n == 2
    assert len(gateway.requests) == 3


def test_a_schema_that_is_no_json_is_cached_too(create_model, gateway) -> None:
    """Defaults may be any object."""
    schema = {"title": "A", "properties": {"d": {"type": "string", "default": date(2020, 1, 1)}}}
    gateway.script(["[A(d='2024-05-01')]"])
    model = create_model(cache=InMemoryCache()).with_structured_output(schema)
    assert model.invoke("go") == model.invoke("go") == {"d": "2024-05-01"}
