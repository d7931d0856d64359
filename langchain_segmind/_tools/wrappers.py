"""Reads replies that are calls as a whole, in every wrapping that models put around them."""

import re

from langchain_segmind._tools.call_parser import CallReader
from langchain_segmind._tools.raw_call import NoCallError, RawCall
from langchain_segmind._tools.tools import Toolset

MAX_WRAPPINGS = 4
"""Wrappings around one another."""

BLANK = "\ufeff \t\r\n"

FENCE = re.compile(
    r"^(?P<before>(?:(?!```|~~~)[^\n])*+)(?P<mark>`{3,}+|~{3,}+)(?P<language>[^\n`]*+)\n"
    r"(?P<body>.*?)(?:^[ \t]*+(?P=mark)[`~]*+[ \t\r]*+$|\Z)",
    re.DOTALL | re.MULTILINE,
)

END_TOKEN = re.compile(r"(?:<\|(?:eot_id|eom_id|im_end|endoftext)\|>|</s>)\s*+\Z")
"""Tokens of other models that end a reply."""

START_TOKEN = re.compile(r"(?:<\|python_tag\|>|\[TOOL_CALLS\])\s*+")
"""Tokens of Llama and Mistral that begin calls."""

TAG = re.compile(
    r"\s*+<(?P<name>tool_calls?|function_calls?)\b[^<>]*+>(?P<body>.*?)(?:</(?P=name)\s*+>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
"""Hermes' and Qwen's tags around a call."""

FUNCTION_TAG = re.compile(
    r"\s*+<function=(?P<name>[^<>]++)>(?P<body>.*?)(?:</function\s*+>|\Z)", re.DOTALL
)
"""Llama's tag around the arguments of a call."""

NAME_BEFORE_OBJECT = re.compile(r"\s*+(?P<name>[\w.$/-]++)(?:\[ARGS\])?\s*+(?=\{)")
"""Mistral's call: a name, then the arguments as JSON."""


def read_whole(text: str, tools: Toolset, depth: int = 0) -> list[RawCall]:
    """Return the calls of a text that is calls as a whole; empty if it is not."""
    body = END_TOKEN.sub("", text.strip(BLANK)).rstrip(BLANK)
    if not body or depth > MAX_WRAPPINGS:
        return []
    fence = FENCE.fullmatch(body)
    if fence and not fence["before"]:
        return _mark(read_whole(fence["body"], tools, depth + 1), "fence")
    if token := START_TOKEN.match(body):
        rest = body[token.end() :]
        calls = read_whole(rest, tools, depth + 1) or _read_named_objects(rest, tools)
        return _mark(calls, "token")
    if body.startswith("<"):
        return _mark(_read_tags(body, tools, depth), "tag")
    reader = CallReader(body, tools)
    try:
        calls = reader.read_lists() if body.startswith("[") else reader.read_bare_calls()
    except NoCallError:
        return []
    return calls if reader.is_at_end() else []


def _mark(calls: list[RawCall], repair: str) -> list[RawCall]:
    if calls:
        calls[0].repairs.append(repair)
    return calls


def _read_tags(body: str, tools: Toolset, depth: int) -> list[RawCall]:
    calls: list[RawCall] = []
    position = 0
    while position < len(body):
        if tag := TAG.match(body, position):
            found = read_whole(tag["body"], tools, depth + 1)
        elif tag := FUNCTION_TAG.match(body, position):
            found = _read_object_of(tag["name"].strip(), tag["body"], tag[0], tools)
        else:
            return []
        if not found:
            return []
        calls += found
        position = tag.end()
        if not body[position:].strip():
            break
    return calls


def _read_named_objects(text: str, tools: Toolset) -> list[RawCall]:
    calls: list[RawCall] = []
    position = 0
    while name := NAME_BEFORE_OBJECT.match(text, position):
        reader = CallReader(text, tools)
        reader.position = name.end()
        calls.append(reader.read_object_of(name["name"], name.start()))
        position = reader.position
    return [] if text[position:].strip() else calls


def _read_object_of(name: str, body: str, text: str, tools: Toolset) -> list[RawCall]:
    reader = CallReader(body, tools)
    call = reader.read_object_of(name, 0)
    if not call.problem and not reader.is_at_end():
        call = RawCall(name, text, problem="the arguments are not one JSON object")
    return [call]
