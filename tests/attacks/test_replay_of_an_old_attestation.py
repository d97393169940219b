"""Version 1.0.0 had a hole and was replaced. Mallory brings it back, file and attestation, both once validly signed."""

from __future__ import annotations

from tests.village import SCOUT, village


def test_an_old_version_does_not_come_back() -> None:
    old = village()
    base = old.copy()
    base.put(SCOUT, "Bob", version="1.1.0")
    assert base.codes(old) == []  # the way forward
    assert old.codes(base) == ["C002"]  # the way back


def test_not_even_two_steps_at_once() -> None:
    base = village()
    head = base.copy()
    head.put(SCOUT, "Bob", version="1.1.0")
    head.put(SCOUT, "Bob", version="1.2.0")
    assert head.codes(base) == ["C002"]


def test_nor_by_way_of_registering_it_anew() -> None:
    base = village()
    base.put(SCOUT, "Bob", version="1.1.0")
    head = base.copy()
    head.attest(SCOUT, "Bob", action="register", sequence=0, previous=None)
    assert head.codes() == []
    assert head.codes(base) == ["C002"]
