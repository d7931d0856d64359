"""Converts TypedDicts so that pydantic accepts them on every supported Python."""

from functools import reduce
from operator import or_
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import Field
from typing_extensions import TypedDict, is_typeddict

UNIONS = (Union, type(int | str))
"""The origins of `Union[int, str]` and `int | str`."""


def convert_typed_dict(given: Any, outer: tuple[Any, ...] = ()) -> Any:
    """Return a copy of a TypedDict, made with `typing_extensions`.

    Before Python 3.12, pydantic refuses those made with `typing`.

    Args:
        given: The TypedDict.
        outer: The TypedDicts around it.

    Raises:
        ValueError: If it contains itself.
    """
    if given in outer:
        raise ValueError(f"the TypedDict {given.__name__} contains itself; use a pydantic class")
    fields = {
        name: _convert_field(hint, (*outer, given), is_required=name in given.__required_keys__)
        for name, hint in get_type_hints(given, include_extras=True).items()
    }
    converted = TypedDict(given.__name__, fields)  # type: ignore[misc] # created at run time
    converted.__doc__ = given.__doc__
    return converted


def _convert_field(hint: Any, outer: tuple[Any, ...], *, is_required: bool) -> Any:
    """Return a field's type, with LangChain's `Annotated[type, default or ..., description]`."""
    while (origin := get_origin(hint)) in {Required, NotRequired}:
        is_required, (hint,) = origin is Required, get_args(hint)
    notes = get_args(hint)[1:] if origin is Annotated else ()
    converted = _convert_hint(hint, outer)
    if len(notes) > 1 and isinstance(notes[1], str):
        converted = Annotated[converted, Field(notes[0], description=notes[1])]
    return converted if is_required else NotRequired[converted]


def _convert_hint(hint: Any, outer: tuple[Any, ...]) -> Any:
    """Return a type with the TypedDicts in it converted."""
    origin, args = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        return convert_typed_dict(hint, outer)
    if not args or origin is Literal:
        return hint
    if origin is Annotated:
        return Annotated[(_convert_hint(args[0], outer), *args[1:])]
    converted = tuple(_convert_hint(arg, outer) for arg in args)
    return reduce(or_, converted) if origin in UNIONS else origin[converted]
