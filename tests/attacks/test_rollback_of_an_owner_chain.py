"""Taking an owner's record back.

Ada's key was stolen, so she revoked it. The thief takes that record away, and the stolen key speaks for Ada again; or
puts another record in its place, which the stolen key signs. The tree by itself is in order. The base remembers.
"""

from __future__ import annotations

from nodespec.tree import node_path
from tests.society import Society, new_keys, quorum_of, verdict

CACHE = "lab.memory/cache"


def robbed() -> tuple[Society, Society]:
    """Two histories after the theft: Ada's, with the revocation, and the thief's, without."""
    society = Society()
    society.register(CACHE, by=society.ada)
    thief = society.fork()
    society.revoke(society.ada, society.ada.key, "compromised")
    society.update(CACHE)
    assert verdict(society.tree(), thief.tree()) == []
    return society, thief


def test_a_revocation_cannot_be_taken_away() -> None:
    society, thief = robbed()
    base, record = society.tree(), society.ada.path()
    path = thief.update(CACHE, tier=6, verifier=thief.vera.handle)
    assert verdict(thief.tree()) == []
    assert verdict(thief.tree(), base) == [("C002", path), ("C004", record)]


def test_nor_can_another_record_take_its_place() -> None:
    society, thief = robbed()
    base, record = society.tree(), society.ada.path()
    thief.rotate(thief.ada, *new_keys(1))
    path = thief.update(CACHE, tier=0)
    assert thief.ada.path() == record
    assert verdict(thief.tree()) == []
    assert verdict(thief.tree(), base) == [("C002", path), ("C004", record)]


def test_nor_does_the_stolen_key_sign_what_follows_the_revocation() -> None:
    """The thief writes record 2 with a key of their own, and signs it with both. Ada's key is missing."""
    society, thief = robbed()
    stolen, base, honest = thief.ada.key, society.tree(), society.fork()
    honest.rotate(honest.ada)
    assert verdict(honest.tree(), base) == []
    loot = new_keys(1)
    record = society.next_record(society.ada, quorum_of(loot, 1))
    path = society.write_record(society.ada, record, loot, (stolen, *loot))
    assert verdict(society.tree(), base) == [("P007", node_path(CACHE)), ("P007", path)]


def test_a_whole_chain_cannot_be_left_out() -> None:
    """Without Ada's chain nobody can check her node; with a base it is plain who took it away."""
    society, _ = robbed()
    base = society.tree()
    records = [society.ada.path(number) for number in range(2)]
    for record in records:
        del society.files[record]
    found = verdict(society.tree(), base)
    assert sorted(found) == sorted([("C004", record) for record in records] + [("P005", node_path(CACHE))])
