"""Taking over a name that was given up.

A node was retired, and its name is still written in many places. Whoever gets the name gets the trust. So a tombstone
locks it for good: for strangers, for whoever digs the tombstone up, for the former owner, and for those who never had
it.
"""

from __future__ import annotations

import pytest

from nodespec.tree import attestation_path, node_path
from tests.society import Node, Society, verdict

CACHE, PLOT = "lab.memory/cache", "garden/plot"


def buried(identifier: str = CACHE) -> tuple[Society, str]:
    """A registry in which a node was registered and deregistered; and the tombstone's path."""
    society = Society()
    society.register(identifier, by=society.newt if identifier == PLOT else society.ada)
    base = society.tree()
    path = society.deregister(identifier)
    assert verdict(society.tree(), base) == []
    return society, path


def test_the_name_stays_taken_beside_its_tombstone() -> None:
    for who in ("ada", "newt"):
        society, _ = buried(PLOT if who == "newt" else CACHE)
        base, identifier = society.tree(), PLOT if who == "newt" else CACHE
        other = society.fork()
        other.register(identifier + "-2", by=getattr(other, who))
        assert verdict(other.tree(), base) == []
        path = society.put(Node(id=identifier, owner=getattr(society, who).handle), "register")
        assert verdict(society.tree()) == [("P028", path)]
        assert verdict(society.tree(), base) == [("P028", path)]


def test_a_newcomer_does_not_dig_it_up() -> None:
    society, path = buried(PLOT)
    base = society.tree()
    society.remove(path)
    mallory = society.join("Mallory")
    home = society.put(Node(id=PLOT, owner=mallory.handle), "register")
    assert verdict(society.tree()) == [], "by itself this is an honest newcomer's registry"
    assert sorted(verdict(society.tree(), base)) == [("C002", home), ("C003", home), ("C006", path)]


def test_nor_does_the_former_owner() -> None:
    """Not even with an attestation that follows from the tombstone's."""
    society, path = buried()
    base = society.tree()
    home = society.update(CACHE)
    assert verdict(society.tree(), base) == [("P028", home)]
    society.remove(path)
    assert verdict(society.tree()) == []
    assert verdict(society.tree(), base) == [("C006", path)]


def test_taking_the_tombstone_away_frees_nothing() -> None:
    society, path = buried()
    base = society.tree()
    society.remove(path)
    assert verdict(society.tree()) == []
    assert verdict(society.tree(), base) == [("C006", path)]


def test_a_tombstone_without_its_attestation_is_nobody_s_word() -> None:
    society, path = buried()
    base = society.tree()
    del society.files[attestation_path(path)]
    assert verdict(society.tree(), base) == [("P008", path)]


def test_only_the_owner_buries_a_node() -> None:
    society = Society()
    society.register(CACHE, by=society.ada)
    base = society.tree()
    honest = society.fork()
    honest.deregister(CACHE)
    assert verdict(honest.tree(), base) == []
    stone = society.fork()
    path = stone.deregister(CACHE)
    stone.sign(path, stone.newt.key)
    assert verdict(stone.tree(), base) == [("P015", path)]
    society.nodes[CACHE] = Node(id=CACHE, owner=society.newt.handle)
    path = society.deregister(CACHE)
    assert verdict(society.tree()) == [], "by itself it is Newt's tombstone of Newt's node"
    assert verdict(society.tree(), base) == [("C003", path)]


def test_nobody_buries_what_nobody_had() -> None:
    """A tombstone over a name that is free would lock it against whoever comes."""
    society = Society()
    base = society.tree()
    society.register(CACHE, by=society.ada)
    path = society.deregister(CACHE)
    assert verdict(society.tree()) == []
    assert verdict(society.tree(), base) == [("C002", path)]


def test_a_former_owner_does_not_bury_what_was_given_away() -> None:
    society = Society()
    society.grant(society.bob, "lab.memory")
    society.register(CACHE, by=society.ada)
    society.transfer(CACHE, to=society.bob)
    base = society.tree()
    honest = society.fork()
    honest.deregister(CACHE)
    assert verdict(honest.tree(), base) == []
    society.nodes[CACHE] = Node(id=CACHE, owner=society.ada.handle, version="1.0.1")
    path = society.deregister(CACHE)
    assert verdict(society.tree(), base) == [("C003", path)]


@pytest.mark.parametrize("word", [b"reason", b"owner_id", b"version"])
def test_no_word_on_a_tombstone_can_be_changed(word: bytes) -> None:
    society, path = buried()
    base = society.tree()
    lines = society.files[path].split(b"\n")
    changed = {
        b"reason": b'reason: "It was unsafe."',
        b"owner_id": b"owner_id: " + society.bob.handle.encode(),
        b"version": b'version: "9.9.9"',
    }
    society.files[path] = b"\n".join(changed[word] if line.startswith(word) else line for line in lines)
    codes = {code for code, where in verdict(society.tree(), base) if where == path}
    assert (
        codes
        == {b"reason": {"C006", "P013"}, b"owner_id": {"C006", "P015"}, b"version": {"C006", "P012", "P013"}}[word]
    )
    assert node_path(CACHE) not in society.files
