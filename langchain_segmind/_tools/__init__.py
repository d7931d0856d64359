"""Tool calls as text: written for a model, and read from its replies. Independent of Segmind."""

from langchain_segmind._tools.coercion import Coerced, coerce_value, make_plain
from langchain_segmind._tools.instructions import render_instructions
from langchain_segmind._tools.json_schema import resolve
from langchain_segmind._tools.literal_parser import Scanner, UnreadableError
from langchain_segmind._tools.parser import (
    ParsedReply,
    ReadingRules,
    parse_native_calls,
    parse_reply,
)
from langchain_segmind._tools.signatures import render_schema
from langchain_segmind._tools.syntax import escape_tags, render_calls, render_result
from langchain_segmind._tools.tool_choice import ToolChoice, parse_tool_choice
from langchain_segmind._tools.tools import Toolset, convert_tools, create_toolset

__all__ = [
    "Coerced",
    "ParsedReply",
    "ReadingRules",
    "Scanner",
    "ToolChoice",
    "Toolset",
    "UnreadableError",
    "coerce_value",
    "convert_tools",
    "create_toolset",
    "escape_tags",
    "make_plain",
    "parse_native_calls",
    "parse_reply",
    "parse_tool_choice",
    "render_calls",
    "render_instructions",
    "render_result",
    "render_schema",
    "resolve",
]
