"""A thief has Bob's first key. Bob has revoked it; so the thief names the record in which it still was good."""

from __future__ import annotations

from dataclasses import replace

from tests.village import SCOUT, Village, key, village


def forged(base: Village) -> Village:
    head = base.copy()
    first = replace(head.owners["Bob"].party, record=0)
    head.put("lab.dream/trojan", "Bob")
    head.attest(
        "lab.dream/trojan", "Bob", owner=first, signers=[key("Bob")], action="register", sequence=0, previous=None
    )
    return head


def test_a_compromised_key_means_nothing_from_the_given_record_on() -> None:
    base = village()
    base.revoke("Bob", "Bob 2")
    base.put(SCOUT, "Bob", version="1.1.0")
    head = forged(base)
    assert head.codes() == ["P019"]
    assert set(head.codes(base)) == {"P019", "C001"}


def test_a_key_that_was_merely_replaced_signs_nothing_new_either() -> None:
    base = village()
    base.rotate("Bob", "Bob 2")
    head = forged(base)
    assert head.codes() == []  # without a base nobody can tell when it was signed
    assert head.codes(base) == ["C001"]


def test_what_bob_signed_before_is_a_finding_until_he_signs_it_again() -> None:
    s = village()
    s.revoke("Bob", "Bob 2")
    assert s.codes() == ["P019"]
    s.put(SCOUT, "Bob", version="1.1.0")
    assert s.codes() == []


def test_what_stood_in_a_checkpoint_before_the_loss_still_stands() -> None:
    s = village()
    claim = s.claim(SCOUT)
    assert claim is not None
    s.revoke("Bob", "Bob 2", standing=(claim.digest,))
    assert s.codes() == []
    assert forged(s).codes() == ["P019"]


def test_a_position_spares_what_names_an_earlier_record() -> None:
    s = village()
    both = [key("Bob"), key("Bob 2")]
    s.add_record("Bob", both, both)
    s.revoke("Bob", "Bob 3", from_record=1)
    assert s.codes() == []  # the scout names record 0
