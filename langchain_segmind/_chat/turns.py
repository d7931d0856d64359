"""The turns of a conversation, which no provider's JSON has shaped yet."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from langchain_segmind._api.endpoint import Role
from langchain_segmind._chat.images import Image

Part = str | Image


@dataclass(slots=True)
class Turn:
    """One turn of a conversation.

    Attributes:
        role: Who speaks. System text stays where it was: only some providers have one place for it.
        parts: What is said and shown, in order: at least one part, no two texts in a row.
        index: The index of the first message in it; None for instructions.
        name: Who speaks, where several do in the role; its text, if any, begins with it.
    """

    role: Role
    parts: list[Part]
    index: int | None = field(default=None, compare=False)
    name: str | None = field(default=None, compare=False)

    @property
    def text(self) -> str:
        """The text of all parts."""
        return "".join(part for part in self.parts if isinstance(part, str))

    def add(self, part: Part, separator: str = "") -> None:
        """Append a part; a text after a text is joined with it."""
        self.parts = [*self.parts[:-1], *join_texts([*self.parts[-1:], part], separator)]


def join_texts(parts: Iterable[Part], separator: str = "") -> list[Part]:
    """Return parts with texts that follow one another joined, in linear time."""
    joined: list[Part] = []
    for is_text, group in groupby(parts, key=lambda part: isinstance(part, str)):
        run = [*group]
        joined += [separator.join(map(str, run))] if is_text else run
    return joined
