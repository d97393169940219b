"""Mallory, who broke Ed25519 but not ML-DSA, wants a weaker scheme to count than the one that was promised."""

from __future__ import annotations

from dataclasses import replace

from nodespec.envelope import Signature
from tests.village import SCOUT, key, village


def test_a_weaker_key_of_the_owner_does_not_stand_in_for_the_declared_scheme() -> None:
    s = village()
    weak = key("Bob weak", "ed25519")
    s.add_record("Bob", [key("Bob"), weak], [key("Bob"), weak])
    s.put(SCOUT, "Bob", signers=[weak], version="1.1.0")
    assert s.codes() == ["P021"]
    s.attest(SCOUT, "Bob", signers=[key("Bob")])
    assert s.codes() == []


def test_the_scheme_is_the_keys_own_and_no_field_of_the_message() -> None:
    s = village()
    ed25519 = key("Bob weak", "ed25519")
    fake = Signature(key_id=key("Bob").public.key_id, value=ed25519.sign(s.signed(SCOUT).message))
    s.replace_signed(SCOUT, replace(s.signed(SCOUT), signatures=(fake,)))
    assert s.codes() == ["P017"]


def test_a_scheme_that_the_trust_root_gave_up_does_not_count() -> None:
    s = village()
    weak = key("Bob weak", "ed25519")
    s.add_record("Bob", [weak], [key("Bob"), weak])
    s.next_root(attestation_schemes=("ml-dsa-44",))
    s.put(SCOUT, "Bob", version="1.1.0")
    assert s.codes() == ["P020"]
    s.add_record("Bob", [key("Bob 3")], [weak, key("Bob 3")])
    s.put(SCOUT, "Bob", version="1.2.0")
    assert s.codes() == []
