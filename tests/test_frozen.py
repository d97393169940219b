"""Values: what they promise is what a frozen, keyword-only, slotted dataclass promises."""

from __future__ import annotations

import pickle
from copy import deepcopy
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any

import pytest

from nodespec.frozen import frozen


@frozen
class Ours:
    """A value."""

    name: str
    value: dict[str, Any] = field(hash=False)
    line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """The same, as the standard library makes it."""

    name: str
    value: dict[str, Any] = field(hash=False)
    line: int = 1


@frozen
class One:
    """A value of one field."""

    name: str


BOTH: list[Any] = [Ours, Theirs]


@pytest.mark.parametrize("kind", BOTH)
def test_a_value_is_what_it_holds(kind: Any) -> None:
    one, same = kind(name="a", value={}), kind(line=1, value={}, name="a")
    assert one == same
    assert hash(one) == hash(same) == hash(kind(name="a", value={"not": "looked at"}))
    assert one != kind(name="b", value={})
    assert one != kind(name="a", value={"x": 1})
    assert repr(one) == f"{kind.__name__}(name='a', value={{}}, line=1)"


def test_values_of_two_classes_are_never_equal() -> None:
    assert Ours(name="a", value={}) != Theirs(name="a", value={})
    assert One(name="a") != "a"
    assert {One(name="a"): 1}[One(name="a")] == 1


@pytest.mark.parametrize("kind", BOTH)
def test_a_value_does_not_change(kind: Any) -> None:
    one = kind(name="a", value={})
    with pytest.raises(FrozenInstanceError):
        one.name = "b"
    with pytest.raises(FrozenInstanceError):
        del one.line
    with pytest.raises((FrozenInstanceError, TypeError)):  # CPython's own slotted classes raise TypeError (gh-91126)
        one.other = 1
    assert not hasattr(one, "__dict__")
    assert one == kind(name="a", value={})


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("given", [{}, {"name": "a"}, {"name": "a", "value": {}, "lines": 2}])
def test_a_value_is_made_of_its_fields_no_fewer_and_no_others(kind: Any, given: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        kind(**given)


@pytest.mark.parametrize("kind", BOTH)
def test_fields_are_named(kind: Any) -> None:
    with pytest.raises(TypeError):
        kind("a", {}, 1)


@pytest.mark.parametrize("kind", BOTH)
def test_a_value_is_a_dataclass(kind: Any) -> None:
    one = kind(name="a", value={"x": 1})
    assert [item.name for item in fields(kind)] == ["name", "value", "line"]
    assert asdict(one) == {"name": "a", "value": {"x": 1}, "line": 1}
    assert replace(one, line=2) == kind(name="a", value={"x": 1}, line=2)
    with pytest.raises(TypeError):
        replace(one, lines=2)


@pytest.mark.parametrize("kind", BOTH)
def test_a_value_crosses_to_another_process(kind: Any) -> None:
    one = kind(name="a", value={"x": [1]})
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(one, protocol)) == one
    twin = deepcopy(one)
    assert twin == one
    assert twin.value["x"] is not one.value["x"]


def test_methods_of_its_own_stay() -> None:
    @frozen
    class Secret:
        key: str

        def __repr__(self) -> str:
            return "Secret(…)"

    assert repr(Secret(key="hunter2")) == "Secret(…)"


def test_what_it_would_not_heed_is_refused() -> None:
    class Factory:
        names: list[str] = field(default_factory=list)

    class Hidden:
        key: str = field(repr=False)

    class Checked:
        key: str

        def __post_init__(self) -> None:
            raise AssertionError

    for kind in (Factory, Hidden, Checked):
        with pytest.raises(AssertionError):
            frozen(kind)
