"""Options that cannot work are refused at the start."""

import pytest

from langchain_segmind.gateway import Completion, Gateway


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"upstream_model": "x"}, "proxy backend", id="a model of no server"),
        pytest.param({"backend": "scripted", "upstream": "http://h"}, "proxy", id="two backends"),
        pytest.param({"upstream": "host/v1"}, "must be a URL", id="no URL"),
        pytest.param({"host": ""}, "every address", id="every address"),
        pytest.param({"api_key": []}, "at least one key", id="no key"),
        pytest.param({"api_key": [" "]}, "blank", id="a blank key"),
        pytest.param({"credits": "1e400"}, "finite number", id="credits without end"),
        pytest.param({"credits": "nan"}, "finite number", id="no number"),
        pytest.param({"upstream": "http://u:p@host/v1"}, "upstream_api_key", id="a password"),
        pytest.param(
            {"upstream": "http://host/v1", "upstream_api_key": "a\nb"}, "header", id="a line feed"
        ),
    ],
)
def test_an_option_that_cannot_work_is_refused(options, words) -> None:
    """The error says what to do, and no server starts."""
    with pytest.raises(ValueError, match=words):
        Gateway(**options)


def test_none_is_the_default() -> None:
    """A fixture's parameter may say so."""
    with Gateway(fault=None, slug=None, rpm=None, replies=None) as gateway:
        assert gateway.base_url


def test_a_gateway_that_does_not_run_has_no_url() -> None:
    """The error shows how it is run."""
    with pytest.raises(RuntimeError, match="with Gateway"):
        _ = Gateway().base_url


def test_a_negative_count_is_refused() -> None:
    """Tokens below zero would earn credits."""
    with pytest.raises(ValueError, match="whole numbers"):
        Completion("hi", usage={"prompt_tokens": -1})
