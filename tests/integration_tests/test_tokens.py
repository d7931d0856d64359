"""Tokens of a request, and conversations that exceed the context."""

import sys

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, trim_messages

from langchain_segmind import SegmindContextOverflowError
from langchain_segmind._api import tokens

PROFILE = {"max_input_tokens": 100}
LONG = ("word " * 200).strip()


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.mark.parametrize("tools", [None, [], [add]], ids=["none", "empty list", "tool"])
def test_the_count_of_a_conversation_is_that_of_its_request(create_model, gateway, tools) -> None:
    """Including the instructions for tools, by OpenAI's rule for messages."""
    model = create_model()
    messages = [SystemMessage("Be brief."), HumanMessage("What is 2 + 3?"), AIMessage("5")]
    counted = model.get_num_tokens_from_messages(messages, tools)
    gateway.script(["ok"])
    model.bind_tools(tools or []).invoke(messages)
    sent = [message["content"] for message in gateway.requests[0].messages]
    assert counted == 3 + sum(4 + model.get_num_tokens(content) for content in sent)


def test_trim_messages_accepts_the_model_as_counter(create_model) -> None:
    """It keeps the last messages that fit."""
    messages = [HumanMessage("one " * 50), AIMessage("two " * 50), HumanMessage("three")]
    kept = trim_messages(
        messages, max_tokens=20, token_counter=create_model(), strategy="last", start_on="human"
    )
    assert kept == messages[2:]
    assert create_model().get_num_tokens_from_messages([]) == 0


def test_custom_get_token_ids_replaces_the_counter(create_model) -> None:
    """For texts and for messages."""
    model = create_model(custom_get_token_ids=lambda text: list(range(len(text.split()))))
    assert model.get_num_tokens("one two three") == 3
    assert model.get_token_ids("one two") == [0, 1]
    assert model.get_num_tokens_from_messages([HumanMessage("one two")]) == 3 + 4 + 2


class TestContext:
    """The profile has the size of a model's context."""

    def test_a_prompt_beyond_the_context_is_not_sent(self, caller, create_model, gateway) -> None:
        """The error is the one that summarizing middleware handles."""
        model = create_model(profile=PROFILE)
        with pytest.raises(SegmindContextOverflowError, match="207 tokens.*100.*nothing was sent"):
            caller.invoke(model, LONG)
        assert gateway.requests == []

    @pytest.mark.parametrize(
        ("fields", "arguments"),
        [
            pytest.param({"check_context": False}, {}, id="check_context off"),
            pytest.param({}, {"model": "gpt-4o"}, id="another model"),
            pytest.param({"profile": {}}, {}, id="empty profile"),
        ],
    )
    def test_a_prompt_for_an_unknown_context_is_sent(
        self, create_model, gateway, fields, arguments
    ) -> None:
        """The server decides."""
        model = create_model(**{"profile": PROFILE, **fields})
        model.invoke(LONG, **arguments)
        assert len(gateway.requests) == 1

    def test_the_context_is_that_of_the_model_that_is_called(self, create_model, gateway) -> None:
        """A copy and a call with another model have its size, not the one of the first."""
        small, large = create_model(model="gpt-4"), create_model(model="gpt-4o")
        text = "word " * 9_000
        small.model_copy(update={"model": "gpt-4o"}).invoke(text)
        small.invoke(text, model="gpt-4o")
        assert len(gateway.requests) == 2
        for call in (
            lambda: large.model_copy(update={"model": "gpt-4"}).invoke(text),
            lambda: large.invoke(text, model="gpt-4"),
        ):
            with pytest.raises(SegmindContextOverflowError, match="8,192"):
                call()
        assert len(gateway.requests) == 2

    def test_an_estimate_does_not_stop_a_prompt(self, create_model, gateway, monkeypatch) -> None:
        """Without the tokenizer the exact count is unknown."""
        monkeypatch.setitem(sys.modules, "bpe_openai", None)
        monkeypatch.setattr(tokens, "_load", tokens._load.__wrapped__)
        create_model(profile=PROFILE).invoke(LONG)
        assert len(gateway.requests) == 1

    def test_a_prompt_within_the_context_is_sent(self, create_model, gateway) -> None:
        """Although it has more characters than the context has tokens."""
        create_model(profile=PROFILE).invoke("word " * 50)
        assert len(gateway.requests) == 1
