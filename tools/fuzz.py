"""Searches for replies that break the reader, guided by coverage, with atheris.

    make fuzz SECONDS=60

It ends after that time, or at the first bytes that raise an unexpected exception, which it shows.
"""

import sys

import atheris

with atheris.instrument_imports(include=["langchain_segmind"]):
    from langchain_segmind._api.endpoint import APIResponse
    from langchain_segmind._api.errors import create_error
    from langchain_segmind._chat.formats.openai import decode
    from langchain_segmind._chat.response import convert_result_to_chunks, create_chat_result
    from langchain_segmind._output.response_format import ResponseFormat
    from langchain_segmind._settings.call_settings import CallSettings
    from langchain_segmind._tools import create_toolset

PROPERTIES = {
    "text": {"type": "string"},
    "number": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    "items": {"type": "array", "items": {"type": "number"}},
}
TOOLS = create_toolset(
    [
        {"type": "function", "function": {"name": name, "parameters": {"properties": PROPERTIES}}}
        for name in ("f", "g.h", "odd (name)")
    ]
)
SETTINGS = [
    CallSettings(model="gpt-4-turbo", tools=TOOLS, stop=["END"]),
    CallSettings(model="gpt-4-turbo", response_format=ResponseFormat(PROPERTIES["items"])),
]
HEADERS = ("retry-after", "x-rate-limit-reset-at-utc", "x-remaining-credits", "x-cost")


def read_reply(data: bytes) -> None:
    """Read bytes as a body, as the text in a body, and as an error with these headers."""
    provider = atheris.FuzzedDataProvider(data)
    settings = SETTINGS[provider.ConsumeIntInRange(0, 1)]
    headers = {name: provider.ConsumeUnicodeNoSurrogates(20) for name in HEADERS}
    text = provider.ConsumeUnicode(2_000)
    for body in (data, b'{"choices": [{"message": {"content": %s}}]}' % encode(text)):
        create_error(APIResponse(provider.ConsumeIntInRange(300, 599), headers, body))
        try:
            completion = decode(body)
        except ValueError:
            continue
        convert_result_to_chunks(create_chat_result(completion, headers, settings))


def encode(text: str) -> bytes:
    """Return a text as a JSON string, with surrogates."""
    escaped = "".join(f"\\u{ord(one):04x}" if ord(one) < 0x10000 else "?" for one in text)
    return f'"{escaped}"'.encode()


if __name__ == "__main__":
    atheris.Setup(sys.argv, read_reply)
    atheris.Fuzz()
