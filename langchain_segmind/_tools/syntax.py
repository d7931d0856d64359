"""The syntax of calls and results, shared by the writer and the reader.

Calls are a Python list, `[add(a=1, b=2), search(query='x')]`: the format in which this model
scores best (https://gorilla.cs.berkeley.edu/blogs/8_berkeley_function_calling_leaderboard.html).
A name that does not look like one is quoted: `['Box[int]'(value=1)]`.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from unicodedata import normalize
from xml.sax.saxutils import quoteattr

from langchain_core.messages import InvalidToolCall, ToolCall

RESULT = "tool_result"
"""The name of the tags around a result."""

PLAIN_NAME = re.compile(r"[^\W\d][\w.$/-]*|\$[\w.$/-]+")
"""A name that needs no quotes."""

WINDOWS_PATH = re.compile(
    r"(?:[A-Za-z]:|\\\\[\w.$-]++)\\(?!\\|['\"]|[nrt](?:[A-Z]\w*+[\s.,;:!?]|[^\w\\.$-]|\Z))(?![^'\"]*\\\\)"
)
"""Matches a string that starts like a path whose backslashes are not escaped.

No other backslash in it is escaped. In `Q:\\nWhat is it` a line begins with a word.
"""

INVISIBLE = (
    "\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Ranges of invisible characters: Unicode's Default_Ignorable_Code_Point, and controls."""
ANGLES = "<\u00ab\u02c2\u1438\u2039\u2329\u276c\u276e\u27e8\u27ea\u29fc\u3008\u300a\ufe64\uff1c"
"""Characters that look like the one that opens a tag."""
LOOKALIKES: Mapping[str, str] = {
    "t": "\u03c4\u0442",
    "o": "0\u00f8\u03bf\u043e\u0585\u2134",
    "l": "1I|\u04cf\u0456\u2113\u217c",
    "r": "\u0433",
    "e": "\u0435\u04bd\u212e\u212f",
    "s": "5\u0455",
    "u": "\u03c5\u057d",
}
"""Digits, Greek, Cyrillic and Armenian letters that look like those of the tags."""


def _match_letter(letter: str) -> str:
    """Return a pattern for a letter in every style, and for its lookalikes."""
    first, index = 0x1D400, ord(letter) - ord("a")  # the mathematical alphabets
    styled = [chr(first + 26 * alphabet + index) for alphabet in range(26)]
    wide = [chr(ord(one) + 0xFEE0) for one in (letter, letter.upper())]
    circled = [chr(0x24B6 + index), chr(0x24D0 + index), chr(0x249C + index)]
    accented = [one for one in map(chr, range(0x250)) if normalize("NFD", one)[0] == letter]
    return f"[{letter}{LOOKALIKES[letter]}{''.join(styled + wide + circled + accented)}]"


UNSEEN = rf"{INVISIBLE}\u0300-\u036f\u0483-\u0489\u20d0-\u20f0"
"""Ignored between the letters: invisible characters and combining accents."""


@cache
def compile_result_tag() -> re.Pattern[str]:
    """Return a pattern for everything that a model can take for a result tag. Takes 10 ms."""
    letters = (f"[{UNSEEN}]*".join(map(_match_letter, word)) for word in RESULT.split("_"))
    between = rf"[{UNSEEN}\s_\uff3f\ufe4d-\ufe4f-]*"
    return re.compile(
        rf"[{ANGLES}](?=[\s/\\\uff0f\uff3c{INVISIBLE}]*{between.join(letters)})", re.IGNORECASE
    )


def render_name(name: str) -> str:
    """Return the name of a tool or an argument, quoted if necessary."""
    return name if PLAIN_NAME.fullmatch(name) else render_value(name)


def render_value(value: Any) -> str:
    """Return a value as a Python literal; one that is not JSON becomes a string."""
    match value:
        case str():
            return _render_text(str(value))
        case None | bool() | int() | float():
            return repr(value)
        case Mapping():
            pairs = (
                f"{render_value(str(key))}: {render_value(item)}" for key, item in value.items()
            )
            return f"{{{', '.join(pairs)}}}"
        case Sequence() if not isinstance(value, bytes | bytearray):
            return f"[{', '.join(map(render_value, value))}]"
        case _:
            return render_value(str(value))


def _render_text(text: str) -> str:
    written = repr(text)
    if WINDOWS_PATH.match(written, 1):
        # The reader would keep its backslashes: escape what makes it look like a path.
        written = f"{written[0]}\\x{ord(text[0]):02x}{written[len(repr(text[0])) - 1 :]}"
    # An escape keeps the value without looking like a tag.
    return compile_result_tag().sub(lambda tag: rf"\u{ord(tag[0]):04x}", written)


def render_call(call: ToolCall | InvalidToolCall) -> str:
    """Return a call as text; an invalid one as the model wrote it."""
    name, arguments = render_name(call["name"] or ""), call["args"]
    if isinstance(arguments, Mapping):
        pairs = (f"{render_name(key)}={render_value(item)}" for key, item in arguments.items())
        return f"{name}({', '.join(pairs)})"
    raw = escape_tags(arguments or "")
    return raw if call["name"] and call["name"] in raw else f"{name}({raw})"


def render_calls(calls: Sequence[ToolCall | InvalidToolCall]) -> str:
    """Return calls as the list that the instructions ask for."""
    return f"[{', '.join(map(render_call, calls))}]"


def render_result(text: str, **attributes: str | int | None) -> str:
    """Return a tool's result between tags, which the text cannot close.

    Args:
        text: The result.
        attributes: Attributes of the tag that identify the call; None omits one.
    """
    given = {name: value for name, value in attributes.items() if value is not None}
    rendered = "".join(
        f" {name}={escape_tags(quoteattr(str(value)))}" for name, value in given.items()
    )
    return f"<{RESULT}{rendered}>\n{escape_tags(text)}\n</{RESULT}>"


def escape_tags(text: str) -> str:
    """Return untrusted text with everything that looks like a result tag escaped."""
    return compile_result_tag().sub("&lt;", text)
