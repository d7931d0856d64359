"""Models named by a string, over HTTP: plain, configurable, and in agents."""

import pytest
from langchain.agents import create_agent
from langchain.chat_models import init_chat_model
from langchain_core.runnables import ConfigurableField

from langchain_segmind import register_init_chat_model
from tests.conftest import SECRET
from tests.support.bodies import check_body
from tests.support.scripts import ADDING, add, ask, play

pytestmark = [
    pytest.mark.every_format,
    pytest.mark.filterwarnings("ignore:Not sent to 'gemini-3-flash'. temperature"),
]


@pytest.fixture(autouse=True)
def registration(gateway, monkeypatch) -> None:
    """Register the provider, and name the gateway in the environment."""
    monkeypatch.setenv("SEGMIND_API_BASE", gateway.base_url)
    monkeypatch.setenv("SEGMIND_API_KEY", SECRET)
    register_init_chat_model()


@pytest.mark.parametrize(
    ("prefix", "provider"),
    [pytest.param("segmind:", None, id="prefix"), pytest.param("", "segmind", id="argument")],
)
def test_a_model_by_name_answers(slug, api_format, prefix, provider, caller, gateway) -> None:
    """The request goes to the slug, with the parameters, in the model's format."""
    gateway.script(["hello"])
    model = init_chat_model(f"{prefix}{slug}", model_provider=provider, temperature=0.5)
    message = caller.invoke(model, "hi")
    assert message.text == "hello"
    assert message.response_metadata["model_name"] == slug
    (request,) = gateway.requests
    assert request.slug == slug
    check_body(request.json, api_format)
    assert request.json.get("temperature") == (None if api_format == "gemini" else 0.5)


def test_the_key_and_the_base_url_can_be_arguments(caller, gateway, slug, monkeypatch) -> None:
    """The environment is not needed."""
    for name in ("SEGMIND_API_BASE", "SEGMIND_API_KEY"):
        monkeypatch.delenv(name)
    gateway.script(["hello"])
    model = init_chat_model(f"segmind:{slug}", base_url=gateway.base_url, api_key=SECRET)
    assert caller.invoke(model, "hi").text == "hello"


def test_a_calls_config_chooses_the_model(caller, gateway, slug) -> None:
    """Also one of another format; without one the default answers."""
    model = init_chat_model(
        "segmind:gpt-4o", configurable_fields=["model", "temperature"], temperature=0
    )
    caller.invoke(model, "hi")
    caller.invoke(model, "hi", config={"configurable": {"model": f"segmind:{slug}"}})
    caller.invoke(model, "hi", config={"configurable": {"temperature": 1}})
    assert [(request.slug, request.json.get("temperature")) for request in gateway.requests] == [
        ("gpt-4o", 0),
        (slug, None if slug == "gemini-3-flash" else 0),
        ("gpt-4o", 1),
    ]


@pytest.mark.parametrize("name", ["model", "model_name"])
def test_a_models_own_configurable_field_has_either_name(name, caller, create_model, gateway):
    """`model_name` is ChatOpenAI's."""
    field = ConfigurableField(id="slug")
    model = create_model().configurable_fields(**{name: field})
    caller.invoke(model, "hi", config={"configurable": {"slug": "gpt-4o"}})
    assert gateway.requests[0].slug == "gpt-4o"


def test_a_configurable_model_needs_no_default(caller, gateway, slug) -> None:
    """Each call names the model."""
    model = init_chat_model(temperature=0)
    for name in (slug, "gpt-4o"):
        caller.invoke(
            model, "hi", config={"configurable": {"model": name, "model_provider": "segmind"}}
        )
    assert [request.slug for request in gateway.requests] == [slug, "gpt-4o"]


def test_an_agent_takes_a_model_by_name(caller, gateway, slug, api_format) -> None:
    """It sends the system prompt and the question; the reply has its credits."""
    gateway.script(["It is blue."])
    agent = create_agent(f"segmind:{slug}", tools=[], system_prompt="Answer briefly.")
    state = caller.invoke(agent, {"messages": [("user", "What colour is the sky?")]})
    question, answer = state["messages"]
    assert (question.text, answer.text) == ("What colour is the sky?", "It is blue.")
    assert answer.response_metadata["remaining_credits"] is not None
    (request,) = gateway.requests
    check_body(request.json, api_format)
    assert request.messages == [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": "What colour is the sky?"},
    ]


def test_an_agent_by_name_calls_tools(caller, gateway, slug) -> None:
    """As one with a model that was constructed."""
    gateway.script(play(ADDING))
    state = caller.invoke(create_agent(f"segmind:{slug}", [add]), ask("1 + 1?"))
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert state["messages"][-1].text == "Two."
    assert [request.slug for request in gateway.requests] == [slug] * 2
