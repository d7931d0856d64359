"""A field is validated where it is assigned, alone."""

import gc
import weakref
from contextlib import suppress
from functools import cached_property
from typing import Self

import pytest
from pydantic import ValidationError, model_validator

from langchain_segmind import ChatSegmind, ChatSegmindGPT4Turbo


class Tenant(ChatSegmindGPT4Turbo):
    """A subclass with a field, validators and a property."""

    tenant: str = "a"
    is_checked: bool = False

    @model_validator(mode="before")
    @classmethod
    def refuse_temperature(cls, arguments: dict) -> dict:
        """Reject what the constructor must not be passed."""
        if "temperature" in arguments:
            raise ValueError("no temperature here")
        return arguments

    @model_validator(mode="after")
    def set_field(self) -> Self:
        """Assign another field."""
        self.is_checked = True
        self.max_tokens = 5
        return self

    @cached_property
    def price(self) -> float:
        """Return a price."""
        return 1.0


def test_a_validator_of_a_subclass_can_assign_fields() -> None:
    """It runs in the constructor only."""
    model = Tenant(api_key="fake")
    assert (model.is_checked, model.max_tokens, model.price) == (True, 5, 1.0)
    model.temperature = 0.5
    assert model.temperature == 0.5
    with pytest.raises(ValidationError):
        model.max_tokens = 0


def test_an_assigned_list_of_callbacks_is_not_copied() -> None:
    """A handler that is appended later is called."""
    model = ChatSegmindGPT4Turbo(api_key="fake")
    callbacks: list = []
    model.callbacks = callbacks
    assert model.callbacks is callbacks


def test_the_profile_follows_the_model() -> None:
    """Unless it is the user's own."""
    model = ChatSegmind(model="gpt-4-turbo", api_key="fake")
    assert model.profile["max_input_tokens"] == 128_000
    model.model = "a-model-without-profile"
    assert model.profile is None
    own = ChatSegmind(model="gpt-4-turbo", api_key="fake", profile={"max_input_tokens": 5})
    own.model_name = "a-model-without-profile"
    assert own.profile == {"max_input_tokens": 5}


def test_the_cache_key_changes_with_each_parameter_of_a_reply() -> None:
    """All but the timeout."""
    model = ChatSegmindGPT4Turbo(api_key="fake")
    others = {
        "temperature": 1, "max_tokens": 5, "top_p": 0.5, "seed": 1, "model": "other", "stop": "x",
        "model_kwargs": {"top_k": 1}, "on_invalid_tool_call": "return", "output_retries": 3,
        "calls_in_text": False,
    }  # fmt: skip
    keys = {model._get_llm_string(**{name: value}) for name, value in others.items()}
    assert len(keys | {model._get_llm_string()}) == len(others) + 1
    assert model._get_llm_string(timeout=5) == model._get_llm_string()


class Kept:
    """What a frame holds."""


@pytest.mark.parametrize("way", ["constructor", "assignment", "call"])
def test_a_refused_value_keeps_no_frame_alive(way) -> None:
    """Pydantic hides the validator's error, and with it all frames, from the garbage collector."""

    def refuse() -> weakref.ref:
        kept = Kept()
        model = ChatSegmindGPT4Turbo()
        with suppress(ValidationError):
            if way == "constructor":
                ChatSegmindGPT4Turbo(stop=[""])
            elif way == "assignment":
                model.stop = [""]
            else:
                model.with_retry(stop_after_attempt=1).invoke("hi", stop=[""])
        return weakref.ref(kept)

    reference = refuse()
    gc.collect()
    assert reference() is None
