"""Who must sign: distinct keys whose signatures verify, and nothing else that an envelope says."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from nodespec import envelope, quorum
from nodespec.envelope import Envelope, Signature
from nodespec.keys import SCHEMES, PrivateKey, generate
from nodespec.quorum import Quorum, Tally
from tests.attacks.tampering import flipped

TRIO = tuple(generate(scheme) for scheme in ("ml-dsa-44", "ed25519", "ml-dsa-44"))
PAYLOAD = b'{"who":"cares"}'


def signed(*keys: PrivateKey, payload: bytes = PAYLOAD, kind: str = "text/plain") -> Envelope:
    return envelope.seal(kind, payload, [(key.public.key_id, key) for key in keys])


def of(*keys: PrivateKey, threshold: int = 1) -> Quorum:
    return Quorum(keys=quorum.in_order(key.public for key in keys), threshold=threshold)


def test_every_threshold_over_three_keys_and_every_set_of_signers() -> None:
    for threshold in (1, 2, 3):
        wanted = of(*TRIO, threshold=threshold)
        for count in range(4):
            for signers in combinations(TRIO, count):
                tally = wanted.counted(signed(*signers))
                assert tally.signed == {key.public.key_id for key in signers}
                assert tally.reached == (count >= threshold)
                assert str(tally).startswith(f"{count} of {threshold} needed signature")


def test_one_of_one() -> None:
    for scheme in SCHEMES:
        key = generate(scheme)
        assert of(key).counted(signed(key)).reached
        assert not of(key).counted(signed(generate(scheme))).reached


def test_strangers_do_not_count() -> None:
    strangers = [generate("ed25519") for _ in range(3)]
    tally = of(*TRIO, threshold=2).counted(signed(TRIO[0], *strangers))
    assert (tally.signed, tally.reached) == ({TRIO[0].public.key_id}, False)


def test_a_signature_counts_under_its_own_key_s_id_alone() -> None:
    one, two, _ = TRIO
    sealed = signed(one)
    assert of(one, two).counted(sealed).reached
    value = sealed.signatures[0].value
    for key_id in (two.public.key_id, one.public.key_id.upper(), "", "ab" * 32):
        renamed = replace(sealed, signatures=(Signature(key_id=key_id, value=value),))
        assert of(one, two).counted(renamed) == Tally(signed=frozenset(), needed=1)


def test_one_signature_under_two_ids_counts_once() -> None:
    one, two, _ = TRIO
    value = signed(one).signatures[0].value
    twice = tuple(Signature(key_id=key.public.key_id, value=value) for key in (one, two))
    assert of(one, two, threshold=2).counted(signed(one, two)).reached
    assert str(of(one, two, threshold=2).counted(replace(signed(one), signatures=twice))) == "1 of 2 needed signatures"


def test_a_signature_covers_the_payload_and_its_type() -> None:
    wanted, sealed = of(*TRIO, threshold=3), signed(*TRIO)
    assert wanted.counted(sealed).reached
    for other in (replace(sealed, payload=PAYLOAD + b" "), replace(sealed, payload_type="text/html")):
        assert not wanted.counted(other).signed


def test_a_signature_with_a_bit_flipped_or_missing_does_not_count() -> None:
    for key in TRIO:
        value = signed(key).signatures[0].value
        for other in (flipped(value, 0), flipped(value, len(value) - 1), value[:-1], value + b"\0", b""):
            wrong = Signature(key_id=key.public.key_id, value=other)
            assert not of(key).counted(replace(signed(key), signatures=(wrong,))).signed


def test_a_key_is_listed_once() -> None:
    one, two, _ = (key.public for key in TRIO)
    assert Quorum(keys=(one, two), threshold=2)
    with pytest.raises(ValueError, match="a key is listed twice"):
        Quorum(keys=(one, one), threshold=2)


@pytest.mark.parametrize("threshold", [-1, 0, 4, 100])
def test_a_threshold_that_nobody_or_everybody_reaches_is_refused(threshold: int) -> None:
    for good in (1, 2, 3):
        assert of(*TRIO, threshold=good).threshold == good
    with pytest.raises(ValueError, match=f"a threshold of {threshold} with 3 keys"):
        of(*TRIO, threshold=threshold)


def test_a_quorum_without_keys_is_none() -> None:
    with pytest.raises(ValueError, match="a threshold of 1 with 0 keys"):
        Quorum(keys=(), threshold=1)


def test_keys_come_back_from_what_records_hold() -> None:
    keys = quorum.in_order(key.public for key in TRIO)
    fields = [key.fields for key in keys]
    assert quorum.parse_keys(fields) == keys
    for other in (fields[::-1], [*fields[:1], *fields], [], [fields], fields[0]):
        with pytest.raises(ValueError, match=r"keys must be|a key must be"):
            quorum.parse_keys(other)


def test_keys_are_put_in_order_once_each() -> None:
    publics = [key.public for key in TRIO]
    ordered = quorum.in_order([*publics, *publics])
    assert [key.key_id for key in ordered] == sorted(key.key_id for key in publics)


def test_people_see_the_beginning_of_a_key_id() -> None:
    assert quorum.short("0123456789abcdef" * 4) == "0123456789abcdef…"
    assert str(Tally(signed=frozenset(["a"]), needed=1)) == "1 of 1 needed signature"
    assert str(Tally(signed=frozenset(), needed=2)) == "0 of 2 needed signatures"


def test_nobody_rides_along() -> None:
    one, two, other = TRIO
    quorum.refuse_strangers(signed(one, two), [one.public, two.public])
    quorum.refuse_strangers(signed(one), [one.public, two.public])
    with pytest.raises(
        ValueError, match=f"key {quorum.short(other.public.key_id)} signed it, too, and has no say in it"
    ):
        quorum.refuse_strangers(signed(one, other), [one.public, two.public])
    false = replace(signed(one, two), payload=b"other")
    with pytest.raises(ValueError, match="does not verify"):
        quorum.refuse_strangers(false, [one.public, two.public])
