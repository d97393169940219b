"""Winning the race.

The thief is faster than Ada: with the stolen key the thief rotates her chain to a key of the thief's own, and revokes
hers. As far as anybody can tell, the thief is Ada. What helps is the trust root: its key holders put Ada back in
possession, in the open, under a record that says so. The thief cannot do the same, nor stop it.
"""

from __future__ import annotations

from dataclasses import replace

from nodespec import owner
from nodespec.owner import Recovery
from tests.society import Society, new_keys, quorum_of, revocation, sealed, verdict

CACHE, TROJAN = "lab.memory/cache", "lab.memory/trojan"


def stolen() -> Society:
    """Ada's node, then the thief's record, which revokes her key, and the thief's node."""
    society = Society()
    society.register(CACHE, by=society.ada)
    base, honest = society.tree(), society.ada.key
    society.rotate(society.ada, *new_keys(1), revoked=[revocation(honest, "lost")])
    assert verdict(society.tree(), base) == []
    base = society.tree()
    society.register(TROJAN, by=society.ada)
    assert verdict(society.tree(), base) == [], "the thief is Ada, as far as anybody can tell"
    return society


def test_the_root_puts_ada_back_in_possession_and_the_thief_s_work_is_void() -> None:
    society = stolen()
    base, thief = society.tree(), society.ada.key
    society.recover(society.ada, revoked=[revocation(thief, "compromised", 1)])
    trojan = society.attestation(TROJAN)
    assert trojan is not None
    assert verdict(society.tree(), base) == [("P019", trojan.path)]
    society.deregister(TROJAN)
    society.update(CACHE)
    assert verdict(society.tree(), base) == []


def test_ada_s_own_work_from_before_the_theft_still_stands() -> None:
    society = stolen()
    thief = society.ada.key
    society.recover(society.ada, revoked=[revocation(thief, "compromised", 1)])
    society.remove(society.attestation(TROJAN).path)
    assert verdict(society.tree()) == []


def test_a_thief_who_voids_the_honest_past_makes_noise_and_no_gain() -> None:
    """The thief calls Ada's key compromised from the start. Her node is then a finding until she signs it again."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    society.rotate(society.ada, revoked=[revocation(society.ada.key, "compromised", 0)])
    assert verdict(society.tree()) == [("P019", path)]
    base = society.tree()
    society.recover(society.ada, revoked=[revocation(society.ada.key, "compromised", 1)])
    society.update(CACHE)
    assert verdict(society.tree(), base) == []


def test_the_thief_s_key_signs_nothing_after_the_recovery() -> None:
    society = stolen()
    thief = society.ada.key
    society.recover(society.ada, revoked=[revocation(thief, "compromised", 1)])
    society.deregister(TROJAN)
    base = society.tree()
    path = society.update(CACHE)
    assert verdict(society.tree(), base) == []
    for record in (1, 2):
        society.reword(path, thief, owner=society.ada.party(record))
        codes = {code for code, _ in verdict(society.tree(), base)}
        assert codes == ({"P019", "C001"} if record == 1 else {"P018"})


def test_the_thief_does_not_follow_the_recovery_with_another_record() -> None:
    society = stolen()
    thief = society.ada.key
    society.recover(society.ada, revoked=[revocation(thief, "compromised", 1)])
    society.remove(society.attestation(TROJAN).path)
    honest = society.fork()
    honest.rotate(honest.ada)
    assert verdict(honest.tree()) == []
    again = new_keys(1)
    record = society.next_record(society.ada, quorum_of(again, 1))
    path = society.write_record(society.ada, record, again, (thief, *again))
    assert ("P007", path) in verdict(society.tree())


def test_the_thief_cannot_recover() -> None:
    """Neither by the stolen key, nor by a trust root of another registry, nor by naming a version that is to come."""
    society = Society()
    key, loot = society.ada.key, new_keys(1)
    honest = society.fork()
    honest.recover(honest.ada)
    assert verdict(honest.tree()) == []
    mallory = Society()
    record = replace(
        society.next_record(society.ada, quorum_of(loot, 1)),
        recovery=Recovery(registry_id=society.registry_id, root_version=1),
    )
    path = society.write_record(society.ada, record, loot, (key, *loot))
    assert verdict(society.tree()) == [("P007", path)]
    for said, signers in (
        (record.recovery, mallory.root_signers()),
        (Recovery(registry_id=society.registry_id, root_version=2), society.root_signers()),
        (Recovery(registry_id="lab.elsewhere", root_version=1), society.root_signers()),
    ):
        payload = replace(record, recovery=said).payload()
        society.files[path] = sealed(owner.PAYLOAD_TYPE, payload, *signers, *loot)
        assert verdict(society.tree()) == [("P007", path)]


def test_a_past_root_does_not_recover_for_the_thief() -> None:
    """The thief has the keys of a version that was since replaced. By itself the record fits; the base knows better."""
    society = Society()
    society.renew(root_keys=new_keys(3))
    base = society.tree()
    honest = society.fork()
    honest.recover(honest.ada)
    assert verdict(honest.tree(), base) == []
    society.recover(society.ada, version=0)
    assert verdict(society.tree()) == []
    assert verdict(society.tree(), base) == [("C007", society.ada.path())]


def test_nobody_is_recovered_behind_their_back() -> None:
    """The root's key holders cannot hand Ada's handle to a key whose holder has not agreed."""
    society = Society()
    (stranger,) = new_keys(1)
    record = society.recover(society.ada, stranger)
    assert verdict(society.tree()) == []
    society.files[society.ada.path()] = sealed(owner.PAYLOAD_TYPE, record.payload(), *society.root_signers())
    assert verdict(society.tree()) == [("P007", society.ada.path())]
