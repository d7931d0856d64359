"""Tokens of what is sent, and conversations that do not fit."""

import sys

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, trim_messages

from langchain_segmind import SegmindContextOverflowError
from langchain_segmind._chat import tokens as _tokens

PROFILE = {"max_input_tokens": 100}
LONG = ("word " * 200).strip()


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.mark.parametrize("tools", [None, [], [add]], ids=["no tools", "none bound", "a tool"])
def test_a_conversation_is_counted_as_it_is_sent(create_model, gateway, tools) -> None:
    """With what describes the tools, by OpenAI's rule for messages."""
    model = create_model()
    messages = [SystemMessage("Be brief."), HumanMessage("What is 2 + 3?"), AIMessage("5")]
    counted = model.get_num_tokens_from_messages(messages, tools)
    gateway.script(["ok"])
    model.bind_tools(tools or []).invoke(messages)
    sent = [message["content"] for message in gateway.requests[0].messages]
    assert counted == 3 + sum(4 + model.get_num_tokens(content) for content in sent)


def test_messages_can_be_trimmed_by_the_model(create_model) -> None:
    """What fits stays."""
    messages = [HumanMessage("one " * 50), AIMessage("two " * 50), HumanMessage("three")]
    kept = trim_messages(
        messages, max_tokens=20, token_counter=create_model(), strategy="last", start_on="human"
    )
    assert kept == messages[2:]
    assert create_model().get_num_tokens_from_messages([]) == 0


def test_a_users_own_counter_counts(create_model) -> None:
    """LangChain's field is respected."""
    model = create_model(custom_get_token_ids=lambda text: list(range(len(text.split()))))
    assert model.get_num_tokens("one two three") == 3
    assert model.get_token_ids("one two") == [0, 1]
    assert model.get_num_tokens_from_messages([HumanMessage("one two")]) == 3 + 4 + 2


class TestContext:
    """A profile says what a model's context holds."""

    def test_too_much_is_refused_before_it_is_paid_for(self, caller, create_model, gateway) -> None:
        """The error is the one that summarizing middleware waits for."""
        model = create_model(profile=PROFILE)
        with pytest.raises(SegmindContextOverflowError, match="207 tokens.*100.*nothing was sent"):
            caller.invoke(model, LONG)
        assert gateway.requests == []

    @pytest.mark.parametrize(
        ("fields", "arguments"),
        [
            pytest.param({"check_context": False}, {}, id="turned off"),
            pytest.param({}, {"model": "gpt-4o"}, id="of another model"),
            pytest.param({"profile": {}}, {}, id="unknown"),
        ],
    )
    def test_what_is_not_known_to_be_too_much_is_sent(
        self, create_model, gateway, fields, arguments
    ) -> None:
        """The server may know better."""
        model = create_model(**{"profile": PROFILE, **fields})
        model.invoke(LONG, **arguments)
        assert len(gateway.requests) == 1

    def test_an_estimate_refuses_nothing(self, create_model, gateway, monkeypatch) -> None:
        """Without the library the number is not known."""
        monkeypatch.setitem(sys.modules, "bpe_openai", None)
        monkeypatch.setattr(_tokens, "_load", _tokens._load.__wrapped__)
        create_model(profile=PROFILE).invoke(LONG)
        assert len(gateway.requests) == 1

    def test_many_bytes_of_few_tokens_are_sent(self, create_model, gateway) -> None:
        """The length of a text says only when there is no need to count."""
        create_model(profile=PROFILE).invoke("word " * 50)
        assert len(gateway.requests) == 1
