"""Secrets are masked wherever and however they stand."""

import html
import json
import urllib.parse

import pytest

from langchain_segmind._api.secrets import MASK, mask_secrets, strip_url_credentials

SECRET = 'fake"key&<1>/2'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"key {SECRET} is wrong", id="as it is"),
        pytest.param(json.dumps({"error": SECRET}), id="in JSON"),
        pytest.param(f"<p>{html.escape(SECRET)}</p>", id="in HTML"),
        pytest.param(f"?key={urllib.parse.quote(SECRET, '')}", id="in a URL"),
        pytest.param(f"?key={urllib.parse.quote(SECRET, '').lower()}", id="in a URL, lower case"),
        pytest.param(urllib.parse.quote(SECRET), id="in a URL's path"),
        pytest.param(json.dumps(SECRET).replace("/", r"\/"), id="in PHP's JSON"),
        pytest.param(json.dumps(SECRET).replace("&", r"\u0026"), id="in Go's JSON"),
        pytest.param(html.escape(SECRET).replace("/", "&#x2F;"), id="in HTML, by a number"),
    ],
)
def test_a_secret_is_masked_in_every_spelling(text: str) -> None:
    """A server may echo a key in JSON, in a page or in a link."""
    masked = mask_secrets(text, [SECRET])
    assert MASK in masked
    assert mask_secrets(masked, [SECRET]) == masked
    assert "fake" not in masked


def test_what_looks_like_a_key_is_masked_unasked() -> None:
    """Another account's key in a server's text is not ours to show either."""
    key = "SG_" + "0123456789abcdef"
    assert mask_secrets(f"not {key}!", []) == f"not {MASK}!"


def test_credentials_in_a_url_are_masked() -> None:
    """A proxy's password stands in its URL."""
    text = "cannot reach http://user:pass@proxy:3128 or https://host/a@b"
    assert mask_secrets(text, []) == f"cannot reach http://{MASK}@proxy:3128 or https://host/a@b"


def test_short_words_are_left_alone() -> None:
    """A header value such as `1` must not garble every message."""
    assert mask_secrets("1 of 10", ["1"]) == "1 of 10"


def test_credentials_are_taken_out_of_a_url() -> None:
    """What is shown and stored is the URL without them."""
    assert strip_url_credentials("https://u:p@host:8080/v1") == "https://host:8080/v1"
    assert strip_url_credentials("https://u:p@ss w@host/v1") == "https://host/v1"
    assert strip_url_credentials("https://host/v1") == "https://host/v1"
