"""Values: frozen, keyword-only, slotted, equal to what holds the same; and quick to declare.

``@frozen`` is ``@dataclass(frozen=True, slots=True, kw_only=True)``, for a type checker as well, and makes a dataclass:
``replace``, ``asdict`` and ``fields`` take it. But ``dataclass`` writes six methods for each class, and compiles them
whenever its module is imported: half a millisecond a class, for a short command more than the rest of our modules
together. Here the methods are written once for all classes, and look up what a class holds.

>>> @frozen
... class Place:
...     '''Where something stands.'''
...     path: str
...     line: int = 1
>>> Place(path="a.yaml"), Place(path="a.yaml") == Place(line=1, path="a.yaml")
(Place(path='a.yaml', line=1), True)
>>> Place(path="a.yaml").line = 2
Traceback (most recent call last):
dataclasses.FrozenInstanceError: a Place does not change: line

Fields are plain, or ``field(hash=False)``. With ``@frozen(slots=False)``, there is room for a ``cached_property``. A
class with more to it (a factory, ``__post_init__``, a field that is not shown or not compared) is a dataclass.
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Never, TypeVar, dataclass_transform, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Kind = TypeVar("Kind")

_put = object.__setattr__


@overload
def frozen(kind: type[Kind]) -> type[Kind]: ...


@overload
def frozen(*, slots: bool) -> Callable[[type[Kind]], type[Kind]]: ...


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen(kind: type[Any] | None = None, *, slots: bool = True) -> Any:
    """Return ``kind`` as the class of a value; methods that it has itself stay."""
    if kind is None:
        return partial(_frozen, slots=slots)
    return _frozen(kind, slots=slots)


def _frozen(kind: type[Kind], *, slots: bool) -> type[Kind]:
    for name in _METHODS:
        if name not in vars(kind):
            setattr(kind, name, vars(_Value)[name])
    made: Any = dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=True)(kind)
    held = fields(made)
    assert all(item.default_factory is MISSING and item.repr and item.compare for item in held), made
    assert not hasattr(made, "__post_init__"), made
    made._names = frozenset(item.name for item in held)
    made._defaults = {item.name: item.default for item in held if item.default is not MISSING}
    made._content = attrgetter(*(item.name for item in held))
    made._hashed = attrgetter(*(item.name for item in held if item.hash is not False))
    kept: type[Kind] = made
    return kept


class _Value:
    """The methods of every value."""

    _names: frozenset[str]
    _defaults: Mapping[str, Any]
    _content: Callable[[_Value], Any]
    _hashed: Callable[[_Value], Any]

    def __init__(self, **given: Any) -> None:
        content = {**self._defaults, **given}
        if content.keys() != self._names:
            lacks, odd = sorted(self._names - content.keys()), sorted(content.keys() - self._names)
            raise TypeError(f"a {type(self).__name__} lacks {lacks}, and has no {odd}")
        for name, value in content.items():
            _put(self, name, value)

    def __repr__(self) -> str:
        content = (f"{name}={value!r}" for name, value in self.__getstate__().items())
        return f"{type(self).__qualname__}({', '.join(content)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self._content(self) == self._content(other))

    def __hash__(self) -> int:
        return hash(self._hashed(self))

    def __setattr__(self, name: str, _value: object) -> Never:
        raise FrozenInstanceError(f"a {type(self).__name__} does not change: {name}")

    def __delattr__(self, name: str) -> Never:
        raise FrozenInstanceError(f"a {type(self).__name__} does not change: {name}")

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}  # type: ignore[arg-type]

    def __setstate__(self, content: Mapping[str, Any]) -> None:
        for name, value in content.items():
            _put(self, name, value)


_METHODS = [name for name, method in vars(_Value).items() if callable(method)]
