"""Signing under the record in which the key still was good.

Ada rotated: her first key is in record 0, her second in record 1. A thief has the first, and signs with it, naming
record 0 as if this had been signed long ago. Nobody can tell from a signature when it was made. What decides is where
Ada put the revocation, what she listed as standing, and, for everything new, the base.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from nodespec.tree import attestation_path
from tests.society import Society, new_keys, revocation, verdict

CACHE, TROJAN, GUARD = "lab.memory/cache", "lab.memory/trojan", "lab.memory/guard"


def plant(society: Society, *stolen: object) -> str:
    """The thief adds a node that Ada never saw, under record 0."""
    path = society.register(TROJAN, by=society.ada)
    return society.reword(path, *stolen, owner=society.ada.party(0)).replace(".dsse.json", ".yaml")


def test_a_compromised_key_means_nothing_from_its_position_on() -> None:
    society = Society()
    stolen = society.ada.key
    society.revoke(society.ada, stolen, "compromised")
    base = society.tree()
    path = plant(society, stolen)
    assert verdict(society.tree()) == [("P019", path)]
    assert sorted(verdict(society.tree(), base)) == [("C001", path), ("P019", path)]
    society.reword(path, owner=society.ada.party())
    assert verdict(society.tree(), base) == []


@pytest.mark.parametrize("reason", ["superseded", "lost"])
def test_a_key_that_was_merely_given_up_signs_nothing_new(reason: str) -> None:
    """Without a base nobody can tell that it is new."""
    society = Society()
    old = society.ada.key
    society.revoke(society.ada, old, reason)
    base = society.tree()
    path = plant(society, old)
    assert verdict(society.tree()) == []
    assert verdict(society.tree(), base) == [("C001", path)]


def test_nor_does_one_that_was_rotated_out_without_a_word() -> None:
    society = Society()
    old = society.ada.key
    society.rotate(society.ada)
    base = society.tree()
    path = plant(society, old)
    assert verdict(society.tree()) == []
    assert verdict(society.tree(), base) == [("C001", path)]


def test_what_ada_signed_before_is_a_finding_until_she_signs_it_again() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    society.revoke(society.ada, society.ada.key, "compromised")
    assert verdict(society.tree()) == [("P019", path)]
    base = society.tree()
    society.update(CACHE)
    assert verdict(society.tree(), base) == []


def test_what_stands_stands_and_nothing_else() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    claim, stolen = society.attestation(CACHE), society.ada.key
    assert claim is not None
    society.revoke(society.ada, stolen, "compromised", standing=[claim.digest])
    assert verdict(society.tree()) == []
    trojan = plant(society, stolen)
    assert verdict(society.tree()) == [("P019", trojan)]
    society.remove(trojan)
    society.reword(path, stolen, nonce="e" * 32)
    assert verdict(society.tree()) == [("P019", path)]


def test_what_stood_is_of_no_use_once_it_is_changed() -> None:
    """Its digest stays in the list; the base shows that it is yesterday's."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    claim, stolen = society.attestation(CACHE), society.ada.key
    assert claim is not None
    old = {name: society.files[name] for name in (path, attestation_path(path))}
    society.revoke(society.ada, stolen, "compromised", standing=[claim.digest])
    society.update(CACHE)
    base = society.tree()
    assert verdict(base) == []
    society.files |= old
    assert verdict(society.tree()) == []
    assert sorted(verdict(society.tree(), base)) == [("C001", path), ("C002", path)]


def test_the_position_spares_what_names_an_earlier_record() -> None:
    """The key was stolen after record 1 had come; what names record 0 was signed before. One record later, too late."""
    for position, expected in ((0, ["P019"]), (1, []), (2, [])):
        society = Society()
        society.register(CACHE, by=society.ada)
        stolen = society.ada.key
        society.rotate(society.ada, stolen, *new_keys(1))
        society.rotate(society.ada, *society.ada.wallets[-1])
        society.revoke(society.ada, stolen, "compromised", from_record=position)
        assert [code for code, _ in verdict(society.tree())] == expected


def test_a_thief_who_names_a_record_before_the_position_is_found_by_the_base() -> None:
    """This is how far a position reaches without a base: the thief only has to name an early enough record."""
    society = Society()
    stolen = society.ada.key
    society.rotate(society.ada, stolen, *new_keys(1))
    society.revoke(society.ada, stolen, "compromised", from_record=1)
    base = society.tree()
    path = plant(society, stolen)
    assert verdict(society.tree()) == []
    assert verdict(society.tree(), base) == [("C001", path)]
    society.reword(path, stolen, owner=society.ada.party(1))
    assert sorted(verdict(society.tree(), base)) == [("C001", path), ("P019", path)]


def test_the_verifier_s_stolen_key_is_no_better() -> None:
    society = Society()
    stolen = society.vera.key
    society.revoke(society.vera, stolen, "compromised")
    base = society.tree()
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    assert verdict(society.tree(), base) == []
    society.reword(path, society.ada.key, stolen, verifier=society.vera.party(0))
    assert sorted(verdict(society.tree(), base)) == [("C001", path), ("P019", path)]


def test_the_giver_s_stolen_key_gives_nothing_away() -> None:
    """The thief transfers Ada's node to an accomplice who may publish there."""
    society = Society()
    society.grant(society.bob, "lab.memory")
    society.register(CACHE, by=society.ada)
    stolen = society.ada.key
    claim = society.attestation(CACHE)
    assert claim is not None
    society.revoke(society.ada, stolen, "compromised", standing=[claim.digest])
    base = society.tree()
    honest = society.fork()
    honest.transfer(CACHE, to=honest.bob)
    assert verdict(honest.tree(), base) == []
    path = society.transfer(CACHE, to=society.bob)
    society.reword(path, society.bob.key, stolen, from_owner=society.ada.party(0))
    assert sorted(verdict(society.tree(), base)) == [("C001", path), ("P019", path)]


def test_a_revocation_by_one_owner_does_not_touch_another_who_lists_the_key() -> None:
    """Bob was careless and listed Ada's spare key. That it is void for her says nothing about his record."""
    society = Society()
    spare, (second,) = society.ada.key, new_keys(1)
    society.rotate(society.bob, spare, second)
    path = society.register("lab.dream/loom", by=society.bob)
    society.sign(path, spare)
    society.revoke(society.ada, spare, "compromised")
    assert verdict(society.tree()) == []
    kept = society.bob.wallets[-1][1]
    society.rotate(society.bob, kept, revoked=[replace(revocation(spare, "compromised"), from_record=1)])
    assert verdict(society.tree()) == [("P019", path)]
