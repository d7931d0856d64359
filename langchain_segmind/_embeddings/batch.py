"""The vectors of one call, as they arrive from threads or tasks."""

from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from threading import Lock
from typing import Self, cast
from unicodedata import normalize

from langchain_segmind._api.endpoint import APIResponse
from langchain_segmind._api.errors import create_error
from langchain_segmind._embeddings.reply import read_vector
from langchain_segmind._http import RequestGroup
from langchain_segmind.exceptions import SegmindError, SegmindResponseError

SAME_VECTOR = (
    "{these} differ, but got the same vector. The server ignored the text, or read only its "
    "beginning"
)
OTHER_LENGTH = "The vector has {actual:,} numbers, but {expected:,} were expected"


class LastVector:
    """The first vector of the last call, to notice that the next call gets the same one.

    Only hashes are kept. Deep copies and pickles of a model start without them, and they do not
    count when models are compared.
    """

    __slots__ = ("_hashes",)

    def __init__(self) -> None:
        self._hashes: tuple[int, bytes] | None = None

    def replace(self, text: str, vector: list[float]) -> bool:
        """Remember a vector, and return whether a different text had the same one before."""
        before = self._hashes
        after = (hash(_normalize(text)), blake2b(array("d", vector), digest_size=16).digest())
        self._hashes = after
        return before is not None and before[0] != after[0] and before[1] == after[1]

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        """Copy and pickle nothing."""
        return type(self), ()

    def __eq__(self, other: object) -> bool:
        """Whether the other object is of this class."""
        return isinstance(other, LastVector)

    __hash__ = None  # type: ignore[assignment] # as of any class with `__eq__` alone


def _normalize(text: str) -> str:
    """Return a text without the differences in white space, case and form that a model may ignore.

    Two texts that differ in these alone can have the same vector.
    """
    return " ".join(normalize("NFKC", text).casefold().split())


class Batch:
    """The texts of a call, which are taken one by one, and their vectors, which are added.

    After a failure no text can be taken; a vector that was on its way can be added, since it is
    paid. An error that leaves the `with` block is a failure, and `get_vectors` raises it.

    Args:
        texts: The texts, checked.
        length: The length that all vectors must have; None for that of the first one.
        last: The vector of the call before; replaced by the first one of this call.

    Attributes:
        total: The number of texts.
        size: The number of different texts.
        requests: The requests, which a failure ends.
        on_progress: Called with the number of texts that got their vectors.
    """

    def __init__(self, texts: Sequence[str], length: int | None, last: LastVector) -> None:
        self._texts = texts
        first: dict[str, int] = {}
        self._repeats: dict[int, list[int]] = {}
        for index, text in enumerate(texts):
            at = first.setdefault(text, index)
            if at != index:
                self._repeats.setdefault(at, []).append(index)
        self.total = len(texts)
        self.size = len(first)
        self.requests = RequestGroup()
        self.on_progress: Callable[[int], object] = lambda _: None
        self._rest = iter(first.items())
        self._vectors: list[list[float] | None] = [None] * len(texts)
        self._length = length
        self._last: LastVector | None = last
        self._seen: dict[int, int] = {}
        self._failure: BaseException | None = None
        self._lock = Lock()

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        """Store the block's error for `get_vectors`."""
        if error is not None:
            self.fail(error)
        return True

    def take(self) -> tuple[str, int] | None:
        """Return the next text and its index; None if there is none, or after a failure."""
        with self._lock:
            return None if self.requests.is_ended else next(self._rest, None)

    def add(self, index: int, response: APIResponse) -> None:
        """Collect the vector of a text, and of the texts that are equal to it.

        Raises:
            SegmindResponseError: The response has no vector, one of another length, or the same as
                that of another text.
        """
        vector = read_vector(response)
        with self._lock:
            self._check(index, vector, response)
            indices = [index, *self._repeats.get(index, ())]
            self._vectors[index] = vector
            for repeat in indices[1:]:
                self._vectors[repeat] = [*vector]
            self.on_progress(len(indices))

    def _check(self, index: int, vector: list[float], response: APIResponse) -> None:
        self._length = self._length or len(vector)
        if len(vector) != self._length:
            problem = OTHER_LENGTH.format(actual=len(vector), expected=self._length)
            raise _create_error(response, problem)
        last, self._last = self._last, None
        if last is not None and last.replace(self._texts[index], vector):
            these = "The text and that of the call before"
            raise _create_error(response, SAME_VECTOR.format(these=these))
        # Not the vector itself, which would be kept twice.
        other = self._seen.setdefault(hash(tuple(vector)), index)
        if other == index or self._vectors[other] != vector:
            return
        if _normalize(self._texts[other]) != _normalize(self._texts[index]):
            these = "texts[{}] and texts[{}]".format(*sorted((index, other)))
            raise _create_error(response, SAME_VECTOR.format(these=these))

    def fail(self, error: BaseException, index: int | None = None) -> None:
        """End the call with an error, unless another one ended it before.

        An interrupt or a cancellation replaces an earlier error, so that it is not swallowed.

        Args:
            error: The error.
            index: The text that it is about; None if it is about none.
        """
        with self._lock:
            if self.requests.is_ended and isinstance(error, Exception):
                return
            self._failure = error
            self.requests.end()
        if index is None or not isinstance(error, Exception):
            return
        if isinstance(error, SegmindError):
            error.args = (f"texts[{index}]: {error}",)
        else:
            error.add_note(f"This is about texts[{index}].")

    def get_vectors(self) -> list[list[float]]:
        """Return the vectors in the order of the texts.

        Raises:
            BaseException: What ended the call; its `completed` has the vectors that arrived.
        """
        # Nothing may keep the error: its traceback keeps the frames, and they keep the vectors.
        error, self._failure = self._failure, None
        if error is None:
            return cast("list[list[float]]", self._vectors)
        with self._lock, suppress(AttributeError):  # of an error of the user's own
            error.completed = {  # type: ignore[attr-defined] # errors that are not ours
                index: vector for index, vector in enumerate(self._vectors) if vector is not None
            }
        try:
            raise error
        finally:
            del error


def _create_error(response: APIResponse, problem: str) -> SegmindError:
    # Without the body: the vector explains nothing.
    return create_error(replace(response, body=b""), SegmindResponseError, problem)
