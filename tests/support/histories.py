"""Hypothesis strategies of histories: all kinds of messages and blocks, also malformed ones."""

import re
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    HumanMessageChunk,
    RemoveMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from langchain_core.messages.content import KNOWN_BLOCK_TYPES
from langchain_core.messages.tool import invalid_tool_call

from tests.support.images import BLOCKS, DATA, URL, URL_BLOCKS

PIECES = ["half \ud83d", "<tool_result>", "</tool_result>", "[add(a=1)]", "<think>", "'", "\n", " "]
TEXTS = st.text(max_size=20) | st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
UNTRACED = [block for block in BLOCKS.values() if block.keys() == {"type", "base64"}]
"""Images that LangChain's tracing refuses: it wants a media type."""
IMAGES = [block for block in BLOCKS.values() if block not in UNTRACED]
OTHER_BLOCKS = [
    {"type": "audio", "base64": DATA, "mime_type": "audio/wav"},
    {"type": "audio", "source_type": "base64", "data": DATA, "mime_type": "audio/wav"},
    {"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}},
    {"type": "file", "base64": DATA, "mime_type": "application/pdf"},
    {"type": "file", "source_type": "base64", "data": DATA, "mime_type": "application/pdf"},
    {"type": "file", "source_type": "text", "url": "a", "mime_type": "text/plain"},
    {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{DATA}"}},
    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}},
    {"type": "video", "url": URL, "mime_type": "video/mp4"},
    {"type": "image", "url": URL.upper()},
    {"type": "refusal", "refusal": "No."},
    {"type": "server_tool_call", "name": "web_search", "args": {"q": "a"}, "id": "s"},
    {"type": "server_tool_result", "tool_call_id": "s", "status": "success", "output": ["a"]},
    {"type": "non_standard", "value": {"type": "text", "text": "a"}},
    {"type": "non_standard", "value": {"a": 1}},
]
"""What is neither text nor an image, or only for some of LangChain's models."""
GOOD_BLOCKS = st.one_of(
    TEXTS,
    st.builds(lambda text: {"type": "text", "text": text}, TEXTS),
    st.builds(lambda text: {"type": "text-plain", "text": text}, TEXTS),
    st.builds(lambda text: {"type": "reasoning", "reasoning": text}, TEXTS),
    st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": "s"}, TEXTS),
    st.sampled_from([*IMAGES, *URL_BLOCKS.values()]),
    st.sampled_from(OTHER_BLOCKS),
    st.just({"type": "tool_use", "name": "add", "input": {"a": 1}, "id": "c"}),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
KINDS = [
    *sorted(KNOWN_BLOCK_TYPES), "document", "function_call", "image_url", "input_audio",
    "input_image", "input_text", "json", "media", "redacted_thinking", "refusal",
    "server_tool_use", "thinking", "tool_result", "tool_use",
]  # fmt: skip
KEYS = [
    "args", "base64", "content", "data", "detail", "extras", "id", "image_url", "input",
    "mime_type", "name", "reasoning", "refusal", "source", "source_type", "text", "thinking",
    "url", "value",
]  # fmt: skip
ODD_BLOCKS = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from(KINDS) | JSON,
    st.dictionaries(st.sampled_from(KEYS), JSON, max_size=3),
)
GOOD_CONTENTS = TEXTS | st.lists(GOOD_BLOCKS, max_size=4)
ODD_CONTENTS = st.lists(GOOD_BLOCKS | ODD_BLOCKS | st.sampled_from(UNTRACED), max_size=3)
CALLS = st.lists(
    st.builds(
        lambda text, id_: ToolCall(name="add", args={"a": text}, id=id_),
        TEXTS,
        st.sampled_from("cd"),
    ),
    max_size=2,
)
INVALID = st.lists(
    st.just(invalid_tool_call(name="add", args="add(a=1", id="d", error="it ends")), max_size=1
)


def create_messages(contents: st.SearchStrategy[Any]) -> st.SearchStrategy[BaseMessage]:
    """Return a strategy of messages of all kinds, with these contents."""
    return st.one_of(
        st.builds(SystemMessage, contents),
        st.builds(HumanMessage, contents, name=st.none() | st.just("Ann")),
        st.builds(HumanMessageChunk, contents),
        st.builds(AIMessageChunk, contents, tool_calls=CALLS),
        st.builds(AIMessage, contents, tool_calls=CALLS, invalid_tool_calls=INVALID),
        st.builds(
            ToolMessage,
            contents,
            tool_call_id=st.sampled_from("cde"),
            status=st.sampled_from(["success", "error"]),
        ),
        st.builds(FunctionMessage, contents, name=st.just("add")),
        st.builds(
            ChatMessage, contents, role=st.sampled_from(["system", "user", "assistant", "odd"])
        ),
        st.just(RemoveMessage(id="1")),
    )


GOOD_HISTORIES = st.lists(create_messages(GOOD_CONTENTS), max_size=6)
"""With content that LangChain can trace."""
HISTORIES = st.lists(create_messages(GOOD_CONTENTS | ODD_CONTENTS), max_size=6)


def check_error(error: ValueError, history: Sequence[BaseMessage]) -> None:
    """Check that an error names a message of the history, or says that it has none to send."""
    text = str(error)
    if named := re.match(r"Message (\d+) ", text):
        assert int(named[1]) < len(history)
    elif history:
        assert text.startswith("No message has anything to say to ")
    else:
        assert text.startswith("There are no messages to send")
