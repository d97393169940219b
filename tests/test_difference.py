"""Differences in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodespec import difference

OLD: dict[str, Any] = {
    "metadata": {"name": "a", "version": "1.0.0"},
    "identity": {"lane": "core", "tier": 3, "roles": ["x", "y"]},
    "interfaces": {"signals": {"emits": [{"name": "s", "latency_target_ms": 5}], "subscribes": []}},
}


def words(new: dict[str, Any]) -> list[str]:
    return [change.words for change in difference.fields(OLD, new)]


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        ("identity", {"lane": "lukhas", "tier": 3, "roles": ["x", "y"]}, ["promoted from lane core to lukhas"]),
        ("identity", {"lane": "candidate", "tier": 3, "roles": ["x", "y"]}, ["demoted from lane core to candidate"]),
        ("identity", {"lane": "core", "tier": 2, "roles": ["x", "y"]}, ["tier lowered from 3 to 2"]),
        (
            "identity",
            {"lane": "core", "tier": 3, "roles": ["y", "z"]},
            ['identity.roles: without "x"', 'identity.roles: with "z"'],
        ),
        ("identity", {"lane": "core", "tier": 3, "roles": ["y", "x"]}, ["identity.roles: in another order"]),
        ("metadata", {"name": "a", "version": "1.1.0"}, ['metadata.version: "1.0.0" → "1.1.0"']),
        ("metadata", {"name": "a", "version": "1.0.0", "description": "d"}, ['metadata.description added: "d"']),
        ("metadata", {"name": "a"}, ['metadata.version removed (was "1.0.0")']),
        ("consent", {"purpose": "p"}, ["consent added"]),
    ],
)
def test_a_field_s_change_is_said_as_a_person_would(part: str, value: Any, expected: list[str]) -> None:
    assert words(OLD | {part: value}) == expected


def test_signals_are_compared_by_name_not_by_position() -> None:
    emits = [{"name": "t"}, {"name": "s", "latency_target_ms": 7}]
    new = OLD | {"interfaces": {"signals": {"emits": emits, "subscribes": [{"signal": "u", "handler": "h"}]}}}
    assert words(new) == [
        "interfaces.signals.emits.s.latency_target_ms: 5 → 7",
        "now emits t",
        "now subscribes to u",
    ]


keys = st.sampled_from(["name", "signal", "k"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from("abc"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "signal", "k"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), values), st.dictionaries(st.sampled_from("abc"), values))
def test_every_difference_is_told_and_no_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    same = repr(old) == repr({key: new[key] for key in old if key in new}) and old.keys() == new.keys()
    told = difference.fields(old, new)
    assert difference.fields(old, old) == ()
    if told:
        assert repr(old) != repr(new)
    elif not same:
        # Only the order of keys, or of entries that are compared by name, may differ without a word.
        assert _sorted(old) == _sorted(new)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((key, _sorted(item)) for key, item in value.items())
    if isinstance(value, list):
        return sorted(repr(_sorted(item)) for item in value)
    return repr(value)
