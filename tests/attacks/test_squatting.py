"""Newt is new here. He publishes under a prefix that belongs to Ada, before she does."""

from __future__ import annotations

from tests.village import village


def test_a_delegated_prefix_is_closed_to_newcomers() -> None:
    s = village()
    s.put("lab.memory.vault/thing", "Newt")
    assert s.codes() == ["P026"]


def test_a_free_one_is_open_within_limits() -> None:
    s = village()
    s.put("lab.garden/bee", "Newt")
    assert s.codes() == []
    s.put("lab.garden/wasp", "Newt", tier=2)
    assert s.codes() == ["P026"]
