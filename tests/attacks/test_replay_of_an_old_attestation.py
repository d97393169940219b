"""Bringing an old version back.

Version 1.0.0 of the cache had a hole, and Ada replaced it. Mallory brings it back: the file and the attestation, both
once validly signed, byte for byte. By itself the tree is in order; only the base remembers that there was more.
"""

from __future__ import annotations

from nodespec.tree import attestation_path
from tests.society import Node, Society, verdict

CACHE = "lab.memory/cache"


def test_the_way_forward_passes_and_the_way_back_does_not() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    old = society.tree()
    society.update(CACHE)
    new = society.tree()
    assert verdict(new, old) == []
    assert verdict(old) == []
    assert verdict(old, new) == [("C002", path)]


def test_the_same_text_may_come_back_when_its_owner_signs_again() -> None:
    """An honest revert is a new attestation over the old bytes, with a version of its own."""
    society = Society()
    society.register(CACHE, by=society.ada)
    society.update(CACHE, tier=0)
    base = society.tree()
    society.update(CACHE, tier=1)
    assert verdict(society.tree(), base) == []


def test_the_attestation_alone_does_not_come_back() -> None:
    """Here the text has not changed, so even the digest is right."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    old = society.files[attestation_path(path)]
    text = society.files[path]
    society.attest(society.claim(society.nodes[CACHE], "update", path, text))
    base = society.tree()
    assert verdict(base) == []
    society.files[attestation_path(path)] = old
    assert verdict(society.tree()) == []
    assert verdict(society.tree(), base) == [("C002", path)]


def test_a_thief_of_old_files_cannot_number_them_anew() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    old = society.fork()
    society.update(CACHE)
    base, current = society.tree(), society.attestation(CACHE)
    assert current is not None
    old.forge(path, action="update", sequence=current.sequence + 1, previous=current.digest)
    assert verdict(old.tree(), base) == [("P017", path)]
    old.reword(path, action="update", sequence=current.sequence + 1, previous=current.digest)
    assert verdict(old.tree(), base) == [], "with Ada's signature it would be her own decision"


def test_two_steps_at_once_are_not_one() -> None:
    """Only the last attestation is in the tree, so a step that nobody judged would leave no trace."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    base = society.tree()
    society.update(CACHE)
    assert verdict(society.tree(), base) == []
    society.update(CACHE)
    assert verdict(society.tree(), base) == [("C002", path)]


def test_registering_anew_is_no_way_around() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    society.update(CACHE)
    base = society.tree()
    society.put(Node(id=CACHE, owner=society.ada.handle, version="1.0.2"), "register")
    assert verdict(society.tree()) == []
    assert verdict(society.tree(), base) == [("C002", path)]
