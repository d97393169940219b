"""Mallory holds a key that was revoked in March and dates his signature in February. No date decides anything."""

from __future__ import annotations

from datetime import timedelta

from tests.village import NOW, SCOUT, key, village


def test_a_date_before_the_revocation_does_not_help() -> None:
    s = village()
    s.revoke("Bob", "Bob 2")
    old = s.owners["Bob"].party.__class__(handle=s.owners["Bob"].handle, record=0)
    for moment in (NOW, NOW - timedelta(days=3650)):
        s.attest(SCOUT, "Bob", issued_at=moment, owner=old, signers=[key("Bob")])
        assert s.codes() == ["P019"]


def test_nor_does_a_date_in_the_future_hurt() -> None:
    s = village()
    for days in (-3650, 0, 3650):
        s.attest(SCOUT, "Bob", issued_at=NOW + timedelta(days=days))
        assert s.codes() == []
