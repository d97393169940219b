"""Mallory has the keys of version 1 and hides version 2, which replaced them, behind a version 3."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from nodespec import owner
from nodespec.chain import record_path
from nodespec.tree import TRUST
from tests.village import key, village


def test_the_trust_root_goes_up_by_one() -> None:
    s = village()
    last = s.roots[-1]
    skipped = replace(last, version=3, previous=sha256(last.payload()).hexdigest())
    s.add_root(skipped, s.root_keys[0], s.root_keys[0][:2])
    assert s.codes() == ["P002"]
    del s.files[record_path(TRUST, 3)]
    s.roots.pop()
    s.next_root()
    s.next_root()
    assert s.codes() == []


def test_version_three_needs_the_keys_of_version_two() -> None:
    s = village()
    new = [key(f"second {number}") for number in range(2)]
    role = replace(s.roots[0].roles["root"], keys=tuple(sorted((k.public for k in new), key=lambda k: k.key_id)))
    old = s.root_keys[0][:2]
    s.next_root(signers=[*old, *new], roles={**s.roots[0].roles, "root": role})
    assert s.codes() == []
    s.next_root(signers=old)
    assert s.codes() == ["P002"]


def test_an_owners_records_go_up_by_one() -> None:
    s = village()
    s.rotate("Bob", "Bob 2")
    s.rotate("Bob", "Bob 3")
    assert s.codes() == []
    del s.files[record_path(owner.folder_of(s.owners["Bob"].handle), 1)]
    assert set(s.codes()) == {"P007"}
