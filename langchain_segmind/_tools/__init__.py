"""Tool calls as text: written for a model, and read from its replies. Independent of Segmind."""

from langchain_segmind._tools.coercion import Coerced, coerce_value
from langchain_segmind._tools.conversions import make_plain
from langchain_segmind._tools.instructions import render_instructions
from langchain_segmind._tools.json_schema import get_other_schema, get_reference, resolve
from langchain_segmind._tools.json_values import (
    ESCAPED_SLASH,
    JSON_STRING,
    MISSING,
    PATH_STRING,
    decode,
    decode_brackets,
    remove_trailing_commas,
)
from langchain_segmind._tools.literal_parser import (
    Expression,
    NumberLiteral,
    Scanner,
    find_end,
    is_deeper,
    iterate_leaves,
)
from langchain_segmind._tools.markup import REASONING_TAG, compile_events, find_asked
from langchain_segmind._tools.parser import (
    ParsedReply,
    ReadingRules,
    parse_native_calls,
    parse_reply,
)
from langchain_segmind._tools.schema_cache import DECIMAL, SchemaCache
from langchain_segmind._tools.signatures import render_schema
from langchain_segmind._tools.strings import UnreadableError
from langchain_segmind._tools.syntax import escape_tags, render_calls, render_result
from langchain_segmind._tools.tool_choice import ToolChoice, parse_tool_choice
from langchain_segmind._tools.tools import Toolset, convert_tools, create_toolset
from langchain_segmind._tools.wrappers import BLANK, FENCE

__all__ = [
    "BLANK",
    "DECIMAL",
    "ESCAPED_SLASH",
    "FENCE",
    "JSON_STRING",
    "MISSING",
    "PATH_STRING",
    "REASONING_TAG",
    "Coerced",
    "Expression",
    "NumberLiteral",
    "ParsedReply",
    "ReadingRules",
    "Scanner",
    "SchemaCache",
    "ToolChoice",
    "Toolset",
    "UnreadableError",
    "coerce_value",
    "compile_events",
    "convert_tools",
    "create_toolset",
    "decode",
    "decode_brackets",
    "escape_tags",
    "find_asked",
    "find_end",
    "get_other_schema",
    "get_reference",
    "is_deeper",
    "iterate_leaves",
    "make_plain",
    "parse_native_calls",
    "parse_reply",
    "parse_tool_choice",
    "remove_trailing_commas",
    "render_calls",
    "render_instructions",
    "render_result",
    "render_schema",
    "resolve",
]
