"""Tool calls as text: what is written to a model and read from it. Knows nothing of Segmind."""

from langchain_segmind._tool_calling._coerce import Coerced, coerce_value, make_plain
from langchain_segmind._tool_calling._dialect import neutralize, render_calls, render_result
from langchain_segmind._tool_calling._literals import Scanner, UnreadableError
from langchain_segmind._tool_calling._parse import ParsedReply, parse_reply
from langchain_segmind._tool_calling._prompt import render_instructions
from langchain_segmind._tool_calling._schema import resolve
from langchain_segmind._tool_calling._signatures import render_schema
from langchain_segmind._tool_calling._tool_choice import ToolChoice, parse_tool_choice
from langchain_segmind._tool_calling._tools import Toolset, convert_tools, create_toolset

__all__ = [
    "Coerced",
    "ParsedReply",
    "Scanner",
    "ToolChoice",
    "Toolset",
    "UnreadableError",
    "coerce_value",
    "convert_tools",
    "create_toolset",
    "make_plain",
    "neutralize",
    "parse_reply",
    "parse_tool_choice",
    "render_calls",
    "render_instructions",
    "render_result",
    "render_schema",
    "resolve",
]
