"""Taking signatures away.

Mallory holds no key. She can still edit files in a pull request, so she removes what she does not like: the
verifier's signature on a guard that was never looked at again, the second signature of an owner who needs two, the
former owner's on a node that is given away, all of them. What is left verifies, key by key; what is missing must be
missed.
"""

from __future__ import annotations

import json

from nodespec.chain import record_path
from nodespec.tree import TRUST, attestation_path
from tests.attacks.tampering import edited, stripped
from tests.society import Society, new_keys, verdict

CACHE, GUARD = "lab.memory/cache", "lab.memory/guard"


def test_the_verifier_s_signature_is_missed() -> None:
    society = Society()
    path = society.register(GUARD, by=society.ada, tier=5, verifier=society.vera.handle)
    assert verdict(society.tree()) == []
    society.change(attestation_path(path), stripped, society.vera.key.public.key_id)
    assert verdict(society.tree()) == [("P023", path)]


def test_the_owner_s_signature_is_missed_though_the_verifier_s_is_there() -> None:
    society = Society()
    path = society.register(GUARD, by=society.ada, tier=5, verifier=society.vera.handle)
    assert verdict(society.tree()) == []
    society.change(attestation_path(path), stripped, society.ada.key.public.key_id)
    assert verdict(society.tree()) == [("P015", path)]


def test_one_of_an_owner_s_two_signatures_is_missed() -> None:
    society = Society()
    society.rotate(society.ada, *new_keys(3), threshold=2)
    path = society.register(CACHE, by=society.ada)
    assert verdict(society.tree()) == []
    society.change(attestation_path(path), stripped, society.ada.key.public.key_id)
    assert verdict(society.tree()) == [("P018", path)]


def test_a_signature_beyond_the_threshold_is_not_missed() -> None:
    """Three signed where two are enough. Which two are left does not matter."""
    society = Society()
    trio = new_keys(3)
    society.rotate(society.ada, *trio, threshold=2)
    path = society.register(CACHE, by=society.ada)
    society.sign(path, *trio)
    for key in trio:
        whole = society.files[attestation_path(path)]
        society.change(attestation_path(path), stripped, key.public.key_id)
        assert verdict(society.tree()) == []
        society.files[attestation_path(path)] = whole


def test_the_giver_s_signature_on_a_transfer_is_missed() -> None:
    society = Society()
    society.grant(society.bob, "lab.memory")
    society.register(CACHE, by=society.ada)
    base = society.tree()
    path = society.transfer(CACHE, to=society.bob)
    assert verdict(society.tree(), base) == []
    society.change(attestation_path(path), stripped, society.ada.key.public.key_id)
    assert verdict(society.tree(), base) == [("P022", path)]


def test_an_envelope_without_signatures_is_none() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    assert verdict(society.tree()) == []
    society.change(attestation_path(path), edited, signatures=())
    assert json.loads(society.files[attestation_path(path)])["signatures"] == []
    assert verdict(society.tree()) == [("P009", path)]


def test_an_envelope_without_the_list_is_none_either() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    value = json.loads(society.files[attestation_path(path)])
    del value["signatures"]
    society.files[attestation_path(path)] = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    assert verdict(society.tree()) == [("P009", path)]


def test_a_trust_root_with_a_signature_less_is_broken() -> None:
    society = Society()
    society.renew()
    assert verdict(society.tree()) == []
    society.change(record_path(TRUST, 2), stripped, society.keyring["root"][1].public.key_id)
    assert verdict(society.tree()) == [("P002", record_path(TRUST, 2))]
