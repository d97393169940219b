"""Vouching for oneself.

From tier 4 on, in lane core, and wherever ``verified: true`` is claimed, somebody else must have looked. Ada is in a
hurry: she names herself, an owner whom she made up for the purpose, a friend whom nobody appointed; or she lends the
verifier her key, or borrows his.
"""

from __future__ import annotations

import pytest

from nodespec.tree import attestation_path
from tests.attacks.tampering import stripped
from tests.society import Society, new_keys, verdict

GUARD = "lab.memory/guard"
NEEDS = pytest.mark.parametrize(
    "traits",
    [{"tier": 4}, {"tier": 6}, {"lane": "core"}, {"verified": True}],
    ids=["tier 4", "tier 6", "lane core", "verified: true"],
)


@NEEDS
def test_the_verifier_is_somebody_else_than_the_owner(traits: dict[str, object]) -> None:
    society = Society()
    society.renew(verifiers=tuple(sorted((society.ada.handle, society.vera.handle))))
    path = society.register(GUARD, by=society.ada, verifier=society.vera.handle, **traits)
    assert verdict(society.tree()) == []
    society.update(GUARD, verifier=society.ada.handle)
    assert verdict(society.tree()) == [("P024", path)]


@NEEDS
def test_the_verifier_has_signed(traits: dict[str, object]) -> None:
    society = Society()
    path = society.register(GUARD, by=society.ada, verifier=society.vera.handle, **traits)
    assert verdict(society.tree()) == []
    society.change(attestation_path(path), stripped, society.vera.key.public.key_id)
    assert verdict(society.tree()) == [("P023", path)]


@NEEDS
def test_the_verifier_is_appointed(traits: dict[str, object]) -> None:
    """Bob signs, too, and still nobody asked for his opinion."""
    society = Society()
    path = society.register(GUARD, by=society.ada, verifier=society.bob.handle, **traits)
    assert verdict(society.tree()) == [("P025", path)]
    society.renew(verifiers=tuple(sorted((society.bob.handle, society.vera.handle))))
    assert verdict(society.tree()) == []


def test_an_owner_made_up_for_the_purpose_is_not_appointed() -> None:
    society = Society()
    other_hat = society.join("Ada's other hat")
    path = society.register(GUARD, by=society.ada, tier=4, verifier=other_hat.handle)
    assert verdict(society.tree()) == [("P025", path)]
    society.update(GUARD, verifier=society.vera.handle)
    assert verdict(society.tree()) == []


def test_another_handle_over_the_same_key_is_the_same_person() -> None:
    society = Society()
    other_hat, somebody = society.join("Ada's other hat", society.ada.key), society.join("Somebody else")
    society.renew(verifiers=tuple(sorted((other_hat.handle, somebody.handle))))
    path = society.register(GUARD, by=society.ada, tier=4, verifier=other_hat.handle)
    assert verdict(society.tree()) == [("P024", path)]
    society.update(GUARD, verifier=somebody.handle)
    assert verdict(society.tree()) == []


def test_a_key_that_was_ever_shared_is_remembered() -> None:
    """The verifier listed Ada's key once, and has long rotated to another; or Ada listed the verifier's."""
    for lender, borrower in (("vera", "ada"), ("ada", "vera")):
        for shared in (True, False):
            society = Society()
            who, key = getattr(society, borrower), getattr(society, lender).key
            society.rotate(who, who.key, key if shared else new_keys(1)[0])
            society.rotate(who)
            path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
            assert verdict(society.tree()) == ([("P024", path)] if shared else [])


def test_a_verifier_who_owns_nodes_needs_another_verifier() -> None:
    society = Society()
    second = society.join("Second")
    society.renew(verifiers=tuple(sorted((society.vera.handle, second.handle))))
    path = society.register("lab.audit/probe", by=society.vera, tier=4, verifier=society.vera.handle)
    assert verdict(society.tree()) == [("P024", path)]
    society.update("lab.audit/probe", verifier=second.handle)
    assert verdict(society.tree()) == []


def test_the_attestation_and_the_file_name_the_same_verifier() -> None:
    """The file names Vera, for people to see; the attestation names Bob, who is appointed as well, and signs."""
    society = Society()
    society.renew(verifiers=tuple(sorted((society.vera.handle, society.bob.handle))))
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    assert verdict(society.tree()) == []
    society.reword(path, verifier=society.bob.party())
    assert ("P023", path) in verdict(society.tree())


def test_the_verifier_s_own_threshold_counts() -> None:
    society = Society()
    society.rotate(society.vera, *new_keys(3), threshold=2)
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    assert verdict(society.tree()) == []
    society.sign(path, society.ada.key, society.vera.key)
    assert verdict(society.tree()) == [("P023", path)]


def test_a_verifier_does_not_sign_in_the_owner_s_place() -> None:
    society = Society()
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    assert verdict(society.tree()) == []
    society.sign(path, society.vera.key)
    assert verdict(society.tree()) == [("P015", path)]
