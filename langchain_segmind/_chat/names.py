"""The names of who speaks, where several speak in one role.

Their texts are sent as `<name>Ann</name><content>...</content>`, the form of langgraph-supervisor.
"""

import html
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from langchain_segmind._api.endpoint import Role
from langchain_segmind._chat.turns import Part, Turn, join_texts

TAG = re.compile(r"<(?=/?(?:name|content)>)")
"""Matches the beginning of a tag of the form, which nobody's text may contain."""

BEGINNING = re.compile(r"\s*<name>(?P<name>[^<]*)</name>\s*<content>")
END = "</content>"

NAMED_ROLES: frozenset[Role] = frozenset({"user", "assistant"})


def find_named_roles(speakers: Sequence[tuple[Role | None, str | None]]) -> frozenset[Role]:
    """Return the roles in which several names speak, as in a chat of agents.

    Args:
        speakers: The role and the name of each message.
    """
    names: Mapping[Role, set[str]] = defaultdict(set)
    for role, name in speakers:
        if role in NAMED_ROLES and name:
            names[role].add(name)
    return frozenset(role for role, found in names.items() if len(found) > 1)


def add_name(turn: Turn, name: str | None) -> None:
    """Write who speaks into a turn of a role in which several do; nobody can pose as another."""
    turn.name = name
    if not turn.parts or (name and turn.role == "assistant" and _has_name(turn.parts, name)):
        return
    parts = [TAG.sub("&lt;", part) if isinstance(part, str) else part for part in turn.parts]
    if name:
        parts = [f"<name>{html.escape(name, quote=False)}</name><content>", *parts, END]
    turn.parts = join_texts(parts)


def _has_name(parts: Sequence[Part], name: str) -> bool:
    """Whether an agent's text has its name already, and no other tag of the form."""
    text = parts[0] if len(parts) == 1 and isinstance(parts[0], str) else ""
    begins = text.startswith(f"<name>{html.escape(name, quote=False)}</name><content>")
    return begins and text.endswith(END) and len(TAG.findall(text)) == 4  # noqa: PLR2004 - two pairs


def remove_name(text: str, speakers: Collection[str]) -> str:
    """Return a reply that imitates the form without it.

    Args:
        text: The reply. It can be cut off, or go on behind the form with calls.
        speakers: The names of the model's messages.
    """
    beginning = BEGINNING.match(text)
    if beginning is None or html.unescape(beginning["name"]) not in speakers:
        return text
    rest = text[beginning.end() :]
    if rest.rstrip().endswith(END):
        return rest.rstrip().removesuffix(END)
    inner, end, behind = rest.partition(END)
    return f"{inner}\n{behind.lstrip()}" if end and behind.strip() else inner
