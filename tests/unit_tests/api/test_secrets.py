"""Secrets are masked in every encoding."""

import base64
import html
import json
import re
import urllib.parse

import pytest

from langchain_segmind._api.secrets import MASK, mask_secrets, strip_url_credentials

SECRET = 'fake"key&<1>/2'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"key {SECRET} is wrong", id="plain"),
        pytest.param(json.dumps({"error": SECRET}), id="JSON"),
        pytest.param(f"<p>{html.escape(SECRET)}</p>", id="HTML"),
        pytest.param(f"?key={urllib.parse.quote(SECRET, '')}", id="URL query"),
        pytest.param(f"?key={urllib.parse.quote(SECRET, '').lower()}", id="lower-case URL query"),
        pytest.param(urllib.parse.quote(SECRET), id="URL path"),
        pytest.param(json.dumps(SECRET).replace("/", r"\/"), id="PHP's JSON"),
        pytest.param(json.dumps(SECRET).replace("&", r"\u0026"), id="Go's JSON"),
        pytest.param(html.escape(SECRET).replace("/", "&#x2F;"), id="numeric HTML entity"),
        pytest.param(SECRET.upper(), id="capitals"),
        pytest.param("".join(f"%{ord(character):02X}" for character in SECRET), id="all escaped"),
        pytest.param(f"{SECRET[:5]}\n  {SECRET[5:]}", id="two lines"),
        pytest.param(SECRET.encode().hex(), id="hex"),
        pytest.param(SECRET.encode().hex().upper(), id="hex in capitals"),
    ],
)
def test_a_secret_is_masked_in_every_encoding(text: str) -> None:
    """A server can echo a key in JSON, HTML or a URL."""
    masked = mask_secrets(text, [SECRET])
    assert MASK in masked
    assert mask_secrets(masked, [SECRET]) == masked
    assert "fake" not in masked.lower()


@pytest.mark.parametrize("before", ["", "u", "us", "use"])
@pytest.mark.parametrize("after", ["", ":", "::", ":::"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("secret", [SECRET, "fake>>>???key", "fake_key_1234567"])
def test_a_secret_is_masked_in_base64(before, after, encode, secret) -> None:
    """Wherever it is in the encoded text."""
    masked = mask_secrets(
        f"Basic {encode(f'{before}{secret}{after}'.encode()).decode()}!", [secret]
    )
    assert re.fullmatch(rf"Basic [\w=+/-]{{0,5}}{re.escape(MASK)}!", masked)


def test_any_api_key_is_masked() -> None:
    """A server's text can contain another account's key."""
    key = "SG_" + "0123456789abcdef"
    assert mask_secrets(f"not {key}!", []) == f"not {MASK}!"


def test_credentials_in_a_url_are_masked() -> None:
    """A proxy's URL contains its password."""
    text = "cannot reach http://user:pass@proxy:3128 or https://host/a@b"
    assert mask_secrets(text, []) == f"cannot reach http://{MASK}@proxy:3128 or https://host/a@b"


def test_short_values_are_not_masked() -> None:
    """A header value such as `1` would mask parts of every message."""
    assert mask_secrets("1 of 10", ["1"]) == "1 of 10"


def test_credentials_are_removed_from_a_url() -> None:
    """Before it is shown or stored."""
    assert strip_url_credentials("https://u:p@host:8080/v1") == "https://host:8080/v1"
    assert strip_url_credentials("https://u:p@ss w@host/v1") == "https://host/v1"
    assert strip_url_credentials("https://host/v1") == "https://host/v1"
