"""Models named by a string, over HTTP: plain, configurable, and in agents."""

import pytest
from langchain.agents import create_agent
from langchain.chat_models import init_chat_model

from langchain_segmind import register_init_chat_model
from tests.conftest import SECRET


@pytest.fixture(autouse=True)
def registration(gateway, monkeypatch) -> None:
    """Register the provider, and name the gateway in the environment."""
    monkeypatch.setenv("SEGMIND_API_BASE", gateway.base_url)
    monkeypatch.setenv("SEGMIND_API_KEY", SECRET)
    register_init_chat_model()


@pytest.mark.parametrize("slug", ["gpt-4-turbo", "gpt-4o"])
@pytest.mark.parametrize(
    ("prefix", "provider"),
    [pytest.param("segmind:", None, id="prefix"), pytest.param("", "segmind", id="argument")],
)
def test_a_model_by_name_answers(slug, prefix, provider, caller, gateway) -> None:
    """The request goes to the slug, with the parameters."""
    gateway.script(["hello"])
    model = init_chat_model(f"{prefix}{slug}", model_provider=provider, temperature=0.5)
    message = caller.invoke(model, "hi")
    assert message.text == "hello"
    assert message.response_metadata["model_name"] == slug
    (request,) = gateway.requests
    assert request.slug == slug
    assert request.json["temperature"] == 0.5


def test_the_key_and_the_base_url_can_be_arguments(caller, gateway, monkeypatch) -> None:
    """The environment is not needed."""
    for name in ("SEGMIND_API_BASE", "SEGMIND_API_KEY"):
        monkeypatch.delenv(name)
    gateway.script(["hello"])
    model = init_chat_model("segmind:gpt-4-turbo", base_url=gateway.base_url, api_key=SECRET)
    assert caller.invoke(model, "hi").text == "hello"


def test_a_calls_config_chooses_the_model(caller, gateway) -> None:
    """Without one the default answers."""
    model = init_chat_model(
        "segmind:gpt-4-turbo", configurable_fields=["model", "temperature"], temperature=0
    )
    caller.invoke(model, "hi")
    caller.invoke(model, "hi", config={"configurable": {"model": "segmind:gpt-4o"}})
    caller.invoke(model, "hi", config={"configurable": {"temperature": 1}})
    assert [(request.slug, request.json["temperature"]) for request in gateway.requests] == [
        ("gpt-4-turbo", 0),
        ("gpt-4o", 0),
        ("gpt-4-turbo", 1),
    ]


def test_a_configurable_model_needs_no_default(caller, gateway) -> None:
    """Each call names the model."""
    model = init_chat_model(temperature=0)
    for slug in ("gpt-4-turbo", "gpt-4o"):
        caller.invoke(
            model, "hi", config={"configurable": {"model": slug, "model_provider": "segmind"}}
        )
    assert [request.slug for request in gateway.requests] == ["gpt-4-turbo", "gpt-4o"]


def test_an_agent_takes_a_model_by_name(caller, gateway) -> None:
    """It sends the system prompt and the question; the reply has its credits."""
    gateway.script(["It is blue."])
    agent = create_agent("segmind:gpt-4-turbo", tools=[], system_prompt="Answer briefly.")
    state = caller.invoke(agent, {"messages": [("user", "What colour is the sky?")]})
    question, answer = state["messages"]
    assert (question.text, answer.text) == ("What colour is the sky?", "It is blue.")
    assert answer.response_metadata["remaining_credits"] is not None
    (request,) = gateway.requests
    assert request.json["messages"] == [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": "What colour is the sky?"},
    ]
