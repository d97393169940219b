"""From tier 4 on somebody else must have looked. Ada would rather look herself."""

from __future__ import annotations

from tests.village import GUARD, key, village


def test_the_owner_is_not_the_verifier() -> None:
    s = village()
    s.put(GUARD, "Ada", tier=4, verifier="Ada", version="1.1.0")
    assert s.codes() == ["P024"]


def test_nor_is_somebody_with_the_owners_key() -> None:
    s = village()
    s.owner("Ada's other hat", [key("Ada")])
    s.next_root(verifiers=tuple(sorted([*s.roots[0].verifiers, s.owners["Ada's other hat"].handle])))
    s.put(GUARD, "Ada", tier=4, verifier="Ada's other hat", version="1.1.0")
    assert s.codes() == ["P024"]


def test_nor_is_somebody_whom_nobody_appointed() -> None:
    s = village()
    s.put(GUARD, "Ada", tier=4, verifier="Newt", version="1.1.0")
    assert s.codes() == ["P025"]


def test_verified_true_is_a_claim_at_any_tier() -> None:
    s = village()
    s.put("lab.memory/humble", "Ada", tier=1, verifier="Vera", verified=True, signers=[key("Ada")])
    assert s.codes() == ["P023"]
    s.attest("lab.memory/humble", "Ada", action="register", sequence=0, previous=None)
    assert s.codes() == []
