"""A node was retired. Its name is still written in many places, and Mallory would like to have it."""

from __future__ import annotations

from nodespec.tree import attestation_path, node_path, tombstone_path
from tests.village import SCOUT, village


def test_a_tombstone_locks_the_name() -> None:
    base = village()
    base.deregister(SCOUT, "Bob")
    assert base.codes() == []
    head = base.copy()
    head.files[node_path(SCOUT)] = head.text(SCOUT, "Bob", version="2.0.0")
    head.attest(SCOUT, "Bob")
    assert head.codes() == ["P028"]


def test_even_for_whoever_digs_it_up_first() -> None:
    base = village()
    base.deregister(SCOUT, "Bob")
    head = base.copy()
    path = tombstone_path(SCOUT)
    del head.files[path], head.files[attestation_path(path)]
    head.put(SCOUT, "Bob", version="2.0.0")
    assert head.codes() == []
    assert "C006" in head.codes(base)


def test_only_the_owner_buries_a_node() -> None:
    base = village()
    head = base.copy()
    stranger = head.owners["Newt"]
    head.deregister(SCOUT, "Bob")
    path = tombstone_path(SCOUT)
    head.files[path] = head.files[path].replace(head.owners["Bob"].handle.encode(), stranger.handle.encode())
    assert set(head.codes(base)) & {"P013", "P015"}


def test_a_node_does_not_simply_vanish() -> None:
    base = village()
    head = base.copy()
    del head.files[node_path(SCOUT)], head.files[head.attestation_file(SCOUT)]
    assert head.codes() == []
    assert head.codes(base) == ["C005"]
