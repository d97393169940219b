"""Bob rotated his keys because one was stolen. The thief takes the record away, and his key speaks for Bob again."""

from __future__ import annotations

from nodespec import owner
from nodespec.chain import record_path
from tests.village import SCOUT, key, village


def test_a_record_cannot_be_taken_away() -> None:
    base = village()
    base.revoke("Bob", "Bob 2")
    base.put(SCOUT, "Bob", version="1.1.0")
    assert base.codes() == []
    head = base.copy()
    del head.files[record_path(owner.folder_of(head.owners["Bob"].handle), 1)]
    assert "C004" in head.codes(base)


def test_nor_be_replaced_by_one_that_the_stolen_key_signed() -> None:
    base = village()
    thief = base.copy()
    base.revoke("Bob", "Bob 2")
    base.put(SCOUT, "Bob", version="1.1.0")
    thief.add_record("Bob", [key("thief")], [key("Bob"), key("thief")])
    thief.put(SCOUT, "Bob", version="1.1.0")
    assert thief.codes() == []  # by itself it looks honest
    assert "C004" in thief.codes(base)
