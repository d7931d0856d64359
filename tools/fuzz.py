"""Searches for replies that break the reader or its laws, guided by coverage, with atheris.

    make fuzz SECONDS=60

It ends after that time, or at the first bytes that raise an unexpected exception, which it shows.
"""

import ast
import json
import re
import sys
import warnings

import atheris

with atheris.instrument_imports(include=["langchain_segmind"]):
    from langchain_segmind._api.endpoint import APIResponse
    from langchain_segmind._api.errors import create_error
    from langchain_segmind._chat.formats import decode
    from langchain_segmind._chat.response import (
        convert_result_to_chunks,
        create_chat_result,
        read_completion,
    )
    from langchain_segmind._output.response_format import ResponseFormat
    from langchain_segmind._settings.call_settings import CallSettings
    from langchain_segmind._tools import ReadingRules, create_toolset, parse_reply

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
RULES = [
    ReadingRules(),
    ReadingRules(asks=True),
    ReadingRules(in_text=False),
    ReadingRules(is_forced=True),
]
PARTS = [
    *"[](){}'\",:=#*`<>\\ \n",
    "f(",
    "g.h(",
    "'odd (name)'(",
    "h(",
    "text=",
    "number=",
    "items=",
    *["[f(text='", "')]", "f(number=1),", "items=[1, 2.50]", '{"name": "f", "arguments": {', '"}}'],
    *["it's", "C:\\new", "\\x", "r'", "f'{x}'", "true", "None", "0x1F", "1_0", "1/6", "g.h()"],
    *[
        "<think>",
        "</think>",
        "<!--",
        "-->",
        "<tool_result>",
        "<tool_call>",
        "</tool_call>",
        "```\n",
    ],
    *["<function=f>", "</function>", "[TOOL_CALLS]", "multi_tool_use.parallel(", "functions."],
]
TOUCHING_STRINGS = re.compile(r"['\"][bBfFrRuU]{0,2}['\"]")
"""Where strings may touch, a call can be invalid that Python reads: `'it''s'` lacks escapes."""
CHECKED = {"text": str, "number": int}
"""Types of values that are compared with Python's reading."""
HEADERS = ("retry-after", "x-rate-limit-reset-at-utc", "x-remaining-credits", "x-cost")


def read_reply(data: bytes) -> None:
    """Read bytes as a body, as the text in a body, and as an error with these headers."""
    provider = atheris.FuzzedDataProvider(data)
    parts = [
        PARTS[provider.ConsumeIntInRange(0, len(PARTS) - 1)]
        for _ in range(provider.ConsumeIntInRange(0, 40))
    ]
    check_laws("".join(parts), RULES[provider.ConsumeIntInRange(0, len(RULES) - 1)])
    settings = SETTINGS[provider.ConsumeIntInRange(0, 1)]
    headers = {name: provider.ConsumeUnicodeNoSurrogates(20) for name in HEADERS}
    text = provider.ConsumeUnicode(2_000)
    for body in (data, b'{"choices": [{"message": {"content": %s}}]}' % encode(text)):
        create_error(APIResponse(provider.ConsumeIntInRange(300, 599), headers, body))
        try:
            completion = decode(body)
        except ValueError:
            continue
        parsed = read_completion(completion, settings)
        convert_result_to_chunks(create_chat_result(completion, parsed, headers, settings))


def check_laws(text: str, rules: ReadingRules) -> None:
    """Check that a reply's calls were offered and written, and that nothing is lost."""
    parsed = parse_reply(text, TOOLS, (), rules)
    assert all(call["name"] in TOOLS for call in parsed.calls), "a call that was not offered"
    assert parsed.calls or parsed.invalid_calls or parsed.content == text, "lost text"
    json.dumps(parsed.calls, allow_nan=False)
    written = read_python(text)
    if written is not None:
        read = [[call["name"], call["args"]] for call in parsed.calls]
        is_refused = parsed.invalid_calls and TOUCHING_STRINGS.search(text)
        assert read == written or is_refused, f"{text!r}: {read} is not {written}"


def read_python(text: str) -> list[list[object]] | None:
    """Return the calls of a text that Python reads as calls with literal values of our types."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text.strip(), mode="eval").body
            calls = [
                [
                    ast.unparse(call.func),
                    {one.arg: ast.literal_eval(one.value) for one in call.keywords},
                ]
                for call in get_entries(tree)
                if not call.args
            ]
    except (SyntaxError, ValueError, AttributeError, MemoryError, RecursionError, TypeError):
        return None
    is_plain = all(
        name in {"f", "g.h"}
        and all(
            name in {"text", "number"} and type(value) is CHECKED[name]
            for name, value in args.items()
        )
        for name, args in calls
    )
    has_path = any(mark in text for mark in ("#", ":\\", "\\\\", "\\x", "\\u"))
    return (
        calls
        if is_plain and calls and len(calls) == len(get_entries(tree)) and not has_path
        else None
    )


def get_entries(tree: ast.expr) -> list[ast.expr]:
    """Return the entries of a list."""
    return tree.elts if isinstance(tree, ast.List) else []


def encode(text: str) -> bytes:
    """Return a text as a JSON string, with surrogates."""
    escaped = "".join(f"\\u{ord(one):04x}" if ord(one) < 0x10000 else "?" for one in text)
    return f'"{escaped}"'.encode()


if __name__ == "__main__":
    atheris.Setup(sys.argv, read_reply)
    atheris.Fuzz()
