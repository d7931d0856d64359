"""Secrets are masked in every encoding."""

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Callable
from functools import partial

import pytest

from langchain_segmind._api.secrets import MASK, mask_secrets, strip_url_credentials
from tests.support.steps import count_steps

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
        pytest.param(json.dumps(json.dumps({"error": SECRET})), id="JSON within JSON"),
        pytest.param(html.escape(json.dumps(SECRET)), id="JSON within HTML"),
        pytest.param(SECRET.replace("/", "&sol;").replace('"', "&quot;"), id="named HTML entities"),
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


def test_a_secret_in_base64_is_masked_over_lines() -> None:
    """MIME breaks Base64 after 76 characters."""
    lines = base64.encodebytes(b"x" * 49 + SECRET.encode()).decode().split("\n")
    masked = mask_secrets("\n".join(lines), [SECRET])
    assert lines[1]
    assert masked == f"{lines[0][:65]}{MASK}\n"


@pytest.mark.parametrize("secret", ["fäke-pässword", "fake-密码-word", "fake-🔑-word"])
@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(urllib.parse.quote, id="URL"),
        pytest.param(lambda text: urllib.parse.quote(text).lower(), id="lower-case URL"),
        pytest.param(json.dumps, id="JSON"),
        pytest.param(lambda text: text.encode("ascii", "xmlcharrefreplace").decode(), id="HTML"),
    ],
)
def test_a_secret_beyond_ascii_is_masked(secret: str, encode: Callable[[str], str]) -> None:
    """A password can be in any language."""
    assert mask_secrets(f"not {encode(secret)}!", [secret]).strip('"') in {
        f"not {MASK}!",
        f'not "{MASK}"!',
    }


@pytest.mark.parametrize("secret", [r"fake\nword", "fake%41word", "fake&amp;word", "fake  word"])
def test_a_secret_that_looks_escaped_is_masked(secret: str) -> None:
    """As it is, and escaped itself."""
    for spelling in (secret, json.dumps(secret)[1:-1], html.escape(secret)):
        assert mask_secrets(f"not {spelling}!", [secret]) == f"not {MASK}!"


def test_text_around_a_secret_stays() -> None:
    """Its escapes and spaces too, and each of several secrets gets one mask."""
    text = r"a\n b %20 fake-key-1\n&amp; fake-key-2 \u0066ake-key-1 c"
    masked = rf"a\n b %20 {MASK}\n&amp; {MASK} {MASK} c"
    assert mask_secrets(text, ["fake-key-1", "fake-key-2", "fake-key"]) == masked


LETTERS = "fake-" + "abcdefgh" * 8


@pytest.mark.parametrize("secret", [LETTERS, "x1" * 30, "a" * 60, LETTERS.upper(), "%41" * 20])
def test_a_long_beginning_of_a_secret_takes_no_longer(secret: str) -> None:
    """Servers quote the beginning of a key, with other text behind it."""
    few, many = (
        count_steps(partial(mask_secrets, f"bad token: {secret[:end]}{'.' * 100}", [secret]))
        for end in (4, len(secret) - 1)
    )
    assert many < 2 * few


def test_many_beginnings_of_a_secret_take_linear_time() -> None:
    """As long a text without them takes about as many steps."""
    secret = "fake-0f0f0f0f0f0f0f"
    begins = f"{secret[:-1]}!" * 5_000
    many, none = (
        count_steps(partial(mask_secrets, text, [secret])) for text in (begins, "." * len(begins))
    )
    assert many < 2 * none + 100


@pytest.mark.parametrize(
    "part",
    [
        *[
            " x",
            r"\u0066",
            r"\\",
            r"\\u0066",
            "%25",
            "%C3%A4",
            "&amp;",
            "&#0038;",
            "&#000",
            "&a",
            "\\",
        ],
        *["fake-key-1", "fake-key-", "66616b652d6b65792d31", "ZmFrZS1rZXktMQ=="],
    ],
)
def test_masking_takes_linear_steps(part: str) -> None:
    """Four times the text takes at most about four times the calls of functions."""

    def count(repeats: int) -> int:
        return count_steps(lambda: mask_secrets(part * repeats, ["fake-key-1"]))

    assert count(1_200) < 5 * count(300) + 100


def test_any_api_key_is_masked() -> None:
    """A server's text can contain another account's key."""
    key = "SG_" + "0123456789abcdef"
    for text in (f"not {key}!", f"not {key.lower()}!"):
        assert mask_secrets(text, []) == f"not {MASK}!"
    assert mask_secrets("msg_0123456789abcdef", []) == "msg_0123456789abcdef"


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
    assert strip_url_credentials("https://u:/p@host/v1") == "https://host/v1"
    assert strip_url_credentials("https://host/v1") == "https://host/v1"
