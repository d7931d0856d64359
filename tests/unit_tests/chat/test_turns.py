"""The parts of a turn stay in order, and texts that meet are joined."""

import pytest

from langchain_segmind._chat.images import Image
from langchain_segmind._chat.turns import Part, Turn

CAT, DOG = Image(url="https://a/cat.png"), Image(url="https://a/dog.png")


@pytest.mark.parametrize(
    ("parts", "part", "expected"),
    [
        (["a"], "b", ["a\nb"]),
        (["a"], CAT, ["a", CAT]),
        ([CAT], "a", [CAT, "a"]),
        ([CAT], DOG, [CAT, DOG]),
        (["a", CAT, "b"], "c", ["a", CAT, "b\nc"]),
        (["a", CAT, "b", DOG], "c", ["a", CAT, "b", DOG, "c"]),
    ],
    ids=lambda value: str(value).replace("https://a/", "")[:40],
)
def test_a_part_is_added_at_the_end(parts: list[Part], part: Part, expected: list[Part]) -> None:
    """Nothing before it is lost."""
    turn = Turn("user", parts)
    turn.add(part, "\n")
    assert turn.parts == expected
    assert turn.text == "".join(part for part in expected if isinstance(part, str))
