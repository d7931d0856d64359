"""Checks the structure of request bodies, written from the documentation of each format."""

import base64
from typing import Any

PARAMETERS = {
    "openai": {"temperature", "max_tokens", "top_p", "seed", "stop", "response_format"},
    "anthropic": {"temperature", "max_tokens", "top_p", "response_format"},
    "gemini": {"response_format"},
}


def check_body(body: Any, api_format: str, extra: frozenset[str] = frozenset()) -> None:
    """Assert that a body has the documented structure of its format, and nothing else.

    Args:
        body: The parsed body.
        api_format: "openai", "anthropic" or "gemini".
        extra: Further keys that the user asked for.
    """
    system = {"instruction"} if api_format == "anthropic" else set()
    assert {"messages"} <= body.keys() <= {"messages"} | system | PARAMETERS[api_format] | extra
    {"openai": check_openai, "anthropic": check_anthropic, "gemini": check_gemini}[api_format](body)


def check_openai(body: Any) -> None:
    """Assert that messages have a role, and text or parts as content."""
    assert body["messages"]
    for message in body["messages"]:
        assert message.keys() == {"role", "content"}
        assert message["role"] in {"system", "user", "assistant"}
        if isinstance(message["content"], str):
            continue
        assert message["role"] == "user"
        assert any(part["type"] == "image_url" for part in message["content"])
        for part in message["content"]:
            if part["type"] == "text":
                assert part.keys() == {"type", "text"}
                assert part["text"]
            else:
                assert part.keys() == {"type", "image_url"}
                image = part["image_url"]
                assert {"url"} <= image.keys() <= {"url", "detail"}
                if not image["url"].lower().startswith(("https://", "http://")):
                    head, data = image["url"].split(";base64,")
                    assert head.startswith("data:image/")
                    assert base64.b64decode(data, validate=True)


def check_anthropic(body: Any) -> None:
    """Assert that turns alternate, begin with the user's and are not blank."""
    if "instruction" in body:
        assert body["instruction"].strip()
    roles = [message["role"] for message in body["messages"]]
    assert roles
    assert roles == [("user", "assistant")[index % 2] for index in range(len(roles))]
    for message in body["messages"]:
        assert message.keys() == {"role", "content"}
        if isinstance(message["content"], str):
            assert message["content"].strip()
            continue
        assert message["role"] == "user"
        assert any(block["type"] == "image" for block in message["content"])
        for block in message["content"]:
            if block["type"] == "text":
                assert block.keys() == {"type", "text"}
                assert block["text"].strip()
                continue
            assert block.keys() == {"type", "source"}
            source = block["source"]
            if source["type"] == "url":
                assert source.keys() == {"type", "url"}
                assert source["url"].lower().startswith(("https://", "http://"))
            else:
                assert source.keys() == {"type", "media_type", "data"}
                assert source["type"] == "base64"
                assert source["media_type"].startswith("image/")
                assert base64.b64decode(source["data"], validate=True)


def check_gemini(body: Any) -> None:
    """Assert that `messages` is an object of contents with parts, and system text beside them."""
    messages = body["messages"]
    assert {"contents"} <= messages.keys() <= {"contents", "system_instruction"}
    if "system_instruction" in messages:
        assert messages["system_instruction"].keys() == {"parts"}
        assert messages["system_instruction"]["parts"].keys() == {"text"}
        assert messages["system_instruction"]["parts"]["text"].strip()
    assert messages["contents"]
    for turn in messages["contents"]:
        assert turn.keys() == {"role", "parts"}
        assert turn["role"] in {"user", "model"}
        assert turn["parts"]
        for part in turn["parts"]:
            if part.keys() == {"text"}:
                assert part["text"].strip()
                continue
            assert part.keys() == {"inlineData"}
            assert turn["role"] == "user"
            assert part["inlineData"].keys() == {"mimeType", "data"}
            assert part["inlineData"]["mimeType"].startswith("image/")
            assert base64.b64decode(part["inlineData"]["data"], validate=True)
